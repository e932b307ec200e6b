//! `kansoku run`: reads, checks, starts, says what was opened, waits, drains, and says what became of every record.

use crate::{
    args::RunWords,
    catalog,
    command::{self, Program},
    load::{self, Loaded, Written},
    print, stop,
};
use api::Admin;
use config::Fault;
use pipeline::{Clock, Drained, Opened, Plan, Running, Stop, World};
use std::{process::ExitCode, sync::Arc, time::Duration};

/// Whether there is a disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Keeping {
    /// Journal and store lie on it.
    OnDisk,
    /// They lie in memory and go with the process.
    Nothing,
}

/// What ends a run.
pub(crate) enum Until {
    /// A signal, or this much time.
    Stopped {
        /// The time, if one was said.
        after: Option<Duration>,
    },
    /// A program that ends.
    Ended(Vec<String>),
}

pub(crate) async fn run(words: RunWords) -> ExitCode {
    if words.command.is_empty() && std::env::args_os().any(|word| word == "--") {
        print::error("there is no program after `--`; write one, as in `kansoku run -- python app.py`");
        return ExitCode::from(2);
    }
    let state = words.state.unwrap_or_else(load::state_folder);
    let Some(loaded) = load::file_or_preset(words.file.as_deref(), &state) else { return ExitCode::from(2) };
    let keeping = if words.ephemeral { Keeping::Nothing } else { Keeping::OnDisk };
    let until = if words.command.is_empty() { Until::Stopped { after: None } } else { Until::Ended(words.command) };
    to_its_end(loaded, keeping, until).await
}

/// Runs a graph until it is to end; the exit code is the program's, if there is one.
pub(crate) async fn to_its_end(loaded: Loaded, keeping: Keeping, until: Until) -> ExitCode {
    let (source, written) = (Arc::clone(&loaded.source), loaded.written);
    let (running, admin, drain) = match start(loaded, keeping).await {
        Ok(started) => started,
        Err(faults) => {
            match written {
                Written::ByUser => print::faults(&source, &faults),
                Written::Preset => say_preset(&faults),
            }
            return ExitCode::from(2);
        }
    };
    let (end_admin, stop) = Stop::pair();
    let serving = admin.serve(Arc::new(running.view()), Clock::wall(), stop);
    let whole = async {
        let ended = match until {
            Until::Stopped { after } => {
                stop::asked_or(after).await;
                ExitCode::SUCCESS
            }
            Until::Ended(words) => program(&words, &running, drain).await,
        };
        let drained = tokio::select! {
            drained = running.drain(drain) => drained,
            number = stop::asked_again() => {
                print::note("asked again, so it ends now: what the journal has goes out after the next start, what was in memory only is lost");
                end_admin.send_replace(true);
                return ExitCode::from(u8::try_from(128 + number).unwrap_or(1));
            }
        };
        say_end(&drained);
        end_admin.send_replace(true);
        if drained.ledger.lost() > 0 && ended == ExitCode::SUCCESS { ExitCode::from(1) } else { ended }
    };
    // The admin port answers during the drain, so that whoever waits can watch it.
    let ((), code) = futures::future::join(serving, whole).await;
    code
}

async fn start(loaded: Loaded, keeping: Keeping) -> Result<(Running, Admin, Duration), Vec<Fault>> {
    let Loaded { written, source, mut graph, mut faults, folder } = loaded;
    let mut world = World::real(folder);
    if keeping == Keeping::Nothing {
        world.disk = Arc::new(journal::MemoryDisk::new(EPHEMERAL_BYTES_MAX));
        // A journal that goes with the process would promise what it cannot keep.
        graph.settings.retain(|(name, ..)| name != "journal");
    }
    let (plan, found) = Plan::of(&graph, &catalog::ALL);
    faults.extend(found);
    faults.extend(plan.check(&world));
    let settings = api::Settings::read(&graph, &world.folder).map_err(|found| faults.extend(found));
    let Ok(settings) = settings else { return Err(faults) };
    if !Plan::may_run(&faults) {
        return Err(faults);
    }
    // What the preset warns of was asked for: `--ephemeral`.
    if written == Written::ByUser {
        print::faults(&source, &faults);
    }
    let drain = plan.settings.drain;
    let journal =
        plan.settings.journal.as_ref().map(|j| {
            format!("journal    keeps what was acknowledged in {}, up to {}", world.folder.join(j.path.as_str()).display(), j.limit)
        });
    let url = settings.url().map(|url| Arc::new(alert::AdminUrl(url.as_str().trim_end_matches('/').to_owned())));
    // Held until the nodes that make links are built.
    let _url = url.map(|url| world.pool.get_or(alert::AdminUrl::KEY, || Ok::<_, std::convert::Infallible>(url)));
    let (admin, listens) = Admin::open(settings).await?;
    let running = plan.assemble(&world)?.start().await?;
    say_start(
        &running,
        journal.as_deref().unwrap_or("there is no journal: a crash loses what was acknowledged and not yet delivered"),
        &listens,
    );
    Ok((running, admin, drain))
}

/// What an ephemeral run may hold in place of a disk.
const EPHEMERAL_BYTES_MAX: u64 = 64 << 20;

fn say_start(running: &Running, journal: &str, admin: &[Opened]) {
    let nodes = running.opened().iter().map(|(node, opened)| (node.as_str(), opened));
    for (node, opened) in nodes.chain(admin.iter().map(|opened| ("admin", opened))) {
        print::note(&format!("{node:<10} {} {}", opened.does, opened.what));
    }
    print::note(journal);
}

fn say_end(drained: &Drained) {
    print::note(&drained.ledger.sentence());
    for left in &drained.unfinished {
        let records: Vec<String> = left.records.iter().map(|(signal, n)| format!("{n} {signal}")).collect();
        let fate = match left.fate {
            pipeline::running::Left::Kept => "still had {} when the drain ended; they are in the journal and go out after the next start",
            pipeline::running::Left::Lost => "still had {} when the drain ended; they are lost",
        };
        print::note(&format!("{} {}", left.node, fate.replace("{}", &records.join(", "))));
    }
}

/// Faults of a file that the user does not have: without its lines, and with what can be done from the command line.
fn say_preset(faults: &[Fault]) {
    faults.iter().for_each(|fault| print::error(&fault.what));
    if faults.iter().any(|fault| fault.what.contains(" is in use")) {
        print::note("  = help: is another kansoku running? `kansoku status` asks it");
    }
    print::note(
        "  = help: this is the preset: `--state FOLDER` keeps its state elsewhere; for other ports write a file, from config/examples/sidecar.yaml",
    );
}

/// Starts the program with its telemetry pointed here, and waits for its end.
async fn program(words: &[String], running: &Running, drain: Duration) -> ExitCode {
    let listeners: Vec<_> = running.opened().iter().filter_map(|(_, opened)| opened.address).collect();
    let program = match Program::start(words, &listeners) {
        Ok(program) => program,
        Err(command::NotStarted(why)) => {
            print::error(&why);
            return ExitCode::from(2);
        }
    };
    program.ended(drain).await
}
