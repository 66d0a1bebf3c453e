//! The documents say what happens: every `console` block in them is run, and what it shows compared.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::azure::Azurite;
use crate::clouds::{Cloud, Place};
use crate::stage::Stage;

/// A command of a document, and what it is said to print.
struct Step {
    line: usize,
    command: String,
    expected: Vec<String>,
}

fn text(document: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(document)).unwrap()
}

/// The text of each fenced block of a language.
fn blocks(document: &str, language: &str) -> Vec<(usize, String)> {
    let mut blocks: Vec<(usize, String)> = Vec::new();
    let mut open = None;
    for (number, line) in text(document).lines().enumerate() {
        match (line.strip_prefix("```"), open) {
            (Some(info), None) => {
                open = Some(info == language);
                if info == language {
                    blocks.push((number + 2, String::new()));
                }
            }
            (Some(_), Some(_)) => open = None,
            (None, Some(true)) => {
                let (_, block) = blocks.last_mut().unwrap();
                block.push_str(line);
                block.push('\n');
            }
            _ => {}
        }
    }
    blocks
}

fn steps(document: &str) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    for (first, block) in blocks(document, "console") {
        for (offset, line) in block.lines().enumerate() {
            if let Some(command) = line.strip_prefix("$ ") {
                steps.push(Step {
                    line: first + offset,
                    command: command.to_owned(),
                    expected: Vec::new(),
                });
            } else {
                steps.last_mut().unwrap().expected.push(line.to_owned());
            }
        }
    }
    steps
}

/// A word with everything that differs from run to run taken out: ids, ages, ports, addresses all have digits in them, but for
/// a part of a UUID now and then.
fn shape(word: &str) -> String {
    let mut shape = String::new();
    let is_hex = |c: char| c.is_ascii_digit() || ('a'..='f').contains(&c);
    let mut rest = word;
    while !rest.is_empty() {
        if let Some((uuid, after)) = rest.split_at_checked(36).filter(|(head, _)| is_uuid(head)) {
            shape.push_str(&"#-".repeat(uuid.matches('-').count()));
            shape.push('#');
            rest = after;
            continue;
        }
        let hex: &str = &rest[..rest.find(|c| !is_hex(c)).unwrap_or(rest.len())];
        if hex.contains(|c: char| c.is_ascii_digit()) {
            shape.push('#');
            rest = &rest[hex.len()..];
        } else {
            let taken = hex.len().max(rest.chars().next().map_or(0, char::len_utf8));
            shape.push_str(&rest[..taken]);
            rest = &rest[taken..];
        }
    }
    shape
}

fn is_uuid(word: &str) -> bool {
    let lengths = word.split('-').map(str::len);
    lengths.eq([8, 4, 4, 4, 12]) && word.chars().all(|c| c == '-' || c.is_ascii_hexdigit())
}

/// Whether a line is as shown; `…` stands for anything.
fn is_as_shown(shown: &str, line: &str) -> bool {
    let shapes = |text: &str| text.split_whitespace().map(shape).collect::<Vec<_>>().join(" ");
    let line = shapes(line);
    let parts: Vec<String> = shown.split('…').map(shapes).collect();
    let [first, middle @ .., last] = &parts[..] else {
        return parts[0] == line;
    };
    let Some(mut rest) = line.strip_prefix(&**first) else {
        return false;
    };
    for part in middle {
        let Some(found) = rest.find(&**part) else { return false };
        rest = &rest[found + part.len()..];
    }
    rest.ends_with(&**last)
}

/// Whether lines are as shown; a line that is only `…` stands for any number of them.
fn are_as_shown(shown: &[String], lines: &[&str]) -> bool {
    match shown {
        [] => lines.is_empty(),
        [any, rest @ ..] if any.trim() == "…" => {
            (0..=lines.len()).any(|skipped| are_as_shown(rest, &lines[skipped..]))
        }
        [first, rest @ ..] => match lines {
            [line, more @ ..] => is_as_shown(first, line) && are_as_shown(rest, more),
            [] => false,
        },
    }
}

