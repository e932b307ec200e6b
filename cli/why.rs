//! `kansoku why [ID|last]`: asks for the failing path and shows it.

use crate::{
    args::WhyWords,
    decided,
    page::Page,
    print, story, text,
    told::{Told, ended, told},
};
use query::{Answer, TraceRef};
use std::process::ExitCode;

/// A tree with its logs wants more room than a table.
pub(crate) const WIDTH: usize = 100;

pub(crate) async fn run(words: WhyWords) -> ExitCode {
    if let Err(wrong) = TraceRef::read(&words.id) {
        return ended(&wrong.to_string(), 2);
    }
    let store: Vec<_> = words.store.iter().map(|store| ("store", store.clone())).collect();
    match told::<Answer>(&words.ask.at, &format!("/api/v1/why/{}", words.id), &store).await {
        Ok(answer) if words.ask.json => print::line(&text::inert_json(&answer.json)),
        Ok(Told { value: Answer::Stored(why), .. }) => print::line(&story::why(&why, Page::stdout(WIDTH))),
        Ok(Told { value: Answer::Decided { decided }, .. }) => print::line(&decided::decided(&decided, Page::stdout(WIDTH))),
        Err(code) => return code,
    }
    ExitCode::SUCCESS
}
