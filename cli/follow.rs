//! An answer that goes on: NDJSON from the API, shown line by line until somebody leaves.

use crate::{
    args::At,
    ask::{self, NoAnswer},
    listing::Listing,
    page::Page,
    print, text,
    told::{ended, refused},
};
use serde_json::Value;
use std::process::ExitCode;

/// A line is one record; a longer one is no answer of ours.
const LINE_BYTES_MAX: usize = 64 << 20;

pub(crate) async fn run<T: Listing>(at: &At, path: &str, query: &[(&str, String)], json: bool, page: Page) -> ExitCode {
    let mut response = match ask::open(at, path, query, None).await {
        Ok(response) => response,
        Err(NoAnswer(why)) => return ended(&why, 1),
    };
    let status = response.status().as_u16();
    if status != 200 {
        return refused(status, &response.text().await.unwrap_or_default());
    }
    let table = T::table(&[], page);
    if !json {
        print::line(&table.head());
    }
    let show = |line: &str| show::<T>(line, json, |row| table.line(row));
    let mut rest = Vec::new();
    loop {
        let piece = match response.chunk().await {
            Ok(Some(piece)) => piece,
            Ok(None) => return ExitCode::SUCCESS,
            Err(error) => return ended(&format!("{} went away: {error}", at.at), 1),
        };
        rest.extend_from_slice(&piece);
        while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = rest.drain(..=end).collect();
            match show(String::from_utf8_lossy(&line).trim()) {
                Shown::Yes => {}
                Shown::ReaderGone => return ExitCode::SUCCESS,
                Shown::Failed(why) => return ended(&why, 1),
            }
        }
        if rest.len() > LINE_BYTES_MAX {
            return ended("the answer is no NDJSON: a line has no end", 1);
        }
    }
}

enum Shown {
    Yes,
    ReaderGone,
    Failed(String),
}

fn show<T: Listing>(line: &str, json: bool, row: impl Fn(&[crate::table::Cell]) -> String) -> Shown {
    // Empty lines are signs of life.
    if line.is_empty() {
        return Shown::Yes;
    }
    let value: Value = match serde_json::from_str(line) {
        Ok(value) => value,
        Err(error) => return Shown::Failed(format!("the answer is no NDJSON: {error}")),
    };
    if let Some(why) = value.get("error").and_then(Value::as_str) {
        return Shown::Failed(why.to_owned());
    }
    if let Some(note) = value.get("note").and_then(Value::as_str) {
        print::note(&text::inert(note));
        return Shown::Yes;
    }
    let shown = if json {
        text::inert_json(line).into_owned()
    } else {
        match serde_json::from_value::<T>(value) {
            Ok(one) => row(&one.row()),
            Err(error) => return Shown::Failed(format!("the answer is not understood by this version: {error}")),
        }
    };
    if print::reaches(&shown) { Shown::Yes } else { Shown::ReaderGone }
}
