//! A backlog that is far larger than the memory, and a next hop that takes nothing for a while: what is not read yet waits in Kafka.

use crate::{
    pipeline, shared,
    topic::{Topic, Written},
};
use kit::{Kansoku, until};
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use parking_lot::Mutex;
use prost::Message as _;
use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

const BUDGET_MIB: u64 = 256;
/// Of 6 KiB each: as much as the budget, of which each share is a part.
const LOGS: u64 = 40_000;
/// Those of one trace, neighbours in one partition.
const TRACE: u64 = 10;

fn number(log: &opentelemetry_proto::tonic::logs::v1::LogRecord) -> u64 {
    let body = log.body.as_ref().and_then(|body| body.value.clone());
    let Some(opentelemetry_proto::tonic::common::v1::any_value::Value::StringValue(text)) = body else { panic!("{log:?}") };
    text.split(' ').nth(1).unwrap().parse().unwrap()
}

#[test]
fn a_backlog_over_the_budget_waits_in_kafka_and_none_of_it_is_lost() {
    let Some((broker, _shared)) = shared() else { return };
    let (topic, folder) = (Topic::new(broker), tempfile::tempdir().unwrap());
    let filler = "x".repeat(6 << 10);
    topic.write((0..LOGS).map(|n| {
        let trace = n / TRACE;
        let payload = kit::otlp::log(&format!("log {n} {filler}"), "INFO", Some(trace));
        let partition = i32::try_from(trace % 4).unwrap();
        Written { key: Some(kit::otlp::trace_hex(trace)), ..Topic::otlp(partition, "logs", payload) }
    }));
    let (came, down) = (Arc::<Mutex<BTreeSet<u64>>>::default(), Arc::new(AtomicBool::new(true)));
    let (shared, is_down) = (Arc::clone(&came), Arc::clone(&down));
    let next = kit::http::serve(move |_, body| {
        if is_down.load(Ordering::Acquire) {
            return 503;
        }
        let request = ExportLogsServiceRequest::decode(body).unwrap();
        let logs = request.resource_logs.iter().flat_map(|group| &group.scope_logs).flat_map(|scope| &scope.log_records);
        shared.lock().extend(logs.map(number));
        200
    });
    let rest = format!(
        "memory: {BUDGET_MIB}MiB
processors:
  traces: {{ type: correlate, inputs: [hop], close: {{ idle: 2s }} }}
  kept: {{ type: sample, inputs: [traces], rules: [{{ name: all, keep: 100% }}] }}
sinks:
  next: {{ type: otlp, inputs: [kept], endpoint: 'http://{next}', protocol: http, compression: none }}
"
    );
    let kansoku = Kansoku::run(folder.path(), &pipeline(&topic, "", &rest));
    // As much as there is room for is read, and then no more.
    let read = || kansoku.count("hop", "logs", "in");
    until("something is read", || (read() > 0).then_some(()));
    let mut before = 0;
    until("no more is read", || {
        thread::sleep(Duration::from_secs(2));
        (std::mem::replace(&mut before, read()) == before).then_some(())
    });
    let (stopped_at, peak_down) = (read(), kansoku.peak_mib());
    assert!(u64::try_from(stopped_at).unwrap() < LOGS, "all of it was read");
    assert!(topic.committed().iter().all(|offset| *offset <= 0), "nothing has arrived: {:?}", topic.committed());
    down.store(false, Ordering::Release);
    let each = i64::try_from(LOGS / 4).unwrap();
    topic.until_committed(&[each; 4]);
    let peak = kansoku.peak_mib();
    println!(
        "{stopped_at} of {LOGS} logs were read while nobody took them; peak {peak_down} MiB then and {peak} MiB in the end, with a budget of {BUDGET_MIB} MiB"
    );
    assert_eq!(came.lock().len() as u64, LOGS, "all have arrived");
    assert!(peak * 10 <= BUDGET_MIB * 11, "{peak} MiB with a budget of {BUDGET_MIB} MiB");
    assert_eq!(kansoku.status()["lost"], 0);
    assert_eq!(kansoku.stop().code, 0);
}
