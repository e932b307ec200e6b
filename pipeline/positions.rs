//! How far sources have read what they can read again after a restart, such as files. A position goes into the journal before the request it belongs to
//! and holds only with it, so that after any end of the process there are both or neither; segments go, so each source has a file of its own besides.

use crate::{Accepted, Admission, Intake, Refused, World};
use bytes::Bytes;
use journal::{Log, blocked, replace};
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use signal::Signal;
use std::{
    collections::{BTreeMap, HashMap},
    io,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};
use tokio::{sync::OwnedMutexGuard, time::Instant};
use xxhash_rust::xxh3::xxh3_64;

/// How far a source is: what it says of each of its keys, in words of its own.
pub type Reached = BTreeMap<String, String>;
/// What changed of it; none forgets the key.
pub type Moves = BTreeMap<String, Option<String>>;
/// What the journal says: by the number of the source and its key, with the record that it came with.
pub(crate) type Noted = BTreeMap<u16, BTreeMap<String, (u64, Option<String>)>>;

/// The folder beside the segments.
const FOLDER: &str = "positions";
const VERSION: u32 = 1;
/// More is not read.
const FILE_BYTES_MAX: u64 = 64 << 20;
/// How far the file may be behind; a start learns the rest from the journal, which keeps a minute at least.
const SAVE_EVERY: Duration = Duration::from_secs(1);

/// How a source that reads files gets on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    /// Files it follows.
    pub files: usize,
    /// Those of them that are open.
    pub open: usize,
    /// Bytes that lie in them unread.
    pub behind_bytes: u64,
    /// How long the file that waits longest was not read to its end.
    pub oldest_seconds: f64,
    /// Records that a line too long for one went into, beyond the first.
    pub split: u64,
    /// Lines that were not UTF-8 and were repaired.
    pub repaired: u64,
}

/// The folder in which the positions of sources lie beside a journal, each in a file of the source's name.
#[must_use]
pub fn beside(journal: &Path) -> PathBuf {
    journal.join(FOLDER)
}

/// Those of all sources, over every reload.
pub(crate) struct Shelf {
    world: World,
    journal: Option<(Arc<Log>, PathBuf)>,
    noted: Noted,
    sources: Mutex<HashMap<String, Arc<Source>>>,
}

#[derive(Default)]
struct Source {
    state: Arc<tokio::sync::Mutex<State>>,
    progress: Mutex<Option<Progress>>,
}

#[derive(Default)]
struct State {
    loaded: bool,
    reached: Reached,
    /// What moved and is in no record of the journal yet.
    unnoted: Moves,
    unsaved: bool,
    saved_at: Option<Instant>,
}

/// What lies in a file.
#[derive(Serialize, Deserialize)]
struct Saved {
    version: u32,
    /// The journal it was written beside, and the last of its records that is in here.
    log: u32,
    through: u64,
    reached: Reached,
}

/// A source's way to its positions.
#[derive(Clone)]
pub struct Positions {
    shelf: Arc<Shelf>,
    source: Arc<Source>,
    name: String,
    number: u16,
}

/// The positions of a source, its own until dropped.
pub struct Taken {
    positions: Positions,
    state: OwnedMutexGuard<State>,
    file: Option<PathBuf>,
}

impl Shelf {
    pub(crate) fn new(world: &World, journal: Option<(Arc<Log>, PathBuf)>, noted: Noted) -> Arc<Shelf> {
        let journal = journal.map(|(log, path)| (log, beside(&path)));
        Arc::new(Shelf { world: world.clone(), journal, noted, sources: Mutex::default() })
    }

    pub(crate) fn positions(self: &Arc<Shelf>, name: &str, number: u16) -> Positions {
        let source = Arc::clone(self.sources.lock().entry(name.to_owned()).or_default());
        Positions { shelf: Arc::clone(self), source, name: name.to_owned(), number }
    }

    pub(crate) fn progress(&self, name: &str) -> Option<Progress> {
        *self.sources.lock().get(name)?.progress.lock()
    }
}

impl Positions {
    /// Takes them, once an instance of the source that a reload replaced has let go of them. They are kept in `file`, by default in one beside the journal.
    ///
    /// # Errors
    /// A newer kansoku wrote the file, or it cannot be read.
    pub async fn take(self, file: Option<PathBuf>) -> Result<Taken, String> {
        let state = Arc::clone(&self.source.state).lock_owned().await;
        let beside = || self.shelf.journal.as_ref().map(|(_, folder)| folder.join(format!("{}.json", self.name)));
        let file = file.or_else(beside);
        let mut taken = Taken { positions: self, state, file };
        if !taken.state.loaded {
            taken.load().await?;
        }
        Ok(taken)
    }
}

