//! What a Collector does, and whether its file, converted, does the same: pages of tests/data/otelcol/same with the Collector's processors and pipelines, what comes in, and what the
//! Collector lets out, from its documentation. `KANSOKU_FIX` leaves these pages alone: what comes out there is not ours to say.

use crate::story;
use config::Document;
use convert::Offers;
use pipeline::Entry;
use std::path::{Path, PathBuf};

const OF_A_COLLECTOR: &str = "collector";

fn pages() -> Vec<PathBuf> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data/otelcol/same");
    let mut pages: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    pages.sort();
    assert!(pages.len() >= 5);
    pages
}

/// The fenced blocks of a page, by their word, with the line that each begins on.
fn blocks(text: &str) -> Vec<(String, usize, String)> {
    let (mut found, mut lines) = (Vec::new(), text.lines().enumerate());
    while let Some((at, line)) = lines.next() {
        if let Some(word) = line.strip_prefix("```") {
            let body: Vec<&str> = lines.by_ref().map(|(_, line)| line).take_while(|line| *line != "```").collect();
            found.push((word.to_owned(), at + 1, body.join("\n")));
        }
    }
    found
}

/// Processors and pipelines of a Collector as a pipeline of ours that a story can be told with.
fn converted(collector: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("collector.yaml");
    std::fs::write(&file, format!("receivers: {{ otlp: {{ protocols: {{ grpc: , http: }} }} }}\nexporters: {{ debug: }}\n{collector}\n"))
        .unwrap();
    let document = Document::as_written(&file).unwrap_or_else(|(_, faults)| panic!("{faults:?}"));
    let types = |entries: &[Entry]| entries.iter().map(|entry| entry.type_name).collect::<Vec<_>>();
    let [sources, processors, sinks] = [sources::ALL, processors::ALL, sinks::ALL].map(types);
    let converted = convert::otelcol(&document, Offers { sources: &sources, processors: &processors, sinks: &sinks });
    assert!(converted.is_whole(), "{:?}", converted.said);
    converted.yaml.unwrap()
}

/// The records among what a story tells, in no order.
fn records(told: &str, is_told_by_us: bool) -> Vec<String> {
    let record = |line: &str| {
        let at = ["span ", "log ", "point "].iter().filter_map(|word| line.find(word)).min()?;
        let is_first = line[..at].trim().is_empty() || line[..at].trim().starts_with('+') || line[..at].trim() == "end";
        is_first.then(|| line[at..].trim_end().to_owned())
    };
    let mut records: Vec<String> = told.lines().filter_map(record).collect();
    if is_told_by_us {
        records.iter_mut().for_each(|line| *line = without_ours(line));
    }
    records.sort();
    records
}

/// Without what only we write: the rule that kept a trace, and a threshold where chance was not asked.
fn without_ours(line: &str) -> String {
    let is_ours = |word: &str| word.starts_with("sampling.rule=") || word == "tracestate=ot=th:0";
    line.split(' ').filter(|word| !is_ours(word)).map(|word| word.strip_suffix(",ot=th:0").unwrap_or(word)).collect::<Vec<_>>().join(" ")
}

fn tell(page: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(page).unwrap();
    let (mut pipeline, mut steps, mut wrong, mut told) = (String::new(), String::new(), Vec::new(), 0);
    for (word, line, body) in blocks(&text) {
        match word.as_str() {
            OF_A_COLLECTOR => pipeline = converted(&body),
            "in" => steps = body,
            "out" => {
                told += 1;
                let happened = story::run(&pipeline, &steps);
                let (expected, happened) = (records(&body, false), records(&happened, true));
                if expected != happened {
                    let [expected, happened] = [expected, happened].map(|lines| lines.join("\n"));
                    wrong.push(format!(
                        "{} line {line}\n--- the Collector\n{expected}\n--- kansoku\n{happened}\n--- by\n{pipeline}",
                        page.display()
                    ));
                }
            }
            other => panic!("{}: `{other}` means nothing here", page.display()),
        }
    }
    assert!(told > 0, "{}: nothing is told", page.display());
    wrong
}

#[test]
fn a_converted_pipeline_lets_out_what_the_collector_does() {
    let wrong: Vec<String> = pages().iter().flat_map(|page| tell(page)).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}
