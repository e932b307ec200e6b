//! Lines that programs write to files.

use crate::{
    container_logs::{Following, StartAt, globs, unknown},
    tail::{Options, found::Places, glob::Glob, lineage::Format, stream::Joining},
};
use config::{Fault, Placed};
use pipeline::{BuildContext, Component, Shape, Source, foreign};
use schemars::JsonSchema;
use serde::Deserialize;
use signal::{Kinds, Value};
use std::collections::BTreeMap;

/// Bytes that a compiled pattern may take.
const PATTERN_BYTES_MAX: usize = 1 << 20;

/// Follows files that programs write lines to, each line a record, stack traces joined to one. A JSON object becomes a map; the level is what the line says. A record has
/// `log.file.name` and `log.file.path`.
///
/// Rotation is followed by what a file is and holds, not by its name: renamed files are read to their end, also removed ones that are open; of a truncated file
/// (`copytruncate`) what was not read yet is read from the copy beside it. What is written between copying and truncating is lost before anybody can read it: let programs
/// rotate by renaming where lines matter.
///
/// With a `journal:` how far each file was read is in it together with the records, so that after any end of the process each line came in once. Without one it moves
/// when every sink has the records, and is kept where `positions` says. When what follows is slow, it reads later and drops nothing.
///
/// A line of more than 64 KiB goes into several records, each with its number in `log.part`; a last line without an end is taken after five quiet seconds. What is not UTF-8 is
/// shown as U+FFFD and counted.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct File {
    /// Paths, from the folder of the pipeline file: `*` and `?` within a name, `[a-z]`, `**` for any folders. Names that end in `.gz` and the like are passed over.
    paths: Vec<Placed<String>>,
    /// Paths that are not meant, in the same way.
    #[serde(default)]
    exclude: Vec<Placed<String>>,
    /// Where the first start begins in the files that are there, by default at the `beginning`, so that nothing is left out unasked; `end` does as the Collector's `filelog`.
    /// Files that come later are always read from their beginning.
    #[serde(default = "beginning")]
    start_at: StartAt,
    /// Whether the lines of a stack trace (Java, Python, Go, JavaScript, Rust) are one record. At most a second passes between two of them, and a record has at most
    /// 1,000 lines and 64 KiB.
    #[serde(default = "yes")]
    stack_traces: bool,
    /// Which lines are one record, in place of `stack_traces`.
    multiline: Option<Multiline>,
    /// Attributes of the resource, such as `service.name`.
    #[serde(default)]
    resource: BTreeMap<String, String>,
    /// The file in which it keeps how far it has read; by default one in the folder of the journal. With neither, each start begins at `start_at`.
    positions: Option<Placed<String>>,
}

/// Which lines are one record.
#[derive(Debug, Deserialize, JsonSchema)]
struct Multiline {
    /// A regular expression: a line in which it is found begins a record, others go on with the one before. `'^\d{4}-'`
    start: Placed<String>,
}

fn beginning() -> StartAt {
    StartAt::Beginning
}

fn yes() -> bool {
    true
}

impl File {
    fn joining(&self, faults: &mut Vec<Fault>) -> Joining {
        let otherwise = if self.stack_traces { Joining::StackTraces } else { Joining::Never };
        let Some(Multiline { start }) = &self.multiline else { return otherwise };
        match regex::RegexBuilder::new(start).size_limit(PATTERN_BYTES_MAX).build() {
            Ok(pattern) => Joining::From(pattern),
            Err(error) => {
                faults.push(start.fault(format!("`start` is no regular expression: {}", in_a_line(&error))));
                otherwise
            }
        }
    }

    /// The patterns as they are from the root.
    fn patterns(texts: &[Placed<String>], context: &BuildContext<'_>) -> Vec<Placed<String>> {
        texts.iter().map(|text| text.clone().map(|text| context.folder.join(text).to_string_lossy().into_owned())).collect()
    }
}

/// The last line of what the library says, which names the mistake.
fn in_a_line(error: &regex::Error) -> String {
    let text = error.to_string();
    text.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned()
}

impl Component for File {
    type Runs = dyn Source;
    const TYPE: &'static str = "file";
    const EXAMPLE: &'static str =
        "paths: ['/var/log/shop/*.log']\nmultiline: { start: '^\\d{4}-\\d{2}-\\d{2}' }\nresource: { service.name: shop }\n";

    fn shape(&self, takes: Kinds) -> Shape {
        Shape { gives: Kinds::LOGS, ..Shape::passing(takes) }
    }

    fn build(&self, context: &BuildContext<'_>) -> Result<Box<dyn Source>, Vec<Fault>> {
        let mut faults = Vec::new();
        if self.paths.is_empty() {
            faults.extend(context.fault(format!("`{}` has no `paths`, so it would read nothing", context.name)));
        }
        let paths = globs(&File::patterns(&self.paths, context), &mut faults);
        let exclude = globs(&File::patterns(&self.exclude, context), &mut faults);
        let joining = self.joining(&mut faults);
        if !faults.is_empty() {
            return Err(faults);
        }
        let resource = self.resource.iter().map(|(key, value)| (key.clone(), Value::from(value.as_str()))).collect();
        let what = self.paths.iter().map(|path| path.as_str()).collect::<Vec<_>>().join(", ");
        let options =
            Options { places: Places::Files { paths, exclude, resource }, format: Format::Plain, joining, start: self.start_at.into() };
        Ok(Box::new(Following::new(options, what, self.positions.as_ref(), context)?))
    }

    fn warnings(&self, context: &BuildContext<'_>) -> Vec<Fault> {
        let mut warnings = unknown(self.positions.as_ref(), context);
        for path in File::patterns(&self.paths, context) {
            let Ok(glob) = Glob::parse(&path) else { continue };
            let folder = glob.folder();
            if let Err(error) = foreign::list(&folder) {
                let what = format!("nothing can be read in {}: {}", folder.display(), in_words(&error));
                warnings.push(Fault::warning(path.place(), what));
            }
        }
        warnings
    }
}

fn in_words(error: &std::io::Error) -> &'static str {
    match error.kind() {
        std::io::ErrorKind::NotFound => "there is no such folder",
        std::io::ErrorKind::PermissionDenied => "this user may not look into it",
        std::io::ErrorKind::NotADirectory => "it is no folder",
        _ => "it cannot be read",
    }
}
