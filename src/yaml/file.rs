//! From the bytes of a file to its text.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use crate::diagnostic::{Diagnostic, Diagnostics, Location};
use crate::source::{Source, Span};

/// Bytes in a MiB, in which limits are given.
pub const MIB: u64 = 1 << 20;

/// Reads a file that ends, of at most `largest` bytes; `shown` is its path as messages show it, and `too_large` what helps where it
/// has more.
pub fn read(path: &Path, shown: &Path, largest: u64, too_large: &str) -> Result<Vec<u8>, Diagnostics> {
    let metadata = fs::metadata(path).map_err(|error| unreadable(shown, &error))?;
    if !metadata.is_file() {
        let what = if metadata.is_dir() {
            "a folder"
        } else {
            "a pipe, socket or device"
        };
        let cure = "replace it by a file, or rename it";
        return Err(problem(shown, format!("{what}, not a file"), cure));
    }
    let refuse = |size: String| {
        let cause = format!("the file is too large: {size}; {} MiB are read", largest / MIB);
        problem(shown, cause, too_large)
    };
    let size = metadata.len();
    if size > largest {
        return Err(refuse(format!("{} MiB", size.div_ceil(MIB))));
    }
    let mut bytes = Vec::new();
    let content = File::open(path).and_then(|file| file.take(largest + 1).read_to_end(&mut bytes));
    let length = content.map_err(|error| unreadable(shown, &error))? as u64;
    if length > largest {
        return Err(refuse("it grew while it was read".to_owned()));
    }
    Ok(bytes)
}

/// A problem of a file as a whole.
pub fn problem(shown: &Path, cause: impl Into<String>, cure: impl Into<String>) -> Diagnostics {
    Diagnostic::new(Location::of_file(shown), cause, cure).into()
}

/// What is wrong where a file cannot be read.
pub fn unreadable(shown: &Path, error: &io::Error) -> Diagnostics {
    let cure = match error.kind() {
        io::ErrorKind::PermissionDenied => "give yourself permission to read it: chmod u+r",
        io::ErrorKind::NotFound => "it is a link to nothing: mend or remove it",
        _ => "check the file",
    };
    problem(shown, format!("cannot be read: {}", error.kind()), cure)
}

/// Bytes as text: UTF-8, with or without a byte order mark.
pub fn decode(path: PathBuf, mut bytes: Vec<u8>) -> Result<Source, Diagnostics> {
    if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
        return Err(problem(&path, "the file is UTF-16", "save it as UTF-8"));
    }
    if bytes.starts_with(&[0xef, 0xbb, 0xbf]) {
        bytes.drain(..3);
    }
    let (text, wrong) = match String::from_utf8(bytes) {
        Ok(text) => {
            let zero = text.find('\0');
            (text, zero)
        }
        Err(error) => (
            String::from_utf8_lossy(error.as_bytes()).into_owned(),
            Some(error.utf8_error().valid_up_to()),
        ),
    };
    let Some(offset) = wrong else {
        return Ok(Source::new(path, text));
    };
    let (cause, cure) = if text.contains('\0') {
        (
            "bytes that are no text: this is a binary file",
            "take it away, or save it as UTF-8",
        )
    } else {
        ("bytes that are not UTF-8", "save it as UTF-8")
    };
    let mut location = Source::new(path, text).locate(Span {
        start: offset,
        end: offset,
    });
    // A line of a binary file is nothing to look at.
    location.snippet = None;
    Err(Diagnostic::new(location, cause, cure).into())
}
