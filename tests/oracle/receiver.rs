//! A next hop that writes down every item it takes, compares it with what it should be, and can be down, or slow.

use crate::items::Items;
use opentelemetry_proto::tonic::collector::{logs::v1::ExportLogsServiceRequest, trace::v1::ExportTraceServiceRequest};
use parking_lot::Mutex;
use prost::Message;
use std::{collections::HashMap, sync::Arc, thread, time::Duration};

/// How it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mood {
    Well,
    /// Takes nothing, and says so: 503.
    Down,
    /// Takes a request after so long.
    Slow(Duration),
}

/// An OTLP/HTTP receiver on a free port, for as long as the test runs.
pub(crate) struct Receiver {
    url: String,
    state: Arc<Mutex<State>>,
}

struct State {
    items: Items,
    mood: Mood,
    arrived: Arrived,
}

/// What came.
#[derive(Clone, Debug, Default)]
pub(crate) struct Arrived {
    /// How often each number came.
    pub(crate) times: HashMap<u64, u32>,
    /// Items that are not what their number says, in words.
    pub(crate) changed: Vec<String>,
}

impl Receiver {
    /// Begins to listen.
    pub(crate) fn start(items: Items) -> Receiver {
        let state = Arc::new(Mutex::new(State { items, mood: Mood::Well, arrived: Arrived::default() }));
        let shared = Arc::clone(&state);
        let at = kit::http::serve(move |path, body| answer(path, body, &shared));
        Receiver { url: format!("http://{at}"), state }
    }

    /// Where it listens.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// From now on it is like this.
    pub(crate) fn set(&self, mood: Mood) {
        self.state.lock().mood = mood;
    }

    /// What came so far.
    pub(crate) fn arrived(&self) -> Arrived {
        self.state.lock().arrived.clone()
    }
}

fn answer(path: &str, body: &[u8], state: &Mutex<State>) -> u16 {
    let mood = state.lock().mood;
    if let Mood::Slow(time) = mood {
        thread::sleep(time);
    }
    if mood == Mood::Down {
        return 503;
    }
    let mut state = state.lock();
    let items = state.items;
    state.arrived.take(&items, path, body);
    200
}

impl Arrived {
    fn take(&mut self, items: &Items, path: &str, body: &[u8]) {
        match path {
            "/v1/traces" => {
                let request = ExportTraceServiceRequest::decode(body).unwrap();
                for resource in request.resource_spans {
                    for span in resource.scope_spans.into_iter().flat_map(|scope| scope.spans) {
                        let number = Items::number_in(&span.name);
                        self.item(number, number.map(|number| items.span(number)).as_ref(), &span);
                    }
                }
            }
            "/v1/logs" => {
                let request = ExportLogsServiceRequest::decode(body).unwrap();
                for resource in request.resource_logs {
                    for log in resource.scope_logs.into_iter().flat_map(|scope| scope.log_records) {
                        use opentelemetry_proto::tonic::common::v1::any_value::Value::StringValue;
                        let number = match log.body.as_ref().and_then(|body| body.value.as_ref()) {
                            Some(StringValue(body)) => Items::number_in(body),
                            _ => None,
                        };
                        self.item(number, number.map(|number| items.log(number)).as_ref(), &log);
                    }
                }
            }
            other => panic!("a request for {other}"),
        }
    }

    fn item<T: PartialEq + std::fmt::Debug>(&mut self, number: Option<u64>, should_be: Option<&T>, is: &T) {
        if should_be != Some(is) {
            self.changed.push(format!("{is:?} should be {should_be:?}"));
        }
        if let Some(number) = number {
            *self.times.entry(number).or_default() += 1;
        }
    }
}
