//! What stands after the `?` of a question. Unknown words are refused, so that a slip does not silently ask for everything.

use crate::answer::Refused;
use axum::extract::Query;
use config::{Period, nearest};
use http::Uri;
use query::{Attribute, LogQuery, Outcome, Times, TraceQuery, When};
use signal::Time;
use std::time::Duration;

/// Lines of one answer at the most.
const LIMIT_MAX: usize = 10_000;
const LIMIT: usize = 50;
const SINCE: &str = "1h";
/// Each is looked for in every row.
const ATTRIBUTES_MAX: usize = 32;

pub(crate) const OF_TRACES: &[&str] =
    &["service", "status", "text", "min_duration", "max_duration", "since", "attribute", "limit", "follow", "store"];
pub(crate) const OF_LOGS: &[&str] = &["service", "status", "text", "since", "attribute", "limit", "follow", "store"];
pub(crate) const OF_ONE: &[&str] = &["store"];
pub(crate) const OF_RETRY: &[&str] = &["node"];

/// The parameters of a question, each of the known ones.
#[derive(Debug)]
pub(crate) struct Parameters(Vec<(String, String)>);

/// Whether an answer ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Going {
    /// With what is there now.
    Once,
    /// It goes on as things come in.
    On,
}

impl Parameters {
    pub(crate) fn read(uri: &Uri, known: &[&str]) -> Result<Parameters, Refused> {
        let Query(pairs) = Query::<Vec<(String, String)>>::try_from_uri(uri).map_err(|error| Refused::question(error.body_text()))?;
        for (at, (key, _)) in pairs.iter().enumerate() {
            if !known.contains(&key.as_str()) {
                let advice = match nearest(key, known.iter().copied()) {
                    Some(word) => format!("did you mean `{word}`?"),
                    None => format!("there are {}", known.join(", ")),
                };
                return Err(Refused::question(format!("unknown parameter `{key}`; {advice}")));
            }
            if key != "attribute" && pairs.iter().take(at).any(|(before, _)| before == key) {
                return Err(Refused::question(format!("`{key}` is given twice")));
            }
        }
        Ok(Parameters(pairs))
    }

    pub(crate) fn store(&self) -> Option<&str> {
        self.value("store")
    }

    pub(crate) fn node(&self) -> Option<String> {
        self.owned("node")
    }

    pub(crate) fn going(&self) -> Result<Going, Refused> {
        match self.value("follow") {
            None | Some("false" | "0") => Ok(Going::Once),
            Some("true" | "1" | "") => Ok(Going::On),
            Some(other) => Err(Refused::question(format!("`follow={other}`: write `true` or `false`"))),
        }
    }

    pub(crate) fn trace_query(&self, now: Time) -> Result<TraceQuery, Refused> {
        let outcome = match self.value("status") {
            None => None,
            Some("error") => Some(Outcome::Error),
            Some("ok") => Some(Outcome::Ok),
            Some(other) => return Err(Refused::question(format!("`status={other}`: a trace is `error` or `ok`"))),
        };
        Ok(TraceQuery {
            times: self.times(now)?,
            service: self.owned("service"),
            outcome,
            text: self.owned("text"),
            duration_min: self.period("min_duration")?,
            duration_max: self.period("max_duration")?,
            attributes: self.attributes()?,
            limit: self.limit()?,
        })
    }

    pub(crate) fn log_query(&self, now: Time) -> Result<LogQuery, Refused> {
        Ok(LogQuery {
            times: self.times(now)?,
            service: self.owned("service"),
            level_min: self.owned("status"),
            text: self.owned("text"),
            attributes: self.attributes()?,
            limit: self.limit()?,
            ..LogQuery::default()
        })
    }

    fn value(&self, key: &str) -> Option<&str> {
        self.0.iter().find(|(k, _)| k == key).map(|(_, value)| value.as_str())
    }

    fn owned(&self, key: &str) -> Option<String> {
        self.value(key).map(str::to_owned)
    }

    fn period(&self, key: &str) -> Result<Option<Duration>, Refused> {
        let read = |text: &str| Period::parse(text).map_err(|why| Refused::question(format!("`{key}`: {why}")));
        self.value(key).map(|text| read(text).map(|period| period.0)).transpose()
    }

    fn times(&self, now: Time) -> Result<Times, Refused> {
        let text = self.value("since").unwrap_or(SINCE);
        if let Some(time) = When::read(text) {
            return Ok(Times { from: time.0, ..Times::default() });
        }
        let back = Period::parse(text)
            .map_err(|why| Refused::question(format!("`since`: {why}; or write a time, such as 2026-11-21T10:00:00Z")))?;
        Ok(Times { from: now.minus(back.0).0, ..Times::default() })
    }

    fn limit(&self) -> Result<usize, Refused> {
        let Some(text) = self.value("limit") else { return Ok(LIMIT) };
        let limit = text.parse().ok().filter(|n| (1..=LIMIT_MAX).contains(n));
        limit.ok_or_else(|| Refused::question(format!("`limit={text}`: write a number from 1 to {LIMIT_MAX}")))
    }

