//! config/reference/ is made of the code: every component's page from its config struct, the fields of conditions, reasons, metrics, the JSON schema.
//! `KANSOKU_FIX=1` writes it; otherwise it is compared. What a page says in words is the doc comment, and nobody checks that but its reader.
#![expect(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test fails by panicking, and looks at the repository from outside")]

mod component;
mod lists;
mod schema;

use pipeline::{Entry, Kind};
use serde_json::Value;
use std::{collections::BTreeMap, path::PathBuf, process::Command};

const CATALOGUE: [&[Entry]; 3] = [sources::ALL, processors::ALL, sinks::ALL];

fn entries() -> impl Iterator<Item = &'static Entry> {
    CATALOGUE.into_iter().flatten()
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("config/reference")
}

/// What `kansoku schema` prints.
fn printed_schema() -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_kansoku")).arg("schema").output().unwrap();
    String::from_utf8(output.stdout).unwrap()
}

fn page_name(entry: &Entry) -> String {
    format!("{}s.{}.md", entry.kind.word(), entry.type_name)
}

/// Every file of the folder.
fn generated() -> BTreeMap<String, String> {
    let printed = printed_schema();
    let whole: Value = serde_json::from_str(&printed).unwrap();
    let mut files: BTreeMap<String, String> = entries().map(|entry| (page_name(entry), component::page(entry))).collect();
    files.insert("README.md".to_owned(), index());
    files.insert("settings.md".to_owned(), component::settings(&whole));
    files.insert("rules.md".to_owned(), component::rules());
    files.insert("fields.md".to_owned(), lists::fields());
    files.insert("ledger.md".to_owned(), lists::ledger());
    files.insert("schema.json".to_owned(), printed);
    files
}

fn index() -> String {
    let mut page =
        "# Reference\n\nMade of the code by `./check --fix`; for recipes see [the cookbook](../../tests/golden/README.md).\n".to_owned();
    for (kind, heading) in [(Kind::Source, "Sources"), (Kind::Processor, "Processors"), (Kind::Sink, "Sinks")] {
        page.push_str(&format!("\n## {heading}\n\n"));
        for entry in entries().filter(|entry| entry.kind == kind) {
            let schema = (entry.schema)().to_value();
            page.push_str(&format!("- [`{}`]({}): {}\n", entry.type_name, page_name(entry), schema::description(&schema)));
        }
    }
    page.push_str(
        "\n## The rest\n\n\
         - [Settings](settings.md) at the top of a file, and the keys that every node has\n\
         - [Rule files](rules.md) of alerts\n\
         - [Fields](fields.md) that conditions ask and programs write\n\
         - [The ledger](ledger.md): reasons and metrics\n\
         - [schema.json](schema.json) for editors: `# yaml-language-server: $schema=…` on the first line; `kansoku schema` prints it\n",
    );
    page
}

#[test]
fn generated_files_are_up_to_date() {
    let generated = generated();
    if std::env::var_os("KANSOKU_FIX").is_some() {
        std::fs::create_dir_all(folder()).unwrap();
        generated.iter().for_each(|(name, text)| std::fs::write(folder().join(name), text).unwrap());
    }
    let stale: Vec<&String> = generated
        .iter()
        .filter(|(name, text)| std::fs::read_to_string(folder().join(name)).ok().as_ref() != Some(text))
        .map(|(n, _)| n)
        .collect();
    assert!(stale.is_empty(), "not what the code says: {stale:?}; `./check --fix` writes them");
    let entries = std::fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let unknown: Vec<String> = entries.filter(|name| !generated.contains_key(name)).collect();
    assert!(unknown.is_empty(), "nothing makes these: {unknown:?}");
}

#[test]
fn every_key_of_a_pipeline_file_is_described() {
    let whole: Value = serde_json::from_str(&printed_schema()).unwrap();
    let bare = schema::undescribed(&whole, "");
    assert!(bare.is_empty(), "keys without a doc comment: {bare:#?}");
}
