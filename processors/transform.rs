//! Changes records with a VRL program; its writes are patched into the bytes.

use crate::filter::records_of;
use config::Fault;
use expression::{Program, Script, script::Ran};
use pipeline::{BuildContext, Component, Out, Processor, Reason, Shape};
use schemars::JsonSchema;
use serde::Deserialize;
use signal::{Flow, Kinds};

/// Runs a VRL program on each record. `abort` takes the record out, counted as `discarded{aborted}`; a record on which the program fails goes on unchanged.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct Transform {
    /// The program. It sees and writes the fields that the reference lists, such as `.attributes."deployment.ring" = "blue"`.
    vrl: Script,
}

impl Component for Transform {
    type Runs = dyn Processor;
    const TYPE: &'static str = "transform";
    const EXAMPLE: &'static str = r#"vrl: '.attributes."deployment.ring" = "blue"'"#;

    fn shape(&self, takes: Kinds) -> Shape {
        Shape { acts_on: takes, ..Shape::passing(takes) }
    }

    fn build(&self, context: &BuildContext<'_>) -> Result<Box<dyn Processor>, Vec<Fault>> {
        let program = self.vrl.compile(records_of(context.takes))?;
        Ok(Box::new(Transforming { program }))
    }
}

struct Transforming {
    program: Program,
}

impl Processor for Transforming {
    fn process(&mut self, mut flow: Flow, out: &mut Out<'_>) {
        let now = out.now();
        let concerns = self.program.concerns();
        for batch in flow.batches_mut().filter(|b| concerns.has(Kinds::of(b.signal()))) {
            if let Some(same) = self.program.same_for_all(batch.signal()) {
                batch.edit_all(same);
                continue;
            }
            let gone = batch.edit(|record, edit| match self.program.run(&record, now, edit) {
                Ran::Aborted => edit.discard(),
                // A program that failed has written nothing.
                Ran::Done | Ran::Failed(_) => {}
            });
            out.discarded(batch.signal(), gone, Reason::ABORTED);
        }
        out.send(flow);
    }
}
