//! `kansoku convert otelcol FILE`: the file of a Collector as one of ours on standard output, and on standard error what was left out.

use crate::{args::ConvertWhat, catalog, print};
use ::convert::Offers;
use config::Document;
use pipeline::Entry;
use std::process::ExitCode;

pub(crate) fn run(what: &ConvertWhat) -> ExitCode {
    let ConvertWhat::Otelcol { file } = what;
    let document = match Document::as_written(file) {
        Ok(document) => document,
        Err((source, faults)) => {
            print::faults(&source, &faults);
            return ExitCode::from(2);
        }
    };
    let [sources, processors, sinks] = catalog::ALL.map(types);
    let converted = ::convert::otelcol(&document, Offers { sources: &sources, processors: &processors, sinks: &sinks });
    if let Some(yaml) = &converted.yaml {
        print::line(yaml.trim_end());
    }
    print::faults(&document.source, &converted.said);
    if converted.is_whole() { ExitCode::SUCCESS } else { ExitCode::from(1) }
}

fn types(entries: &[Entry]) -> Vec<&'static str> {
    entries.iter().map(|entry| entry.type_name).collect()
}
