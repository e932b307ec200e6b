//! What does not fit into the memory set aside is refused before it is read, with a time to retry.

use super::parts::Trial;
use crate::intake::Refused;
use std::{path::Path, time::Duration};

const PLAIN: &str = "
memory: 16MiB
sources: { in: feed }
sinks: { out: { type: probe, inputs: [in] } }
";

#[tokio::test(start_paused = true)]
async fn a_request_over_the_intake_share_is_told_to_come_back_and_leaves_nothing_behind() {
    let trial = Trial::start(PLAIN, Path::new("/")).await;
    match trial.send(&[&"a".repeat(4 << 20)]).await {
        Err(Refused::Busy(busy)) => assert!(busy.after > Duration::ZERO && busy.what.contains("memory"), "{busy:?}"),
        other => panic!("{other:?}"),
    }
    assert_eq!(trial.running.status().memory.intake, 0);
    trial.send(&["fits"]).await.unwrap();
    assert_eq!(trial.seen("out"), ["fits"]);
    assert_eq!(trial.running.status().memory.intake, 0, "it was given back when the lane had it");
    trial.drain().await;
}
