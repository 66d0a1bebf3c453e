//! Reads the files of a profile's folder, and nothing outside of it.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::{Component, Path, PathBuf};

use globset::{GlobBuilder, GlobMatcher};
use sha2::{Digest, Sha256};

use moorline_yaml::Node;
use moorline_yaml::diagnostic::{Diagnostics, Findings};
use moorline_yaml::file::{self, MIB, decode, problem, unreadable};
use moorline_yaml::source::Source;
use moorline_yaml::words::{nearest, quote};

/// The name of the file that makes a folder a profile.
pub(crate) const PROFILE_FILE: &str = "profile.yaml";

const LARGEST_PROFILE: u64 = MIB;
const LARGEST_MANIFEST: u64 = 16 * MIB;
const LARGEST_FOLDER: u64 = 64 * MIB;
/// How deep and how many folders and files a glob may walk.
const DEEPEST_FOLDER: usize = 8;
const MOST_ENTRIES: usize = 10_000;

/// A profile's folder, and how much of it was read.
pub(crate) struct Folder {
    /// As it was given; messages show files below it.
    given: PathBuf,
    /// Without links; every file must lie below it.
    real: PathBuf,
    bytes_read: u64,
    digest: Sha256,
}

impl Folder {
    /// Opens the folder of a profile.
    pub(crate) fn open(given: &Path) -> Result<Self, Diagnostics> {
        let real = given.canonicalize().map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => {
                let cure =
                    known_profiles_near(given).unwrap_or_else(|| "pass the path of a profile's folder".to_owned());
                problem(given, "there is no such folder", cure)
            }
            _ => problem(
                given,
                format!("cannot be opened: {}", error.kind()),
                "check the path and its permissions",
            ),
        })?;
        if !real.is_dir() {
            let parent = given
                .parent()
                .filter(|parent| !parent.as_os_str().is_empty())
                .unwrap_or(Path::new("."));
            return Err(problem(
                given,
                "a profile is a folder, and this is a file",
                format!("pass {}", parent.display()),
            ));
        }
        Ok(Self {
            given: given.to_owned(),
            real,
            bytes_read: 0,
            digest: Sha256::new(),
        })
    }

    /// Reads `profile.yaml`.
    pub(crate) fn read_profile(&mut self) -> Result<Source, Diagnostics> {
        let path = self.real.join(PROFILE_FILE);
        if fs::symlink_metadata(&path).is_err_and(|error| error.kind() == io::ErrorKind::NotFound) {
            return Err(self.without_profile());
        }
        self.read(Path::new(PROFILE_FILE), LARGEST_PROFILE)
    }

    /// The names of the manifests, sorted: those that the patterns of `profile.yaml` match, or all beside it.
    pub(crate) fn manifests(&self, patterns: Option<(&Source, &[Node])>, findings: &mut Findings) -> Vec<PathBuf> {
        let Some((source, patterns)) = patterns else {
            return self.beside(findings);
        };
        let mut names = Vec::new();
        for node in patterns {
            let Some(pattern) = node.as_str() else { continue };
            match self.matching(pattern) {
                Ok(found) => names.extend(found),
                Err((cause, cure)) => findings.error(source, node.span, format!("{}: {cause}", quote(pattern)), cure),
            }
        }
        names.sort();
        names.dedup();
        names
    }

    /// Reads a manifest by its name below the folder.
    pub(crate) fn read_manifest(&mut self, name: &Path) -> Result<Source, Diagnostics> {
        self.read(name, LARGEST_MANIFEST)
    }

    /// SHA-256 of all that was read, with the names.
    pub(crate) fn digest(&self) -> String {
        let digest = self.digest.clone().finalize();
        digest
            .iter()
            .fold(String::new(), |hex, byte| format!("{hex}{byte:02x}"))
    }

    fn without_profile(&self) -> Diagnostics {
        let cure = match fs::metadata(self.real.join("profile.yml")) {
            Ok(_) => "rename profile.yml to profile.yaml".to_owned(),
            Err(_) => known_profiles_near(&self.given.join("x")).unwrap_or_else(|| {
                "add it, at least with name: and provider: with aws: {} or azure: {} below".to_owned()
            }),
        };
        problem(&self.given.join(PROFILE_FILE), "the folder has no profile.yaml", cure)
    }

    fn beside(&self, findings: &mut Findings) -> Vec<PathBuf> {
        let wanted = |name: &OsStr| {
            let name = Path::new(name);
            let extension = name.extension().and_then(OsStr::to_str);
            let hidden = name.as_os_str().as_encoded_bytes().starts_with(b".");
            matches!(extension, Some("yaml" | "yml" | "json")) && !hidden && name != Path::new(PROFILE_FILE)
        };
        match fs::read_dir(&self.real) {
            Ok(entries) => {
                let names = entries.filter_map(|entry| Some(entry.ok()?.file_name()));
                let mut names: Vec<_> = names.filter(|name| wanted(name)).map(PathBuf::from).collect();
                names.sort();
                names
            }
            Err(error) => {
                let cause = format!("the folder cannot be read: {}", error.kind());
                findings.extend(problem(&self.given, cause, "check its permissions"));
                Vec::new()
            }
        }
    }

    /// The files that one pattern of `manifests:` names; at least one.
    fn matching(&self, pattern: &str) -> Result<Vec<PathBuf>, (String, String)> {
        let inside = || "name files inside the profile's folder".to_owned();
        let path = Path::new(pattern);
        if path.is_absolute()
            || path
                .components()
                .any(|part| matches!(part, Component::ParentDir | Component::RootDir))
        {
            return Err(("it leads out of the folder".to_owned(), inside()));
        }
        let pattern = pattern.strip_prefix("./").unwrap_or(pattern);
        let glob = GlobBuilder::new(pattern)
            .literal_separator(true)
            .empty_alternates(true)
            .build();
        let glob = glob.map_err(|error| {
            (
                format!("it is no glob: {}", error.kind()),
                "write it like base/*.yaml".to_owned(),
            )
        })?;
        let mut walk = Walk {
            root: &self.real,
            glob: glob.compile_matcher(),
            found: Vec::new(),
            entries: 0,
        };
        let deepest = if pattern.contains("**") {
            DEEPEST_FOLDER
        } else {
            pattern.matches('/').count()
        };
        let complete = walk.folder(Path::new(""), deepest);
        if !complete {
            let cause = format!("the folder has more than {MOST_ENTRIES} entries");
            return Err((cause, "move what is no manifest out of it".to_owned()));
        }
        walk.found.retain(|name| name != Path::new(PROFILE_FILE));
        if walk.found.is_empty() {
            let files: Vec<_> = self.beside(&mut Findings::default());
            let files: Vec<_> = files.iter().filter_map(|name| name.to_str()).collect();
            let cure = match nearest(pattern, files.iter().copied()) {
                Some(nearest) => format!("did you mean {nearest}?"),
                None if files.is_empty() => "add the file".to_owned(),
                None => format!("the folder has {}", files.join(", ")),
            };
            return Err(("no file matches".to_owned(), cure));
        }
        Ok(walk.found)
    }

    fn read(&mut self, name: &Path, largest: u64) -> Result<Source, Diagnostics> {
        let shown = self.given.join(name);
        let path = self.real_file(name, &shown)?;
        let bytes = self.bytes_of(&path, &shown, largest)?;
        self.bytes_read += bytes.len() as u64;
        self.digest.update(name.as_os_str().as_encoded_bytes());
        self.digest.update([0]);
        self.digest.update((bytes.len() as u64).to_le_bytes());
        self.digest.update(&bytes);
        decode(shown, bytes)
    }

    /// The real path of a file that lies inside the folder.
    fn real_file(&self, name: &Path, shown: &Path) -> Result<PathBuf, Diagnostics> {
        if name.to_str().is_none() {
            return Err(problem(shown, "the file's name is not UTF-8", "rename it"));
        }
        let real = self
            .real
            .join(name)
            .canonicalize()
            .map_err(|error| unreadable(shown, &error))?;
        if !real.starts_with(&self.real) {
            return Err(problem(
                shown,
                "a link that leads out of the profile's folder",
                "copy the file into the folder",
            ));
        }
        Ok(real)
    }

    /// The content of a file, as long as it stays within the limits of the file and of the folder.
    fn bytes_of(&self, path: &Path, shown: &Path, largest: u64) -> Result<Vec<u8>, Diagnostics> {
        let cure = "split it, or leave out what is no manifest with manifests: in profile.yaml";
        let bytes = file::read(path, shown, largest, cure)?;
        if bytes.len() as u64 > LARGEST_FOLDER - self.bytes_read {
            let most = LARGEST_FOLDER / MIB;
            let cause = format!("the file is too large: all files together pass the limit; {most} MiB are read");
            return Err(problem(shown, cause, cure));
        }
        Ok(bytes)
    }
}

