//! Crowds: more connections than the system gives descriptors for, and many that never say what they want.

use super::PIPELINE;
use kit::{
    Kansoku, http,
    otlp::{self, End},
    process::{command, written},
    until,
};
use std::{io::Write, net::TcpStream, process::Command};

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
