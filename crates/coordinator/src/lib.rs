//! Two-phase commit over several servers: a durable decision before any second phase, and recovery after any crash.
//!
//! PostgreSQL has the parts (`prepare transaction`, `commit prepared`) and leaves the whole to somebody else. This library is
//! that somebody: a [`Coordinator`] runs transactions over any number of servers (shards), commits each on all of them or
//! on none, finishes what a crash has left prepared, and opens snapshots over all shards that show no transfer in part. It
//! knows nothing of what is stored, and opens connections only through `pgstrata-pg`.
//!
//! # The protocol
//!
//! 1. The work is done in one part per shard. Failing here, or being dropped, rolls back.
//! 2. Parts are prepared in the fixed order of shards, each under a name that is never used twice ([`GlobalId`]).
//! 3. The decision to commit is one row on the home shard, committed durably.
//! 4. Parts are committed. The caller is answered when all are.
//!
//! There is no row for an abort, unless somebody has to find out: a prepared part without a decision is rolled back
//! (presumed abort). Decisions are forgotten in bulk after [`Settings::retention`], when no shard has their parts prepared.
//!
//! # Why it is safe
//!
//! *Whoever writes the row first has decided.* The row's primary key is the transaction. The coordinator inserts "commit";
//! whoever wants to abort a transaction that he does not own, or whose decision he did not hear the answer of, inserts
//! "abort", which waits for an insert that is under way, and then reads what stands. So there is never a part committed of
//! a transaction that another part of was rolled back, whoever lives, dies, or believes that somebody else is dead:
//!
//! * *Crash before the row:* no part is committed yet, and whoever resolves writes "abort" or finds nothing and no way to
//!   write "commit" any more. *Crash after it:* whoever resolves finds "commit", and only that.
//! * *Two resolvers at once:* both read the same row. The second one's `commit prepared` finds nothing to commit, or finds
//!   it busy; both mean that somebody else is on it.
//! * *A lost answer to the row:* trying to abort tells. If the home shard is away, the caller hears
//!   [`CommitError::Unknown`] and asks for his key later ([`Coordinator::look_up`], [`Coordinator::settle`]).
//! * *A coordinator that was deposed and does not know it.* Its epoch is fenced on each shard: new sessions are refused,
//!   old ones are ended, and the shard's lock that each of them shares is waited for. Only then is the epoch resolved.
//!   Preparing late is impossible then, as there is no session to do it on; deciding late is, for the same reason on the
//!   home shard; and a second phase that it has begun commits what is decided and nothing else. Had it prepared before and
//!   decides at this moment, its row and the resolver's race for the primary key, and one of them loses.
//! * *An abort row is kept* until its epoch is closed on every shard, so a slow coordinator cannot find it forgotten and
//!   decide anew. *A commit row is kept* until every shard has told, after the row was old, that it has no such part.
//! * *One effect for a key:* the key is unique among decisions, so of two transactions with one key one is aborted.
//!
//! A cycle of locks over two servers is seen by neither one's deadlock detector; `lock_timeout` ends it, and
//! [`Coordinator::run`] tries again with the same key. Take locks in one order over all shards and there are none.
//!
//! # What it does not give by itself
//!
//! Two-phase commit is about atomicity. Serializable transactions on each shard are *not* serializable together: each
//! server sees its half of a conflict. Choose what you need:
//!
//! * *What is written depends on what was read on another shard:* read it there `for share` (or `for update`), so that it
//!   holds until all parts are committed. With every read locked this is strict two-phase locking, and serializable.
//! * *A read of one shard is no exception.* Between the first and the last commit of a transaction, whoever reads one shard
//!   without a lock sees it as it was before, when others have acted on another shard as it is now. On that shard
//!   alone nothing is wrong; in real time it is. Locked `for share`, the read waits for the part that is prepared.
//! * *An answer without a commit* (a refusal, a reading) counts when [`Transaction::release`] says so: locks are lost with
//!   their session, and a shard that restarted between two reads has forgotten those of the first.
//! * *Reading only:* [`Coordinator::snapshots`] with [`Reading::Barrier`]. Commit phases share a barrier; snapshots of all
//!   shards are opened while nobody is inside. A commit that a crash has interrupted holds no barrier any more; it is
//!   recognised, because its parts are listed as prepared *before* each snapshot is taken and its decision stands, and
//!   is completed before the snapshots are opened again. [`Barrier::Process`] costs no round trip; [`Barrier::Realm`] takes
//!   a shared advisory lock together with the decision, and one more round trip after the commits, and holds over any number
//!   of processes. The lock belongs to the session that decides: if that session dies the decision was made before, and
//!   is seen; or it is not made.
//! * *Anything else* ([`Reading::PerShard`]): each shard is right by itself, and both together may be torn.
//!
//! # What it needs
//!
//! `max_prepared_transactions` of at least [`Settings::transactions`] on each server ([`OpenError::NoPreparedTransactions`]
//! says so before anything is made); connections that are the servers' own sessions (no pooler that shares them between
//! transactions); one role for all coordinators of a realm, since only that role or a superuser may finish what was
//! prepared; and some coordinator that comes back: what is prepared keeps its locks over restarts until it is resolved.
//! [`Figures::oldest_prepared_ms`], an error in the log and the query [`OLD_PREPARED`] tell when that takes too long.
//! Whoever finishes a part by hand (`rollback prepared` in psql) decides for himself, and nobody will notice.
//!
//! ```no_run
//! use std::time::{Duration, Instant};
//!
//! use async_trait::async_trait;
//! use pgstrata_coordinator::{Coordinator, Settings, Transaction, Vote, Work};
//! use pgstrata_pg::{Endpoint, Error};
//! use pgstrata_units::Isolation;
//! use uuid::Uuid;
//!
//! /// Moves money from an account on shard 0 to one on shard 1.
//! struct Transfer {
//!     from: i64,
//!     to: i64,
//!     amount: i64,
//! }
//!
//! #[async_trait]
//! impl Work for Transfer {
//!     type Answer = bool;
//!
//!     async fn perform(&self, transaction: &mut Transaction) -> Result<Vote<bool>, Error> {
//!         let debit = "update account set balance = balance - $2 where id = $1 and balance >= $2";
//!         let credit = "update account set balance = balance + $2 where id = $1";
//!         let paid = transaction.open(0).await?.execute(debit, &[&self.from, &self.amount]).await?;
//!         if paid == 0 {
//!             return Ok(Vote::RollBack(false));
//!         }
//!         transaction.open(1).await?.execute(credit, &[&self.to, &self.amount]).await?;
//!         Ok(Vote::Commit(true))
//!     }
//! }
//!
//! # async fn example(shards: [Endpoint; 2]) -> Result<(), Box<dyn std::error::Error>> {
//! let coordinator = Coordinator::open(&shards, Settings::default()).await?;
//! let work = Transfer { from: 1, to: 2, amount: 100 };
//! let deadline = Instant::now() + Duration::from_secs(5);
//! let paid = coordinator.run(Uuid::now_v7(), Isolation::ReadCommitted, deadline, &work).await?;
//! # let _ = paid;
//! coordinator.close().await;
//! # Ok(()) }
//! ```

mod coordinator;
mod core;
pub mod error;
pub mod figures;
pub mod gid;
mod resolve;
pub mod settings;
mod shard;
mod snapshot;
pub mod step;
mod transaction;

pub use coordinator::{Coordinator, Vote, Work};
pub use error::{AbortReason, CommitError, OpenError, RunError, SnapshotError, Standing};
pub use figures::Figures;
pub use gid::{GlobalId, TransactionId};
pub use resolve::Resolution;
pub use settings::{Barrier, Flaw, Peers, Settings};
pub use shard::{Branch, LOCK_CLASS};
pub use snapshot::{Reading, Snapshots};
pub use step::{Act, Bystander, Place, Step, Then};
pub use transaction::Transaction;

/// The query of the alarm: which prepared transactions of a server are older than so many seconds, whoever prepared them.
pub const OLD_PREPARED: &str = include_str!("sql/old_prepared.sql");
