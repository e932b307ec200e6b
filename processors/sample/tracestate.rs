//! The `ot` entry of W3C tracestate, in which the threshold travels: `ot=th:c;rv:…`. Other vendors' entries are left as they are.

use super::threshold;

/// Entries of a list at the most (W3C Trace Context 3.3.1.1); who reads more throws all of them away.
const ENTRIES_MAX: usize = 32;

/// The tracestate with the greater of this threshold and the one it has: a later stage may raise it, never lower it.
pub(super) fn with_threshold(state: &str, least: u64) -> String {
    let entry = state.split(',').map(str::trim).find_map(|e| e.strip_prefix("ot=")).unwrap_or_default();
    let parts = || entry.split(';').map(str::trim).filter(|part| !part.is_empty());
    let before = parts().find_map(|part| part.strip_prefix("th:")).and_then(threshold::decode);
    let threshold = before.unwrap_or(0).max(least);
    let mut fields = vec![format!("th:{}", threshold::encode(threshold))];
    fields.extend(parts().filter(|part| !part.starts_with("th:")).map(str::to_owned));
    let others = state.split(',').map(str::trim).filter(|e| !e.is_empty() && !e.starts_with("ot="));
    std::iter::once(format!("ot={}", fields.join(";"))).chain(others.map(str::to_owned)).take(ENTRIES_MAX).collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use signal::Decision;

    fn entries(state: &str) -> Vec<&str> {
        state.split(',').map(str::trim).filter(|entry| !entry.is_empty()).collect()
    }

    fn fields(entry: &str) -> Vec<&str> {
        entry.split(';').map(str::trim).filter(|field| !field.is_empty()).collect()
    }

    /// The threshold of the first `ot`, digit by digit as the specification says.
    fn told(state: &str) -> u64 {
        let entry = entries(state).into_iter().find_map(|entry| entry.strip_prefix("ot=")).unwrap_or_default();
        let digits = fields(entry).into_iter().find_map(|field| field.strip_prefix("th:")).unwrap_or_default();
        let is_digit = |c: char| c.is_ascii_digit() || ('a'..='f').contains(&c);
        if digits.is_empty() || digits.len() > 14 || !digits.chars().all(is_digit) {
            return 0;
        }
        digits.chars().chain(std::iter::repeat('0')).take(14).fold(0, |sum, digit| sum * 16 + u64::from(digit.to_digit(16).unwrap_or(0)))
    }

    proptest! {
        #[test]
        fn any_state_gets_the_greater_threshold_and_keeps_the_rest_in_order(
            state in prop_oneof![
                "\\PC{0,60}",
                "((ot=|a=|,|;|th:|rv:|[0-9a-f]{1,3}| |x){0,12},?){0,4}",
                "(k[a-z]=v,){28,40}ot=th:c;rv:1,z=1",
            ],
            least in 0..Decision::DROP,
        ) {
            let new = with_threshold(&state, least);
            let expected = told(&state).max(least);
            prop_assert_eq!(told(&new), expected);
            let first = entries(&state).into_iter().find_map(|entry| entry.strip_prefix("ot=")).unwrap_or_default();
            let kept: Vec<&str> = fields(first).into_iter().filter(|field| !field.starts_with("th:")).collect();
            let written = entries(&new);
            prop_assert_eq!(fields(written[0].strip_prefix("ot=").unwrap_or_default())[1..].to_vec(), kept);
            let others = entries(&state).into_iter().filter(|entry| !entry.starts_with("ot=")).take(31);
            prop_assert_eq!(written[1..].to_vec(), others.collect::<Vec<_>>());
            prop_assert_eq!(with_threshold(&new, least), new.clone(), "the same again changes nothing");
        }
    }

    #[test]
    fn the_threshold_goes_first_and_the_rest_stays() {
        let half = threshold::of_share(0.5);
        assert_eq!(with_threshold("", half), "ot=th:8");
        assert_eq!(with_threshold("a=1,ot=rv:123456789abcde,b=2", half), "ot=th:8;rv:123456789abcde,a=1,b=2");
    }

    #[test]
    fn a_threshold_is_raised_and_never_lowered() {
        let half = threshold::of_share(0.5);
        assert_eq!(with_threshold("ot=th:c", half), "ot=th:c");
        assert_eq!(with_threshold("ot=th:4", half), "ot=th:8");
        assert_eq!(with_threshold("ot=th:nonsense", half), "ot=th:8");
    }
}
