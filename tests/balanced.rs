//! Two tiers of real processes: two fronts send each trace to one of several gateways behind a name, while a gateway is added and one is killed. Nothing that was acknowledged
//! is lost, and no trace is split that was not open when the gateways changed.
//!
//! What a trace has to do with a change is told by states, not by times: it was whole in a gateway's store before, or it was begun after every front knew.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "balanced/clients.rs"]
mod clients;
#[path = "balanced/stored.rs"]
mod stored;

use clients::{Clients, Part};
use kit::{Kansoku, dns, http, tls, until};
use std::{
    collections::{BTreeMap, BTreeSet},
    net::TcpListener,
    path::Path,
};
use stored::{Stored, have_all, stored};
use tempfile::TempDir;

const NAME: &str = "gateway.example";
/// Traces that are begun before a change and ended after it.
const OPEN: u64 = 100;
/// Whole traces between two changes.
const WHOLE: usize = 200;

struct Gateway {
    address: String,
    folder: TempDir,
    kansoku: Kansoku,
}

impl Gateway {
    fn start(address: &str, port: u16) -> Gateway {
        let folder = tempfile::tempdir().unwrap();
        let kansoku = Gateway::life(folder.path(), address, port);
        Gateway { address: address.to_owned(), folder, kansoku }
    }

    fn life(folder: &Path, address: &str, port: u16) -> Kansoku {
        let pipeline = format!(
            "
journal: {{ path: journal, limit: 256MiB }}
admin: {{ listen: 127.0.0.1:0 }}
sources:
  otlp: {{ grpc: {{ listen: '{address}:{port}' }}, http: {{ listen: off }} }}
processors:
  traces: {{ type: correlate, inputs: [otlp], remember: 3s, close: {{ after_root: 300ms, idle: 1s, after_first: 4s }} }}
  kept: {{ type: sample, inputs: [traces], rules: [{{ name: all, keep: 100% }}] }}
sinks:
  store: {{ inputs: [kept], path: store }}
"
        );
        Kansoku::run(folder, &pipeline)
    }
}

fn front(names: &dns::Server, port: u16) -> (TempDir, Kansoku) {
    let folder = tempfile::tempdir().unwrap();
    let pipeline = format!(
        "
journal: {{ path: journal, limit: 256MiB }}
admin: {{ listen: 127.0.0.1:0 }}
sources:
  otlp: {{ grpc: {{ listen: off }}, http: {{ listen: 127.0.0.1:0 }} }}
sinks:
  gateways: {{ type: otlp, inputs: [otlp], endpoint: 'dns://{}/{NAME}:{port}', balance: trace_id, resolve_every: 1s, remember: 10m }}
",
        names.address()
    );
    let kansoku = Kansoku::run(folder.path(), &pipeline);
    (folder, kansoku)
}

/// A port that is free at each of these addresses.
fn port(addresses: &[&str]) -> u16 {
    until("a port is free everywhere", || {
        let first = TcpListener::bind((addresses[0], 0)).unwrap();
        let port = first.local_addr().unwrap().port();
        addresses[1..].iter().all(|address| TcpListener::bind((*address, port)).is_ok()).then_some(port)
    })
}

/// Addresses that a front knows, by their state.
fn known(front: &Kansoku) -> BTreeMap<String, String> {
    let status = front.status();
    let each = status["sinks"][0]["gateways"]["each"].as_array().unwrap_or_else(|| panic!("no gateways: {status}"));
    each.iter().map(|one| (one["address"].as_str().unwrap().to_owned(), one["state"].as_str().unwrap().to_owned())).collect()
}

fn moved(front: &Kansoku) -> u64 {
    front.status()["sinks"][0]["gateways"]["moved_traces"].as_u64().unwrap()
}

fn all_know(fronts: &[&Kansoku], what: &str, wanted: impl Fn(&BTreeMap<String, String>) -> bool) {
    until(what, || fronts.iter().all(|front| wanted(&known(front))).then_some(()));
}

