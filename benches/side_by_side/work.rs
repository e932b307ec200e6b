//! The list of what is measured: which work, on which load, and how much of it has to come out.

use crate::{
    client::Coding,
    load::{Load, Sent},
    payload::Signal,
};

/// What the servers do with what comes in; each has a pipeline file for either.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Work {
    Passthrough,
    Filter,
    Set,
    FilterSet,
    /// Every trace comes in four requests.
    Sample,
    /// Every trace comes in twelve.
    SampleWide,
    Journal,
    /// Requests of one span, 5,000 a second, with a journal.
    Trickle,
    /// To a topic, a message for each trace.
    KafkaOut,
    /// From a topic, a message for each request.
    KafkaIn,
}

/// What has to come out of what was answered yes.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Expected {
    /// So many, or more where an answer was lost on the way and the request came twice.
    AtLeast(u64),
    /// About so many: chance decides.
    About(u64),
}

/// CPU and memory in shares of the Collector's that the project has set itself.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bound {
    pub(crate) cpu: f64,
    pub(crate) memory: f64,
}

const ALL: [Work; 10] = [
    Work::Passthrough,
    Work::Filter,
    Work::Set,
    Work::FilterSet,
    Work::Sample,
    Work::SampleWide,
    Work::Journal,
    Work::Trickle,
    Work::KafkaOut,
    Work::KafkaIn,
];

/// How long the servers hold a trace, in seconds.
const WINDOW: f64 = 2.0;

impl Work {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Work::Passthrough => "passthrough",
            Work::Filter => "filter",
            Work::Set => "set",
            Work::FilterSet => "filter_set",
            Work::Sample => "sample",
            Work::SampleWide => "sample_wide",
            Work::Journal => "journal",
            Work::Trickle => "trickle",
            Work::KafkaOut => "kafka_out",
            Work::KafkaIn => "kafka_in",
        }
    }

    /// Kansoku's pipeline and the Collector's.
    pub(crate) fn pipelines(self) -> (&'static str, &'static str) {
        match self {
            Work::Passthrough => (include_str!("kansoku/passthrough.yaml"), include_str!("collector/passthrough.yaml")),
            Work::Filter => (include_str!("kansoku/filter.yaml"), include_str!("collector/filter.yaml")),
            Work::Set => (include_str!("kansoku/set.yaml"), include_str!("collector/set.yaml")),
            Work::FilterSet => (include_str!("kansoku/filter_set.yaml"), include_str!("collector/filter_set.yaml")),
            Work::Sample | Work::SampleWide => (include_str!("kansoku/sample.yaml"), include_str!("collector/sample.yaml")),
            Work::Journal | Work::Trickle => (include_str!("kansoku/journal.yaml"), include_str!("collector/journal.yaml")),
            Work::KafkaOut => (include_str!("kansoku/kafka_out.yaml"), include_str!("collector/kafka_out.yaml")),
            Work::KafkaIn => (include_str!("kansoku/kafka_in.yaml"), include_str!("collector/kafka_in.yaml")),
        }
    }

    pub(crate) fn expected(self, sent: &Sent) -> Expected {
        match self {
            Work::Passthrough | Work::Set | Work::KafkaOut | Work::KafkaIn => Expected::AtLeast(sent.items),
            Work::Filter | Work::FilterSet | Work::Journal | Work::Trickle => Expected::AtLeast(sent.unfiltered),
            Work::Sample | Work::SampleWide => Expected::About(sent.remarkable + (sent.items - sent.remarkable) / 10),
        }
    }

    /// Whether every item comes out with the attribute that is set.
    pub(crate) fn sets(self) -> bool {
        matches!(self, Work::Set | Work::FilterSet)
    }

    /// Whether it needs a broker.
    pub(crate) fn has_topic(self) -> bool {
        matches!(self, Work::KafkaOut | Work::KafkaIn)
    }

    fn signals(self) -> &'static [Signal] {
        match self {
            Work::Passthrough | Work::Set | Work::Journal => &[Signal::Traces, Signal::Logs, Signal::Metrics],
            Work::Filter | Work::FilterSet | Work::KafkaOut => &[Signal::Traces, Signal::Logs],
            Work::Sample | Work::SampleWide | Work::Trickle | Work::KafkaIn => &[Signal::Traces],
        }
    }
}

