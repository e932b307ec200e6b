//! WHAT ANOTHER WROTE: the configuration of an OpenTelemetry Collector as a pipeline of ours, and of every part that has no counterpart, where it stands, why, and
//! what to do instead. Start reading at `pipelines.rs`.

mod attributes;
mod balancing;
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

#[cfg(test)]
mod tests;

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
    /// What was not written because nothing is lost without it, and why that is so.
    pub needless: Vec<Fault>,
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
    document.root.broken().into_iter().for_each(|fault| notes.broken(fault));
    let (said, needless) = notes.into_faults();
    let yaml = made.map(|made| format!("{}{made}", head(document, &said, &needless)));
    Converted { yaml, said, needless }
}

/// What was left out, differs, or is not needed, as comments.
fn head(document: &Document, said: &[Fault], needless: &[Fault]) -> String {
    let mut head = format!("# Converted from {} by `kansoku convert otelcol`.\n", document.source.name);
    let of_level = |level: Level| said.iter().filter(|fault| fault.level == level).collect::<Vec<&Fault>>();
    for (title, faults) in [
        ("Left out:", of_level(Level::Error)),
        ("Done in another way:", of_level(Level::Warning)),
        ("Not needed here:", needless.iter().collect()),
    ] {
        if faults.is_empty() {
            continue;
        }
        head.push_str(&format!("#\n# {title}\n"));
        for fault in faults {
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
