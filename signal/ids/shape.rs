//! The forms in which trace and span ids are written. Each takes the whole value and refuses what has another length; zero is no id.

use crate::{SpanId, TraceId};

/// A trace, and the span where the form has one.
pub(super) type Ids = (TraceId, Option<SpanId>);

/// The trace of this number.
pub(super) fn trace_of(number: u128) -> Option<TraceId> {
    TraceId::of_bytes(&number.to_be_bytes())
}

/// The span of this number.
pub(super) fn span_of(number: u64) -> Option<SpanId> {
    SpanId::of_bytes(&number.to_be_bytes())
}

/// What stands under a key that says it is a trace id: 32 or 16 hex digits, X-Ray's `1-<8>-<24>`, 17 to 20 decimal digits, Google's resource name.
pub(super) fn trace(text: &str) -> Option<TraceId> {
    match text.len() {
        32 | 16 => hex_trace(text),
        35 => xray_trace(text),
        17..=20 => number(text, 10).and_then(|n| u64::try_from(n).ok()).and_then(|n| trace_of(n.into())),
        _ => google(text).map(|(trace, _)| trace),
    }
}

/// 32 hex digits, or 16 for the low half.
pub(super) fn hex_trace(text: &str) -> Option<TraceId> {
    TraceId::of_hex_or_half(text)
}

/// Datadog: decimal of up to 64 or of 128 bits, 32 hex digits, or 16 if one is a letter.
pub(super) fn datadog_trace(text: &str) -> Option<TraceId> {
    if text.len() != 32 && text.bytes().all(|c| c.is_ascii_digit()) { trace_of(number(text, 10)?) } else { hex_trace(text) }
}

/// Datadog: decimal, or 16 hex digits if one is a letter.
pub(super) fn datadog_span(text: &str) -> Option<SpanId> {
    if text.bytes().all(|c| c.is_ascii_digit()) { span_of(u64::try_from(number(text, 10)?).ok()?) } else { SpanId::of_hex(text) }
}

/// W3C Trace Context: `00-<32>-<16>-<2>`; a later version may say more behind it, version ff is none.
pub(super) fn traceparent(text: &str) -> Option<Ids> {
    let (head, rest) = text.split_at_checked(55)?;
    let mut parts = head.split('-');
    let version = parts.next().filter(|v| v.len() == 2 && is_hex(v) && *v != "ff")?;
    let trace = TraceId::of_hex(parts.next()?)?;
    let span = SpanId::of_hex(parts.next()?)?;
    let flags = parts.next().filter(|f| f.len() == 2 && is_hex(f));
    let ends = rest.is_empty() || (version != "00" && rest.starts_with('-'));
    (flags.is_some() && parts.next().is_none() && ends).then_some((trace, Some(span)))
}

/// B3's single header: `<32 or 16>-<16>`, then perhaps a flag and a parent.
pub(super) fn b3(text: &str) -> Option<Ids> {
    let mut parts = text.split('-');
    let trace = hex_trace(parts.next()?)?;
    let span = SpanId::of_hex(parts.next()?)?;
    (parts.count() <= 2).then_some((trace, Some(span)))
}

/// `X-B3-TraceId`: the trace alone.
pub(super) fn b3_trace(text: &str) -> Option<Ids> {
    hex_trace(text).map(|trace| (trace, None))
}

/// X-Ray: `Root=1-<8>-<24>;Parent=<16>;Sampled=1` in any order, or the root's value alone, which may have a span behind it: `1-<8>-<24>@<16>`.
pub(super) fn xray(text: &str) -> Option<Ids> {
    let field = |name: &str| text.split(';').find_map(|part| part.trim().strip_prefix(name));
    let (root, span) = text.split_once('@').unwrap_or((text, ""));
    let trace = xray_trace(field("Root=").unwrap_or(root))?;
    Some((trace, SpanId::of_hex(field("Parent=").unwrap_or(span))))
}

/// `1-<8>-<24>`.
pub(super) fn xray_trace(text: &str) -> Option<TraceId> {
    let (high, low) = text.strip_prefix("1-")?.split_once('-')?;
    let is_shaped = high.len() == 8 && low.len() == 24;
    if is_shaped { trace_of(number(high, 16)? << 96 | number(low, 16)?) } else { None }
}

/// Jaeger: `<trace>:<span>:<parent>:<flags>`, leading zeros cut off.
pub(super) fn jaeger(text: &str) -> Option<Ids> {
    let mut parts = text.split(':');
    let trace = parts.next().filter(|t| t.len() <= 32)?;
    let span = parts.next().filter(|s| s.len() <= 16)?;
    let ids = (trace_of(number(trace, 16)?)?, u64::try_from(number(span, 16)?).ok().and_then(span_of));
    (parts.count() == 2).then_some(ids)
}

/// Google Cloud: `<32>/<span in decimal>;o=1`.
pub(super) fn cloud_context(text: &str) -> Option<Ids> {
    let value = text.split(';').next()?;
    let (trace, span) = value.split_once('/').unwrap_or((value, ""));
    Some((TraceId::of_hex(trace)?, number(span, 10).and_then(|n| u64::try_from(n).ok()).and_then(span_of)))
}

/// Google Cloud: `projects/<project>/traces/<32>`.
pub(super) fn google(text: &str) -> Option<Ids> {
    let (project, trace) = text.strip_prefix("projects/")?.split_once("/traces/")?;
    if project.contains('/') { None } else { TraceId::of_hex(trace).map(|trace| (trace, None)) }
}

/// New Relic: `NR-LINKING|<entity>|<host>|<trace>|<span>|<name>|`, the span perhaps empty; what stands from the first bar on.
pub(super) fn new_relic(text: &str) -> Option<Ids> {
    let mut parts = text.split('|').skip(3);
    let (trace, span) = (TraceId::of_hex(parts.next()?)?, parts.next()?);
    (span.is_empty() || span.len() == 16).then(|| (trace, SpanId::of_hex(span)))
}

/// Spring's `[app,<trace>,<span>]` and `[app,<trace>-<span>]`; what stands between the brackets.
/// A 64-bit trace needs a letter: two numbers in brackets are common.
pub(super) fn spring(inner: &str) -> Option<Ids> {
    let mut parts = inner.split(',').map(str::trim);
    let (_, second, third) = (parts.next()?, parts.next()?, parts.next());
    let (trace, span) = match third {
        None => second.split_once('-')?,
        Some(span) => (second, span),
    };
    let is_named = trace.len() == 32 || trace.bytes().any(|c| c.is_ascii_alphabetic());
    let ids = (hex_trace(trace).filter(|_| is_named)?, Some(SpanId::of_hex(span)?));
    (parts.count() <= 1).then_some(ids)
}

/// `[<32>-<16>]`; what stands between the brackets.
pub(super) fn brackets(inner: &str) -> Option<Ids> {
    let (trace, span) = inner.split_once('-')?;
    Some((TraceId::of_hex(trace)?, Some(SpanId::of_hex(span)?)))
}

fn is_hex(text: &str) -> bool {
    text.bytes().all(crate::id::is_hex)
}

/// Digits alone, no sign; none where they are too many for 128 bits.
fn number(text: &str, radix: u32) -> Option<u128> {
    if text.starts_with('+') { None } else { u128::from_str_radix(text, radix).ok() }
}
