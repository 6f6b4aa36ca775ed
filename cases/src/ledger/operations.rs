//! The queries that people watch a ledger by, as the book shows them: each one is run here, on a server that posts.

use pgstrata_lab::study::{Scale, Study};

use super::{Ledger, card};
use crate::ground::{Ground, SEED, carry_out};

const QUERIES: [(&str, &str); 3] = [
    ("hot_accounts", include_str!("operations/hot_accounts.sql")),
    ("totals", include_str!("operations/totals.sql")),
    ("versions", include_str!("operations/versions.sql")),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_query_for_operators_runs_on_a_server_that_posts() {
    let ground = Ground::new(1).await;
    let arm = card::CARD.arm("sequencer").expect("the arm");
    let scale = Scale {
        preset: pgstrata_lab::study::Preset::Ci,
        operations: 0,
        scarce: false,
        skew: pgstrata_lab::study::DEFAULT_SKEW,
        observed: true,
        seed: SEED,
    };
    Ledger.prepare(arm, &ground.site, &scale).await.expect("prepared");
    let rig = Ledger.open(arm, &ground.site, &scale).await.expect("opened");
    carry_out(&rig, 4, 100, 1).await;
    let session = ground.session().await;
    for (name, sql) in QUERIES {
        let rows = session.query(sql, &[]).await.unwrap_or_else(|error| panic!("{name}: {error}"));
        match name {
            "totals" => {
                assert_eq!(rows.len(), 2, "two currencies");
                assert!(rows.iter().all(|row| row.get::<_, i64>("accounts") > 100));
            }
            "hot_accounts" => {
                let most: i64 = rows[0].get("entries");
                assert!(rows.iter().all(|row| row.get::<_, i64>("entries") <= most), "the hottest first");
            }
            _ => assert_eq!(rows.len(), 1),
        }
    }
}
