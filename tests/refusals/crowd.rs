//! More connections than the system gives descriptors for.

use super::PIPELINE;
use kit::{
    Kansoku, http,
    otlp::{self, End},
    process::command,
    until,
};
use std::{net::TcpStream, process::Command};

#[test]
fn without_free_descriptors_it_waits_for_some_and_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("pipeline.yaml");
    std::fs::write(&file, PIPELINE).unwrap();
    let run = command(&["run", file.to_str().unwrap()]);
    let mut limited = Command::new("sh");
    limited.args(["-c", "ulimit -n 64; exec \"$0\" \"$@\""]).arg(run.get_program()).args(run.get_args());
    let kansoku = Kansoku::start(&mut limited).ready();
    let crowd: Vec<TcpStream> = (0..100).map(|_| TcpStream::connect(kansoku.http()).unwrap()).collect();
    until("it cannot accept", || kansoku.said().contains("cannot accept connections for now").then_some(()));
    drop(crowd);
    let good = otlp::spans([7], End::Well);
    until("it takes in again", || (http::post(kansoku.http(), "/v1/traces", "application/x-protobuf", &good).status == 200).then_some(()));
}
