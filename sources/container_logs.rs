//! What the containers of a node print, from the files that kubelet keeps of it.

use crate::tail::{Options, Start, follow::follow, found::Places, glob::Glob, lineage::Format, stream::Joining};
use config::{Fault, Placed};
use futures::future::BoxFuture;
use pipeline::{Blocking, BuildContext, Claim, Component, Opened, Shape, Source, SourceContext, SourceError, foreign, positions::beside};
use schemars::JsonSchema;
use serde::Deserialize;
use signal::Kinds;
use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

const PODS: &str = "/var/log/pods";

/// Follows the logs of all containers of a node: lines of the Container Runtime Interface (containerd, CRI-O) and of Docker, joined where the runtime cut them, also
/// across rotation, and stack traces to one record each. Namespace, pod, uid, container and its restarts come from the path, as attributes of the resource
/// (`k8s.namespace.name`, `k8s.pod.name`, `k8s.pod.uid`, `k8s.container.name`, `k8s.container.restart_count`); a record has `log.iostream`, `log.file.name` and `log.file.path`.
///
/// With a `journal:` how far each file was read is in it together with the records, so that after any end of the process each line came in once. Without one it moves
/// when every sink has the records, and is kept where `positions` says. When what follows is slow, it reads later and drops nothing.
///
/// A line of more than 64 KiB goes into several records, each with its number in `log.part`. What is not UTF-8 is shown as U+FFFD and counted.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(default)]
pub struct ContainerLogs {
    /// `/var/log/pods`, or `/var/log/containers`, whose links are followed.
    path: Placed<String>,
    /// Whose logs: patterns of `namespace/pod/container`, of which the end may be left out: `shop`, `shop/cart-*`, `*/*/nginx`. Without any, all.
    include: Vec<Placed<String>>,
    /// Whose not, in the same way. A kansoku that prints what it gets should leave out its own: `*/kansoku-*`.
    exclude: Vec<Placed<String>>,
    /// Where the first start begins in the files that are there, by default at the `beginning`: kubelet keeps little of each container, and what a pod said before an agent
    /// was started beside it is what tells why it fails. Files that come later are always read from their beginning. The Collector's `filelog` begins at the end unless told otherwise.
    start_at: StartAt,
    /// Whether the lines of a stack trace (Java, Python, Go, JavaScript, Rust) are one record. At most a second passes between two of them, and a record has at most
    /// 1,000 lines and 64 KiB.
    stack_traces: bool,
    /// The file in which it keeps how far it has read; by default one in the folder of the journal. With neither, each start begins at `start_at`.
    positions: Option<Placed<String>>,
}

/// A place in a file.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum StartAt {
    /// Everything in it is read.
    Beginning,
    /// Only what comes is read.
    End,
}

impl From<StartAt> for Start {
    fn from(at: StartAt) -> Start {
        match at {
            StartAt::Beginning => Start::Beginning,
            StartAt::End => Start::End,
        }
    }
}

impl Default for ContainerLogs {
    fn default() -> ContainerLogs {
        ContainerLogs {
            path: Placed::nowhere(PODS.to_owned()),
            include: Vec::new(),
            exclude: Vec::new(),
            start_at: StartAt::Beginning,
            stack_traces: true,
            positions: None,
        }
    }
}

/// The warnings of a source that a restart knows nothing of, or knows by another name.
pub(crate) fn unknown(positions: Option<&Placed<String>>, context: &BuildContext<'_>) -> Vec<Fault> {
    match &context.journal {
        _ if positions.is_some() => Vec::new(),
        Some(journal) => known_by_another_name(&beside(journal), context).into_iter().collect(),
        None => kept_nowhere(context),
    }
}

/// Positions go by the name of the source: one that was renamed would begin anew without a word.
fn known_by_another_name(folder: &Path, context: &BuildContext<'_>) -> Option<Fault> {
    let own = format!("{}.json", context.name);
    let files: Vec<String> = foreign::list(folder).ok()?.into_iter().map(|file| file.name).filter(|name| name.ends_with(".json")).collect();
    if files.is_empty() || files.contains(&own) {
        return None;
    }
    let what = format!(
        "nothing is known of how far `{}` has read, so it begins at `start_at`; what is known goes by the names in {}: {}",
        context.name,
        folder.display(),
        files.join(", ")
    );
    let help = format!("a source that was renamed goes on where it was if its file is renamed to {own} while kansoku is stopped");
    Some(Fault::warning(context.place, what).help(help))
}

