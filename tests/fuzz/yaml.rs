//! What must hold for any pipeline file: it is read or refused, every place lies inside of it, and every fault can be shown.

use config::{Document, Environment, Fault, Graph, show};
use std::sync::Arc;

struct Bare;

impl Environment for Bare {
    fn variable(&self, name: &str) -> Option<String> {
        (name.len() < 3).then(|| name.repeat(2))
    }
    fn file(&self, _: &str) -> Result<String, String> {
        Err("there is no such file".to_owned())
    }
}

fn inside(faults: &[Fault], text: &str) {
    for fault in faults {
        assert!(fault.place.start <= fault.place.end && fault.place.end as usize <= text.len(), "{fault:?}");
    }
}

/// Any text is a pipeline or has faults that can be shown.
pub fn a_pipeline_is_read_or_refused(text: &str) {
    let (source, faults) = match Document::parse("fuzz.yaml", text, &Bare) {
        Err((source, faults)) => {
            assert!(!faults.is_empty());
            (source, faults)
        }
        Ok(document) => {
            let source = Arc::clone(&document.source);
            let (graph, mut faults) = Graph::of(Arc::new(document), &["journal", "admin"]);
            faults.extend(graph.nodes().flat_map(|node| node.body.broken()));
            (source, faults)
        }
    };
    inside(&faults, text);
    assert_eq!(show::text(&source, &faults, show::Colour::Never).is_empty(), faults.is_empty());
    assert_eq!(show::json(&source, &faults).as_array().map(Vec::is_empty), Some(faults.is_empty()));
}
