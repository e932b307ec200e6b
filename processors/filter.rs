//! Keeps or drops records by a condition, on the bytes: what stays is copied as ranges, and what is whole is not copied at all.

use config::Fault;
use expression::{Conditions, Predicates};
use pipeline::{BuildContext, Component, Out, Processor, Reason, Shape};
use schemars::JsonSchema;
use serde::Deserialize;
use signal::{Flow, Kinds};

/// Lets records through or takes them out, by condition. What is taken out is counted as `discarded{filtered}`.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct Filter {
    /// Records that meet any of these go on; the others of the same signal are discarded.
    keep: Option<Conditions>,
    /// Records that meet any of these are discarded.
    drop: Option<Conditions>,
}

impl Component for Filter {
    type Runs = dyn Processor;
    const TYPE: &'static str = "filter";
    const EXAMPLE: &'static str = r#"drop: '.attributes."url.path" == "/healthz"'"#;

    fn shape(&self, takes: Kinds) -> Shape {
        Shape { acts_on: takes, ..Shape::passing(takes) }
    }

    fn build(&self, context: &BuildContext<'_>) -> Result<Box<dyn Processor>, Vec<Fault>> {
        let records = records_of(context.takes);
        let compile = |conditions: &Option<Conditions>| conditions.as_ref().map(|c| c.compile(records)).transpose();
        match (compile(&self.keep), compile(&self.drop)) {
            (Ok(None), Ok(None)) => Err(context.fault(format!("`{}` filters nothing: it has neither `keep` nor `drop`", context.name))),
            (Ok(keep), Ok(drop)) => Ok(Box::new(Filtering { keep, drop })),
            (keep, drop) => Err([keep.err(), drop.err()].into_iter().flatten().flatten().collect()),
        }
    }

    fn warnings(&self, context: &BuildContext<'_>) -> Vec<Fault> {
        let records = records_of(context.takes);
        [&self.keep, &self.drop].into_iter().flatten().flat_map(|conditions| conditions.warnings(records)).collect()
    }
}

/// The kinds of lone records in what flows: closed traces are asked span by span and log by log.
pub(crate) fn records_of(takes: Kinds) -> Kinds {
    takes.signals().fold(Kinds::NONE, |kinds, signal| kinds.and(Kinds::of(signal)))
}

struct Filtering {
    keep: Option<Predicates>,
    drop: Option<Predicates>,
}

impl Processor for Filtering {
    fn process(&mut self, mut flow: Flow, out: &mut Out<'_>) {
        let now = out.now();
        for batch in flow.batches_mut() {
            let gone = batch.retain(|record| {
                let kept = self.keep.as_ref().and_then(|keep| keep.meets(&record, now)).unwrap_or(true);
                let dropped = self.drop.as_ref().and_then(|drop| drop.meets(&record, now)).unwrap_or(false);
                kept && !dropped
            });
            out.discarded(batch.signal(), gone, Reason::FILTERED);
        }
        out.send(flow);
    }
}
