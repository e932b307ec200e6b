//! Shows what comes, on standard output, for whoever wonders what flows here.

use config::Fault;
use futures::future::BoxFuture;
use pipeline::{BuildContext, Component, Opened, Parcel, Refusal, Shape, Sink, Why};
use schemars::JsonSchema;
use serde::Deserialize;
use signal::{Batch, Flow, Item, Kinds, Record, codec::json, view::Number};
use std::{
    fmt::Write,
    sync::atomic::{AtomicU64, Ordering},
};
use tokio::io::{AsyncWrite, AsyncWriteExt};

/// Writes each record to standard output: one line a record, or the OTLP/JSON of each batch.
#[derive(Debug, Default, Deserialize, JsonSchema)]
pub struct Debug {
    /// `text` (one line a record) or `json` (OTLP/JSON, one line a request); by default `text`.
    #[serde(default)]
    format: Format,
    /// Only so many records are shown, in `text`; without it, all.
    first: Option<u64>,
}

/// How records are shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Format {
    /// One line a record.
    #[default]
    Text,
    /// OTLP/JSON, one line a request.
    Json,
}

impl Component for Debug {
    type Runs = dyn Sink;
    const TYPE: &'static str = "debug";
    const EXAMPLE: &'static str = "format: json\nfirst: 100\n";

    fn shape(&self, _: Kinds) -> Shape {
        Shape { acts_on: Kinds::RECORDS, ordered: true, ..Shape::passing(Kinds::NONE) }
    }

    fn build(&self, _: &BuildContext<'_>) -> Result<Box<dyn Sink>, Vec<Fault>> {
        Ok(Box::new(Showing { format: self.format, left: AtomicU64::new(self.first.unwrap_or(u64::MAX)) }))
    }
}

struct Showing {
    format: Format,
    /// Records that may still be shown.
    left: AtomicU64,
}

impl Sink for Showing {
    fn open(&self) -> BoxFuture<'_, Result<Vec<Opened>, Vec<Fault>>> {
        Box::pin(async { Ok(vec![Opened::new("shows", "records on standard output")]) })
    }

    fn deliver<'a>(&'a self, parcel: &'a Parcel) -> BoxFuture<'a, Result<(), Refusal>> {
        Box::pin(async move {
            let shown = self.show(&parcel.flow, &mut tokio::io::stdout()).await;
            shown.map_err(|error| Refusal::Never { why: Why(format!("standard output: {error}")) })
        })
    }
}

/// Text gathered before it is written.
const PIECE: usize = 64 << 10;

impl Showing {
    async fn show(&self, flow: &Flow, to: &mut (impl AsyncWrite + Unpin + Send)) -> std::io::Result<()> {
        let mut piece = String::new();
        for batch in flow.batches() {
            match self.format {
                Format::Json => {
                    for line in self.requests(batch) {
                        piece.push_str(&line);
                        piece.push('\n');
                        write(&mut piece, to, PIECE).await?;
                    }
                }
                Format::Text => {
                    let lines: Vec<String> = batch.records().take_while(|_| self.may_show(1)).map(|record| line(&record)).collect();
                    for line in lines {
                        piece.push_str(&line);
                        write(&mut piece, to, PIECE).await?;
                    }
                }
            }
        }
        write(&mut piece, to, 0).await?;
        to.flush().await
    }

    /// Whole requests, as long as any record may be shown.
    fn requests<'a>(&'a self, batch: &'a Batch) -> impl Iterator<Item = String> + 'a {
        let shown = batch.chunks().iter().take_while(|chunk| self.may_show(u64::try_from(chunk.len()).unwrap_or(u64::MAX)));
        shown.map(|chunk| json::of_protobuf(batch.signal(), chunk.bytes()))
    }

    fn may_show(&self, records: u64) -> bool {
        let before = self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(records.min(left)));
        before.is_ok_and(|left| left > 0)
    }
}

async fn write(piece: &mut String, to: &mut (impl AsyncWrite + Unpin), over: usize) -> std::io::Result<()> {
    if piece.len() > over {
        to.write_all(piece.as_bytes()).await?;
        piece.clear();
    }
    Ok(())
}

