//! Alerts over kill -9: a rule fires once whatever ends in between, its counts are exact, and its end is told.

use crate::{LISTENERS, post};
use kit::{Kansoku, Webhook, otlp};
use serde_json::Value;
use std::{path::Path, thread, time::Duration};

const KILLS: u64 = 3;
const A_LIFE: u64 = 7;
const RULES: &str = "groups: [{ name: g, rules: [
  { alert: many, of: logs, when: '.severity_number >= 17', window: 10m, count: 5 },
  { alert: few, of: logs, when: '.severity_number >= 17', window: 12s, count: 3 },
] }]";
/// The rule's window; the alert ends that long after the last log.
const WINDOW: Duration = Duration::from_secs(12);

fn pipeline(hook: &str) -> String {
    format!(
        "journal: {{ path: journal, limit: 256MiB }}{LISTENERS}
sinks:
  alerts: {{ type: alert, inputs: [otlp.logs], rules: [rules.yaml], notify: {{ webhook: '{hook}' }} }}
"
    )
}

#[expect(clippy::disallowed_methods, reason = "what a user writes")]
fn rules(folder: &Path, text: &str) {
    std::fs::write(folder.join("rules.yaml"), text).unwrap();
}

fn told(hook: &Webhook, name: &str) -> Vec<String> {
    let all = hook.all();
    let alerts = all.iter().flat_map(|notice| notice["alerts"].as_array().unwrap());
    alerts.filter(|alert| alert["labels"]["alertname"] == name).map(|alert| alert["status"].as_str().unwrap().to_owned()).collect()
}

fn value(kansoku: &Kansoku, name: &str) -> Option<f64> {
    let alerts = kit::http::get(kansoku.admin(), "/api/v1/alerts").json();
    let active = alerts["active"].as_array()?.iter().find(|alert: &&Value| alert["name"] == name)?.clone();
    active["value"].as_f64()
}

#[test]
fn over_three_kills_an_alert_fires_once_counts_exactly_and_ends_once() {
    let (folder, hook) = (tempfile::tempdir().unwrap(), Webhook::start());
    rules(folder.path(), RULES);
    for life in 0..KILLS {
        let kansoku = Kansoku::run(folder.path(), &pipeline(hook.url()));
        for n in 0..A_LIFE {
            assert_eq!(post(&kansoku, "/v1/logs", &otlp::log(&format!("{life} {n}"), "ERROR", None)), 200);
        }
        if life == 0 {
            hook.told("it fires", |notice| {
                (notice["status"] == "firing" && notice["alerts"][0]["labels"]["alertname"] == "few").then_some(())
            });
            hook.told("and the other", |notice| (notice["alerts"][0]["labels"]["alertname"] == "many").then_some(()));
            // That they were told is on disk a moment later; killed before, they would be told again.
            thread::sleep(Duration::from_secs(2));
            assert_eq!(post(&kansoku, "/v1/logs", &otlp::log("the last of this life", "ERROR", None)), 200);
        }
        // Right after a yes: some of it is in no checkpoint yet.
        kansoku.signal("KILL");
        assert_eq!(kansoku.ended().code, 137);
    }
    let kansoku = Kansoku::run(folder.path(), &pipeline(hook.url()));
    let sent = (KILLS * A_LIFE + 1) as f64;
    kit::until("everything that got a yes is counted", || (value(&kansoku, "many") == Some(sent)).then_some(()));
    kit::until("the first ends", || (value(&kansoku, "few").is_none()).then_some(()));
    assert_eq!(value(&kansoku, "many"), Some(sent), "nothing is counted twice");
    hook.told("its end is told", |notice| (notice["status"] == "resolved").then_some(()));
    thread::sleep(WINDOW / 4);
    assert_eq!((told(&hook, "few"), told(&hook, "many")), (vec!["firing".to_owned(), "resolved".to_owned()], vec!["firing".to_owned()]));
    let ended = kansoku.stop();
    assert!(ended.code == 0 && ended.err.contains("nothing was lost"), "{}", ended.err);
}

#[test]
fn a_reload_goes_on_with_what_counts_the_same_and_ends_the_rest() {
    let (folder, hook) = (tempfile::tempdir().unwrap(), Webhook::start());
    rules(folder.path(), RULES);
    let kansoku = Kansoku::run(folder.path(), &pipeline(hook.url()));
    for n in 0..A_LIFE {
        assert_eq!(post(&kansoku, "/v1/logs", &otlp::log(&format!("{n}"), "ERROR", None)), 200);
    }
    for name in ["few", "many"] {
        hook.told("it fires", |notice| (notice["alerts"][0]["labels"]["alertname"] == name).then_some(()));
    }
    // One has another threshold, the other another condition.
    rules(
        folder.path(),
        &RULES.replace("count: 5", "count: 6").replace("'.severity_number >= 17', window: 12s", "'.severity_number >= 21', window: 12s"),
    );
    kansoku.signal("HUP");
    hook.told("what is no longer counted ends", |notice| (notice["status"] == "resolved").then_some(()));
    assert_eq!(post(&kansoku, "/v1/logs", &otlp::log("one more", "ERROR", None)), 200);
    kit::until("the rest goes on", || (value(&kansoku, "many") == Some((A_LIFE + 1) as f64)).then_some(()));
    assert_eq!((told(&hook, "few"), told(&hook, "many")), (vec!["firing".to_owned(), "resolved".to_owned()], vec!["firing".to_owned()]));
    assert_eq!(kansoku.stop().code, 0);
}
