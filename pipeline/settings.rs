//! What stands at the top of a pipeline file beside the three maps, as far as the runner reads it; `admin:` and `probes:` belong to the API.

use config::{Bytes, Fault, Graph, Node, Period, Place, Placed, Value};
use schemars::JsonSchema;
use serde::Deserialize;
use std::time::Duration;

/// Every name that may stand at the top of a file beside `sources`, `processors` and `sinks`.
pub const SETTINGS: &[&str] = &["journal", "memory", "drain", "admin", "probes"];

const JOURNAL_BYTES_MAX: u64 = 4 << 30;
const DEAD_LETTERS_BYTES_MAX: u64 = 256 << 20;
const DEAD_LETTERS_BYTES_MIN: u64 = 64 << 10;
const DRAIN: Duration = Duration::from_secs(25);

/// `journal:`: where a yes is made true before it is given.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
pub struct Journal {
    /// The folder, from the folder of the pipeline file.
    pub path: Placed<String>,
    /// Bytes it may take on disk; at the limit new data is refused with a time to retry. What sinks spill and dead letters lie in this folder too, beyond it.
    #[serde(default = "journal_limit")]
    pub limit: Bytes,
    /// Bytes of dead letters: what a sink refused for good. Beyond it the oldest go and are counted as lost.
    #[serde(default = "dead_letters_limit")]
    pub dead_letters_limit: Placed<Bytes>,
}

fn dead_letters_limit() -> Placed<Bytes> {
    Placed::nowhere(Bytes(DEAD_LETTERS_BYTES_MAX))
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

/// What a source's yes means.
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
                "journal" => {
                    settings.journal = keep(config::read::<Journal>(node), &mut faults);
                    let limit = settings.journal.as_ref().map(|journal| &journal.dead_letters_limit);
                    if let Some(limit) = limit.filter(|limit| limit.0 < DEAD_LETTERS_BYTES_MIN) {
                        faults.push(limit.fault("`dead_letters_limit` is too small to be of use").help("give it at least 64KiB"));
                    }
                }
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

/// `delivery:` of a sink: how it is given what waits for it.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Delivery {
    /// How long one attempt may take; then it counts as failed and is made again.
    timeout: Placed<Period>,
    /// Parcels on their way at a time; a sink that needs order has one, whatever stands here.
    concurrency: Placed<usize>,
    /// What one parcel may have, where a single request is not larger.
    batch_bytes: Placed<Bytes>,
    /// Records of one parcel.
    batch_items: Placed<usize>,
    /// How long records wait for others to be sent with while a parcel is on its way; while none is, they are sent at once.
    linger: Period,
    /// How long something may wait before it goes to disk, where it may (`on_full: spill`).
    spill_after: Period,
    /// What may lie on disk for this sink; by default as much as `journal.limit`. Beyond it others wait.
    spill_limit: Option<Placed<Bytes>>,
}

impl Default for Delivery {
    fn default() -> Delivery {
        Delivery {
            timeout: Placed::nowhere(Period(Duration::from_secs(30))),
            concurrency: Placed::nowhere(4),
            batch_bytes: Placed::nowhere(Bytes(2 << 20)),
            batch_items: Placed::nowhere(16_384),
            linger: Period(Duration::from_millis(10)),
            spill_after: Period(Duration::from_secs(5)),
            spill_limit: None,
        }
    }
}

const CONCURRENCY_MAX: usize = 256;
const BATCH_BYTES_MIN: u64 = 4 << 10;
const SPILL_BYTES_MIN: u64 = 1 << 20;

/// The same, as it is used.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Delivering {
    pub(crate) timeout: Duration,
    pub(crate) concurrency: usize,
    pub(crate) batch_bytes: usize,
    pub(crate) batch_items: usize,
    pub(crate) linger: Duration,
    pub(crate) spill_after: Duration,
    pub(crate) spill_limit: Option<u64>,
}

impl Default for Delivering {
    fn default() -> Delivering {
        Delivery::default().checked(&mut Vec::new())
    }
}

impl Delivery {
    fn checked(self, faults: &mut Vec<Fault>) -> Delivering {
        if self.timeout.0.is_zero() {
            faults.push(self.timeout.fault("no attempt takes no time").help("timeout: 30s"));
        }
        if !(1..=CONCURRENCY_MAX).contains(&*self.concurrency) {
            faults.push(self.concurrency.fault(format!("`concurrency` is from 1 to {CONCURRENCY_MAX}")));
        }
        if self.batch_bytes.0 < BATCH_BYTES_MIN {
            faults.push(self.batch_bytes.fault("a parcel has at least 4KiB").help("batch_bytes: 2MiB"));
        }
        if *self.batch_items == 0 {
            faults.push(self.batch_items.fault("a parcel has at least one record").help("batch_items: 16384"));
        }
        if let Some(limit) = self.spill_limit.as_ref().filter(|limit| limit.0 < SPILL_BYTES_MIN) {
            faults.push(limit.fault("`spill_limit` is too small to be of use").help("give it at least 1MiB, or say `on_full: block`"));
        }
        Delivering {
            timeout: self.timeout.0,
            concurrency: *self.concurrency,
            batch_bytes: usize::try_from(self.batch_bytes.0).unwrap_or(usize::MAX),
            batch_items: *self.batch_items,
            linger: self.linger.0,
            spill_after: self.spill_after.0,
            spill_limit: self.spill_limit.map(|limit| limit.0),
        }
    }
}

/// `acknowledge:` is a key of every source, read here so that no source has to know it: what stands there, and the body without it.
pub(crate) fn take_acknowledge(body: &Node, faults: &mut Vec<Fault>) -> (Node, Option<(Acknowledge, Place)>) {
    let (body, said) = take(body, "acknowledge");
    (body, said.and_then(|node| keep(config::read::<Acknowledge>(&node), faults).map(|said| (said, node.place))))
}

/// The same with `delivery:`, a key of every sink.
pub(crate) fn take_delivery(body: &Node, faults: &mut Vec<Fault>) -> (Node, Delivering) {
    let (body, said) = take(body, "delivery");
    let Some(said) = said else { return (body, Delivering::default()) };
    // What can be read is looked at, too.
    let (read, found) = config::read_around::<Delivery>(&said);
    faults.extend(found);
    (body, read.unwrap_or_default().checked(faults))
}

fn take(body: &Node, word: &str) -> (Node, Option<Node>) {
    let Value::Map(entries) = &body.value else { return (body.clone(), None) };
    let (said, rest): (Vec<_>, Vec<_>) = entries.iter().cloned().partition(|((key, _), _)| key == word);
    (Node { value: Value::Map(rest), place: body.place }, said.into_iter().next().map(|(_, node)| node))
}
