//! The only file that prints. A reader who went away (`| head`) is no error.

use config::{Fault, Source, show};
use std::io::{IsTerminal, Write};

/// To stdout, with a newline.
pub(crate) fn line(text: &str) {
    // A closed pipe means that nobody reads on.
    let _gone = writeln!(std::io::stdout().lock(), "{text}");
}

/// To stderr, with a newline.
pub(crate) fn note(text: &str) {
    let _gone = writeln!(std::io::stderr().lock(), "{text}");
}

/// A mistake that has no place in a file.
pub(crate) fn error(text: &str) {
    note(&format!("error: {text}"));
}

/// Faults of a file, to stderr.
pub(crate) fn faults(source: &Source, faults: &[Fault]) {
    if !faults.is_empty() {
        note(show::text(source, faults, colour()).trim_end());
    }
}

/// Colours where a person reads and did not say otherwise (<https://no-color.org>).
pub(crate) fn colour() -> show::Colour {
    let unwanted = std::env::var_os("NO_COLOR").is_some_and(|v| !v.is_empty());
    if std::io::stderr().is_terminal() && !unwanted { show::Colour::Always } else { show::Colour::Never }
}

/// To stdout, with a newline; whether somebody reads it.
pub(crate) fn reaches(text: &str) -> bool {
    writeln!(std::io::stdout().lock(), "{text}").is_ok()
}
