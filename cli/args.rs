//! The words of the command line. Their doc comments are the help.

use clap::{Args, Parser, Subcommand, ValueEnum};
use std::path::PathBuf;

/// Receives telemetry, joins traces with their logs, samples, stores, alerts. Nothing acknowledged is lost.
///
/// The first thing to try:
///
///     kansoku demo                   a small shop, its traces and logs, an alert
///     kansoku run -- CMD             start CMD with its telemetry coming in here
///     kansoku why last               which request failed, where, and what did the log say
///
/// Exit codes: 0 well, 1 the answer is no (something was lost, no such trace, not ready), 2 a mistake in the words or the file.
#[derive(Parser, Debug)]
#[command(name = "kansoku", version, verbatim_doc_comment, max_term_width = 120)]
pub(crate) struct Arguments {
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
    /// What is logged to stderr: `warn`, `info`, `debug`, or per part as `pipeline=debug,warn`.
    #[arg(long, global = true, env = "KANSOKU_LOG", default_value = "warn", value_name = "LEVEL")]
    pub(crate) log: String,
    /// How it is logged.
    #[arg(long, global = true, env = "KANSOKU_LOG_FORMAT", default_value = "text", value_name = "FORMAT")]
    pub(crate) log_format: LogFormat,
}

/// The form of the log.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// Every command.
#[derive(Subcommand, Debug)]
pub(crate) enum Command {
    /// Run a pipeline, and optionally a program whose telemetry it takes in.
    Run(RunWords),
    /// Run the preset with a small shop that makes telemetry.
    Demo(DemoWords),
    /// Say all that is wrong with a pipeline file, and start nothing.
    Check(CheckWords),
    /// Draw a pipeline file.
    Graph(GraphWords),
    /// Turn the configuration of another tool into a pipeline file.
    Convert(ConvertWords),
    /// Tell why a request failed: the failing path with its logs in place, the rule that kept it, and what is missing.
    Why(WhyWords),
    /// Is anything being lost? Exit code 1 if so.
    Status(AskWords),
    /// Look into the store of a running kansoku.
    Query(QueryWords),
    /// Exit code 0 once every listener is open: for exec probes.
    Health(AskWords),
    /// Look into a journal on disk, whether kansoku runs or not: what waits, is it whole, what is in it.
    Journal(JournalWords),
    /// What sinks refused for good: list it, or have it sent again.
    DeadLetters(DeadLettersWords),
    /// Print the JSON schema of pipeline files, for editors.
    Schema(SchemaWords),
}

/// Words of `run`.
#[derive(Args, Debug)]
#[command(
    after_help = "Examples:\n  kansoku run                          the sidecar preset, state in the user's state folder\n  kansoku run pipeline.yaml\n  kansoku run pipeline.yaml --watch    what is changed in the file takes effect\n  kansoku run -- python app.py         telemetry and output of the program come in here\n\nSignals:\n  SIGTERM, SIGINT   stop taking in, deliver what waits, end; a second one ends at once\n  SIGHUP            read the file again (POST /api/v1/reload does the same and answers): what changed is said, nothing is lost,\n                    and a file with a fault changes nothing. With a program after `--` it is the program's"
)]
pub(crate) struct RunWords {
    /// The pipeline file; without one it is the sidecar preset.
    pub(crate) file: Option<PathBuf>,
    /// Read the file again whenever it changes, or a file that it names; a Kubernetes ConfigMap too.
    #[arg(long, requires = "file")]
    pub(crate) watch: bool,
    /// Keep nothing on disk: for a read-only root. What was acknowledged and not yet delivered is lost with the process.
    #[arg(long)]
    pub(crate) ephemeral: bool,
    /// Where the preset keeps its journal and store.
    #[arg(long, env = "KANSOKU_STATE", value_name = "FOLDER")]
    pub(crate) state: Option<PathBuf>,
    /// A program to start with OTLP export to this process in its environment. Its stdout and stderr come in as logs; its exit code becomes ours.
    #[arg(last = true, value_name = "CMD")]
    pub(crate) command: Vec<String>,
}

/// Words of `demo`.
#[derive(Args, Debug)]
pub(crate) struct DemoWords {
    /// End after this long, as in `60s`; without it, at Ctrl-C.
    #[arg(long = "for", value_name = "PERIOD", value_parser = period)]
    pub(crate) length: Option<std::time::Duration>,
    /// Keep nothing on disk.
    #[arg(long)]
    pub(crate) ephemeral: bool,
    /// Where the demo keeps its journal and store.
    #[arg(long, env = "KANSOKU_STATE", value_name = "FOLDER")]
    pub(crate) state: Option<PathBuf>,
}

/// Words of `check`.
#[derive(Args, Debug)]
pub(crate) struct CheckWords {
    /// The pipeline file.
    pub(crate) file: PathBuf,
    /// One JSON array of faults instead of text.
    #[arg(long)]
    pub(crate) json: bool,
    /// Warnings are errors.
    #[arg(long)]
    pub(crate) deny_warnings: bool,
}

