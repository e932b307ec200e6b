//! All addresses that a name stands for: as the machine looks names up, or by asking one DNS server (RFC 1035, with EDNS and TCP for long answers).
//! Such a server answers for whole names and follows aliases by itself; nothing is remembered here.

use futures::future::join;
use std::{
    collections::BTreeSet,
    fmt,
    hash::{BuildHasher, RandomState},
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpStream, UdpSocket, lookup_host},
    time::timeout,
};

/// A question is asked so many times over UDP, each with so much time.
const TRIES: usize = 3;
const ANSWER_WITHIN: Duration = Duration::from_secs(2);
/// What is taken over UDP; more comes over TCP. Larger datagrams are cut into pieces on the way, which get lost.
const UDP_BYTES_MAX: u16 = 1232;
const NAME_BYTES_MAX: usize = 253;
const LABEL_BYTES_MAX: usize = 63;
const HEADER: usize = 12;
const INTERNET: u16 = 1;
const OPT: u16 = 41;

/// The addresses in an answer of a DNS server, of both kinds: whatever it says, it is cut off nowhere and read nowhere else.
///
/// # Errors
/// It is no answer, or says that there are none.
pub fn in_answer(answer: &[u8]) -> io::Result<Vec<IpAddr>> {
    let (mut v4, v6) = (addresses(answer, Asked::V4)?, addresses(answer, Asked::V6)?);
    v4.extend(v6);
    Ok(v4)
}

/// Who is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resolver {
    /// The machine: its hosts file, its search domains, its servers.
    Machine,
    /// This DNS server.
    Server(SocketAddr),
}

impl Resolver {
    /// All addresses of the name, in order and each once; an address stands for itself.
    ///
    /// # Errors
    /// There is no such name, or nobody could tell in time.
    pub async fn addresses(&self, name: &str) -> io::Result<Vec<IpAddr>> {
        if let Ok(address) = name.trim_matches(['[', ']']).parse() {
            return Ok(vec![address]);
        }
        let found: BTreeSet<IpAddr> = match self {
            Resolver::Machine => lookup_host((name, 0)).await?.map(|address| address.ip()).collect(),
            Resolver::Server(server) => {
                let (v4, v6) = join(ask(*server, name, Asked::V4), ask(*server, name, Asked::V6)).await;
                match (v4, v6) {
                    (Ok(v4), Ok(v6)) => v4.into_iter().chain(v6).collect(),
                    // A server that knows one kind only is one nevertheless; half an answer would move traces.
                    (Ok(one), Err(error)) | (Err(error), Ok(one)) if error.kind() == io::ErrorKind::Unsupported => {
                        one.into_iter().collect()
                    }
                    (Err(error), _) | (_, Err(error)) => return Err(error),
                }
            }
        };
        if found.is_empty() {
            Err(io::Error::new(io::ErrorKind::NotFound, "the name has no address"))
        } else {
            Ok(found.into_iter().collect())
        }
    }
}

impl fmt::Display for Resolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Resolver::Machine => f.write_str("the machine"),
            Resolver::Server(server) => write!(f, "{server}"),
        }
    }
}

/// Which kind of address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asked {
    V4,
    V6,
}

impl Asked {
    const fn number(self) -> u16 {
        match self {
            Asked::V4 => 1,
            Asked::V6 => 28,
        }
    }
}

async fn ask(server: SocketAddr, name: &str, asked: Asked) -> io::Result<Vec<IpAddr>> {
    // Its keys come from the system's randomness: who cannot read the question cannot answer it.
    let id = RandomState::new().hash_one(name).to_be_bytes();
    let question = question([id[0], id[1]], name, asked).ok_or_else(|| invalid("it is no name that DNS knows"))?;
    let late = || io::Error::new(io::ErrorKind::TimedOut, format!("{server} did not answer"));
    let mut answer = Err(late());
    for _ in 0..TRIES {
        answer = timeout(ANSWER_WITHIN, over_udp(server, &question)).await.unwrap_or_else(|_| Err(late()));
        if answer.is_ok() {
            break;
        }
    }
    let mut answer = answer?;
    if is_cut(&answer) {
        answer = timeout(ANSWER_WITHIN, over_tcp(server, &question)).await.unwrap_or_else(|_| Err(late()))?;
    }
    addresses(&answer, asked)
}

