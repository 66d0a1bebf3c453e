//! Files that are not what they should be: too large, elsewhere, unreadable, no files at all.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::Command;

use crate::common::{CONFIG_MAP, PROFILE, assert_places_exist, folder, read};

/// The one problem of a folder as `file:line:column: error: cause; cure`, with the file below the folder.
fn only_problem(folder: &Path) -> String {
    let diagnostics = read(folder).unwrap_err();
    assert_places_exist("files", &diagnostics);
    assert_eq!(diagnostics.len(), 1, "{diagnostics}");
    diagnostics
        .iter()
        .next()
        .unwrap()
        .brief()
        .replace(&format!("{}/", folder.display()), "")
}

#[test]
fn a_file_of_50_mb_is_refused_by_its_size() {
    let folder = folder(&[("a.yaml", CONFIG_MAP)]);
    // Sparse: reading it would show in the time, and its zeroes as another message.
    File::create(folder.path().join("huge.yaml"))
        .unwrap()
        .set_len(50_000_000)
        .unwrap();
    let expected = "huge.yaml:1:1: error: the file is too large: 48 MiB; 16 MiB are read; \
                    split it, or leave out what is no manifest with manifests: in profile.yaml";
    assert_eq!(only_problem(folder.path()), expected);
}

#[test]
fn a_folder_of_too_much_is_refused() {
    let folder = folder(&[]);
    let text = format!(
        "{CONFIG_MAP}data:\n  a: |\n{}",
        "    0123456789abcdefghijklmnopqrstuvwxyz0123456789abcdefghijklmn\n".repeat(230_000)
    );
    for number in 0..5 {
        fs::write(
            folder.path().join(format!("{number}.yaml")),
            text.replace("settings", &format!("s{number}")),
        )
        .unwrap();
    }
    assert!(only_problem(folder.path()).contains("all files together pass the limit; 64 MiB are read"));
}

#[test]
fn a_large_profile_yaml_is_refused() {
    let padding = "# nothing\n".repeat(120_000);
    let folder = folder(&[("profile.yaml", &format!("{PROFILE}{padding}")), ("a.yaml", CONFIG_MAP)]);
    assert!(
        only_problem(folder.path())
            .starts_with("profile.yaml:1:1: error: the file is too large: 2 MiB; 1 MiB are read")
    );
}

#[test]
fn links_out_of_the_folder_are_refused_and_links_inside_are_followed() {
    let elsewhere = folder(&[("secret.yaml", CONFIG_MAP)]);
    let folder = folder(&[("data/a.yaml", CONFIG_MAP)]);
    symlink("data/a.yaml", folder.path().join("inside.yaml")).unwrap();
    assert_eq!(read(folder.path()).unwrap().manifests.len(), 1);
    symlink(elsewhere.path().join("secret.yaml"), folder.path().join("outside.yaml")).unwrap();
    let expected =
        "outside.yaml:1:1: error: a link that leads out of the profile's folder; copy the file into the folder";
    assert_eq!(only_problem(folder.path()), expected);
}

#[test]
fn a_profile_yaml_elsewhere_is_refused() {
    let elsewhere = folder(&[]);
    let folder = folder(&[("a.yaml", CONFIG_MAP)]);
    fs::remove_file(folder.path().join("profile.yaml")).unwrap();
    symlink(
        elsewhere.path().join("profile.yaml"),
        folder.path().join("profile.yaml"),
    )
    .unwrap();
    assert!(only_problem(folder.path()).starts_with("profile.yaml:1:1: error: a link that leads out"));
}

#[test]
fn linked_folders_are_not_walked() {
    let elsewhere = folder(&[("secret.yaml", CONFIG_MAP)]);
    let profile = format!("{PROFILE}manifests: [\"*/*.yaml\"]\n");
    let folder = folder(&[("profile.yaml", &profile), ("base/a.yaml", CONFIG_MAP)]);
    symlink(elsewhere.path(), folder.path().join("linked")).unwrap();
    assert_eq!(read(folder.path()).unwrap().manifests.len(), 1);
}

#[test]
fn broken_and_circular_links_are_reported() {
    let folder = folder(&[]);
    symlink("nowhere.yaml", folder.path().join("dangling.yaml")).unwrap();
    assert!(only_problem(folder.path()).starts_with("dangling.yaml:1:1: error: cannot be read: "));
    fs::remove_file(folder.path().join("dangling.yaml")).unwrap();
    symlink("loop.yaml", folder.path().join("loop.yaml")).unwrap();
    assert!(only_problem(folder.path()).starts_with("loop.yaml:1:1: error: cannot be read: "));
}