impl Taken {
    /// How far the source is.
    #[must_use]
    pub fn reached(&self) -> &Reached {
        &self.state.reached
    }

    /// Whether a restart knows it again.
    #[must_use]
    pub fn is_kept(&self) -> bool {
        self.file.is_some()
    }

    /// Says how the source gets on, for metrics and status.
    pub fn tell(&self, progress: Progress) {
        *self.positions.source.progress.lock() = Some(progress);
    }

    /// Hands a request in as [`Intake::accept`] does; with its yes the positions have moved. Waits for sinks as long as they take, where the yes is theirs. A request
    /// that is handed in again with the same bytes is known.
    ///
    /// # Errors
    /// As `accept`; nothing has moved then.
    pub async fn accept(
        &mut self,
        intake: &Intake,
        (signal, raw): (Signal, Bytes),
        admission: Admission,
        moves: &Moves,
    ) -> Result<Accepted, Refused> {
        let mut noted = self.state.unnoted.clone();
        noted.extend(moves.clone());
        let note = serde_json::to_vec(&noted).unwrap_or_default();
        let accepted = intake.accept_from_reader(signal, raw, admission, note.into()).await?;
        self.moved(moves);
        self.state.unnoted.clear();
        Ok(accepted)
    }

    /// Moves them where nothing was handed in: what was read is nothing that anybody wants.
    pub fn moved(&mut self, moves: &Moves) {
        for (key, to) in moves {
            match to {
                Some(to) => drop(self.state.reached.insert(key.clone(), to.clone())),
                None => drop(self.state.reached.remove(key)),
            }
        }
        self.state.unnoted.extend(moves.clone());
        self.state.unsaved |= !moves.is_empty();
    }

    /// Writes them down where that is due: each second, and without a journal at once.
    pub async fn save_if_due(&mut self) {
        let due = self.positions.shelf.journal.is_none() || self.state.saved_at.is_none_or(|at| at.elapsed() >= SAVE_EVERY);
        if due {
            self.save().await;
        }
    }

    /// Writes them down where they have moved since.
    pub async fn save(&mut self) {
        let Some(file) = self.file.clone().filter(|_| self.state.unsaved) else { return };
        let (log, through) = self.journal();
        let saved = Saved { version: VERSION, log, through, reached: self.state.reached.clone() };
        let disk = Arc::clone(&self.positions.shelf.world.disk);
        let path = file.clone();
        let written = blocked(&self.positions.shelf.world.blocking, move || {
            let (folder, name) =
                (path.parent().unwrap_or(Path::new("/")), path.file_name().unwrap_or_default().to_string_lossy().into_owned());
            disk.create_dir_all(folder)?;
            replace(&*disk, folder, &name, serde_json::to_vec(&saved).map_err(io::Error::other)?.into())
        });
        self.state.saved_at = Some(Instant::now());
        match written.await {
            Some(Ok(())) => self.state.unsaved = false,
            Some(Err(error)) => tracing::warn!(file = %file.display(), %error, "cannot write down how far files were read"),
            None => {}
        }
    }

    /// The journal's id, and the last record in it.
    fn journal(&self) -> (u32, u64) {
        self.positions.shelf.journal.as_ref().map_or((0, 0), |(log, _)| (log.id(), log.next().saturating_sub(1)))
    }

    async fn load(&mut self) -> Result<(), String> {
        let saved = match self.file.clone() {
            Some(file) => self.read(file).await?,
            None => None,
        };
        let (log, _) = self.journal();
        let through = saved.as_ref().filter(|saved| saved.log == log).map_or(0, |saved| saved.through);
        let mut reached = saved.map(|saved| saved.reached).unwrap_or_default();
        for (key, (sequence, to)) in self.positions.shelf.noted.get(&self.positions.number).into_iter().flatten() {
            match to {
                _ if *sequence <= through => {}
                Some(to) => drop(reached.insert(key.clone(), to.clone())),
                None => drop(reached.remove(key)),
            }
        }
        (self.state.reached, self.state.loaded, self.state.unsaved) = (reached, true, true);
        Ok(())
    }

