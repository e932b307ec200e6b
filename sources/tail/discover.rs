//! Which files are followed: new ones, those of an earlier life, what rotation renamed, copied or truncated.

use super::{
    found::{FILES_MAX, Folders, Found, is_beside, siblings},
    lineage::{Flush, Format, Lineage},
    tailer::{LOOK_EVERY, Start, Tailer},
    tracked::{Kept, Standing, Tracked, key},
};
use pipeline::foreign::{self, Seen};
use signal::Time;
use std::{
    collections::BTreeSet,
    io,
    path::{Path, PathBuf},
    time::Duration,
};

/// How often folders are looked through.
const DISCOVER_EVERY: Duration = Duration::from_secs(1);
/// How long a file that was read to its end is remembered, so that rotation does not bring it back.
const REMEMBERED: Duration = Duration::from_secs(10 * 60);
/// How long what an earlier life had read is remembered though it is not there.
const FORGET_AFTER: Duration = Duration::from_secs(60 * 60);

impl Tailer {
    pub(super) fn discover_if_due(&mut self, now: Time) {
        if now < self.discover_at {
            return;
        }
        self.discover_at = now.plus(DISCOVER_EVERY);
        let found: Vec<(Found, Seen)> = self.options.places.find().into_iter().filter_map(looked_at).take(FILES_MAX).collect();
        let mut there = BTreeSet::new();
        for (file, seen) in &found {
            there.extend(self.known(file, *seen));
        }
        self.leave(&there, now);
        let (mut begun, new): (Vec<_>, Vec<_>) = found.into_iter().partition(|(_, seen)| self.kept.contains_key(&key(seen.identity)));
        begun.sort_by_key(|(_, seen)| seen.modified);
        for (file, seen) in begun.into_iter().chain(new) {
            if !self.by_identity.contains_key(&seen.identity) {
                self.begin(file, seen, now);
            }
        }
        self.first = false;
        self.take_up_the_rest(now);
        self.take_up_missed(now);
    }

    /// The number of a file that is followed already, under whatever name.
    fn known(&mut self, found: &Found, seen: Seen) -> Option<u64> {
        let number = *self.by_identity.get(&seen.identity)?;
        let file = self.files.get_mut(&number)?;
        let is_same = (file.bytes, file.modified) == (seen.bytes, seen.modified);
        // Nothing holds the number of a file that was closed: it may be another's now.
        if file.handle.is_none() && file.standing != Standing::There && !is_same && !file.is_in(&found.path) {
            self.forget(number);
            return None;
        }
        file.path.clone_from(&found.path);
        file.standing = Standing::There;
        Some(number)
    }

    /// Files that have no name any more that is looked for are read to their end, if they are open.
    fn leave(&mut self, there: &BTreeSet<u64>, now: Time) {
        let gone: Vec<u64> = self.files.keys().filter(|number| !there.contains(number)).copied().collect();
        let mut folders = Folders::default();
        for number in gone {
            let Some(file) = self.files.get_mut(&number) else { continue };
            match file.standing {
                Standing::There => {
                    // Renamed, it is still there to be opened; removed, only its handle leads to it.
                    if file.handle.is_none() {
                        self.reopen(number, &mut folders);
                    }
                    if let Some(file) = self.files.get_mut(&number) {
                        file.standing = Standing::Leaving(now);
                        // It may have grown after it was last looked at.
                        file.looked = Time(0);
                    }
                }
                Standing::Done(since) => {
                    // The last of them are known only by their numbers.
                    let older_to = self.lineages.get(&file.writes_to).map_or(u64::MAX, |lineage| lineage.older_to);
                    if now.since(since) >= REMEMBERED && file.modified < older_to {
                        self.forget(number);
                    }
                }
                Standing::Leaving(_) => {}
            }
        }
    }

    /// Opens a file under the name that rotation gave it.
    fn reopen(&mut self, number: u64, folders: &mut Folders) {
        let Some(file) = self.files.get_mut(&number) else { return };
        let renamed = folders
            .siblings(Path::new(&file.writes_to))
            .into_iter()
            .find(|path| foreign::look(path).is_ok_and(|seen| seen.identity == file.identity));
        if let Some(path) = renamed {
            file.path = path;
            // What cannot be opened is told when it is read.
            let _told_later = file.open();
        }
    }

    /// Begins to follow a file.
    fn begin(&mut self, found: Found, seen: Seen, now: Time) {
        if self.files.len() >= FILES_MAX {
            if !std::mem::replace(&mut self.told_full, true) {
                tracing::error!(files = FILES_MAX, "there are more files than are followed");
            }
            return;
        }
        if let Some(kept) = self.kept_of(&found, seen) {
            if kept.is_in(&found.path) {
                return self.go_on(&kept, found, seen, now);
            }
            // It was truncated, or its number is another file's now.
            self.take_up_copy(&kept, &found, now);
        } else if self.copied_from(&found.path).is_some() {
            return;
        }
        let fresh = self.first && self.options.start == Start::End;
        let from = if fresh { seen.bytes } else { 0 };
        let number = self.number();
        let file = Tracked::new(number, found.path.clone(), found.writes_to.clone(), seen, from, now);
        self.add(file, found);
    }

