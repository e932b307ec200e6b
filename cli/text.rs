//! Telemetry as text on a terminal: nothing in it may steer the terminal, every width is counted in columns, every number reads at a glance.

use query::When;
use signal::text::thousands;
use std::borrow::Cow;
use unicode_width::UnicodeWidthChar;

/// What would move the cursor, colour, turn the direction of writing, or hide.
fn steers(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// The text with everything that steers a terminal written out: a line break is `\n`.
pub(crate) fn inert(text: &str) -> Cow<'_, str> {
    if !text.contains(steers) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if steers(c) { out.extend(c.escape_default()) } else { out.push(c) }
    }
    Cow::Owned(out)
}

/// JSON whose strings hold nothing that steers a terminal. The same value: only strings can hold such characters, and there an escape says the same.
pub(crate) fn inert_json(json: &str) -> Cow<'_, str> {
    let spares = |c: char| steers(c) && !matches!(c, '\n' | '\r' | '\t');
    if !json.contains(spares) {
        return Cow::Borrowed(json);
    }
    let mut out = String::with_capacity(json.len() + 16);
    for c in json.chars() {
        if spares(c) {
            let mut units = [0; 2];
            out.extend(c.encode_utf16(&mut units).iter().map(|unit| format!("\\u{unit:04x}")));
        } else {
            out.push(c);
        }
    }
    Cow::Owned(out)
}

/// Columns that an inert text takes.
pub(crate) fn width(text: &str) -> usize {
    text.chars().map(|c| c.width().unwrap_or(0)).sum()
}

/// An inert text in so many columns at the most; what is cut off is shown by `…`.
pub(crate) fn cut(text: &str, columns: usize) -> Cow<'_, str> {
    if width(text) <= columns {
        return Cow::Borrowed(text);
    }
    let mut out = String::new();
    let mut left = columns.saturating_sub(1);
    for c in text.chars() {
        let wide = c.width().unwrap_or(0);
        if wide > left {
            break;
        }
        left -= wide;
        out.push(c);
    }
    if columns > 0 {
        out.push('…');
    }
    Cow::Owned(out)
}

/// An inert text filled up to so many columns.
pub(crate) fn fill(text: &str, columns: usize) -> String {
    format!("{text}{}", " ".repeat(columns.saturating_sub(width(text))))
}

/// An inert text in lines of so many columns, broken at spaces where there are some.
pub(crate) fn wrap(text: &str, columns: usize) -> Vec<String> {
    let columns = columns.max(8);
    let mut lines = vec![String::new()];
    let mut used = 0;
    for word in text.split(' ').filter(|word| !word.is_empty()) {
        let mut word = word;
        let wide = width(word);
        if used > 0 && used + 1 + wide > columns {
            lines.push(String::new());
            used = 0;
        }
        while width(word) > columns {
            let mut left = columns;
            let fits = word.char_indices().find(|(_, c)| {
                let wide = c.width().unwrap_or(0);
                let over = wide > left;
                left = left.saturating_sub(wide);
                over
            });
            let (now, later) = word.split_at(fits.map_or(word.len(), |(at, _)| at));
            if let Some(line) = lines.last_mut() {
                line.push_str(now);
            }
            word = later;
            if word.is_empty() {
                break;
            }
            lines.push(String::new());
            used = 0;
        }
        let Some(line) = lines.last_mut() else { break };
        if used > 0 && !word.is_empty() {
            line.push(' ');
            used += 1;
        }
        line.push_str(word);
        used += width(word);
    }
    lines
}

/// `412 ms`, `1.24 s`, `3 min 20 s`.
pub(crate) fn duration(ms: f64) -> String {
    match ms {
        _ if ms < 0.001 => "0 ms".to_owned(),
        _ if ms < 1.0 => format!("{:.0} µs", ms * 1e3),
        _ if ms < 10.0 => format!("{ms:.1} ms"),
        _ if ms < 1_000.0 => format!("{ms:.0} ms"),
        _ if ms < 60_000.0 => format!("{:.2} s", ms / 1e3),
        _ if ms < 3_600_000.0 => format!("{:.0} min {:.0} s", (ms / 60_000.0).floor(), (ms % 60_000.0 / 1e3).floor()),
        _ => format!("{:.0} h {:.0} min", (ms / 3_600_000.0).floor(), (ms % 3_600_000.0 / 60_000.0).floor()),
    }
}

/// `1 span`, `12,034 spans`.
pub(crate) fn count(n: u64, noun: &str) -> String {
    format!("{} {noun}{}", thousands(n), if n == 1 { "" } else { "s" })
}

/// `12.3 MiB`.
pub(crate) fn bytes(n: u64) -> String {
    let mut value = n as f64;
    for unit in ["B", "KiB", "MiB", "GiB"] {
        if value < 1_000.0 {
            return if unit == "B" || value >= 100.0 { format!("{value:.0} {unit}") } else { format!("{value:.1} {unit}") };
        }
        value /= 1_024.0;
    }
    format!("{value:.1} TiB")
}

/// The time of day in UTC, to the millisecond: `10:21:33.412`.
pub(crate) fn clock(time: When) -> String {
    time.to_string().get(11..23).unwrap_or_default().to_owned()
}

/// The day and time in UTC, to the second: `2026-11-21 10:21:33`.
pub(crate) fn day_and_time(time: When) -> String {
    time.to_string().get(..19).unwrap_or_default().replace('T', " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_telemetry_steers_the_terminal() {
        assert_eq!(inert("a\u{1b}[31mred\u{9b}2J\r\n\t\u{202e}x\u{7f}"), "a\\u{1b}[31mred\\u{9b}2J\\r\\n\\t\\u{202e}x\\u{7f}");
        assert!(matches!(inert("Grüße, 観測 🙂"), Cow::Borrowed(_)));
        let json = "{\"a\":\"\u{9b}2J\u{202e}\u{e0041}\"}\n";
        let safe = inert_json(json);
        assert_eq!(safe, "{\"a\":\"\\u009b2J\\u202e\\udb40\\udc41\"}\n");
        let value = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
        assert_eq!(value(json), value(&safe));
    }

    #[test]
    fn texts_are_cut_filled_and_broken_by_columns() {
        assert_eq!(cut("観測する", 5), "観測…");
        assert_eq!(cut("abc", 3), "abc");
        assert_eq!(cut("abc", 0), "");
        assert_eq!(fill("観", 4), "観  ");
        assert_eq!(wrap("one two three", 8), ["one two", "three"]);
        assert_eq!(wrap("x aaaaaaaaaaaaaaaaaaaa b", 8), ["x", "aaaaaaaa", "aaaaaaaa", "aaaa b"]);
        assert_eq!(wrap("", 8), [""]);
    }

    #[test]
    fn quantities_read_at_a_glance() {
        let durations = [0.0, 0.34, 2.5, 21.4, 412.0, 1_240.0, 200_000.0, 7_500_000.0].map(duration);
        assert_eq!(durations, ["0 ms", "340 µs", "2.5 ms", "21 ms", "412 ms", "1.24 s", "3 min 20 s", "2 h 5 min"]);
        assert_eq!([10, 2_048, 300 << 20, 4 << 30].map(bytes), ["10 B", "2.0 KiB", "300 MiB", "4.0 GiB"]);
        let time = When::read("2026-11-21T10:21:33.412Z").unwrap();
        assert_eq!((clock(time), day_and_time(time)), ("10:21:33.412".to_owned(), "2026-11-21 10:21:33".to_owned()));
    }
}
