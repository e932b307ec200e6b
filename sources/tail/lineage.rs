//! All files that one program writes one after the other: what is half said at the end of one goes on at the start of the next.

use super::{
    found::Attributes,
    stream::{Joining, Made, Piece, Stream},
    tracked::Tracked,
};
use bytes::Bytes;
use signal::{
    Time, Value,
    codec::line::{LineLogs, Output, Said, When},
};
use std::path::Path;

/// What takes the lines of files apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    /// A line is what a program said.
    Plain,
    /// A line is what a container runtime wrote down.
    Container,
}

/// What is counted on the way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    /// Records that a line too long for one went into, beyond the first.
    pub(crate) split: u64,
    /// Lines that were not UTF-8.
    pub(crate) repaired: u64,
}

/// The files of one program, and what it has said and no record has yet.
#[derive(Debug)]
pub(crate) struct Lineage {
    /// By number, the oldest first.
    pub(crate) files: Vec<u64>,
    pub(crate) resource: Attributes,
    /// Older parts that were last written to before are known.
    pub(crate) older_to: u64,
    format: Format,
    path: String,
    name: String,
    streams: [Stream; 2],
    logs: LineLogs,
}

/// A line as it lies in a file, or a piece of one.
pub(crate) struct Raw<'a> {
    pub(crate) bytes: &'a [u8],
    pub(crate) offset: u64,
    /// Whether its end of line follows it.
    pub(crate) has_end: bool,
}

impl Lineage {
    pub(crate) fn new(path: &str, format: Format, joining: &Joining, resource: Attributes) -> Lineage {
        let name = Path::new(path).file_name().unwrap_or_default().to_string_lossy().into_owned();
        let streams = [Stream::new(joining.clone()), Stream::new(joining.clone())];
        let logs = LineLogs::new(resource.clone());
        Lineage { files: Vec::new(), resource, older_to: 0, format, path: path.to_owned(), name, streams, logs }
    }

    /// The same where older parts are known that were last written to before `older_to`.
    pub(crate) fn known_to(self, older_to: u64) -> Lineage {
        Lineage { older_to, ..self }
    }

    /// Takes the next line of a file.
    pub(crate) fn take(&mut self, raw: &Raw<'_>, file: &mut Tracked, now: Time, tally: &mut Tally) {
        // Where a file was truncated under a writer that did not go back, there is a hole of zeros.
        let zeros = if file.within.is_none() { raw.bytes.iter().take_while(|byte| **byte == 0).count() } else { 0 };
        let line = &raw.bytes[zeros..];
        if line.is_empty() && !raw.has_end {
            return;
        }
        let mut said = match (self.format, file.within) {
            (Format::Container, None) => Said::of_container(line),
            (Format::Plain, _) | (Format::Container, Some(_)) => Said::plain(line),
        };
        said.output = file.within.unwrap_or(said.output);
        file.within = Some(said.output).filter(|_| !raw.has_end);
        if file.was_taken(said.output, raw.offset) {
            return;
        }
        tally.repaired += u64::from(said.repaired);
        let piece = Piece {
            text: &said.text,
            goes_on: said.goes_on || !raw.has_end,
            when: When { said: said.at, read: now },
            spot: file.spot(raw.offset),
        };
        let mut made = Vec::new();
        let stream = &mut self.streams[said.output as usize];
        stream.push(&piece, &mut made);
        if stream.starts(file.number).any(|offset| offset == raw.offset) {
            let waiting: Vec<u64> = self.streams.iter().flat_map(|stream| stream.starts(file.number)).collect();
            file.begins_here(&waiting);
        }
        self.log(made, said.output, tally);
    }

    /// Makes records of what has waited long enough; whether there were any.
    pub(crate) fn flush(&mut self, which: Flush, tally: &mut Tally) -> bool {
        let mut some = false;
        for output in Output::ALL {
            let (stream, mut made) = (&mut self.streams[output as usize], Vec::new());
            match which {
                Flush::Due(now) => stream.flush_due(now, &mut made),
                Flush::Lines => stream.flush_lines(&mut made),
                Flush::All => stream.flush_all(&mut made),
            }
            some |= !made.is_empty();
            self.log(made, output, tally);
        }
        some
    }

    /// Where in a file what waits began, per output.
    pub(crate) fn waits_from(&self, file: u64) -> [Option<u64>; 2] {
        [&self.streams[0], &self.streams[1]].map(|stream| stream.waits_from(file))
    }

    /// Whether nothing waits.
    pub(crate) fn is_empty(&self) -> bool {
        self.streams.iter().all(Stream::is_empty)
    }

    /// Records since the last request.
    pub(crate) fn records(&self) -> usize {
        self.logs.len()
    }

    /// The records so far as a request.
    pub(crate) fn request(&mut self) -> Option<Bytes> {
        self.logs.take()
    }

    fn log(&mut self, made: Vec<Made>, output: Output, tally: &mut Tally) {
        for Made { text, when, part } in made {
            let mut attributes = vec![("log.file.name", Value::from(self.name.as_str())), ("log.file.path", self.path.as_str().into())];
            if self.format == Format::Container {
                attributes.push(("log.iostream", output.word().into()));
            }
            if let Some(part) = part {
                tally.split += u64::from(part > 1);
                attributes.push(("log.part", Value::Int(part.into())));
            }
            self.logs.push_with(&text, when, attributes);
        }
    }
}

/// What is to become records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flush {
    /// What has waited long enough now.
    Due(Time),
    /// Whole lines.
    Lines,
    /// All of it.
    All,
}
