//! Rejection thresholds of OpenTelemetry's consistent probability sampling: 56 bits, kept if and only if R >= T. Zero rejects nothing; `Decision::DROP`, which is
//! one more than can be written, rejects everything.

use crate::Decision;

/// Hex digits of a threshold that are kept after its leading `f`s: enough for a share of 0.0001 % and short in the header.
const DIGITS: u32 = 5;
/// Hex digits of 56 bits.
const DIGITS_MAX: usize = 14;
const ALL: f64 = Decision::DROP as f64;

/// The threshold that keeps this share, rounded to five hex digits after its leading `f`s.
#[must_use]
pub fn of_share(share: f64) -> u64 {
    with_digits(share, DIGITS)
}

fn with_digits(share: f64, digits: u32) -> u64 {
    if share >= 1.0 {
        return 0;
    }
    if share.is_nan() || share <= 0.0 {
        return Decision::DROP;
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and 2^56, which a u64 holds")]
    let exact = ((1.0 - share) * ALL) as u64;
    let cut = cut(exact, digits);
    let half = (1_u64 << cut) >> 1;
    // Rounded up to 2^56 it would keep nothing.
    (((exact + half) >> cut) << cut).min(Decision::DROP - 1)
}

/// Bits that are not written. A threshold near 2^56 starts with `f`s, which carry no precision of the share.
fn cut(threshold: u64, digits: u32) -> u32 {
    let leading = (!(threshold << 8)).leading_zeros() / 4;
    56_u32.saturating_sub(4 * (leading + digits))
}

/// The least threshold with five hex digits after its leading `f`s that is not below this one. One that rejects less than everything stays so.
#[must_use]
pub fn rounded_up(threshold: u64) -> u64 {
    if threshold >= Decision::DROP {
        return Decision::DROP;
    }
    let cut = cut(threshold, DIGITS);
    let up = threshold.saturating_add((1 << cut) - 1) >> cut << cut;
    if up >= Decision::DROP { threshold } else { up }
}

/// The share of all that it keeps, from 0 to 1.
#[must_use]
pub fn share(threshold: u64) -> f64 {
    1.0 - threshold.min(Decision::DROP) as f64 / ALL
}

/// How many one that was kept stands for; infinite where none is.
#[must_use]
pub fn adjusted_count(threshold: u64) -> f64 {
    ALL / Decision::DROP.saturating_sub(threshold) as f64
}

/// The threshold that keeps this share of what another keeps.
#[must_use]
pub fn scaled(threshold: u64, share: f64) -> u64 {
    // By itself a product of one would be rounded.
    if share >= 1.0 { threshold } else { of_share(self::share(threshold) * share).max(threshold) }
}

/// As `th` is written: hex digits without the trailing zeros, `0` for a threshold of zero.
#[must_use]
pub fn encode(threshold: u64) -> String {
    let digits = format!("{threshold:014x}");
    let digits = digits.trim_end_matches('0');
    if digits.is_empty() { "0".to_owned() } else { digits.to_owned() }
}

/// Reads `th`: one to fourteen hex digits; none if it is something else.
#[must_use]
pub fn decode(text: &str) -> Option<u64> {
    let number = hex(text)?;
    Some(number << (4 * (DIGITS_MAX - text.len())))
}

/// As `rv` is written: fourteen hex digits.
#[must_use]
pub fn encode_randomness(randomness: u64) -> String {
    format!("{:014x}", randomness & (Decision::DROP - 1))
}

/// Reads `rv`: fourteen hex digits; none if it is something else.
#[must_use]
pub fn decode_randomness(text: &str) -> Option<u64> {
    hex(text).filter(|_| text.len() == DIGITS_MAX)
}

fn hex(text: &str) -> Option<u64> {
    let digits = !text.is_empty() && text.len() <= DIGITS_MAX && text.bytes().all(|c| c.is_ascii_hexdigit());
    digits.then(|| u64::from_str_radix(text, 16).ok()).flatten()
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
            prop_assert_eq!(decode_randomness(&encode_randomness(threshold)), Some(threshold));
            if let Some(read) = decode(&text) {
                prop_assert!(read < Decision::DROP);
                let lower = text.to_lowercase();
                prop_assert_eq!(encode(read), match lower.trim_end_matches('0') { "" => "0", digits => digits });
            }
        }

        #[test]
        fn a_greater_share_never_has_a_greater_threshold(one in 0.0..=1.0f64, other in 0.0..=1.0f64) {
            let (less, more) = (one.min(other), one.max(other));
            prop_assert!(of_share(less) >= of_share(more), "{less} {more}");
        }

        #[test]
        fn rounding_up_is_never_less_and_hardly_more(threshold in prop_oneof![0..Decision::DROP, Decision::DROP - 4096..Decision::DROP]) {
            let up = rounded_up(threshold);
            prop_assert!((threshold..Decision::DROP).contains(&up));
            prop_assert!(share(threshold) - share(up) <= 2e-5 * share(threshold).max(f64::EPSILON) + 1e-5 * share(threshold), "{threshold:x} {up:x}");
            prop_assert_eq!(rounded_up(up), up);
        }

        #[test]
        fn a_share_of_a_share_keeps_their_product(one in 0.001..=1.0f64, other in 0.001..=1.0f64) {
            let both = scaled(of_share(one), other);
            prop_assert!(both >= of_share(one));
            prop_assert!((share(both) / (one * other) - 1.0).abs() < 1e-3, "{one} {other}: {}", share(both));
        }
    }

    /// 1-in-N, and the thresholds of precision 3, 4 and 5, as the table of the specification has them.
    const TABLE: &[(f64, [&str; 3])] = &[
        (1.0, ["0", "0", "0"]),
        (2.0, ["8", "8", "8"]),
        (3.0, ["aab", "aaab", "aaaab"]),
        (4.0, ["c", "c", "c"]),
        (5.0, ["ccd", "cccd", "ccccd"]),
        (8.0, ["e", "e", "e"]),
        (10.0, ["e66", "e666", "e6666"]),
        (16.0, ["f", "f", "f"]),
        (100.0, ["fd71", "fd70a", "fd70a4"]),
        (1_000.0, ["ffbe7", "ffbe77", "ffbe76d"]),
        (10_000.0, ["fff972", "fff9724", "fff97247"]),
        (100_000.0, ["ffff584", "ffff583a", "ffff583a5"]),
        (1_000_000.0, ["ffffef4", "ffffef39", "ffffef391"]),
    ];

    #[test]
    fn thresholds_are_those_of_the_specification() {
        for (n, thresholds) in TABLE {
            for (digits, expected) in (3..).zip(thresholds) {
                assert_eq!(encode(with_digits(1.0 / n, digits)), *expected, "1 in {n} with {digits} digits");
            }
        }
        assert_eq!(of_share(0.0), Decision::DROP);
    }

    #[test]
    fn adjusted_counts_are_those_of_the_specification() {
        for (threshold, count) in [("0", 1.0), ("8", 2.0), ("e6666", 9.999_961_853_172_863), ("fd70a4", 100.000_095_367_522_59)] {
            assert!((adjusted_count(decode(threshold).unwrap()) / count - 1.0).abs() < 1e-12, "{threshold}");
        }
        assert!(adjusted_count(Decision::DROP).is_infinite());
    }

    #[test]
    fn what_is_no_threshold_and_no_randomness_is_refused() {
        for text in ["xyz", "", "123456789abcdef", "0x8", "-8", "+8", " 8"] {
            assert_eq!(decode(text), None, "{text}");
        }
        for text in ["", "8", "123456789abcd", "123456789abcdef", "g23456789abcde"] {
            assert_eq!(decode_randomness(text), None, "{text}");
        }
        assert_eq!((decode("C"), decode_randomness("123456789ABCDE")), (Some(0xc0 << 48), Some(0x12_3456_789a_bcde)));
    }
}
