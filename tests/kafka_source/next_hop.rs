//! An OTLP/HTTP receiver that writes down what came, and can be down, or refuse what has a word in it.

use opentelemetry_proto::tonic::{
    collector::{logs::v1::ExportLogsServiceRequest, trace::v1::ExportTraceServiceRequest},
    common::v1::any_value::Value,
};
use parking_lot::Mutex;
use prost::Message;
use std::{collections::BTreeMap, sync::Arc};

pub(crate) struct NextHop {
    url: String,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    down: bool,
    /// Span names and log bodies, and how often each came.
    came: BTreeMap<String, u32>,
    logs: Vec<opentelemetry_proto::tonic::logs::v1::LogRecord>,
}

impl NextHop {
    pub(crate) fn start() -> NextHop {
        let state = Arc::<Mutex<State>>::default();
        let shared = Arc::clone(&state);
        let at = kit::http::serve(move |path, body| shared.lock().answer(path, body));
        NextHop { url: format!("http://{at}"), state }
    }

    /// The sink that sends to it.
    pub(crate) fn sink(&self, inputs: &str) -> String {
        format!("next: {{ type: otlp, inputs: [{inputs}], endpoint: '{}', protocol: http, compression: none }}", self.url)
    }

    pub(crate) fn set_down(&self, down: bool) {
        self.state.lock().down = down;
    }

    /// What came, and how often.
    pub(crate) fn came(&self) -> BTreeMap<String, u32> {
        self.state.lock().came.clone()
    }

    pub(crate) fn logs(&self) -> Vec<opentelemetry_proto::tonic::logs::v1::LogRecord> {
        self.state.lock().logs.clone()
    }
}

impl State {
    fn answer(&mut self, path: &str, body: &[u8]) -> u16 {
        if self.down {
            return 503;
        }
        self.take(path, body);
        200
    }

    fn take(&mut self, path: &str, body: &[u8]) {
        if path == "/v1/traces" {
            let request = ExportTraceServiceRequest::decode(body).unwrap();
            let spans = request.resource_spans.into_iter().flat_map(|group| group.scope_spans).flat_map(|scope| scope.spans);
            for span in spans {
                *self.came.entry(span.name).or_default() += 1;
            }
            return;
        }
        let request = ExportLogsServiceRequest::decode(body).unwrap();
        for log in request.resource_logs.into_iter().flat_map(|group| group.scope_logs).flat_map(|scope| scope.log_records) {
            let body = match log.body.as_ref().and_then(|body| body.value.as_ref()) {
                Some(Value::StringValue(text)) => text.clone(),
                other => format!("{other:?}"),
            };
            *self.came.entry(body).or_default() += 1;
            self.logs.push(log);
        }
    }
}