#[test]
fn sockets_pipes_devices_and_folders_are_not_read() {
    let folder = folder(&[("a.yaml", CONFIG_MAP), ("folder.yaml/x", "")]);
    let expected = "folder.yaml:1:1: error: a folder, not a file; replace it by a file, or rename it";
    assert_eq!(only_problem(folder.path()), expected);
    fs::remove_dir_all(folder.path().join("folder.yaml")).unwrap();

    let socket = folder.path().join("socket.yaml");
    let listener = UnixListener::bind(&socket).unwrap();
    assert!(only_problem(folder.path()).starts_with("socket.yaml:1:1: error: a pipe, socket or device, not a file"));
    drop(listener);
    fs::remove_file(&socket).unwrap();

    // Opening a pipe would wait for a writer for ever.
    let made = Command::new("mkfifo").arg(folder.path().join("pipe.yaml")).status();
    if made.is_ok_and(|status| status.success()) {
        assert!(only_problem(folder.path()).starts_with("pipe.yaml:1:1: error: a pipe, socket or device, not a file"));
    } else {
        println!("skipped: there is no mkfifo here");
    }
}

#[test]
fn a_file_without_permission_is_reported() {
    let folder = folder(&[("a.yaml", CONFIG_MAP)]);
    let file = folder.path().join("a.yaml");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o000)).unwrap();
    if File::open(&file).is_ok() {
        println!("skipped: this user may read every file");
        return;
    }
    let expected =
        "a.yaml:1:1: error: cannot be read: permission denied; give yourself permission to read it: chmod u+r";
    assert_eq!(only_problem(folder.path()), expected);
}

#[test]
fn a_name_that_is_not_utf_8_is_reported() {
    let folder = folder(&[]);
    fs::write(folder.path().join(OsStr::from_bytes(b"bad\xff.yaml")), CONFIG_MAP).unwrap();
    assert!(only_problem(folder.path()).contains("error: the file's name is not UTF-8; rename it"));
}

#[test]
fn what_is_no_folder_is_refused_with_the_one_that_was_meant() {
    let parent = tempfile::tempdir().unwrap();
    let web = parent.path().join("web");
    fs::create_dir(&web).unwrap();
    fs::write(web.join("profile.yaml"), PROFILE).unwrap();
    let brief = |path: &Path| read(path).unwrap_err().iter().next().unwrap().brief();
    let meant = format!("did you mean {}?", web.display());
    let missing = brief(&parent.path().join("wev"));
    assert!(
        missing.contains("there is no such folder") && missing.ends_with(&meant),
        "{missing}"
    );
    let file = brief(&web.join("profile.yaml"));
    assert!(
        file.contains("a profile is a folder") && file.ends_with(&format!("pass {}", web.display())),
        "{file}"
    );
    let without = brief(parent.path());
    assert!(
        without.contains("the folder has no profile.yaml") && without.ends_with(&meant),
        "{without}"
    );
}

#[test]
fn hidden_files_and_other_names_are_left_alone() {
    let others = [
        ("README.md", "# not a manifest"),
        (".a.yaml", "\tno"),
        ("values.yaml.bak", "\tno"),
        ("sub/x.yaml", "\tno"),
    ];
    let folder = folder(
        &[
            &others[..],
            &[(
                "a.json",
                r#"{"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}}"#,
            )],
        ]
        .concat(),
    );
    symlink("nowhere", folder.path().join(".#a.yaml")).unwrap();
    assert_eq!(read(folder.path()).unwrap().manifests.len(), 1);
}

#[test]
fn a_byte_order_mark_and_carriage_returns_are_taken() {
    let text = format!("\u{feff}{}", CONFIG_MAP.replace('\n', "\r\n"));
    let folder = folder(&[("a.yaml", &text)]);
    let profile = read(folder.path()).unwrap();
    assert_eq!(profile.manifests[0].object.name(), "settings");
    assert_eq!(
        (profile.manifests[0].origin.line, profile.manifests[0].origin.column),
        (1, 1)
    );
}

#[test]
fn the_digest_is_that_of_names_and_contents() {
    let digest = |files: &[(&str, &str)]| read(folder(files).path()).unwrap().digest;
    let one = digest(&[("a.yaml", CONFIG_MAP)]);
    assert_eq!(one, digest(&[("a.yaml", CONFIG_MAP)]));
    assert_ne!(one, digest(&[("b.yaml", CONFIG_MAP)]));
    assert_ne!(one, digest(&[("a.yaml", &format!("{CONFIG_MAP}# changed\n"))]));
}
