//! `run -- CMD`: a program whose telemetry and output come in here. Its output takes the way of every other client: OTLP over loopback.

use crate::{output::Output, print, stop::Signals};
use pipeline::Speaks;
use std::{
    ffi::OsString,
    io::IsTerminal,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    os::unix::process::ExitStatusExt,
    path::Path,
    process::{ExitCode, ExitStatus, Stdio},
    time::Duration,
};
use tokio::{
    process::{Child, Command},
    time::Instant,
};

/// Why the program did not start, in words.
pub(crate) struct NotStarted(pub(crate) String);

/// What is still read of a pipe after the program ended: a grandchild may hold it open for ever.
const OUTPUT_AFTER_END: Duration = Duration::from_secs(2);

/// A program that runs.
pub(crate) struct Program {
    child: Child,
    output: Option<Output>,
}

impl Program {
    /// Starts it with OTLP export to `listeners` in its environment; what the user set there stays.
    pub(crate) fn start(words: &[String], listeners: &[(Speaks, SocketAddr)]) -> Result<Program, NotStarted> {
        let (name, rest) = words.split_first().map_or(("", [].as_slice()), |(name, rest)| (name.as_str(), rest));
        let of = |wanted: Speaks| listeners.iter().find(|(speaks, _)| *speaks == wanted).map(|(_, address)| reachable(*address));
        let (endpoint, protocol) = match (of(Speaks::OtlpHttp), of(Speaks::OtlpGrpc)) {
            (Some(http), _) => (http, "http/protobuf"),
            (None, Some(grpc)) => (grpc, "grpc"),
            (None, None) => {
                return Err(NotStarted(
                    "this pipeline has no otlp source for the program to send to, which is one without `tls` and `auth`".to_owned(),
                ));
            }
        };
        let service = service_name(words);
        let mut command = Command::new(name);
        command.args(rest).stdin(Stdio::inherit()).kill_on_drop(true);
        if of(Speaks::OtlpHttp).is_some() {
            command.stdout(Stdio::piped()).stderr(Stdio::piped());
        } else {
            print::note("the program's output is not taken in: that needs OTLP/HTTP without `tls` and `auth`");
        }
        for (key, value) in environment(endpoint, protocol, &service, |key| std::env::var_os(key)) {
            command.env(key, value);
        }
        let mut child = command.spawn().map_err(|error| NotStarted(format!("cannot start `{name}`: {error}")))?;
        let service = std::env::var_os("OTEL_SERVICE_NAME").map_or(service, |name| name.to_string_lossy().into_owned());
        let output = of(Speaks::OtlpHttp).map(|http| Output::of(&mut child, http, &service));
        Ok(Program { child, output })
    }

    /// Waits for its end, passes signals on to it, and takes its output in. One that goes on for `patience` after it was asked to end is killed.
    /// The exit code is the program's; 128 + n after signal n, as in a shell.
    pub(crate) async fn ended(mut self, patience: Duration) -> ExitCode {
        let output = self.output.take();
        let reading = async {
            if let Some(output) = output {
                output.read().await;
            }
        };
        tokio::pin!(reading);
        let mut signals = Signals::listen();
        let (mut read, mut last) = (false, None);
        let status = loop {
            tokio::select! {
                status = self.child.wait() => break status,
                number = signals.next() => {
                    if self.pass_on(number) == Passed::On {
                        last.get_or_insert_with(|| Instant::now() + patience);
                    }
                }
                () = until(last) => {
                    print::note(&format!("the program did not end within {} of being asked to, so it is killed", config::Period(patience)));
                    last = None;
                    // It may have ended in between, which `wait` will tell.
                    let _ended = self.child.start_kill();
                }
                () = &mut reading, if !read => read = true,
            }
        };
        if !read && tokio::time::timeout(OUTPUT_AFTER_END, reading).await.is_err() {
            print::note("the program ended and somebody still holds its output open; what comes there now is not read");
        }
        match status {
            Ok(status) => code(status),
            Err(error) => {
                print::error(&format!("cannot wait for the program: {error}"));
                ExitCode::from(1)
            }
        }
    }

    fn pass_on(&self, number: i32) -> Passed {
        // A terminal has sent Ctrl-C to the program too, where it need not mean the end; a second one means "at once" to many.
        if number == libc::SIGINT && std::io::stdin().is_terminal() {
            return Passed::Already;
        }
        let Some(pid) = self.child.id().and_then(|pid| i32::try_from(pid).ok()) else { return Passed::Already };
        let (Some(pid), Some(signal)) = (rustix::process::Pid::from_raw(pid), rustix::process::Signal::from_named_raw(number)) else {
            return Passed::Already;
        };
        // It may have ended in between, which `wait` will tell.
        let _ended = rustix::process::kill_process(pid, signal);
        Passed::On
    }
}

