//! `kansoku journal`: looks into a log on disk without opening it, so that it works beside a running kansoku and after its end; and gives up what waits for a sink.

use crate::{
    args::{DropWords, DumpWords, JournalWhat, JournalWords, LogWords, Which},
    catalog, load,
    page::{Page, Tone},
    print,
    table::{Cell, Column, Table, Wide},
    text,
};
use ::journal::{CursorInfo, Damaged, Entry, Inspected, Kind, Names, RealDisk, SegmentInfo};
use pipeline::{
    Clock, Plan,
    spilled::{SpilledStatus, drop_on_disk, on_disk},
};
use query::When;
use serde_json::{Value, json};
use signal::{Limits, Signal, check, codec, text::thousands};
use std::{
    fmt::Write,
    ops::ControlFlow,
    path::{Path, PathBuf},
    process::ExitCode,
};

const WIDTH: usize = 100;

pub(crate) fn run(words: &JournalWords) -> ExitCode {
    let done = match &words.what {
        JournalWhat::Ls(words) => list(words),
        JournalWhat::Verify(words) => verify(words),
        JournalWhat::Dump(words) => dump(words),
        JournalWhat::Drop(words) => give_up(words),
    };
    done.unwrap_or_else(Mistake::end)
}

/// Why there is nothing to look at; empty where that was said already.
pub(crate) struct Mistake(Option<String>);

impl Mistake {
    /// Says it, and how to end.
    pub(crate) fn end(self) -> ExitCode {
        self.0.iter().for_each(|what| print::error(what));
        ExitCode::from(2)
    }
}

impl From<String> for Mistake {
    fn from(what: String) -> Mistake {
        Mistake(Some(what))
    }
}

/// The folder that is meant.
pub(crate) fn folder(which: &Which) -> Result<PathBuf, Mistake> {
    if let Some(path) = which.path.as_ref().filter(|path| !path.is_file()) {
        return Ok(path.clone());
    }
    let state = which.state.clone().unwrap_or_else(load::state_folder);
    let Some(loaded) = load::file_or_preset(which.path.as_deref(), &state) else { return Err(Mistake(None)) };
    let (plan, _) = Plan::of(&loaded.graph, &catalog::ALL);
    match plan.settings.journal {
        Some(journal) => Ok(loaded.folder.join(journal.path.as_str())),
        None => Err(format!("{} names no journal", loaded.source.name).into()),
    }
}

fn inspected(folder: &Path) -> Result<Inspected, Mistake> {
    let found = ::journal::inspect(&RealDisk, folder).map_err(|error| error.to_string())?;
    if found.id.is_none() && found.segments.is_empty() && found.damaged.is_empty() {
        let what =
            format!("{} is no journal: it has neither segments nor a `meta`; say the folder of one, or a pipeline file", folder.display());
        return Err(what.into());
    }
    Ok(found)
}

fn list(words: &LogWords) -> Result<ExitCode, Mistake> {
    let folder = folder(&words.which)?;
    let found = inspected(&folder)?;
    let now = Clock::wall().now();
    let spills = on_disk(&RealDisk, &folder, now);
    if words.json {
        print::line(&text::inert_json(&listed_json(&folder, &found, &spills).to_string()));
    } else {
        let page = Page::stdout(WIDTH);
        print::line(format!("{}{}", listed(&folder, &found, now.0, page), listed_spills(&spills, page)).trim_end());
    }
    Ok(ExitCode::SUCCESS)
}

fn records(segment: &SegmentInfo) -> u64 {
    segment.data + segment.decisions + segment.marks
}

