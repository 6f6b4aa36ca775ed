//! Ctrl-C and its siblings: the first asks for an orderly end, the second does not wait for it.

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::failure::INTERRUPTED;

/// A token that is cancelled at the first SIGINT, SIGTERM or SIGHUP.
///
/// On a second signal the process ends at once; the servers, which are told to die with their parent, follow.
pub fn token() -> anyhow::Result<CancellationToken> {
    let token = CancellationToken::new();
    let asked = token.clone();
    let mut signals =
        [signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?, signal(SignalKind::hangup())?];
    tokio::spawn(async move {
        loop {
            let [interrupt, terminate, hangup] = &mut signals;
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
                _ = hangup.recv() => {}
            }
            if asked.is_cancelled() {
                std::process::exit(i32::from(INTERRUPTED));
            }
            asked.cancel();
        }
    });
    Ok(token)
}