/// Runs all commands of a document in one shell, as a reader would.
#[track_caller]
fn run<P: Place>(document: &str, stage: &Stage<P>, edit: impl Fn(&str) -> String, prepare: impl Fn(&mut Command)) {
    let steps = steps(document);
    assert!(!steps.is_empty(), "{document} has no console block");
    let folder = stage.world.path().join("document");
    std::fs::create_dir_all(&folder).unwrap();
    let file = |number: usize, what: &str| -> PathBuf { folder.join(format!("{number}.{what}")) };
    let mut script = String::new();
    for (number, step) in steps.iter().enumerate() {
        let (out, code) = (file(number, "out"), file(number, "code"));
        let command = edit(&step.command);
        let _ = writeln!(
            script,
            "{{ {command}\n}} >{} 2>&1; echo $? >{}",
            out.display(),
            code.display()
        );
    }
    let mut bash = stage.command("bash");
    prepare(&mut bash);
    assert!(bash.arg("-c").arg(script).status().unwrap().success());
    for (number, step) in steps.iter().enumerate() {
        let read = |what| std::fs::read_to_string(file(number, what)).unwrap();
        let (out, code) = (read("out"), read("code"));
        let context = format!("{document}:{}: $ {}\n{out}", step.line, step.command);
        assert_eq!(code.trim(), "0", "{context}");
        // Blank lines part what a reader sees, and nothing else.
        let lines: Vec<&str> = out.lines().filter(|line| !line.trim().is_empty()).collect();
        let shown: Vec<String> = step
            .expected
            .iter()
            .filter(|line| !line.trim().is_empty())
            .cloned()
            .collect();
        assert!(are_as_shown(&shown, &lines), "{context}");
    }
}

#[test]
fn a_document_is_compared_but_for_what_differs_between_runs() {
    let shown = ["NAME   AGE", "…", "vol-0f97   us-east-1…   5s"].map(str::to_owned);
    assert!(are_as_shown(
        &shown,
        &["NAME AGE", "x", "vol-ab12cd   us-east-1b   10s"]
    ));
    assert!(are_as_shown(&shown, &["NAME AGE", "vol-ab12cd   us-east-1b   10s"]));
    assert!(!are_as_shown(&shown, &["NAME AGE", "vol-ab12cd   us-west-1b   10s"]));
    assert!(!are_as_shown(
        &shown,
        &["NAME AGE", "vol-ab12cd   us-east-1b   10s", "error: more"]
    ));
    let uuids = [
        "pvc-bceb8f67-4335-48d6-9ea1-ee7b714f927a",
        "pvc-e8344f62-afef-41d9-face-7f83afe73639",
    ];
    assert!(is_as_shown(uuids[0], uuids[1]) && is_as_shown("pvc-…", uuids[1]));
    assert!(is_as_shown("note: …", "note: anything") && !is_as_shown("note: …", "hint: anything"));
    assert!(!steps("docs/localstack.md").is_empty() && !steps("docs/azurite.md").is_empty());
}

#[test]
#[ignore = "needs real parts: cargo xtask test"]
fn localstack_is_as_documented() {
    let stage = Stage::shared(Cloud::LocalStack);
    let url = stage.account.url().to_owned();
    run(
        "docs/localstack.md",
        &stage,
        |command| command.replace("http://127.0.0.1:4566", &url),
        |_| {},
    );
}

#[test]
#[ignore = "needs real parts: cargo xtask test"]
fn azurite_is_as_documented() {
    let stage = Stage::shared_with(|parts, _| Azurite::shared(parts));
    let url = stage.account.url().to_owned();
    run(
        "docs/azurite.md",
        &stage,
        |command| command.replace("http://127.0.0.1:10000", &url),
        |_| {},
    );
}

#[test]
#[ignore = "needs real parts: cargo xtask test"]
fn a_real_cluster_is_as_documented() {
    let stage = Stage::shared(Cloud::Moto);
    let manifests = blocks("docs/real-cluster.md", "yaml")
        .into_iter()
        .map(|(_, block)| block);
    let role = manifests
        .into_iter()
        .find(|block| block.contains("kind: ClusterRole\n"))
        .unwrap();
    let kubeconfig = stage.restricted(&role, "moorline");
    run("docs/real-cluster.md", &stage, str::to_owned, |bash| {
        bash.env("KUBECONFIG", &kubeconfig);
    });
    stage.remove(&role);
}