    /// Follows a file that an earlier life had begun.
    fn go_on(&mut self, kept: &Kept, found: Found, seen: Seen, now: Time) {
        let number = self.number();
        let file = Tracked::again(number, found.path.clone(), kept, seen, now);
        self.add(file, Found { writes_to: kept.writes_to.clone(), ..found });
    }

    fn number(&mut self) -> u64 {
        self.next_number += 1;
        self.next_number
    }

    fn add(&mut self, mut file: Tracked, found: Found) {
        file.learn();
        let older_to = self.older_kept.get(&file.writes_to).copied().unwrap_or(file.modified);
        let (format, joining) = (self.options.format, &self.options.joining);
        let new = || Lineage::new(&found.writes_to, format, joining, found.resource).known_to(older_to);
        let lineage = self.lineages.entry(file.writes_to.clone()).or_insert_with(new);
        // What was written before may have grown since it was last looked at, and is read first.
        for older in &lineage.files {
            self.files.entry(*older).and_modify(|older| older.looked = Time(0));
        }
        lineage.files.push(file.number);
        self.by_identity.insert(file.identity, file.number);
        self.changed(file.number);
        self.files.insert(file.number, file);
    }

    /// What an earlier life knew of a file: by its number, or under the same name with the same content.
    fn kept_of(&mut self, found: &Found, seen: Seen) -> Option<Kept> {
        let own = key(seen.identity);
        if let Some(kept) = self.kept.remove(&own) {
            return Some(kept);
        }
        let alike = |kept: &Kept| kept.path == found.path && kept.has_content() && kept.is_in(&found.path);
        let other = self.kept.iter().find(|(_, kept)| alike(kept)).map(|(other, _)| other.clone())?;
        self.moves.insert(other.clone(), None);
        self.kept.remove(&other)
    }

    /// Files that an earlier life had not read to the end, and that rotation has renamed out of sight since.
    fn take_up_the_rest(&mut self, now: Time) {
        let now_or_never = self.forget_at.is_none();
        let kept: Vec<(String, Kept)> = self.kept.iter().filter(|_| now_or_never).map(|(key, kept)| (key.clone(), kept.clone())).collect();
        let mut folders = Folders::default();
        for (of, kept) in kept {
            let here = folders.siblings(Path::new(&kept.writes_to)).into_iter().find_map(|path| {
                let seen = foreign::look(&path).ok().filter(|seen| seen.regular)?;
                (key(seen.identity) == of && kept.is_in(&path)).then_some((path, seen))
            });
            if let Some((path, seen)) = here {
                self.kept.remove(&of);
                self.before_others(&kept, path, seen, now);
            }
        }
        let forget_at = *self.forget_at.get_or_insert(now.plus(FORGET_AFTER));
        if now >= forget_at {
            self.moves.extend(std::mem::take(&mut self.kept).into_keys().map(|key| (key, None)));
        }
    }

    /// Puts what an earlier life had begun before what its program wrote later.
    fn before_others(&mut self, kept: &Kept, path: PathBuf, seen: Seen, now: Time) {
        let resource = self.resource_of(&kept.writes_to);
        let number = self.number();
        let mut file = Tracked::again(number, path.clone(), kept, seen, now);
        file.standing = Standing::Leaving(now);
        self.add(file, Found { path, writes_to: kept.writes_to.clone(), resource });
        if let Some(lineage) = self.lineages.get_mut(&kept.writes_to) {
            lineage.files.rotate_right(1);
        }
    }

    /// What is known of whose a file is, by others of the same program.
    fn resource_of(&self, writes_to: &str) -> super::found::Attributes {
        let of_others = self.lineages.get(writes_to).map(|lineage| lineage.resource.clone());
        let found = || self.options.places.find().into_iter().find(|found| found.writes_to == writes_to).map(|found| found.resource);
        of_others.or_else(found).unwrap_or_default()
    }

    /// Where a file was renamed, or copied and truncated, more than once between two looks, what lay in between is beside it under another name.
    fn take_up_missed(&mut self, now: Time) {
        if self.options.format == Format::Container {
            // All parts of what a container writes are looked for by their names.
            return;
        }
        let (mut folders, mut missed, mut older) = (Folders::default(), Vec::new(), Vec::new());
        for (writes_to, lineage) in &self.lineages {
            let (mut last, mut waits) = (lineage.older_to, u64::MAX);
            for path in folders.siblings(Path::new(writes_to)) {
                let Some(seen) = foreign::look(&path).ok().filter(|seen| seen.regular && seen.modified >= lineage.older_to) else {
                    continue;
                };
                last = last.max(seen.modified);
                if self.by_identity.contains_key(&seen.identity) || self.kept.contains_key(&key(seen.identity)) {
                    continue;
                }
                // A copy of what is read where it was copied from, or one that is being made.
                if seen.bytes == 0 || self.copied_from(&path).is_some() {
                    waits = waits.min(seen.modified);
                } else {
                    missed.push((seen.modified, path, seen, writes_to.clone()));
                }
            }
            older.push((writes_to.clone(), last.min(waits)));
        }
        missed.sort_by_key(|(modified, ..)| *modified);
        for (_, path, seen, writes_to) in missed {
            let number = self.number();
            let mut file = Tracked::new(number, path.clone(), writes_to.clone(), seen, 0, now);
            file.standing = Standing::Leaving(now);
            let resource = self.resource_of(&writes_to);
            self.add(file, Found { path, writes_to: writes_to.clone(), resource });
            self.live_last(&writes_to);
        }
        for (writes_to, older_to) in older {
            if let Some(lineage) = self.lineages.get_mut(&writes_to).filter(|lineage| lineage.older_to < older_to) {
                lineage.older_to = older_to;
                let live = lineage.files.last().copied();
                live.into_iter().for_each(|number| self.changed(number));
            }
        }
    }

