//! A number with its unit, or several (`1h30m`); what is wrong about it, and which unit was meant.

/// What people write for a unit, and what it is here.
const MEANT: &[(&str, &str)] = &[
    ("sec", "s"),
    ("secs", "s"),
    ("second", "s"),
    ("seconds", "s"),
    ("S", "s"),
    ("min", "m"),
    ("mins", "m"),
    ("minute", "m"),
    ("minutes", "m"),
    ("hr", "h"),
    ("hour", "h"),
    ("hours", "h"),
    ("H", "h"),
    ("day", "d"),
    ("days", "d"),
    ("D", "d"),
    ("week", "w"),
    ("weeks", "w"),
    ("msec", "ms"),
    ("millis", "ms"),
    ("milliseconds", "ms"),
    ("µs", "us"),
    ("micros", "us"),
    ("nanos", "ns"),
    ("b", "B"),
    ("bytes", "B"),
    ("k", "KiB"),
    ("K", "KiB"),
    ("Ki", "KiB"),
    ("KB", "kB"),
    ("kb", "kB"),
    ("kib", "KiB"),
    ("m", "MiB"),
    ("M", "MiB"),
    ("Mi", "MiB"),
    ("mb", "MB"),
    ("Mb", "MB"),
    ("mib", "MiB"),
    ("g", "GiB"),
    ("G", "GiB"),
    ("Gi", "GiB"),
    ("gb", "GB"),
    ("Gb", "GB"),
    ("gib", "GiB"),
    ("t", "TiB"),
    ("T", "TiB"),
    ("Ti", "TiB"),
    ("tb", "TB"),
    ("tib", "TiB"),
];

/// One number with its unit at the start of `text`: the digits, the fraction, the unit's word, and what follows.
fn piece(text: &str) -> Option<(&str, &str, &str, &str)> {
    let digits_end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (digits, rest) = text.split_at(digits_end);
    let (fraction, rest) = match rest.strip_prefix('.') {
        Some(tail) => tail.split_at(tail.find(|c: char| !c.is_ascii_digit()).unwrap_or(tail.len())),
        None => ("", rest),
    };
    let unit_end = rest.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(rest.len());
    let (unit, rest) = rest.split_at(unit_end);
    (!digits.is_empty()).then_some((digits, fraction, unit, rest))
}

/// Exactly `digits.fraction` times `scale`, rounded down, or none if it does not fit.
fn scaled(digits: &str, fraction: &str, scale: u128) -> Option<u128> {
    let whole = digits.parse::<u64>().ok()?;
    let fraction = fraction.get(..fraction.len().min(12))?;
    let parts = if fraction.is_empty() { 0 } else { fraction.parse::<u128>().ok()? };
    let of = 10u128.checked_pow(u32::try_from(fraction.len()).ok()?)?;
    u128::from(whole).checked_mul(scale)?.checked_add(parts.checked_mul(scale)? / of)
}

/// The sum of all pieces of `text`, in the smallest unit.
pub(super) fn quantity(text: &str, units: &[(&str, u128)], suggest: fn(&str) -> String, example: &str) -> Result<u64, String> {
    let wrong = || format!("`{text}` is not understood; write it like `{example}`");
    if text.strip_prefix('-').is_some_and(|t| t.starts_with(|c: char| c.is_ascii_digit())) {
        return Err(format!("`{text}` is below zero"));
    }
    let (mut rest, mut sum) = (text, 0u128);
    while !rest.is_empty() || rest.len() == text.len() {
        let (digits, fraction, unit, tail) = piece(rest).ok_or_else(wrong)?;
        if unit.is_empty() {
            return Err(format!("`{text}` needs a unit; did you mean `{}`?", suggest(text)));
        }
        let Some((_, scale)) = units.iter().find(|(u, _)| *u == unit) else {
            let word = unit.trim();
            let known = |w: &str| units.iter().any(|(u, _)| *u == w);
            let meant = if known(word) { Some(word) } else { MEANT.iter().find(|(m, u)| *m == word && known(u)).map(|(_, u)| *u) };
            return Err(match meant {
                Some(meant) => format!("`{text}` has an unknown unit; did you mean `{}`?", text.replacen(unit, meant, 1)),
                None => wrong(),
            });
        };
        let too_much = || format!("`{text}` is too much");
        sum = scaled(digits, fraction, *scale).and_then(|n| sum.checked_add(n)).ok_or_else(too_much)?;
        rest = tail;
    }
    u64::try_from(sum).map_err(|_| format!("`{text}` is too much"))
}
