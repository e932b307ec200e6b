//! A backend that is down, and one that refuses: what waits for it spills and survives kill -9, what it refuses can be listed and sent again.

use crate::{LISTENERS, post};
use kit::{Kansoku, Said, otlp, process::command, until};
use parking_lot::Mutex;
use std::{path::Path, sync::Arc};

/// An OTLP/HTTP server that answers as it is told, and keeps what it said yes to.
#[derive(Clone)]
struct Backend(Arc<Mutex<(u16, Vec<u8>)>>);

impl Backend {
    fn start(status: u16) -> (Backend, String) {
        let backend = Backend(Arc::new(Mutex::new((status, Vec::new()))));
        let told = backend.clone();
        let at = kit::http::serve(move |_, body| {
            let mut told = told.0.lock();
            if told.0 == 200 {
                told.1.extend(body);
            }
            told.0
        });
        (backend, format!("http://{at}"))
    }

    fn answers(&self, status: u16) {
        self.0.lock().0 = status;
    }

    fn has(&self, text: &str) -> usize {
        self.0.lock().1.windows(text.len()).filter(|window| *window == text.as_bytes()).count()
    }
}

fn pipeline(url: &str) -> String {
    format!(
        "journal: {{ path: journal, limit: 64MiB }}{LISTENERS}sinks:
  vendor: {{ type: otlp, inputs: [otlp], endpoint: '{url}', protocol: http, delivery: {{ spill_after: 100ms }} }}
"
    )
}

fn letters(folder: &Path) -> Vec<serde_json::Value> {
    let said = Said::of(command(&["dead-letters", "ls", "pipeline.yaml", "--json"]).current_dir(folder)).fine();
    said.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn what_waits_for_a_backend_spills_survives_kill_9_and_arrives() {
    let (folder, (backend, url)) = (tempfile::tempdir().unwrap(), Backend::start(503));
    let kansoku = Kansoku::run(folder.path(), &pipeline(&url));
    for number in 0..5 {
        assert_eq!(post(&kansoku, "/v1/logs", &otlp::log(&format!("waits {number}"), "INFO", None)), 200);
    }
    kansoku.ask_until(&["status", "--json"], |said| {
        let status: serde_json::Value = serde_json::from_str(&said.out).ok()?;
        (status["sinks"][0]["spill"]["spilling"] == true && status["journal"]["unsettled"] == 0).then_some(())
    });
    let told = kansoku.ask(&["status"]).out;
    assert!(told.contains("on disk, the oldest for"), "{told}");
    kansoku.signal("KILL");
    let _killed = kansoku.ended();
    let kansoku = Kansoku::run(folder.path(), &pipeline(&url));
    until("what was held before is held", || (kansoku.count("vendor", "logs", "in") >= 5).then_some(()));
    backend.answers(200);
    until("all arrived", || (0..5).all(|number| backend.has(&format!("waits {number}")) > 0).then_some(()));
    assert!(kansoku.stop().err.contains("nothing was lost"));
}

#[test]
fn what_a_backend_refuses_is_listed_and_sent_again() {
    let (folder, (backend, url)) = (tempfile::tempdir().unwrap(), Backend::start(400));
    let kansoku = Kansoku::run(folder.path(), &pipeline(&url));
    assert!(letters(folder.path()).is_empty());
    assert_eq!(post(&kansoku, "/v1/logs", &otlp::log("refused for now", "INFO", None)), 200);
    let found = until("it is a dead letter", || letters(folder.path()).pop());
    assert_eq!((&found["node"], &found["reason"], &found["logs"]), (&"vendor".into(), &"refused".into(), &1.into()));
    assert_eq!(found["why"], "HTTP 400 Bad Request");
    let listed = Said::of(command(&["dead-letters", "ls", "pipeline.yaml"]).current_dir(folder.path())).fine();
    assert!(listed.contains("1 dead letter with 1 record") && listed.contains("HTTP 400"), "{listed}");
    assert!(kansoku.ask(&["status"]).out.contains("1 letter with 1 record"));
    backend.answers(200);
    assert_eq!(kansoku.ask(&["dead-letters", "retry", "--node", "vendor"]).fine(), "sent again: 1 dead letter with 1 record\n");
    until("it arrived", || (backend.has("refused for now") == 1).then_some(()));
    until("it is gone", || letters(folder.path()).is_empty().then_some(()));
    assert_eq!(kansoku.ask(&["dead-letters", "retry"]).fine(), "nothing was sent again\n");
    assert!(kansoku.stop().err.contains("nothing was lost"));
}
