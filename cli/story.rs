//! `kansoku why` and `query trace` as they are read: what failed where, the trace in a line, its tree, what is missing.

use crate::{
    forest::Focus,
    message,
    page::{Page, Tone},
    text, tree,
};
use query::{Joined, Kept, Late, LatePart, Outcome, PathKind, TraceSummary, TraceView, Why};

/// Services named in the line of a trace.
const SERVICES_MAX: usize = 8;
/// Late parts that are told.
const LATE_MAX: usize = 10;

/// The answer to why.
pub(crate) fn why(why: &Why, page: Page) -> String {
    let mut lines: Vec<String> =
        text::wrap(&text::inert(&headline(why)), page.width).iter().map(|line| page.paint(Tone::Strong, line)).collect();
    let mut about = about(&why.trace.summary);
    if let Some(kept) = &why.kept {
        about.push(kept_by(kept));
    }
    about.extend(why.trace.summary.closed_by.as_ref().map(|by| format!("closed by {by}")));
    about.extend(came_late(&why.late));
    about.extend(logs_by(&why.joined));
    lines.extend(joined(&about, page));
    let focus = Focus::Path(why.path.iter().map(|step| step.span_id.as_str()).collect());
    lines.extend(body(&why.trace, &focus, page));
    lines.extend(late(&why.late, page));
    lines.extend(missing(&why.missing, page));
    lines.join("\n")
}

fn kept_by(kept: &Kept) -> String {
    let share = if kept.share < 1.0 {
        let threshold = kept.threshold.as_ref().map_or_else(String::new, |threshold| format!(", R from {threshold}"));
        format!(" ({:.3} % of such{threshold})", kept.share * 100.0).replace(".000 %", " %")
    } else {
        String::new()
    };
    format!("kept by rule `{}`{share}{}", kept.rule, if kept.pinned { ", for an alert" } else { "" })
}

fn came_late(late: &Late) -> Option<String> {
    let told = counted(late.spans, late.logs);
    (!told.is_empty()).then(|| format!("{told} came late"))
}

/// `1 span and 2 logs`.
fn counted(spans: u64, logs: u64) -> String {
    let counts = [(spans, "span"), (logs, "log")];
    let told: Vec<String> = counts.into_iter().filter(|(count, _)| *count > 0).map(|(count, word)| text::count(count, word)).collect();
    told.join(" and ")
}

/// When what came late, a line each.
fn late(late: &Late, page: Page) -> Vec<String> {
    if late.parts.is_empty() {
        return Vec::new();
    }
    let part = |part: &LatePart| {
        let of = if part.services.is_empty() { String::new() } else { format!(" of {}", part.services.join(", ")) };
        let error = if part.error { ", with an error" } else { "" };
        let after = text::duration(part.after_ms);
        let line = format!("  {} UTC, {after} later: {}{of}{error}", text::day_and_time(part.arrived), counted(part.spans, part.logs));
        text::cut(&text::inert(&line), page.width).into_owned()
    };
    let mut lines = vec![String::new(), "late, after the last that came in time:".to_owned()];
    lines.extend(late.parts.iter().take(LATE_MAX).map(part));
    if late.parts.len() > LATE_MAX {
        lines.push(format!("  and {} times more", late.parts.len() - LATE_MAX));
    }
    lines
}

fn logs_by(joined: &[Joined]) -> Option<String> {
    let told: Vec<String> = joined.iter().map(|joined| format!("{} ({})", joined.method, joined.logs)).collect();
    (!told.is_empty()).then(|| format!("logs joined by {}", told.join(", ")))
}

/// A whole trace.
pub(crate) fn trace(trace: &TraceView, page: Page) -> String {
    let mut about = about(&trace.summary);
    about.extend(trace.summary.rule.as_ref().map(|rule| format!("kept by rule `{rule}`")));
    about.extend(trace.summary.closed_by.as_ref().map(|by| format!("closed by {by}")));
    let mut lines = joined(&about, page);
    lines.extend(body(trace, &Focus::Everything, page));
    lines.extend(missing(&trace.notes, page));
    lines.join("\n")
}

