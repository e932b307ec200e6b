//! Programs that write numbered lines as fast as they are let, in pieces that mind no line, and rotate.

use std::{
    fs::{self, File, OpenOptions},
    io::Write,
    path::{Path, PathBuf},
};

/// How a program's file is rotated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rotates {
    /// Renamed, and a new one made: `logrotate` with `create`, a runtime.
    ByRenaming,
    /// Copied, then cut to nothing: `logrotate` with `copytruncate`. Nothing is written in between, since nobody could read that.
    ByCopying,
}

/// A program and its file.
pub(crate) struct Writer {
    pub(crate) name: &'static str,
    path: PathBuf,
    rotates: Rotates,
    /// Puts around a line what a runtime puts around it, cut into parts.
    runtime: bool,
    file: File,
    pub(crate) written: u64,
    rotations: u64,
    chance: u64,
    /// What of the last line has not been written yet.
    rest: Vec<u8>,
    now: String,
}

/// Lines are told apart by hundreds of these, so that a search finds few enough.
pub(crate) const BLOCK: u64 = 4_000;

impl Writer {
    pub(crate) fn new(name: &'static str, path: PathBuf, rotates: Rotates, runtime: bool) -> Writer {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let file = open(&path);
        Writer { name, path, rotates, runtime, file, written: 0, rotations: 0, chance: 7, rest: Vec::new(), now: crate::now() }
    }

    fn random(&mut self, below: u64) -> u64 {
        self.chance = self.chance.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.chance >> 33) % below
    }

    /// So many lines more, in pieces.
    pub(crate) fn write(&mut self, lines: u64) {
        for _ in 0..lines {
            let (number, filler) = (self.written, self.random(60));
            let line = format!("{}-{}- {number} {}", self.name, number / BLOCK, "x".repeat(usize::try_from(filler).unwrap()));
            let line = if self.runtime { self.wrapped(&line) } else { format!("{line}\n") };
            self.rest.extend_from_slice(line.as_bytes());
            self.written += 1;
            if self.random(20) == 0 {
                // A piece that ends anywhere.
                let cut = usize::try_from(self.random(self.rest.len() as u64 + 1)).unwrap();
                let later = self.rest.split_off(cut);
                self.flush();
                self.rest = later;
            }
        }
    }

    fn wrapped(&mut self, line: &str) -> String {
        let output = if self.random(4) == 0 { "stderr" } else { "stdout" };
        let mut rest = line;
        let mut text = String::new();
        while !rest.is_empty() {
            let cut = usize::try_from(1 + self.random(50)).unwrap().min(rest.len());
            let tag = if cut == rest.len() { 'F' } else { 'P' };
            text.push_str(&format!("{}.{:09}Z {output} {tag} {}\n", self.now, self.written, &rest[..cut]));
            rest = &rest[cut..];
        }
        text
    }

    fn flush(&mut self) {
        self.file.write_all(&self.rest).unwrap();
        self.rest.clear();
    }

    /// Between two lines of the file, as everybody rotates; between two parts of a line, where a runtime wraps them.
    pub(crate) fn rotate(&mut self) {
        let end = self.rest.iter().position(|byte| *byte == b'\n').map_or(self.rest.len(), |end| end + 1);
        let later = self.rest.split_off(end);
        self.flush();
        self.rest = later;
        self.rotations += 1;
        let older = PathBuf::from(format!("{}.{:06}", self.path.display(), self.rotations));
        match self.rotates {
            Rotates::ByRenaming => {
                fs::rename(&self.path, older).unwrap();
                self.file = open(&self.path);
            }
            Rotates::ByCopying => {
                fs::copy(&self.path, older).unwrap();
                self.file.set_len(0).unwrap();
            }
        }
    }

    pub(crate) fn finish(&mut self) {
        self.flush();
    }
}

fn open(path: &Path) -> File {
    OpenOptions::new().create(true).append(true).open(path).unwrap()
}
