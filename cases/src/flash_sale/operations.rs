//! The queries that people watch a sale by, as the book shows them: each one is run here, on a server that sells.

use pgstrata_pg::testing;
use uuid::Uuid;

use super::arms::Stock;
use super::purchase::{Decision, Purchase};
use super::service::{Service, ServiceSettings};
use super::{create_schema, put_on_sale};

const QUERIES: [(&str, &str); 7] = [
    ("durability", include_str!("operations/durability.sql")),
    ("holder", include_str!("operations/holder.sql")),
    ("holding_back", include_str!("operations/holding_back.sql")),
    ("overdue", include_str!("operations/overdue.sql")),
    ("progress", include_str!("operations/progress.sql")),
    ("versions", include_str!("operations/versions.sql")),
    ("waiting", include_str!("operations/waiting.sql")),
];

#[tokio::test]
async fn every_query_for_operators_runs_on_a_server_that_sells() {
    let cluster = testing::server().await.expect("a server");
    let session = cluster.endpoint().connect().await.expect("a session");
    create_schema(&session).await.expect("the schema");
    put_on_sale(&session, Stock::OneRow, 1, 10).await.expect("a product");
    let service = Service::start(&[cluster.endpoint()], &ServiceSettings::default()).await.expect("the service");
    let purchase = Purchase { key: Uuid::now_v7(), product_id: 1, user_id: 7 };
    let decision = service.purchase(&purchase, None).await.expect("a decision");
    assert!(matches!(decision, Decision::Reserved(_)), "{decision:?}");

    for (name, sql) in QUERIES {
        let rows = session.query(sql, &[]).await.unwrap_or_else(|error| panic!("{name}: {error}"));
        match name {
            "holder" => {
                assert_eq!(rows.len(), 1, "one shard has a holder");
                assert!(rows[0].get::<_, Option<i32>>("pid").is_some(), "whose session has the lock");
            }
            "progress" => {
                assert_eq!((rows[0].get::<_, i64>("available"), rows[0].get::<_, i64>("reserved")), (9, 1));
            }
            "durability" => assert_eq!(rows.len(), 3),
            _ => {}
        }
    }
    service.stop().await;
}
