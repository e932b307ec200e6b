//! A running kansoku: started with a pipeline file, found by the lines it says at start, asked with its own commands, ended with signals.

use crate::{PATIENCE, http, until};
use parking_lot::Mutex;
use serde_json::Value;
use std::{
    ffi::OsString,
    io::{BufRead, BufReader, Read},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

/// The binary under test. Cargo tells it to test binaries that it runs.
fn binary() -> OsString {
    std::env::var_os("CARGO_BIN_EXE_kansoku").expect("run by `cargo test`, which names the binary in CARGO_BIN_EXE_kansoku")
}

/// `kansoku` with these words, and nothing of the caller's kansoku or OpenTelemetry variables.
#[must_use]
pub fn command(words: &[&str]) -> Command {
    let mut command = Command::new(binary());
    for (key, _) in std::env::vars_os() {
        if key.to_string_lossy().starts_with("OTEL_") || key.to_string_lossy().starts_with("KANSOKU_") {
            command.env_remove(key);
        }
    }
    command.args(words).env("NO_COLOR", "1");
    command
}

/// What a command said.
#[derive(Debug)]
pub struct Said {
    /// Its exit code.
    pub code: i32,
    /// Its stdout.
    pub out: String,
    /// Its stderr.
    pub err: String,
}

impl Said {
    /// Runs a command to its end.
    pub fn of(command: &mut Command) -> Said {
        let output = command.stdin(Stdio::null()).output().expect("starts");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Said { code: code(output.status), out: text(&output.stdout), err: text(&output.stderr) }
    }

    /// The answer of a command that was to succeed.
    #[must_use]
    pub fn fine(self) -> String {
        assert_eq!(self.code, 0, "{self:?}");
        self.out
    }

    /// The JSON of a command that was to succeed.
    #[must_use]
    pub fn json(self) -> Value {
        let out = self.fine();
        serde_json::from_str(&out).unwrap_or_else(|e| panic!("{e}: {out}"))
    }
}

/// As a shell has it: 128 + n after signal n.
fn code(status: ExitStatus) -> i32 {
    use std::os::unix::process::ExitStatusExt;
    status.code().or(status.signal().map(|n| 128 + n)).expect("a code or a signal")
}

/// How a kansoku ended.
#[derive(Debug)]
pub struct Ended {
    /// Its exit code.
    pub code: i32,
    /// What it said on stderr.
    pub err: String,
    /// What it said on stdout.
    pub out: String,
    /// How long its end was waited for.
    pub took: Duration,
}

/// What a process has said so far on one pipe.
#[derive(Clone, Default)]
struct Heard(Arc<Mutex<String>>);

impl Heard {
    fn of(pipe: impl Read + Send + 'static) -> (Heard, thread::JoinHandle<()>) {
        let heard = Heard::default();
        let to = heard.clone();
        let reading = thread::spawn(move || {
            for line in BufReader::new(pipe).lines().map_while(Result::ok) {
                let mut text = to.0.lock();
                text.push_str(&line);
                text.push('\n');
            }
        });
        (heard, reading)
    }

    fn text(&self) -> String {
        self.0.lock().clone()
    }
}

/// A running kansoku; killed when dropped.
pub struct Kansoku {
    child: Child,
    out: Heard,
    err: Heard,
    readers: Vec<thread::JoinHandle<()>>,
}

impl Kansoku {
    /// Writes the pipeline into the folder, runs it and waits until `kansoku health` is content.
    #[must_use]
    pub fn run(folder: &Path, pipeline: &str) -> Kansoku {
        Kansoku::ready(Kansoku::start(&mut command(&["run", &written(folder, pipeline)])))
    }

    /// The same with a program beside it and variables in its environment.
    #[must_use]
    pub fn run_with(folder: &Path, pipeline: &str, program: &[&str], environment: &[(&str, &str)]) -> Kansoku {
        let file = written(folder, pipeline);
        let words = [&["run", &file, "--"], program].concat();
        Kansoku::ready(Kansoku::start(command(&words).envs(environment.iter().copied())))
    }

    /// Starts a command and waits for nothing.
    #[must_use]
    pub fn start(command: &mut Command) -> Kansoku {
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("starts");
        let (out, read_out) = Heard::of(child.stdout.take().expect("piped"));
        let (err, read_err) = Heard::of(child.stderr.take().expect("piped"));
        Kansoku { child, out, err, readers: vec![read_out, read_err] }
    }

    /// Waits until it takes telemetry.
    #[must_use]
    pub fn ready(mut self) -> Kansoku {
        until("the admin port is said", || {
            let ended = self.child.try_wait().expect("is ours");
            assert!(ended.is_none(), "it ended at start: {ended:?}\n{}", self.err.text());
            self.address_after("metrics on http://")
        });
        until("`kansoku health` is content", || (self.ask(&["health"]).code == 0).then_some(()));
        self
    }

    /// The address that follows these words in what it said at start, once it did.
    #[must_use]
    pub fn address_after(&self, before: &str) -> Option<SocketAddr> {
        let text = self.err.text();
        let rest = text.lines().find_map(|line| Some(line.split_once(before)?.1))?;
        rest.split([' ', ',', '/', ')']).next()?.parse().ok()
    }

    fn address(&self, before: &str) -> SocketAddr {
        self.address_after(before).unwrap_or_else(|| panic!("no line has `{before}ADDRESS`:\n{}", self.err.text()))
    }

    /// Where OTLP/gRPC is taken.
    #[must_use]
    pub fn grpc(&self) -> SocketAddr {
        self.address("OTLP/gRPC on ")
    }

    /// Where OTLP/HTTP is taken.
    #[must_use]
    pub fn http(&self) -> SocketAddr {
        self.address("OTLP/HTTP on ")
    }

    /// The admin port.
    #[must_use]
    pub fn admin(&self) -> SocketAddr {
        self.address("metrics on http://")
    }

    /// Asks it with a command, such as `why last`.
    #[must_use]
    pub fn ask(&self, words: &[&str]) -> Said {
        let at = format!("http://{}", self.admin());
        Said::of(&mut command(&[words, &["--at", &at]].concat()))
    }

    /// The same, until the answer pleases; panics with the last answer.
    pub fn ask_until<T>(&self, words: &[&str], mut pleases: impl FnMut(&Said) -> Option<T>) -> T {
        let end = Instant::now() + PATIENCE;
        loop {
            let said = self.ask(words);
            if let Some(found) = pleases(&said) {
                return found;
            }
            assert!(Instant::now() < end, "`kansoku {}` never said so; at last {said:#?}\n{}", words.join(" "), self.err.text());
            thread::sleep(Duration::from_millis(100));
        }
    }

    /// `/api/v1/status`, in which the ledger balances.
    #[must_use]
    pub fn status(&self) -> Value {
        let status = http::get(self.admin(), "/api/v1/status").json();
        assert!(status["unbalanced"].is_null(), "{status}");
        status
    }

    /// A node's counter in the ledger of a signal: `in`, `out`, `held`; or one by reason as `discarded.repeat`.
    #[must_use]
    pub fn count(&self, node: &str, signal: &str, counter: &str) -> i64 {
        counted(&self.status()["ledger"], node, signal, counter)
    }

    /// What it said on stderr so far.
    #[must_use]
    pub fn said(&self) -> String {
        self.err.text()
    }

    /// What it said on stdout so far.
    #[must_use]
    pub fn printed(&self) -> String {
        self.out.text()
    }

    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The most memory that it ever had, in MiB.
    #[must_use]
    pub fn peak_mib(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid())).expect("it runs");
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("the kernel tells");
        line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number") >> 10
    }

    /// Sends it a signal by name, such as `TERM`.
    pub fn signal(&self, name: &str) {
        assert!(signal(self.child.id(), name), "kill -{name}");
    }

    /// SIGTERM, and how it ended: with a ledger that balances.
    #[must_use]
    pub fn stop(self) -> Ended {
        self.signal("TERM");
        self.ended()
    }

    /// Waits for its end.
    #[must_use]
    pub fn ended(mut self) -> Ended {
        let begin = Instant::now();
        let status = loop {
            match self.child.try_wait().expect("is ours") {
                Some(status) => break status,
                None => assert!(begin.elapsed() < PATIENCE, "it does not end:\n{}", self.err.text()),
            }
            thread::sleep(Duration::from_millis(20));
        };
        let took = begin.elapsed();
        for reader in self.readers.drain(..) {
            reader.join().expect("reads");
        }
        let err = self.err.text();
        assert!(!err.contains("does not balance"), "{err}");
        Ended { code: code(status), err, out: self.out.text(), took }
    }
}