async fn over_udp(server: SocketAddr, question: &[u8]) -> io::Result<Vec<u8>> {
    let any: IpAddr = if server.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let socket = UdpSocket::bind((any, 0)).await?;
    socket.connect(server).await?;
    socket.send(question).await?;
    let mut answer = vec![0; usize::from(UDP_BYTES_MAX)];
    loop {
        let length = socket.recv(&mut answer).await?;
        // What does not belong to the question is somebody's who guesses.
        if let Some(datagram) = answer.get(..length).filter(|datagram| is_of(datagram, question)) {
            return Ok(datagram.to_vec());
        }
    }
}

async fn over_tcp(server: SocketAddr, question: &[u8]) -> io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect(server).await?;
    let length = u16::try_from(question.len()).map_err(|_| invalid("the name is too long"))?;
    stream.write_all(&[&length.to_be_bytes(), question].concat()).await?;
    let mut answer = vec![0; usize::from(stream.read_u16().await?)];
    stream.read_exact(&mut answer).await?;
    if is_of(&answer, question) { Ok(answer) } else { Err(invalid("the answer is to another question")) }
}

fn invalid(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

/// Header, question, and that long answers are welcome. None for what no name can be.
fn question(id: [u8; 2], name: &str, asked: Asked) -> Option<Vec<u8>> {
    let name = name.strip_suffix('.').unwrap_or(name);
    if name.is_empty() || name.len() > NAME_BYTES_MAX {
        return None;
    }
    // Recursion is desired; one question, one additional record.
    let mut message = [&id[..], &[1, 0, 0, 1, 0, 0, 0, 0, 0, 1]].concat();
    for label in name.split('.') {
        message.push(u8::try_from(label.len()).ok().filter(|length| (1..=LABEL_BYTES_MAX).contains(&usize::from(*length)))?);
        message.extend_from_slice(label.as_bytes());
    }
    message.push(0);
    message.extend([asked.number(), INTERNET].map(u16::to_be_bytes).concat());
    message.push(0);
    message.extend([OPT, UDP_BYTES_MAX, 0, 0, 0].map(u16::to_be_bytes).concat());
    Some(message)
}

/// Whether it is an answer, and to this question.
fn is_of(answer: &[u8], question: &[u8]) -> bool {
    let asked = question.get(HEADER..question.len() - OPT_BYTES);
    answer.get(..2) == question.get(..2)
        && answer.get(2).is_some_and(|flags| flags & 0x80 != 0)
        && asked.is_some_and(|asked| answer.get(HEADER..HEADER + asked.len()).is_some_and(|repeated| repeated.eq_ignore_ascii_case(asked)))
}

const OPT_BYTES: usize = 11;

fn is_cut(answer: &[u8]) -> bool {
    answer.get(2).is_some_and(|flags| flags & 0x02 != 0)
}

/// The addresses of this kind in an answer, whosever they are: a server that follows aliases names them on the way.
fn addresses(answer: &[u8], asked: Asked) -> io::Result<Vec<IpAddr>> {
    match answer.get(3).map(|flags| flags & 0x0f) {
        Some(0) => {}
        Some(3) => return Err(io::Error::new(io::ErrorKind::NotFound, "there is no such name")),
        Some(4) => return Err(io::Error::new(io::ErrorKind::Unsupported, "the server does not know this kind of question")),
        Some(code) => return Err(io::Error::other(format!("the server refused (code {code})"))),
        None => return Err(invalid("the answer is cut off")),
    }
    records(answer, asked).ok_or_else(|| invalid("the answer is cut off"))
}

fn records(answer: &[u8], asked: Asked) -> Option<Vec<IpAddr>> {
    let mut rest = answer.get(HEADER..)?;
    let number = |at: usize| Some(u16::from_be_bytes([*answer.get(at)?, *answer.get(at + 1)?]));
    for _ in 0..number(4)? {
        rest = after_name(rest)?.get(4..)?;
    }
    let mut found = Vec::new();
    for _ in 0..number(6)? {
        rest = after_name(rest)?;
        let (head, data) = rest.split_at_checked(10)?;
        let length = usize::from(u16::from_be_bytes([head[8], head[9]]));
        let (data, behind) = data.split_at_checked(length)?;
        rest = behind;
        let (kind, class) = (u16::from_be_bytes([head[0], head[1]]), u16::from_be_bytes([head[2], head[3]]));
        if kind != asked.number() || class != INTERNET {
            continue;
        }
        found.extend(match asked {
            Asked::V4 => <[u8; 4]>::try_from(data).ok().map(IpAddr::from),
            Asked::V6 => <[u8; 16]>::try_from(data).ok().map(IpAddr::from),
        });
    }
    Some(found)
}

/// What comes after a name, which ends with an empty label or with a pointer to the rest of it.
fn after_name(mut rest: &[u8]) -> Option<&[u8]> {
    loop {
        let (length, behind) = rest.split_first()?;
        match length {
            0 => return Some(behind),
            0xc0.. => return behind.get(1..),
            1..=0x3f => rest = behind.get(usize::from(*length)..)?,
            _ => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kit::dns::Server;

    async fn look_up(server: &Server, name: &str) -> Result<Vec<String>, String> {
        let found = Resolver::Server(server.address()).addresses(name).await;
        found.map(|all| all.iter().map(IpAddr::to_string).collect()).map_err(|error| error.to_string())
    }

    #[tokio::test]
    async fn all_addresses_of_both_kinds_come_in_order_and_each_once() {
        let server = Server::start();
        server.set("gateway.example", &["10.0.0.2", "10.0.0.1", "fd00::1", "10.0.0.2"]);
        assert_eq!(look_up(&server, "gateway.example").await.unwrap(), ["10.0.0.1", "10.0.0.2", "fd00::1"]);
        assert_eq!(look_up(&server, "gateway.example.").await.unwrap().len(), 3);
        assert_eq!(look_up(&server, "10.9.9.9").await.unwrap(), ["10.9.9.9"], "nobody is asked");
        server.set("gateway.example", &["10.0.0.3"]);
        assert_eq!(look_up(&server, "gateway.example").await.unwrap(), ["10.0.0.3"]);
    }

    #[tokio::test]
    async fn an_answer_too_long_for_a_datagram_comes_over_tcp() {
        let server = Server::start();
        let many: Vec<String> = (0..200).map(|n| format!("10.0.1.{n}")).collect();
        server.set("gateway.example", &many.iter().map(String::as_str).collect::<Vec<_>>());
        assert_eq!(look_up(&server, "gateway.example").await.unwrap().len(), 200);
    }

    #[tokio::test]
    async fn what_is_no_name_is_said() {
        let server = Server::start();
        assert_eq!(look_up(&server, "nobody.example").await.unwrap_err(), "there is no such name");
        for name in ["", "a..b", &"x".repeat(64), &"x.".repeat(130)] {
            assert_eq!(look_up(&server, name).await.unwrap_err(), "it is no name that DNS knows", "{name}");
        }
        assert!(Resolver::Machine.addresses("localhost").await.unwrap().contains(&IpAddr::from([127, 0, 0, 1])));
    }

    #[test]
    fn answers_of_strangers_are_cut_off_nowhere_and_read_nowhere_else() {
        let question = question([7, 7], "a.example", Asked::V4).unwrap();
        let mut answer = question[..question.len() - OPT_BYTES].to_vec();
        answer[2] = 0x81;
        answer[7] = 1;
        answer[11] = 0;
        answer.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 10, 0, 0, 1]);
        assert_eq!(addresses(&answer, Asked::V4).unwrap(), [IpAddr::from([10, 0, 0, 1])]);
        assert!(is_of(&answer, &question) && !is_of(&question, &question), "a question is no answer");
        for cut in 0..answer.len() {
            assert!(addresses(&answer[..cut], Asked::V4).is_err(), "cut at {cut}");
        }
        for at in 0..answer.len() {
            for byte in [0, 0x3f, 0x80, 0xc0, 0xff] {
                let mut other = answer.clone();
                other[at] = byte;
                // Whatever it says: nothing falls.
                drop(in_answer(&other));
            }
        }
    }
}
