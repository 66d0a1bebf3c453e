//! Ctrl-C and SIGTERM: the first drains, the second stops at once.

use std::sync::Arc;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::Programs;
use super::exit::Exit;
use crate::report::progress::Progress;

/// Cancels `stop` at the first signal and ends the process at the second.
pub(crate) fn listen(stop: CancellationToken, progress: Arc<Progress>, programs: Arc<Programs>) {
    let (Ok(mut interrupt), Ok(mut terminate)) = (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
    else {
        tracing::warn!("signals cannot be caught; Ctrl-C will stop at once");
        return;
    };
    tokio::spawn(async move {
        first(&mut interrupt, &mut terminate).await;
        stop.cancel();
        progress.say("stopping: calls under way are awaited, no new one begins; once more stops at once");
        first(&mut interrupt, &mut terminate).await;
        programs.end();
        std::process::exit(Exit::Interrupted as i32);
    });
}

async fn first(interrupt: &mut Signal, terminate: &mut Signal) {
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
}
