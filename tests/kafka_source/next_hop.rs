//! An OTLP/HTTP receiver that writes down what came, and can be down, or refuse what has a word in it.

use opentelemetry_proto::tonic::{
    collector::{logs::v1::ExportLogsServiceRequest, trace::v1::ExportTraceServiceRequest},
    common::v1::any_value::Value,
};
use parking_lot::Mutex;
use prost::Message;
use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    sync::Arc,
    thread,
};

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
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let state = Arc::<Mutex<State>>::default();
        let shared = Arc::clone(&state);
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let state = Arc::clone(&shared);
                thread::spawn(move || while answer(&stream, &state).is_some() {});
            }
        });
        NextHop { url, state }
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

fn answer(stream: &TcpStream, state: &Mutex<State>) -> Option<()> {
    let (path, body) = request(stream)?;
    let mut state = state.lock();
    let status = if state.down { "503 Service Unavailable" } else { "200 OK" };
    if !state.down {
        state.take(&path, &body);
    }
    drop(state);
    let mut stream = stream;
    write!(stream, "HTTP/1.1 {status}\r\ncontent-type: application/x-protobuf\r\ncontent-length: 0\r\n\r\n").ok()
}

fn request(stream: &TcpStream) -> Option<(String, Vec<u8>)> {
    let mut reader = BufReader::new(stream);
    let (mut first, mut length) = (String::new(), 0);
    reader.read_line(&mut first).ok().filter(|read| *read > 0)?;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok().filter(|read| *read > 0)?;
        if line == "\r\n" {
            break;
        }
        if let Some((_, value)) = line.split_once(':').filter(|(key, _)| key.eq_ignore_ascii_case("content-length")) {
            length = value.trim().parse().unwrap();
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some((first.split(' ').nth(1)?.to_owned(), body))
}

impl State {
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