/// One line of the table.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cell {
    pub(crate) work: Work,
    pub(crate) load: Load,
    /// Items a second at which memory is compared.
    pub(crate) rate: f64,
}

impl Cell {
    fn new(work: Work, signal: Signal, items: usize, coding: Coding) -> Cell {
        let (connections, inflight) = match items {
            _ if work == Work::Trickle => (8, 64),
            // Its messages wait for each other.
            _ if work == Work::KafkaIn => (4, 64),
            // Small requests come from many clients.
            10 => (4, 16),
            _ => (4, 2),
        };
        let spread = match work {
            Work::Sample => 4,
            Work::SampleWide => 12,
            _ => 1,
        };
        let rate = match (work, items) {
            (Work::Trickle, _) => 5_000.0,
            // The Collector syncs every request by itself, a few hundred a second.
            (Work::Journal, 10) => 1_000.0,
            (Work::Journal, 100) => 10_000.0,
            (Work::Sample | Work::SampleWide, _) | (_, 10) => 20_000.0,
            (_, 100) | (Work::Journal, _) => 40_000.0,
            _ => 100_000.0,
        };
        Cell { work, load: Load { signal, items, spread, coding, connections, inflight }, rate }
    }

    /// As it is named in the table and picked by `--only`.
    pub(crate) fn name(&self) -> String {
        format!("{}-{}-{}-{}", self.work.name(), self.load.signal.name(), self.load.items, self.load.coding.name())
    }

    /// Whether the given rate is the whole load, and full speed is not asked for.
    pub(crate) fn rate_is_all(&self) -> bool {
        self.work == Work::Trickle
    }

    /// What the project has set itself for it, where it has.
    pub(crate) fn bound(&self) -> Option<Bound> {
        let bound = |cpu: f64, memory: f64| Some(Bound { cpu: 1.0 / cpu, memory: 1.0 / memory });
        match (self.work, self.load.items) {
            (Work::Passthrough, 1000) => bound(6.0, 3.0),
            (Work::Passthrough, 10) => bound(3.0, 3.0),
            (Work::FilterSet, _) => bound(5.0, 3.0),
            (Work::Sample | Work::SampleWide, _) => bound(8.0, 4.0),
            (Work::Journal | Work::Trickle, _) => bound(4.0, 3.0),
            (Work::KafkaOut | Work::KafkaIn, _) => bound(3.0, 3.0),
            _ => None,
        }
    }

    /// Spans that are held at once at the given rate, where the work holds any.
    pub(crate) fn open(&self) -> Option<f64> {
        matches!(self.work, Work::Sample | Work::SampleWide).then_some(self.rate * WINDOW)
    }

    /// In the table that is run without words: everything uncompressed but what two others show together.
    fn usual(&self) -> bool {
        match (self.work, self.load.coding) {
            (Work::Filter | Work::Set | Work::SampleWide, Coding::None) => self.load.items == 100,
            (_, Coding::None) => true,
            (Work::Passthrough, Coding::Gzip) => self.load.items == 1000,
            _ => false,
        }
    }
}

/// The cells that have one of these words in their name; `all` is in every name, and without words it is the usual ones.
pub(crate) fn cells(words: &[String]) -> Vec<Cell> {
    let mut cells = Vec::new();
    for work in ALL {
        for &signal in work.signals() {
            let sizes: &[usize] = if work == Work::Trickle { &[1] } else { &[10, 100, 1000] };
            for &items in sizes {
                cells.extend([Coding::None, Coding::Gzip].map(|coding| Cell::new(work, signal, items, coding)));
            }
        }
    }
    let asked = |cell: &Cell| words.iter().any(|word| word == "all" || cell.name().contains(word));
    cells.retain(|cell| if words.is_empty() { cell.usual() } else { asked(cell) });
    cells
}