fn listed(folder: &Path, found: &Inspected, now: u64, page: Page) -> String {
    let sum = |of: fn(&SegmentInfo) -> u64| found.segments.iter().map(of).sum::<u64>();
    let mut out = format!(
        "{}: {} in {}, {} with {}\n",
        folder.display(),
        text::bytes(sum(|segment| segment.bytes)),
        text::count(found.segments.len() as u64, "segment"),
        text::count(sum(records), "record"),
        text::count(sum(|segment| segment.items), "item"),
    );
    let age = |arrived: Option<u64>| arrived.map_or_else(|| "-".to_owned(), |at| text::duration(now.saturating_sub(at) as f64 / 1e6));
    let columns = vec![
        Column::left("SEGMENT", Wide::Content(24)),
        Column::right("FIRST", Wide::Content(20)),
        Column::right("LAST", Wide::Content(20)),
        Column::right("RECORDS", Wide::Content(12)),
        Column::right("ITEMS", Wide::Content(14)),
        Column::right("BYTES", Wide::Content(9)),
        Column::right("AGE", Wide::Content(14)),
        Column::left("DAMAGED", Wide::Rest(1)),
    ];
    let row = |segment: &SegmentInfo| {
        let name = segment.path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let last = segment.end.checked_sub(1).filter(|_| records(segment) > 0).map_or_else(|| "-".to_owned(), |last| last.to_string());
        let damaged = segment.damaged.len() as u64;
        vec![
            Cell::plain(name),
            Cell::plain(segment.first.to_string()),
            Cell::plain(last),
            Cell::plain(thousands(records(segment))),
            Cell::plain(thousands(segment.items)),
            Cell::plain(text::bytes(segment.bytes)),
            Cell::plain(age(segment.arrived.map(|(first, _)| first))),
            Cell(if damaged > 0 { text::count(damaged, "place") } else { String::new() }, Tone::Bad),
        ]
    };
    let rows: Vec<_> = found.segments.iter().map(row).collect();
    let _infallible = writeln!(out, "\n{}", Table::fit(columns, &rows, page).all(&rows));
    let columns = vec![
        Column::left("CONSUMER", Wide::Content(40)),
        Column::right("SETTLED BELOW", Wide::Content(20)),
        Column::right("RECORDS BEHIND", Wide::Content(14)),
        Column::right("OLDEST", Wide::Content(14)),
    ];
    let row = |cursor: &CursorInfo| {
        let cells = [cursor.name.clone(), cursor.through.to_string(), thousands(cursor.behind), age(cursor.oldest)];
        cells.map(Cell::plain).to_vec()
    };
    let rows: Vec<_> = found.cursors.iter().map(row).collect();
    if !rows.is_empty() {
        let _infallible = writeln!(out, "\n{}", Table::fit(columns, &rows, page).all(&rows));
    }
    out
}

/// What waits in the logs of sinks below the journal.
fn listed_spills(spills: &[SpilledStatus], page: Page) -> String {
    if spills.is_empty() {
        return String::new();
    }
    let columns = vec![
        Column::left("ON DISK FOR", Wide::Content(40)),
        Column::right("RECORDS", Wide::Content(14)),
        Column::right("BYTES", Wide::Content(9)),
        Column::right("OLDEST", Wide::Content(14)),
    ];
    let row = |spill: &SpilledStatus| {
        let cells = [
            text::inert(&spill.name).into_owned(),
            thousands(spill.records),
            text::bytes(spill.bytes),
            text::duration(spill.oldest_seconds * 1e3),
        ];
        cells.map(Cell::plain).to_vec()
    };
    let rows: Vec<_> = spills.iter().map(row).collect();
    format!("\n{}\n", Table::fit(columns, &rows, page).all(&rows))
}

fn listed_json(folder: &Path, found: &Inspected, spills: &[SpilledStatus]) -> Value {
    let time = |at: Option<u64>| at.map(|at| When(at).to_string());
    let segments = found.segments.iter().map(|segment| {
        json!({
            "file": segment.path, "first": segment.first, "end": segment.end, "bytes": segment.bytes, "items": segment.items,
            "records": { "data": segment.data, "decision": segment.decisions, "mark": segment.marks },
            "earliest": time(segment.arrived.map(|(first, _)| first)), "latest": time(segment.arrived.map(|(_, last)| last)),
            "damaged": places(&segment.damaged),
        })
    });
    let cursors = found.cursors.iter().map(
        |cursor| json!({ "name": cursor.name, "settled_below": cursor.through, "behind": cursor.behind, "oldest": time(cursor.oldest) }),
    );
    json!({
        "folder": folder, "id": found.id, "sources": found.names, "segments": segments.collect::<Vec<_>>(), "cursors": cursors.collect::<Vec<_>>(),
        "spills": spills, "damaged": places(&found.damaged), "torn": found.torn.as_ref().map(place),
    })
}

fn places(damaged: &[Damaged]) -> Vec<Value> {
    damaged.iter().map(place).collect()
}

fn place(damaged: &Damaged) -> Value {
    json!({ "file": damaged.file, "offset": damaged.offset, "bytes": damaged.bytes, "why": damaged.why })
}