/// One record on one line. Control characters are escaped: what a stranger sent must not steer a terminal.
fn line(record: &Record<'_>) -> String {
    let mut line = String::new();
    let service = record.resource.service();
    // Writing to a String cannot fail.
    let _written = match record.item {
        Item::Span(span) => write!(
            line,
            "span   {service}  {}  {:.3} ms  {}{}  trace={} span={}",
            span.name(),
            span.duration_ms(),
            span.status().word(),
            after(" ", span.status_message()),
            span.trace_id(),
            span.span_id()
        ),
        Item::Log(log) => {
            let trace = log.trace_id().map_or_else(String::new, |id| format!("  trace={id}"));
            let body = log.body().map_or_else(String::new, |body| body.display());
            write!(line, "log    {service}  {}  {body}{trace}", log.severity())
        }
        Item::Point(metric, point) => {
            let value = match (point.value(), point.count(), point.sum()) {
                (Some(Number::Int(value)), ..) => value.to_string(),
                (Some(Number::Double(value)), ..) => value.to_string(),
                (None, Some(count), sum) => format!("count={count}{}", sum.map_or_else(String::new, |sum| format!(" sum={sum}"))),
                (None, None, _) => "-".to_owned(),
            };
            write!(line, "metric {service}  {}  {value}{}", metric.name(), after(" ", metric.unit()))
        }
    };
    for (key, value) in record.attributes().iter() {
        let _written = write!(line, "  {key}={}", value.display());
    }
    let mut safe: String = line.chars().flat_map(escaped).collect();
    safe.push('\n');
    safe
}

fn after(gap: &str, text: &str) -> String {
    if text.is_empty() { String::new() } else { format!("{gap}{text}") }
}

fn escaped(c: char) -> impl Iterator<Item = char> {
    let (plain, escape) = if c.is_control() { (None, Some(c.escape_default())) } else { (Some(c), None) };
    plain.into_iter().chain(escape.into_iter().flatten())
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use signal::{Ack, Chunk, Limits, Ordinals, Signal, Time, check};

    fn logs(bodies: &[&str]) -> Flow {
        let records: Vec<_> =
            bodies.iter().map(|body| serde_json::json!({ "severityNumber": 17, "body": { "stringValue": body } })).collect();
        let resource = serde_json::json!({ "attributes": [{ "key": "service.name", "value": { "stringValue": "pay" } }] });
        let request = serde_json::json!({ "resourceLogs": [{ "resource": resource, "scopeLogs": [{ "logRecords": records }] }] });
        let raw: Bytes = json::to_protobuf(Signal::Logs, request.to_string().as_bytes()).unwrap();
        let (checked, counts) = check(Signal::Logs, raw, &Limits::default()).unwrap();
        let chunk = Chunk::new(checked, counts.records, None, Ordinals::From(0), Time(0));
        Flow::Batch(Batch::new(Signal::Logs, chunk, Ack::none()))
    }

    async fn shown(format: Format, left: u64, flow: &Flow) -> String {
        let mut to = Vec::new();
        Showing { format, left: AtomicU64::new(left) }.show(flow, &mut to).await.unwrap();
        String::from_utf8(to).unwrap()
    }

    #[tokio::test]
    async fn a_line_tells_a_record_and_cannot_steer_the_terminal() {
        let text = shown(Format::Text, 9, &logs(&["card \u{1b}[31mdeclined\nreally"])).await;
        assert_eq!(text, "log    pay  ERROR  card \\u{1b}[31mdeclined\\nreally\n");
    }

    #[tokio::test]
    async fn only_the_first_are_shown() {
        assert_eq!(shown(Format::Text, 2, &logs(&["a", "b", "c"])).await.lines().count(), 2);
        assert_eq!(shown(Format::Text, 0, &logs(&["a"])).await, "");
    }

    #[tokio::test]
    async fn json_is_a_request_a_line() {
        let text = shown(Format::Json, 9, &logs(&["a", "b"])).await;
        let value: serde_json::Value = serde_json::from_str(text.trim_end()).unwrap();
        assert_eq!(value["resourceLogs"][0]["scopeLogs"][0]["logRecords"].as_array().unwrap().len(), 2);
    }
}
