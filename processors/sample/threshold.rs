//! Rejection thresholds of OpenTelemetry's consistent probability sampling: 56 bits, kept if and only if R >= T
//! (spec `trace/tracestate-probability-sampling.md`).

use signal::Decision;

/// Hex digits of a threshold that are kept: enough for a share of 0.0001 % and short in the header.
const DIGITS: u32 = 5;

/// The threshold that keeps this share of the traces: (1 - share) * 2^56, rounded to five hex digits after its leading `f`s.
pub(super) fn of_share(share: f64) -> u64 {
    if share >= 1.0 {
        return 0;
    }
    if share <= 0.0 {
        return Decision::DROP;
    }
    let full = Decision::DROP as f64;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and 2^56, which a u64 holds")]
    let exact = ((1.0 - share) * full) as u64;
    // A threshold near 2^56 starts with `f`s, which carry no precision of the share.
    let leading = (!(exact << 8)).leading_zeros() / 4;
    let cut = 56u32.saturating_sub(4 * (leading + DIGITS));
    let half = (1u64 << cut) >> 1;
    // Rounded up to 2^56 it would keep nothing.
    (((exact + half) >> cut) << cut).min(Decision::DROP - 1)
}

/// As `th` is written: hex digits without the trailing zeros, `0` for a threshold of zero.
pub(super) fn encode(threshold: u64) -> String {
    let digits = format!("{threshold:014x}");
    let digits = digits.trim_end_matches('0');
    if digits.is_empty() { "0".to_owned() } else { digits.to_owned() }
}

/// Reads `th`; none if it is no threshold.
pub(super) fn decode(text: &str) -> Option<u64> {
    if text.is_empty() || text.len() > 14 || !text.bytes().all(|c| c.is_ascii_hexdigit() && !c.is_ascii_uppercase()) {
        return None;
    }
    u64::from_str_radix(text, 16).ok().map(|t| t << (4 * (14 - text.len())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn any_threshold_reads_back_and_any_text_is_one_or_none(threshold in 0..Decision::DROP, text in "[0-9a-fA-Fxg]{0,16}") {
            let written = encode(threshold);
            prop_assert!((1..=14).contains(&written.len()));
            prop_assert_eq!(decode(&written), Some(threshold));
            if let Some(read) = decode(&text) {
                prop_assert!(read < Decision::DROP);
                prop_assert_eq!(encode(read), match text.trim_end_matches('0') { "" => "0", digits => digits });
            }
        }

        #[test]
        fn a_greater_share_never_has_a_greater_threshold(one in 0.0..=1.0f64, other in 0.0..=1.0f64) {
            let (less, more) = (one.min(other), one.max(other));
            prop_assert!(of_share(less) >= of_share(more), "{less} {more}");
        }
    }

    #[test]
    fn thresholds_are_those_of_the_specification() {
        assert_eq!(encode(of_share(0.5)), "8");
        assert_eq!(encode(of_share(0.25)), "c");
        assert_eq!(encode(of_share(0.1)), "e6666");
        assert_eq!(encode(of_share(0.01)), "fd70a4");
        assert_eq!(encode(of_share(1.0)), "0");
        assert_eq!(of_share(0.0), Decision::DROP);
    }

    #[test]
    fn a_threshold_is_read_as_it_was_written() {
        for share in [1.0, 0.5, 0.1, 0.01, 0.003, 0.000_1] {
            let threshold = of_share(share);
            assert_eq!(decode(&encode(threshold)), Some(threshold), "{share}");
        }
        assert_eq!(decode("xyz"), None);
        assert_eq!(decode(""), None);
        assert_eq!(decode("123456789abcdef"), None);
    }

    #[test]
    fn a_threshold_keeps_the_share_it_was_made_for() {
        for share in [0.5, 0.1, 0.01] {
            let kept = 1.0 - of_share(share) as f64 / Decision::DROP as f64;
            assert!((kept - share).abs() < share * 1e-3, "{share} {kept}");
        }
    }
}
