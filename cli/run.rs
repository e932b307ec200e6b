//! `kansoku run`: reads, checks, starts, says what was opened, waits and reads the file again when asked, drains, and says what became of every record.

use crate::{
    args::RunWords,
    command::{self, Program},
    load::{self, Loaded, Written},
    memory, print,
    reload::{Keeping, Session, Understood},
    stop::{self, Signals, Wish},
    watch::{Looking, Watch},
};
use api::{Admin, Reloads, Wishes};
use config::Fault;
use pipeline::{Clock, Drained, Opened, Running, Speaks, Stop, World};
use std::{net::SocketAddr, process::ExitCode, sync::Arc, time::Duration};

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
    let looking = if words.watch { Looking::EverySecond } else { Looking::Never };
    let until = if words.command.is_empty() { Until::Stopped { after: None } } else { Until::Ended(words.command) };
    to_its_end(loaded, keeping, looking, until).await
}

/// Runs a graph until it is to end; the exit code is the program's, if there is one.
pub(crate) async fn to_its_end(loaded: Loaded, keeping: Keeping, looking: Looking, until: Until) -> ExitCode {
    let (source, written) = (Arc::clone(&loaded.source), loaded.written);
    let (mut session, admin) = match start(loaded, keeping).await {
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
    let (reloads, wishes) = Reloads::channel();
    let serving = admin.serve(Arc::new(session.running.view()), reloads, Clock::wall(), stop);
    let whole = async {
        let ended = going_on(&mut session, looking, until, wishes).await;
        let drained = tokio::select! {
            drained = session.running.drain(session.drain) => drained,
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

/// Goes on until somebody asks for an end, and reads the file again whenever somebody asks for that: one reload at a time.
async fn going_on(session: &mut Session, looking: Looking, until: Until, mut wishes: Wishes) -> ExitCode {
    let mut watch = Watch::of(looking, session.text.files());
    let (after, program) = match until {
        Until::Stopped { after } => (after, None),
        Until::Ended(words) => (None, Some(words)),
    };
    // Signals are the program's, if there is one.
    let mut signals = program.is_none().then(Signals::listen);
    let listeners: Vec<_> = session.running.opened().iter().filter_map(|(_, opened)| opened.address).collect();
    let end = end(after, program, listeners, session.drain);
    tokio::pin!(end);
    loop {
        let asker = tokio::select! {
            code = &mut end => return code,
            wish = wish(&mut signals) => match wish {
                Wish::Reload if session.has_file() => None,
                Wish::Reload | Wish::End => return ExitCode::SUCCESS,
            },
            Some(asker) = wishes.recv() => Some(asker),
            () = watch.changed() => None,
        };
        // Looked at before they are read, so that what changes meanwhile is seen next time.
        let before = Watch::of(looking, session.text.files());
        let reloaded = session.reload().await;
        memory::forget_the_start();
        watch = before.or_of(session.text.files());
        if let Some(asker) = asker {
            // Whoever asked may have gone.
            let _gone = asker.send(reloaded);
        }
    }
}

async fn wish(signals: &mut Option<Signals>) -> Wish {
    match signals {
        Some(signals) => signals.wish().await,
        None => std::future::pending().await,
    }
}

/// Returns when the time is over or the program has ended.
async fn end(after: Option<Duration>, words: Option<Vec<String>>, listeners: Vec<(Speaks, SocketAddr)>, drain: Duration) -> ExitCode {
    match (after, words) {
        (_, Some(words)) => program(&words, &listeners, drain).await,
        (Some(after), None) => {
            tokio::time::sleep(after).await;
            ExitCode::SUCCESS
        }
        (None, None) => std::future::pending().await,
    }
}

async fn start(loaded: Loaded, keeping: Keeping) -> Result<(Session, Admin), Vec<Fault>> {
    // In steps, or the start itself would be what takes most memory.
    memory::forget_the_start();
    let mut world = World::real(loaded.folder.clone());
    if keeping == Keeping::Nothing {
        world.disk = Arc::new(journal::MemoryDisk::new(EPHEMERAL_BYTES_MAX));
    }
    let written = loaded.written;
    let Understood { text, plan, admin, warnings } = Understood::of(loaded, keeping, &world)?;
    memory::forget_the_start();
    // What the preset warns of was asked for: `--ephemeral`.
    if written == Written::ByUser {
        print::faults(&text.source, &warnings);
    }
    let drain = plan.settings.drain;
    let journal =
        plan.settings.journal.as_ref().map(|j| {
            format!("journal    keeps what was acknowledged in {}, up to {}", world.folder.join(j.path.as_str()).display(), j.limit)
        });
    let without = if plan.nodes.iter().any(|node| node.acknowledge.is_some()) {
        "there is no journal: a crash loses what was acknowledged and not yet delivered"
    } else {
        "there is no journal, and none is needed: what is read is committed once every sink has it"
    };
    let url = admin.url().map(|url| Arc::new(alert::AdminUrl(url.as_str().trim_end_matches('/').to_owned())));
    let url = url.map(|url| {
        world.pool.get_or(alert::AdminUrl::KEY, || Ok::<_, std::convert::Infallible>(url)).unwrap_or_else(|never| match never {})
    });
    let (admin, listens) = Admin::open(admin).await?;
    memory::forget_the_start();
    let running = plan.assemble(&world)?.start().await?;
    say_start(&running, journal.as_deref().unwrap_or(without), &listens);
    memory::forget_the_start();
    Ok((Session { running, drain, text, world, keeping, _url: url }, admin))
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
async fn program(words: &[String], listeners: &[(Speaks, SocketAddr)], drain: Duration) -> ExitCode {
    let program = match Program::start(words, listeners) {
        Ok(program) => program,
        Err(command::NotStarted(why)) => {
            print::error(&why);
            return ExitCode::from(2);
        }
    };
    program.ended(drain).await
}
