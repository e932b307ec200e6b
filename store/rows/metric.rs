//! A data point as a row of `metrics`.

use super::{
    Rows,
    around::{Around, other_key},
    signed,
};
use crate::{
    json::{push as put, write_attributes, write_double, write_sorted},
    series::{Identity, word},
};
use signal::view::{Metric, MetricType, Number, Point, Temporality};

/// Pushes a data point and what its metric says about it.
pub(super) fn push(rows: &mut Rows, around: &mut Around, series: &mut Identity, metric: &Metric<'_>, point: &Point<'_>) {
    let temporality = metric.temporality().map(|t| match t {
        Temporality::Unspecified => "unspecified",
        Temporality::Delta => "delta",
        Temporality::Cumulative => "cumulative",
    });
    let mut attributes = String::new();
    write_sorted(&mut attributes, point.attributes());
    series.clear();
    [metric.name(), metric.unit(), metric.kind().word(), temporality.unwrap_or_default(), word(metric.monotonic())]
        .into_iter()
        .for_each(|text| series.text(text));
    series.object(&attributes);
    around.identify(series);
    rows.text(metric.name());
    rows.text(metric.description());
    rows.text(metric.unit());
    rows.text(metric.kind().word());
    rows.maybe_text(temporality);
    rows.flag(metric.monotonic());
    rows.shown(Some(format_args!("{:032x}", series.id())));
    rows.count(point.start_time());
    rows.count(point.time());
    rows.count(u64::from(point.flags()));
    match point.value() {
        Some(Number::Double(value)) => {
            rows.float(Some(value));
            rows.int(None);
        }
        Some(Number::Int(value)) => {
            rows.float(Some(value as f64));
            rows.int(Some(value));
        }
        None => {
            rows.float(None);
            rows.int(None);
        }
    }
    rows.int(point.count().map(signed));
    rows.float(point.sum());
    rows.float(point.min());
    rows.float(point.max());
    rows.json(|out| write_buckets(out, metric.kind(), point));
    rows.json(|out| write_exemplars(out, point));
    around.push_names(rows);
    rows.json(|out| out.push_str(&attributes));
    around.push_attributes(rows);
    around.push_other(rows, |out| {
        if metric.metadata().iter().next().is_some() {
            other_key(out, "metadata");
            write_attributes(out, metric.metadata());
        }
    });
    rows.end_row();
}

fn write_buckets(out: &mut String, kind: MetricType, point: &Point<'_>) {
    match kind {
        MetricType::Gauge | MetricType::Sum => {}
        MetricType::Histogram => {
            out.push_str("{\"bounds\":");
            write_list(out, point.explicit_bounds(), write_double);
            out.push_str(",\"counts\":");
            write_list(out, point.bucket_counts(), |out, n| put(out, format_args!("{n}")));
            out.push('}');
        }
        MetricType::Summary => {
            out.push_str("{\"quantiles\":");
            write_list(out, point.quantiles(), |out, (quantile, value)| {
                out.push('[');
                write_double(out, quantile);
                out.push(',');
                write_double(out, value);
                out.push(']');
            });
            out.push('}');
        }
        MetricType::ExponentialHistogram => write_exponential(out, point),
    }
}

fn write_exponential(out: &mut String, point: &Point<'_>) {
    let Some(all) = point.exponential() else { return };
    put(out, format_args!("{{\"scale\":{},\"zero_count\":{},\"zero_threshold\":", all.scale, all.zero_count));
    write_double(out, all.zero_threshold);
    for (name, side) in [("positive", all.positive), ("negative", all.negative)] {
        put(out, format_args!(",\"{name}\":{{\"offset\":{},\"counts\":", side.offset()));
        write_list(out, side.counts(), |out, n| put(out, format_args!("{n}")));
        out.push('}');
    }
    out.push('}');
}

fn write_exemplars(out: &mut String, point: &Point<'_>) {
    for exemplar in point.exemplars() {
        out.push(if out.is_empty() { '[' } else { ',' });
        put(out, format_args!("{{\"time_unix_nano\":{}", exemplar.time()));
        match exemplar.value() {
            Some(Number::Double(value)) => {
                out.push_str(",\"value\":");
                write_double(out, value);
            }
            Some(Number::Int(value)) => put(out, format_args!(",\"value\":{value}")),
            None => {}
        }
        if let Some(trace) = exemplar.trace_id() {
            put(out, format_args!(",\"trace_id\":\"{trace}\""));
        }
        if let Some(span) = exemplar.span_id() {
            put(out, format_args!(",\"span_id\":\"{span}\""));
        }
        out.push_str(",\"attributes\":");
        write_attributes(out, exemplar.attributes());
        out.push('}');
    }
    if !out.is_empty() {
        out.push(']');
    }
}

fn write_list<T>(out: &mut String, items: impl Iterator<Item = T>, write: impl Fn(&mut String, T)) {
    out.push('[');
    for (n, item) in items.enumerate() {
        if n > 0 {
            out.push(',');
        }
        write(out, item);
    }
    out.push(']');
}
