//! Tests of the room as a whole: what was counted and told is known after any end of the process, and goes on by the rules that are there then.

mod bytes;
mod crash;
mod lagging;
mod pinned;
mod reload;
mod restart;
mod versions;

use crate::{Alert, Book, Folder, Ruler, rule};
use config::{Document, document::Real};
use futures::FutureExt;
use journal::{Disk, simulated::SimulatedDisk};
use signal::{Ack, Batch, Chunk, Flow, Kinds, Limits, Ordinals, Origin, Signal, Time, check, codec};
use std::{path::Path, sync::Arc, time::Duration};

const PATH: &str = "/data/journal/alerts/node";
const START: u64 = 1_795_255_200;
const CONSOLE: &str = "console";

fn at(second: u64) -> Time {
    Time((START + second) * 1_000_000_000)
}

/// Counts error logs by service; fires at so many within ten minutes.
fn burst(count: u64) -> String {
    format!(
        "{{ alert: burst, of: logs, when: .severity_number >= 17, by: [.service], window: 10m, count: {count}, labels: {{ severity: page }} }}"
    )
}

fn rules(rules: &str) -> Vec<crate::Rule> {
    let text = format!("groups: [{{ name: g, rules: [{rules}] }}]");
    rule::read(&Document::parse("rules.yaml", &text, &Real).unwrap(), Kinds::ALL).unwrap()
}

/// One error log of a service at this second, which the journal has at this position.
fn error(service: &str, position: u64, second: u64) -> Flow {
    let json = format!(
        r#"{{"resourceLogs":[{{"resource":{{"attributes":[{{"key":"service.name","value":{{"stringValue":"{service}"}}}}]}},"scopeLogs":[{{"logRecords":[
        {{"severityNumber":17,"severityText":"ERROR","body":{{"stringValue":"no {position}"}},"timeUnixNano":"{}"}}]}}]}}]}}"#,
        at(second).0
    );
    let raw = codec::json::to_protobuf(Signal::Logs, json.as_bytes()).unwrap();
    let (checked, counts) = check(Signal::Logs, raw, &Limits::default()).unwrap();
    let origin = Some(Origin { log: 7, position });
    Flow::Batch(Batch::new(Signal::Logs, Chunk::new(checked, counts.records, origin, Ordinals::From(0), at(second)), Ack::none()))
}

/// A ruler, its book, and a disk that a test can make fail.
struct Node {
    ruler: Arc<Ruler>,
    book: Arc<Book>,
}

impl Node {
    fn on(disk: &SimulatedDisk) -> Node {
        let folder = Folder::new(Arc::new(disk.clone()) as Arc<dyn Disk>, Path::new(PATH).to_owned());
        Node::with(Some(folder))
    }

    fn with(folder: Option<Folder>) -> Node {
        let book = Arc::new(Book::default());
        let ruler = Arc::new(Ruler::new(Arc::clone(&book), folder, Arc::new(|work| work())));
        Node { ruler, book }
    }

    fn begin(self, written: &str, second: u64) -> Result<Node, crate::Error> {
        self.ruler.begin(rules(written), vec![CONSOLE.to_owned()], at(second)).map(|_| self)
    }

    fn observe(&self, flow: &Flow, second: u64) -> u64 {
        self.ruler.observe(flow, at(second))
    }

    /// Looks at the states at every second from one to the other.
    fn tick(&self, seconds: std::ops::RangeInclusive<u64>) {
        seconds.for_each(|second| self.ruler.tick(at(second)));
    }

    /// Writes a checkpoint; whether it is on disk. Blocking work runs inline, so that nothing is pending.
    fn save(&self, second: u64) -> bool {
        let epoch = self.ruler.epoch();
        self.ruler.save(move || at(second)).now_or_never().unwrap();
        self.ruler.kept(epoch).now_or_never().is_some_and(|kept| kept.is_ok())
    }

    /// What the receiver has to be told, as `firing burst shop`; it is told.
    fn tell(&self, second: u64) -> Vec<String> {
        let teller = self.ruler.teller(CONSOLE).unwrap();
        let due = self.ruler.due(&teller);
        self.ruler.told(&teller, &due, at(second));
        let mut said: Vec<String> = due.iter().map(|(_, alert)| said(alert)).collect();
        said.sort();
        said
    }

    /// What is counted for the alerts that are pending or firing.
    fn counts(&self) -> Vec<f64> {
        self.book.active().iter().map(|alert| alert.value).collect()
    }

    fn history(&self) -> Vec<String> {
        self.book.history().iter().map(said).collect()
    }
}

fn said(alert: &Alert) -> String {
    let service = alert.labels.get("service").map_or(String::new(), |service| format!(" {service}"));
    let delayed = if alert.annotations.contains_key("delayed") { ", delayed" } else { "" };
    format!("{} {}{service}{delayed}", format!("{:?}", alert.transition).to_lowercase(), alert.name)
}

const MINUTE: Duration = Duration::from_secs(60);
