//! A file as read: its source, its tree, with `${env:}` and `${file:}` put in as values. Start here.

use crate::{Fault, Node, Place, Source, Value, read, substitute::substitute, yaml};
use serde::de::DeserializeOwned;
use std::{
    cell::RefCell,
    hash::{DefaultHasher, Hash, Hasher},
    io::Read,
    path::{Path, PathBuf},
    sync::Arc,
};

/// Where `${env:NAME}` and `${file:PATH}` get their values; a test hands in its own.
pub trait Environment {
    /// The variable's value.
    fn variable(&self, name: &str) -> Option<String>;
    /// The file's text, without a trailing newline. The error says why there is none, without the path.
    fn file(&self, path: &str) -> Result<String, String>;
}

/// The process's own environment and file system; a relative path starts at the working directory.
#[derive(Debug)]
pub struct Real;

/// A configuration is not this large; a device or a dump is.
const FILE_BYTES_MAX: u64 = 4 << 20;

impl Environment for Real {
    #[expect(clippy::disallowed_methods, reason = "this is the one place where a configuration reaches the environment")]
    fn variable(&self, name: &str) -> Option<String> {
        std::env::var(name).ok()
    }

    fn file(&self, path: &str) -> Result<String, String> {
        let mut text = text_of(Path::new(path))?;
        if text.ends_with('\n') {
            text.pop();
        }
        if text.ends_with('\r') {
            text.pop();
        }
        Ok(text)
    }
}

#[expect(clippy::disallowed_methods, reason = "reads what the user wrote, never data")]
fn text_of(path: &Path) -> Result<String, String> {
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path).map_err(said)?;
    file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(said)?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        return Err(format!("it is larger than {} MiB", FILE_BYTES_MAX >> 20));
    }
    String::from_utf8(bytes).map_err(|error| format!("byte {} is not UTF-8", error.utf8_error().valid_up_to()))
}

/// The files of a path whose last part may hold one `*` for any characters, sorted; a path without one is that file.
///
/// # Errors
/// The file is not there, the folder cannot be read, or no file matches; in words.
pub fn matching(path: &Path) -> Result<Vec<PathBuf>, String> {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let unreadable = |what: &Path, error| format!("cannot read {}: {}", what.display(), said(error));
    let Some((before, after)) = name.split_once('*') else {
        return std::fs::metadata(path).map(|_| vec![path.to_owned()]).map_err(|error| unreadable(path, error));
    };
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let entries = std::fs::read_dir(folder).map_err(|error| unreadable(folder, error))?;
    let fits = |name: &str| name.len() >= before.len() + after.len() && name.starts_with(before) && name.ends_with(after);
    let mut found: Vec<PathBuf> = entries
        .filter_map(Result::ok)
        .filter(|entry| fits(&entry.file_name().to_string_lossy()))
        .map(|entry| entry.path())
        .filter(|path| path.is_file())
        .collect();
    found.sort();
    if found.is_empty() { Err(format!("no file matches {}", path.display())) } else { Ok(found) }
}

/// A number that changes when what these files say does, or which of them there are; each path as for [`matching`]. Only numbers of one process compare.
#[must_use]
pub fn digest<'a>(paths: impl IntoIterator<Item = &'a PathBuf>) -> u64 {
    let mut hash = DefaultHasher::new();
    for path in paths {
        let files = matching(path).unwrap_or_default();
        files.len().hash(&mut hash);
        for file in files {
            (&file, text_of(&file).ok()).hash(&mut hash);
        }
    }
    hash.finish()
}

/// Notes which files are asked for.
struct Noting<'a> {
    inner: &'a dyn Environment,
    files: RefCell<Vec<PathBuf>>,
}

impl Environment for Noting<'_> {
    fn variable(&self, name: &str) -> Option<String> {
        self.inner.variable(name)
    }

    fn file(&self, path: &str) -> Result<String, String> {
        self.files.borrow_mut().push(PathBuf::from(path));
        self.inner.file(path)
    }
}

fn said(error: std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::NotFound => "there is no such file".to_owned(),
        std::io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        std::io::ErrorKind::IsADirectory => "it is a directory".to_owned(),
        _ => error.to_string(),
    }
}

/// A YAML file.
#[derive(Clone, Debug)]
pub struct Document {
    /// Name and text.
    pub source: Arc<Source>,
    /// Its tree. What is wrong with a single value stays in it as `Value::Broken`, so that the rest is still checked.
    pub root: Node,
    /// The files that `${file:}` names, whether they could be read or not.
    pub files: Vec<PathBuf>,
}

