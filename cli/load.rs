//! A pipeline file, or the preset where none is given, read into a graph. The preset is `config/examples/sidecar.yaml` itself.

use crate::print;
use config::{Document, Environment, Fault, Graph, Source, document::Real};
use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

/// The sidecar preset.
pub(crate) const SIDECAR: (&str, &str) = ("preset sidecar", include_str!("../config/examples/sidecar.yaml"));
/// The sidecar preset with a small shop.
pub(crate) const DEMO: (&str, &str) = ("preset demo", include_str!("../config/examples/demo.yaml"));

/// Who can change the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Written {
    /// It is the user's file.
    ByUser,
    /// It is in the binary.
    Preset,
}

/// A graph that was read, with the faults found so far.
pub(crate) struct Loaded {
    pub(crate) written: Written,
    pub(crate) source: Arc<Source>,
    pub(crate) graph: Graph,
    pub(crate) faults: Vec<Fault>,
    /// Relative paths start here.
    pub(crate) folder: PathBuf,
    /// What can be read again; none for a preset.
    pub(crate) path: Option<PathBuf>,
}

/// Reads a file. On faults that leave nothing to look at, says them and returns none.
pub(crate) fn file(path: &Path) -> Result<Loaded, (Arc<Source>, Vec<Fault>)> {
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new(".")).to_owned();
    Document::load(path).map(|document| loaded(document, folder, Written::ByUser, Some(path.to_owned())))
}

/// Reads a preset whose state lies in `state`.
pub(crate) fn preset((name, text): (&str, &str), state: &Path) -> Result<Loaded, (Arc<Source>, Vec<Fault>)> {
    let environment = Preset { state: state.to_string_lossy().into_owned() };
    Document::parse(name, text, &environment).map(|document| loaded(document, PathBuf::from("."), Written::Preset, None))
}

/// Either of them; says what is wrong and returns none.
pub(crate) fn file_or_preset(path: Option<&Path>, state: &Path) -> Option<Loaded> {
    let read = path.map_or_else(|| preset(SIDECAR, state), file);
    read.map_err(|(source, faults)| print::faults(&source, &faults)).ok()
}

fn loaded(document: Document, folder: PathBuf, written: Written, path: Option<PathBuf>) -> Loaded {
    let source = Arc::clone(&document.source);
    let (graph, faults) = Graph::of(Arc::new(document), pipeline::settings::SETTINGS);
    Loaded { written, source, graph, faults, folder, path }
}

/// The user's state folder: `$XDG_STATE_HOME/kansoku`, else `~/.local/state/kansoku`, else the working folder.
pub(crate) fn state_folder() -> PathBuf {
    let variable = |name| std::env::var_os(name).map(PathBuf::from).filter(|p| p.is_absolute());
    let base = variable("XDG_STATE_HOME").or_else(|| variable("HOME").map(|home| home.join(".local/state")));
    base.map_or_else(|| PathBuf::from("kansoku-data"), |base| base.join("kansoku"))
}

struct Preset {
    state: String,
}

impl Environment for Preset {
    fn variable(&self, name: &str) -> Option<String> {
        if name == "KANSOKU_STATE" { Some(self.state.clone()) } else { Real.variable(name) }
    }
    fn file(&self, path: &str) -> Result<String, String> {
        Real.file(path)
    }
}
