//! Numbers as protobuf's JSON mapping writes them: as numbers or as strings, whole ones also as `1.0` or `1e3`.

/// The whole number that the text is; none where it has a fraction, does not fit, or is no number.
pub(super) fn whole(text: &str) -> Option<i128> {
    if let Ok(number) = text.parse::<i128>() {
        // Rust takes `+5`, JSON does not.
        return (!text.starts_with('+')).then_some(number);
    }
    let number = double(text)?;
    // Up to 2^53 a double is the number that was written.
    (number.fract() == 0.0 && number.abs() <= 9_007_199_254_740_992.0).then_some(number as i128)
}

/// The double that the text is, the three special names of protobuf's mapping included; none for what is no number or too large for one.
pub(super) fn double(text: &str) -> Option<f64> {
    match text {
        "NaN" => return Some(f64::NAN),
        "Infinity" => return Some(f64::INFINITY),
        "-Infinity" => return Some(f64::NEG_INFINITY),
        _ => {}
    }
    let numeric = text.bytes().all(|c| matches!(c, b'0'..=b'9' | b'.' | b'-' | b'+' | b'e' | b'E')) && !text.starts_with('+');
    text.parse::<f64>().ok().filter(|number| numeric && number.is_finite())
}

/// Appends a double as JSON: a number where JSON has one, else its name as a string.
pub(super) fn write_double(number: f64, out: &mut String) {
    use std::fmt::Write as _;
    let written = if number.is_finite() {
        write!(out, "{number:?}")
    } else {
        let name = if number.is_nan() {
            "NaN"
        } else if number > 0.0 {
            "Infinity"
        } else {
            "-Infinity"
        };
        write!(out, "\"{name}\"")
    };
    debug_assert!(written.is_ok(), "a String takes everything");
}