/// Words of `graph`.
#[derive(Args, Debug)]
pub(crate) struct GraphWords {
    /// The pipeline file; without one it is the sidecar preset.
    pub(crate) file: Option<PathBuf>,
    /// The language of the drawing.
    #[arg(long, default_value = "mermaid")]
    pub(crate) format: GraphFormat,
}

/// The language of a drawing.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum GraphFormat {
    /// Mermaid, as GitHub shows it.
    Mermaid,
    /// Graphviz.
    Dot,
}

/// Words of `convert`.
#[derive(Args, Debug)]
#[command(
    after_help = "The pipeline is written to standard output; what was left out or is done in another way is said there in comments, and on\nstandard error with its place and what to do instead. Exit code 1 if anything was left out.\n\nExamples:\n  kansoku convert otelcol collector.yaml > pipeline.yaml && kansoku check pipeline.yaml"
)]
pub(crate) struct ConvertWords {
    /// Whose configuration it is.
    #[command(subcommand)]
    pub(crate) what: ConvertWhat,
}

/// What `convert` reads.
#[derive(Subcommand, Debug)]
pub(crate) enum ConvertWhat {
    /// An OpenTelemetry Collector's.
    Otelcol {
        /// Its YAML file. References to the environment stay as they are.
        file: PathBuf,
    },
}

/// Words of `schema`.
#[derive(Args, Debug)]
pub(crate) struct SchemaWords {}

/// Where a running kansoku is asked.
#[derive(Args, Clone, Debug)]
pub(crate) struct At {
    /// The admin address of the running kansoku.
    #[arg(long, env = "KANSOKU_URL", default_value = "http://127.0.0.1:4319", value_name = "URL", value_parser = web_address)]
    pub(crate) at: String,
    /// The admin token, where one is set.
    #[arg(long, env = "KANSOKU_TOKEN", hide_env_values = true, value_name = "TOKEN")]
    pub(crate) token: Option<String>,
}

/// Whom to ask, and how to show the answer.
#[derive(Args, Clone, Debug)]
pub(crate) struct AskWords {
    #[command(flatten)]
    pub(crate) at: At,
    /// JSON instead of text; of a list, one object a line.
    #[arg(long)]
    pub(crate) json: bool,
}

/// Words of `why`.
#[derive(Args, Debug)]
pub(crate) struct WhyWords {
    /// A trace id or its first digits, or `last`: the latest trace with an error, else the latest.
    #[arg(default_value = "last")]
    pub(crate) id: String,
    /// Which store, by its folder, where the pipeline has several.
    #[arg(long, value_name = "FOLDER")]
    pub(crate) store: Option<String>,
    #[command(flatten)]
    pub(crate) ask: AskWords,
}

/// Words of `journal`.
#[derive(Args, Debug)]
#[command(
    after_help = "But for `drop` nothing is changed and no lock is taken: beside a running kansoku the last record may look torn.\n\nExamples:\n  kansoku journal ls pipeline.yaml              the journal of a pipeline\n  kansoku journal verify data/journal           exit code 1 if something in it is damaged\n  kansoku journal dump data/store/log --limit 1 stores, spills and dead letters keep logs of the same form\n  kansoku journal drop --sink vendor            once vendor is out of the pipeline and nobody wants what waits for it"
)]
pub(crate) struct JournalWords {
    /// What is asked.
    #[command(subcommand)]
    pub(crate) what: JournalWhat,
}

/// What `journal` says.
#[derive(Subcommand, Debug)]
pub(crate) enum JournalWhat {
    /// The segments with their records, and how far each consumer is behind.
    Ls(LogWords),
    /// Read every byte and name what is damaged. Exit code 1 if anything is.
    Verify(LogWords),
    /// The records, one JSON object a line: sequence number, kind, arrival, and the telemetry in it as OTLP/JSON.
    Dump(DumpWords),
    /// Give up what waits on disk for a sink, such as one that is no longer in the pipeline, and say how much is lost. Not while a kansoku has the journal.
    Drop(DropWords),
}

/// Which log is meant.
#[derive(Args, Debug)]
pub(crate) struct Which {
    /// The folder of a journal, or a pipeline file that names one; without it, the journal of the sidecar preset.
    #[arg(value_name = "FOLDER|FILE")]
    pub(crate) path: Option<PathBuf>,
    /// Where the preset keeps its journal.
    #[arg(long, env = "KANSOKU_STATE", value_name = "FOLDER")]
    pub(crate) state: Option<PathBuf>,
}

/// Words of `journal ls` and `journal verify`.
#[derive(Args, Debug)]
pub(crate) struct LogWords {
    #[command(flatten)]
    pub(crate) which: Which,
    /// One JSON object instead of text.
    #[arg(long)]
    pub(crate) json: bool,
}

/// Words of `journal drop`.
#[derive(Args, Debug)]
pub(crate) struct DropWords {
    #[command(flatten)]
    pub(crate) which: Which,
    /// The sink, by its name in `journal ls`.
    #[arg(long, value_name = "NAME")]
    pub(crate) sink: String,
    /// One JSON object instead of text.
    #[arg(long)]
    pub(crate) json: bool,
}

