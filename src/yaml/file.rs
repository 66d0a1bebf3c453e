//! From the bytes of a file to its text.

use std::fs::{self, File, Metadata};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags};

use crate::diagnostic::{Diagnostic, Diagnostics, Location};
use crate::source::{Source, Span};

/// Bytes in a MiB, in which limits are given.
pub const MIB: u64 = 1 << 20;

/// Reads a file that ends, of at most `largest` bytes; `path` is no link. `shown` is its path as messages show it, and `too_large`
/// what helps where it has more.
pub fn read(path: &Path, shown: &Path, largest: u64, too_large: &str) -> Result<Vec<u8>, Diagnostics> {
    // Before it is opened, too: that alone may set a device in motion.
    let metadata = fs::metadata(path).map_err(|error| unreadable(shown, &error))?;
    check_kind(&metadata, shown)?;
    contents(path, shown, largest, too_large)
}

/// The same for what somebody may have replaced since it was looked at.
fn contents(path: &Path, shown: &Path, largest: u64, too_large: &str) -> Result<Vec<u8>, Diagnostics> {
    let failed = |error: io::Error| unreadable(shown, &error);
    // Without waiting for a pipe's writer, and not through a link that leads elsewhere.
    let how = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOFOLLOW | OFlags::NOCTTY | OFlags::CLOEXEC;
    let file = File::from(rustix::fs::open(path, how, Mode::empty()).map_err(|error| failed(error.into()))?);
    let metadata = file.metadata().map_err(failed)?;
    check_kind(&metadata, shown)?;
    let refuse = |size: String| {
        let cause = format!("the file is too large: {size}; {} MiB are read", largest / MIB);
        problem(shown, cause, too_large)
    };
    let size = metadata.len();
    if size > largest {
        return Err(refuse(format!("{} MiB", size.div_ceil(MIB))));
    }
    let mut bytes = Vec::new();
    let length = file.take(largest + 1).read_to_end(&mut bytes).map_err(failed)? as u64;
    if length > largest {
        return Err(refuse("it grew while it was read".to_owned()));
    }
    Ok(bytes)
}

fn check_kind(metadata: &Metadata, shown: &Path) -> Result<(), Diagnostics> {
    if metadata.is_file() {
        return Ok(());
    }
    let what = if metadata.is_dir() {
        "a folder"
    } else {
        "a pipe, socket or device"
    };
    let cure = "replace it by a file, or rename it";
    Err(problem(shown, format!("{what}, not a file"), cure))
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

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use rustix::fs::{CWD, mkfifoat};

    use super::*;

    /// What is wrong with a file that was an ordinary one a moment ago.
    fn problem_of(path: &Path) -> String {
        contents(path, path, MIB, "").unwrap_err().to_string()
    }

    #[test]
    fn what_was_replaced_since_it_was_looked_at_is_not_read() {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("pipe");
        mkfifoat(CWD, &pipe, Mode::RUSR | Mode::WUSR).unwrap();
        // Nobody writes to it, and this does not wait for somebody who does.
        assert!(problem_of(&pipe).contains("a pipe, socket or device, not a file"));
        assert!(problem_of(Path::new("/dev/zero")).contains("device"));
        assert!(problem_of(folder.path()).contains("a folder, not a file"));
        let (secret, link) = (folder.path().join("secret"), folder.path().join("link"));
        fs::write(&secret, "hush").unwrap();
        assert_eq!(contents(&secret, &secret, MIB, "").unwrap(), b"hush");
        symlink(&secret, &link).unwrap();
        assert!(problem_of(&link).contains("cannot be read"));
    }
}