/// What happened, in a sentence.
fn headline(why: &Why) -> String {
    let summary = &why.trace.summary;
    let first = why.path.first();
    let root =
        summary.root_name.clone().or_else(|| first.map(|step| step.name.clone())).unwrap_or_else(|| format!("trace {}", summary.trace_id));
    let Some(last) = why.path.last() else {
        return format!("no spans of trace {} are here, only {}", summary.trace_id, text::count(summary.log_count, "log"));
    };
    let error_log = || last.logs.iter().find(|log| log.is_error()).map(|log| first_line(&message::of(log)));
    let place = if why.path.len() == 1 && first.is_some_and(|f| f.name == last.name) {
        last.service.clone()
    } else {
        format!("{} ({})", last.service, last.name)
    };
    let said = last.message.as_deref().map(first_line).or_else(error_log);
    match (why.path_kind, said) {
        (PathKind::Error, Some(said)) => format!("{root} failed in {}: {said}", last.service),
        (PathKind::Error, None) => format!("{root} failed in {place}"),
        (PathKind::ErrorLog, Some(said)) => format!("{root} did not fail, but {} logged an error: {said}", last.service),
        (PathKind::Slowest | PathKind::None | PathKind::ErrorLog, _) => {
            format!(
                "{root} took {}; nothing failed. Longest on its path: {place}, {}",
                text::duration(summary.duration_ms),
                text::duration(last.duration_ms)
            )
        }
    }
}

fn first_line(said: &str) -> String {
    said.lines().next().unwrap_or_default().to_owned()
}

fn about(summary: &TraceSummary) -> Vec<String> {
    let mut services: Vec<String> = summary.services.iter().take(SERVICES_MAX).cloned().collect();
    if summary.services.len() > SERVICES_MAX {
        services.push(format!("{} more", summary.services.len() - SERVICES_MAX));
    }
    let outcome = if summary.status == Outcome::Error { "error" } else { "ok" };
    let mut about = vec![
        format!("trace {}", summary.trace_id),
        format!("{} UTC", text::day_and_time(summary.start)),
        text::duration(summary.duration_ms),
        outcome.to_owned(),
        format!("{}, {}", text::count(summary.span_count, "span"), text::count(summary.log_count, "log")),
    ];
    about.extend([services.join(", ")].into_iter().filter(|s| !s.is_empty()));
    about
}

/// Parts in as many lines as they need, none broken where it need not be.
fn joined(parts: &[String], page: Page) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for part in parts {
        let part = text::inert(part);
        match lines.last_mut() {
            Some(line) if text::width(line) + 3 + text::width(&part) <= page.width => {
                line.push_str(" · ");
                line.push_str(&part);
            }
            _ => lines.push(text::cut(&part, page.width).into_owned()),
        }
    }
    lines
}

fn body(trace: &TraceView, focus: &Focus<'_>, page: Page) -> Vec<String> {
    let mut lines = Vec::new();
    if !trace.spans.is_empty() {
        lines.push(String::new());
        lines.extend(tree::lines(&trace.spans, focus, page));
    }
    if !trace.logs.is_empty() {
        lines.push(String::new());
        lines.push(if trace.spans.is_empty() { "logs:".to_owned() } else { "logs of no span that is here:".to_owned() });
        let most = if matches!(focus, Focus::Everything) { usize::MAX } else { 20 };
        lines.extend(tree::logs(&trace.logs, "   ", most, page));
    }
    lines
}

fn missing(missing: &[String], page: Page) -> Vec<String> {
    const HEAD: &str = "missing: ";
    let mut lines = vec![String::new()];
    if missing.is_empty() {
        lines.push(format!("{HEAD}nothing"));
    }
    for sentence in missing {
        for piece in text::wrap(&text::inert(sentence), page.width.saturating_sub(HEAD.len())) {
            let head = if lines.len() == 1 { HEAD.to_owned() } else { " ".repeat(HEAD.len()) };
            lines.push(format!("{head}{piece}"));
        }
    }
    lines
}

#[cfg(test)]
#[path = "story_test.rs"]
mod tests;
