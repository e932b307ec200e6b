//! The processes: a gateway that writes to the topic, and members of one group that read it.

use crate::{PARTITIONS, next_hop::NextHop, until};
use kit::Kansoku;
use std::path::PathBuf;

/// Consumers: two that are always wanted, and one that comes and goes.
pub(crate) const MEMBERS: usize = 3;
pub(crate) const GUEST: usize = 2;

pub(crate) struct Fleet {
    brokers: String,
    topic: String,
    next_hop: NextHop,
    folder: tempfile::TempDir,
    pub(crate) gateway: Option<Kansoku>,
    pub(crate) members: [Option<Kansoku>; MEMBERS],
}

impl Fleet {
    pub(crate) fn new(brokers: String, topic: String, next_hop: NextHop) -> Fleet {
        Fleet { brokers, topic, next_hop, folder: tempfile::tempdir().unwrap(), gateway: None, members: [None, None, None] }
    }

    fn folder(&self, name: &str) -> PathBuf {
        let folder = self.folder.path().join(name);
        std::fs::create_dir_all(&folder).unwrap();
        folder
    }

    fn run(&self, name: &str, pipeline: &str) -> Kansoku {
        let file = kit::process::written(&self.folder(name), pipeline);
        Kansoku::ready(Kansoku::start(&mut kit::process::command(&["run", &file, "--log", "sources=info,warn"])))
    }

    pub(crate) fn start_gateway(&mut self) {
        let (brokers, topic) = (&self.brokers, &self.topic);
        let pipeline = format!(
            "admin: {{ listen: 127.0.0.1:0 }}
journal: {{ path: journal, limit: 1GiB }}
sources:
  otlp: {{ grpc: {{ listen: 127.0.0.1:0 }}, http: {{ listen: 127.0.0.1:0 }} }}
sinks:
  hop: {{ type: kafka, inputs: [otlp], brokers: ['{brokers}'], topic: {topic} }}
"
        );
        self.gateway = Some(self.run("gateway", &pipeline));
    }

    pub(crate) fn start(&mut self, member: usize) {
        let (brokers, topic, url) = (&self.brokers, &self.topic, self.next_hop.url());
        let pipeline = format!(
            "admin: {{ listen: 127.0.0.1:0 }}
sources:
  hop: {{ type: kafka, brokers: ['{brokers}'], topic: {topic}, group: {topic}, session: 6s }}
processors:
  traces: {{ type: correlate, inputs: [hop], close: {{ after_root: 2s, idle: 20s, after_first: 40s }} }}
  kept:
    type: sample
    inputs: [traces]
    rules: [{{ name: errors, when: .error, keep: 100% }}, {{ name: rest, keep: 50%, at_most: 100/s }}]
sinks:
  store: {{ inputs: [kept], path: store }}
  next: {{ type: otlp, inputs: [kept], endpoint: '{url}', protocol: http, compression: none }}
"
        );
        self.members[member] = Some(self.run(&format!("consumer-{member}"), &pipeline));
    }

    /// Those that do not run are started, so that their stores can be asked.
    pub(crate) fn start_all(&mut self) {
        (0..MEMBERS).for_each(|member| {
            if self.members[member].is_none() {
                self.start(member);
            }
        });
    }

    /// `kill -9`.
    pub(crate) fn kill(&mut self, member: usize) {
        kill(self.members[member].take().unwrap());
    }

    pub(crate) fn kill_gateway(&mut self) {
        kill(self.gateway.take().unwrap());
    }

    /// Has one end by itself.
    pub(crate) fn stop(&mut self, member: usize) {
        ends_well(self.members[member].take().unwrap());
    }

    pub(crate) fn end(mut self) {
        self.gateway.take().into_iter().chain(self.members.into_iter().flatten()).for_each(ends_well);
    }

    /// How many partitions this member has.
    pub(crate) fn partitions(&self, member: usize) -> usize {
        let Some(kansoku) = &self.members[member] else { return 0 };
        kansoku.status()["partitions"].as_array().map_or(0, Vec::len)
    }

    /// Waits until those that run have all partitions, and each has one.
    pub(crate) fn until_shared(&self) {
        let have = || (0..MEMBERS).map(|member| self.partitions(member)).collect::<Vec<_>>();
        let shared = || {
            let have = have();
            let each = have.iter().zip(&self.members).all(|(partitions, member)| member.is_none() || *partitions > 0);
            each && have.iter().sum::<usize>() == usize::try_from(PARTITIONS).unwrap()
        };
        until("every partition is read", shared, || format!("{:?}", have()));
    }
}

fn kill(kansoku: Kansoku) {
    kansoku.signal("KILL");
    assert_eq!(kansoku.ended().code, 137, "it was killed, and did not end by itself");
}

fn ends_well(kansoku: Kansoku) {
    let ended = kansoku.stop();
    assert!(ended.code == 0 && ended.err.contains("nothing was lost"), "{}", ended.err);
}
