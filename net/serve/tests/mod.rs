//! A tiny service on a real socket, and clients that behave and that do not.

mod strangers;

use super::*;
use crate::{Client, Code, Coding, Listener, Protocol, Status, Transport, Url, body, client::Unanswered, coding, grpc, listen};
use http::{HeaderMap, StatusCode};
use http_body_util::{BodyExt, Full, combinators::UnsyncBoxBody};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::oneshot,
    time::Instant,
};

struct Server {
    url: Url,
    address: SocketAddr,
    /// Shared by every request that is being answered.
    held: Arc<()>,
    stop: oneshot::Sender<()>,
    task: JoinSet<()>,
}

type Answer = Response<UnsyncBoxBody<Bytes, Infallible>>;

fn busy() -> Status {
    Status::with_details(Code::ResourceExhausted, "full: läuft\nnicht, 100 %", Bytes::from_static(b"\0\x01details"))
}

/// Echoes what it is sent: `/grpc` as gRPC, `/slow` after a while, anything else as HTTP. `/down` is a proxy without a server.
async fn echo(held: Arc<()>, request: Request<Incoming>) -> Result<Answer, Infallible> {
    let (head, body) = request.into_parts();
    let limits = body::Limits { grace: Duration::from_millis(300), rate_min: u32::MAX, ..body::Limits::default() };
    Ok(match head.uri.path() {
        "/grpc" => {
            let refuse = |_: &Arc<()>, error: body::ReadError| Status::new(error.code(), error.to_string());
            let serve = async |message: Bytes, _held| match &*message {
                b"busy" => Err(busy()),
                b"wait" => std::future::pending().await,
                _ => Ok(message),
            };
            let answer = grpc::unary(Request::from_parts(head, body), Arc::new(limits), held, |_, _| Ok(()), refuse, serve).await;
            answer.map(|body| BodyExt::boxed_unsync(body.map_err(|status| unreachable!("{status}"))))
        }
        path => {
            if path == "/slow" {
                tokio::time::sleep(Duration::from_millis(300)).await;
            }
            let length = head.headers.get("content-length").map_or("none", |v| v.to_str().unwrap()).to_owned();
            let (status, text) = match body::read(&head.extensions, body, &limits, &mut |_| Ok(())).await {
                Ok(_) if path == "/down" => (503, "<html>no backend</html>".to_owned()),
                Ok(body) => {
                    let Peer(peer) = head.extensions.get().unwrap();
                    (200, format!("{:?} {length} {} from {}", head.version, body.len(), peer.ip()))
                }
                Err(error) => (400, error.to_string()),
            };
            let answer = Response::builder().status(status).header("retry-after", "7");
            answer.body(Full::new(Bytes::from(text)).boxed_unsync()).unwrap()
        }
    })
}

async fn serving(limits: Limits) -> Server {
    let listener: Listener = listen("127.0.0.1:0").await.unwrap();
    let address = listener.address();
    let (stop, stopped) = oneshot::channel::<()>();
    let mut task = JoinSet::new();
    let held = Arc::new(());
    let service = {
        let held = Arc::clone(&held);
        tower::service_fn(move |request| echo(Arc::clone(&held), request))
    };
    task.spawn(async move {
        let stopped = async {
            stopped.await.unwrap_or_default();
        };
        serve(&listener, Transport::Plain, service, limits, stopped).await;
    });
    Server { url: format!("http://{address}").parse().unwrap(), address, held, stop, task }
}

async fn post(server: &Server, protocol: Protocol, path: &str) -> Result<(StatusCode, String), Unanswered> {
    let url = server.url.join(path).unwrap();
    let pieces = vec![Bytes::from_static(b"abc"), Bytes::from_static(b"defg")];
    let answer = Client::new(protocol, &url).unwrap().post(&url, HeaderMap::new(), pieces, Duration::from_secs(2)).await?;
    assert_eq!(answer.retry_after(), Some(Duration::from_secs(7)));
    Ok((answer.status, String::from_utf8(answer.body.to_vec()).unwrap()))
}

#[tokio::test]
async fn both_protocols_are_served_on_one_port_and_pieces_arrive_whole() {
    let server = serving(Limits::default()).await;
    let (status, text) = post(&server, Protocol::Http, "/").await.unwrap();
    assert_eq!((status.as_u16(), &*text), (200, "HTTP/1.1 7 7 from 127.0.0.1"));
    let (_, text) = post(&server, Protocol::Grpc, "/").await.unwrap();
    assert!(text.starts_with("HTTP/2.0 7 7"), "{text}");
}

#[tokio::test]
async fn a_unary_call_brings_back_its_message_or_its_status() {
    let server = serving(Limits::default()).await;
    let url = server.url.join("/grpc").unwrap();
    let client = Client::new(Protocol::Grpc, &url).unwrap();
    let call = async |url: &Url, coding, pieces| client.call(url, HeaderMap::new(), coding, pieces, Duration::from_secs(2)).await;
    let large = Bytes::from(vec![b'x'; 30_000]);
    assert_eq!(call(&url, Coding::Identity, vec![large.clone(), large]).await.unwrap().len(), 60_000);
    for coding in [Coding::Gzip, Coding::Deflate, Coding::Zstd] {
        let packed = coding::compress(coding, &[Bytes::from_static(b"hello")]).unwrap();
        assert_eq!(call(&url, coding, vec![packed]).await.unwrap(), "hello");
    }
    let said = call(&url, Coding::Identity, vec![Bytes::from_static(b"busy")]).await.unwrap_err();
    assert_eq!((said.code(), said.message(), said.details()), (busy().code(), busy().message(), busy().details()));
    let other = call(&server.url, Coding::Identity, vec![Bytes::from_static(b"x")]).await.unwrap_err();
    assert_eq!(other.code(), Code::Internal);
    let down = call(&server.url.join("/down").unwrap(), Coding::Identity, vec![]).await.unwrap_err();
    assert_eq!(down.code(), Code::Unavailable);
}

