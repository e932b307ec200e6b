//! Two small things that are done to texts for people in several rooms.

/// Its first bytes, at most so many, cut at a character.
#[must_use]
pub fn head(text: &str, bytes_max: usize) -> &str {
    text.get(..text.floor_char_boundary(bytes_max)).unwrap_or_default()
}

/// A number in groups of three digits: `12,034`.
#[must_use]
pub fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_cut_at_a_character() {
        assert_eq!((head("aé", 2), head("aé", 3), head("aé", 99), head("", 0)), ("a", "aé", "aé", ""));
    }

    #[test]
    fn a_number_is_told_in_groups_of_three_digits() {
        assert_eq!([0, 999, 1_000, 12_034, 1_234_567].map(thousands), ["0", "999", "1,000", "12,034", "1,234,567"]);
    }
}
