//! The tailer on real files of a temporary folder, its clock in the test's hand. That positions survive the process is for `tests/files.rs` at the root to prove.

mod rotation;
mod splits;

use super::{
    found::Places,
    glob::Glob,
    lineage::Format,
    stream::Joining,
    tailer::{Options, Size, Start, Tailer},
};
use opentelemetry_proto::tonic::{collector::logs::v1::ExportLogsServiceRequest, common::v1::any_value::Value as Any};
use pipeline::positions::{Progress, Reached};
use prost::Message;
use signal::Time;
use std::{
    fs::{self, OpenOptions},
    io::Write,
    path::{Path, PathBuf},
    time::Duration,
};

/// A tailer, what it read, and what a restart would know.
struct Bench {
    folder: tempfile::TempDir,
    options: Options,
    tailer: Tailer,
    reached: Reached,
    now: Time,
    lines: Vec<String>,
    requests: Vec<ExportLogsServiceRequest>,
    progress: Progress,
}

impl Bench {
    fn of(options: impl FnOnce(&Path) -> Options) -> Bench {
        let folder = tempfile::tempdir().unwrap();
        let options = options(folder.path());
        let (reached, now) = (Reached::new(), Time(1_750_000_000_000_000_000));
        let tailer = Tailer::new(options.clone(), Size::default(), &reached);
        Bench { folder, options, tailer, reached, now, lines: Vec::new(), requests: Vec::new(), progress: Progress::default() }
    }

    /// Follows what this pattern names in the folder.
    fn files(pattern: &str) -> Bench {
        Bench::of(|folder| plain(folder, pattern, Start::Beginning))
    }

    fn containers() -> Bench {
        Bench::of(|folder| Options {
            places: Places::Containers { folder: folder.to_owned(), include: Vec::new(), exclude: Vec::new() },
            format: Format::Container,
            joining: Joining::StackTraces,
            start: Start::Beginning,
        })
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn append(&self, name: &str, text: impl AsRef<[u8]>) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        OpenOptions::new().create(true).append(true).open(path).unwrap().write_all(text.as_ref()).unwrap();
    }

    fn rename(&self, from: &str, to: &str) {
        fs::rename(self.path(from), self.path(to)).unwrap();
    }

    /// One turn, taken in.
    fn turn(&mut self) -> bool {
        let turn = self.tailer.turn(self.now);
        for (key, to) in turn.moves {
            match to {
                Some(to) => drop(self.reached.insert(key, to)),
                None => drop(self.reached.remove(&key)),
            }
        }
        self.progress = turn.progress;
        if let Some(request) = turn.request {
            let request = ExportLogsServiceRequest::decode(request).unwrap();
            self.lines.extend(lines(&request));
            self.requests.push(request);
        }
        turn.more
    }

    /// Turns until nothing more is there, without waiting for lines that may belong to the last.
    fn read(&mut self) {
        self.wait(Duration::from_secs(1));
    }

    /// Time passes; what is due then is read.
    fn wait(&mut self, long: Duration) {
        self.now = self.now.plus(long);
        for _ in 0..1_000 {
            if !self.turn() {
                return;
            }
        }
        panic!("it does not come to an end");
    }

    /// Everything that will ever come of what is there.
    fn all(&mut self) -> Vec<String> {
        for _ in 0..15 {
            self.read();
        }
        std::mem::take(&mut self.lines)
    }

    /// The process is killed and begins anew.
    fn restart(&mut self) {
        self.tailer = Tailer::new(self.options.clone(), Size::default(), &self.reached);
    }
}

fn plain(folder: &Path, pattern: &str, start: Start) -> Options {
    let glob = Glob::parse(&format!("{}/{pattern}", folder.display())).unwrap();
    Options {
        places: Places::Files { paths: vec![glob], exclude: Vec::new(), resource: Vec::new() },
        format: Format::Plain,
        joining: Joining::StackTraces,
        start,
    }
}

fn lines(request: &ExportLogsServiceRequest) -> Vec<String> {
    let records = request.resource_logs.iter().flat_map(|of| &of.scope_logs).flat_map(|of| &of.log_records);
    records
        .map(|record| match record.body.as_ref().and_then(|body| body.value.as_ref()) {
            Some(Any::StringValue(text)) => text.clone(),
            other => format!("{other:?}"),
        })
        .collect()
}

#[test]
fn lines_are_read_as_they_come_and_never_twice() {
    let mut bench = Bench::files("*.log");
    bench.append("a.log", "one\ntwo\nthr");
    assert!(!bench.turn());
    assert_eq!(bench.lines, ["one"], "the next may belong to the second");
    bench.read();
    assert_eq!(bench.lines, ["one", "two"]);
    bench.append("a.log", "ee\n");
    bench.append("b.log", "other\n");
    assert_eq!(bench.all(), ["one", "two", "three", "other"]);
    bench.restart();
    bench.append("a.log", "four\n");
    assert_eq!(bench.all(), ["four"]);
}