fn verify(words: &LogWords) -> Result<ExitCode, Mistake> {
    let folder = folder(&words.which)?;
    let found = inspected(&folder)?;
    let damaged: Vec<&Damaged> = found.damaged.iter().chain(found.segments.iter().flat_map(|segment| &segment.damaged)).collect();
    let whole: u64 = found.segments.iter().map(records).sum();
    if words.json {
        let damaged: Vec<Value> = damaged.iter().copied().map(place).collect();
        print::line(&json!({ "folder": folder, "whole": whole, "damaged": damaged, "torn": found.torn.as_ref().map(place) }).to_string());
    } else {
        damaged.iter().for_each(|damaged| print::line(&damaged.to_string()));
        if let Some(torn) = &found.torn {
            let what =
                "a write that goes on, or that a crash interrupted; nobody was told that it is durable, and the next start cuts it off";
            print::line(&format!("{} at byte {}: the last {} bytes are {what}", torn.file.display(), torn.offset, torn.bytes));
        }
        let verdict = match damaged.len() as u64 {
            0 => "nothing is damaged".to_owned(),
            1 => "1 place is damaged".to_owned(),
            n => format!("{} places are damaged", thousands(n)),
        };
        let (whole, segments) = (text::count(whole, "whole record"), text::count(found.segments.len() as u64, "segment"));
        print::line(&format!("{}: {whole} in {segments}, {verdict}", folder.display()));
    }
    Ok(if damaged.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

fn dump(words: &DumpWords) -> Result<ExitCode, Mistake> {
    let folder = folder(&words.which)?;
    let names = ::journal::names(&RealDisk, &folder).map_err(|error| error.to_string())?;
    let mut left = words.limit.unwrap_or(usize::MAX);
    let mut each = |entry: Entry| {
        if left == 0 || words.to.is_some_and(|to| entry.sequence > to) {
            return ControlFlow::Break(());
        }
        left -= 1;
        let line = text::inert_json(&record(entry, &names, words.headers).to_string()).into_owned();
        // Whoever reads may have had enough.
        if print::reaches(&line) && left > 0 { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    };
    let damaged = ::journal::dump(&RealDisk, &folder, words.from, &mut each).map_err(|error| error.to_string())?;
    damaged.iter().for_each(|damaged| print::note(&damaged.to_string()));
    Ok(ExitCode::SUCCESS)
}

fn give_up(words: &DropWords) -> Result<ExitCode, Mistake> {
    let folder = folder(&words.which)?;
    inspected(&folder)?;
    let (sink, now) = (&words.sink, Clock::wall().now());
    let Some(lost) = drop_on_disk(&RealDisk, &folder, sink, now).map_err(|error| error.to_string())? else {
        let waiting: Vec<String> = on_disk(&RealDisk, &folder, now).into_iter().map(|spill| format!("`{}`", spill.name)).collect();
        let known =
            if waiting.is_empty() { "nothing waits for any".to_owned() } else { format!("something waits for {}", waiting.join(", ")) };
        return Err(format!("nothing waits on disk for a sink `{sink}`; {known}").into());
    };
    if words.json {
        print::line(&text::inert_json(&json!({ "sink": sink, "lost": lost.records, "bytes": lost.bytes }).to_string()));
    } else {
        let records = text::count(lost.records, "record");
        print::line(&format!("dropped what waited for `{}`: {records} in {} are lost", text::inert(sink), text::bytes(lost.bytes)));
    }
    Ok(ExitCode::SUCCESS)
}

fn record(entry: Entry, names: &Names, headers_only: bool) -> Value {
    let header = entry.header;
    let signal = Signal::ALL.get(usize::from(header.signal)).copied();
    let kind = match header.kind {
        Kind::Data => "data",
        Kind::Decision => "decision",
        Kind::Mark => "mark",
        Kind::Position => "position",
    };
    let number = || json!(header.source);
    let source = names.get(&header.source).filter(|_| header.kind == Kind::Data).map_or_else(number, |name| json!(name));
    let mut line = json!({
        "sequence": entry.sequence, "kind": kind, "arrived": When(header.arrived).to_string(), "source": source,
        "signal": signal.filter(|_| header.kind == Kind::Data).map(Signal::word), "items": header.items, "bytes": entry.payload.len(),
    });
    if !headers_only {
        line["payload"] = payload(&entry, signal);
    }
    line
}

/// Telemetry as OTLP/JSON, decisions as the JSON they are, anything else (a log of a store, of a newer kansoku) in hex.
fn payload(entry: &Entry, signal: Option<Signal>) -> Value {
    let telemetry = || {
        let signal = signal.filter(|_| entry.header.kind == Kind::Data)?;
        let (checked, _) = check(signal, entry.payload.clone(), &Limits::default()).ok()?;
        serde_json::from_str(&codec::json::of_protobuf(signal, &checked)).ok()
    };
    let own = || serde_json::from_slice(&entry.payload).ok().filter(|_| entry.header.kind != Kind::Data);
    if entry.payload.is_empty() {
        return Value::Null;
    }
    telemetry().or_else(own).unwrap_or_else(|| {
        let hex = entry.payload.iter().fold(String::with_capacity(entry.payload.len() * 2), |mut hex, byte| {
            let _infallible = write!(hex, "{byte:02x}");
            hex
        });
        json!({ "hex": hex })
    })
}
