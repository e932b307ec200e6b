//! For how many spans one stands: what was sampled by chance says so in its tracestate.

use signal::view::Span;

/// 2^56, of which a threshold is a part.
const WHOLE: f64 = (1_u64 << 56) as f64;

/// Its adjusted count, 2^56 / (2^56 - T); 1 without a valid threshold.
pub(crate) fn of(span: &Span<'_>) -> f64 {
    let state = span.trace_state();
    if state.is_empty() { 1.0 } else { threshold(state).map_or(1.0, |threshold| WHOLE / (WHOLE - threshold as f64)) }
}

/// `th` of the entry `ot`: up to 14 hex digits in lower case, of which trailing zeros may be left out.
fn threshold(state: &str) -> Option<u64> {
    let entry = state.split(',').find_map(|entry| entry.trim().strip_prefix("ot="))?;
    let digits = entry.split(';').find_map(|field| field.trim().strip_prefix("th:"))?;
    let valid = (1..=14).contains(&digits.len()) && digits.bytes().all(|c| c.is_ascii_digit() || (b'a'..=b'f').contains(&c));
    if !valid {
        return None;
    }
    u64::from_str_radix(digits, 16).ok().map(|threshold| threshold << (4 * (14 - digits.len())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_threshold_is_read_from_the_entry_of_opentelemetry_only() {
        assert_eq!(threshold("ot=th:8"), Some(1 << 55));
        assert_eq!(threshold("a=th:c, ot=rv:1;th:c,b=2"), Some(3 << 54));
        assert_eq!(threshold("ot=th:ffffffffffffff"), Some((1 << 56) - 1));
        for none in ["", "ot=", "ot=th:", "ot=th:C", "ot=th:123456789abcdef", "a=th:8", "ot=th:nonsense"] {
            assert_eq!(threshold(none), None, "{none}");
        }
    }
}
