//! What one flush of the sequencer does: admits the requests of a batch one after the other in memory, and writes what
//! was admitted with one call of `post_batch`.

use std::collections::{HashMap, HashSet};

use async_trait::async_trait;
use pgstrata_pg::sql::{ClientError, Row, Statement, ToSql};
use pgstrata_pg::{Error, Session};
use pgstrata_sequencer::Flush;
use tokio::sync::Mutex;
use uuid::Uuid;

use super::columns::Columns;
use super::memory::Memory;
use crate::ledger::admission::admit;
use crate::ledger::reading::Saw;
use crate::ledger::teller::{LEGS_OF, known, opposite, read_accounts};
use crate::ledger::transfer::{Body, Decision, Leg, Receipt, Refusal, Request};

pub(super) const POST: &str = include_str!("post.sql");
pub(super) const FIND: &str = include_str!("find_batch.sql");
pub(super) const READ: &str = include_str!("../arms/read.sql");

/// Decides requests by the batch.
#[derive(Debug)]
pub struct PostBatch {
    memory: Mutex<Memory>,
    observed: bool,
}

/// A decision, with what was read for it where somebody wants to know.
#[derive(Debug)]
pub struct Answer {
    /// The decision.
    pub decision: Decision,
    /// The accounts that were looked at, each with the number of its last entry then; only when observed.
    pub saw: Option<Box<[i64]>>,
}

/// A session's statements.
#[derive(Debug)]
pub struct Prepared {
    post: Statement,
    find: Statement,
    legs_of: Statement,
    read: Statement,
}

/// What a batch needs to know from the books beside accounts.
#[derive(Default)]
struct Looked {
    /// The answers to keys that are in the books.
    known: HashMap<Uuid, Row>,
    /// The legs that take transfers back.
    opposites: HashMap<Uuid, Result<Vec<Leg>, Refusal>>,
}

impl PostBatch {
    pub(super) fn new(observed: bool) -> Self {
        Self { memory: Mutex::default(), observed }
    }

    async fn try_flush(
        &self,
        memory: &mut Memory,
        session: &Session,
        prepared: &Prepared,
        batch: &[Request],
    ) -> Result<Vec<Answer>, Error> {
        memory.begin();
        let looked = look_up(memory, session, prepared, batch).await?;
        load_accounts(memory, session, prepared, batch, &looked).await?;
        let mut columns = Columns::with_room_for(batch.len());
        let mut answers = Vec::with_capacity(batch.len());
        let mut posted = Posted::default();
        for request in batch {
            answers.push(self.decide(memory, &looked, &mut posted, &mut columns, request)?);
        }
        columns.close(memory);
        if !columns.is_idle() {
            session.query_one(&prepared.post, &columns.values(&memory.today)).await?;
        }
        memory.ask_about_all_keys = false;
        Ok(answers)
    }

    fn decide(
        &self,
        memory: &mut Memory,
        looked: &Looked,
        posted: &mut Posted,
        columns: &mut Columns,
        request: &Request,
    ) -> Result<Answer, ClientError> {
        let unseen = |decision| Answer { decision, saw: None };
        if let Some(row) = looked.known.get(&request.key) {
            return Ok(unseen(known(row, request)?));
        }
        if let Some((hash, receipt)) = posted.keys.get(&request.key) {
            let same = *hash == request.hash();
            return Ok(unseen(if same { Decision::Posted(*receipt) } else { Decision::Refused(Refusal::KeyReused) }));
        }
        let legs = match &request.body {
            Body::Post { legs, .. } => Ok(legs.as_slice()),
            Body::Reverse { transfer_id } if posted.reversed.contains(transfer_id) => Err(Refusal::AlreadyReversed),
            Body::Reverse { transfer_id } => match looked.opposites.get(transfer_id) {
                Some(Ok(legs)) => Ok(legs.as_slice()),
                Some(Err(refusal)) => Err(*refusal),
                None => Err(Refusal::NoSuchTransfer),
            },
        };
        let mut saw = Saw::new(self.observed);
        let admitted = legs.and_then(|legs| {
            admit(request.kind(), legs, |id| {
                let account = memory.look(id, || columns.touch(id));
                saw.also(account.as_ref());
                account
            })
        });
        let decision = match admitted {
            Ok(postings) => {
                for posting in &postings {
                    memory.apply(posting);
                }
                let receipt = columns.add(request, &postings);
                posted.note(request, receipt);
                Decision::Posted(receipt)
            }
            Err(refusal) => Decision::Refused(refusal),
        };
        Ok(Answer { decision, saw: saw.take() })
    }
}