    fn attributes(&self) -> Result<Vec<Attribute>, Refused> {
        let written = self.0.iter().filter(|(key, _)| key == "attribute");
        let read = |(_, text): &(String, String)| match text.split_once('=') {
            Some((key, value)) if !key.is_empty() => Ok(Attribute { key: key.to_owned(), value: value.to_owned() }),
            _ => Err(Refused::question(format!("`attribute={text}`: write KEY=VALUE, such as http.route=/pay"))),
        };
        let attributes: Vec<Attribute> = written.map(read).collect::<Result<_, _>>()?;
        if attributes.len() > ATTRIBUTES_MAX {
            return Err(Refused::question(format!("more than {ATTRIBUTES_MAX} attributes are not asked for at once")));
        }
        Ok(attributes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(query: &str) -> Result<TraceQuery, String> {
        let uri: Uri = format!("/api/v1/traces?{query}").parse().unwrap();
        let now = Time(10_000_000_000_000);
        Parameters::read(&uri, OF_TRACES).and_then(|p| p.trace_query(now)).map_err(|refused| refused.words)
    }

    /// As a browser would write it, down to the last byte.
    fn coded(text: &str) -> String {
        text.bytes().map(|b| if b.is_ascii_alphanumeric() { char::from(b).to_string() } else { format!("%{b:02X}") }).collect()
    }

    proptest! {
        #[test]
        fn any_question_is_read_as_it_was_written(
            service in prop::option::of("\\PC{0,12}"), text in prop::option::of("\\PC{0,12}"), limit in prop::option::of(1..=LIMIT_MAX),
            back in prop::option::of(0u64..9_000), least in prop::option::of(0u64..1_000_000), failed in prop::option::of(any::<bool>()),
            attributes in prop::collection::vec(("[^=]{1,6}", "\\PC{0,6}"), 0..4), turn in any::<usize>(),
        ) {
            let mut written: Vec<(&str, String)> = attributes.iter().map(|(key, value)| ("attribute", format!("{key}={value}"))).collect();
            let mut put = |key, value: Option<String>| written.extend(value.map(|value| (key, value)));
            put("service", service.clone());
            put("text", text.clone());
            put("limit", limit.map(|n| n.to_string()));
            put("since", back.map(|s| format!("{s}s")));
            put("min_duration", least.map(|us| format!("{us}us")));
            put("status", failed.map(|failed| if failed { "error" } else { "ok" }.to_owned()));
            let at = turn % written.len().max(1);
            // The attributes are first and keep their order among themselves.
            written.rotate_left(if at < attributes.len() { 0 } else { at });
            let query = written.iter().map(|(key, value)| format!("{}={}", coded(key), coded(value))).collect::<Vec<_>>().join("&");
            let query = read(&query).map_err(TestCaseError::fail)?;
            prop_assert_eq!((query.service, query.text, query.limit), (service, text, limit.unwrap_or(LIMIT)));
            prop_assert_eq!(query.times.from, 10_000_000_000_000 - back.unwrap_or(3_600) * 1_000_000_000);
            prop_assert_eq!(query.duration_min, least.map(Duration::from_micros));
            prop_assert_eq!(query.outcome, failed.map(|failed| if failed { Outcome::Error } else { Outcome::Ok }));
            let attributes: Vec<Attribute> = attributes.into_iter().map(|(key, value)| Attribute { key, value }).collect();
            prop_assert_eq!(query.attributes, attributes);
        }

        #[test]
        fn any_other_text_is_read_or_refused_in_words(
            query in prop_oneof![
                "[!-~]{0,60}",
                "((service|status|since|limit|min_duration|attribute|follow|store|x)(=|%3d)?([0-9]{0,21}|%[0-9a-f]{0,2}|(-|\\+|\\.|e|s|d|ms|h){0,3}|2026-02-3[0-9]T00:00:00Z|error|k=v|=)&?){0,5}",
            ],
        ) {
            let Ok(uri) = format!("/api/v1/logs?{query}").parse::<Uri>() else { return Ok(()) };
            let asked = |known| Parameters::read(&uri, known);
            let traces = asked(OF_TRACES).and_then(|p| p.trace_query(Time(1))).map(|q| (q.limit, q.attributes.len()));
            let logs = asked(OF_LOGS).and_then(|p| p.log_query(Time(1))).map(|q| (q.limit, q.attributes.len()));
            let follow = asked(OF_LOGS).and_then(|p| p.going()).map(|_| (LIMIT, 0));
            for read in [traces, logs, follow] {
                match read {
                    Ok((limit, attributes)) => prop_assert!((1..=LIMIT_MAX).contains(&limit) && attributes <= ATTRIBUTES_MAX),
                    Err(refused) => prop_assert!(refused.status.is_client_error() && !refused.words.is_empty(), "{refused:?}"),
                }
            }
        }
    }

    #[test]
    fn a_question_is_read_whole() {
        let query =
            read("service=pay&status=error&text=a%20b&min_duration=250ms&since=1m&attribute=k%3Dv%3Dw&attribute=http.route=/x&limit=7")
                .unwrap();
        assert_eq!((query.service.as_deref(), query.outcome, query.text.as_deref()), (Some("pay"), Some(Outcome::Error), Some("a b")));
        assert_eq!((query.duration_min, query.limit), (Some(Duration::from_millis(250)), 7));
        assert_eq!(query.times.from, 9_940_000_000_000);
        let attribute = |key: &str, value: &str| Attribute { key: key.to_owned(), value: value.to_owned() };
        assert_eq!(query.attributes, [attribute("k", "v=w"), attribute("http.route", "/x")]);
        assert_eq!(read("since=1970-01-01T00:00:01Z").unwrap().times.from, 1_000_000_000);
    }

    #[test]
    fn a_mistake_says_what_to_write() {
        for (query, said) in [
            ("statsu=error", "unknown parameter `statsu`; did you mean `status`?"),
            ("status=bad", "`status=bad`: a trace is `error` or `ok`"),
            ("limit=0", "`limit=0`: write a number from 1 to 10000"),
            ("limit=5&limit=6", "`limit` is given twice"),
            ("attribute=x", "`attribute=x`: write KEY=VALUE, such as http.route=/pay"),
            ("min_duration=5", "`min_duration`: `5` needs a unit; did you mean `5s`?"),
        ] {
            assert_eq!(read(query).unwrap_err(), said);
        }
    }
}
