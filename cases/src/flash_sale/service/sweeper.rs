//! Returns what was reserved and not paid in time, a batch at a time, for as long as the service runs.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::desk::Desk;
use super::gate::Gate;

/// How many reservations one transaction returns at most: it holds the stock row, so everybody waits for it.
const SWEEP_LIMIT: i32 = 1_000;

/// How many transactions follow each other before the sweeper lets others have their turn.
const SWEEPS_IN_A_ROW: u32 = 100;

/// Sweeps every `interval` until `stop`.
pub(crate) async fn run(desk: Arc<Desk>, gate: Arc<Gate>, interval: Duration, stop: CancellationToken) {
    let mut timer = tokio::time::interval(interval);
    timer.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = timer.tick() => sweep(&desk, &gate).await,
            () = stop.cancelled() => return,
        }
    }
}

/// Returns all that is due now. What an error leaves is due the next time.
async fn sweep(desk: &Desk, gate: &Gate) {
    for _ in 0..SWEEPS_IN_A_ROW {
        match desk.expire(SWEEP_LIMIT).await {
            Ok(Some(sweep)) if sweep.returned > 0 => {
                tracing::info!(product = sweep.product_id, returned = sweep.returned, "expired reservations returned");
                gate.reopen(sweep.product_id);
            }
            // Nothing is due, or what is due is just being paid.
            Ok(_) => return,
            Err(error) => {
                tracing::warn!(error = %error, "expired reservations could not be returned");
                return;
            }
        }
    }
}
