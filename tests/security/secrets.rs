//! Secrets from the environment are nowhere in what anybody can read: faults, graphs, states, metrics, answers of the API, what a reload says, the log down to its traces.

use kit::{
    Kansoku, Said, http,
    otlp::{self, End},
    process::{command, written},
    until,
};
use std::{path::Path, process::Command};

/// Each with the word `hidden` in it.
const SECRETS: [(&str, &str); 8] = [
    ("ADMIN", "hidden-admin"),
    ("TOKEN", "hidden-token"),
    ("PASSWORD", "hidden-password"),
    ("HEADER", "hidden-header"),
    ("BEARER", "hidden-bearer"),
    ("HOOK", "http://127.0.0.1:1/services/hidden-hook"),
    ("NEXT", "http://shop:hidden-next@127.0.0.1:1"),
    ("OTHER", "hidden-other"),
];
const RULES: &str = "
groups:
  - name: all
    rules: [{ alert: Spans, when: '.name != \"\"' }]
";

fn pipeline(header: &str) -> String {
    format!(
        "
drain: 1s
journal: {{ path: journal }}
admin: {{ listen: 127.0.0.1:0, token: '${{env:ADMIN}}' }}
sources:
  otlp:
    grpc: {{ listen: 127.0.0.1:0, auth: {{ bearer: '${{env:TOKEN}}' }} }}
    http: {{ listen: 127.0.0.1:0, auth: {{ basic: {{ user: shop, password: '${{env:PASSWORD}}' }} }} }}
sinks:
  next: {{ type: otlp, inputs: [otlp], endpoint: 'http://127.0.0.1:1', headers: {{ x-key: '${{env:{header}}}' }}, auth: {{ bearer: '${{env:BEARER}}' }} }}
  more: {{ type: otlp, inputs: [otlp], protocol: http, endpoint: 'http://127.0.0.1:1', headers: {{ x-key: '${{env:{header}}}' }} }}
  alerts: {{ type: alert, inputs: [otlp], rules: [rules.yaml], notify: {{ webhook: '${{env:HOOK}}' }} }}
"
    )
}

fn knowing(words: &[&str]) -> Command {
    let mut command = command(words);
    command.envs(SECRETS);
    command
}

#[track_caller]
fn hides(what: &str, said: &str) {
    let line = said.lines().find(|line| line.contains("hidden") || line.contains("aGlkZGVu"));
    assert!(line.is_none(), "{what} shows a secret: {}", line.unwrap_or_default());
}

#[track_caller]
fn hides_all(what: &str, said: &Said) {
    hides(what, &said.out);
    hides(what, &said.err);
}

#[expect(clippy::disallowed_methods, reason = "a test writes what the user would")]
fn rules(folder: &Path) {
    std::fs::write(folder.join("rules.yaml"), RULES).unwrap();
}

#[test]
fn no_command_shows_a_secret_of_a_file_be_it_right_or_wrong() {
    let folder = tempfile::tempdir().unwrap();
    rules(folder.path());
    let file = written(folder.path(), &pipeline("HEADER"));
    for words in [&["check", &file][..], &["check", &file, "--json"], &["graph", &file], &["graph", &file, "--format", "dot"], &["schema"]]
    {
        let said = Said::of(&mut knowing(words));
        assert_eq!(said.code, 0, "{words:?}: {said:?}");
        hides_all(&words.join(" "), &said);
    }
    // A secret in the place of each value, with what makes it wrong there.
    let wrongs = [
        ("endpoint: 'http://127.0.0.1:1', headers", "endpoint: '${env:NEXT}:port', headers"),
        ("endpoint: 'http://127.0.0.1:1', headers", "endpoint: '${env:OTHER}', headers"),
        ("webhook: '${env:HOOK}'", "webhook: '${env:OTHER}'"),
        ("x-key: '${env:HEADER}'", "x-key: \"${env:OTHER}\\n\""),
        ("bearer: '${env:TOKEN}'", "bearer: ['${env:OTHER}']"),
        ("token: '${env:ADMIN}'", "token: [\"${env:OTHER}\"]"),
        ("user: shop, password: '${env:PASSWORD}'", "user: 'a:${env:OTHER}', password: x"),
    ];
    for (right, wrong) in wrongs {
        let file = written(folder.path(), &pipeline("HEADER").replacen(right, wrong, 1));
        for words in [&["check", &file][..], &["check", &file, "--json"], &["run", &file]] {
            let said = Said::of(&mut knowing(words));
            assert!(said.code != 0, "{wrong} is not wrong: {said:?}");
            hides_all(&format!("{words:?} of {wrong}"), &said);
        }
    }
}

#[test]
fn nothing_that_a_running_one_says_has_a_secret_in_it() {
    let folder = tempfile::tempdir().unwrap();
    rules(folder.path());
    let file = written(folder.path(), &pipeline("HEADER"));
    let kansoku = Kansoku::start(&mut knowing(&["run", &file, "--log", "trace"]));
    until("the admin port is said", || kansoku.said().contains("metrics on http://").then_some(()));
    let basic = [("authorization", "Basic c2hvcDpoaWRkZW4tcGFzc3dvcmQ="), ("content-type", "application/x-protobuf")];
    let sent = http::send(kansoku.http(), "POST", "/v1/traces", &basic, &otlp::spans([1, 2], End::Well));
    assert_eq!(sent.status, 200, "{}", sent.text());
    hides("the answer to wrong credentials", &http::post(kansoku.http(), "/v1/traces", "application/x-protobuf", b"").text());
    let bearer = [("authorization", "Bearer hidden-admin")];
    let asked = |path: &str| http::send(kansoku.admin(), "GET", path, &bearer, b"").text();
    until("both sinks have failed and a notice, too", || {
        let status = asked("/api/v1/status");
        (status.matches("\"failing_since\":1").count() >= 2 && kansoku.said().contains("alert")).then_some(())
    });
    for path in ["/", "/metrics", "/api/v1/status", "/api/v1/alerts", "/livez", "/readyz", "/nowhere"] {
        hides(path, &asked(path));
    }
    let at = format!("http://{}", kansoku.admin());
    for words in [&["status"][..], &["status", "--json"], &["dead-letters", "retry"], &["query", "alerts"]] {
        let mut command = knowing(&[words, &["--at", &at]].concat());
        hides_all(&words.join(" "), &Said::of(command.env("KANSOKU_TOKEN", "hidden-admin")));
    }
    let _file = written(folder.path(), &pipeline("OTHER"));
    kansoku.signal("HUP");
    until("the reload is said", || kansoku.said().contains("reloaded: ").then_some(()));
    assert!(kansoku.said().contains("~next.headers.x-key"), "{}", kansoku.said());
    let _file = written(folder.path(), &pipeline("OTHER").replacen("endpoint: 'http", "endpoint: '${env:OTHER}http", 1));
    kansoku.signal("HUP");
    until("the fault is said", || kansoku.said().contains("nothing was changed").then_some(()));
    let ended = kansoku.stop();
    hides("what it said at the level of traces", &ended.err);
    hides("what it printed", &ended.out);
}
