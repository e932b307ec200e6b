//! `kansoku demo`: the preset with a small shop that makes telemetry.

use crate::{
    args::DemoWords,
    load, print,
    reload::Keeping,
    run::{self, Until},
    watch::Looking,
};
use std::process::ExitCode;

pub(crate) async fn run(words: DemoWords) -> ExitCode {
    let state = words.state.unwrap_or_else(|| load::state_folder().join("demo"));
    let read = load::preset(load::DEMO, &state);
    let Some(loaded) = read.map_err(|(source, faults)| print::faults(&source, &faults)).ok() else { return ExitCode::from(2) };
    let keeping = if words.ephemeral { Keeping::Nothing } else { Keeping::OnDisk };
    print::note("A small shop is running. In another terminal: kansoku why last, kansoku query traces --status error, kansoku status");
    run::to_its_end(loaded, keeping, Looking::Never, Until::Stopped { after: words.length }).await
}
