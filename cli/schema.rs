//! `kansoku schema`: the JSON schema of pipeline files, put together from the config structs.

use crate::{args::SchemaWords, catalog, print};
use api::settings::{AdminWords, ProbesWords};
use schemars::schema_for;
use std::process::ExitCode;

pub(crate) fn run(_words: &SchemaWords) -> ExitCode {
    let settings = vec![("admin", schema_for!(AdminWords)), ("probes", schema_for!(ProbesWords))];
    let schema = pipeline::schema::of(&catalog::ALL, settings);
    print::line(&serde_json::to_string_pretty(&schema).unwrap_or_default());
    ExitCode::SUCCESS
}
