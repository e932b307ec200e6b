//! `kansoku check FILE`: every fault at once; starts and opens nothing.

use crate::{args::CheckWords, catalog, load, print};
use config::{Fault, Level, Source, show};
use pipeline::{Plan, World};
use std::process::ExitCode;

pub(crate) fn run(words: &CheckWords) -> ExitCode {
    let (source, faults) = match load::file(&words.file) {
        Err(unreadable) => unreadable,
        Ok(mut loaded) => {
            let (plan, found) = Plan::of(&loaded.graph, &catalog::ALL);
            loaded.faults.extend(found);
            loaded.faults.extend(plan.check(&World::real(loaded.folder.clone())));
            loaded.faults.extend(api::Settings::read(&loaded.graph, &loaded.folder).err().unwrap_or_default());
            (loaded.source, loaded.faults)
        }
    };
    say(&source, &faults, words)
}

fn say(source: &Source, faults: &[Fault], words: &CheckWords) -> ExitCode {
    if words.json {
        print::line(&show::json(source, faults).to_string());
    } else if faults.is_empty() {
        print::line(&format!("{}: nothing is wrong", source.name));
    } else {
        print::faults(source, faults);
    }
    let least = if words.deny_warnings { Level::Warning } else { Level::Error };
    if faults.iter().any(|fault| fault.level <= least) { ExitCode::from(2) } else { ExitCode::SUCCESS }
}
