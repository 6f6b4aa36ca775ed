//! Has `transaction.rs` transfer money from several threads, and says how it went. Used by `cargo xtask templates`.

mod transaction;

use std::thread;

use transaction::{Failure, Transactions, transfer};
use uuid::Uuid;

#[derive(Default)]
struct Told {
    done: u64,
    found: u64,
    refused: u64,
    attempts: u64,
}

fn setting(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set"))
}

#[cfg(feature = "tokio-postgres")]
async fn connect() -> Result<tokio_postgres::Client, tokio_postgres::Error> {
    let (client, connection) = tokio_postgres::connect(&setting("DATABASE_URL"), tokio_postgres::NoTls).await?;
    tokio::spawn(connection);
    Ok(client)
}

#[cfg(feature = "sqlx")]
async fn connect() -> Result<sqlx::PgConnection, sqlx::Error> {
    use sqlx::Connection as _;
    sqlx::PgConnection::connect(&setting("DATABASE_URL")).await
}

async fn work(worker: i64, transfers: i64) -> Told {
    let mut told = Told::default();
    let mut transactions = Transactions::new(connect);
    for number in 0..transfers {
        let source = (worker * 7 + number * 3) % 8;
        let target = (source + 1 + number % 7) % 8;
        let amount = 1 + number % 20;
        let ended = transactions
            .run(Uuid::new_v4(), async |transaction| transfer(transaction, source + 1, target + 1, amount).await)
            .await;
        match ended {
            Ok(true) => told.done += 1,
            Ok(false) => told.found += 1,
            Err(Failure::Refused) => told.refused += 1,
            Err(failure) => panic!("{failure:?}"),
        }
    }
    told.attempts = transactions.attempts;
    told
}

fn main() {
    let number = |name| setting(name).parse().unwrap_or_else(|_| panic!("{name} is no number"));
    let (workers, transfers) = (number("WORKERS"), number("TRANSFERS"));
    let run = move |worker| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(work(worker, transfers))
    };
    let threads: Vec<_> = (0..workers).map(|worker| thread::spawn(move || run(worker))).collect();
    let mut all = Told::default();
    for thread in threads {
        let told = thread.join().expect("a worker panicked");
        all.done += told.done;
        all.found += told.found;
        all.refused += told.refused;
        all.attempts += told.attempts;
    }
    let Told { done, found, refused, attempts } = all;
    println!(r#"{{"done": {done}, "found": {found}, "refused": {refused}, "attempts": {attempts}}}"#);
}
