//! What was refused for good: kept in a log of its own, with who said what and when, until somebody looks, sends it again, or newer letters need its room.

use crate::{
    Reason,
    buried::{Buried, KNOWN_MAX},
    ledger::{Fate, Ledger, PerSignal, Posting},
    letter::{self, About, CURSOR, Content},
    opening::OnDemand,
};
use journal::{Blocking, Entry, Error, Header, Kind, Log, Reader, Refused, blocked};
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use signal::{Ack, Time};
use std::{collections::VecDeque, pin::pin, sync::Arc, time::Duration};
use tokio::time::sleep;

/// When a disk that did not take a letter is asked again.
const AGAIN_AFTER: Duration = Duration::from_secs(1);

/// The log of all dead letters of a pipeline.
pub(crate) struct DeadLetters {
    pub(crate) log: OnDemand,
    blocking: Blocking,
    ledger: Mutex<Ledger>,
    state: Mutex<State>,
    buried: Mutex<Buried>,
    /// Held by who writes, so that of many that find it full one makes room.
    writing: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct State {
    letters: u64,
    records: u64,
    /// Everything below was sent again in this process.
    sent: u64,
    /// Some are gone, and only memory knows.
    unsaved: bool,
}

/// A letter that makes room: whose it was, where that can be read, and its records.
struct Gone {
    sequence: u64,
    node: Option<String>,
    records: PerSignal<u64>,
}

/// How much lies there.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeadLettersStatus {
    /// Letters: records that were refused together.
    pub letters: u64,
    /// Records in them.
    pub records: u64,
    /// Bytes on disk.
    pub bytes: u64,
    /// Bytes at which the oldest letters go.
    pub bytes_max: u64,
}

impl DeadLetters {
    pub(crate) fn new(log: OnDemand, blocking: Blocking, ledger: Ledger) -> Arc<DeadLetters> {
        let (state, buried, writing) = Default::default();
        Arc::new(DeadLetters { log, blocking, ledger: Mutex::new(ledger), state, buried, writing })
    }

    /// Opens and counts what an earlier process left.
    pub(crate) async fn begin(&self) -> Result<(), Error> {
        let Some(log) = self.log.left().await? else { return Ok(()) };
        let cursor = log.cursor(CURSOR);
        let (mut reader, log) = (log.reader(cursor).peeking(letter::PEEK_BYTES), Arc::clone(log));
        let counted = self.read(move || {
            let (mut letters, mut records, mut last) = (0, 0, VecDeque::new());
            // An error is met again when letters are read.
            while let Ok(Some(entry)) = reader.next() {
                letters += 1;
                records += letter::records(&entry).iter().sum::<u64>();
                last.push_back(entry.sequence);
                if last.len() > KNOWN_MAX {
                    last.pop_front();
                }
            }
            let (mut buried, mut reader) = (Buried::default(), log.reader(last.front().copied().unwrap_or(cursor)));
            while let Ok(Some(entry)) = reader.next() {
                buried.add(&letter::prints_of(&entry));
            }
            (letters, records, buried)
        });
        let (letters, records, buried) = counted.await.unwrap_or_default();
        *self.buried.lock() = buried;
        *self.state.lock() = State { letters, records, sent: cursor, unsaved: false };
        Ok(())
    }

    /// Keeps what was refused; it is on disk when this returns well. The oldest letters make room and are lost.
    async fn keep(&self, about: &About, content: &Content) -> Result<(), Refused> {
        let (log, records) = (self.log.log().await?, content.records);
        let all: u64 = records.iter().sum();
        let at = records.iter().position(|records| *records > 0).unwrap_or(0);
        let (items, signal) = (u32::try_from(all).unwrap_or(u32::MAX), u8::try_from(at).unwrap_or(u8::MAX));
        let header = Header { kind: Kind::Data, source: 0, signal, items, arrived: about.at.0 };
        let parts = letter::encode(about, content.bytes.clone());
        let _writes = self.writing.lock().await;
        let mut appended = log.append(header, &parts);
        if matches!(appended, Err(Refused::Full { .. })) {
            self.make_room(log).await?;
            appended = log.append(header, &parts);
        }
        log.committed(appended?).await?;
        self.buried.lock().add(&content.prints);
        let mut state = self.state.lock();
        state.letters += 1;
        state.records += all;
        Ok(())
    }

    /// The same, for as long as it takes, unless it lies there already. False when it is `closed` meanwhile: whoever has the records keeps them.
    pub(crate) async fn bury(&self, about: &About, content: &Content, closed: impl Future<Output = ()>) -> bool {
        let mut closed = pin!(closed);
        if self.buried.lock().has(&content.prints) {
            return true;
        }
        loop {
            match self.keep(about, content).await {
                Ok(()) => return true,
                Err(error @ Refused::TooLarge { .. }) => {
                    tracing::error!(node = about.node, %error, "a dead letter is not kept");
                    return true;
                }
                Err(error) => tracing::warn!(node = about.node, %error, "a dead letter waits for the disk"),
            }
            tokio::select! {
                () = &mut closed => return false,
                () = sleep(AGAIN_AFTER) => {}
            }
        }
    }