fn kept_nowhere(context: &BuildContext<'_>) -> Vec<Fault> {
    let what = format!("how far `{}` has read is kept nowhere: each start begins at `start_at`", context.name);
    let help = format!("journal: {{ path: data/journal }}, or in `{0}` positions: data/{0}.json", context.name);
    vec![Fault::warning(context.place, what).help(help)]
}

/// Reads patterns, with a fault for each that is none.
pub(crate) fn globs(texts: &[Placed<String>], faults: &mut Vec<Fault>) -> Vec<Glob> {
    let one = |text: &Placed<String>| Glob::parse(text).map_err(|what| text.fault(format!("`{}` is no pattern: {what}", text.as_str())));
    texts.iter().filter_map(|text| one(text).map_err(|fault| faults.push(fault)).ok()).collect()
}

impl Component for ContainerLogs {
    type Runs = dyn Source;
    const TYPE: &'static str = "container_logs";
    const EXAMPLE: &'static str = "path: /var/log/pods\nexclude: ['kube-system', '*/kansoku-*']\n";

    fn shape(&self, takes: Kinds) -> Shape {
        Shape { gives: Kinds::LOGS, ..Shape::passing(takes) }
    }

    fn build(&self, context: &BuildContext<'_>) -> Result<Box<dyn Source>, Vec<Fault>> {
        let mut faults = Vec::new();
        let (include, exclude) = (globs(&self.include, &mut faults), globs(&self.exclude, &mut faults));
        if !faults.is_empty() {
            return Err(faults);
        }
        let folder = context.folder.join(self.path.as_str());
        let what = format!("the logs of containers in {}", folder.display());
        let options = Options {
            places: Places::Containers { folder, include, exclude },
            format: Format::Container,
            joining: if self.stack_traces { Joining::StackTraces } else { Joining::Never },
            start: self.start_at.into(),
        };
        Ok(Box::new(Following::new(options, what, self.positions.as_ref(), context)?))
    }

    fn warnings(&self, context: &BuildContext<'_>) -> Vec<Fault> {
        let folder = context.folder.join(self.path.as_str());
        let mut warnings = unknown(self.positions.as_ref(), context);
        warnings.extend(match foreign::list(&folder) {
            // On the machine where the file is checked there may be no containers.
            Ok(_) => Vec::new(),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound && self.path.as_str() == PODS => Vec::new(),
            Err(error) => vec![Fault::warning(self.path.place(), format!("{} cannot be read: {error}", folder.display()))],
        });
        warnings
    }
}

/// A source that follows files.
pub(crate) struct Following {
    options: Options,
    what: String,
    positions: Option<(PathBuf, Arc<Claim>)>,
    blocking: Blocking,
}

impl Following {
    pub(crate) fn new(
        options: Options,
        what: String,
        positions: Option<&Placed<String>>,
        context: &BuildContext<'_>,
    ) -> Result<Following, Vec<Fault>> {
        let mine = |path: &Placed<String>| {
            let file = context.folder.join(path.as_str());
            let key = format!("sources.{}.positions", context.name);
            let claim = context.pool.claim(&file.to_string_lossy(), &key);
            claim
                .map(|claim| (file, claim))
                .map_err(|other| vec![path.fault(format!("`{}` is the file of {other} already", path.as_str()))])
        };
        let positions = positions.map(mine).transpose()?;
        Ok(Following { options, what, positions, blocking: context.blocking.clone() })
    }
}

impl Source for Following {
    fn open(&mut self) -> BoxFuture<'_, Result<Vec<Opened>, Vec<Fault>>> {
        Box::pin(async { Ok(vec![Opened::new("reads", self.what.clone())]) })
    }

    fn run(self: Box<Self>, context: SourceContext) -> BoxFuture<'static, Result<(), SourceError>> {
        Box::pin(async move {
            let (file, _claim) = self.positions.unzip();
            follow(self.options, file, self.blocking, context).await
        })
    }
}
