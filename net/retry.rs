//! `Retry-After`, both of its forms (RFC 9110, 10.2.3), and the delay written back as one.

use http::HeaderMap;
use std::time::{Duration, SystemTime};

/// The longest wait that a server may impose; a longer one is cut to this.
pub const LONGEST: Duration = Duration::from_secs(3_600);

/// How long the server wants to be left alone, from seconds or an HTTP date. A date that has passed is zero; what is neither is none.
#[must_use]
pub fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let text = headers.get(http::header::RETRY_AFTER)?.to_str().ok()?.trim();
    let wait = match text.parse::<u64>() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => httpdate::parse_http_date(text).ok()?.duration_since(now).unwrap_or_default(),
    };
    Some(wait.min(LONGEST))
}

/// A delay as the header's seconds: rounded up, at least 1.
#[must_use]
pub fn seconds(after: Duration) -> u64 {
    after.as_secs().saturating_add(u64::from(after.subsec_nanos() > 0)).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_and_dates_are_understood_and_cut_to_an_hour() {
        let now = httpdate::parse_http_date("Wed, 21 Oct 2015 07:28:00 GMT").unwrap();
        let table = [
            ("7", Some(7)),
            ("  120 ", Some(120)),
            ("999999999999", Some(3_600)),
            ("Wed, 21 Oct 2015 07:28:30 GMT", Some(30)),
            ("Wed, 21 Oct 2015 07:00:00 GMT", Some(0)),
            ("soon", None),
            ("-1", None),
        ];
        for (written, expected) in table {
            let mut headers = HeaderMap::new();
            headers.insert(http::header::RETRY_AFTER, written.parse().unwrap());
            assert_eq!(retry_after(&headers, now), expected.map(Duration::from_secs), "{written}");
        }
        assert_eq!(retry_after(&HeaderMap::new(), now), None);
    }

    #[test]
    fn a_delay_is_never_written_as_zero() {
        let written = [0, 1, 999, 1_000, 1_001].map(|ms| seconds(Duration::from_millis(ms)));
        assert_eq!(written, [1, 1, 1, 1, 2]);
    }
}
