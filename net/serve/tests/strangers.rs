//! Scripted frames: what a port announces, and what becomes of those who do not keep to it.

use super::*;
use tokio::net::TcpSocket;

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const GOAWAY: u8 = 7;
/// END_STREAM and END_HEADERS.
const WHOLE: u8 = 5;
/// `GET http://x/slow` in HPACK: two indexed fields, two literals.
const GET: &[u8] = b"\x82\x86\x04\x05/slow\x01\x01x";

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// Frames of one kind among all that the server says until it closes or falls silent.
async fn heard(stream: &mut TcpStream, kind: u8) -> Vec<Vec<u8>> {
    let mut heard = Vec::new();
    let mut head = [0; 9];
    while let Ok(Ok(_)) = timeout(Duration::from_millis(500), stream.read_exact(&mut head)).await {
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        let mut payload = vec![0; usize::try_from(length).unwrap()];
        stream.read_exact(&mut payload).await.unwrap();
        if head[3] == kind {
            heard.push(payload);
        }
    }
    heard
}

async fn connected(server: &Server, script: &[u8]) -> TcpStream {
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    stream.write_all(&[PREFACE, &frame(SETTINGS, 0, 0, &[]), script].concat()).await.unwrap();
    stream
}

#[tokio::test]
async fn the_limits_are_announced() {
    let server = serving(Limits::default()).await;
    let settings = heard(&mut connected(&server, &[]).await, SETTINGS).await.concat();
    let of = |id: u16| {
        let mut settings = settings.chunks(6).filter(|setting| setting[..2] == id.to_be_bytes());
        settings.next().map(|setting| u32::from_be_bytes(setting[2..].try_into().unwrap()))
    };
    // Concurrent streams, window of a stream, size of a head (RFC 9113, 6.5.2).
    assert_eq!([of(3), of(4), of(6)], [Some(256), Some(512 << 10), Some(64 << 10)]);
}

#[tokio::test]
async fn who_only_opens_and_resets_streams_is_sent_away() {
    let server = serving(Limits::default()).await;
    let resets = (0..2_000_u32).flat_map(|n| {
        let stream = 2 * n + 1;
        [frame(HEADERS, WHOLE, stream, GET), frame(RST_STREAM, 0, stream, &8_u32.to_be_bytes())].concat()
    });
    let mut stream = connected(&server, &resets.collect::<Vec<u8>>()).await;
    let goodbye = heard(&mut stream, GOAWAY).await;
    // ENHANCE_YOUR_CALM.
    assert_eq!(goodbye.last().map(|payload| payload[4..8].to_vec()), Some(11_u32.to_be_bytes().to_vec()));
    assert!(post(&server, Protocol::Grpc, "/").await.is_ok());
}

#[tokio::test]
async fn a_head_over_64_kib_is_refused() {
    let server = serving(Limits::default()).await;
    for protocol in [Protocol::Http, Protocol::Grpc] {
        let client = Client::new(protocol, &server.url).unwrap();
        let headers = HeaderMap::from_iter([(http::header::COOKIE, "x".repeat(80 << 10).parse().unwrap())]);
        let answered = client.post(&server.url, headers, vec![], Duration::from_secs(2)).await;
        // The refusal may be lost to the reset of a connection that was not read to its end.
        assert!(answered.is_err() || answered.is_ok_and(|answer| answer.status.as_u16() == 431), "{protocol:?}");
    }
    assert!(post(&server, Protocol::Http, "/").await.is_ok());
}

#[tokio::test]
async fn one_address_cannot_take_every_place() {
    let server = serving(Limits { peer_connections_max: 2, ..Limits::default() }).await;
    let from = async |address: &str| {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(address.parse().unwrap()).unwrap();
        let mut stream = socket.connect(server.address).await.unwrap();
        // Whoever is taken in is waited for; whoever is not finds the connection closed.
        let read = timeout(Duration::from_millis(300), stream.read(&mut [0; 1])).await;
        (read.is_err(), stream)
    };
    let (first, _held) = from("127.0.0.1:0").await;
    let (second, _held_too) = from("127.0.0.1:0").await;
    let (third, _) = from("127.0.0.1:0").await;
    let (other, _) = from("127.0.0.2:0").await;
    assert_eq!((first, second, third, other), (true, true, false, true));
}
