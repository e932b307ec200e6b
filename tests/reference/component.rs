//! The page of a component, and the page of what stands beside the nodes.

use crate::schema::{self, Key};
use config::Document;
use pipeline::{Entry, Keyed, Kind, Shape, Spec, plan::kind_words};
use serde_json::Value;
use signal::Kinds;
use std::path::Path;

pub(crate) fn page(entry: &Entry) -> String {
    let body = (entry.schema)().to_value();
    let mut page = format!("# `{}`, a {}\n\n{}\n\n", entry.type_name, entry.kind.word(), schema::description(&body));
    page.push_str(&format!("```yaml\n{}```\n\n", example(entry)));
    page.push_str(&table(&schema::keys(&body, &body, "")));
    page.push_str("\nKeys that every node has are in [settings](settings.md#every-node).\n\n");
    page.push_str(&flow(entry));
    let recipes = format!("tests/golden/{}.md", entry.type_name);
    if Path::new(env!("CARGO_MANIFEST_DIR")).join(&recipes).exists() {
        page.push_str(&format!("\nRecipes: [{}](../../{recipes}).\n", entry.type_name));
    }
    page
}

/// The example as a node of a file.
fn example(entry: &Entry) -> String {
    let (section, name) = (entry.kind.word(), entry.type_name);
    let inputs = match shape(entry) {
        _ if entry.kind == Kind::Source => "",
        shape if shape.acts_on == Kinds::TRACES => "inputs: [traces]",
        shape if shape.gives == Kinds::METRICS => "inputs: [otlp.traces]",
        _ => "inputs: [otlp]",
    };
    let body = entry.example.trim();
    let Some(flow) = body.strip_prefix('{') else {
        let lines: String =
            [inputs].into_iter().chain(body.lines()).filter(|line| !line.is_empty()).map(|line| format!("    {line}\n")).collect();
        return format!("{section}s:\n  {name}:\n{lines}");
    };
    let comma = if inputs.is_empty() || flow.trim() == "}" { "" } else { "," };
    format!("{section}s:\n  {name}: {{ {inputs}{comma}{flow}\n")
}

fn table(keys: &[Key]) -> String {
    if keys.is_empty() {
        return "It has no keys of its own.\n".to_owned();
    }
    let row = |key: &Key| format!("| `{}` | {} | {} | {} |\n", key.path, cell(&key.holds), cell(&key.default), cell(&key.description));
    let rows: String = keys.iter().map(row).collect();
    format!("| key | holds | default | |\n|---|---|---|---|\n{rows}")
}

/// A bar would end the cell.
pub(crate) fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}

/// What it acts on, gives, and how it is spread.
fn flow(entry: &Entry) -> String {
    let shape = shape(entry);
    let words = |kinds: Kinds| kind_words(kinds).join(", ");
    let mut said = match entry.kind {
        Kind::Source => vec![format!("Gives {}.", words(shape.gives))],
        Kind::Processor if shape.gives == Kinds::METRICS => {
            vec![format!("Takes {} and gives {}.", words(shape.acts_on), words(shape.gives))]
        }
        Kind::Processor => vec![format!("Acts on {}; what else comes in passes untouched.", words(shape.acts_on))],
        Kind::Sink => vec![format!("Takes {}.", words(shape.acts_on))],
    };
    said.extend(notes(&shape).into_iter().map(str::to_owned));
    if !shape.ports.is_empty() {
        said.push(format!("Its outputs: {}.", shape.ports.join(", ")));
    }
    format!("{}\n", said.join(" "))
}

fn shape(entry: &Entry) -> Shape {
    let document = Document::parse("example", entry.example, &config::document::Real).unwrap_or_else(|(_, faults)| panic!("{faults:?}"));
    match (entry.read)(&document.root).unwrap() {
        Spec::Source(recipe) => recipe.shape(Kinds::NONE),
        Spec::Processor(recipe) => recipe.shape(Kinds::ALL),
        Spec::Sink(recipe) => recipe.shape(Kinds::ALL),
    }
}

fn notes(shape: &Shape) -> Vec<&'static str> {
    let mut notes = Vec::new();
    notes.extend(match shape.keyed {
        Keyed::No | Keyed::Shared => None,
        Keyed::Trace => Some("One trace stays in one lane."),
        Keyed::By(_) => Some("One value of its key stays in one lane."),
        Keyed::Single => Some("It runs in one lane."),
    });
    notes.extend(shape.holds.then_some("It holds records past the call: without a `journal`, sources before it answer on arrival."));
    notes.extend(shape.ordered.then_some("It gets one batch at a time, in order."));
    notes.extend(shape.durable.then_some("What it answered for is on disk."));
    notes
}

/// Rule files, which an `alert` names.
pub(crate) fn rules() -> String {
    let body = schemars::schema_for!(alert::RuleFile).to_value();
    let mut page = format!("# Rule files\n\n{} An [`alert`](sinks.alert.md) names them in `rules`.\n\n", schema::description(&body));
    let example = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("config/examples/rules/shop.yaml")).unwrap();
    page.push_str(&format!("```yaml\n{example}```\n\n{}", table(&schema::keys(&body, &body, ""))));
    page
}

/// `journal:` and the like, and the keys that every node has.
pub(crate) fn settings(whole: &Value) -> String {
    let mut page =
        "# Settings\n\nWhat stands at the top of a file beside `sources`, `processors` and `sinks`. All of it may be left out.\n"
            .to_owned();
    for (name, setting) in whole["properties"].as_object().unwrap() {
        if ["sources", "processors", "sinks"].contains(&name.as_str()) {
            continue;
        }
        page.push_str(&format!("\n## `{name}`\n\n{}\n", schema::description(setting)));
        let keys = schema::keys(setting, whole, "");
        if !keys.is_empty() {
            page.push_str(&format!("\n{}", table(&keys)));
        }
    }
    page.push_str("\n## Every node\n\n");
    let definitions = &whole["$defs"];
    let mut keys = schema::keys(&definitions["source_otlp"], whole, "");
    keys.extend(schema::keys(&definitions["sink_debug"], whole, ""));
    let (mut common, mut seen) = (Vec::new(), Vec::new());
    for mut key in keys {
        let is_common = ["type", "inputs", "on_full", "acknowledge"].contains(&key.path.as_str()) || key.path.starts_with("delivery");
        if is_common && !seen.contains(&key.path) {
            seen.push(key.path.clone());
            key.holds = match key.path.as_str() {
                "type" => "the name of a component".to_owned(),
                "inputs" => "list of nodes; not for sources".to_owned(),
                "on_full" => "`spill`, `block`, `drop`; only for sinks".to_owned(),
                path if path.starts_with("delivery") => format!("{}; only for sinks", key.holds),
                _ => format!("{}; only for sources", key.holds),
            };
            common.push(key);
        }
    }
    page.push_str(&table(&common));
    page.push_str(VALUES);
    page
}

const VALUES: &str = "
## Values

Times (`500ms`, `10s`, `1h30m`, `7d`), sizes (`64KiB`, `256MiB`, `4GB`) and shares (`0.5%`, `10%`) have their unit written; a bare number is an error that
suggests one. `${env:NAME}`, `${env:NAME:-default}` and `${file:PATH}` are put in after the file was parsed, so that what is in them cannot change the file;
`$${` is a `${` that is only text. A key that is not listed is an error.
";
