//! Parts do not outlive the program that started them, however it ends.
//!
//! Destructors do not run after a `SIGKILL`, a Ctrl-C, or for the statics of a test program. So a shell waits at the other end
//! of a pipe; it is told which process groups there are, and kills them when the pipe ends, as it does when we do. It has a
//! process group of its own, which a Ctrl-C on the terminal does not reach.

use std::io::Write as _;
use std::os::unix::process::CommandExt as _;
use std::process::{ChildStdin, Command, Stdio};
use std::sync::{Mutex, PoisonError};

use crate::Error;

const SCRIPT: &str = r#"
groups=" "
while read -r verb group; do
    case $verb in
    watch) groups="$groups$group " ;;
    forget) groups="${groups%% "$group" *} ${groups#* "$group" }" ;;
    esac
done
for group in $groups; do
    kill -s KILL -- "-$group"
done
"#;

static PIPE: Mutex<Option<ChildStdin>> = Mutex::new(None);

/// From now on the process group `group` ends with this program.
pub(crate) fn watch(group: u32) -> Result<(), Error> {
    let mut pipe = PIPE.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(open) = pipe.as_mut()
        && writeln!(open, "watch {group}").is_ok()
    {
        return Ok(());
    }
    let failed = |source| Error::Spawn {
        program: "sh".to_owned(),
        source,
    };
    let mut shell = Command::new("sh");
    shell.args(["-c", SCRIPT]).process_group(0).stdin(Stdio::piped());
    let mut child = shell
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .map_err(failed)?;
    if let Some(mut open) = child.stdin.take() {
        writeln!(open, "watch {group}").map_err(failed)?;
        *pipe = Some(open);
    }
    Ok(())
}

/// The process group `group` has ended, or may live on.
pub(crate) fn forget(group: u32) {
    let mut pipe = PIPE.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(open) = pipe.as_mut() {
        // A guardian that was killed watches nothing any more.
        drop(writeln!(open, "forget {group}"));
    }
}
