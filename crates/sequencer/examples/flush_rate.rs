//! How many requests a second one sequencer decides, and what each costs in CPU, on a private durable server.
//!
//! Each request inserts a row under its own key, and each flush counts its rows in one hot row. Closed loop: every
//! client submits again when it is answered, so the rate is that of the whole circuit; no arrival times, no latency
//! percentiles, no judgement (the lab has those). `empty` flushes run `select 1` whatever the batch: what is left is
//! the library, the runtime and the clients themselves.
//!
//! `cargo run --release -p pgstrata-sequencer --example flush_rate -- [rows|empty] [clients] [seconds] [batch limit]`

use std::cell::Cell;
use std::error::Error as StdError;
use std::rc::Rc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use pgstrata_pg::sql::Statement;
use pgstrata_pg::{Cluster, ClusterSpec, Error, Profile, Session, process};
use pgstrata_sequencer::{Flush, Sequencer, Settings};

const SCHEMA: &str = "
    create table total (rows bigint not null) with (fillfactor = 10);
    insert into total values (0);
    create table entry (key bigint primary key, amount int not null)";

const ROWS: &str = "
    with inserted as (
        insert into entry (key, amount)
        select * from unnest($1::bigint[], $2::int[])
        on conflict (key) do nothing
        returning key
    ),
    counted as (
        update total set rows = rows + (select count(*) from inserted)
    )
    select array(select key from inserted)";

/// Inserts its batch, or does next to nothing with it.
#[derive(Clone, Copy)]
enum Work {
    Rows,
    Empty,
}

#[async_trait]
impl Flush for Work {
    type Request = (i64, i32);
    type Answer = bool;
    type Prepared = Statement;

    async fn prepare(&self, session: &Session) -> Result<Statement, Error> {
        let sql = match self {
            Self::Rows => ROWS,
            Self::Empty => "select 1",
        };
        Ok(session.prepare(sql).await?)
    }

    async fn flush(&self, session: &Session, statement: &Statement, batch: &[(i64, i32)]) -> Result<Vec<bool>, Error> {
        match self {
            Self::Empty => {
                session.execute(statement, &[]).await?;
            }
            Self::Rows => {
                let (keys, amounts): (Vec<i64>, Vec<i32>) = batch.iter().copied().unzip();
                let inserted: Vec<i64> = session.query_one(statement, &[&keys, &amounts]).await?.get(0);
                if inserted.len() != batch.len() {
                    // Keys are fresh, so this is the rare way; the rows come in the order of the batch.
                    let mut inserted = inserted.into_iter().peekable();
                    return Ok(keys.iter().map(|key| inserted.next_if_eq(key).is_some()).collect());
                }
            }
        }
        Ok(vec![true; batch.len()])
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn StdError>> {
    tracing_subscriber::fmt().init();
    let mut arguments = std::env::args().skip(1);
    let work = match arguments.next().as_deref() {
        None | Some("rows") => Work::Rows,
        Some("empty") => Work::Empty,
        Some(other) => return Err(format!("neither rows nor empty: {other}").into()),
    };
    let clients: usize = arguments.next().map_or(Ok(8_000), |text| text.parse())?;
    let seconds: u64 = arguments.next().map_or(Ok(5), |text| text.parse())?;
    let batch_limit: usize = arguments.next().map_or(Ok(8_192), |text| text.parse())?;

    let spec = ClusterSpec::new(pgstrata_pg::find(None, None)?, Profile::Durable)
        .with_setting("shared_buffers", "1GB")
        .with_setting("max_wal_size", "8GB");
    let server = Cluster::create(spec).await?;
    server.endpoint().connect().await?.batch_execute(SCHEMA).await?;
    let settings = Settings { batch_limit, ..Settings::default() };
    let sequencer = Sequencer::start(server.endpoint(), work, settings).await?;

    let local = tokio::task::LocalSet::new();
    let (before, cpu, server_cpu, began) = (sequencer.figures(), process::self_cpu()?, server.cpu()?, Instant::now());
    local.run_until(load(&sequencer, clients, Duration::from_secs(seconds))).await;
    let (took, after) = (began.elapsed(), sequencer.figures());
    let requests = (after.requests - before.requests) as f64;
    tracing::info!(
        clients,
        requests_per_s = (requests / took.as_secs_f64()).round(),
        client_cpu_us_per_request = (process::self_cpu()? - cpu).as_micros_f64() / requests,
        server_cpu_us_per_request = (server.cpu()? - server_cpu).as_micros_f64() / requests,
        mean_batch = after.mean_batch(),
        mean_flush_us = after.mean_flush().as_micros(),
        "measured"
    );
    tracing::info!(figures = ?after, "sequencer");
    sequencer.stop().await;
    Ok(())
}

/// Runs the clients until the time is over.
async fn load(sequencer: &Sequencer<Work>, clients: usize, time: Duration) {
    let (next, ending) = (Rc::new(Cell::new(0)), Rc::new(Cell::new(false)));
    let tasks: Vec<_> = (0..clients)
        .map(|_| {
            let (handle, next, ending) = (sequencer.handle(), Rc::clone(&next), Rc::clone(&ending));
            tokio::task::spawn_local(async move {
                while !ending.get() {
                    let key = next.replace(next.get() + 1);
                    if handle.submit((key, 1), None).await.is_err() {
                        return;
                    }
                }
            })
        })
        .collect();
    tokio::time::sleep(time).await;
    ending.set(true);
    for task in tasks {
        // A client that panicked has been reported by the runtime.
        let _ = task.await;
    }
}