    /// A file that is damaged is said and passed over: the journal may know enough.
    async fn read(&self, file: PathBuf) -> Result<Option<Saved>, String> {
        let (disk, path) = (Arc::clone(&self.positions.shelf.world.disk), file.clone());
        let read = blocked(&self.positions.shelf.world.blocking, move || disk.read(&path, FILE_BYTES_MAX)).await;
        let bytes = match read {
            Some(Ok(bytes)) => bytes,
            Some(Err(error)) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Some(Err(error)) => return Err(format!("cannot read {}: {error}", file.display())),
            None => return Err("going down".to_owned()),
        };
        match serde_json::from_slice::<Saved>(&bytes) {
            Ok(saved) if saved.version > VERSION => Err(format!("{} was written by a newer kansoku", file.display())),
            Ok(saved) => Ok(Some(saved)),
            Err(error) => {
                tracing::error!(file = %file.display(), %error, "it is damaged: files may be read again from their beginning");
                Ok(None)
            }
        }
    }
}

/// A position as the journal has it: with what tells the request that it holds with.
#[derive(Deserialize)]
struct Note {
    of: u64,
    moves: Moves,
}

/// The parts of a position's record.
pub(crate) fn note(moves: &Bytes, request: &[u8]) -> [Bytes; 3] {
    [format!("{{\"of\":{},\"moves\":", xxh3_64(request)).into(), moves.clone(), Bytes::from_static(b"}")]
}

/// Puts a position among those noted before, if it is that of this request.
pub(crate) fn noted(noted: &mut Noted, (source, sequence): (u16, u64), payload: &[u8], request: &[u8]) {
    match serde_json::from_slice::<Note>(payload) {
        Ok(note) if note.of != xxh3_64(request) => {}
        Ok(note) => noted.entry(source).or_default().extend(note.moves.into_iter().map(|(key, to)| (key, (sequence, to)))),
        Err(error) => tracing::error!(sequence, %error, "a position in the journal cannot be read"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt;

    #[test]
    fn a_position_holds_only_with_its_request() {
        let moves = Moves::from([("a".to_owned(), Some("7".to_owned())), ("b".to_owned(), None)]);
        let payload = note(&serde_json::to_vec(&moves).unwrap().into(), b"request").concat();
        let mut all = Noted::new();
        noted(&mut all, (1, 40), &payload, b"another");
        assert!(all.is_empty(), "the request it was written for did not make it");
        noted(&mut all, (1, 41), &payload, b"request");
        assert_eq!(all[&1], BTreeMap::from([("a".to_owned(), (41, Some("7".to_owned()))), ("b".to_owned(), (41, None))]));
        noted(&mut all, (1, 42), b"what is this", b"request");
        assert_eq!(all[&1]["a"].0, 41);
    }

    #[tokio::test]
    async fn what_was_written_down_is_read_back_and_the_journal_knows_better() {
        let disk = Arc::new(journal::MemoryDisk::new(1 << 20));
        let world = World { disk, ..World::real("/".into()) };
        let path = || Some(PathBuf::from("/state/a.json"));
        let mut taken = Shelf::new(&world, None, Noted::new()).positions("a", 1).take(path()).await.unwrap();
        taken.moved(&Moves::from([("x".to_owned(), Some("1".to_owned())), ("y".to_owned(), Some("2".to_owned()))]));
        taken.save().await;
        let noted = BTreeMap::from([(1, BTreeMap::from([("x".to_owned(), (9, Some("3".to_owned()))), ("y".to_owned(), (9, None))]))]);
        let taken = Shelf::new(&world, None, noted).positions("a", 1).take(path()).await.unwrap();
        assert_eq!(*taken.reached(), Reached::from([("x".to_owned(), "3".to_owned())]));
    }

    #[tokio::test]
    async fn who_comes_second_waits_and_goes_on_where_the_first_was() {
        let shelf = Shelf::new(&World::real("/".into()), None, Noted::new());
        let mut first = shelf.positions("a", 1).take(None).await.unwrap();
        first.moved(&Moves::from([("x".to_owned(), Some("1".to_owned()))]));
        let mut second = Box::pin(shelf.positions("a", 1).take(None));
        assert!((&mut second).now_or_never().is_none() && !first.is_kept());
        drop(first);
        assert_eq!(second.await.unwrap().reached().len(), 1);
    }
}
