//! Admission, check, journal, answer: what stands between a source and the lanes.

use crate::{
    Clock, Reason,
    handed::{Handed, Standing, Waiter},
    ledger::{Account, Fate, Posting},
    limits::{Budget, Share},
    repeats::{Body, Known, Repeats},
    settings::Acknowledge,
    settling::CURSOR,
    tail::{SourceKey, Tail},
};
use bytes::Bytes;
use parking_lot::{Mutex, RwLock};
use signal::{Checked, Counts, Limits, Malformed, Outcome, Signal, check};
use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::{
    sync::{mpsc, oneshot},
    time::timeout,
};

/// What a client that names no limit waits at the most, and how long before its limit it gets its answer.
const WAIT_MAX: Duration = Duration::from_secs(8);
const BEFORE_LIMIT: Duration = Duration::from_millis(500);
/// For who has nothing better to do than to wait.
const FOR_EVER: Duration = Duration::from_secs(1 << 30);
/// What a refused client is told to wait.
const AFTER: Duration = Duration::from_secs(1);

/// Takes requests of one source in. Clones share it.
#[derive(Clone)]
pub struct Intake(Arc<Gate>);

/// Bytes of the memory budget that were set aside before a body was read; given back when dropped.
#[derive(Debug)]
pub struct Admission {
    share: Arc<Share>,
    bytes: usize,
    signal: Signal,
    account: Arc<Account>,
}

/// What the intake of one source is made of.
pub(crate) struct Gate {
    pub(crate) source: SourceKey,
    pub(crate) account: Arc<Account>,
    pub(crate) acknowledge: Acknowledge,
    pub(crate) budget: Budget,
    pub(crate) clock: Clock,
    pub(crate) way: Way,
    pub(crate) closed: Arc<AtomicBool>,
    pub(crate) repeats: Arc<Mutex<Repeats>>,
    pub(crate) limits: Limits,
}

/// Where a request goes once it is checked.
#[derive(Clone)]
pub(crate) enum Way {
    /// Into the journal, from which one lane reads.
    Journal(Arc<Tail>),
    /// To the lane of its connection. A graph with another number of lanes puts other channels there.
    Lanes(Arc<RwLock<Vec<mpsc::Sender<Handed>>>>),
}

/// Where a request came from; with the hash of its body it tells a repeat.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Caller {
    /// A client.
    Peer(SocketAddr),
    /// This process: `generate`, the output of `run -- CMD`.
    Here,
    /// This process, which reads what it got no yes for again, and gives up waiting never.
    Reader,
}

/// Nothing was taken; try again after a while. 429 or RESOURCE_EXHAUSTED.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Busy {
    /// When to try again.
    pub after: Duration,
    /// What is full, in words.
    pub what: String,
}

/// What was taken in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Accepted {
    /// Records taken.
    pub records: usize,
    /// Records cut out by `check`; the answer's partial success.
    pub rejected: usize,
    /// Why the first of them was cut.
    pub cut: Option<Malformed>,
    /// What a sink said of records it refused for good, where the answer waited for it.
    pub note: Option<String>,
}

/// Why a request was not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refused {
    /// 400 or INVALID_ARGUMENT.
    Malformed(Malformed),
    /// 429 or RESOURCE_EXHAUSTED, with a retry time.
    Busy(Busy),
    /// 503 or UNAVAILABLE: a sink did not answer in time, or the disk failed.
    Unavailable {
        /// When to try again.
        after: Duration,
        /// What failed, in words.
        what: String,
    },
    /// 503 or UNAVAILABLE: the process is going down.
    Closing,
}

/// A request that was checked.
struct Request {
    signal: Signal,
    checked: Checked,
    counts: Counts,
    admission: Admission,
    body: Option<Body>,
    lane: usize,
    wait: Duration,
    position: Option<Bytes>,
}

impl Intake {
    pub(crate) fn new(gate: Gate) -> Intake {
        Intake(Arc::new(gate))
    }

    /// Sets bytes aside before a body is read. Never waits. A request that is not admitted is counted.
    pub fn admit(&self, signal: Signal, bytes: usize) -> Result<Admission, Busy> {
        if let Some(what) = self.0.budget.pressed() {
            self.0.account.refuse(signal, Reason::WINDOW, bytes);
            return Err(Busy { after: AFTER, what: what.to_owned() });
        }
        let share = Arc::clone(&self.0.budget.intake);
        let mut admission = Admission { share, bytes: 0, signal, account: Arc::clone(&self.0.account) };
        admission.grow(bytes)?;
        Ok(admission)
    }