impl Drop for Kansoku {
    fn drop(&mut self) {
        // Already ended is as good.
        let (_killed, _reaped) = (self.child.kill(), self.child.wait());
        if thread::panicking() {
            eprintln!("-- kansoku said:\n{}", self.err.text());
        }
    }
}

/// A counter of a ledger, zero where nothing was seen.
#[must_use]
pub fn counted(ledger: &Value, node: &str, signal: &str, counter: &str) -> i64 {
    let nodes = ledger["nodes"].as_array().unwrap_or_else(|| panic!("no ledger: {ledger}"));
    let node = nodes.iter().find(|n| n["name"] == node).unwrap_or_else(|| panic!("no node `{node}`: {ledger}"));
    let counts = &node["signals"][signal];
    match counter.split_once('.') {
        Some((why, reason)) => counts[why][reason].as_i64().unwrap_or(0),
        None => counts[counter].as_i64().unwrap_or(0),
    }
}

/// Sends a signal by name, such as `TERM`; whether there was somebody to send it to.
#[must_use]
pub fn signal(pid: u32, name: &str) -> bool {
    Said::of(Command::new("sh").args(["-c", &format!("kill -{name} {pid}")])).code == 0
}

/// Writes the pipeline where its relative paths start, and returns the file's path.
#[must_use]
pub fn written(folder: &Path, pipeline: &str) -> String {
    let file: PathBuf = folder.join("pipeline.yaml");
    std::fs::write(&file, pipeline).expect("writes");
    file.to_string_lossy().into_owned()
}
