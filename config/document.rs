//! A file as read: its source, its tree, with `${env:}` and `${file:}` put in as values.

use crate::{Fault, Node, Source};
use std::{path::Path, sync::Arc};

/// Where `${env:NAME}` and `${file:PATH}` get their values; a test hands in its own.
pub trait Environment {
    /// The variable's value.
    fn variable(&self, name: &str) -> Option<String>;
    /// The file's text, without a trailing newline.
    fn file(&self, path: &str) -> Result<String, String>;
}

/// The process's own environment and file system.
#[derive(Debug)]
pub struct Real;

impl Environment for Real {
    fn variable(&self, name: &str) -> Option<String> {
        let _ = name;
        todo!()
    }
    fn file(&self, path: &str) -> Result<String, String> {
        let _ = path;
        todo!()
    }
}

/// A YAML file.
#[derive(Clone, Debug)]
pub struct Document {
    /// Name and text.
    pub source: Arc<Source>,
    /// Its tree.
    pub root: Node,
}

impl Document {
    /// Reads text that came from `name`. All faults of syntax and substitution at once.
    pub fn parse(name: &str, text: &str, environment: &dyn Environment) -> Result<Document, (Arc<Source>, Vec<Fault>)> {
        let _ = (name, text, environment);
        todo!()
    }

    /// Reads a file.
    pub fn load(path: &Path) -> Result<Document, (Arc<Source>, Vec<Fault>)> {
        let _ = path;
        todo!()
    }
}
