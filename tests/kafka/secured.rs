//! Brokers that ask who one is: TLS with an authority of our own, and SASL.

use crate::{
    calm, gateway,
    offered::{TRACES, export, spans},
};
use kit::{
    Kansoku,
    kafka::{PASSWORD, USER, read},
    until,
};

fn secured(ca: &std::path::Path, mechanism: &str, password: &str) -> String {
    format!(
        "    timeout: 3s
    tls: {{ ca: {} }}
    sasl: {{ mechanism: {mechanism}, user: {USER}, password: {password} }}
",
        ca.display()
    )
}

#[test]
fn who_shows_the_right_password_over_tls_is_let_in() {
    let Some((broker, _calm)) = calm() else { return };
    for mechanism in ["plain", "scram_sha_256", "scram_sha_512"] {
        let (folder, topic) = (tempfile::tempdir().unwrap(), format!("secured_{mechanism}"));
        let more = secured(&broker.authority().ca, mechanism, PASSWORD);
        let kansoku = Kansoku::run(folder.path(), &gateway(&broker.secured(), &topic, &more));
        export(&kansoku, TRACES, &spans((0..20).map(|trace| (trace, 0)), "GET /cart"));
        until("all is out", || (kansoku.count("hop", "traces", "out") == 20).then_some(()));
        assert_eq!(read(&broker.address(), &topic).len(), 20);
    }
}

#[test]
fn a_certificate_of_our_own_is_shown_where_it_is_asked_for() {
    let Some((broker, _calm)) = calm() else { return };
    let folder = tempfile::tempdir().unwrap();
    let shown = broker.authority().issue("gateway");
    let more = secured(&broker.authority().ca, "plain", PASSWORD)
        .replace(" }\n    sasl", &format!(", cert: {}, key: {} }}\n    sasl", shown.cert.display(), shown.key.display()));
    let kansoku = Kansoku::run(folder.path(), &gateway(&broker.secured(), "shown", &more));
    export(&kansoku, TRACES, &spans([(1, 0)], "GET /cart"));
    until("it is out", || (kansoku.count("hop", "traces", "out") == 1).then_some(()));
}

#[test]
fn who_is_not_let_in_hears_why_and_keeps_what_he_has() {
    let Some((broker, _calm)) = calm() else { return };
    let stranger = tempfile::tempdir().unwrap();
    let other = kit::tls::Authority::new(stranger.path(), "stranger");
    for (ca, password, said) in
        [(&broker.authority().ca, "wrong-secret", "Authentication failed"), (&other.ca, PASSWORD, "certificate verify failed")]
    {
        let folder = tempfile::tempdir().unwrap();
        let kansoku = Kansoku::run(folder.path(), &gateway(&broker.secured(), "refused", &secured(ca, "scram_sha_256", password)));
        export(&kansoku, TRACES, &spans([(1, 0)], "GET /cart"));
        until(said, || {
            let status = kansoku.status().to_string();
            (status.contains(said) && !status.contains(password)).then_some(())
        });
        assert_eq!((kansoku.count("hop", "traces", "held"), kansoku.count("hop", "traces", "out")), (1, 0));
    }
}