/// Begins so many traces at the first front and waits until gateways have all of them.
fn begun(clients: &Clients, gateways: &[&Kansoku]) -> BTreeSet<u64> {
    let traces: BTreeSet<u64> = (0..OPEN).map(|_| clients.begin()).collect();
    traces.iter().for_each(|trace| clients.send(*trace, Part::Root, 0));
    until("what was begun is at the gateways", || {
        let there: BTreeSet<u64> = gateways.iter().flat_map(|gateway| stored(gateway).spans.into_keys()).collect();
        traces.is_subset(&there).then_some(())
    });
    traces
}

/// Those that are whole at one of them.
fn whole(gateways: &[&Kansoku]) -> BTreeSet<u64> {
    gateways.iter().flat_map(|gateway| stored(gateway).whole()).collect()
}

#[test]
fn a_gateway_is_added_and_one_is_killed_and_only_open_traces_are_split() {
    let addresses = ["127.0.0.1", "127.0.0.2", "127.0.0.3", "127.0.0.4"];
    let (names, port) = (dns::Server::start(), port(&addresses));
    names.set(NAME, &addresses[..3]);
    let mut gateways: Vec<Gateway> = addresses.iter().map(|address| Gateway::start(address, port)).collect();
    let (fronts, _folders): (Vec<Kansoku>, Vec<TempDir>) =
        (0..2).map(|_| front(&names, port)).map(|(folder, front)| (front, folder)).unzip();
    let fronts: [&Kansoku; 2] = [&fronts[0], &fronts[1]];
    let clients = Clients::start(fronts.map(Kansoku::http));
    clients.complete(WHOLE);

    // One is added. What the front that ends a trace has begun stays whole.
    let all: Vec<&Kansoku> = gateways.iter().map(|gateway| &gateway.kansoku).collect();
    let open_at_the_first = begun(&clients, &all);
    let whole_before_the_first = whole(&all);
    let first = clients.next();
    names.set(NAME, &addresses);
    all_know(&fronts, "both fronts know the new gateway", |known| known.len() == 4);
    let after_the_first = clients.next();
    for trace in &open_at_the_first {
        clients.send(*trace, Part::Child, 0);
        clients.send(*trace, Part::Log, 0);
    }
    clients.complete(WHOLE);

    // One is killed.
    let open_at_the_second = begun(&clients, &all);
    let whole_before_the_second = whole(&all);
    let orphaned: BTreeSet<u64> = stored(&gateways[1].kansoku).spans.into_keys().collect();
    let orphaned: BTreeSet<u64> = orphaned.intersection(&open_at_the_second).copied().collect();
    let killed = gateways.remove(1);
    let second = clients.next();
    killed.kansoku.signal("KILL");
    assert_eq!(killed.kansoku.ended().code, 137);
    let place = format!("{}:{port}", killed.address);
    all_know(&fronts, "both fronts know that it is down", |known| known.get(&place).is_some_and(|state| state == "down"));
    let after_the_second = clients.next();
    for trace in &open_at_the_second {
        clients.send(*trace, Part::Child, 0);
        clients.send(*trace, Part::Log, 0);
    }
    clients.complete(WHOLE);
    let moved = fronts.map(moved).iter().sum::<u64>();
    assert!(moved >= orphaned.len() as u64, "{moved} moved, {} were open at the dead one", orphaned.len());

    // It comes back with what it had acknowledged.
    clients.stop();
    let back = Gateway { kansoku: Gateway::life(killed.folder.path(), &killed.address, port), ..killed };
    gateways.push(back);
    all_know(&fronts, "both fronts know that it is back", |known| known.values().all(|state| state == "up"));
    let all: Vec<&Kansoku> = gateways.iter().map(|gateway| &gateway.kansoku).collect();
    let acknowledged = clients.acknowledged();
    let stores: Vec<Stored> = until("everything that was acknowledged is stored", || {
        let stores: Vec<Stored> = all.iter().map(|gateway| stored(gateway)).collect();
        have_all(&all, &stores, &acknowledged).then_some(stores)
    });

    let split: BTreeSet<u64> = (0..clients.next()).filter(|trace| stores.iter().filter(|store| store.knows(*trace)).count() > 1).collect();
    let was_open = |trace: &u64| {
        let at_the_first = (..after_the_first).contains(trace) && !whole_before_the_first.contains(trace);
        let at_the_second = (..after_the_second).contains(trace) && !whole_before_the_second.contains(trace);
        at_the_first || at_the_second
    };
    let wrong: Vec<&u64> = split.iter().filter(|trace| !was_open(trace)).collect();
    println!(
        "{} traces, {} split; added at {first}..{after_the_first}, killed at {second}..{after_the_second}, {} open there, {moved} moved",
        clients.next(),
        split.len(),
        orphaned.len()
    );
    assert!(wrong.is_empty(), "split though they were not open at a change: {wrong:?}");
    assert!(split.is_disjoint(&open_at_the_first), "while their gateway lives they stay there");
    let of_the_second: BTreeSet<u64> = split.intersection(&open_at_the_second).copied().collect();
    assert_eq!(of_the_second, orphaned, "those of the dead gateway, and no other");
    let rootless: u64 = all[..3].iter().map(|gateway| stored::tallied(gateway, "kansoku_traces_closed_total", "idle")).sum();
    assert!(rootless >= orphaned.len() as u64, "the living closed {rootless} without a root");
    let shares: Vec<usize> = stores.iter().map(|store| store.spans.len()).collect();
    assert!(shares.iter().all(|share| *share > 0), "each has its share: {shares:?}");
}

