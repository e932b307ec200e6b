//! An answer of the API as a type, or what to say and how to end instead.

use crate::{
    args::At,
    ask::{self, NoAnswer},
    print,
};
use serde::de::DeserializeOwned;
use std::process::ExitCode;

/// An answer: read, and as it came.
pub(crate) struct Told<T> {
    pub(crate) value: T,
    pub(crate) json: String,
}

/// Asks; where there is no answer, says why and returns how to end: 2 for a question that is wrong, 1 otherwise.
pub(crate) async fn told<T: DeserializeOwned>(at: &At, path: &str, query: &[(&str, String)]) -> Result<Told<T>, ExitCode> {
    let (status, json) = ask::get(at, path, query).await.map_err(|NoAnswer(why)| ended(&why, 1))?;
    if status != 200 {
        return Err(refused(status, &json));
    }
    match serde_json::from_str(&json) {
        Ok(value) => Ok(Told { value, json }),
        Err(error) => Err(ended(&format!("{} answered what this version does not understand: {error}", at.at), 1)),
    }
}

/// Says what an answer other than 200 says.
pub(crate) fn refused(status: u16, body: &str) -> ExitCode {
    ended(&ask::said(body, status), if status == 400 { 2 } else { 1 })
}

/// Says why there is no answer.
pub(crate) fn ended(why: &str, code: u8) -> ExitCode {
    print::error(&crate::text::inert(why));
    ExitCode::from(code)
}
