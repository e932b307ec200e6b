//! The quick form, for machines without Java: librdkafka's own mock of a cluster in the place of a broker. It knows groups and commits, and nothing of what a real broker
//! does when it is killed.

use crate::{next_hop::NextHop, pipeline, topic::Topic};
use kit::{Kansoku, until};
use rdkafka::mocking::MockCluster;

fn logs(text: &str) -> Vec<u8> {
    kit::otlp::log(text, "INFO", None)
}

#[test]
fn what_a_mocked_cluster_has_comes_through_once_and_is_committed() {
    let cluster = MockCluster::new(1).unwrap();
    let (topic, next, folder) = (Topic::at(cluster.bootstrap_servers()), NextHop::start(), tempfile::tempdir().unwrap());
    topic.write((0..40).map(|n| Topic::otlp(n % 4, "logs", logs(&format!("log {n}")))));
    let yaml = pipeline(&topic, "", &format!("sinks:\n  {}", next.sink("hop")));
    let kansoku = Kansoku::run(folder.path(), &yaml);
    until("all arrive", || (next.came().len() == 40).then_some(()));
    topic.until_committed(&[10, 10, 10, 10]);
    let ended = kansoku.stop();
    assert_eq!(ended.code, 0, "{}", ended.err);

    // A restart begins where this one ended.
    topic.write([Topic::otlp(2, "logs", logs("log 40"))]);
    let kansoku = Kansoku::run(folder.path(), &yaml);
    until("the next arrives", || next.came().contains_key("log 40").then_some(()));
    assert!(next.came().values().all(|times| *times == 1), "{:?}", next.came());
    assert_eq!(kansoku.stop().code, 0);
}
