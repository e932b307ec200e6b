//! kill -9 proves nothing about the disk, since the kernel keeps what was written; so the calls of the process are watched: before each yes its record is written and synced.

use crate::{LISTENERS, items::Items};
use kit::{Kansoku, Said};
use std::process::{Command, Stdio};

const REQUESTS: u64 = 20;

/// Calls that matter, in the order in which they ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Call {
    /// Bytes went to a segment of the journal.
    Written,
    /// A segment was synced, and the call came back well.
    Synced,
    /// A client was told yes.
    Yes,
}

#[test]
fn each_yes_comes_after_the_sync_of_its_record() {
    if Command::new("strace").arg("-V").stdout(Stdio::null()).stderr(Stdio::null()).status().is_err() {
        eprintln!("SKIPPED, nothing is proved about syncs: strace is not installed (apt-get install strace)");
        return;
    }
    let items = Items::new(51, 400);
    let folder = tempfile::tempdir().unwrap();
    let pipeline = format!("journal: {{ path: journal }}{LISTENERS}sinks:\n  out: {{ type: debug, inputs: [otlp] }}\n");
    let kansoku = Kansoku::run(folder.path(), &pipeline);
    let trace = folder.path().join("calls");
    let calls = "trace=fdatasync,fsync,write,writev,pwrite64,sendto,sendmsg";
    let mut strace = Command::new("strace")
        .args(["-f", "-y", "-s", "40", "-e", calls, "-o"])
        .arg(&trace)
        .args(["-p", &kansoku.pid().to_string()])
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let attached = || {
        std::fs::read_to_string(format!("/proc/{}/status", kansoku.pid())).ok()?.lines().find_map(|line| {
            let tracer = line.strip_prefix("TracerPid:")?.trim().to_owned();
            (tracer != "0").then_some(())
        })
    };
    if strace.try_wait().unwrap().is_some() {
        eprintln!("SKIPPED, nothing is proved about syncs: strace may not watch a process here");
        return;
    }
    kit::until("strace watches", attached);
    // The other threads follow the first.
    std::thread::sleep(std::time::Duration::from_millis(500));
    for block in 0..REQUESTS {
        let path = if Items::is_spans(block) { "/v1/traces" } else { "/v1/logs" };
        assert_eq!(kit::http::post(kansoku.http(), path, "application/x-protobuf", &items.request(block)).status, 200);
    }
    let _detached = Said::of(Command::new("sh").args(["-c", &format!("kill -INT {}", strace.id())]));
    strace.wait().unwrap();
    let seen: Vec<Call> = std::fs::read_to_string(&trace).unwrap().lines().filter_map(call).collect();
    judge(&seen);
    drop(kansoku);
}

/// One client sends one request after the other, so between two yeses lie a write and then a sync.
fn judge(seen: &[Call]) {
    let mut yeses = 0;
    let (mut written, mut synced) = (false, false);
    for call in seen {
        match call {
            Call::Written => (written, synced) = (true, false),
            Call::Synced => synced = written,
            Call::Yes => {
                assert!(written && synced, "yes number {yeses} came too early: {seen:?}");
                yeses += 1;
                (written, synced) = (false, false);
            }
        }
    }
    assert_eq!(yeses, REQUESTS, "{seen:?}");
}

/// Reads a line of strace, such as `123 fdatasync(9</x/journal/00000000000000000001.log>) = 0`. What another thread interrupted is in two lines:
/// a sync counts where it ends, and there the file is not said.
fn call(line: &str) -> Option<Call> {
    let (_, call) = line.split_once(' ')?;
    let call = call.trim_start();
    let of_journal = call.contains("/journal/0");
    if call.starts_with("<... fdatasync resumed>") || call.starts_with("fdatasync(") && of_journal && !call.contains("<unfinished") {
        return call.ends_with("= 0").then_some(Call::Synced);
    }
    if of_journal && (call.starts_with("write") || call.starts_with("pwrite")) {
        return Some(Call::Written);
    }
    let sends = call.starts_with("write") || call.starts_with("send");
    (sends && call.contains("HTTP/1.1 200")).then_some(Call::Yes)
}
