//! What others wrote into names, tags, events and answers: it is shown, and a terminal obeys none of it.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::Duration;

use serde_json::json;

use crate::ec2::Ec2;
use crate::gc::stage::{AWS, Stage};
use crate::support::{Run, World, exchange};

/// Clears the screen, sets the title, deletes, goes back, and turns the rest of the line around.
const EVIL: &str = "evil\u{1b}[2J\u{1b}]0;owned\u{7}\u{9b}31m\u{7f}\r\u{202e}live";
/// What EC2 lets into a tag, as a form has it: a tab, a line break and an override of direction among it.
const EVIL_TAG: &str = "evil%09%0D%0A%E2%80%AElive";

/// Nothing but text and line breaks, and colours where they were asked for.
#[track_caller]
fn assert_harmless(run: &Run, coloured: bool) {
    let bad = |c: char| {
        (c.is_control() && c != '\n')
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}')
    };
    for (name, text) in [("stdout", &run.stdout), ("stderr", &run.stderr)] {
        let text = if coloured { without_colours(text) } else { text.clone() };
        let line = text.lines().find(|line| line.contains(bad));
        assert_eq!(line, None, "{name} of moorline {}", run.line);
    }
}

/// The text without the sequences that set a colour and do nothing else.
fn without_colours(text: &str) -> String {
    let mut parts = text.split("\u{1b}[");
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let rest = part.trim_start_matches(|c: char| c.is_ascii_digit() || c == ';');
        match rest.strip_prefix('m') {
            Some(rest) => plain.push_str(rest),
            None => plain.extend(["\u{1b}[", part]),
        }
    }
    plain
}

/// Every form of output of a command; in how many of them stdout says `evil`.
fn all_forms(world: &World, line: &str) -> usize {
    let forms = ["-o wide", "-o json", "-o yaml", "--color always -vvv"];
    let runs = forms.map(|form| (form, world.run(&format!("{line} {form}"))));
    for (form, run) in &runs {
        assert_harmless(run, form.contains("color"));
    }
    runs.iter().filter(|(_, run)| run.stdout.contains("evil")).count()
}

#[test]
fn names_tags_and_events_cannot_drive_the_terminal() {
    let stage = Stage::with(&AWS);
    let (world, served) = (&stage.world, &stage.sandbox);
    let ec2 = Ec2::of(served);
    let made = ec2.call("Action=CreateVolume&Size=1&AvailabilityZone=us-east-1a");
    let id = made
        .split("<volumeId>")
        .nth(1)
        .unwrap()
        .split('<')
        .next()
        .unwrap()
        .to_owned();
    let known = world.state();
    let kept = known["volumes"][0]["id"].as_str().unwrap().to_owned();
    for key in [
        "kubernetes.io/created-for/pvc/name",
        "kubernetes.io/created-for/pvc/namespace",
        "CSIVolumeName",
        "moorline.dev/claim",
        "moorline.dev/namespace",
        "moorline.dev/profile",
        "moorline.dev/cluster-uid",
        "moorline.dev/owner",
        "moorline.dev/unused",
        "moorline.dev/protect",
        "Name",
    ] {
        ec2.tag(&id, key, EVIL_TAG);
    }
    ec2.tag(&kept, "moorline.dev/owner", EVIL_TAG);
    ec2.tag(&kept, "Name", EVIL_TAG);
    // The newest of its events, whatever the sandbox's controllers have to say meanwhile.
    let seen = (jiff::Timestamp::now() + Duration::from_mins(1)).to_string();
    let event = json!({
        "apiVersion": "v1", "kind": "Event", "metadata": {"name": "evil", "namespace": "default"},
        "involvedObject": {"apiVersion": "apps/v1", "kind": "StatefulSet", "namespace": "default", "name": AWS.set},
        "type": "Warning", "reason": EVIL, "message": EVIL, "count": 3,
        "firstTimestamp": seen, "lastTimestamp": seen,
        "source": {"component": EVIL},
    });
    let head = "POST /api/v1/namespaces/default/events HTTP/1.1\r\nContent-Type: application/json";
    exchange(&served.api_server(), head, &event.to_string());

    assert!(all_forms(world, "gc --sandbox") >= 2, "the tags are shown, too");
    assert_eq!(all_forms(world, &format!("explain {id} --sandbox")), 4);
    assert_eq!(all_forms(world, &format!("status {} --sandbox", AWS.profile)), 4);
}

#[test]
fn refusals_cannot_drive_the_terminal() {
    let world = World::instant();
    let served = world.serve();
    for (service, operation) in [
        ("ec2", "DescribeVolumes"),
        ("kubernetes", "list persistentvolumeclaims"),
    ] {
        let effect = json!({"error": {"status": 403, "code": "Forbidden", "message": EVIL, "retry_after": null}});
        world.fault(
            &json!({"service": service, "operation": operation, "moment": "before", "times": 1000, "effect": effect}),
        );
        for form in ["-o json", "--color always -vvv"] {
            let run = world
                .run(&format!("plan {} --sandbox --timeout 3s {form}", AWS.profile))
                .exits(3);
            assert!(run.stderr.contains("evil"), "{}", run.stderr);
            assert_harmless(&run, form.contains("color"));
        }
        world.run("sandbox fault clear").succeeds();
    }
    drop(served);
}

/// What is the owner's alone: nobody else may read it, and folders not even list it.
fn assert_private(path: &Path) -> usize {
    let mode = path.symlink_metadata().unwrap().permissions().mode();
    assert_eq!(mode & 0o077, 0, "{}: {mode:o}", path.display());
    if !path.is_dir() {
        return 1;
    }
    let entries = path.read_dir().unwrap().map(|entry| entry.unwrap().path());
    entries.map(|path| assert_private(&path)).sum()
}

#[test]
fn what_is_written_is_for_its_owner_whatever_the_umask() {
    let world = World::realistic();
    let run = |line: &str| {
        let mut shell = world.command("sh");
        shell.args(["-c", "umask 0 && exec \"$0\" \"$@\"", env!("CARGO_BIN_EXE_moorline")]);
        Run::of(line, &shell.args(line.split_whitespace()).output().unwrap())
    };
    let policy = world.path().join("policy/gc.yaml");
    std::fs::create_dir(world.path().join("policy")).unwrap();
    run("sandbox settings --instant").succeeds();
    run("sandbox serve --detach").succeeds();
    run("up profiles/aws-nginx-stateful --sandbox").succeeds();
    run("gc --sandbox --apply").succeeds();
    run(&format!("gc init {} --sandbox", policy.display())).succeeds();
    run("sandbox stop").succeeds();
    let files = assert_private(&world.path().join("sandbox"));
    assert!(files > 5, "{files} files");
    assert_private(&policy);
}
