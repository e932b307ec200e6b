//! Where state lies, who holds it, and what `status` and `health` say of it.

use crate::{LISTENERS, durable, post};
use kit::{
    Kansoku, Said,
    otlp::{self, End},
    process::{command, written},
};

#[test]
fn on_a_read_only_root_it_runs_in_memory() {
    let folder = tempfile::tempdir().unwrap();
    // Nobody can write there, root included.
    let pipeline = durable().replace("path: journal", "path: /proc/kansoku/journal").replace("path: store", "path: /proc/kansoku/store");
    let file = written(folder.path(), &pipeline);
    let kansoku = Kansoku::start(&mut command(&["run", &file, "--ephemeral"])).ready();
    assert_eq!(post(&kansoku, "/v1/traces", &otlp::spans([1], End::Failed("broke"))), 200);
    let told = kansoku.ask_until(&["why", "last"], |said| (said.code == 0).then(|| said.out.clone()));
    assert!(told.contains("broke"), "{told}");
    assert_eq!(kansoku.stop().code, 0);
}

#[test]
fn a_second_start_on_the_same_state_is_told_that_it_is_held() {
    let folder = tempfile::tempdir().unwrap();
    let kansoku = Kansoku::run(folder.path(), &durable());
    let second = Said::of(&mut command(&["run", &written(folder.path(), &durable())]));
    assert_eq!(second.code, 2, "{second:?}");
    assert!(second.err.contains("journal") && second.err.contains("pipeline.yaml:1:"), "{}", second.err);
    assert!(second.err.contains("another") || second.err.contains("held"), "who has it is said: {}", second.err);
    assert_eq!(post(&kansoku, "/v1/traces", &otlp::spans([1], End::Well)), 200, "the first goes on");
}

#[test]
fn status_says_whether_anything_was_lost_and_answers_a_script_by_its_exit_code() {
    let folder = tempfile::tempdir().unwrap();
    let kansoku = Kansoku::run(folder.path(), &durable());
    assert_eq!(post(&kansoku, "/v1/traces", &otlp::spans([1], End::Well)), 200);
    let told = kansoku.ask_until(&["status"], |said| said.out.contains("1 span").then(|| said.out.clone()));
    assert!(told.contains("nothing was lost") && told.contains("otlp") && told.contains("store"), "{told}");
    assert_eq!(kansoku.ask(&["status"]).code, 0);
    assert_eq!(kansoku.ask(&["status", "--json"]).json()["lost"], 0);
    for words in [["status", "--at", "http://127.0.0.1:9"], ["health", "--at", "http://127.0.0.1:9"]] {
        let nobody = Said::of(&mut command(&words));
        assert_eq!(nobody.code, 1, "{nobody:?}");
        assert!([nobody.out, nobody.err].concat().contains("nobody answers at http://127.0.0.1:9"), "{words:?}");
    }
}

#[test]
fn status_fails_when_something_was_lost() {
    let folder = tempfile::tempdir().unwrap();
    let sources = LISTENERS.replace("otlp: {", "otlp: { acknowledge: memory,");
    // Nobody listens at port 9, and the queue may drop.
    let pipeline =
        format!("memory: 16MiB{sources}sinks:\n  next: {{ type: otlp, inputs: [otlp], endpoint: 'http://127.0.0.1:9', on_full: drop }}\n");
    let kansoku = Kansoku::run(folder.path(), &pipeline);
    let mut number = 0;
    kit::until("the queue is full and spans are dropped", || {
        let _accepted = post(&kansoku, "/v1/traces", &otlp::spans(number..number + 2_000, End::Well));
        number += 2_000;
        (kansoku.count("next", "traces", "lost.queue_full") > 0).then_some(())
    });
    let said = kansoku.ask(&["status"]);
    assert_eq!(said.code, 1, "{said:?}");
    assert!(said.out.contains("LOST") && said.out.contains("queue_full"), "{}", said.out);
}