#[tokio::test]
async fn a_call_that_is_given_up_frees_what_it_holds() {
    let server = serving(Limits::default()).await;
    let url = server.url.join("/grpc").unwrap();
    let client = Client::new(Protocol::Grpc, &url).unwrap();
    let call = |message| client.call(&url, HeaderMap::new(), Coding::Identity, vec![Bytes::from_static(message)], Duration::from_secs(9));
    // A connection holds one too, and is kept for the next call.
    call(b"x").await.unwrap();
    let idle = Arc::strong_count(&server.held);
    assert!(timeout(Duration::from_millis(300), call(b"wait")).await.is_err());
    // It was dropped unanswered; the server hears of it.
    for _ in 0..300 {
        if Arc::strong_count(&server.held) == idle {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("{} are held", Arc::strong_count(&server.held) - idle);
}

#[tokio::test]
async fn who_does_not_answer_is_named_without_the_path() {
    let url: Url = "http://127.0.0.1:9/secret".parse().unwrap();
    let client = Client::new(Protocol::Http, &url).unwrap();
    let said = client.post(&url, HeaderMap::new(), vec![], Duration::from_secs(2)).await.unwrap_err();
    assert!(said.words.starts_with("127.0.0.1:9 did not answer (Connection refused"), "{said}");

    let server = serving(Limits::default()).await;
    let slow = server.url.join("/slow").unwrap();
    let status = Client::new(Protocol::Grpc, &slow).unwrap();
    let status = status.call(&slow, HeaderMap::new(), Coding::Identity, vec![], Duration::from_millis(50)).await.unwrap_err();
    assert_eq!(status.code(), Code::DeadlineExceeded);
}

fn short() -> Limits {
    let ms = Duration::from_millis;
    Limits { first_bytes: ms(150), head: ms(150), idle: ms(300), drain: ms(200), ..Limits::default() }
}

/// How long the server bears a client that says this and no more.
async fn borne(server: &Server, said: &[u8]) -> Duration {
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    let started = Instant::now();
    stream.write_all(said).await.unwrap();
    let mut heard = Vec::new();
    // A reset is an end too.
    let _end = tokio::time::timeout(Duration::from_secs(5), stream.read_to_end(&mut heard))
        .await
        .unwrap_or_else(|_| panic!("{said:?} was never cut"));
    started.elapsed()
}

#[tokio::test]
async fn clients_that_stop_midway_are_cut() {
    let server = serving(short()).await;
    let silent: [&[u8]; 4] = [b"", b"PRI * HT", b"P", b"POST / HTTP/1.1\r\nHost: x\r\nA: "];
    for said in silent {
        let time = borne(&server, said).await;
        assert!(time >= Duration::from_millis(140) && time < Duration::from_millis(1_500), "{said:?} {time:?}");
    }
    let idle: [&[u8]; 2] = [b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0"];
    for said in idle {
        let time = borne(&server, said).await;
        assert!(time >= Duration::from_millis(290) && time < Duration::from_millis(2_500), "{said:?} {time:?}");
    }
}

#[tokio::test]
async fn a_body_that_trickles_is_refused() {
    let server = serving(Limits::default()).await;
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    stream.write_all(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nabc").await.unwrap();
    let mut heard = vec![0; 1_000];
    let read = stream.read(&mut heard).await.unwrap();
    let heard = String::from_utf8_lossy(&heard[..read]);
    assert!(heard.contains("400") && heard.contains("the body came too slowly: 3 bytes in 0 s"), "{heard}");
}

#[tokio::test]
async fn stop_lets_what_is_under_way_finish_and_takes_no_more() {
    let server = serving(Limits::default()).await;
    let idle = TcpStream::connect(server.address).await.unwrap();
    let url = server.url.join("/slow").unwrap();
    let client = Client::new(Protocol::Http, &url).unwrap();
    let under_way = client.post(&url, HeaderMap::new(), vec![], Duration::from_secs(2));
    let stop = async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        server.stop.send(()).unwrap();
    };
    let (answer, ()) = tokio::join!(under_way, stop);
    assert_eq!(answer.unwrap().status, StatusCode::OK);
    let mut task = server.task;
    tokio::time::timeout(Duration::from_secs(2), task.join_next()).await.expect("it does not end").unwrap().unwrap();
    assert!(TcpStream::connect(server.address).await.is_err());
    drop(idle);
}

#[tokio::test]
async fn connections_over_the_cap_wait_for_a_place() {
    let server = serving(Limits { connections_max: 1, ..short() }).await;
    let first = TcpStream::connect(server.address).await.unwrap();
    let started = Instant::now();
    post(&server, Protocol::Http, "/").await.unwrap();
    assert!(started.elapsed() >= Duration::from_millis(100), "{:?}", started.elapsed());
    drop(first);
}
