//! Speaks up: asks its rules of everything that comes in, and tells whoever is to be told when an alert fires and when it is resolved.

use crate::{alert_notify::Receivers, alert_watch::Alerting};
use alert::{AdminUrl, Pins, Rule, builtin, rule};
use config::{Auth, ClientTls, Fault, Placed};
use pipeline::{BuildContext, Component, Observer, Shape, Sink};
use schemars::JsonSchema;
use serde::Deserialize;
use signal::{Flow, Kinds, Time};
use std::path::PathBuf;

/// Watches what flows and tells when a rule begins to hold and when it no longer does. Read a node before `sample`, so that every record counts. With a journal its counts, and who was told, outlive a restart.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct Alert {
    /// Rule files in Prometheus' form with `when` in the place of `expr`, or names of built-in rules: error_trace, slow_trace, error_log_burst. By default all built-in ones.
    rules: Option<Vec<Placed<String>>>,
    /// Who is told; nobody is not allowed.
    notify: Notify,
}

/// Who is told.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct Notify {
    /// A URL that takes Alertmanager's webhook JSON.
    pub(crate) webhook: Option<Placed<String>>,
    /// Whom the webhook trusts and what it shows, for an `https` URL; without it the machine's authorities are trusted.
    pub(crate) tls: Option<ClientTls>,
    /// What the webhook shows its receiver.
    pub(crate) auth: Option<Auth>,
    /// The terminal.
    pub(crate) console: Option<Console>,
    /// Where people reach the admin port, for links. By default `admin.url`, else `http://127.0.0.1:4319`.
    pub(crate) url: Option<String>,
}

/// The terminal; takes nothing.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct Console {}

const ADMIN_URL: &str = "http://127.0.0.1:4319";

impl Component for Alert {
    type Runs = dyn Sink;
    const TYPE: &'static str = "alert";
    const EXAMPLE: &'static str = "{ rules: [error_log_burst], notify: { console: {} } }";

    fn shape(&self, takes: Kinds) -> Shape {
        Shape { acts_on: takes, durable: true, ..Shape::passing(Kinds::NONE) }
    }

    fn rests_on(&self, context: &BuildContext<'_>) -> Vec<PathBuf> {
        let files = self.rules.iter().flatten().filter(|word| looks_like_a_file(word));
        files.map(|word| context.folder.join(word.as_str())).collect()
    }

    fn observer(&self, context: &BuildContext<'_>) -> Option<Box<dyn Observer>> {
        let sees_traces = context.takes.has(Kinds::TRACES);
        let rules = if sees_traces { self.rules(context).ok()? } else { return None };
        Some(Box::new(Pinning(Pins::new(rules))))
    }

    fn build(&self, context: &BuildContext<'_>) -> Result<Box<dyn Sink>, Vec<Fault>> {
        let mut faults = Vec::new();
        let rules = self.rules(context).unwrap_or_else(|found| {
            faults.extend(found);
            Vec::new()
        });
        let admin = context.pool.get::<AdminUrl>(AdminUrl::KEY);
        let url = self.notify.url.as_deref().or(admin.as_ref().map(|admin| admin.0.as_str())).unwrap_or(ADMIN_URL);
        let receivers = Receivers::new(context.name, &self.notify, url, context.folder);
        match receivers {
            Ok(receivers) if receivers.is_none() => {
                faults.extend(context.fault(format!("`{}` would tell nobody; set notify.console or notify.webhook", context.name)))
            }
            Ok(receivers) if faults.is_empty() => {
                return Ok(Box::new(Alerting::new(rules, receivers, admin, context)));
            }
            Ok(_) => {}
            Err(fault) => faults.push(fault),
        }
        Err(faults)
    }
}

/// Pins in each lane what an alert will show.
struct Pinning(Pins);

impl Observer for Pinning {
    fn observe(&mut self, flow: &mut Flow, now: Time) {
        self.0.pin(flow, now);
    }
}

impl Alert {
    fn rules(&self, context: &BuildContext<'_>) -> Result<Vec<Rule>, Vec<Fault>> {
        let Some(written) = &self.rules else { return builtin::rules(&builtin::NAMES, context.takes) };
        let mut rules = Vec::new();
        let mut faults = Vec::new();
        for word in written {
            let read = match word.as_str() {
                name if builtin::NAMES.contains(&name) => builtin::rules(&[name], context.takes),
                file if looks_like_a_file(file) => files(word, context).and_then(|paths| {
                    let loaded: Result<Vec<_>, _> = paths.iter().map(|path| rule::load(path, context.takes)).collect();
                    Ok(loaded?.into_iter().flatten().collect())
                }),
                other => {
                    let fault = word.fault(format!("no built-in rule is called `{other}`"));
                    let help =
                        builtin::nearest_name(other).map_or("a file ends in .yaml".to_owned(), |near| format!("did you mean `{near}`?"));
                    Err(vec![fault.help(help)])
                }
            };
            match read {
                Ok(read) => rules.extend(read),
                Err(found) => faults.extend(found),
            }
        }
        if faults.is_empty() { Ok(rules) } else { Err(faults) }
    }
}

fn looks_like_a_file(word: &str) -> bool {
    [".yaml", ".yml"].iter().any(|end| word.ends_with(end))
}

/// The files that a word names; `*` stands for any part of a file's name.
fn files(word: &Placed<String>, context: &BuildContext<'_>) -> Result<Vec<std::path::PathBuf>, Vec<Fault>> {
    let path = context.folder.join(word.as_str());
    config::document::matching(path.strip_prefix(".").unwrap_or(&path)).map_err(|why| vec![word.fault(why)])
}
