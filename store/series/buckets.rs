//! The `buckets` of a point taken apart: a shape, which all points of a chunk share, and the numbers that differ from point to point.

use crate::json;
use std::fmt::Write as _;

/// What the points of a chunk have in common, but for which of sum, min and max they have.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Shape<'a> {
    /// Bounds as JSON, and how many counts there are.
    Histogram { bounds: &'a str, counts: usize },
    /// Scale and threshold as JSON. Ranges of buckets are among the numbers, since they move.
    Exponential { scale: &'a str, zero_threshold: &'a str },
    /// Quantiles as JSON.
    Summary { quantiles: Vec<&'a str> },
    /// None of these, as JSON.
    Other(&'a str),
}

/// Numbers of one point.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Numbers {
    /// As many for every point of the shape. Unsigned ones by their bits.
    pub(super) ints: Vec<i64>,
    /// As many for every point of the shape.
    pub(super) doubles: Vec<f64>,
    /// As many as some of `ints` say.
    pub(super) tail: Vec<i64>,
}

/// Where in `ints` an exponential histogram has the length of its positive and of its negative buckets.
const LENGTHS: [usize; 2] = [2, 4];

/// Takes the JSON of `buckets` apart.
pub(super) fn take(buckets: &str) -> (Shape<'_>, Numbers) {
    take_known(buckets).unwrap_or((Shape::Other(buckets), Numbers::default()))
}

fn take_known(buckets: &str) -> Option<(Shape<'_>, Numbers)> {
    let pairs: Vec<(&str, &str)> = json::pairs(buckets).collect();
    let mut numbers = Numbers::default();
    let shape = match pairs[..] {
        [("bounds", bounds), ("counts", counts)] => {
            numbers.ints = counts_of(counts)?;
            Shape::Histogram { bounds, counts: numbers.ints.len() }
        }
        [("quantiles", list)] => {
            let mut quantiles = Vec::new();
            for pair in json::elements(list) {
                let mut pair = json::elements(pair);
                quantiles.push(pair.next()?);
                numbers.doubles.push(double_of(pair.next()?)?);
            }
            Shape::Summary { quantiles }
        }
        [("scale", scale), ("zero_count", zero), ("zero_threshold", zero_threshold), ("positive", positive), ("negative", negative)] => {
            numbers.ints.push(count_of(zero)?);
            for side in [positive, negative] {
                let (offset, counts) = (json::find(side, "\"offset\"")?, counts_of(json::find(side, "\"counts\"")?)?);
                numbers.ints.extend([offset.parse().ok()?, i64::try_from(counts.len()).ok()?]);
                numbers.tail.extend(counts);
            }
            Shape::Exponential { scale, zero_threshold }
        }
        _ => return None,
    };
    // What does not come back as it was is kept as it is.
    (shape.give(&numbers.ints, &numbers.doubles, &numbers.tail)? == buckets).then_some((shape, numbers))
}

fn count_of(raw: &str) -> Option<i64> {
    raw.parse::<u64>().ok().map(u64::cast_signed)
}

fn counts_of(list: &str) -> Option<Vec<i64>> {
    json::elements(list).map(count_of).collect()
}

/// A double as `json::write_double` writes it.
fn double_of(raw: &str) -> Option<f64> {
    match json::find(raw, "\"$double\"") {
        Some("\"NaN\"") => Some(f64::NAN),
        Some("\"Infinity\"") => Some(f64::INFINITY),
        Some("\"-Infinity\"") => Some(f64::NEG_INFINITY),
        _ => raw.parse().ok(),
    }
}

impl<'a> Shape<'a> {
    /// The shape as it stands in a chunk, with the names of the doubles that its points have beside their buckets.
    pub(super) fn write(&self, with: &[&str]) -> String {
        let with: Vec<String> = with.iter().map(|name| json::quote(name)).collect();
        let mut out = format!("{{\"with\":[{}]", with.join(","));
        let written = match self {
            Shape::Histogram { bounds, counts } => write!(out, ",\"bounds\":{bounds},\"counts\":{counts}"),
            Shape::Exponential { scale, zero_threshold } => write!(out, ",\"scale\":{scale},\"zero_threshold\":{zero_threshold}"),
            Shape::Summary { quantiles } => write!(out, ",\"quantiles\":[{}]", quantiles.join(",")),
            Shape::Other(buckets) => write!(out, ",\"buckets\":{buckets}"),
        };
        debug_assert!(written.is_ok());
        out.push('}');
        out
    }

    /// The shape in a chunk, and the names of the doubles beside it.
    pub(super) fn read(written: &'a str) -> Option<(Shape<'a>, Vec<&'a str>)> {
        let pairs: Vec<(&str, &str)> = json::pairs(written).collect();
        let (("with", with), rest) = pairs.split_first()? else { return None };
        let with = json::elements(with).map(|name| name.trim_matches('"')).collect();
        let shape = match *rest {
            [("bounds", bounds), ("counts", counts)] => Shape::Histogram { bounds, counts: counts.parse().ok()? },
            [("scale", scale), ("zero_threshold", zero_threshold)] => Shape::Exponential { scale, zero_threshold },
            [("quantiles", list)] => Shape::Summary { quantiles: json::elements(list).collect() },
            [("buckets", buckets)] => Shape::Other(buckets),
            _ => return None,
        };
        Some((shape, with))
    }

    /// Integers and doubles that every point has.
    pub(super) fn widths(&self) -> (usize, usize) {
        match self {
            Shape::Histogram { counts, .. } => (*counts, 0),
            Shape::Exponential { .. } => (5, 0),
            Shape::Summary { quantiles } => (0, quantiles.len()),
            Shape::Other(_) => (0, 0),
        }
    }

    /// How long the tail of the point with these integers is.
    pub(super) fn tail(&self, ints: &[i64]) -> Option<usize> {
        match self {
            Shape::Exponential { .. } => {
                let [positive, negative] = LENGTHS.map(|at| ints.get(at).and_then(|n| usize::try_from(*n).ok()));
                positive?.checked_add(negative?)
            }
            _ => Some(0),
        }
    }

    /// The JSON of `buckets` of the point with these numbers.
    pub(super) fn give(&self, ints: &[i64], doubles: &[f64], tail: &[i64]) -> Option<String> {
        let mut out = String::new();
        match self {
            Shape::Histogram { bounds, .. } => {
                json::push(&mut out, format_args!("{{\"bounds\":{bounds},\"counts\":"));
                write_counts(&mut out, ints);
            }
            Shape::Summary { quantiles } => {
                out.push_str("{\"quantiles\":[");
                for (n, (quantile, value)) in quantiles.iter().zip(doubles).enumerate() {
                    json::push(&mut out, format_args!("{}[{quantile},", if n > 0 { "," } else { "" }));
                    json::write_double(&mut out, *value);
                    out.push(']');
                }
                out.push(']');
            }
            Shape::Exponential { scale, zero_threshold } => {
                let [zero, positive, length, negative, _] = *ints else { return None };
                let zero = zero.cast_unsigned();
                json::push(&mut out, format_args!("{{\"scale\":{scale},\"zero_count\":{zero},\"zero_threshold\":{zero_threshold}"));
                let (above, below) = tail.split_at_checked(usize::try_from(length).ok()?)?;
                for (name, offset, counts) in [("positive", positive, above), ("negative", negative, below)] {
                    json::push(&mut out, format_args!(",\"{name}\":{{\"offset\":{offset},\"counts\":"));
                    write_counts(&mut out, counts);
                    out.push('}');
                }
            }
            Shape::Other(buckets) => return Some((*buckets).to_owned()),
        }
        out.push('}');
        Some(out)
    }
}

fn write_counts(out: &mut String, counts: &[i64]) {
    out.push('[');
    for (n, count) in counts.iter().enumerate() {
        json::push(out, format_args!("{}{}", if n > 0 { "," } else { "" }, count.cast_unsigned()));
    }
    out.push(']');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_come_apart_and_together_again() {
        for (buckets, known) in [
            (r#"{"bounds":[0.5,10.0],"counts":[1,18446744073709551615,3]}"#, true),
            (r#"{"bounds":[],"counts":[]}"#, true),
            (r#"{"quantiles":[[0.5,1.25],[0.99,{"$double":"NaN"}]]}"#, true),
            (r#"{"quantiles":[]}"#, true),
            (
                r#"{"scale":-3,"zero_count":7,"zero_threshold":0.0,"positive":{"offset":-4,"counts":[1,2]},"negative":{"offset":9,"counts":[5]}}"#,
                true,
            ),
            (r#"{"bounds":[0.5],"counts":[1.5]}"#, false),
            (r#"{"new":[1]}"#, false),
        ] {
            let (shape, numbers) = take(buckets);
            assert_eq!(!matches!(shape, Shape::Other(_)), known, "{buckets}");
            let written = shape.write(&["sum", "max"]);
            let (read, with) = Shape::read(&written).unwrap();
            assert_eq!((&read, with), (&shape, vec!["sum", "max"]), "{written}");
            assert_eq!(read.widths(), (numbers.ints.len(), numbers.doubles.len()));
            assert_eq!(read.tail(&numbers.ints), Some(numbers.tail.len()));
            assert_eq!(read.give(&numbers.ints, &numbers.doubles, &numbers.tail).as_deref(), Some(buckets));
            assert_eq!(Shape::read(&shape.write(&[])).unwrap().1, Vec::<&str>::new());
        }
    }
}
