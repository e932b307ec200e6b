//! `kansoku why [ID|last]`: asks for the failing path and shows it.

use crate::{
    args::WhyWords,
    page::Page,
    print, story, text,
    told::{ended, told},
};
use query::{TraceRef, Why};
use std::process::ExitCode;

/// A tree with its logs wants more room than a table.
pub(crate) const WIDTH: usize = 100;

pub(crate) async fn run(words: WhyWords) -> ExitCode {
    if let Err(wrong) = TraceRef::read(&words.id) {
        return ended(&wrong.to_string(), 2);
    }
    let store: Vec<_> = words.store.iter().map(|store| ("store", store.clone())).collect();
    match told::<Why>(&words.ask.at, &format!("/api/v1/why/{}", words.id), &store).await {
        Ok(why) if words.ask.json => print::line(&text::inert_json(&why.json)),
        Ok(why) => print::line(&story::why(&why.value, Page::stdout(WIDTH))),
        Err(code) => return code,
    }
    ExitCode::SUCCESS
}
