//! A trace as a tree on a page: each span in a line with its time and what it says, its logs below it.

use crate::{
    forest::{self, Focus, Row},
    message,
    page::{Page, Tone, tone_of_level},
    text,
};
use query::{LogLine, SpanRow};
use std::cmp::Reverse;

/// Lines of a message that are shown, of an error and of anything else.
const ERROR_LINES_MAX: usize = 6;
/// Logs of one span that are shown; errors first, then their neighbours.
const LOGS_MAX: usize = 12;
const NAMES_MIN: usize = 24;

/// The lines of the tree.
pub(crate) fn lines(spans: &[SpanRow], focus: &Focus<'_>, page: Page) -> Vec<String> {
    let rows = forest::rows(spans, focus);
    let wide = |row: &Row| match row {
        Row::Span { at, lead, .. } => text::width(lead) + text::width(&label(&spans[*at])),
        Row::Folded { .. } | Row::More { .. } => 0,
    };
    let names = rows.iter().map(wide).max().unwrap_or(0).clamp(NAMES_MIN, (page.width * 11 / 20).max(NAMES_MIN));
    let mut lines = Vec::new();
    for row in &rows {
        match row {
            Row::Span { at, lead, below, folded } => {
                let span = &spans[*at];
                lines.push(span_line(span, lead, names, *folded, page));
                match focus {
                    Focus::Everything => lines.extend(logs(&span.logs, below, usize::MAX, page)),
                    Focus::Path(path) if path.contains(span.span_id.as_str()) => {
                        lines.extend(exceptions(span, below, page));
                        lines.extend(logs(&span.logs, below, LOGS_MAX, page));
                    }
                    Focus::Path(_) if *folded == 0 => {
                        let errors: Vec<LogLine> = span.logs.iter().filter(|log| log.is_error()).cloned().collect();
                        lines.extend(logs(&errors, below, LOGS_MAX, page));
                    }
                    Focus::Path(_) => {}
                }
            }
            Row::Folded { lead, subtrees, spans } => {
                let told = format!("{subtrees} more did not fail ({})", text::count(*spans as u64, "span"));
                lines.push(format!("{lead}{}", page.paint(Tone::Dim, &told)));
            }
            Row::More { spans } => lines.push(page.paint(Tone::Dim, &format!("… {} more", text::count(*spans as u64, "span")))),
        }
    }
    lines
}

fn label(span: &SpanRow) -> String {
    let missing = if span.parent_missing { "⋯ " } else { "" };
    let service = if span.service.is_empty() { String::new() } else { format!("{}  ", span.service) };
    text::inert(&format!("{missing}{service}{}", span.name)).into_owned()
}

fn span_line(span: &SpanRow, lead: &str, names: usize, folded: usize, page: Page) -> String {
    let label = label(span);
    let label = text::cut(&label, names.saturating_sub(text::width(lead)).max(8));
    let failed = span.status == "error";
    let space = names.saturating_sub(text::width(lead) + text::width(&label));
    let tone = if failed { Tone::Bad } else { Tone::Plain };
    let mut line = format!("{lead}{}{}  {:>10}", page.paint(tone, &label), " ".repeat(space), text::duration(span.duration_ms));
    let said = if failed { span.message().unwrap_or_default() } else { String::new() };
    let room = page.width.saturating_sub(names + 12);
    if failed {
        let told = if said.is_empty() { "error".to_owned() } else { format!("error  {}", text::inert(&said)) };
        line.push_str("  ");
        line.push_str(&page.paint(Tone::Bad, &text::cut(&told, room.saturating_sub(2).max(8))));
    } else if folded > 0 {
        line.push_str(&page.paint(Tone::Dim, &format!("  +{}", text::count(folded as u64, "span"))));
    }
    line
}

