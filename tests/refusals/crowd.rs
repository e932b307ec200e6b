//! Crowds: more connections than the system gives descriptors for, and many that never say what they want.
#![expect(clippy::disallowed_methods, reason = "a test looks from outside, at the real clock")]

use super::PIPELINE;
use kit::{
    Kansoku, http,
    otlp::{self, End},
    process::{command, written},
    until,
};
use std::{
    io::{ErrorKind, Read, Write},
    net::TcpStream,
    process::Command,
    time::{Duration, Instant},
};

#[test]
fn without_free_descriptors_it_waits_for_some_and_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let run = command(&["run", &written(folder.path(), PIPELINE)]);
    let mut limited = Command::new("sh");
    limited.args(["-c", "ulimit -n 64; exec \"$0\" \"$@\""]).arg(run.get_program()).args(run.get_args());
    let kansoku = Kansoku::start(&mut limited).ready();
    let crowd: Vec<TcpStream> = (0..100).map(|_| TcpStream::connect(kansoku.http()).unwrap()).collect();
    until("it cannot accept", || kansoku.said().contains("cannot accept connections for now").then_some(()));
    drop(crowd);
    let good = otlp::spans([7], End::Well);
    until("it takes in again", || (http::post(kansoku.http(), "/v1/traces", "application/x-protobuf", &good).status == 200).then_some(()));
}

#[test]
fn hundreds_who_never_finish_a_sentence_keep_nobody_waiting() {
    let folder = tempfile::tempdir().unwrap();
    let kansoku = Kansoku::run(folder.path(), PIPELINE);
    let started = ["POST /v1/traces HTTP/1.1\r\nhost: x\r\nx-half: ", "PRI * HTTP/2.0\r\n", ""];
    let crowd: Vec<TcpStream> = (0..400)
        .map(|number| {
            let mut stream = TcpStream::connect(if number % 2 == 0 { kansoku.http() } else { kansoku.grpc() }).unwrap();
            stream.write_all(started[number % started.len()].as_bytes()).unwrap();
            stream
        })
        .collect();
    for number in 0..20 {
        let sent = http::post(kansoku.http(), "/v1/traces", "application/x-protobuf", &otlp::spans([number], End::Well));
        assert_eq!(sent.status, 200, "{}", sent.text());
    }
    drop(crowd);
}

/// Half of them say nothing at all, a quarter begins a head and never ends it, a quarter asked for something and keeps the connection.
const SAYINGS: [&[u8]; 4] = [b"", b"POST /v1/traces HTTP/1.1\r\nhost: x\r\nx-half: ", b"", b"GET / HTTP/1.1\r\nhost: x\r\n\r\n"];
/// What a connection may cost, and what the process may grow by besides.
const CONNECTION_KIB_MAX: u64 = 40;
const GROWTH_KIB_MAX: u64 = 24 << 10;

/// How many: `CROWD=10000 cargo test --test refusals a_crowd` is the long form; it needs as many free descriptors.
fn crowd_size() -> usize {
    std::env::var("CROWD").ok().and_then(|crowd| crowd.parse().ok()).unwrap_or(1_000)
}

fn resident_kib(kansoku: &Kansoku) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", kansoku.pid())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

#[test]
fn a_crowd_that_idles_or_dawdles_costs_little_keeps_nobody_waiting_and_is_sent_away() {
    let (folder, size) = (tempfile::tempdir().unwrap(), crowd_size());
    // Room for the windows of all of them; with less they would wait for places.
    let kansoku = Kansoku::run(folder.path(), &format!("memory: 8GiB{PIPELINE}"));
    let before = resident_kib(&kansoku);
    let mut crowd: Vec<TcpStream> = Vec::with_capacity(size);
    for number in 0..size {
        let mut stream = TcpStream::connect(if number % 2 == 0 { kansoku.http() } else { kansoku.grpc() }).unwrap();
        stream.write_all(SAYINGS[number / 2 % SAYINGS.len()]).unwrap();
        crowd.push(stream);
    }
    let mut waited: Vec<Duration> = Vec::new();
    for number in 0..50 {
        let begin = Instant::now();
        let sent = http::post(kansoku.http(), "/v1/traces", "application/x-protobuf", &otlp::spans([number], End::Well));
        assert_eq!(sent.status, 200, "{}", sent.text());
        waited.push(begin.elapsed());
    }
    waited.sort_unstable();
    let grown = resident_kib(&kansoku).saturating_sub(before);
    println!(
        "{size} connections: {} KiB each, a new client waits {:?}, the slowest of 50 {:?}",
        grown / size as u64,
        waited[25],
        waited[49]
    );
    assert!(waited[25] <= Duration::from_millis(100) && waited[49] < Duration::from_secs(2), "{waited:?}");
    assert!(grown <= CONNECTION_KIB_MAX * size as u64 + GROWTH_KIB_MAX, "{grown} KiB for {size} connections");
    // Who says nothing, or does not come to an end, is sent away after ten seconds each.
    let mut buffer = [0; 1024];
    for stream in crowd.iter_mut().take(6) {
        stream.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
    }
    until("those who never finished are sent away", || {
        let gone = |stream: &mut TcpStream| !matches!(stream.read(&mut buffer), Err(error) if error.kind() == ErrorKind::WouldBlock);
        crowd.iter_mut().take(6).all(gone).then_some(())
    });
}
