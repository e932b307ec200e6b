//! `kansoku health`: what an exec probe runs.

use crate::{args::AskWords, ask, print};
use std::process::ExitCode;

pub(crate) async fn run(words: AskWords) -> ExitCode {
    let (ready, said) = match ask::get(&words.at, "/readyz", &[]).await {
        Ok((200, _)) => (true, "ready".to_owned()),
        Ok((_, body)) => (false, body.trim().to_owned()),
        Err(ask::NoAnswer(why)) => (false, why),
    };
    if words.json {
        print::line(&serde_json::json!({ "ready": ready, "why": said }).to_string());
    } else {
        print::line(&said);
    }
    if ready { ExitCode::SUCCESS } else { ExitCode::from(1) }
}
