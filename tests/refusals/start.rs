//! What keeps kansoku from starting: said once, at its place in the file, with what to set; exit code 2.

use kit::{
    Said,
    process::{command, written},
};
use std::{net::TcpListener, path::Path};

/// Runs a pipeline that cannot start, and returns what it says on stderr.
fn refused(folder: &Path, pipeline: &str) -> String {
    let said = Said::of(&mut command(&["run", &written(folder, pipeline)]));
    assert_eq!(said.code, 2, "{said:?}");
    assert_eq!(said.err.matches("--> ").count(), 1, "one error is said once:\n{}", said.err);
    said.err
}

fn says(text: &str, words: &[&str]) {
    for word in words {
        assert!(text.contains(word), "`{word}` is not in:\n{text}");
    }
}

#[test]
fn a_port_in_use_is_said_with_the_key_to_set() {
    let folder = tempfile::tempdir().unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let pipeline = format!(
        "admin: {{ listen: 127.0.0.1:0 }}
sources:
  otlp:
    grpc: {{ listen: {address} }}
    http: {{ listen: 127.0.0.1:0 }}
sinks:
  out: {{ type: debug, inputs: [otlp] }}
"
    );
    says(&refused(folder.path(), &pipeline), &[&format!("{address} is in use"), "set sources.otlp.grpc.listen", "pipeline.yaml:4:"]);
    let pipeline = pipeline
        .replace(&address.to_string(), "127.0.0.1:0")
        .replace("admin: { listen: 127.0.0.1:0 }", &format!("admin: {{ listen: {address} }}"));
    says(&refused(folder.path(), &pipeline), &[&format!("{address} is in use"), "admin.listen", "pipeline.yaml:1:"]);
}

#[test]
fn a_path_that_cannot_be_written_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let pipeline = |journal: &str, store: &str| {
        format!(
            "journal: {{ path: {journal} }}
admin: {{ listen: 127.0.0.1:0 }}
sources:
  otlp: {{ grpc: {{ listen: 127.0.0.1:0 }}, http: {{ listen: 127.0.0.1:0 }} }}
sinks:
  store: {{ inputs: [otlp], path: {store} }}
"
        )
    };
    // Not even root can write there.
    says(
        &refused(folder.path(), &pipeline("/proc/kansoku/journal", "store")),
        &["/proc/kansoku/journal", "set journal.path", "pipeline.yaml:1:"],
    );
    says(
        &refused(folder.path(), &pipeline("journal", "/proc/kansoku/store")),
        &["/proc/kansoku/store", "set sinks.store.path", "pipeline.yaml:6:"],
    );
}

#[test]
fn a_script_with_a_mistake_is_shown_within_its_line_of_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let pipeline = "admin: { listen: 127.0.0.1:0 }
sources:
  otlp: { grpc: { listen: 127.0.0.1:0 }, http: { listen: 127.0.0.1:0 } }
processors:
  tidy:
    type: transform
    inputs: [otlp]
    vrl: |
      .attributes.a = 1
      .attributes.b = upcase(.name, 5, 6)
sinks:
  out: { type: debug, inputs: [tidy] }
";
    let said = refused(folder.path(), pipeline);
    says(&said, &["pipeline.yaml:10:", ".attributes.b = upcase(.name, 5, 6)", "^"]);
    let checked = Said::of(&mut command(&["check", &written(folder.path(), pipeline)]));
    assert_eq!((checked.code, checked.err), (2, said), "`check` says the same");
}

#[test]
fn a_condition_with_a_mistake_is_shown_within_its_line_of_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let pipeline = "admin: { listen: 127.0.0.1:0 }
sources:
  otlp: { grpc: { listen: 127.0.0.1:0 }, http: { listen: 127.0.0.1:0 } }
processors:
  some: { type: filter, inputs: [otlp], drop: '.duraton_ms > 5' }
sinks:
  out: { type: debug, inputs: [some] }
";
    says(&refused(folder.path(), pipeline), &["`duraton_ms`", "did you mean `duration_ms`?", "pipeline.yaml:5:"]);
}

#[test]
fn a_file_that_is_not_there_is_said() {
    let said = Said::of(&mut command(&["run", "/nowhere/pipeline.yaml"]));
    assert_eq!(said.code, 2, "{said:?}");
    says(&said.err, &["/nowhere/pipeline.yaml"]);
}

#[test]
fn a_program_that_cannot_start_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let pipeline = "admin: { listen: 127.0.0.1:0 }
sources:
  otlp: { grpc: { listen: 127.0.0.1:0 }, http: { listen: 127.0.0.1:0 } }
sinks:
  out: { type: debug, inputs: [otlp] }
";
    let said = Said::of(&mut command(&["run", &written(folder.path(), pipeline), "--", "/nowhere/program"]));
    assert_eq!(said.code, 2, "{said:?}");
    says(&said.err, &["/nowhere/program"]);
}
