//! The exporter that sends each trace to one of several Collectors.

use crate::{
    exporters::{Protocol, To, otlp},
    nodes::Body,
    notes::Notes,
    written::{Keys, items},
};

const PORT: &str = "4317";

/// None where it is not said, or not known here, who the gateways are.
pub(crate) fn convert(mut keys: Keys<'_>, notes: &mut Notes) -> Option<Body> {
    let (path, place) = (keys.path.clone(), keys.place);
    let by = "spans and logs go by their trace here, and metrics by their resource";
    keys.unless("routing_key", &["traceID", "resource"], by, "leave it out", notes);
    let to = keys.under("resolver").and_then(|resolver| gateways(resolver, notes));
    let mut protocol = keys.under("protocol").unwrap_or_else(|| Keys::none(format!("{path}.protocol")));
    let template = protocol.under("otlp").unwrap_or_else(|| Keys::none(format!("{path}.protocol.otlp")));
    protocol.finish(notes, "what goes to the gateways is OTLP over gRPC");
    keys.finish(notes, "every sink has a queue, tries again, and takes its own time: delivery: { timeout: 30s }");
    match to {
        Some(to) => otlp(template, Protocol::Grpc, to, notes),
        None => {
            notes.left_out(place, format!("`{path}` does not say who the gateways are"), "endpoint: dns:///gateway:4317");
            None
        }
    }
}

fn gateways(mut resolver: Keys<'_>, notes: &mut Notes) -> Option<To> {
    let instead = "endpoint: dns:///gateway:4317, or a list of endpoints";
    let mut to = None;
    if let Some(mut k8s) = resolver.under("k8s") {
        let mut ports = items(k8s.take("ports")).into_iter();
        let port = ports.next().map_or_else(|| PORT.to_owned(), |(port, _)| port);
        for (port, place) in ports {
            notes.left_out(place, format!("`{}.ports`: gateways listen on one port here, and {port} is another", k8s.path), instead);
        }
        k8s.needless(&["timeout"], "who the gateways are is asked again and again", notes);
        k8s.differs(&["return_hostnames"], "gateways are told apart by their addresses", "a list of endpoints", notes);
        let path = k8s.path.clone();
        if let Some(service) = k8s.text("service") {
            let what = format!("`{path}`: addresses come from DNS here, so the Service has to be headless");
            notes.differs(k8s.place, what, "clusterIP: None");
            to = Some(To::Name(format!("{service}:{port}"), None));
        }
        k8s.finish(notes, instead);
    }
    if let Some(mut dns) = resolver.under("dns") {
        let port = dns.text("port").unwrap_or_else(|| PORT.to_owned());
        let every = dns.period("interval", notes);
        dns.needless(&["timeout"], "while nobody answers the gateways stay those that they were", notes);
        let name = dns.text("hostname").map(|host| To::Name(format!("{host}:{port}"), every));
        to = to.or(name);
        dns.finish(notes, instead);
    }
    if let Some(mut list) = resolver.under("static") {
        let with_port = |(host, _): (String, _)| if host.contains(':') { host } else { format!("{host}:{PORT}") };
        let all: Vec<String> = items(list.take("hostnames")).into_iter().map(with_port).collect();
        to = to.or((!all.is_empty()).then_some(To::Gateways(all)));
        list.finish(notes, instead);
    }
    resolver.finish(notes, instead);
    to
}