    /// Counts a request whose encoding the source could not read as `accept` counts malformed protobuf.
    pub fn malformed(&self, signal: Signal, malformed: Malformed) -> Refused {
        self.0.malformed(signal, malformed)
    }

    /// Checks a protobuf request, journals it and returns when the source's promise (`acknowledge:`) is met. `within` is what the client will wait at the most.
    ///
    /// # Cancel safety
    /// A request whose client went away may still be taken in; it is then in the ledger.
    pub async fn accept(
        &self,
        signal: Signal,
        raw: Bytes,
        admission: Admission,
        from: Caller,
        within: Option<Duration>,
    ) -> Result<Accepted, Refused> {
        let wait = within.map_or(WAIT_MAX, |within| within.saturating_sub(BEFORE_LIMIT).min(WAIT_MAX));
        self.take(signal, raw, admission, from, (wait, None)).await
    }

    /// The same for a source that keeps how far it is: `position` is in the journal if and only if the request is.
    pub(crate) async fn accept_from_reader(
        &self,
        signal: Signal,
        raw: Bytes,
        admission: Admission,
        position: Bytes,
    ) -> Result<Accepted, Refused> {
        self.take(signal, raw, admission, Caller::Reader, (FOR_EVER, Some(position))).await
    }

    async fn take(
        &self,
        signal: Signal,
        raw: Bytes,
        admission: Admission,
        from: Caller,
        (wait, position): (Duration, Option<Bytes>),
    ) -> Result<Accepted, Refused> {
        if self.0.closed.load(Ordering::Acquire) {
            admission.refused(Reason::CLOSING);
            return Err(Refused::Closing);
        }
        let body = matches!(self.0.way, Way::Journal(_)).then(|| from.body(signal, &raw)).flatten();
        let (checked, counts) = check(signal, raw, &self.0.limits).map_err(|malformed| self.0.malformed(signal, malformed))?;
        let accepted = Accepted { records: counts.records, rejected: counts.rejected, cut: counts.why.clone(), note: None };
        let mut admission = admission;
        admission.settle_at(checked.bytes().len());
        let request = Request { signal, checked, counts, admission, body, lane: from.lane(), wait, position };
        let note = match &self.0.way {
            _ if request.counts.records == 0 => {
                self.0.post(&request, Posting::default());
                None
            }
            Way::Journal(tail) => self.0.through_journal(tail, request).await?,
            Way::Lanes(lanes) => self.0.to_lane(lanes, request).await?,
        };
        Ok(Accepted { note, ..accepted })
    }
}

impl Gate {
    fn malformed(&self, signal: Signal, malformed: Malformed) -> Refused {
        let mut one = [0; 3];
        one[signal.number()] = 1;
        let mut posting = Posting::taking(one);
        posting.end_all(Fate::Rejected, Reason::MALFORMED, one);
        self.account.post(&posting);
        Refused::Malformed(malformed)
    }

    /// Counts a request as taken in, and what `check` cut out of it as rejected.
    fn post(&self, request: &Request, mut posting: Posting) {
        let at = request.signal.number();
        posting.taken[at] += (request.counts.records + request.counts.rejected) as u64;
        posting.end(Fate::Rejected, request.signal, Reason::CUT, request.counts.rejected as u64);
        self.account.post(&posting);
    }

    fn post_repeat(&self, request: &Request) {
        let mut posting = Posting::default();
        posting.end(Fate::Discarded, request.signal, Reason::REPEAT, request.counts.records as u64);
        self.post(request, posting);
    }

    fn post_held(&self, request: &Request) {
        let mut posting = Posting::default();
        posting.held[request.signal.number()] = i64::try_from(request.counts.records).unwrap_or(i64::MAX);
        self.post(request, posting);
    }

