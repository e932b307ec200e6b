//! The `ot` entry of W3C tracestate, in which sampling is told: `ot=th:c;rv:…`. Other vendors' entries are left as they are.

use crate::threshold;

/// Entries of a list at the most (W3C Trace Context 3.3.1.1); who reads more throws all of them away.
const ENTRIES_MAX: usize = 32;
/// Characters of the value of an entry at the most.
const ENTRY_CHARS_MAX: usize = 256;
const KEY: &str = "ot=";

/// What a tracestate tells about sampling. A value that breaks the specification tells nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Told {
    /// `th`: what was rejected before; none where the share that was kept is not known.
    pub threshold: Option<u64>,
    /// `rv`: the randomness that decides instead of the trace id's.
    pub randomness: Option<u64>,
}

/// Reads the first `ot` entry.
#[must_use]
pub fn read(state: &str) -> Told {
    let mut told = Told::default();
    let Some(entry) = own(state) else { return told };
    for field in fields(entry) {
        match field.split_once(':') {
            Some(("th", value)) if told.threshold.is_none() => told.threshold = threshold::decode(value),
            Some(("rv", value)) if told.randomness.is_none() => told.randomness = threshold::decode_randomness(value),
            _ => {}
        }
    }
    told
}

/// Whether it has a `th`, valid or not.
#[must_use]
pub fn has_threshold(state: &str) -> bool {
    own(state).is_some_and(|entry| fields(entry).any(|field| field.starts_with("th:")))
}

/// The tracestate that tells exactly this; what it tells besides sampling stays, as far as its limits allow.
#[must_use]
pub fn written(state: &str, told: Told) -> String {
    let mut ot = String::new();
    let mut put = |key: &str, value: &str| {
        if ot.len() + key.len() + value.len() < ENTRY_CHARS_MAX {
            ot.push_str(if ot.is_empty() { "" } else { ";" });
            ot.push_str(key);
            ot.push_str(value);
        }
    };
    told.threshold.iter().for_each(|t| put("th:", &threshold::encode(*t)));
    told.randomness.iter().for_each(|r| put("rv:", &threshold::encode_randomness(*r)));
    let others = own(state).into_iter().flat_map(fields).filter(|field| !field.starts_with("th:") && !field.starts_with("rv:"));
    others.for_each(|field| put("", field));
    let mut out = if ot.is_empty() { String::new() } else { format!("{KEY}{ot}") };
    let foreign = entries(state).filter(|entry| !entry.starts_with(KEY));
    for entry in foreign.take(ENTRIES_MAX - usize::from(!ot.is_empty())) {
        out.push_str(if out.is_empty() { "" } else { "," });
        out.push_str(entry);
    }
    out
}

fn entries(state: &str) -> impl Iterator<Item = &str> {
    state.split(',').map(str::trim).filter(|entry| !entry.is_empty())
}

fn own(state: &str) -> Option<&str> {
    entries(state).find_map(|entry| entry.strip_prefix(KEY))
}

fn fields(entry: &str) -> impl Iterator<Item = &str> {
    entry.split(';').map(str::trim).filter(|field| !field.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Decision;
    use proptest::prelude::*;

    /// The value of a field of the first `ot`, found another way.
    fn field<'a>(state: &'a str, key: &str) -> Option<&'a str> {
        let entry = state.split(',').map(str::trim).find(|entry| entry.starts_with("ot="))?;
        entry[3..].split(';').map(str::trim).filter(|f| f.starts_with(key)).map(|f| &f[key.len()..]).find(|value| {
            let digits = value.chars().all(|c| "0123456789abcdefABCDEF".contains(c));
            digits && if key == "rv:" { value.len() == 14 } else { (1..=14).contains(&value.len()) }
        })
    }

    fn states() -> impl Strategy<Value = String> {
        prop_oneof![
            "\\PC{0,60}",
            "((ot=|a=|,|;|th:|rv:|[0-9a-f]{1,3}|[0-9a-fA-F]{14}| |x){0,12},?){0,4}",
            "(k[a-z]=v,){28,40}ot=th:c;rv:1,z=1",
            "ot=th:C;(k[a-z]:[a-z]{60};){0,6}rv:0123456789abcd",
        ]
    }

    proptest! {
        #[test]
        fn any_state_is_read_as_the_specification_says(state in states()) {
            let told = read(&state);
            let th = field(&state, "th:").map(|digits| u64::from_str_radix(&format!("{digits:0<14}"), 16).unwrap());
            let rv = field(&state, "rv:").map(|digits| u64::from_str_radix(digits, 16).unwrap());
            prop_assert_eq!((told.threshold, told.randomness), (th, rv));
        }

        #[test]
        fn what_is_written_is_read_and_everything_else_stays(
            state in states(), threshold in prop::option::of(0..Decision::DROP), randomness in prop::option::of(0..Decision::DROP),
        ) {
            let told = Told { threshold, randomness };
            let new = written(&state, told);
            prop_assert_eq!(read(&new), told);
            prop_assert_eq!(written(&new, told), new.clone(), "the same again changes nothing");
            let foreign = |state: &str| entries(state).filter(|entry| !entry.starts_with(KEY)).map(str::to_owned).collect::<Vec<_>>();
            let (was, is) = (foreign(&state), foreign(&new));
            prop_assert_eq!(&was[..is.len()], &is[..]);
            prop_assert!(is.len() == was.len() || entries(&new).count() == ENTRIES_MAX);
            let others = |state: &str| {
                let fields = own(state).into_iter().flat_map(fields).filter(|f| !f.starts_with("th:") && !f.starts_with("rv:"));
                fields.map(str::to_owned).collect::<Vec<_>>()
            };
            let (was, is) = (others(&state), others(&new));
            prop_assert!(is == was || own(&new).is_some_and(|entry| entry.len() + 64 > ENTRY_CHARS_MAX) || was.iter().any(|f| f.len() > 200));
        }
    }

    #[test]
    fn the_threshold_goes_first_and_the_rest_stays() {
        let told = Told { threshold: Some(1 << 55), randomness: None };
        assert_eq!(written("", told), "ot=th:8");
        assert_eq!(written("a=1,ot=p:8;th:c,b=2", told), "ot=th:8;p:8,a=1,b=2");
        let told = Told { threshold: Some(1 << 55), ..read("ot=rv:123456789abcde") };
        assert_eq!(written("a=1,ot=rv:123456789abcde,b=2", told), "ot=th:8;rv:123456789abcde,a=1,b=2");
    }

    #[test]
    fn an_erased_threshold_leaves_nothing_behind() {
        assert_eq!(written("ot=th:8", Told::default()), "");
        assert_eq!(written("a=1,ot=th:nonsense;k:v", Told::default()), "ot=k:v,a=1");
        assert!(has_threshold("ot=th:nonsense") && !has_threshold("ot=rv:00000000000000") && !has_threshold("x=th:8"));
    }
}