impl Document {
    /// Reads text that came from `name`. Fails only where no tree can be made; a value that is wrong by itself (a tag, a missing variable) is a
    /// fault of whoever reads that value.
    pub fn parse(name: &str, text: &str, environment: &dyn Environment) -> Result<Document, (Arc<Source>, Vec<Fault>)> {
        let source = || Arc::new(Source::new(name, text));
        if text.len() as u64 > FILE_BYTES_MAX {
            let what = format!("{name} is larger than {} MiB", FILE_BYTES_MAX >> 20);
            return Err((source(), vec![Fault::at(Place::default(), what)]));
        }
        match yaml::parse(text) {
            Ok(mut root) => {
                let noting = Noting { inner: environment, files: RefCell::default() };
                let put_in = substitute(&mut root, &noting);
                let source = Arc::new(Source { put_in, ..Source::new(name, text) });
                Ok(Document { source, root, files: noting.files.into_inner() })
            }
            Err(faults) => Err((source(), faults)),
        }
    }

    /// Reads a file that is not ours: `${…}` stays as it is.
    pub fn as_written(path: &Path) -> Result<Document, (Arc<Source>, Vec<Fault>)> {
        let name = path.display().to_string();
        let read = text_of(path).map_err(|why| (String::new(), vec![Fault::at(Place::default(), format!("cannot read {name}: {why}"))]));
        let parsed = read.and_then(|text| yaml::parse(&text).map(|root| (text.clone(), root)).map_err(|faults| (text, faults)));
        match parsed {
            Ok((text, root)) => Ok(Document { source: Arc::new(Source::new(name, text)), root, files: Vec::new() }),
            Err((text, faults)) => Err((Arc::new(Source::new(name, text)), faults)),
        }
    }

    /// Reads a file, with the process's environment.
    pub fn load(path: &Path) -> Result<Document, (Arc<Source>, Vec<Fault>)> {
        let name = path.display().to_string();
        match text_of(path) {
            Ok(text) => Document::parse(&name, &text, &Real),
            Err(why) => {
                let fault = Fault::at(Place::default(), format!("cannot read {name}: {why}"));
                Err((Arc::new(Source::new(name, "")), vec![fault]))
            }
        }
    }

    /// The whole file as one value, for a file that is not a pipeline; its faults name the file.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, Vec<Fault>> {
        read(&self.root).map_err(|faults| faults.into_iter().map(|fault| fault.within(&self.source)).collect())
    }

    /// Whether nothing is written in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        matches!(self.root.value, Value::Null)
    }
}

#[cfg(test)]
mod tests {
    use super::{Document, Real, digest, matching};

    #[test]
    #[expect(clippy::disallowed_methods, reason = "makes the files that are looked at")]
    fn a_digest_changes_with_what_files_say_and_which_there_are() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str| folder.path().join(name);
        std::fs::write(file("a.yaml"), "one").unwrap();
        let paths = [file("*.yaml"), file("token")];
        let first = digest(&paths);
        assert_eq!(digest(&paths), first);
        std::fs::write(file("a.yaml"), "two").unwrap();
        let second = digest(&paths);
        std::fs::write(file("b.yaml"), "").unwrap();
        let third = digest(&paths);
        std::fs::write(file("token"), "secret").unwrap();
        let all = [first, second, third, digest(&paths)];
        assert_eq!(std::collections::BTreeSet::from(all).len(), 4);
    }

    #[test]
    fn the_files_that_a_document_names_are_told() {
        let document = Document::parse("p.yaml", "a: '${file:token}'\nb: ['${file:/not/there}']", &Real).unwrap();
        assert_eq!(document.files, ["token", "/not/there"].map(std::path::PathBuf::from));
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "makes the files that are looked for")]
    fn a_star_stands_for_any_part_of_a_file_name() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["b.yaml", "a.yaml", "a.txt"] {
            std::fs::write(folder.path().join(name), "").unwrap();
        }
        let names = |pattern: &str| {
            let found = matching(&folder.path().join(pattern))?;
            Ok::<_, String>(found.iter().map(|path| path.file_name().unwrap().to_string_lossy().into_owned()).collect::<Vec<_>>())
        };
        assert_eq!(names("*.yaml").unwrap(), ["a.yaml", "b.yaml"]);
        assert_eq!(names("a.yaml").unwrap(), ["a.yaml"]);
        assert!(names("not_there.yaml").unwrap_err().ends_with("not_there.yaml: there is no such file"));
        assert!(names("*.json").unwrap_err().starts_with("no file matches"));
    }
}
