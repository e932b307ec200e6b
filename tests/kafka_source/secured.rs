//! Brokers that ask who one is: TLS with an authority of our own, and SASL, for what is read, what is committed and the topic of decisions.

use crate::{next_hop::NextHop, shared, topic::Topic};
use kit::{
    Kansoku,
    kafka::{PASSWORD, USER},
    until,
};
use std::path::Path;

fn pipeline(broker: &str, topic: &Topic, next: &NextHop, (ca, mechanism, password): (&Path, &str, &str)) -> String {
    format!(
        "admin: {{ listen: 127.0.0.1:0 }}
sources:
  hop:
    type: kafka
    brokers: ['{broker}']
    topic: {name}
    group: {name}
    session: 6s
    tls: {{ ca: {ca} }}
    sasl: {{ mechanism: {mechanism}, user: {USER}, password: {password} }}
processors:
  traces: {{ type: correlate, inputs: [hop], close: {{ idle: 1s }} }}
  kept: {{ type: sample, inputs: [traces], rules: [{{ name: all, keep: 100% }}] }}
sinks:
  {next}
",
        name = topic.name(),
        ca = ca.display(),
        next = next.sink("kept"),
    )
}

fn log(n: u64) -> Vec<u8> {
    kit::otlp::log(&format!("log {n}"), "INFO", Some(n))
}

#[test]
fn who_shows_the_right_password_over_tls_reads_commits_and_keeps_decisions() {
    let Some((broker, _shared)) = shared() else { return };
    for mechanism in ["plain", "scram_sha_256", "scram_sha_512"] {
        let (topic, next, folder) = (Topic::new(broker), NextHop::start(), tempfile::tempdir().unwrap());
        topic.write((0..20).map(|n| Topic::otlp(i32::try_from(n % 4).unwrap(), "logs", log(n))));
        let yaml = pipeline(&broker.secured(), &topic, &next, (&broker.authority().ca, mechanism, PASSWORD));
        let kansoku = Kansoku::run(folder.path(), &yaml);
        topic.until_committed(&[5, 5, 5, 5]);
        assert_eq!(next.came().len(), 20, "{mechanism}");
        let decisions = kit::kafka::read(&broker.address(), &format!("{}-decisions", topic.name()));
        let kept = |of: i32| decisions.iter().filter(|read| read.partition == of).count();
        assert!((0..4).all(|partition| kept(partition) >= 2), "a mark and decisions in each: {decisions:?}");
        assert_eq!(kansoku.stop().code, 0);
    }
}

#[test]
fn who_is_not_let_in_hears_why_reads_nothing_and_goes_on_trying() {
    let Some((broker, _shared)) = shared() else { return };
    let stranger = tempfile::tempdir().unwrap();
    let other = kit::tls::Authority::new(stranger.path(), "stranger");
    for (ca, password, said) in
        [(&broker.authority().ca, "wrong-secret", "Authentication failed"), (&other.ca, PASSWORD, "certificate verify failed")]
    {
        let (topic, next, folder) = (Topic::new(broker), NextHop::start(), tempfile::tempdir().unwrap());
        topic.write([Topic::otlp(0, "logs", log(1))]);
        let kansoku = Kansoku::run(folder.path(), &pipeline(&broker.secured(), &topic, &next, (ca, "scram_sha_256", password)));
        until(said, || kansoku.said().contains(said).then_some(()));
        assert!(next.came().is_empty() && !kansoku.said().contains(password), "{}", kansoku.said());
        assert_eq!(kansoku.stop().code, 0, "it ends although nobody answers");
    }
}