    /// Appends, waits for the disk, and for the sinks where that was asked for. Returns what the client should be told besides yes.
    async fn through_journal(&self, tail: &Tail, mut request: Request) -> Result<Option<String>, Refused> {
        let (sequence, answer) = {
            // Held over the append, so that of two equal requests one sees the other.
            let mut repeats = self.repeats.lock();
            match request.body.and_then(|body| repeats.find(body, self.clock.now())) {
                Some(Known::OnItsWay) => return Err(on_its_way(&request)),
                Some(Known::Delivered) => {
                    self.post_repeat(&request);
                    return Ok(None);
                }
                // An earlier process took it in, and no sink has it yet.
                Some(Known::Journal(sequence)) if self.acknowledge == Acknowledge::Delivered && sequence >= tail.journal.cursor(CURSOR) => {
                    return Err(on_its_way(&request));
                }
                Some(Known::Journal(sequence)) => {
                    self.post_repeat(&request);
                    (sequence, None)
                }
                None => {
                    let (waiter, answer) = self.waiter(&request);
                    let bytes = request.admission.bytes;
                    let handed = self.hand(&mut request, waiter);
                    let sequence = tail
                        .append(handed, request.position.as_ref(), || self.post_held(&request))
                        .map_err(|why| self.not_appended(&request, bytes, why))?;
                    if let Some(body) = request.body {
                        let known = if answer.is_some() { Known::OnItsWay } else { Known::Journal(sequence) };
                        repeats.remember(body, known, self.clock.now());
                    }
                    (sequence, answer)
                }
            }
        };
        if self.acknowledge != Acknowledge::Memory {
            let failed = |error: journal::Error| refused(error.into()).0;
            tail.committed(sequence).await.inspect_err(|_| self.forget(request.body)).map_err(failed)?;
        }
        self.wait(answer, request.wait).await
    }

    fn not_appended(&self, request: &Request, bytes: usize, why: journal::Refused) -> Refused {
        let (answer, reason) = refused(why);
        self.account.refuse(request.signal, reason, bytes);
        answer
    }

    async fn to_lane(&self, lanes: &RwLock<Vec<mpsc::Sender<Handed>>>, mut request: Request) -> Result<Option<String>, Refused> {
        let reserve = async {
            // Mostly there is room, and nothing to wait for.
            if let Some(Ok(room)) = lane_of(lanes, request.lane).map(mpsc::Sender::try_reserve_owned) {
                return Some(room);
            }
            loop {
                let lane = lane_of(lanes, request.lane)?;
                match lane.clone().reserve_owned().await {
                    Ok(room) => return Some(room),
                    // Its lane has ended: for good, or another graph has another.
                    Err(_) if lane_of(lanes, request.lane)?.same_channel(&lane) => return None,
                    Err(_) => {}
                }
            }
        };
        let room = match timeout(request.wait, reserve).await {
            Ok(Some(room)) => room,
            Ok(None) => {
                request.admission.refused(Reason::CLOSING);
                return Err(Refused::Closing);
            }
            Err(_) => {
                request.admission.refused(Reason::LANES_FULL);
                return Err(Refused::Busy(Busy { after: AFTER, what: "the lanes are full: a sink is slow".to_owned() }));
            }
        };
        let (waiter, answer) = self.waiter(&request);
        self.post_held(&request);
        room.send(self.hand(&mut request, waiter));
        self.wait(answer, request.wait).await
    }

    fn hand(&self, request: &mut Request, waiter: Option<Waiter>) -> Handed {
        Handed {
            source: self.source,
            account: Arc::clone(&self.account),
            signal: request.signal,
            checked: request.checked.clone(),
            chunks: None,
            records: request.counts.records,
            arrived: self.clock.now(),
            position: None,
            standing: Standing::Held,
            waiter,
            admission: Some(request.admission.take()),
        }
    }

    fn waiter(&self, request: &Request) -> (Option<Waiter>, Option<oneshot::Receiver<Outcome>>) {
        if self.acknowledge != Acknowledge::Delivered {
            return (None, None);
        }
        let (tell, answer) = oneshot::channel();
        let repeats = request.body.map(|body| (Arc::clone(&self.repeats), body));
        (Some(Waiter::new(tell, repeats, self.clock.clone())), Some(answer))
    }

    fn forget(&self, body: Option<Body>) {
        if let Some(body) = body {
            self.repeats.lock().forget(body);
        }
    }