#[test]
fn a_first_start_at_the_end_reads_what_comes_and_files_that_come() {
    let mut bench = Bench::of(|folder| plain(folder, "*.log", Start::End));
    bench.append("a.log", "old\n");
    bench.read();
    bench.append("a.log", "new\n");
    bench.append("b.log", "all of it\n");
    assert_eq!(bench.all(), ["new", "all of it"]);
    bench.append("c.log", "later\n");
    bench.restart();
    bench.append("a.log", "meanwhile\n");
    assert_eq!(bench.all(), ["meanwhile", "later"]);
    bench.restart();
    assert!(bench.all().is_empty());
}

#[test]
fn a_last_line_without_an_end_is_taken_once_it_stays_so() {
    let mut bench = Bench::files("*.log");
    bench.append("a.log", "one\nhalf");
    bench.read();
    bench.read();
    assert_eq!(bench.lines, ["one"]);
    bench.append("a.log", " and half");
    assert_eq!(bench.all(), ["one", "half and half"]);
    bench.append("a.log", "\nnext\n");
    assert_eq!(bench.all(), ["next"]);
}

#[test]
fn a_line_without_end_goes_into_parts_and_nothing_of_it_is_gone() {
    let mut bench = Bench::files("*.log");
    let long = "é".repeat(500_000);
    bench.append("a.log", format!("{long}\nshort\n"));
    bench.read();
    bench.restart();
    let read = bench.all();
    assert_eq!(read.last().unwrap(), "short");
    assert_eq!(read[..read.len() - 1].concat(), long);
    assert_eq!(bench.progress.split, 0, "the counters of a process");
    let part = |n: usize| {
        let record =
            bench.requests.iter().flat_map(|request| &request.resource_logs).flat_map(|of| &of.scope_logs[0].log_records).nth(n).unwrap();
        record
            .attributes
            .iter()
            .find(|attribute| attribute.key == "log.part")
            .map(|attribute| format!("{:?}", attribute.value.as_ref().unwrap().value))
    };
    assert_eq!((part(0), part(1)), (Some("Some(IntValue(1))".into()), Some("Some(IntValue(2))".into())));
}

#[test]
fn zeros_and_bytes_that_are_no_text_harm_nothing() {
    let mut bench = Bench::files("*.log");
    bench.append("a.log", [&[0; 700_000][..], b"after the hole\nin\0side\n\xff\xfe\nend\n"].concat());
    assert_eq!(bench.all(), ["after the hole", "in\0side", "\u{fffd}\u{fffd}", "end"]);
    assert_eq!(bench.progress.repaired, 1);
}

#[test]
fn a_pattern_says_where_records_begin() {
    let mut bench = Bench::of(|folder| Options {
        joining: Joining::From(regex::Regex::new("^[0-9]{4}-").unwrap()),
        ..plain(folder, "*.log", Start::Beginning)
    });
    bench.append("a.log", "2024-01 one\nmore\n\n2024-02 two\n");
    assert_eq!(bench.all(), ["2024-01 one\nmore\n", "2024-02 two"].map(|text| text.trim_end().to_owned()));
}

#[test]
fn a_thousand_files_are_read_by_turns_with_few_of_them_open() {
    let mut bench = Bench::files("*.log");
    for file in 0..1_000 {
        bench.append(&format!("{file:04}.log"), "first\nsecond\n");
    }
    bench.append("0000.log", "x".repeat(1_000).as_str());
    for n in 0..20_000 {
        bench.append("0000.log", format!("a great many lines {n}\n"));
    }
    bench.turn();
    let small = bench.lines.iter().filter(|line| *line == "first").count();
    assert!(small >= 900, "the large file does not keep the small ones waiting: {small}");
    let read = bench.all();
    assert_eq!((read.iter().filter(|line| *line == "first").count(), read.iter().filter(|line| *line == "second").count()), (1_000, 1_000));
    assert_eq!(read.iter().filter(|line| line.contains("a great many lines")).count(), 20_000);
    assert_eq!((bench.progress.files, bench.progress.behind_bytes), (1_000, 0));
    assert!(bench.progress.open <= 512, "{}", bench.progress.open);
    for file in 0..1_000 {
        bench.append(&format!("{file:04}.log"), "third\n");
    }
    bench.restart();
    assert_eq!(bench.all(), vec!["third"; 1_000]);
}
