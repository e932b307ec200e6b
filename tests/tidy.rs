//! The house rules that a compiler does not check: rooms, headers, sizes, words, licences, generated files.
//! It reads the tree as text and proves nothing about behaviour.
#![expect(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test fails by panicking, and looks at the repository from outside")]

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    process::Command,
};

const ROOMS: [&str; 15] = [
    "config",
    "signal",
    "expression",
    "journal",
    "net",
    "pipeline",
    "sources",
    "processors",
    "store",
    "query",
    "alert",
    "sinks",
    "api",
    "convert",
    "cli",
];
const LINES_MAX: usize = 500;
const ARCHITECTURE_LINES_MAX: usize = 200;
/// The room where a mistake costs most; may only shrink.
const PIPELINE_LINES_MAX: usize = 9_470;
const PACKAGES_MAX: usize = 540;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn text(path: impl AsRef<Path>) -> String {
    std::fs::read_to_string(root().join(&path)).unwrap_or_else(|e| panic!("{}: {e}", path.as_ref().display()))
}

fn rust_files() -> Vec<(String, String)> {
    fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if path.is_dir() {
                if !name.starts_with('.') && name != "target" {
                    walk(&path, found);
                }
            } else if path.extension().is_some_and(|e| e == "rs") {
                found.push(path);
            }
        }
    }
    let mut found = Vec::new();
    walk(&root(), &mut found);
    found.sort();
    let relative = |path: PathBuf| path.strip_prefix(root()).unwrap().to_string_lossy().into_owned();
    found.into_iter().map(|path| (relative(path.clone()), std::fs::read_to_string(path).unwrap())).collect()
}

/// The rooms table of ARCHITECTURE.md: room → rooms it may use.
fn rooms_table() -> BTreeMap<String, BTreeSet<String>> {
    let architecture = text("ARCHITECTURE.md");
    let mut table: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for line in architecture.lines() {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let ["", room, uses, _, ""] = cells.as_slice() else { continue };
        if !ROOMS.contains(room) {
            continue;
        }
        let uses = if *uses == "all" { ROOMS[..14].join(", ") } else { (*uses).to_owned() };
        table.insert((*room).to_owned(), uses.split(", ").filter(|u| ROOMS.contains(u)).map(str::to_owned).collect());
    }
    table
}

#[test]
fn a_room_uses_only_the_rooms_that_the_table_allows() {
    let table = rooms_table();
    assert_eq!(table.keys().map(String::as_str).collect::<BTreeSet<_>>(), ROOMS.into_iter().collect(), "the table lists every room");
    for room in ROOMS {
        let manifest = if room == "cli" { text("Cargo.toml") } else { text(format!("{room}/Cargo.toml")) };
        let used: BTreeSet<String> = manifest
            .split("[dependencies]")
            .nth(1)
            .unwrap()
            .lines()
            .take_while(|line| !line.starts_with('['))
            .filter_map(|line| line.split(['.', ' ', '=']).next())
            .filter(|name| ROOMS.contains(name))
            .map(str::to_owned)
            .collect();
        assert_eq!(used, table[room], "{room}/Cargo.toml against the rooms table of ARCHITECTURE.md");
    }
}

#[test]
fn every_file_says_what_it_is() {
    let missing: Vec<_> = rust_files().into_iter().filter(|(_, text)| !text.starts_with("//! ")).map(|(path, _)| path).collect();
    assert!(missing.is_empty(), "files without a //! header: {missing:#?}");
}

#[test]
fn no_file_has_two_subjects_worth_of_lines() {
    let long: Vec<_> = rust_files().into_iter().map(|(path, text)| (path, text.lines().count())).filter(|(_, n)| *n > LINES_MAX).collect();
    assert!(long.is_empty(), "over {LINES_MAX} lines: {long:#?}");
    let pipeline: usize =
        rust_files().iter().filter(|(path, _)| path.starts_with("pipeline/") && !path.contains("test")).map(|(_, t)| code_lines(t)).sum();
    assert!(pipeline <= PIPELINE_LINES_MAX, "pipeline/ has {pipeline} lines of code");
    let architecture = text("ARCHITECTURE.md").lines().count();
    assert!(architecture <= ARCHITECTURE_LINES_MAX, "ARCHITECTURE.md has {architecture} lines");
}

fn code_lines(text: &str) -> usize {
    let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    code.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with("//")).count()
}

