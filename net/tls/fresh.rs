//! What is made of files, and made anew when they have changed.

use super::{ReadText, Text, TlsError};
use parking_lot::Mutex;
use std::{fmt, path::PathBuf, time::Duration};
use tokio::time::Instant;

/// How often the files are looked at, at the most.
const LOOK_AGAIN: Duration = Duration::from_secs(2);

type Make<T> = dyn Fn(&[Text]) -> Result<T, TlsError> + Send + Sync;

/// A value made of files.
pub(crate) struct Fresh<T> {
    paths: Vec<PathBuf>,
    read: ReadText,
    make: Box<Make<T>>,
    now: Mutex<Now<T>>,
}

struct Now<T> {
    made: T,
    /// Of these texts, as they are or as they were too broken to be used.
    of: Vec<Text>,
    looked: Instant,
}

impl<T: Clone> Fresh<T> {
    /// Reads the files and makes it; `make` gets their texts in the order of `paths`.
    pub(crate) fn new(
        paths: Vec<PathBuf>,
        read: ReadText,
        make: impl Fn(&[Text]) -> Result<T, TlsError> + Send + Sync + 'static,
    ) -> Result<Fresh<T>, TlsError> {
        let of = texts(&paths, read)?;
        let made = make(&of)?;
        Ok(Fresh { paths, read, make: Box::new(make), now: Mutex::new(Now { made, of, looked: Instant::now() }) })
    }

    /// What rests on no file.
    pub(crate) fn fixed(made: T) -> Fresh<T> {
        let make = |_: &[Text]| Err(TlsError { path: PathBuf::new(), what: String::new() });
        let now = Now { made, of: Vec::new(), looked: Instant::now() };
        Fresh { paths: Vec::new(), read: |_| Err(String::new()), make: Box::new(make), now: Mutex::new(now) }
    }

    /// It, made of the files as they are. What cannot be used is said in the log once, and the last good one stays.
    pub(crate) fn get(&self) -> T {
        let mut now = self.now.lock();
        if !self.paths.is_empty() && now.looked.elapsed() >= LOOK_AGAIN {
            now.looked = Instant::now();
            match texts(&self.paths, self.read) {
                Ok(texts) if texts == now.of => {}
                Ok(texts) => {
                    match (self.make)(&texts) {
                        Ok(made) => {
                            tracing::info!(files = ?self.paths, "took over new certificates");
                            now.made = made;
                        }
                        Err(error) => tracing::warn!(%error, "new certificates cannot be used; the last ones stay"),
                    }
                    now.of = texts;
                }
                Err(error) => tracing::warn!(%error, "certificates cannot be read; the last ones stay"),
            }
        }
        now.made.clone()
    }
}

fn texts(paths: &[PathBuf], read: ReadText) -> Result<Vec<Text>, TlsError> {
    let text = |path: &PathBuf| match read(path) {
        Ok(text) => Ok(Text { path: path.clone(), text }),
        Err(what) => Err(TlsError { path: path.clone(), what }),
    };
    paths.iter().map(text).collect()
}

impl<T> fmt::Debug for Fresh<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Fresh").field(&self.paths).finish()
    }
}