    /// Waits until every sink has it, as long as the client does.
    async fn wait(&self, answer: Option<oneshot::Receiver<Outcome>>, wait: Duration) -> Result<Option<String>, Refused> {
        let Some(answer) = answer else { return Ok(None) };
        match timeout(wait, answer).await {
            Ok(Ok(Outcome::Delivered)) => Ok(None),
            Ok(Ok(Outcome::Rejected)) => Ok(Some("a sink refused part of it for good; `kansoku status` names the sink".to_owned())),
            Ok(Ok(Outcome::Lost | Outcome::Returned) | Err(_)) => {
                Err(Refused::Unavailable { after: AFTER, what: "it did not reach every sink".to_owned() })
            }
            Err(_) => Err(Refused::Unavailable { after: AFTER, what: "a sink did not answer in time".to_owned() }),
        }
    }
}

fn lane_of(lanes: &RwLock<Vec<mpsc::Sender<Handed>>>, number: usize) -> Option<mpsc::Sender<Handed>> {
    let lanes = lanes.read();
    lanes.get(number % lanes.len().max(1)).cloned()
}

fn on_its_way(request: &Request) -> Refused {
    request.admission.refused(Reason::ON_ITS_WAY);
    Refused::Unavailable { after: AFTER, what: "the same request came before and is still on its way to a sink".to_owned() }
}

/// What the client is told of a record that the journal did not take, and the word it is counted by.
fn refused(refused: journal::Refused) -> (Refused, Reason) {
    let what = refused.to_string();
    match refused {
        journal::Refused::Full { .. } => (Refused::Busy(Busy { after: AFTER, what }), Reason::JOURNAL_FULL),
        journal::Refused::TooLarge { .. } => {
            (Refused::Malformed(Malformed { path: "request".to_owned(), offset: 0, what }), Reason::TOO_LARGE)
        }
        journal::Refused::Failed(error) if error.is_disk_full() || matches!(error, journal::Error::Behind { .. }) => {
            (Refused::Busy(Busy { after: AFTER, what }), Reason::DISK)
        }
        journal::Refused::Failed(_) => (Refused::Unavailable { after: AFTER, what }, Reason::DISK),
    }
}

impl Caller {
    /// What tells a repeat, where there is a journal that has the first; a retry may come from another port.
    fn body(self, signal: Signal, raw: &[u8]) -> Option<Body> {
        match self {
            Caller::Peer(peer) => Some(Body::of(peer.ip(), signal, raw)),
            Caller::Reader => Some(Body::of(IpAddr::V4(Ipv4Addr::LOCALHOST), signal, raw)),
            Caller::Here => None,
        }
    }

    /// A number that stays the same for a connection.
    fn lane(self) -> usize {
        match self {
            Caller::Peer(peer) => usize::from(peer.port()),
            Caller::Here | Caller::Reader => 0,
        }
    }
}

impl Admission {
    /// Sets more aside as a body turns out larger (decompression); on failure nothing more is held and the request must be refused.
    pub fn grow(&mut self, bytes: usize) -> Result<(), Busy> {
        if !self.share.take(bytes) {
            self.account.refuse(self.signal, Reason::MEMORY, self.bytes.saturating_add(bytes));
            return Err(Busy { after: AFTER, what: "the memory set aside for requests is in use; see `memory:`".to_owned() });
        }
        self.bytes += bytes;
        Ok(())
    }

    /// Bytes set aside.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Counts the request as refused, for whoever gives it up after it was admitted; not for a growth that failed, which counts itself.
    pub fn refused(&self, why: Reason) {
        self.account.refuse(self.signal, why, self.bytes);
    }

    /// The same bytes for somebody else to give back.
    fn take(&mut self) -> Admission {
        let (share, account) = (Arc::clone(&self.share), Arc::clone(&self.account));
        Admission { share, bytes: std::mem::take(&mut self.bytes), signal: self.signal, account }
    }

    /// From now on exactly this much is there, as it turned out.
    fn settle_at(&mut self, bytes: usize) {
        if bytes > self.bytes {
            self.share.force(bytes - self.bytes);
        } else {
            self.share.give_back(self.bytes - bytes);
        }
        self.bytes = bytes;
    }
}

impl Drop for Admission {
    fn drop(&mut self) {
        self.share.give_back(self.bytes);
    }
}
