//! A pipeline that runs and the file that it was read from: reads it again, says what changed, and has it swapped in. A bad file changes nothing.

use crate::{
    catalog,
    load::{self, Loaded},
    print,
};
use api::Reloaded;
use config::{Fault, Graph, Source, show};
use pipeline::{
    Changes, Plan, Running, World,
    changes::{Digests, digests, keep_what_needs_a_restart},
    running::Attempt,
};
use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

/// Whether there is a disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Keeping {
    /// Journal and store lie on it.
    OnDisk,
    /// They lie in memory and go with the process.
    Nothing,
}

/// A file that was understood, and what it means.
pub(crate) struct Understood {
    pub(crate) text: Text,
    pub(crate) plan: Plan,
    pub(crate) admin: api::Settings,
    pub(crate) warnings: Vec<Fault>,
}

/// What was read.
pub(crate) struct Text {
    pub(crate) source: Arc<Source>,
    graph: Graph,
    /// None for a preset.
    path: Option<PathBuf>,
    /// Everything that was read besides it.
    named: Vec<PathBuf>,
    digests: Digests,
}

impl Understood {
    /// Gives a file its meaning.
    ///
    /// # Errors
    /// Every fault, warnings included, where there is one that is more than a warning.
    pub(crate) fn of(loaded: Loaded, keeping: Keeping, world: &World) -> Result<Understood, Vec<Fault>> {
        let Loaded { source, mut graph, mut faults, path, .. } = loaded;
        if keeping == Keeping::Nothing {
            // A journal that goes with the process would promise what it cannot keep.
            graph.settings.retain(|(name, ..)| name != "journal");
        }
        let (plan, found) = Plan::of(&graph, &catalog::ALL);
        faults.extend(found);
        faults.extend(plan.check(world));
        let admin = api::Settings::read(&graph, &world.folder).map_err(|found| faults.extend(found));
        let Ok(admin) = admin else { return Err(faults) };
        if !Plan::may_run(&faults) {
            return Err(faults);
        }
        let files = plan.rests_on(world);
        let named = graph.document.files.iter().chain(files.values().flatten()).cloned().collect();
        let text = Text { source, graph, path, named, digests: digests(&files) };
        Ok(Understood { text, plan, admin, warnings: faults })
    }
}

impl Text {
    /// Everything that it was read from, if it was read from a file.
    pub(crate) fn files(&self) -> Vec<PathBuf> {
        self.path.iter().flat_map(|path| std::iter::once(path).chain(&self.named)).cloned().collect()
    }
}

/// What runs, and what it was read from.
pub(crate) struct Session {
    pub(crate) running: Running,
    /// How long a stop may take.
    pub(crate) drain: Duration,
    /// With the settings of the start, where only a restart changes them.
    pub(crate) text: Text,
    pub(crate) world: World,
    pub(crate) keeping: Keeping,
    /// For nodes that make links; the pool has it as long as this does.
    pub(crate) _url: Option<Arc<alert::AdminUrl>>,
}

impl Session {
    /// Whether there is a file to read again.
    pub(crate) fn has_file(&self) -> bool {
        self.text.path.is_some()
    }

    /// Reads the file again and has the pipeline go on by it. Says what came of it, in the process's output and to whoever asked.
    pub(crate) async fn reload(&mut self) -> Reloaded {
        let Some(path) = self.text.path.clone() else { return Reloaded::NoFile };
        match self.read_again(&path).await {
            Ok(done) => done,
            Err((source, faults)) => {
                self.running.attempted(Attempt::Refused);
                print::faults(&source, &faults);
                print::note("nothing was changed: the pipeline goes on as it was");
                Reloaded::Faulty { faults: show::json(&source, &faults) }
            }
        }
    }

    async fn read_again(&mut self, path: &Path) -> Result<Reloaded, (Arc<Source>, Vec<Fault>)> {
        let loaded = load::file(path)?;
        let source = Arc::clone(&loaded.source);
        let failed = |faults| (Arc::clone(&source), faults);
        let Understood { mut text, warnings, .. } = Understood::of(loaded, self.keeping, &self.world).map_err(failed)?;
        let changes = Changes::between(&self.text.graph, &text.graph, (&self.text.digests, &text.digests));
        keep_what_needs_a_restart(&self.text.graph, &mut text.graph);
        let (plan, faults) = Plan::of(&text.graph, &catalog::ALL);
        if !Plan::may_run(&faults) {
            return Err(failed(faults));
        }
        print::faults(&source, &warnings);
        let drain = plan.settings.drain;
        let opened = if changes.applied.is_empty() {
            self.running.attempted(Attempt::Unchanged);
            Vec::new()
        } else {
            self.running.reload(plan, &changes).await.map_err(failed)?
        };
        print::note(&format!("reloaded: {changes}"));
        for (node, opened) in opened {
            print::note(&format!("{node:<10} {} {}", opened.does, opened.what));
        }
        (self.text, self.drain) = (text, drain);
        Ok(Reloaded::Done { changes, warnings: show::json(&source, &warnings) })
    }
}
