//! The `ot` entry of W3C tracestate, in which the threshold travels: `ot=th:c;rv:…`. Other vendors' entries are left as they are.

use super::threshold;

/// The tracestate with the greater of this threshold and the one it has: a later stage may raise it, never lower it.
pub(super) fn with_threshold(state: &str, least: u64) -> String {
    let entry = state.split(',').map(str::trim).find_map(|e| e.strip_prefix("ot=")).unwrap_or_default();
    let before = entry.split(';').find_map(|field| field.strip_prefix("th:")).and_then(threshold::decode);
    let threshold = before.unwrap_or(0).max(least);
    let mut fields = vec![format!("th:{}", threshold::encode(threshold))];
    fields.extend(entry.split(';').filter(|field| !field.is_empty() && !field.starts_with("th:")).map(str::to_owned));
    let others = state.split(',').map(str::trim).filter(|e| !e.is_empty() && !e.starts_with("ot="));
    std::iter::once(format!("ot={}", fields.join(";"))).chain(others.map(str::to_owned)).collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

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
