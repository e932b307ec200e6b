//! A server under measurement: started in a folder of its own, and what /proc tells of it.

use crate::{topic::Topic, work::Cell};
use std::{
    fs,
    net::Ipv4Addr,
    path::{Path, PathBuf},
    process::Stdio,
    time::{Duration, Instant},
};
use tokio::{
    net::{TcpListener, TcpStream},
    process::{Child, Command},
    time::sleep,
};

const START_MAX: Duration = Duration::from_secs(60);
const STOP_MAX: Duration = Duration::from_secs(15);

/// Whose server it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Maker {
    Collector,
    Kansoku,
}

/// A running server; killed when dropped.
pub(crate) struct Server {
    child: Child,
    pid: u32,
    /// Where it takes OTLP/gRPC in.
    pub(crate) port: u16,
    folder: PathBuf,
}

impl Server {
    /// Starts it in `folder`, which is emptied first, and waits until it listens.
    pub(crate) async fn start(
        maker: Maker,
        binary: &Path,
        cell: &Cell,
        folder: &Path,
        (sink, topic): (u16, Option<&Topic>),
    ) -> Result<Server, String> {
        let said = |what: &str, e: std::io::Error| format!("{what}: {e}");
        if folder.exists() {
            fs::remove_dir_all(folder).map_err(|e| said("the old folder stays", e))?;
        }
        fs::create_dir_all(folder).map_err(|e| said(&folder.display().to_string(), e))?;
        let (ours, theirs) = cell.work.pipelines();
        let pipeline = if maker == Maker::Kansoku { ours } else { theirs };
        fs::write(folder.join("pipeline.yaml"), pipeline).map_err(|e| said("pipeline.yaml", e))?;
        let log = fs::File::create(folder.join("log")).map_err(|e| said("log", e))?;
        let port = free_port().await?;
        let words: &[&str] = if maker == Maker::Kansoku { &["run", "pipeline.yaml"] } else { &["--config", "file:pipeline.yaml"] };
        let mut child = Command::new(binary)
            .args(words)
            .current_dir(folder)
            .env("BENCH_IN", port.to_string())
            .env("BENCH_OUT", sink.to_string())
            .env("BENCH_CODING", cell.load.coding.name())
            .env("BENCH_KAFKA", topic.map_or("", |topic| topic.brokers.as_str()))
            .env("BENCH_TOPIC", topic.map_or("", |topic| topic.name.as_str()))
            .stdin(Stdio::null())
            .stdout(log.try_clone().map_err(|e| said("log", e))?)
            .stderr(log)
            .kill_on_drop(true)
            .spawn()
            .map_err(|e| said(&binary.display().to_string(), e))?;
        let pid = child.id().ok_or("it ended at once")?;
        let began = Instant::now();
        while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.is_err() {
            if let Ok(Some(status)) = child.try_wait() {
                return Err(format!("{maker:?} ended before it listened, {status}; see {}", folder.join("log").display()));
            }
            if began.elapsed() > START_MAX {
                return Err(format!("{maker:?} does not listen; see {}", folder.join("log").display()));
            }
            sleep(Duration::from_millis(20)).await;
        }
        Ok(Server { child, pid, port, folder: folder.to_owned() })
    }

    /// utime + stime of its process, all threads, in seconds.
    pub(crate) fn cpu_seconds(&self) -> Result<f64, String> {
        let text = self.proc("stat")?;
        // The name before may have spaces. After it: state is field 0, utime 11, stime 12.
        let fields: Vec<&str> = text.rsplit_once(") ").map(|(_, rest)| rest.split(' ').collect()).unwrap_or_default();
        let ticks = |at: usize| fields.get(at).and_then(|field| field.parse::<u64>().ok());
        let ticks = ticks(11).zip(ticks(12)).ok_or("/proc/PID/stat reads otherwise than expected")?;
        Ok((ticks.0 + ticks.1) as f64 / rustix::param::clock_ticks_per_second() as f64)
    }

    /// A figure of /proc/PID/status: `VmRSS` is resident memory, `VmHWM` its peak.
    pub(crate) fn memory_mib(&self, key: &str) -> Result<f64, String> {
        let text = self.proc("status")?;
        let line = text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':'));
        let kib = line.and_then(|line| line.trim().split(' ').next()?.parse::<f64>().ok());
        kib.map(|kib| kib / 1024.0).ok_or_else(|| format!("/proc/PID/status has no {key}"))
    }

    fn proc(&self, file: &str) -> Result<String, String> {
        fs::read_to_string(format!("/proc/{}/{file}", self.pid))
            .map_err(|e| format!("it ended: {e}; see {}", self.folder.join("log").display()))
    }

    /// SIGTERM, and a kill if that does not help.
    pub(crate) async fn stop(mut self) {
        if let Some(pid) = rustix::process::Pid::from_raw(self.pid.cast_signed()) {
            // Already ended is as good.
            let _ended = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        }
        if tokio::time::timeout(STOP_MAX, self.child.wait()).await.is_err() {
            let _ended = self.child.kill().await;
        }
    }
}

async fn free_port() -> Result<u16, String> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.map_err(|e| e.to_string())?;
    listener.local_addr().map(|address| address.port()).map_err(|e| e.to_string())
}