#[test]
fn nothing_is_left_to_do_and_no_lint_is_waved_through() {
    let words = [
        concat!("to", "do!("),
        concat!("unimple", "mented!("),
        concat!("#[all", "ow("),
        concat!("#![all", "ow("),
        concat!("TO", "DO"),
        concat!("FIX", "ME"),
    ];
    let mut found = Vec::new();
    for (path, text) in rust_files() {
        for (number, line) in text.lines().enumerate() {
            if words.iter().any(|word| line.contains(word)) {
                found.push(format!("{path}:{}: {}", number + 1, line.trim()));
            }
        }
    }
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn no_type_has_a_name_that_says_nothing() {
    let empty = ["Manager", "Helper", "Util", "Utils", "Common", "Wrapper", "Handler", "Misc"];
    let mut found = Vec::new();
    for (path, text) in rust_files() {
        let words = text.split(|c: char| !c.is_alphanumeric() && c != '_');
        let pairs = words.clone().zip(words.skip(1));
        let named = pairs.filter(|(before, _)| ["struct", "enum", "trait", "mod"].contains(before)).map(|(_, name)| name);
        found.extend(
            named.filter(|name| empty.iter().any(|e| name.ends_with(e) || **name == e.to_lowercase())).map(|n| format!("{path}: {n}")),
        );
    }
    assert!(found.is_empty(), "{found:?}");
}

#[test]
fn no_room_replaces_the_bans_of_the_root() {
    let own: Vec<_> = ROOMS.iter().filter(|room| root().join(room).join("clippy.toml").exists()).collect();
    assert!(own.is_empty(), "a room's clippy.toml would make the root's bans vanish there: {own:?}");
}

#[test]
fn only_the_disk_and_what_the_user_wrote_touch_files() {
    let mut found = Vec::new();
    for (path, text) in rust_files() {
        let room = path.split('/').next().unwrap_or_default();
        let excepted = ["journal/disk.rs", "journal/disk/foreign.rs", "config/document.rs"].contains(&path.as_str())
            || !ROOMS.contains(&room)
            || path.contains("test");
        let code = text.split("#[cfg(test)]").next().unwrap_or_default();
        if !excepted && code.lines().any(|line| !line.trim_start().starts_with("//") && line.contains("std::fs")) {
            found.push(path);
        }
    }
    assert!(found.is_empty(), "std::fs outside journal/disk and config/document.rs: {found:?}");
}

/// Of what is built here; a fresh clone has no other packages.
fn metadata() -> serde_json::Value {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let rustc = Command::new("rustc").arg("-vV").current_dir(root()).output().unwrap();
    let told = String::from_utf8(rustc.stdout).unwrap();
    let host = told.lines().find_map(|line| line.strip_prefix("host: ")).unwrap();
    let words = ["metadata", "--format-version=1", "--locked", "--offline", "--filter-platform", host];
    let out = Command::new(cargo).args(words).current_dir(root()).output().unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    serde_json::from_slice(&out.stdout).unwrap()
}

#[test]
fn every_package_has_a_licence_that_deny_toml_allows() {
    let deny = text("deny.toml");
    let list = deny.split("allow = [").nth(1).unwrap().split("\n]").next().unwrap();
    let allowed: BTreeSet<&str> = list.split('"').skip(1).step_by(2).collect();
    let metadata = metadata();
    let packages = metadata["packages"].as_array().unwrap();
    let mut wrong = Vec::new();
    for package in packages {
        let licence = package["license"].as_str().unwrap_or("none").replace('/', " OR ");
        let fine = |one: &str| one.replace(['(', ')'], "").split(" AND ").all(|l| allowed.contains(l.trim()));
        if !licence.split(" OR ").any(fine)
            && !licence.replace(['(', ')'], "").split([' ']).filter(|w| !["OR", "AND"].contains(w)).all(|l| allowed.contains(l))
        {
            wrong.push(format!("{}: {licence}", package["name"]));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(packages.len() <= PACKAGES_MAX, "{} packages locked, the budget is {PACKAGES_MAX}", packages.len());
}

/// Versions below which an advisory of RustSec is open, and crates that must not come in at all.
#[test]
fn no_package_has_an_open_advisory() {
    let least = [
        ("bytes", "1.11.1"),
        ("h2", "0.4.16"),
        ("tonic", "0.12.3"),
        ("lru", "0.18.2"),
        ("time", "0.3.47"),
        ("memmap2", "0.9.11"),
        ("crossbeam-channel", "0.5.15"),
        ("rustls", "0.23.18"),
        ("rustls-webpki", "0.103.13"),
        ("tracing-subscriber", "0.3.20"),
    ];
    let banned = ["serde_yml", "bincode", "yaml-rust", "rustls-pemfile", "atty", "aws-lc-sys"];
    let lock = text("Cargo.lock");
    let number = |version: &str| version.split(['.', '-', '+']).map(|n| n.parse::<u64>().unwrap_or(0)).take(3).collect::<Vec<_>>();
    let mut wrong = Vec::new();
    for package in lock.split("[[package]]").skip(1) {
        let field =
            |name: &str| package.lines().find_map(|l| l.strip_prefix(&format!("{name} = \""))?.strip_suffix('"')).unwrap_or_default();
        let (name, version) = (field("name"), field("version"));
        let old = least.iter().any(|(n, least)| *n == name && number(version) < number(least));
        // rustls is the one TLS of ours; librdkafka brings its own.
        let uses_openssl = name != "rdkafka-sys" && package.contains("\n \"openssl-sys\"");
        if old || banned.contains(&name) || uses_openssl {
            wrong.push(format!("{name} {version}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:?}");
}

/// Relative links of the pages that people start from.
#[test]
fn every_link_in_the_docs_leads_somewhere() {
    let mut pages = vec!["README.md".to_owned(), "ARCHITECTURE.md".to_owned(), "deploy/README.md".to_owned()];
    for folder in ["config/reference", "tests/golden"] {
        let entries = std::fs::read_dir(root().join(folder)).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        pages.extend(entries.filter(|name| name.ends_with(".md")).map(|name| format!("{folder}/{name}")));
    }
    let mut dead = Vec::new();
    for page in pages {
        let folder = root().join(&page).parent().unwrap().to_owned();
        for link in text(&page).split("](").skip(1).filter_map(|rest| rest.split_once(')').map(|(link, _)| link.to_owned())) {
            let path = link.split('#').next().unwrap_or_default();
            if !link.contains("://") && !path.is_empty() && !folder.join(path).exists() {
                dead.push(format!("{page}: {link}"));
            }
        }
    }
    assert!(dead.is_empty(), "{dead:#?}");
}