    /// Puts the file that is written to behind the older parts.
    fn live_last(&mut self, writes_to: &str) {
        let Some(lineage) = self.lineages.get_mut(writes_to) else { return };
        let is_live =
            |number: &u64| self.files.get(number).is_some_and(|file| file.path == Path::new(writes_to) && file.standing == Standing::There);
        lineage.files.sort_by_key(is_live);
    }

    /// The followed file that this one is a copy of, if it is called like one.
    fn copied_from(&self, path: &Path) -> Option<u64> {
        self.files
            .values()
            .find(|file| is_beside(&file.path, path) && (file.is_copied_in(path) || file.is_alike(path)))
            .map(|file| file.number)
    }

    /// A file was cut to nothing and written anew. What was not read of it may lie in the copy that was made before.
    pub(super) fn truncated(&mut self, number: u64, now: Time) {
        let Some(file) = self.files.get(&number) else { return };
        let (path, writes_to, before) = (file.path.clone(), file.writes_to.clone(), file.identity);
        let copy = siblings(&path).into_iter().find_map(|path| {
            let seen = foreign::look(&path).ok().filter(|seen| seen.regular && !self.by_identity.contains_key(&seen.identity))?;
            file.is_copied_in(&path).then_some((path, seen))
        });
        tracing::info!(file = %path.display(), copy = ?copy.as_ref().map(|(path, _)| path), "it was truncated and is read from its beginning");
        let found = Found { resource: self.resource_of(&writes_to), path: path.clone(), writes_to };
        // What waits cannot be read again, unless it is in the copy.
        let is_whole = copy.as_ref().is_some_and(|(_, seen)| seen.bytes >= file.read_to);
        if !is_whole && let Some(lineage) = self.lineages.get_mut(&found.writes_to) {
            lineage.flush(Flush::All, &mut self.tally);
        }
        match (copy, self.files.get_mut(&number)) {
            (Some((copy, of_copy)), Some(file)) => {
                file.moved_to(copy, of_copy, now);
                self.by_identity.remove(&before);
                self.by_identity.insert(of_copy.identity, number);
                self.changed(number);
            }
            _ => self.forget(number),
        }
        let Some(seen) = foreign::look(&path).ok().filter(|seen| seen.identity == before) else {
            self.discover_at = now;
            return;
        };
        let new = self.number();
        self.add(Tracked::new(new, found.path.clone(), found.writes_to.clone(), seen, 0, now), found);
        self.moves.remove(&key(before));
        self.discover_at = self.discover_at.min(now.plus(LOOK_EVERY));
    }

    /// The same between two lives.
    fn take_up_copy(&mut self, kept: &Kept, found: &Found, now: Time) {
        let copy = siblings(&found.path).into_iter().find_map(|path| {
            let seen = foreign::look(&path).ok().filter(|seen| seen.regular && !self.by_identity.contains_key(&seen.identity))?;
            (kept.has_content() && kept.is_in(&path)).then_some((path, seen))
        });
        if let Some((path, seen)) = copy {
            let number = self.number();
            let mut file = Tracked::again(number, path.clone(), kept, seen, now);
            file.standing = Standing::Leaving(now);
            self.add(file, Found { path, writes_to: kept.writes_to.clone(), resource: found.resource.clone() });
        }
    }

    /// A file that cannot be read is told once and tried again when it has changed.
    pub(super) fn unreadable(&mut self, number: u64, error: &io::Error, now: Time) {
        let Some(file) = self.files.get_mut(&number) else { return };
        file.no_end_at = Some(file.bytes);
        let left = matches!(file.standing, Standing::Leaving(_));
        if error.kind() == io::ErrorKind::NotFound {
            self.discover_at = now;
            if left {
                tracing::error!(file = %file.path.display(), bytes = file.behind(), "it was removed before it was read to its end");
                self.forget(number);
            }
            return;
        }
        tracing::warn!(file = %file.path.display(), %error, "it cannot be read");
    }
}

fn looked_at(found: Found) -> Option<(Found, Seen)> {
    let seen = foreign::look(&found.path).ok().filter(|seen| seen.regular)?;
    Some((found, seen))
}
