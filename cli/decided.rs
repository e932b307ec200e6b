//! `kansoku why` of a trace that is not in the store: which rule of which node decided so, and by what.

use crate::{
    page::{Page, Tone},
    text,
};
use query::Decided;

/// A headline and a sentence per decision.
pub(crate) fn decided(all: &[Decided], page: Page) -> String {
    let mut lines = Vec::new();
    for one in all {
        let head = format!(
            "trace {} is not in the store: `{}` {} it on {} UTC",
            one.trace_id,
            one.node,
            if one.kept { "kept" } else { "discarded" },
            text::day_and_time(one.at)
        );
        lines.extend(text::wrap(&text::inert(&head), page.width).iter().map(|line| page.paint(Tone::Strong, line)));
        lines.extend(text::wrap(&text::inert(&reason(one)), page.width));
    }
    lines.join("\n")
}

fn reason(one: &Decided) -> String {
    let rule = &one.rule;
    match &one.threshold {
        _ if one.pinned => "an alert asked for it; it is on its way here, or went to another sink".to_owned(),
        None if rule == "no_rule" => "no rule matched it".to_owned(),
        None => format!("rule `{rule}` keeps no such trace"),
        Some(_) if one.kept => format!("by rule `{rule}`; it is on its way here, or went to another sink"),
        Some(threshold) => {
            let share = format!("{:.3}", one.share * 100.0);
            let share = share.trim_end_matches('0').trim_end_matches('.');
            format!("rule `{rule}` keeps {share} % of such traces, those whose R is {threshold} or more; its R is {}", one.randomness)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::page;

    fn one(rule: &str, threshold: Option<&str>, kept: bool) -> String {
        let json = serde_json::json!({
            "trace_id": "3f2a0000000000000000000000000001", "node": "kept", "rule": rule, "kept": kept, "share": 0.1, "threshold": threshold,
            "randomness": "00000000000001", "pinned": false, "at": "2026-11-21T10:21:33Z",
        });
        decided(&[serde_json::from_value(json).unwrap()], page::plain(100))
    }

    #[test]
    fn a_trace_that_was_discarded_is_told_with_the_rule_and_the_chance() {
        let expected = "\
trace 3f2a0000000000000000000000000001 is not in the store: `kept` discarded it on 2026-11-21
10:21:33 UTC
rule `rest` keeps 10 % of such traces, those whose R is e6666 or more; its R is 00000000000001";
        assert_eq!(one("rest", Some("e6666"), false), expected);
        assert!(one("probes", None, false).ends_with("\nrule `probes` keeps no such trace"));
        assert!(one("no_rule", None, false).ends_with("\nno rule matched it"));
        assert!(one("errors", Some("0"), true).ends_with("\nby rule `errors`; it is on its way here, or went to another sink"));
    }
}
