//! A real Kafka broker, which `tests/kafka/broker` sets up and which ends with the test binary: killed, started again, listening in plain text and with TLS and SASL.

use crate::{process::signal, repository, tls::Authority, until};
use parking_lot::Mutex;
use rdkafka::{
    ClientConfig, Message, Offset, TopicPartitionList,
    admin::{AdminClient, AdminOptions, NewTopic, TopicReplication},
    client::DefaultClientContext,
    consumer::{BaseConsumer, Consumer},
    message::Headers,
};
use std::{
    io::{BufRead, BufReader, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::OnceLock,
    time::Duration,
};

/// The user that the secured listener knows.
pub const USER: &str = "alice";
/// The user's password.
pub const PASSWORD: &str = "alice-secret";
/// The script's word for: Java or Maven is missing.
const MISSING: i32 = 3;

/// A broker of one test binary. Its topics come by themselves, with four partitions each.
#[derive(Debug)]
pub struct Broker {
    folder: PathBuf,
    plain: u16,
    secured: u16,
    controller: u16,
    authority: Authority,
    serving: Mutex<Option<Serving>>,
}

/// The script at work; the broker ends once it is let go.
#[derive(Debug)]
struct Serving {
    script: Child,
    broker: u32,
}

/// The one broker of this test binary, started by whichever test comes first. None where this machine has no Java or no Maven, which is said on stderr;
/// where `CI` is set that is a failure.
#[must_use]
pub fn broker() -> Option<&'static Broker> {
    static ONE: OnceLock<Option<Broker>> = OnceLock::new();
    let broker = ONE.get_or_init(Broker::start).as_ref();
    if broker.is_none() {
        // Past the harness, which keeps what a test that passes says to itself.
        let name = std::thread::current().name().unwrap_or("a test").to_owned();
        writeln!(std::io::stderr(), "SKIPPED: {name}: it needs a real Kafka broker, and that needs Java 17 and Maven")
            .expect("stderr is there");
    }
    broker
}

impl Broker {
    fn start() -> Option<Broker> {
        let folder = tempfile::Builder::new().prefix("kansoku-kafka-").tempdir().expect("a folder").keep();
        let authority = Authority::new(&folder, "ca");
        let shown = authority.issue("broker");
        let text = |path: &PathBuf| std::fs::read_to_string(path).expect("written just now");
        crate::tls::write(&folder.join("broker.pem"), &(text(&shown.key) + &text(&shown.cert)));
        let [plain, secured, controller] = free_ports();
        let broker = Broker { folder, plain, secured, controller, authority, serving: Mutex::new(None) };
        match broker.serve() {
            Ok(serving) => *broker.serving.lock() = Some(serving),
            Err(MISSING) => {
                assert!(std::env::var_os("CI").is_none(), "CI runs the tests that need a broker: it needs Java 17 and Maven");
                return None;
            }
            Err(code) => panic!("the broker does not start ({code}); what it says is above, and in {}", broker.folder.display()),
        }
        Some(broker)
    }

    fn serve(&self) -> Result<Serving, i32> {
        let mut script = Command::new(repository("tests/kafka/broker"))
            .arg("serve")
            .args([self.folder.as_os_str(), self.plain.to_string().as_ref()])
            .env("BROKER_CONTROLLER", self.controller.to_string())
            .env("BROKER_SECURED", self.secured.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("bash");
        let mut said = String::new();
        let mut out = BufReader::new(script.stdout.take().expect("piped"));
        out.read_line(&mut said).expect("text");
        match said.strip_prefix("ready ").and_then(|pid| pid.trim().parse().ok()) {
            Some(broker) => Ok(Serving { script, broker }),
            None => Err(script.wait().expect("is ours").code().unwrap_or(-1)),
        }
    }

    /// Where it listens in plain text: `127.0.0.1:PORT`.
    #[must_use]
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.plain)
    }

    /// Where it listens with TLS and SASL (PLAIN, SCRAM-SHA-256, SCRAM-SHA-512) for [`USER`] with [`PASSWORD`].
    #[must_use]
    pub fn secured(&self) -> String {
        format!("127.0.0.1:{}", self.secured)
    }

    /// Who gave out its certificate, and would give clients theirs.
    #[must_use]
    pub fn authority(&self) -> &Authority {
        &self.authority
    }

    /// `kill -9`. Its data stays.
    pub fn kill(&self) {
        let Some(mut serving) = self.serving.lock().take() else { return };
        crate::tls::write(&self.folder.join("keep"), "");
        assert!(signal(serving.broker, "KILL"), "the broker is gone already");
        let plain = SocketAddr::from(([127, 0, 0, 1], self.plain));
        until("nobody listens any more", || TcpStream::connect(plain).is_err().then_some(()));
        drop(serving.script.stdin.take());
        serving.script.wait().expect("is ours");
    }

    /// Starts it again with the data that it left.
    ///
    /// # Panics
    /// It runs, or does not start.
    pub fn start_again(&self) {
        let mut serving = self.serving.lock();
        assert!(serving.is_none(), "it runs");
        *serving = Some(self.serve().unwrap_or_else(|code| panic!("the broker does not start again ({code}): {}", self.folder.display())));
    }
}