/// Walks a folder for the files that a glob matches. Linked folders are not entered.
struct Walk<'a> {
    root: &'a Path,
    glob: GlobMatcher,
    found: Vec<PathBuf>,
    entries: usize,
}

impl Walk<'_> {
    /// Whether everything was seen.
    fn folder(&mut self, below: &Path, depth: usize) -> bool {
        let Ok(entries) = fs::read_dir(self.root.join(below)) else {
            return true;
        };
        for entry in entries.flatten() {
            self.entries += 1;
            if self.entries > MOST_ENTRIES {
                return false;
            }
            let name = below.join(entry.file_name());
            let is_folder = entry.file_type().is_ok_and(|sort| sort.is_dir());
            if is_folder && depth > 0 && !self.folder(&name, depth - 1) {
                return false;
            }
            if !is_folder && self.glob.is_match(&name) {
                self.found.push(name);
            }
        }
        true
    }
}

/// Profiles beside or below a path that is none, for a message.
fn known_profiles_near(path: &Path) -> Option<String> {
    let parent = path.parent()?;
    let parent = if parent.as_os_str().is_empty() {
        Path::new(".")
    } else {
        parent
    };
    let profiles: BTreeMap<String, PathBuf> = fs::read_dir(parent)
        .ok()?
        .flatten()
        .take(MOST_ENTRIES)
        .filter(|entry| entry.path().join(PROFILE_FILE).is_file())
        .filter_map(|entry| Some((entry.file_name().into_string().ok()?, entry.path())))
        .collect();
    let wanted = path.file_name().and_then(OsStr::to_str).unwrap_or_default();
    let best =
        nearest(wanted, profiles.keys().map(String::as_str)).or_else(|| profiles.keys().next().map(String::as_str))?;
    let found = profiles.get(best)?;
    let found = found.strip_prefix("./").unwrap_or(found);
    Some(format!("did you mean {}?", found.display()))
}
