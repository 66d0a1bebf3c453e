//! What the journal promises across processes: a write that returned survives a SIGKILL, and a
//! folder belongs to one process at a time.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use moorline_sandbox_core::{Journal, JournalError};

const FOLDER: &str = "MOORLINE_TEST_JOURNAL";
const ROWS: usize = 20_000;

/// Not a test of its own: the process that the tests below kill.
#[test]
#[ignore = "run as a child process by the other tests"]
fn child() {
    let Some(folder) = std::env::var_os(FOLDER) else { return };
    let journal = Journal::open(PathBuf::from(folder)).unwrap();
    for row in 0..ROWS {
        journal
            .put(
                "rows",
                &format!("{row:06}"),
                &serde_json::json!({"row": row, "text": "x".repeat(200)}),
            )
            .unwrap();
    }
    let mut out = std::io::stdout();
    out.write_all(b"\nwritten\n").unwrap();
    out.flush().unwrap();
    loop {
        std::thread::park();
    }
}

fn start_child(folder: &std::path::Path) -> Child {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child", "--ignored", "--nocapture"])
        .env(FOLDER, folder)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(
        lines.map(Result::unwrap).any(|line| line == "written"),
        "the child ended before it had written"
    );
    child
}

#[test]
fn writes_survive_a_kill_and_the_folder_is_held_until_then() {
    let folder = tempfile::tempdir().unwrap();
    let mut child = start_child(folder.path());
    assert!(matches!(Journal::open(folder.path()), Err(JournalError::Held { .. })));

    child.kill().unwrap();
    child.wait().unwrap();

    let journal = Journal::open(folder.path()).unwrap();
    let rows = journal.load::<serde_json::Value>("rows").unwrap();
    assert_eq!(rows.len(), ROWS);
    assert_eq!(rows[ROWS - 1].1["row"], ROWS - 1);
}