/// Words of `journal dump`.
#[derive(Args, Debug)]
pub(crate) struct DumpWords {
    #[command(flatten)]
    pub(crate) which: Which,
    /// Only records with this sequence number or a higher one.
    #[arg(long, default_value_t = 0, value_name = "NUMBER")]
    pub(crate) from: u64,
    /// Only records with this sequence number or a lower one.
    #[arg(long, value_name = "NUMBER")]
    pub(crate) to: Option<u64>,
    /// At most this many.
    #[arg(long, value_name = "COUNT")]
    pub(crate) limit: Option<usize>,
    /// Leave out what is in the records.
    #[arg(long)]
    pub(crate) headers: bool,
    /// JSON is all it prints; for those who always say so.
    #[arg(long, hide = true)]
    pub(crate) json: bool,
}

/// Words of `dead-letters`.
#[derive(Args, Debug)]
#[command(
    after_help = "Examples:\n  kansoku dead-letters ls pipeline.yaml            what was refused, by whom, and why\n  kansoku dead-letters retry --node vendor         once its cause is gone"
)]
pub(crate) struct DeadLettersWords {
    /// What is asked.
    #[command(subcommand)]
    pub(crate) what: DeadLettersWhat,
}

/// What is done with dead letters.
#[derive(Subcommand, Debug)]
pub(crate) enum DeadLettersWhat {
    /// One line each, the oldest first. Reads the disk, so it works beside a running kansoku (a second late) and after its end.
    Ls {
        #[command(flatten)]
        which: Which,
        /// One JSON object a line instead of a table.
        #[arg(long)]
        json: bool,
    },
    /// Have the running kansoku send them to their sinks again. What is refused again is a dead letter again.
    Retry {
        /// Only those of this node.
        #[arg(long, value_name = "NODE")]
        node: Option<String>,
        #[command(flatten)]
        at: At,
        /// JSON instead of text.
        #[arg(long)]
        json: bool,
    },
}

/// Words of `query`.
#[derive(Args, Debug)]
pub(crate) struct QueryWords {
    /// What to look for.
    #[command(subcommand)]
    pub(crate) what: QueryWhat,
}

/// What `query` looks for.
#[derive(Subcommand, Debug)]
pub(crate) enum QueryWhat {
    /// One trace: its spans as a tree with their logs in place.
    Trace {
        /// Its id or the first digits.
        id: String,
        /// Which store, by its folder, where the pipeline has several.
        #[arg(long, value_name = "FOLDER")]
        store: Option<String>,
        #[command(flatten)]
        ask: AskWords,
    },
    /// Traces, newest first.
    Traces(SearchWords),
    /// Log records, newest last.
    Logs(SearchWords),
}

/// Filters of `query traces` and `query logs`; all of them have to hold.
#[derive(Args, Clone, Debug)]
pub(crate) struct SearchWords {
    /// Only of this service.
    #[arg(long)]
    pub(crate) service: Option<String>,
    /// Traces: `error` or `ok`. Logs: this level and above, such as `warn`.
    #[arg(long)]
    pub(crate) status: Option<String>,
    /// Only with this text in the message or the span's name.
    #[arg(long)]
    pub(crate) text: Option<String>,
    /// Only at least this long, as in `250ms`.
    #[arg(long, value_name = "PERIOD", value_parser = period)]
    pub(crate) min_duration: Option<std::time::Duration>,
    /// Only at most this long.
    #[arg(long, value_name = "PERIOD", value_parser = period)]
    pub(crate) max_duration: Option<std::time::Duration>,
    /// Only as far back as this.
    #[arg(long, default_value = "1h", value_name = "PERIOD", value_parser = period)]
    pub(crate) since: std::time::Duration,
    /// Only with this attribute, as in `http.route=/pay`; may be given more than once.
    #[arg(long = "attribute", value_name = "KEY=VALUE")]
    pub(crate) attributes: Vec<String>,
    /// At most this many.
    #[arg(long, default_value_t = 50)]
    pub(crate) limit: usize,
    /// Go on as they come in.
    #[arg(short, long)]
    pub(crate) follow: bool,
    /// Which store, by its folder, where the pipeline has several.
    #[arg(long, value_name = "FOLDER")]
    pub(crate) store: Option<String>,
    #[command(flatten)]
    pub(crate) ask: AskWords,
}

fn period(text: &str) -> Result<std::time::Duration, String> {
    config::Period::parse(text).map(|period| period.0)
}

fn web_address(text: &str) -> Result<String, String> {
    let is_web = |url: &reqwest::Url| ["http", "https"].contains(&url.scheme()) && url.has_host();
    match reqwest::Url::parse(text) {
        Ok(url) if is_web(&url) => Ok(text.to_owned()),
        _ => {
            let meant = format!("http://{text}");
            let known = reqwest::Url::parse(&meant).is_ok_and(|url| url.port().is_some());
            Err(format!("not a web address; write it like `{}`", if known { &meant } else { "http://127.0.0.1:4319" }))
        }
    }
}
