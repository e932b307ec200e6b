//! What stands at the top of a pipeline file beside the three maps, as far as the runner reads it; `admin:` and `probes:` belong to the API.

use config::{Bytes, Fault, Graph, Node, Period, Place, Placed, Value};
use schemars::JsonSchema;
use serde::Deserialize;
use std::time::Duration;

/// Every name that may stand at the top of a file beside `sources`, `processors` and `sinks`.
pub const SETTINGS: &[&str] = &["journal", "memory", "drain", "admin", "probes"];

const JOURNAL_BYTES_MAX: u64 = 4 << 30;
const DRAIN: Duration = Duration::from_secs(25);

/// `journal:`: where a yes is made true before it is given.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
pub struct Journal {
    /// The folder, from the folder of the pipeline file.
    pub path: Placed<String>,
    /// Bytes it may take on disk; at the limit new data is refused with a time to retry.
    #[serde(default = "journal_limit")]
    pub limit: Bytes,
}

fn journal_limit() -> Bytes {
    Bytes(JOURNAL_BYTES_MAX)
}

/// The settings of the runner.
#[derive(Clone, Debug)]
pub struct Settings {
    /// `journal:`, if there is one.
    pub journal: Option<Journal>,
    /// `memory:` in bytes; none takes a share of what the cgroup or the machine has.
    pub memory: Option<u64>,
    /// `drain:`: how long a stop may take.
    pub drain: Duration,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings { journal: None, memory: None, drain: DRAIN }
    }
}

/// What a source's yes means (FLOW 1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, serde::Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Acknowledge {
    /// It is in the journal and synced.
    Durable,
    /// Every sink has taken it.
    Delivered,
    /// It is in memory.
    Memory,
}

impl Settings {
    /// Reads what belongs to the runner; the rest is left to whoever it belongs to.
    #[must_use]
    pub fn of(graph: &Graph) -> (Settings, Vec<Fault>) {
        let (mut settings, mut faults) = (Settings::default(), Vec::new());
        for (name, place, node) in &graph.settings {
            match name.as_str() {
                "journal" => settings.journal = keep(config::read::<Journal>(node), &mut faults),
                "memory" => settings.memory = keep(config::read::<Bytes>(node), &mut faults).map(|bytes| bytes.0),
                "drain" => settings.drain = keep(config::read::<Period>(node), &mut faults).map_or(DRAIN, |period| period.0),
                _ => {}
            }
            if settings.memory.is_some_and(|bytes| bytes < MEMORY_BYTES_MIN) && name == "memory" {
                faults.push(Fault::at(*place, "`memory` is too small to run with").help("give it at least 16MiB"));
                settings.memory = None;
            }
        }
        (settings, faults)
    }
}

const MEMORY_BYTES_MIN: u64 = 16 << 20;

fn keep<T>(read: Result<T, Vec<Fault>>, faults: &mut Vec<Fault>) -> Option<T> {
    read.map_err(|found| faults.extend(found)).ok()
}

/// `acknowledge:` is a key of every source, read here so that no source has to know it: what stands there, and the body without it.
pub(crate) fn take_acknowledge(body: &Node) -> (Node, Option<(Acknowledge, Place)>, Vec<Fault>) {
    let Value::Map(entries) = &body.value else { return (body.clone(), None, Vec::new()) };
    let (said, rest): (Vec<_>, Vec<_>) = entries.iter().cloned().partition(|((key, _), _)| key == "acknowledge");
    let mut faults = Vec::new();
    let said = said.first().and_then(|(_, node)| keep(config::read::<Acknowledge>(node), &mut faults).map(|said| (said, node.place)));
    (Node { value: Value::Map(rest), place: body.place }, said, faults)
}