    /// The wall's time.
    pub(crate) fn now(&self) -> Time {
        self.log.now()
    }

    /// The accounts of another graph.
    pub(crate) fn know(&self, ledger: Ledger) {
        *self.ledger.lock() = ledger;
    }

    /// Lets the oldest eighth go. Letters that were sent again are not lost with it: their sinks have them, or will answer for them.
    async fn make_room(&self, log: &Arc<Log>) -> Result<(), Error> {
        let (reader, bytes_max, sent) = (log.reader(log.cursor(CURSOR)), self.log.limit() / 8, self.sent(log));
        let Some((gone, end)) = self.read(move || oldest(reader, bytes_max)).await else { return Ok(()) };
        let lost: Vec<Gone> = gone.into_iter().filter(|gone| gone.sequence >= sent).collect();
        for Gone { node, records, .. } in &lost {
            let account = self.ledger.lock().0.iter().find(|account| Some(&account.name) == node.as_ref()).cloned();
            let Some(account) = account else { continue };
            // They were rejected before, so they come up anew.
            let mut posting = Posting { made: *records, ..Posting::default() };
            posting.end_all(Fate::Lost, Reason::DEAD_LETTERS_FULL, *records);
            account.post(&posting);
        }
        self.forget(lost.len() as u64, lost.iter().flat_map(|gone| gone.records).sum());
        tracing::warn!(letters = lost.len(), "the oldest dead letters are gone: their log is full");
        self.log.consumer().map_or(Ok(()), |consumer| consumer.pass(end))?;
        log.flush().await
    }

    fn forget(&self, letters: u64, records: u64) {
        let mut state = self.state.lock();
        state.letters = state.letters.saturating_sub(letters);
        state.records = state.records.saturating_sub(records);
    }

    /// From where letters were not sent again yet.
    pub(crate) fn sent(&self, log: &Log) -> u64 {
        self.state.lock().sent.max(log.cursor(CURSOR))
    }

    /// A letter is sent again: the promise that lets it go.
    pub(crate) fn send(self: &Arc<DeadLetters>, sequence: u64, records: PerSignal<u64>) -> Ack {
        self.log.consumer().into_iter().for_each(|consumer| consumer.begin(sequence));
        self.state.lock().sent = sequence + 1;
        let letters = Arc::clone(self);
        Ack::new(move |outcome| {
            if outcome <= signal::Outcome::Rejected {
                letters.gone(sequence, records.iter().sum());
            }
        })
    }

    /// What a sink is given again, and refuses again, is another letter.
    pub(crate) fn give_again(&self, prints: &[u128]) {
        self.buried.lock().forget(prints);
    }

    /// Writes a letter that stays behind the others, and lets go of it where it was.
    pub(crate) async fn move_behind(self: &Arc<DeadLetters>, log: &Log, entry: Entry, records: PerSignal<u64>) -> Result<(), Error> {
        let _writes = self.writing.lock().await;
        let moved = match log.append(entry.header, &[entry.payload]) {
            Ok(sequence) => log.committed(sequence).await,
            Err(Refused::Failed(error)) => Err(error),
            // There is room again once those sent are gone.
            Err(Refused::Full { .. } | Refused::TooLarge { .. }) => Err(Error::Closed { path: self.log.path.clone() }),
        };
        moved?;
        let mut state = self.state.lock();
        state.letters += 1;
        state.records += records.iter().sum::<u64>();
        drop(state);
        drop(self.send(entry.sequence, records));
        Ok(())
    }

    fn gone(&self, sequence: u64, records: u64) {
        self.forget(1, records);
        if let Some(Err(error)) = self.log.consumer().map(|consumer| consumer.settle(sequence)) {
            tracing::error!(%error, "cannot move the cursor of the dead letters");
        }
        self.state.lock().unsaved = true;
    }

    /// Writes down what is gone.
    pub(crate) async fn save(&self) {
        let unsaved = std::mem::take(&mut self.state.lock().unsaved);
        if let Some(log) = self.log.opened().filter(|_| unsaved)
            && let Err(error) = log.flush().await
        {
            tracing::warn!(%error, "cannot save which dead letters are gone");
        }
    }

    /// Runs where blocking is allowed.
    pub(crate) async fn read<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
        blocked(&self.blocking, work).await
    }

    pub(crate) fn status(&self) -> DeadLettersStatus {
        let bytes = self.log.opened().map_or(0, |log| log.bytes());
        let state = self.state.lock();
        DeadLettersStatus { letters: state.letters, records: state.records, bytes, bytes_max: self.log.limit() }
    }
}

/// The oldest letters that have so many bytes, and where those after them begin.
fn oldest(mut reader: Reader, bytes_max: u64) -> (Vec<Gone>, u64) {
    let (mut gone, mut bytes) = (Vec::new(), 0);
    while bytes < bytes_max {
        // What cannot be read goes with the rest.
        let Ok(Some(entry)) = reader.next() else { break };
        bytes += entry.payload.len() as u64;
        let node = letter::decode(&entry.payload).map(|(about, _)| about.node);
        gone.push(Gone { sequence: entry.sequence, node, records: letter::records(&entry) });
    }
    (gone, reader.position())
}