/// Logs below a span, or below nothing.
pub(crate) fn logs(logs: &[LogLine], below: &str, most: usize, page: Page) -> Vec<String> {
    let mut lines = Vec::new();
    let shown = chosen(logs, most);
    for log in shown.iter().filter_map(|at| logs.get(*at)) {
        let level = if log.severity.is_empty() { "" } else { &format!("{:<5} ", text::inert(&log.severity)) };
        let head = format!("{} {level}", text::clock(log.time));
        lines.extend(spoken(&head, &message::of(log), below, tone_of_level(&log.severity), page));
    }
    if shown.len() < logs.len() {
        lines.push(format!(
            "{below}{}",
            page.paint(Tone::Dim, &format!("… {} more", text::count((logs.len() - shown.len()) as u64, "log")))
        ));
    }
    lines
}

/// Which logs are shown: warnings and errors first, then what stands nearest to the first error.
fn chosen(logs: &[LogLine], most: usize) -> Vec<usize> {
    let first_error = logs.iter().position(LogLine::is_error).unwrap_or(logs.len());
    let mut order: Vec<usize> = (0..logs.len()).collect();
    order.sort_by_key(|at| (Reverse(tone_of_level(&logs[*at].severity) != Tone::Plain), first_error.abs_diff(*at)));
    order.truncate(most);
    order.sort_unstable();
    order
}

/// Exceptions that a span recorded, where its line does not say the same already.
fn exceptions(span: &SpanRow, below: &str, page: Page) -> Vec<String> {
    let said = span.message().unwrap_or_default();
    let mut lines = Vec::new();
    for event in span.events.iter().filter(|event| event.name == "exception").take(LOGS_MAX) {
        let attribute = |key: &str| event.attributes.get(key).and_then(serde_json::Value::as_str).unwrap_or_default();
        let (kind, words, stack) = (attribute("exception.type"), attribute("exception.message"), attribute("exception.stacktrace"));
        if kind.is_empty() && words == said && stack.is_empty() {
            continue;
        }
        // A stack trace of most languages ends with what was thrown; its last lines say where.
        let ending: Vec<&str> = stack.lines().filter(|line| !line.trim().is_empty()).collect();
        let ending = ending.get(ending.len().saturating_sub(ERROR_LINES_MAX - 2)..).unwrap_or_default().join("\n");
        let told = [kind, words].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(": ");
        let whole = if ending.is_empty() { told } else { format!("{told}\n{ending}") };
        lines.extend(spoken(&format!("{} exception ", text::clock(event.time)), &whole, below, Tone::Bad, page));
    }
    lines
}

/// A message in as many lines as it deserves, the further ones under the first.
fn spoken(head: &str, message: &str, below: &str, tone: Tone, page: Page) -> Vec<String> {
    let most = if tone == Tone::Bad { ERROR_LINES_MAX } else { 1 };
    let indent = text::width(head);
    let room = page.width.saturating_sub(text::width(below) + indent).max(20);
    let all: Vec<&str> = message.lines().collect();
    let mut shown: Vec<String> = Vec::new();
    for (at, line) in all.iter().take(most).enumerate() {
        let rest = all.len() - at - 1;
        let more = if at + 1 == most && rest > 0 { format!(" … {rest} more lines") } else { String::new() };
        let line = text::inert(line);
        // Of a single long line of an error, all is said that fits into its lines.
        let pieces = if all.len() == 1 && most > 1 { text::wrap(&line, room) } else { vec![line.into_owned()] };
        let cut_off = pieces.len() > most;
        for (n, piece) in pieces.into_iter().take(most).enumerate() {
            let piece = if cut_off && n + 1 == most { format!("{piece} …") } else { piece };
            shown.push(format!("{}{more}", text::cut(&piece, room.saturating_sub(text::width(&more)))));
        }
    }
    if shown.is_empty() {
        shown.push(String::new());
    }
    let line = |(at, piece): (usize, String)| {
        let start = if at == 0 { head.to_owned() } else { " ".repeat(indent) };
        format!("{below}{}", page.paint(tone, format!("{start}{piece}").trim_end()))
    };
    shown.into_iter().enumerate().map(line).collect()
}
