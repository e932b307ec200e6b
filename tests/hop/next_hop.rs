//! The OTLP next hop of all consumers: which records of each trace came there, and by which threshold.

use crate::traces::Traces;
use parking_lot::Mutex;
use std::sync::Arc;

/// What came of a trace.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Arrived {
    /// A bit for each record.
    pub(crate) records: u8,
    /// What the first record told.
    pub(crate) threshold: Option<u64>,
    /// Another told something else.
    pub(crate) torn: Option<u64>,
    /// Records that came again.
    pub(crate) repeats: u32,
}

impl Arrived {
    pub(crate) fn has(self, record: u64) -> bool {
        self.records >> record & 1 == 1
    }
}

#[derive(Clone)]
pub(crate) struct NextHop {
    url: String,
    arrived: Arc<Mutex<Vec<Arrived>>>,
}

impl NextHop {
    pub(crate) fn start(traces: Traces, count: u64) -> NextHop {
        let arrived = Arc::new(Mutex::new(vec![Arrived::default(); usize::try_from(count).unwrap()]));
        let shared = Arc::clone(&arrived);
        let at = kit::http::serve(move |path, body| {
            let records = traces.records(path, body);
            take(&mut shared.lock(), records);
            200
        });
        NextHop { url: format!("http://{at}"), arrived }
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    pub(crate) fn of(&self, trace: u64) -> Arrived {
        self.arrived.lock()[usize::try_from(trace).unwrap()]
    }
}

/// What is here is known before the sender hears yes.
fn take(arrived: &mut [Arrived], records: Vec<(u64, u64, u64)>) {
    for (trace, record, threshold) in records {
        let trace = &mut arrived[usize::try_from(trace).unwrap()];
        trace.repeats += u32::from(trace.has(record));
        trace.records |= 1 << record;
        if *trace.threshold.get_or_insert(threshold) != threshold {
            trace.torn = Some(threshold);
        }
    }
}
