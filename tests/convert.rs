//! Configurations of Collectors become pipelines that `kansoku check` takes, and what does not is said with its place: for each file of tests/data/otelcol there is
//! what becomes of it beside it. `KANSOKU_FIX=1` writes that anew. That a converted pipeline does what the Collector did is for tests/golden/collector.rs.
#![expect(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test fails by panicking, and looks at the repository from outside")]

use kit::{Said, process, repository};
use std::path::PathBuf;

const OURS: &str = ".kansoku.yaml";

fn theirs() -> Vec<PathBuf> {
    let entries = std::fs::read_dir(repository("tests/data/otelcol")).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<PathBuf> =
        entries.filter(|path| path.extension().is_some_and(|e| e == "yaml") && !path.to_string_lossy().ends_with(OURS)).collect();
    files.sort();
    assert!(files.len() > 5);
    files
}

fn converted(file: &str) -> Said {
    let mut command = process::command(&["convert", "otelcol", file]);
    command.current_dir(repository(""));
    Said::of(&mut command)
}

#[test]
fn what_a_collector_does_is_converted_or_said() {
    let fix = std::env::var_os("KANSOKU_FIX").is_some();
    for path in theirs() {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let said = converted(&format!("tests/data/otelcol/{name}"));
        assert_eq!(said.code, i32::from(said.out.contains("# Left out:")), "{name}: {}", said.err);
        let told = path.with_file_name(name.replace(".yaml", OURS));
        if fix {
            std::fs::write(&told, &said.out).unwrap();
        }
        assert_eq!(said.out, std::fs::read_to_string(&told).unwrap_or_default(), "{name}; KANSOKU_FIX=1 writes it anew");
    }
}

#[test]
fn what_was_converted_passes_the_check() {
    let folder = tempfile::tempdir().unwrap();
    let authority = kit::tls::Authority::new(folder.path(), "ca");
    let identity = authority.issue("tls");
    for path in theirs() {
        let said = converted(&path.to_string_lossy());
        let [ca, cert, key] = [&authority.ca, &identity.cert, &identity.key].map(|path| path.to_string_lossy());
        let text = said.out.replace("/etc/tls/ca.crt", &ca).replace("/etc/tls/tls.crt", &cert).replace("/etc/tls/tls.key", &key);
        let file = process::written(folder.path(), &text);
        let mut check = process::command(&["check", &file]);
        for name in ["CLUSTER", "VENDOR_KEY"] {
            check.env(name, "it");
        }
        check.env("MY_POD_IP", "127.0.0.1");
        let checked = Said::of(&mut check);
        assert_eq!(checked.code, 0, "{}:\n{}\n{}", path.display(), checked.err, text);
    }
}

#[test]
fn what_is_no_configuration_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let file = process::written(folder.path(), "receivers: { otlp: }\n");
    let said = converted(&file);
    assert_eq!((said.code, said.out.as_str()), (1, ""));
    assert!(said.err.contains("there are no `service.pipelines`"), "{}", said.err);
    assert_eq!(converted("/not/there.yaml").code, 2);
    assert_eq!(converted(&process::written(folder.path(), "a: [")).code, 2);
}
