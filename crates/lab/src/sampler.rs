//! What PostgreSQL itself says about a trial: WAL written, and how long sessions waited for heavyweight locks.
//!
//! Both are asked over the control connection; where a compatible server does not know them, the figure is absent.

use std::time::Duration;

use pgstrata_pg::{Endpoint, Session};
use pgstrata_units::Lsn;
use tokio_util::sync::CancellationToken;

use crate::site::Site;

/// How often the waiting sessions are counted.
const PERIOD: Duration = Duration::from_millis(50);

/// The WAL insert positions of a site's servers, in bytes; none where a server cannot tell.
pub async fn wal_position(site: &Site) -> Option<u64> {
    let mut total = 0;
    for server in &site.servers {
        let session = server.control.connect().await.ok()?;
        let row = session.query_one("select pg_current_wal_insert_lsn()::text", &[]).await.ok()?;
        let lsn: Lsn = row.get::<_, String>(0).parse().ok()?;
        total += lsn.0;
    }
    Some(total)
}

/// Counts sessions that wait for a heavyweight lock until `stop`; the result is their mean number.
///
/// By Little's law (1961) mean number × time ÷ operations is the mean wait of an operation.
pub async fn mean_lock_waiters(endpoints: Vec<Endpoint>, stop: CancellationToken) -> Option<f64> {
    let mut samples = 0_u64;
    let mut waiting = 0_i64;
    let mut sessions: Vec<Option<Session>> = endpoints.iter().map(|_| None).collect();
    while !stop.is_cancelled() {
        let mut complete = true;
        let mut now_waiting = 0;
        for (endpoint, session) in endpoints.iter().zip(&mut sessions) {
            if session.as_ref().is_none_or(|session| session.is_closed()) {
                *session = endpoint.connect().await.ok();
            }
            match count(session.as_ref()).await {
                Some(number) => now_waiting += number,
                None => complete = false,
            }
        }
        if complete {
            samples += 1;
            waiting += now_waiting;
        }
        tokio::select! {
            () = tokio::time::sleep(PERIOD) => {}
            () = stop.cancelled() => {}
        }
    }
    (samples > 0).then(|| waiting as f64 / samples as f64)
}

async fn count(session: Option<&Session>) -> Option<i64> {
    let sql = "select count(*) from pg_stat_activity where wait_event_type = 'Lock' and pid <> pg_backend_pid()";
    Some(session?.query_one(sql, &[]).await.ok()?.get(0))
}
