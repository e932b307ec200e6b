//! One member that reads: what comes through, what is committed, and when.

use crate::{
    next_hop::NextHop,
    pipeline,
    topic::{Topic, Written},
};
use kit::{Kansoku, kafka::broker, until};
use std::{thread, time::Duration};

fn logs(text: &str) -> Vec<u8> {
    kit::otlp::log(text, "INFO", None)
}

#[test]
fn what_is_in_the_topic_comes_to_the_sink_and_is_committed_once_it_is_there() {
    let Some(broker) = broker() else { return };
    let (topic, next, folder) = (Topic::new(broker), NextHop::start(), tempfile::tempdir().unwrap());
    topic.write((0..40).map(|n| Topic::otlp(n % 4, "logs", logs(&format!("log {n}")))));
    next.set_down(true);
    let yaml = pipeline(&topic, "", &format!("sinks:\n  {}", next.sink("hop")));
    let kansoku = Kansoku::run(folder.path(), &yaml);
    kansoku.ask_until(&["status"], |_| (kansoku.count("hop", "logs", "in") == 40).then_some(()));
    thread::sleep(Duration::from_secs(3));
    assert!(topic.committed().iter().all(|offset| *offset <= 0), "nothing has arrived: {:?}", topic.committed());
    next.set_down(false);
    until("all arrive", || (next.came().len() == 40).then_some(()));
    topic.until_committed(&[10, 10, 10, 10]);

    // What comes goes through, too, and a restart begins where this one ended.
    topic.write([Topic::otlp(2, "logs", logs("log 40"))]);
    until("the next arrives", || next.came().contains_key("log 40").then_some(()));
    let ended = kansoku.stop();
    assert_eq!(ended.code, 0, "{}", ended.err);
    assert_eq!(topic.committed(), [10, 10, 11, 10]);
    topic.write([Topic::otlp(3, "logs", logs("log 41"))]);
    let kansoku = Kansoku::run(folder.path(), &yaml);
    until("the last arrives", || next.came().contains_key("log 41").then_some(()));
    assert!(next.came().values().all(|times| *times == 1), "{:?}", next.came());
    let status = kansoku.status();
    assert_eq!(status["partitions"].as_array().map(Vec::len), Some(4), "{status}");
    assert_eq!(kansoku.stop().code, 0);
}

#[test]
fn what_cannot_be_read_is_counted_and_holds_nothing_up() {
    let Some(broker) = broker() else { return };
    let (topic, next, folder) = (Topic::new(broker), NextHop::start(), tempfile::tempdir().unwrap());
    let nothing_says = Written { payload: logs("no header"), ..Written::default() };
    topic.write([Topic::otlp(0, "logs", b"what is this".to_vec()), nothing_says, Topic::otlp(0, "logs", logs("fine"))]);
    let yaml = pipeline(&topic, "", &format!("journal: {{ path: journal }}\nsinks:\n  {}", next.sink("hop")));
    let kansoku = Kansoku::run(folder.path(), &yaml);
    topic.until_committed(&[3, -1, -1, -1]);
    assert_eq!(next.came().keys().collect::<Vec<_>>(), ["fine"]);
    assert_eq!(kansoku.count("hop", "logs", "rejected.malformed"), 2);
    assert_eq!(kansoku.status()["dead_letters"]["letters"], 2);
    assert_eq!(kansoku.status()["lost"], 0);
    assert_eq!(kansoku.stop().code, 0);
}
