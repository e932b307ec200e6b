//! `kansoku dead-letters`: what sinks refused for good, listed from the disk, and sent again by the running process, which alone may change it.

use crate::{
    args::{At, DeadLettersWhat, DeadLettersWords, Which},
    ask::{self, NoAnswer},
    journal::{Mistake, folder},
    page::{Page, Tone},
    print,
    table::{Cell, Column, Table, Wide},
    text,
    told::{ended, refused},
};
use ::journal::RealDisk;
use pipeline::{
    Retried,
    letter::{FOLDER, Letter, list},
};
use query::When;
use serde_json::{Value, json};
use signal::text::thousands;
use std::{ops::ControlFlow, path::Path, process::ExitCode};

const WIDTH: usize = 100;

pub(crate) async fn run(words: DeadLettersWords) -> ExitCode {
    match words.what {
        DeadLettersWhat::Ls { which, json } => ls(&which, json).unwrap_or_else(Mistake::end),
        DeadLettersWhat::Retry { node, at, json } => retry(node, &at, json).await,
    }
}

fn ls(which: &Which, as_json: bool) -> Result<ExitCode, Mistake> {
    let journal = folder(which)?;
    let folder = if journal.ends_with(FOLDER) { journal } else { journal.join(FOLDER) };
    let mut letters = Vec::new();
    if folder.is_dir() {
        let mut each = |letter: Letter| {
            if !as_json {
                letters.push(letter);
            } else if !print::reaches(&text::inert_json(&line(&letter).to_string())) {
                return ControlFlow::Break(());
            }
            ControlFlow::Continue(())
        };
        list(&RealDisk, &folder, &mut each).map_err(|error| error.to_string())?;
    }
    if !as_json {
        print::line(&listed(&folder, &letters, Page::stdout(WIDTH)));
    }
    Ok(ExitCode::SUCCESS)
}

fn line(letter: &Letter) -> Value {
    let [spans, logs, points] = letter.records;
    let about = letter.about.as_ref();
    json!({
        "id": letter.id, "at": about.map(|about| When(about.at.0).to_string()), "node": about.map(|about| &about.node),
        "reason": about.map(|about| &about.reason), "why": about.map(|about| &about.why),
        "spans": spans, "logs": logs, "points": points, "bytes": letter.bytes,
    })
}

fn listed(folder: &Path, letters: &[Letter], page: Page) -> String {
    if letters.is_empty() {
        return format!("{}: no dead letters", folder.display());
    }
    let rows: Vec<Vec<Cell>> = letters.iter().map(row).collect();
    let columns = vec![
        Column::right("ID", Wide::Content(20)),
        Column::left("WHEN (UTC)", Wide::Content(20)),
        Column::left("NODE", Wide::Content(20)),
        Column::right("RECORDS", Wide::Content(12)),
        Column::left("REASON", Wide::Content(12)),
        Column::left("WHY", Wide::Rest(1)),
    ];
    let records = letters.iter().flat_map(|letter| letter.records).fold(0, u64::saturating_add);
    let sum = format!("{} with {}", text::count(letters.len() as u64, "dead letter"), text::count(records, "record"));
    format!("{}: {sum}\n\n{}", folder.display(), Table::fit(columns, &rows, page).all(&rows))
}

fn row(letter: &Letter) -> Vec<Cell> {
    let records = letter.records.iter().fold(0_u64, |sum, records| sum.saturating_add(*records));
    let (when, node, reason, why) = match &letter.about {
        Some(about) => (text::day_and_time(When(about.at.0)), &*about.node, &*about.reason, &*about.why),
        None => ("-".to_owned(), "-", "-", "this version cannot read it"),
    };
    let inert = |text: &str| Cell::plain(text::inert(text).into_owned());
    vec![
        Cell::plain(letter.id.to_string()),
        Cell::plain(when),
        inert(node),
        Cell::plain(thousands(records)),
        Cell(text::inert(reason).into_owned(), Tone::Warn),
        inert(why),
    ]
}

async fn retry(node: Option<String>, at: &At, as_json: bool) -> ExitCode {
    let query: Vec<(&str, String)> = node.into_iter().map(|node| ("node", node)).collect();
    let (status, body) = match ask::post(at, "/api/v1/dead-letters/retry", &query).await {
        Ok(answer) => answer,
        Err(NoAnswer(why)) => return ended(&why, 1),
    };
    if status != 200 {
        return refused(status, &body);
    }
    let Ok(retried) = serde_json::from_str::<Retried>(&body) else {
        return ended(&format!("{} answered what this version does not understand", at.at), 1);
    };
    print::line(&if as_json { text::inert_json(&body).into_owned() } else { said(retried) });
    ExitCode::SUCCESS
}

fn said(retried: Retried) -> String {
    let mut told = match retried.letters {
        0 => "nothing was sent again".to_owned(),
        letters => format!("sent again: {} with {}", text::count(letters, "dead letter"), text::count(retried.records, "record")),
    };
    if retried.kept > 0 {
        let stays = if retried.kept == 1 { "stays" } else { "stay" };
        told.push_str(&format!("; {} {stays}: of other nodes, or unreadable", text::count(retried.kept, "letter")));
    }
    told
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::page;
    use pipeline::letter::About;
    use signal::Time;

    #[test]
    fn letters_are_listed_with_who_said_what_and_when() {
        let about = About {
            node: "vendor".to_owned(),
            reason: "refused".to_owned(),
            why: "HTTP 400 Bad Request: no tenant".to_owned(),
            at: Time(1_795_255_200_000_000_000),
        };
        let letters = [
            Letter { id: 7, about: Some(about), records: [0, 1_200, 0], bytes: 99 },
            Letter { id: 9, about: None, records: [1, 0, 0], bytes: 9 },
        ];
        let expected = "\
data/journal/dead-letters: 2 dead letters with 1,201 records

ID  WHEN (UTC)           NODE    RECORDS  REASON   WHY
 7  2026-11-21 10:00:00  vendor    1,200  refused  HTTP 400 Bad Request: no tenant
 9  -                    -             1  -        this version cannot read it";
        assert_eq!(listed(Path::new("data/journal/dead-letters"), &letters, page::plain(100)), expected);
    }

    #[test]
    fn what_came_of_a_retry_is_said() {
        assert_eq!(said(Retried::default()), "nothing was sent again");
        let retried = Retried { letters: 2, records: 31, kept: 1 };
        assert_eq!(said(retried), "sent again: 2 dead letters with 31 records; 1 letter stays: of other nodes, or unreadable");
    }
}
