//! `kansoku query trace|traces|logs`: looks into the store of a running kansoku.

use crate::{
    args::{QueryWhat, QueryWords, SearchWords},
    follow,
    listing::Listing,
    page::Page,
    print, story, text,
    told::{ended, told},
    why,
};
use query::{LogLine, TraceRef, TraceSummary, TraceView};
use serde::Deserialize;
use std::{process::ExitCode, time::Duration};

/// The body of `/api/v1/traces`.
#[derive(Deserialize)]
struct Traces {
    traces: Vec<TraceSummary>,
}

/// The body of `/api/v1/logs`.
#[derive(Deserialize)]
struct Logs {
    logs: Vec<LogLine>,
}

const WIDTH: usize = 80;

pub(crate) async fn run(words: QueryWords) -> ExitCode {
    match words.what {
        QueryWhat::Trace { id, store, ask } => {
            if let Err(wrong) = TraceRef::read(&id) {
                return ended(&wrong.to_string(), 2);
            }
            let store: Vec<_> = store.iter().map(|store| ("store", store.clone())).collect();
            match told::<TraceView>(&ask.at, &format!("/api/v1/trace/{id}"), &store).await {
                Ok(trace) if ask.json => print::line(&text::inert_json(&trace.json)),
                Ok(trace) => print::line(&story::trace(&trace.value, Page::stdout(why::WIDTH))),
                Err(code) => return code,
            }
            ExitCode::SUCCESS
        }
        QueryWhat::Traces(words) => traces(words).await,
        QueryWhat::Logs(words) => logs(words).await,
    }
}

async fn traces(words: SearchWords) -> ExitCode {
    let page = Page::stdout(WIDTH);
    if words.follow {
        return on::<TraceSummary>("/api/v1/traces", &words, page).await;
    }
    match told::<Traces>(&words.ask.at, "/api/v1/traces", &parameters(&words)).await {
        Ok(found) => show(&found.value.traces, &words, page, "no trace matches"),
        Err(code) => code,
    }
}

async fn logs(words: SearchWords) -> ExitCode {
    if words.min_duration.or(words.max_duration).is_some() {
        return ended("a log has no duration; --min-duration and --max-duration are for `query traces`", 2);
    }
    let page = Page::stdout(WIDTH);
    if words.follow {
        return on::<LogLine>("/api/v1/logs", &words, page).await;
    }
    match told::<Logs>(&words.ask.at, "/api/v1/logs", &parameters(&words)).await {
        Ok(mut found) => {
            // The newest are asked for, and read in the order in which they happened.
            found.value.logs.reverse();
            show(&found.value.logs, &words, page, "no log matches")
        }
        Err(code) => code,
    }
}

async fn on<T: Listing>(path: &str, words: &SearchWords, page: Page) -> ExitCode {
    let mut query = parameters(words);
    query.push(("follow", "true".to_owned()));
    follow::run::<T>(&words.ask.at, path, &query, words.ask.json, page).await
}

fn show<T: Listing>(found: &[T], words: &SearchWords, page: Page, none: &str) -> ExitCode {
    if words.ask.json {
        for one in found {
            if !print::reaches(&text::inert_json(&serde_json::to_string(one).unwrap_or_default())) {
                break;
            }
        }
        return ExitCode::SUCCESS;
    }
    if found.is_empty() {
        print::note(&format!("{none} within the last {}; --since looks further back", text::duration(words.since.as_secs_f64() * 1e3)));
        return ExitCode::SUCCESS;
    }
    let rows: Vec<_> = found.iter().map(T::row).collect();
    print::line(&T::table(&rows, page).all(&rows));
    if found.len() >= words.limit {
        print::note(&format!("the newest {}; --limit shows more", found.len()));
    }
    ExitCode::SUCCESS
}

fn parameters(words: &SearchWords) -> Vec<(&'static str, String)> {
    let period = |period: &Duration| config::Period(*period).to_string();
    let mut query = vec![("since", period(&words.since)), ("limit", words.limit.to_string())];
    let texts = [("service", &words.service), ("status", &words.status), ("text", &words.text), ("store", &words.store)];
    query.extend(texts.into_iter().filter_map(|(key, value)| Some((key, value.clone()?))));
    let periods = [("min_duration", &words.min_duration), ("max_duration", &words.max_duration)];
    query.extend(periods.into_iter().filter_map(|(key, value)| Some((key, period(value.as_ref()?)))));
    query.extend(words.attributes.iter().map(|attribute| ("attribute", attribute.clone())));
    query
}