/// What balancing is for, and how one learns that it is missing.
#[test]
fn sent_to_each_in_turn_the_traces_of_a_service_are_split_and_the_gateways_name_it() {
    let addresses = ["127.0.0.1", "127.0.0.2"];
    let port = port(&addresses);
    let gateways = addresses.map(|address| Gateway::start(address, port));
    let folder = tempfile::tempdir().unwrap();
    let pipeline = format!(
        "
admin: {{ listen: 127.0.0.1:0 }}
sources: {{ otlp: {{ grpc: {{ listen: off }}, http: {{ listen: 127.0.0.1:0 }} }} }}
sinks: {{ next: {{ type: otlp, inputs: [otlp], endpoint: ['http://127.0.0.1:{port}', 'http://127.0.0.2:{port}'], balance: round_robin }} }}
"
    );
    let front = Kansoku::run(folder.path(), &pipeline);
    let mut traces = 0;
    until("the gateways say which service it is", || {
        for (own, parent) in [(1, None), (2, Some(1))] {
            let spans = clients::spans(traces..traces + 50, own, parent);
            assert_eq!(http::post(front.http(), "/v1/traces", "application/x-protobuf", &spans).status, 200);
        }
        traces += 50;
        let split = gateways.each_ref().map(|gateway| stored::tallied(&gateway.kansoku, "kansoku_split_traces_total", "shop"));
        // Children alone lack their parents; which gateway has them changes with what else is sent.
        split.iter().any(|split| *split > 0).then_some(())
    });
}

