//! A DNS server on a free port of loopback, over UDP and TCP, whose names a test sets.

use parking_lot::Mutex;
use std::{
    collections::BTreeMap,
    io::{Read, Write},
    net::{IpAddr, SocketAddr, TcpListener, UdpSocket},
    sync::Arc,
    thread,
};

/// More than this goes over TCP.
const UDP_BYTES_MAX: usize = 1232;

type Names = Arc<Mutex<BTreeMap<String, Vec<IpAddr>>>>;

/// It answers as long as the test runs.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    names: Names,
}

impl Server {
    /// Knows no name yet.
    #[must_use]
    pub fn start() -> Server {
        let names = Names::default();
        let (udp, tcp) = pair();
        let address = udp.local_addr().expect("is bound");
        let known = Arc::clone(&names);
        thread::spawn(move || {
            let mut question = [0; 512];
            while let Ok((length, from)) = udp.recv_from(&mut question) {
                let Some(mut answer) = answer(&question[..length], &known) else { continue };
                if answer.len() > UDP_BYTES_MAX {
                    answer = cut(&question[..length]);
                }
                // Who asked may be gone.
                let _gone = udp.send_to(&answer, from);
            }
        });
        let known = Arc::clone(&names);
        thread::spawn(move || {
            for mut stream in tcp.incoming().map_while(Result::ok) {
                let mut length = [0; 2];
                let Ok(()) = stream.read_exact(&mut length) else { continue };
                let mut question = vec![0; usize::from(u16::from_be_bytes(length))];
                let Ok(()) = stream.read_exact(&mut question) else { continue };
                let answer = answer(&question, &known).unwrap_or_default();
                let length = u16::try_from(answer.len()).expect("under 64 KiB");
                let _gone = stream.write_all(&[&length.to_be_bytes()[..], &answer].concat());
            }
        });
        Server { address, names }
    }

    /// Where it is asked.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What a name stands for from now on; nothing takes it away.
    pub fn set(&self, name: &str, addresses: &[&str]) {
        let addresses: Vec<IpAddr> = addresses.iter().map(|address| address.parse().expect("an address")).collect();
        self.names.lock().insert(name.to_owned(), addresses);
    }
}

/// The same port for both.
fn pair() -> (UdpSocket, TcpListener) {
    loop {
        let udp = UdpSocket::bind("127.0.0.1:0").expect("a free port");
        if let Ok(tcp) = TcpListener::bind(udp.local_addr().expect("is bound")) {
            return (udp, tcp);
        }
    }
}

fn answer(question: &[u8], names: &Names) -> Option<Vec<u8>> {
    let (mut at, mut labels) = (12, Vec::new());
    loop {
        let length = usize::from(*question.get(at)?);
        at += 1;
        if length == 0 {
            break;
        }
        labels.push(String::from_utf8_lossy(question.get(at..at + length)?).into_owned());
        at += length;
    }
    let kind = u16::from_be_bytes([*question.get(at)?, *question.get(at + 1)?]);
    let names = names.lock();
    let known = names.get(&labels.join("."));
    let records: Vec<Vec<u8>> = known
        .into_iter()
        .flatten()
        .filter_map(|address| match (address, kind) {
            (IpAddr::V4(address), 1) => Some(address.octets().to_vec()),
            (IpAddr::V6(address), 28) => Some(address.octets().to_vec()),
            _ => None,
        })
        .collect();
    let count = u16::try_from(records.len()).ok()?.to_be_bytes();
    let code = if known.is_some() { 0 } else { 3 };
    let mut answer = [&question[..2], &[0x81, 0x80 | code, 0, 1, count[0], count[1], 0, 0, 0, 0], question.get(12..at + 4)?].concat();
    for data in records {
        let length = u16::try_from(data.len()).ok()?.to_be_bytes();
        answer.extend([&[0xc0, 12], &kind.to_be_bytes()[..], &[0, 1, 0, 0, 0, 5], &length, &data].concat());
    }
    Some(answer)
}

/// The question with the word that the answer is too long.
fn cut(question: &[u8]) -> Vec<u8> {
    let mut answer = question.to_vec();
    answer[2] = 0x83;
    answer[3] = 0x80;
    answer
}