/// What this flush has posted already.
#[derive(Default)]
struct Posted {
    keys: HashMap<Uuid, (i64, Receipt)>,
    reversed: HashSet<Uuid>,
}

impl Posted {
    fn note(&mut self, request: &Request, receipt: Receipt) {
        self.keys.insert(request.key, (request.hash(), receipt));
        self.reversed.extend(request.reversal_of());
    }
}

/// Asks the books about keys that may be there and transfers that are to be taken back: one round trip, or none.
async fn look_up(
    memory: &mut Memory,
    session: &Session,
    prepared: &Prepared,
    batch: &[Request],
) -> Result<Looked, Error> {
    let keys: Vec<Uuid> = batch.iter().map(|request| request.key).filter(|key| memory.note_key(*key)).collect();
    let reversed: Vec<Uuid> = batch.iter().filter_map(Request::reversal_of).collect();
    let mut looked = Looked::default();
    if keys.is_empty() && reversed.is_empty() {
        return Ok(looked);
    }
    let (wanted_keys, wanted): ([&(dyn ToSql + Sync); 1], [&(dyn ToSql + Sync); 1]) = ([&keys], [&reversed]);
    let (found, legs) =
        tokio::try_join!(session.query(&prepared.find, &wanted_keys), session.query(&prepared.legs_of, &wanted))?;
    for row in found {
        looked.known.insert(row.try_get("transfer_id")?, row);
    }
    for rows in legs.chunk_by(|one, other| one.get::<_, Uuid>("transfer_id") == other.get::<_, Uuid>("transfer_id")) {
        looked.opposites.insert(rows[0].try_get("transfer_id")?, opposite(rows)?);
    }
    Ok(looked)
}

/// Reads the accounts of the batch that are not remembered: one round trip, or none.
async fn load_accounts(
    memory: &mut Memory,
    session: &Session,
    prepared: &Prepared,
    batch: &[Request],
    looked: &Looked,
) -> Result<(), Error> {
    let of_request = |request: &Request| match &request.body {
        Body::Post { legs, .. } => Some(legs.clone()),
        Body::Reverse { transfer_id } => looked.opposites.get(transfer_id).and_then(|legs| legs.clone().ok()),
    };
    let mut missing: Vec<i64> = Vec::new();
    for request in batch {
        let legs = of_request(request).unwrap_or_default();
        missing.extend(legs.iter().map(|leg| leg.account_id).filter(|id| !memory.knows_account(*id)));
    }
    if missing.is_empty() {
        return Ok(());
    }
    missing.sort_unstable();
    missing.dedup();
    let (accounts, today) = read_accounts(&session.query(&prepared.read, &[&missing]).await?)?;
    if !accounts.is_empty() {
        memory.learn(accounts.into_values(), today);
    }
    Ok(())
}

#[async_trait]
impl Flush for PostBatch {
    type Request = Request;
    type Answer = Answer;
    type Prepared = Prepared;

    async fn prepare(&self, session: &Session) -> Result<Prepared, Error> {
        // Whatever was under way on the session before this one may have been undone.
        self.memory.lock().await.distrust();
        Ok(Prepared {
            post: session.prepare(POST).await?,
            find: session.prepare(FIND).await?,
            legs_of: session.prepare(LEGS_OF).await?,
            read: session.prepare(READ).await?,
        })
    }

    async fn flush(&self, session: &Session, prepared: &Prepared, batch: &[Request]) -> Result<Vec<Answer>, Error> {
        let mut memory = self.memory.lock().await;
        let answers = self.try_flush(&mut memory, session, prepared, batch).await;
        if answers.is_err() {
            memory.distrust();
        }
        answers
    }
}