/// Its listener takes connections, and nothing comes back.
#[test]
fn a_gateway_that_hangs_does_not_hold_up_the_share_of_the_others() {
    let addresses = ["127.0.0.1", "127.0.0.2"];
    let port = port(&addresses);
    let gateways = addresses.map(|address| Gateway::start(address, port));
    let folder = tempfile::tempdir().unwrap();
    let pipeline = format!(
        "
admin: {{ listen: 127.0.0.1:0 }}
sources: {{ otlp: {{ grpc: {{ listen: off }}, http: {{ listen: 127.0.0.1:0 }}, acknowledge: memory }} }}
sinks: {{ next: {{ type: otlp, inputs: [otlp], endpoint: ['http://127.0.0.1:{port}', 'http://127.0.0.2:{port}'], balance: trace_id, timeout: 2s }} }}
"
    );
    let front = Kansoku::run(folder.path(), &pipeline);
    gateways[1].kansoku.signal("STOP");
    let spans = clients::spans(0..100, 1, None);
    assert_eq!(http::post(front.http(), "/v1/traces", "application/x-protobuf", &spans).status, 200);
    until("the other one has all of it", || (stored(&gateways[0].kansoku).spans.len() == 100).then_some(()));
    assert_eq!(known(&front)[&format!("127.0.0.2:{port}")], "down");
    let said = front.ask(&["status"]);
    assert!(said.out.contains(&format!("127.0.0.2:{port}")), "{}", said.out);
    gateways[1].kansoku.signal("CONT");
    all_know(&[&front], "it answers again", |known| known.values().all(|state| state == "up"));
}

#[test]
fn over_tls_every_gateway_shows_a_certificate_for_the_name() {
    let addresses = ["127.0.0.1", "127.0.0.2"];
    for protocol in ["grpc", "http"] {
        let (names, port) = (dns::Server::start(), port(&addresses));
        names.set(NAME, &addresses);
        let folder = tempfile::tempdir().unwrap();
        let authority = tls::Authority::new(folder.path(), "authority");
        let (of_name, of_other) = (authority.issue(NAME), authority.issue("other.example"));
        let gateways = addresses.map(|address| {
            let folder = tempfile::tempdir().unwrap();
            let (door, other) = if protocol == "grpc" { ("grpc", "http") } else { ("http", "grpc") };
            let shown = format!("tls: {{ cert: '{}', key: '{}' }}", of_name.cert.display(), of_name.key.display());
            let pipeline = format!(
                "admin: {{ listen: 127.0.0.1:0 }}\nsources:\n  otlp: {{ {door}: {{ listen: '{address}:{port}', {shown}, auth: {{ bearer: hop }} }}, {other}: {{ listen: off }} }}\nsinks: {{ out: {{ type: debug, inputs: [otlp], first: 0 }} }}\n"
            );
            (Kansoku::run(folder.path(), &pipeline), folder)
        });
        let front = |name: &str| {
            let folder = tempfile::tempdir().unwrap();
            let (ca, server) = (authority.ca.display(), names.address());
            let pipeline = format!(
                "admin: {{ listen: 127.0.0.1:0 }}\nsources: {{ otlp: {{ grpc: {{ listen: off }}, http: {{ listen: 127.0.0.1:0 }}, acknowledge: memory }} }}\nsinks:\n  next: {{ type: otlp, inputs: [otlp], endpoint: 'dns://{server}/{NAME}:{port}', protocol: {protocol}, balance: trace_id, tls: {{ ca: '{ca}'{name} }}, auth: {{ bearer: hop }} }}\n"
            );
            (Kansoku::run(folder.path(), &pipeline), folder)
        };
        let (good, _good) = front("");
        let spans = kit::otlp::spans(0..100, kit::otlp::End::Well);
        assert_eq!(http::post(good.http(), "/v1/traces", "application/x-protobuf", &spans).status, 200);
        until("both have their share", || {
            let counts = gateways.each_ref().map(|(gateway, _)| gateway.count("out", "traces", "out"));
            (counts.iter().sum::<i64>() == 100 && counts.iter().all(|count| *count > 20)).then_some(())
        });
        let (bad, _bad) = front(", server_name: other.example");
        assert_eq!(http::post(bad.http(), "/v1/traces", "application/x-protobuf", &spans).status, 200);
        until("the name is another one", || {
            let status = bad.status();
            let said = status["sinks"][0]["health"]["last_error"].as_str().unwrap_or_default().to_owned();
            said.contains("certificate").then_some(())
        });
        assert!(of_other.cert.exists());
        bad.signal("KILL");
    }
}
