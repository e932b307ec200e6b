//! What a gateway has, asked through its query API.

use crate::clients::Part;
use kit::Kansoku;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// By the number of the trace.
#[derive(Debug, Default)]
pub(crate) struct Stored {
    /// Spans that it has of each.
    pub(crate) spans: BTreeMap<u64, u64>,
    logs: BTreeSet<u64>,
}

impl Stored {
    /// Whether anything of it is here.
    pub(crate) fn knows(&self, trace: u64) -> bool {
        self.spans.contains_key(&trace) || self.logs.contains(&trace)
    }

    /// Traces of which all is here.
    pub(crate) fn whole(&self) -> BTreeSet<u64> {
        self.spans.iter().filter(|(trace, spans)| **spans >= 2 && self.logs.contains(trace)).map(|(trace, _)| *trace).collect()
    }
}

/// Whether all these parts are in one of the gateways, or in several together.
pub(crate) fn have_all(gateways: &[&Kansoku], stores: &[Stored], parts: &BTreeSet<(u64, Part)>) -> bool {
    parts.iter().all(|(trace, part)| match part {
        Part::Log => stores.iter().any(|store| store.logs.contains(trace)),
        // What is whole at one is not looked at span by span.
        Part::Root | Part::Child if stores.iter().any(|store| store.spans.get(trace).is_some_and(|spans| *spans >= 2)) => true,
        Part::Root => gateways.iter().any(|gateway| has_span(gateway, *trace, 1)),
        Part::Child => gateways.iter().any(|gateway| has_span(gateway, *trace, 2)),
    })
}

fn has_span(gateway: &Kansoku, trace: u64, own: u8) -> bool {
    let said = gateway.ask(&["query", "trace", &kit::otlp::trace_hex(trace), "--json"]);
    let id = format!("{own:02x}").repeat(8);
    let trace: Value = serde_json::from_str(&said.out).unwrap_or_default();
    trace["spans"].as_array().into_iter().flatten().any(|span| span["span_id"] == id.as_str())
}

/// As it is now.
pub(crate) fn stored(gateway: &Kansoku) -> Stored {
    let mut stored = Stored::default();
    for trace in asked(gateway, "traces") {
        let id = u128::from_str_radix(trace["trace_id"].as_str().unwrap(), 16).unwrap();
        *stored.spans.entry(u64::try_from(id & u128::from(u64::MAX)).unwrap()).or_default() += trace["span_count"].as_u64().unwrap();
    }
    for log in asked(gateway, "logs") {
        let text = log["message"].as_str().unwrap();
        stored.logs.insert(text.rsplit(' ').next().unwrap().parse().unwrap());
    }
    stored.spans.retain(|_, spans| *spans > 0);
    stored
}

fn asked(gateway: &Kansoku, what: &str) -> Vec<Value> {
    let said = gateway.ask(&["query", what, "--service", "shop", "--since", "24h", "--limit", "10000", "--json"]);
    said.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// What `correlate` counted.
pub(crate) fn tallied(gateway: &Kansoku, metric: &str, word: &str) -> u64 {
    let status = gateway.status();
    let nodes = status["ledger"]["nodes"].as_array().unwrap();
    let traces = nodes.iter().find(|node| node["name"] == "traces").unwrap();
    traces["tallies"][metric][word].as_u64().unwrap_or(0)
}
