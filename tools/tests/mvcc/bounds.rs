//! Memory is bounded: however long a server works, what is held of it is what the limits say.

use std::collections::BTreeMap;

use pgstrata_pg::Cluster;
use pgstrata_timeline::{Cause, LogLimits};
use pgstrata_tools::mvcc::Tracks;
use pgstrata_tools::mvcc::exact::{Exact, ExactOptions};
use pgstrata_units::Lsn;
use pgstrata_units::memory::Holding;
use pgstrata_wal::history::Limits;
use tokio::time::timeout;

use crate::seats::{run, seat, spec};
use crate::tracks::LIMIT;

/// Transactions of one round; three of them are more than anything below may remember.
const ROUND: u32 = 600;
/// Rounds.
const ROUNDS: usize = 4;
/// So small that the first round fills everything.
const SMALL: Limits =
    Limits { versions: 400, row_bytes: 20_000, states_per_version: 4, transactions: 300, multixacts: 50, pages: 8 };
/// The same of the log.
const SMALL_LOG: LogLimits = LogLimits { changes: 200, bytes: 200_000 };

/// What each part holds at its fullest.
#[derive(Default)]
struct Fullest(BTreeMap<&'static str, Holding>);

impl Fullest {
    fn take(&mut self, holds: impl IntoIterator<Item = Holding>) {
        for holding in holds {
            let fullest = self.0.entry(holding.what).or_insert_with(|| holding.clone());
            if holding.bytes > fullest.bytes {
                *fullest = holding;
            }
        }
    }

    fn bytes(&self) -> usize {
        self.0.values().map(|holding| holding.bytes).sum()
    }
}

#[tokio::test]
async fn a_load_that_exceeds_every_limit_does_not_exceed_the_memory() {
    let server = Cluster::create(spec().with_setting("synchronous_commit", "on")).await.expect("a server");
    let setup = seat(&server.endpoint(), "setup").await;
    run(&setup, "create extension pageinspect; create table t(id int primary key, n int, note text)").await;
    run(&setup, "insert into t select n, 0, 'row ' || n from generate_series(1, 60) n").await;
    let options = ExactOptions { limits: SMALL, pages: 4, ..ExactOptions::default() };
    let mut exact = Exact::begin(&server.endpoint(), options).await.expect("the log");
    let mut tracks = Tracks::new(SMALL_LOG);
    tracks.take_exact(exact.watch(Some("public.t")).await.expect("a table"));
    let mut rounds = Vec::new();
    for _ in 0..ROUNDS {
        let load = format!(
            "do $$ begin for step in 1..{ROUND} loop update t set n = n + 1 where id = step % 60 + 1; commit; \
             end loop; end $$"
        );
        run(&setup, &load).await;
        let row = setup.query_one("select pg_current_wal_insert_lsn()::text", &[]).await.expect("a row");
        let until: Lsn = row.get::<_, String>(0).parse().expect("a position");
        // The last record of the load may end before.
        run(&setup, "insert into t values (1000 + (select count(*) from t), 0, 'mark')").await;
        let mut fullest = Fullest::default();
        let mut records = 0;
        while exact.history().told() < until {
            let next = timeout(LIMIT, exact.next()).await.expect("the log goes on");
            let change = next.expect("no error").expect("no end");
            records += u32::from(matches!(change.cause, Cause::Record { .. }));
            tracks.take_exact(change);
            if records.is_multiple_of(50) {
                fullest.take(exact.holds().into_iter().chain(tracks.holds()));
            }
        }
        assert!(records > ROUND, "{records}");
        rounds.push(fullest);
    }
    for holding in rounds.iter().flat_map(|fullest| fullest.0.values()) {
        assert!(holding.most.is_none_or(|most| holding.count <= most), "{holding:?}");
    }
    assert!(tracks.log().kept().1 <= SMALL_LOG.bytes, "{:?}", tracks.log().kept());
    let full = ["history.versions", "history.transactions", "log.changes"].map(|what| &rounds[1].0[what]);
    assert!(full.iter().any(|holding| Some(holding.count) == holding.most), "{full:?}");
    // From the second round on nothing is new but what was.
    let bytes: Vec<usize> = rounds.iter().map(Fullest::bytes).collect();
    for later in &bytes[2..] {
        assert!(*later <= bytes[1] + bytes[1] / 10, "{bytes:?}");
    }
}
