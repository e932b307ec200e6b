//! Trees of 5 to 12 spans over four services, twelve resource and eight span attributes. 3 % of the traces fail (the failing span and
//! all above it have status ERROR), 2 % take more than 500 ms, and about 5 % of the spans are health checks, a trace each.

use super::{
    attributes::{METHODS, ROUTES, SERVICES, now, number, pair, resource, scope},
    chance::Chance,
    template::{Fate, Template, marked_id},
};
use opentelemetry_proto::tonic::{
    collector::trace::v1::ExportTraceServiceRequest,
    trace::v1::{ResourceSpans, ScopeSpans, Span, Status, span::Event, status::StatusCode},
};
use prost::Message;

/// A span, the service it is of, and what becomes of it.
struct Made {
    service: usize,
    span: Span,
    healthy_check: bool,
    remarkable: bool,
}

/// One request in `parts` templates, between which the spans of every trace are dealt out.
pub(super) fn parts(items: usize, parts: usize, chance: &mut Chance) -> Vec<Template> {
    let now = now();
    let (mut made, mut traces) = (Vec::with_capacity(items), 0);
    while made.len() < items {
        let room = items - made.len();
        if chance.percent(30) {
            made.push(health_check(traces, now, chance))
        } else {
            made.extend(tree(traces, room, now, chance))
        }
        traces += 1;
    }
    let mut dealt: Vec<Vec<Made>> = (0..parts).map(|_| Vec::new()).collect();
    for (turn, one) in made.into_iter().enumerate() {
        dealt[turn % parts].push(one);
    }
    dealt.into_iter().map(|spans| encoded(spans, now, chance)).collect()
}

fn encoded(made: Vec<Made>, now: u64, chance: &mut Chance) -> Template {
    let items = made.len();
    let fate = Fate {
        unfiltered: made.iter().filter(|one| !one.healthy_check).count() as u64,
        remarkable: made.iter().filter(|one| one.remarkable).count() as u64,
    };
    let mut by_service: [Vec<Span>; 4] = Default::default();
    for one in made {
        by_service[one.service].push(one.span);
    }
    let group = |(service, spans): (usize, Vec<Span>)| ResourceSpans {
        resource: resource(SERVICES[service], chance),
        scope_spans: vec![ScopeSpans { scope: scope("io.opentelemetry.tomcat-10.0"), spans, ..Default::default() }],
        ..Default::default()
    };
    let resource_spans = by_service.into_iter().enumerate().filter(|(_, spans)| !spans.is_empty()).map(group).collect();
    Template::new(ExportTraceServiceRequest { resource_spans }.encode_to_vec(), items, fate, now)
}

fn health_check(trace: u32, now: u64, chance: &mut Chance) -> Made {
    let node = Node { id: chance.next(), parent: None, service: chance.below(4) as usize, took: 900_000, failed: false };
    let mut span = span(trace, &node, now - 2_000_000_000, chance);
    span.name = "GET /healthz".into();
    for attribute in &mut span.attributes {
        if attribute.key == "http.route" || attribute.key == "url.path" {
            *attribute = pair(&attribute.key, "/healthz");
        }
    }
    Made { service: node.service, span, healthy_check: true, remarkable: false }
}

struct Node {
    id: u64,
    parent: Option<(usize, u64)>,
    service: usize,
    took: u64,
    failed: bool,
}

fn tree(trace: u32, room: usize, now: u64, chance: &mut Chance) -> Vec<Made> {
    let size = (5 + chance.below(8) as usize).min(room);
    let (fails, slow) = (chance.percent(3), chance.percent(2));
    let took = if slow { 600_000_000 + chance.below(900_000_000) } else { 2_000_000 + chance.below(180_000_000) };
    let start = now - 5_000_000_000 + chance.below(1_000_000_000);
    let mut nodes = vec![Node { id: chance.next(), parent: None, service: 0, took, failed: false }];
    while nodes.len() < size {
        let above = chance.below(nodes.len() as u64) as usize;
        let service = if chance.percent(50) { nodes[above].service } else { (nodes[above].service + 1).min(3) };
        let took = nodes[above].took * (20 + chance.below(60)) / 100;
        nodes.push(Node { id: chance.next(), parent: Some((above, nodes[above].id)), service, took, failed: false });
    }
    let mut failing = fails.then_some(size - 1);
    while let Some(at) = failing {
        nodes[at].failed = true;
        failing = nodes[at].parent.map(|(above, _)| above);
    }
    let made = |(i, node): (usize, &Node)| Made {
        service: node.service,
        span: span(trace, node, start + i as u64 * 10_000, chance),
        healthy_check: false,
        remarkable: fails || slow,
    };
    nodes.iter().enumerate().map(made).collect()
}

fn span(trace: u32, node: &Node, start: u64, chance: &mut Chance) -> Span {
    let (route, method, end) = (chance.pick(&ROUTES), chance.pick(&METHODS), start + node.took);
    let exception = || Event {
        time_unix_nano: end,
        name: "exception".into(),
        attributes: vec![pair("exception.type", "java.net.SocketTimeoutException"), pair("exception.message", "Read timed out")],
        ..Default::default()
    };
    let failed = Status { code: StatusCode::Error as i32, message: "Read timed out".into() };
    Span {
        trace_id: marked_id(trace),
        span_id: node.id.to_be_bytes().to_vec(),
        parent_span_id: node.parent.map_or_else(Vec::new, |(_, id)| id.to_be_bytes().to_vec()),
        flags: 0x101,
        name: format!("{method} {route}"),
        kind: if node.service == 0 { 2 } else { 3 },
        start_time_unix_nano: start,
        end_time_unix_nano: end,
        attributes: vec![
            pair("http.request.method", method),
            pair("http.route", route),
            pair("url.path", route.replace("{id}", &chance.below(100_000).to_string())),
            pair("url.scheme", "https"),
            number("http.response.status_code", if node.failed { 500 } else { 200 }),
            pair("server.address", format!("{}.shop.svc.cluster.local", SERVICES[node.service])),
            pair("user_agent.original", "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101"),
            number("thread.id", chance.below(200).cast_signed()),
        ],
        events: node.failed.then(exception).into_iter().collect(),
        status: Some(if node.failed { failed } else { Status::default() }),
        ..Default::default()
    }
}