/// Ports that are free now.
fn free_ports() -> [u16; 3] {
    let taken = [(); 3].map(|()| TcpListener::bind("127.0.0.1:0").expect("a free port"));
    taken.map(|listener| listener.local_addr().expect("bound").port())
}

/// A message as a plain consumer reads it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Read {
    /// Where.
    pub partition: i32,
    /// And at which place there.
    pub offset: i64,
    /// Its key.
    pub key: Option<Vec<u8>>,
    /// Its value.
    pub value: Vec<u8>,
    /// Its headers, in their order.
    pub headers: Vec<(String, Vec<u8>)>,
}

impl Read {
    /// The first header of this name.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&[u8]> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_slice())
    }
}

/// Makes a topic of this many partitions with these settings, such as `max.message.bytes`.
pub fn create(address: &str, topic: &str, partitions: i32, settings: &[(&str, &str)]) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let admin: AdminClient<DefaultClientContext> = ClientConfig::new().set("bootstrap.servers", address).create().expect("a client");
    let new = NewTopic { config: settings.to_vec(), ..NewTopic::new(topic, partitions, TopicReplication::Fixed(1)) };
    let made = runtime.block_on(admin.create_topics([&new], &AdminOptions::new().operation_timeout(Some(ASKED))));
    made.expect("the cluster answers").into_iter().for_each(|one| drop(one.expect("a topic that is new")));
}

const ASKED: Duration = Duration::from_secs(20);

/// All that a topic has now, partition by partition; nothing where there is no such topic.
#[must_use]
pub fn read(address: &str, topic: &str) -> Vec<Read> {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", address)
        .set("group.id", "kit")
        .set("enable.auto.commit", "false")
        .set("allow.auto.create.topics", "false")
        .create()
        .expect("a consumer");
    let metadata = consumer.fetch_metadata(Some(topic), ASKED).expect("the cluster answers");
    let (mut wanted, mut ends) = (TopicPartitionList::new(), std::collections::BTreeMap::new());
    for partition in metadata.topics().iter().flat_map(|topic| topic.partitions()) {
        let (begin, end) = consumer.fetch_watermarks(topic, partition.id(), ASKED).expect("the partition's leader answers");
        if begin < end {
            wanted.add_partition_offset(topic, partition.id(), Offset::Offset(begin)).expect("an offset");
            ends.insert(partition.id(), end);
        }
    }
    consumer.assign(&wanted).expect("partitions that are there");
    let mut all = Vec::new();
    while !ends.is_empty() {
        let message = consumer.poll(ASKED).expect("what is there can be read").expect("a message");
        let headers =
            message.headers().map(|headers| headers.iter().map(|h| (h.key.to_owned(), h.value.unwrap_or_default().to_vec())).collect());
        all.push(Read {
            partition: message.partition(),
            offset: message.offset(),
            key: message.key().map(<[u8]>::to_vec),
            value: message.payload().unwrap_or_default().to_vec(),
            headers: headers.unwrap_or_default(),
        });
        // A batch that was cut short may end in what is no message.
        if ends.get(&message.partition()).is_some_and(|end| message.offset() + 1 >= *end) {
            ends.remove(&message.partition());
        }
    }
    all.sort_by_key(|read| (read.partition, read.offset));
    all
}
