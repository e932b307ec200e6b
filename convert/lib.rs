//! WHAT ANOTHER WROTE: the configuration of an OpenTelemetry Collector as a pipeline of ours, and of every part that has no counterpart, where it stands, why, and
//! what to do instead. Start reading at `pipelines.rs`.

mod attributes;
mod connectors;
mod exporters;
mod extensions;
mod filter;
mod nodes;
mod notes;
mod ottl;
mod pipelines;
mod policies;
mod processors;
mod receivers;
mod sampling;
mod transform;
mod written;
mod yaml;

use config::{Document, Fault, Level, show::line_column};
use notes::Notes;

/// The types of nodes that there are; a part for which there is none is said and left out.
#[derive(Clone, Copy, Debug)]
pub struct Offers<'a> {
    /// After `type:` of a source.
    pub sources: &'a [&'a str],
    /// Of a processor.
    pub processors: &'a [&'a str],
    /// Of a sink.
    pub sinks: &'a [&'a str],
}

/// A configuration that was converted as far as possible.
#[derive(Debug)]
pub struct Converted {
    /// The pipeline file; none where nothing of it could be converted.
    pub yaml: Option<String>,
    /// What was left out, as errors, and what behaves in another way, as warnings: at their places in what was read.
    pub said: Vec<Fault>,
}

impl Converted {
    /// Whether all of it was converted.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.yaml.is_some() && self.said.iter().all(|fault| fault.level == Level::Warning)
    }
}

/// Converts a Collector's configuration, read with [`Document::as_written`]: references to the environment stay as they are.
#[must_use]
pub fn otelcol(document: &Document, offers: Offers<'_>) -> Converted {
    let mut notes = Notes::default();
    let made = pipelines::convert(&document.root, offers, &mut notes);
    let mut said = notes.into_faults();
    said.extend(document.root.broken());
    said.sort_by_key(|fault| (fault.place, fault.level));
    said.dedup();
    let yaml = made.map(|made| format!("{}{made}", head(document, &said)));
    Converted { yaml, said }
}

/// What was left out or differs, as comments.
fn head(document: &Document, said: &[Fault]) -> String {
    let mut head = format!("# Converted from {} by `kansoku convert otelcol`.\n", document.source.name);
    for (level, title) in [(Level::Error, "Left out:"), (Level::Warning, "Done in another way:")] {
        let of_level: Vec<&Fault> = said.iter().filter(|fault| fault.level == level).collect();
        if of_level.is_empty() {
            continue;
        }
        head.push_str(&format!("#\n# {title}\n"));
        for fault in of_level {
            let (line, column) = line_column(&document.source.text, fault.place.start);
            head.push_str(&format!("# - {}:{line}:{column}: {}\n", document.source.name, in_one_line(&fault.what)));
            if let Some(help) = &fault.help {
                head.push_str(&format!("#   {}\n", in_one_line(help)));
            }
        }
    }
    head
}

fn in_one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
