//! The question before anything is deleted or replaced.

use std::io::BufRead as _;

use super::app::{App, complain};
use super::exit::Exit;
use super::failure::Failure;

/// Fails unless the user agreed, by `--yes` or by typing `yes` now.
pub(crate) async fn confirm(app: &App, yes: bool) -> Result<(), Failure> {
    if yes {
        return Ok(());
    }
    require_terminal(app, yes)?;
    app.progress.finish();
    complain("Only `yes` goes on: ");
    let answer = tokio::task::spawn_blocking(|| {
        let mut line = String::new();
        std::io::stdin().lock().read_line(&mut line).map(|_| line)
    });
    let answer = tokio::select! {
        answer = answer => answer,
        () = app.stop.cancelled() => return Err(Failure::new(Exit::Interrupted, "interrupted; nothing was changed")),
    };
    match answer {
        Ok(Ok(line)) if line.trim() == "yes" => Ok(()),
        _ => Err(Failure::new(Exit::Failed, "not confirmed; nothing was changed")),
    }
}

/// Fails at once where a question would come and no one is there to answer it.
pub(crate) fn require_terminal(app: &App, yes: bool) -> Result<(), Failure> {
    if yes || app.settings.interactive {
        return Ok(());
    }
    Err(
        Failure::usage("this deletes or replaces things, and there is no terminal to ask on; nothing was changed")
            .hint("say --yes to go on without a question"),
    )
}
