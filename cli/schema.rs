//! `kansoku schema`: the JSON schema of pipeline files, put together from the config structs.

use crate::{args::SchemaWords, print};
use std::process::ExitCode;

pub(crate) fn run(_words: &SchemaWords) -> ExitCode {
    let schema = pipeline::schema::of(&crate::catalog::ALL);
    print::line(&serde_json::to_string_pretty(&schema).unwrap_or_default());
    ExitCode::SUCCESS
}
