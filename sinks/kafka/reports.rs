//! What became of each message of a parcel, as librdkafka reports it, and what that means for the parcel.

use net::kafka::Heard;
use parking_lot::Mutex;
use pipeline::{Refusal, Why};
use rdkafka::{
    ClientContext, config::RDKafkaLogLevel, error::KafkaError, message::DeliveryResult, producer::ProducerContext, types::RDKafkaErrorCode,
};
use signal::keyed::Message;
use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};
use tokio::sync::Notify;

/// Reports of the messages of one parcel.
#[derive(Debug)]
pub(super) struct Reports {
    /// Messages that were given to librdkafka and are not reported, and one for whoever gives them.
    open: AtomicUsize,
    /// Which messages all replicas have: also of the attempts before this one, whose reports may still come.
    taken: Arc<[AtomicBool]>,
    refused: Mutex<Option<Refused>>,
    done: Notify,
}

/// The worst that happened to a message.
#[derive(Clone, Debug)]
struct Refused {
    message: usize,
    error: KafkaError,
}

/// With it a message says which it is.
pub(super) struct Ticket {
    reports: Arc<Reports>,
    message: usize,
}

impl Reports {
    /// Of so many messages, none of which is on its way.
    pub(super) fn of(messages: usize) -> Arc<Reports> {
        Reports::new((0..messages).map(|_| AtomicBool::new(false)).collect())
    }

    /// Of another attempt with the same messages.
    pub(super) fn again(&self) -> Arc<Reports> {
        Reports::new(Arc::clone(&self.taken))
    }

    fn new(taken: Arc<[AtomicBool]>) -> Arc<Reports> {
        Arc::new(Reports { open: AtomicUsize::new(1), taken, refused: Mutex::default(), done: Notify::new() })
    }

    pub(super) fn is_taken(&self, message: usize) -> bool {
        self.taken.get(message).is_some_and(|taken| taken.load(Ordering::Acquire))
    }

    /// One more is on its way.
    pub(super) fn ticket(self: &Arc<Reports>, message: usize) -> Box<Ticket> {
        self.open.fetch_add(1, Ordering::AcqRel);
        Box::new(Ticket { reports: Arc::clone(self), message })
    }

    /// All were given, and now their reports are waited for.
    pub(super) async fn all(&self) {
        self.one_less();
        while self.open.load(Ordering::Acquire) > 0 {
            let done = self.done.notified();
            if self.open.load(Ordering::Acquire) > 0 {
                done.await;
            }
        }
    }

    fn one_less(&self) {
        if self.open.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.done.notify_one();
        }
    }

    fn refuse(&self, message: usize, error: KafkaError) {
        let mut refused = self.refused.lock();
        if refused.as_ref().is_none_or(|before| severity(&before.error) < severity(&error)) {
            *refused = Some(Refused { message, error });
        }
    }

    /// What the reports mean together.
    pub(super) fn outcome(&self, messages: &[Message], heard: &Heard) -> Result<(), Refusal> {
        let Some(Refused { message, error }) = self.refused.lock().clone() else { return Ok(()) };
        let said = error.rdkafka_error_code().map_or_else(|| error.to_string(), |code| code.to_string());
        let why = match severity(&error) {
            Severity::Size if messages.get(message).is_some_and(|message| message.records > 1) => {
                return Err(Refusal::TooLarge { max: None });
            }
            Severity::Size | Severity::Content => return Err(Refusal::Never { why: Why(said) }),
            Severity::Time => heard.last().map_or_else(|| said.clone(), |heard| format!("{said}: {heard}")),
        };
        Err(Refusal::Later { after: None, why: Why(why) })
    }
}

/// What has to be done about an error: the greater decides for the parcel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Severity {
    /// It goes away, or somebody sets it right: brokers that are down, topics that are missing, rights that were not given.
    Time,
    /// The brokers do not take this message at all.
    Content,
    /// They take smaller ones.
    Size,
}

fn severity(error: &KafkaError) -> Severity {
    match error.rdkafka_error_code() {
        Some(RDKafkaErrorCode::MessageSizeTooLarge | RDKafkaErrorCode::MessageBatchTooLarge) => Severity::Size,
        Some(RDKafkaErrorCode::InvalidRecord) => Severity::Content,
        _ => Severity::Time,
    }
}

impl Ticket {
    /// The brokers' answer, or librdkafka's in their place.
    pub(super) fn answered(&self, answer: Result<(), KafkaError>) {
        let Ticket { reports, message } = self;
        match answer {
            Ok(()) => reports.taken.iter().skip(*message).take(1).for_each(|taken| taken.store(true, Ordering::Release)),
            Err(error) => reports.refuse(*message, error),
        }
        reports.one_less();
    }
}

/// What librdkafka calls back.
#[derive(Debug, Default)]
pub(super) struct Calls {
    pub(super) heard: Heard,
}

impl ClientContext for Calls {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, text: &str) {
        self.heard.log(level, facility, text);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.heard.error(&error, reason);
    }
}

impl ProducerContext for Calls {
    type DeliveryOpaque = Box<Ticket>;

    fn delivery(&self, result: &DeliveryResult<'_>, ticket: Box<Ticket>) {
        match result {
            Ok(_) => {
                self.heard.well();
                ticket.answered(Ok(()));
            }
            Err((error, _)) => ticket.answered(Err(error.clone())),
        }
    }
}
