//! `kansoku status`: is anything being lost?

use crate::{args::AskWords, page::Page, print, state, text, told::told};
use api::Report;
use std::process::ExitCode;

const WIDTH: usize = 80;

pub(crate) async fn run(words: AskWords) -> ExitCode {
    let report = match told::<Report>(&words.at, "/api/v1/status", &[]).await {
        Ok(report) => report,
        Err(code) => return code,
    };
    if words.json {
        print::line(&text::inert_json(&report.json));
    } else {
        print::line(&state::show(&report.value, Page::stdout(WIDTH)));
    }
    if state::is_lossless(&report.value) { ExitCode::SUCCESS } else { ExitCode::from(1) }
}
