//! Group flush for hot rows: coalesce requests, flush once, acknowledge after the commit.
//!
//! A row that everybody changes allows one transaction at a time, and a durable transaction holds its lock while the
//! log goes to disk: some thousand a second, fewer when many wait. This library offers two ways past that with the
//! guarantee of an ordinary commit, for any service that can name a shard (a product, a ledger, a series, a chain):
//!
//! * [`Sequencer`]: requests queue up in the service, one task per shard flushes whatever has come together with one
//!   set-based statement and one commit, and each waiter gets its answer afterwards. The next flush begins when the last
//!   one has returned, so batches grow with the load and a lone request waits for nobody.
//! * [`DurabilityBarrier`]: transactions stay as they are but commit asynchronously, so they give the row's lock up at
//!   once; a shared session makes the log durable, and only then are they acknowledged (early lock release).
//!
//! It knows nothing about what is stored, and opens connections only through `pgstrata-pg`.
//!
//! # What it promises
//!
//! * An answer is given after the commit is durable: the session forces `synchronous_commit`, and with `fsync` off
//!   [`Sequencer::durability`] says so.
//! * Every error but [`SubmitError::Unknown`] means that nothing was written.
//! * Every waiter is answered, whatever dies. When the connection breaks under a commit, the reconnected session finds
//!   out whether it went through (each flush notes its number in the fence's row) and the waiters get their answer, or
//!   the flush is done again. `Unknown` is left for those whose patience ends first: their deadline passes, the server
//!   stays away for `reconnect_limit`, another instance takes over, or this one is torn down. They look their request up
//!   by its own key.
//! * Two instances never both write for a shard: each flush locks the fence's row and finds its epoch there, or rolls
//!   back. A second instance started by mistake is refused ([`StartError::Held`]); one that shall replace the first
//!   begins a new epoch ([`Takeover::Depose`]), and the first one's waiters get [`SubmitError::Deposed`].
//! * A request whose statement fails does not fail the others: the batch is cut in two until it is found.
//! * Nothing is unbounded: the queue ([`SubmitError::QueueFull`] with advice when to come again), the batch, each wait
//!   and each retry have a limit in [`Settings`] or a named constant.
//!
//! # What it costs
//!
//! A flush is two round trips: `begin`, the fence and the statement are pipelined, then the commit. A request costs the
//! library one short lock, one channel, and its share of a wake-up. `examples/flush_rate.rs` measures both.
//!
//! # Limits
//!
//! The throughput of a shard is that of one session; use several shards for things that do not share a row. The shard's
//! lock belongs to a session, so the connection must not go through a proxy that shares sessions between transactions.
//! A snapshot kept open for long elsewhere keeps old versions of the fence's row (and of any hot row) from being pruned,
//! and flushes get slower while it lasts.
//!
//! ```no_run
//! use async_trait::async_trait;
//! use pgstrata_pg::sql::Statement;
//! use pgstrata_pg::{Endpoint, Error, Session};
//! use pgstrata_sequencer::{Flush, Sequencer, Settings};
//!
//! /// Counts visits; the answer is whether this one was new.
//! struct Visits;
//!
//! #[async_trait]
//! impl Flush for Visits {
//!     type Request = i64;
//!     type Answer = bool;
//!     type Prepared = Statement;
//!
//!     async fn prepare(&self, session: &Session) -> Result<Statement, Error> {
//!         let sql = "
//!             with new as (
//!                 insert into visit (key) select unnest($1::bigint[]) on conflict do nothing returning key
//!             ), counted as (
//!                 update visits set total = total + (select count(*) from new)
//!             )
//!             select array(select key from new)";
//!         Ok(session.prepare(sql).await?)
//!     }
//!
//!     async fn flush(&self, session: &Session, insert: &Statement, batch: &[i64]) -> Result<Vec<bool>, Error> {
//!         let new: Vec<i64> = session.query_one(insert, &[&batch]).await?.try_get(0)?;
//!         Ok(batch.iter().map(|key| new.contains(key)).collect())
//!     }
//! }
//!
//! # async fn example(endpoint: Endpoint) -> Result<(), Box<dyn std::error::Error>> {
//! let sequencer = Sequencer::start(endpoint, Visits, Settings::default()).await?;
//! let handle = sequencer.handle(); // clone it into each connection of the service
//! let is_new = handle.submit(7, None).await?; // durable
//! sequencer.stop().await;
//! # Ok(()) }
//! ```

pub mod barrier;
mod batch;
pub mod error;
pub mod figures;
pub mod flush;
mod queue;
pub mod sequencer;
pub mod settings;
mod shard;
mod worker;

pub use barrier::{BarrierKind, DurabilityBarrier, Promise};
pub use error::{AcknowledgeError, StartError, SubmitError, Unknown};
pub use figures::{BarrierFigures, FlushFigures};
pub use flush::Flush;
pub use sequencer::{Handle, Sequencer};
pub use settings::{Settings, Takeover};
pub use shard::{Durability, LOCK_CLASS};
