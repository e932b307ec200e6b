//! What a follower was told already. Records come late and out of order, so each look goes back a little and leaves out what was said.

use std::{
    collections::HashMap,
    hash::{BuildHasher, RandomState},
};

/// One line for a follower.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Line {
    /// When it happened, in nanoseconds.
    pub(crate) time: u64,
    /// What makes it the same line again.
    pub(crate) identity: String,
    /// What is sent, without its newline.
    pub(crate) json: String,
}

/// Lines that were told, as far back as looks go.
#[derive(Default)]
pub(crate) struct Seen {
    hasher: RandomState,
    /// How often, and when it happened; by a hash of the identity. An application may write the same line twice in one nanosecond.
    told: HashMap<u64, (u32, u64)>,
}

impl Seen {
    /// The lines that are new, in their order; forgets what happened before `from`.
    pub(crate) fn leave_out(&mut self, lines: Vec<Line>, from: u64) -> Vec<Line> {
        self.told.retain(|_, (_, time)| *time >= from);
        let mut now: HashMap<u64, u32> = HashMap::new();
        let mut fresh = Vec::new();
        for line in lines {
            let hash = self.hasher.hash_one(&line.identity);
            let count = now.entry(hash).or_default();
            *count = count.saturating_add(1);
            let told = self.told.entry(hash).or_insert((0, line.time));
            if *count > told.0 {
                told.0 = *count;
                fresh.push(line);
            }
        }
        fresh
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(time: u64, text: &str) -> Line {
        Line { time, identity: format!("{time} {text}"), json: text.to_owned() }
    }

    #[test]
    fn each_line_is_told_once_and_twins_both() {
        let mut seen = Seen::default();
        let first = vec![line(1, "a"), line(2, "b"), line(2, "b")];
        assert_eq!(seen.leave_out(first.clone(), 0), first);
        let late = line(1, "late");
        let again = vec![line(1, "a"), late.clone(), line(2, "b"), line(2, "b"), line(2, "b")];
        assert_eq!(seen.leave_out(again, 0), [late, line(2, "b")]);
    }

    #[test]
    fn what_no_look_reaches_is_forgotten() {
        let mut seen = Seen::default();
        seen.leave_out(vec![line(1, "a"), line(5, "b")], 0);
        seen.leave_out(Vec::new(), 5);
        assert_eq!(seen.told.len(), 1);
    }
}
