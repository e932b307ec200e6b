//! What is committed of a partition: the offset up to which everything is settled, and in its metadata what is settled above it and where the decisions begin that
//! whoever has the partition next must know.

use pipeline::partitions::Settled;
use std::collections::BTreeSet;

/// Kafka's own limit of the metadata (`offset.metadata.max.bytes`).
const BYTES_MAX: usize = 4_096;
const VERSION: &str = "k1";

/// What stands beside an offset.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Committed {
    pub(super) settled: Settled,
    /// From where in the topic of decisions there are any that matter.
    pub(super) decisions: Option<u64>,
}

impl Committed {
    /// The metadata. Where more is open than there is room for, less is said to be settled.
    pub(super) fn metadata(&self) -> String {
        let Settled { watermark, through, open } = &self.settled;
        let mut text = format!("{VERSION} {} ", self.decisions.map_or("-".to_owned(), |from| from.to_string()));
        let (mut last, mut list) = (*watermark, String::new());
        for position in open {
            let next = format!("{:x},", position - last);
            if text.len() + list.len() + next.len() + 18 > BYTES_MAX {
                // Of what comes from here on nothing is known.
                text.push_str(&format!("{:x} ", position - watermark));
                return text + &list;
            }
            list.push_str(&next);
            last = *position;
        }
        text.push_str(&format!("{:x} ", through - watermark));
        text + &list
    }

    /// Of an offset that was committed. What is not ours is as if nothing stood there.
    pub(super) fn of(offset: u64, metadata: &str) -> Committed {
        let nothing = || Committed { settled: Settled::below(offset), decisions: None };
        read(offset, metadata).unwrap_or_else(nothing)
    }
}

fn read(offset: u64, metadata: &str) -> Option<Committed> {
    let mut words = metadata.split(' ');
    if words.next() != Some(VERSION) {
        return None;
    }
    let decisions = match words.next()? {
        "-" => None,
        from => Some(from.parse().ok()?),
    };
    let through = offset.checked_add(u64::from_str_radix(words.next()?, 16).ok()?)?;
    let (mut open, mut last) = (BTreeSet::new(), offset);
    for step in words.next()?.split(',').filter(|step| !step.is_empty()) {
        last = last.checked_add(u64::from_str_radix(step, 16).ok()?)?;
        open.insert(last);
    }
    if open.last().is_some_and(|last| *last >= through) {
        return None;
    }
    Some(Committed { settled: Settled { watermark: offset, through, open }, decisions })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_committed_is_read_and_what_does_not_fit_is_not_said_to_be_settled(
            watermark in 0..u64::from(u32::MAX), steps in prop::collection::vec(1..5_000_u64, 0..3_000), decisions in any::<Option<u64>>()
        ) {
            let mut open = BTreeSet::new();
            let mut at = watermark;
            for step in &steps {
                open.insert(at);
                at += step;
            }
            let committed = Committed { settled: Settled { watermark, through: at, open }, decisions };
            let metadata = committed.metadata();
            prop_assert!(metadata.len() <= BYTES_MAX);
            let read = Committed::of(watermark, &metadata);
            prop_assert_eq!(read.decisions, decisions);
            prop_assert!(read.settled.through <= at);
            if steps.len() < 500 {
                prop_assert_eq!(&read, &committed);
            }
            for position in watermark..watermark + 100 {
                prop_assert!(!read.settled.has(position) || committed.settled.has(position));
            }
        }

        #[test]
        fn any_text_is_read_or_passed_over(offset in any::<u64>(), text in "(k1 )?[-0-9a-f, ]{0,40}") {
            let read = Committed::of(offset, &text);
            prop_assert_eq!(read.settled.watermark, offset);
        }
    }

    #[test]
    fn what_others_wrote_says_nothing() {
        for text in ["", "k2 - 0 ", "some tool", "k1 - 2 5,"] {
            assert_eq!(Committed::of(7, text), Committed { settled: Settled::below(7), decisions: None });
        }
    }
}
