//! librdkafka's producer: made when it is needed, made anew when a certificate has changed or it cannot go on, and let go where waiting is allowed.

use super::{
    parcel::{Form, Left},
    reports::Calls,
};
use net::kafka::Cluster;
use parking_lot::Mutex;
use pipeline::{Blocking, Refusal, Why, blocked};
use rdkafka::{
    ClientConfig,
    config::FromClientConfigAndContext,
    message::{Header, OwnedHeaders},
    producer::{BaseRecord, Producer as _, ThreadedProducer},
    types::RDKafkaErrorCode,
};
use signal::{Key, Signal};
use std::{fmt::Write, sync::Arc, time::Duration};
use tokio::time::{sleep, timeout};

/// When librdkafka is asked again whether it has room.
const ROOM: Duration = Duration::from_millis(5);
/// How long a cluster may take to say that it is there.
const PROBE: Duration = Duration::from_secs(5);
const SIGNAL: &str = "signal";
const CONTENT_TYPE: &str = "content-type";
const ORIGIN: &str = "kansoku-origin";

/// The producer of a sink, and those before it while somebody waits for their answers.
pub(super) struct Producers {
    cluster: Cluster,
    words: Vec<(&'static str, String)>,
    blocking: Blocking,
    now: Mutex<Option<Arc<Producer>>>,
}

/// A producer. It ends where blocking is allowed, since its end waits for librdkafka's threads.
pub(super) struct Producer {
    producer: Option<ThreadedProducer<Calls>>,
    /// What it was told of the cluster.
    told: Arc<ClientConfig>,
    blocking: Blocking,
}

impl Producers {
    pub(super) fn new(cluster: Cluster, words: Vec<(&'static str, String)>, blocking: Blocking) -> Producers {
        Producers { cluster, words, blocking, now: Mutex::default() }
    }

    pub(super) fn brokers(&self) -> &str {
        self.cluster.brokers()
    }

    /// The producer, made now if there is none that can go on.
    pub(super) fn get(&self) -> Result<Arc<Producer>, String> {
        let told = self.cluster.config();
        let mut now = self.now.lock();
        if let Some(producer) = now.as_ref().filter(|producer| producer.goes_on(&told)) {
            return Ok(Arc::clone(producer));
        }
        let mut config = told.as_ref().clone();
        for (key, value) in &self.words {
            config.set(*key, value);
        }
        let made = ThreadedProducer::from_config_and_context(&config, Calls::default());
        let made = made.map_err(|error| format!("librdkafka cannot write with these settings: {error}"))?;
        let producer = Arc::new(Producer { producer: Some(made), told, blocking: Arc::clone(&self.blocking) });
        *now = Some(Arc::clone(&producer));
        Ok(producer)
    }

    /// Ends the producer, and waits for that as long as this at the most.
    pub(super) async fn let_go(&self, within: Duration) {
        let Some(producer) = self.now.lock().take() else { return };
        let ended = blocked(&self.blocking, move || drop(producer.take()));
        if timeout(within, ended).await.is_err() {
            tracing::warn!("librdkafka takes its time to end; nobody waits for it");
        }
    }

    /// Asks the cluster about a topic.
    pub(super) async fn probe(&self, topic: &str) -> Result<(), Refusal> {
        let (producer, topic) = (self.get().map_err(later)?, topic.to_owned());
        let asked = blocked(&self.blocking, move || {
            let producer = producer.producer()?;
            let answer = producer.client().fetch_metadata(Some(&topic), PROBE);
            answer.map(drop).map_err(|error| producer.context().heard.last().unwrap_or_else(|| error.to_string()))
        });
        asked.await.unwrap_or_else(|| Err("nobody could ask".to_owned())).map_err(later)
    }
}

/// Something that gets better.
pub(super) fn later(why: String) -> Refusal {
    Refusal::Later { after: None, why: Why(why) }
}

impl Producer {
    fn producer(&self) -> Result<&ThreadedProducer<Calls>, String> {
        self.producer.as_ref().ok_or_else(|| "the sink has ended".to_owned())
    }

    fn goes_on(&self, told: &Arc<ClientConfig>) -> bool {
        let fatal = self.producer.as_ref().and_then(|producer| producer.client().fatal_error());
        if let Some((_, why)) = &fatal {
            tracing::warn!(why, "librdkafka cannot go on and begins anew");
        }
        Arc::ptr_eq(&self.told, told) && fatal.is_none()
    }

    /// Sends what is left and waits until the brokers have said of all of it that they have it, or that they do not.
    ///
    /// # Cancel safety
    /// What librdkafka has goes on its way; sent again, it comes twice.
    pub(super) async fn send(&self, topic: &str, form: Form, left: &Left) -> Result<(), Refusal> {
        let producer = self.producer().map_err(later)?;
        let mut key = String::new();
        for (at, message) in left.written.messages().iter().enumerate().filter(|(at, _)| !left.reports.is_taken(*at)) {
            let mut record = BaseRecord::with_opaque_to(topic, left.reports.ticket(at)).payload(left.written.value(message));
            record = record.headers(headers(left.signal(), form, left.written.origins(message)));
            if let Some(of) = message.key {
                write_key(&mut key, of);
                record = record.key(key.as_str());
            }
            while let Err((error, again)) = producer.send(record) {
                if error.rdkafka_error_code() != Some(RDKafkaErrorCode::QueueFull) {
                    again.delivery_opaque.answered(Err(error));
                    break;
                }
                sleep(ROOM).await;
                record = again;
            }
        }
        left.reports.all().await;
        left.reports.outcome(left.written.messages(), &producer.context().heard)
    }

    /// The producer itself, for whoever ends it. Whoever else has it hears that the sink has ended.
    fn take(self: Arc<Producer>) -> Option<ThreadedProducer<Calls>> {
        Arc::into_inner(self).and_then(|mut producer| producer.producer.take())
    }
}

fn headers(signal: Signal, form: Form, origins: &[u8]) -> OwnedHeaders {
    let kind = if form.json { "application/json" } else { "application/x-protobuf" };
    let headers = OwnedHeaders::new_with_capacity(3)
        .insert(Header { key: SIGNAL, value: Some(signal.word()) })
        .insert(Header { key: CONTENT_TYPE, value: Some(kind) });
    match origins {
        [] => headers,
        origins => headers.insert(Header { key: ORIGIN, value: Some(origins) }),
    }
}

/// As hex digits: 32 of a trace id, as the Collector writes it, or 16.
fn write_key(text: &mut String, key: Key) {
    text.clear();
    // Writing to a String cannot fail.
    let _written = match key {
        Key::Trace(trace) => write!(text, "{trace}"),
        Key::Resource(hash) => write!(text, "{hash:016x}"),
    };
}

impl Drop for Producer {
    fn drop(&mut self) {
        if let Some(producer) = self.producer.take() {
            (self.blocking)(Box::new(move || drop(producer)));
        }
    }
}
