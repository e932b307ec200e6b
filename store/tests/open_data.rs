//! Fills a store for other engines to read: `OPEN_DATA=FOLDER cargo test -p store fills -- --ignored`, then `tests/open_data.py FOLDER`.

use super::{
    points::gauge,
    sample::{SECOND, START, attribute, batch, closed_trace, inline, log, options, span, text},
};
use crate::Store;
use journal::{Disk, RealDisk};
use opentelemetry_proto::tonic::{common::v1::any_value::Value, trace::v1::Span};
use signal::{Flow, Signal};
use std::{path::PathBuf, sync::Arc};

/// Spans and traces written; ten spans a trace, one log each; 6,000 points of two series.
const TRACES: u64 = 5_000;

#[tokio::test]
#[ignore = "writes the folder in OPEN_DATA"]
#[expect(clippy::disallowed_methods, reason = "run by hand and by a script, which name the folder")]
async fn fills_a_folder() {
    let folder = PathBuf::from(std::env::var("OPEN_DATA").unwrap());
    let disk: Arc<dyn Disk> = Arc::new(RealDisk);
    let store = Store::open(options(&folder), disk, inline()).unwrap();
    let mut random = 1_u64;
    let mut next = move || {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        random.rotate_left(31)
    };
    for n in 0..TRACES {
        let id = [next().to_be_bytes(), next().to_be_bytes()].concat();
        let mut parent = Vec::new();
        let spans = (0..10).map(|m| {
            let start = START + n * SECOND / 5 + m * (next() % 1_000_000);
            let attributes = vec![
                text("http.route", ["/cart", "/checkout", "/pay"][(m % 3) as usize]),
                attribute("http.response.status_code", Value::IntValue(if n % 50 == 0 { 500 } else { 200 })),
                text("user.id", &format!("u{}", next() % 10_000)),
                attribute("queue.share", Value::DoubleValue((next() % 100) as f64 / 100.0)),
            ];
            let (span_id, parent_span_id) = (next().to_be_bytes().to_vec(), parent.clone());
            parent.clone_from(&span_id);
            let end_time_unix_nano = start + next() % 50_000_000;
            Span {
                trace_id: id.clone(),
                span_id,
                parent_span_id,
                start_time_unix_nano: start,
                end_time_unix_nano,
                attributes,
                ..span(1, 1, 0)
            }
        });
        let mut trace =
            closed_trace(1, spans.collect(), vec![log(n / 5, &format!("order {} done in {} ms", next() % 1_000_000, next() % 100))], None);
        trace.id = signal::TraceId::of_bytes(&id).unwrap();
        store.append(&Flow::Traces(vec![trace])).await.unwrap();
        if n % (TRACES / 2) == TRACES / 4 {
            let seconds = n..n + 1_500;
            store.append(&Flow::Batch(batch(Signal::Metrics, gauge("shop", &["/cart", "/pay"], seconds), None))).await.unwrap();
        }
        // Enough commits for checkpoints, and for commits that only those have.
        if n % (TRACES / 20) == 1 {
            store.flush().unwrap();
        }
    }
    store.flush().unwrap();
    for table in store.stats().tables {
        let each = table.bytes as f64 / table.rows.max(1) as f64;
        tracing::info!(table = table.table.word(), rows = table.rows, files = table.files, each, "written");
    }
}
