//! What `status` prints, as text.

use super::*;
use crate::page;
use serde_json::{Value, json};

fn counts(taken: u64, out: u64, discarded: Value, lost: Value, held: i64) -> Value {
    json!({ "in": taken, "made": 0, "out": out, "held": held, "discarded": discarded, "rejected": {}, "lost": lost })
}

fn report(lost: Value) -> Report {
    let lost_sum: u64 = lost.as_object().unwrap().values().filter_map(Value::as_u64).sum();
    let json = json!({
        "version": "0.1.0",
        "summary": "12,034 spans in; 1,000 discarded on purpose, 32 held; nothing was lost",
        "lost": lost_sum,
        "uptime_seconds": 75.0,
        "ledger": { "nodes": [
            { "name": "otlp", "kind": "source", "signals": { "traces": counts(12_034, 12_034, json!({}), json!({}), 0) } },
            { "name": "kept", "kind": "processor", "signals": { "traces": counts(12_034, 11_002, json!({ "sampled": 1_000 }), json!({}), 32) } },
            { "name": "hop", "kind": "sink", "signals": { "traces": counts(11_002, 11_002 - lost_sum, json!({}), lost, 0) } },
        ] },
        "edges": [], "sources": [],
        "sinks": [
            { "name": "store", "queue": { "bytes": 0, "bytes_max": 1 << 20, "oldest_seconds": 0.0 }, "health": { "failures": 0, "failing_since": null, "last_error": null, "last_error_at": null } },
            { "name": "hop", "queue": { "bytes": 2048, "bytes_max": 1 << 20, "oldest_seconds": 4.0 },
              "health": { "failures": 3, "failing_since": 1_795_255_200_000_000_000_u64, "last_error": "connection refused", "last_error_at": null },
              "spill": { "spilling": true, "bytes": 3 << 20, "bytes_max": 1_u64 << 30, "oldest_seconds": 90.0 } },
        ],
        "journal": { "bytes": 12 << 20, "bytes_max": 4_u64 << 30, "unsettled": 3, "unread": 0, "lag_seconds": 0.0 },
        "dead_letters": { "letters": 2, "records": 31, "bytes": 5000, "bytes_max": 256 << 20 },
        "memory": { "bytes_max": 256 << 20, "intake": 0, "window": 4096, "queues": 2048 },
        "stores": [{
            "key": "data/store", "tables": { "spans": { "rows": 11_002, "files": 3, "bytes": 1 << 20 }, "metrics": { "rows": 0, "files": 0, "bytes": 0 } },
            "memory_bytes": 5000, "log_bytes": 1, "oldest": "2026-11-21T10:00:00Z", "unreadable": 0,
        }],
        "alerts": [{ "name": "slow_trace", "phase": "firing", "since": "2026-11-21T10:00:00Z", "labels": { "alertname": "slow_trace", "service": "pay" } }],
    });
    serde_json::from_value(json).unwrap()
}

#[test]
fn the_state_is_a_sentence_a_table_and_what_waits() {
    let expected = "\
12,034 spans in; 1,000 discarded on purpose, 32 held; nothing was lost

NODE  SIGNAL      IN  MADE     OUT  DISCARDED  REJECTED  LOST  HELD
otlp  traces  12,034     0  12,034          0         0     0     0
kept  traces  12,034     0  11,002      1,000         0     0    32
hop   traces  11,002     0  11,002          0         0     0     0

discarded 1,000 spans at `kept` (sampled)
queues    store: nothing waits
          hop: 2.0 KiB of 1.0 MiB wait, the oldest for 4.00 s; 3.0 MiB of 1.0
          GiB on disk, the oldest for 1 min 30 s; failing since 2026-11-21
          10:00:00 UTC: connection refused
journal   12.0 MiB of 4.0 GiB, 3 requests under way
dead      2 letters with 31 records, 4.9 KiB of 256 MiB; see `kansoku
          dead-letters ls`
store     data/store: 11,002 spans; 1.0 MiB in 3 files, 4.9 KiB in memory; the
          oldest of 2026-11-21 10:00:00 UTC
alerts    1 firing
          firing slow_trace since 2026-11-21 10:00:00 UTC service=pay
memory    intake 0 B, window 4.0 KiB, queues 2.0 KiB of a budget of 256 MiB; up
          for 1 min 15 s";
    let report = report(json!({}));
    assert!(is_lossless(&report));
    assert_eq!(show(&report, page::plain(80)), expected);
}

#[test]
fn what_was_lost_is_named_with_its_reason() {
    let report = report(json!({ "queue_full": 2 }));
    assert!(!is_lossless(&report));
    let shown = show(&report, page::plain(80));
    assert!(shown.contains("\nlost      2 spans at `hop` (queue_full)\n"), "{shown}");
    let mut spread = report.clone();
    let one = |n: u8, state| pipeline::GatewayStatus { address: format!("10.0.0.{n}:4317"), state, records: 1 };
    let each = vec![one(1, GatewayState::Up), one(2, GatewayState::Down), one(3, GatewayState::Leaving), one(4, GatewayState::Up)];
    spread.pipeline.sinks[1].gateways = Some(pipeline::Gateways { each, moved_traces: 31, unremembered_traces: 0 });
    let shown = show(&spread, page::plain(120));
    let told = "\ngateways  hop: 2 up, 1 down, 1 leaving (10.0.0.2:4317); 31 open traces moved away from one that was down\n";
    assert!(shown.contains(told), "{shown}");
    let mut busy = report.clone();
    let counts = busy.pipeline.ledger.nodes[0].signals.get_mut(&signal::Signal::Traces).unwrap();
    counts.refused.insert("memory".to_owned(), pipeline::ledger::Requests { requests: 3, bytes: 2 << 20 });
    let shown = show(&busy, page::plain(80));
    assert!(shown.contains("\nrefused   3 requests of traces, 2.0 MiB at `otlp` (memory)\n"), "{shown}");
    let mut torn = report;
    torn.pipeline.lost = 0;
    torn.stores[0].unreadable = 1;
    assert!(!is_lossless(&torn));
}