/// What became of a signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Passed {
    /// The program got it from us.
    On,
    /// It has it, or is gone.
    Already,
}

async fn until(time: Option<Instant>) {
    match time {
        Some(time) => tokio::time::sleep_until(time).await,
        None => std::future::pending().await,
    }
}

/// Where a listener on every address is found on this machine.
fn reachable(address: SocketAddr) -> SocketAddr {
    match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => (Ipv4Addr::LOCALHOST, address.port()).into(),
        IpAddr::V6(ip) if ip.is_unspecified() => (Ipv6Addr::LOCALHOST, address.port()).into(),
        _ => address,
    }
}

/// What the program is called as a service: what a wrapper or an interpreter runs, rather than itself.
fn service_name(words: &[String]) -> String {
    let file = |word: &str| Path::new(word).file_name().map_or_else(|| word.to_owned(), |name| name.to_string_lossy().into_owned());
    let runs_another = |name: &str| name == "opentelemetry-instrument" || name.starts_with("python") || ["node", "ruby"].contains(&name);
    let files = words.iter().take_while(|word| !["-c", "-e"].contains(&word.as_str())).filter(|word| !word.starts_with('-'));
    let named = files.map(|word| file(word)).find(|name| !runs_another(name));
    let name = named.or_else(|| words.first().map(|word| file(word))).unwrap_or_default();
    [".py", ".js", ".mjs", ".rb"].iter().find_map(|end| name.strip_suffix(end)).unwrap_or(&name).to_owned()
}

fn code(status: ExitStatus) -> ExitCode {
    let number = status.code().or(status.signal().map(|signal| 128 + signal)).unwrap_or(1);
    ExitCode::from(u8::try_from(number).unwrap_or(1))
}

/// OpenTelemetry's variables (spec `configuration/sdk-environment-variables.md`) and those that switch log export on, where the user has not set them.
fn environment(endpoint: SocketAddr, protocol: &str, service: &str, set: impl Fn(&str) -> Option<OsString>) -> Vec<(&'static str, String)> {
    let wanted = [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", format!("http://{endpoint}")),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", protocol.to_owned()),
        ("OTEL_TRACES_EXPORTER", "otlp".to_owned()),
        ("OTEL_METRICS_EXPORTER", "otlp".to_owned()),
        ("OTEL_LOGS_EXPORTER", "otlp".to_owned()),
        ("OTEL_PYTHON_LOGGING_AUTO_INSTRUMENTATION_ENABLED", "true".to_owned()),
        ("OTEL_SERVICE_NAME", service.to_owned()),
    ];
    wanted.into_iter().filter(|(key, _)| set(key).is_none_or(|value| value.is_empty())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_is_called_by_what_its_wrapper_runs() {
        for (words, name) in [
            ("./shop --port 80", "shop"),
            ("opentelemetry-instrument python3 /srv/shop.py --debug", "shop"),
            ("/usr/bin/python3.11 -m shop", "shop"),
            ("node --enable-source-maps server.js", "server"),
            ("python -c print", "python"),
            ("sh -c ./shop", "sh"),
        ] {
            let words: Vec<String> = words.split(' ').map(str::to_owned).collect();
            assert_eq!(service_name(&words), name, "{words:?}");
        }
    }

    #[test]
    fn a_listener_on_every_address_is_reached_on_loopback() {
        assert_eq!(reachable(([0, 0, 0, 0], 4318).into()).to_string(), "127.0.0.1:4318");
        assert_eq!(reachable(([10, 0, 0, 7], 4318).into()).to_string(), "10.0.0.7:4318");
    }

    #[test]
    fn what_the_user_set_stays() {
        let set = |key: &str| (key == "OTEL_SERVICE_NAME").then(|| OsString::from("mine"));
        let made = environment(([127, 0, 0, 1], 4318).into(), "http/protobuf", "python", set);
        assert!(made.contains(&("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4318".to_owned())));
        assert!(made.contains(&("OTEL_LOGS_EXPORTER", "otlp".to_owned())));
        assert!(!made.iter().any(|(key, _)| *key == "OTEL_SERVICE_NAME"));
    }
}
