//! What must hold whatever lies in the folder of an alert node: it begins or says why not, counts, and the next begins from what it wrote.

use alert::{Book, Folder, Rule, Ruler, rule};
use arbitrary::Arbitrary;
use bytes::Bytes;
use config::{Document, document::Real};
use futures::FutureExt;
use journal::{Disk, simulated::SimulatedDisk};
use signal::{Ack, Batch, Chunk, Flow, Kinds, Limits, Ordinals, Origin, Signal, Time, check, codec::json};
use std::{path::Path, sync::Arc};

const DIR: &str = "/j/alerts/node";
const RULES: &str =
    "groups: [{ name: g, rules: [{ alert: a, of: logs, when: .severity_number >= 17, by: [.service], window: 10m, count: 2 }] }]";
/// A checkpoint with something of everything, of that rule.
const BODY: &[u8] = include_bytes!("../../alert/tests/version_1/state");
const STAMP_BYTES: usize = 32;

/// What lies there.
#[derive(Arbitrary, Debug)]
pub enum Left<'a> {
    Any(&'a [u8]),
    /// A body behind a stamp whose checksums are right (FORMAT.md).
    Stamped {
        version: u16,
        body: &'a [u8],
    },
    /// A checkpoint with pieces of its text replaced, behind a stamp that is right.
    Changed(Vec<(u16, u8, &'a str)>),
}

impl Left<'_> {
    fn bytes(&self) -> Vec<u8> {
        match self {
            Left::Any(bytes) => bytes.to_vec(),
            Left::Stamped { version, body } => stamped(*version, body),
            Left::Changed(changes) => {
                let mut body = BODY[STAMP_BYTES..].to_vec();
                for (at, length, text) in changes {
                    let from = usize::from(*at) % (body.len() + 1);
                    let to = (from + usize::from(*length)).min(body.len());
                    body.splice(from..to, text.bytes());
                }
                stamped(1, &body)
            }
        }
    }
}

fn stamped(version: u16, body: &[u8]) -> Vec<u8> {
    let mut stamp = b"KANSOKUA".to_vec();
    stamp.extend_from_slice(&version.to_le_bytes());
    stamp.extend_from_slice(&[0; 2]);
    stamp.extend_from_slice(&crc32c::crc32c(body).to_le_bytes());
    stamp.extend_from_slice(&(body.len() as u64).to_le_bytes());
    stamp.extend_from_slice(&[0; 4]);
    stamp.extend_from_slice(&crc32c::crc32c(&stamp).to_le_bytes());
    [stamp, body.to_vec()].concat()
}

fn rules() -> Vec<Rule> {
    let document = Document::parse("rules.yaml", RULES, &Real).unwrap_or_else(|_| unreachable!("it is ours"));
    rule::read(&document, Kinds::ALL).expect("they are ours")
}

fn begin(disk: &SimulatedDisk, at: Time) -> Result<Arc<Ruler>, alert::Error> {
    let folder = Folder::new(Arc::new(disk.clone()), Path::new(DIR).to_owned());
    let ruler = Arc::new(Ruler::new(Arc::new(Book::default()), Some(folder), Arc::new(|work| work())));
    ruler.begin(rules(), vec!["console".to_owned()], at).map(|_| ruler)
}

fn error(position: u64, at: Time) -> Flow {
    let text = format!(
        r#"{{"resourceLogs":[{{"scopeLogs":[{{"logRecords":[{{"severityNumber":17,"body":{{"stringValue":"no"}},"timeUnixNano":"{}"}}]}}]}}]}}"#,
        at.0
    );
    let raw = json::to_protobuf(Signal::Logs, text.as_bytes()).expect("it is ours");
    let (checked, counts) = check(Signal::Logs, raw, &Limits::default()).expect("it is ours");
    let chunk = Chunk::new(checked, counts.records, Some(Origin { log: 7, position }), Ordinals::From(0), at);
    Flow::Batch(Batch::new(Signal::Logs, chunk, Ack::none()))
}

/// Counts, tells, and has it on disk.
fn work(ruler: &Arc<Ruler>, at: Time) {
    ruler.observe(&error(1, at), at);
    ruler.tick(at);
    let saved = |ruler: &Arc<Ruler>| {
        let epoch = ruler.epoch();
        ruler.save(move || at).now_or_never().expect("work runs inline");
        ruler.kept(epoch).now_or_never().expect("the disk is well").expect("the disk is well");
    };
    saved(ruler);
    let teller = ruler.teller("console").expect("nobody else tells");
    let due = ruler.due(&teller);
    ruler.told(&teller, &due, at);
    saved(ruler);
}

/// Any folder: see above.
pub fn a_ruler_begins_from_any_folder(left: &Left<'_>) {
    let (disk, at) = (SimulatedDisk::new(), Time(1_795_255_300_000_000_000));
    disk.create_dir_all(Path::new(DIR)).expect("the disk is well");
    disk.write_new(&Path::new(DIR).join("state"), &[Bytes::from(left.bytes())]).expect("the disk is well");
    match begin(&disk, at) {
        Err(error) => assert!(!error.to_string().is_empty()),
        Ok(ruler) => {
            work(&ruler, at);
            let again = begin(&disk, at.plus(std::time::Duration::from_secs(1))).expect("it wrote that itself");
            assert_eq!(again.damaged(), 0, "what it wrote it cannot read");
            work(&again, at.plus(std::time::Duration::from_secs(1)));
        }
    }
}
