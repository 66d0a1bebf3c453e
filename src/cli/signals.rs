//! Ctrl-C and SIGTERM: the first drains, the second stops at once.

use std::sync::Arc;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::exit::Exit;
use crate::report::progress::Progress;

/// Cancels `stop` at the first signal and ends the process at the second.
pub(crate) fn listen(stop: CancellationToken, progress: Arc<Progress>) {
    let (Ok(interrupt), Ok(terminate)) = (signal(SignalKind::interrupt()), signal(SignalKind::terminate())) else {
        tracing::warn!("signals cannot be caught; Ctrl-C will stop at once");
        return;
    };
    tokio::spawn(wait(interrupt, terminate, stop, progress));
}

async fn wait(mut interrupt: Signal, mut terminate: Signal, stop: CancellationToken, progress: Arc<Progress>) {
    for nth in 1.. {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        if nth > 1 {
            std::process::exit(Exit::Interrupted as i32);
        }
        stop.cancel();
        progress.say("stopping: calls under way are awaited, no new one begins; once more stops at once");
    }
}
