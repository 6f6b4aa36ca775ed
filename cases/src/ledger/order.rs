//! Judges the order of what clients did and saw: strict serializability, by the checker of list histories.
//!
//! Each account's entries are a list that transfers append to, so the books themselves are a list-append history. It is
//! made of what clients *saw*: a transfer saw its accounts as of some entry, and so did a request that was refused; a
//! statement saw the entries themselves; an audit saw all accounts at once. The lists are cut into the pages of a
//! statement, so that nobody has to read a long list to be judged: reading an account as of its entry 37 is reading the
//! first five elements of its third page.
//!
//! What the books hold at the end is one more transaction, begun after all others.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};

use pgstrata_history::{self as list, HistoryBuilder, Key, Model, Operation, Options, Status, check_list_append};
use pgstrata_lab::history::{Event, History, Outcome};
use pgstrata_lab::study::{StudyError, Violation};
use pgstrata_pg::{Error, Session};
use serde_json::{Value, json};
use uuid::Uuid;

use super::reading::{ACCOUNTS, PAGE, PAGE_ENTRIES, element};

const LISTS: &str = include_str!("check/lists.sql");

/// Whoever is not a client: the opening transfers, the reading at the end, and requests that several clients sent.
const NOBODY: u32 = u32::MAX / 2;

/// I9: judges a trial whose clients said what they saw; others are not judged. The books may be on several servers.
pub(crate) async fn judge(sessions: &[Session], history: &History) -> Result<Option<Violation>, StudyError> {
    if history.observations.is_empty() {
        return Ok(None);
    }
    let mut books = Books::default();
    for session in sessions {
        books.read(session).await?;
    }
    Ok(judge_books(&books, history))
}

/// The same with the books at hand.
fn judge_books(books: &Books, history: &History) -> Option<Violation> {
    let mut told = Telling::new(books);
    told.all(history);
    if !told.vanished.is_empty() {
        let found = "clients saw entries that are not in the books";
        return Violation::of("I9", told.vanished.len(), found, told.vanished);
    }
    let lists = told.builder.finish();
    let verdict = check_list_append(&lists, Model::StrictSerializable, &Options::default());
    if verdict.holds {
        return None;
    }
    let forbidden = |finding: &&list::Finding| Model::StrictSerializable.forbids(finding.anomaly);
    let witnesses: Vec<Value> =
        verdict.findings.iter().filter(forbidden).map(|finding| describe(finding, &lists, &told.names)).collect();
    let counts = verdict.counts.iter().filter(|(anomaly, _)| Model::StrictSerializable.forbids(**anomaly));
    let counted: Vec<String> = counts.clone().map(|(anomaly, count)| format!("{count} {anomaly}")).collect();
    let count = usize::try_from(counts.map(|(_, count)| *count).sum::<u64>()).unwrap_or(usize::MAX);
    let weakest = verdict.weakest_violated.map_or_else(String::new, |model| format!("; not even {model}"));
    let found = format!("findings against strict serializability: {}{weakest}", counted.join(", "));
    Violation::of("I9", count, &found, witnesses)
}

/// What the books hold in the end.
#[derive(Debug, Default)]
struct Books {
    /// Each account's transfers in the order of its entries, as elements.
    lists: BTreeMap<i64, Vec<i64>>,
    /// Where each transfer stands: account, and place from 0.
    places: HashMap<i64, Vec<(i64, usize)>>,
}

impl Books {
    async fn read(&mut self, session: &Session) -> Result<(), Error> {
        for row in session.query(LISTS, &[]).await? {
            let transfers: Vec<Uuid> = row.try_get("transfer_ids")?;
            let account_id = row.try_get("account_id")?;
            // Cash is on every server, and is in no transfer but the opening.
            if !self.lists.contains_key(&account_id) {
                self.add(account_id, transfers.into_iter().map(element).collect());
            }
        }
        Ok(())
    }

    fn add(&mut self, account_id: i64, list: Vec<i64>) {
        for (place, element) in list.iter().enumerate() {
            self.places.entry(*element).or_default().push((account_id, place));
        }
        self.lists.insert(account_id, list);
    }
}

/// One request as all its copies together saw it.
#[derive(Clone, Copy)]
struct Request<'a> {
    client: u32,
    outcome: Outcome,
    sent_ns: u64,
    finished_ns: u64,
    saw: Option<&'a [i64]>,
}

/// What each client saw with each operation, the first time first.
type Sightings<'a> = HashMap<(u64, u32), VecDeque<&'a [i64]>>;

/// Makes the list history.
struct Telling<'a> {
    books: &'a Books,
    builder: HistoryBuilder,
    keys: HashMap<(i64, usize), Key>,
    /// Who each transaction is, for people.
    names: Vec<Name>,
    /// Transactions that are not one client's.
    nobodies: u32,
    /// What was seen and is not there.
    vanished: Vec<Value>,
}

/// Who a transaction is.
#[derive(Clone, Copy, Debug)]
enum Name {
    Opening,
    Operation(u64, u32),
    End,
}

/// [`PAGE_ENTRIES`], as places are counted.
const PAGE_PLACES: usize = 16;
const _: () = assert!(PAGE_ENTRIES == 16, "both cut lists alike");

impl<'a> Telling<'a> {
    fn new(books: &'a Books) -> Self {
        Self {
            books,
            builder: HistoryBuilder::new(),
            keys: HashMap::new(),
            names: Vec::new(),
            nobodies: NOBODY,
            vanished: Vec::new(),
        }
    }

    fn all(&mut self, history: &'a History) {
        // One client may get both copies of a request, one after the other; what it saw is in the same order.
        let mut saw: Sightings<'a> = HashMap::new();
        for seen in &history.observations {
            saw.entry((seen.operation, seen.client)).or_default().push_back(&seen.numbers);
        }
        let mut requests: Vec<(u64, Request<'a>)> = Vec::with_capacity(history.events.len());
        let mut copies: HashMap<u64, usize> = HashMap::new();
        let mut known: HashSet<i64> = HashSet::new();
        for event in &history.events {
            let element = element(history.operation(event).key);
            known.insert(element);
            let request = request(event, &mut saw);
            // Only of what is in the books are copies one transaction: reading twice is reading twice.
            if !self.books.places.contains_key(&element) {
                requests.push((event.operation, request));
                continue;
            }
            if let Some(place) = copies.get(&event.operation) {
                requests[*place].1 = together(requests[*place].1, request, &mut self.nobodies);
            } else {
                copies.insert(event.operation, requests.len());
                requests.push((event.operation, request));
            }
        }
        requests.sort_by_key(|(_, request)| request.sent_ns);
        part_overlapping(requests.iter_mut().map(|(_, request)| request), &mut self.nobodies);
        self.openings(&known);
        for (operation, request) in &requests {
            self.request(history, *operation, request);
        }
        self.end(requests.iter().map(|(_, request)| request.finished_ns).filter(|ns| *ns != u64::MAX).max());
    }

    /// What no client of the trial has posted was there before.
    fn openings(&mut self, known: &HashSet<i64>) {
        let mut before: Vec<i64> =
            self.books.places.keys().copied().filter(|element| !known.contains(element)).collect();
        before.sort_unstable();
        for element in before {
            self.nobodies += 1;
            let operations = self.appends(element);
            self.builder.push(self.nobodies, Status::Committed, (0, 0), &operations);
            self.names.push(Name::Opening);
        }
    }

    fn request(&mut self, history: &History, operation: u64, request: &Request<'a>) {
        let element = element(pgstrata_lab::history::operation(history.seed, operation).key);
        let mut operations = Vec::new();
        if let Some(seen) = request.saw {
            self.reads(operation, seen, &mut operations);
        }
        operations.extend(self.appends(element));
        let status = match request.outcome {
            Outcome::Ok | Outcome::Rejected => Status::Committed,
            Outcome::Failed | Outcome::Unknown => Status::Unknown,
        };
        if !operations.is_empty() {
            self.builder.push(request.client, status, (request.sent_ns, request.finished_ns), &operations);
            self.names.push(Name::Operation(operation, request.client));
        }
    }

    fn end(&mut self, last_ns: Option<u64>) {
        let began = last_ns.unwrap_or(0) + 1;
        let books = self.books;
        let mut operations = Vec::new();
        for (account_id, list) in &books.lists {
            for (page, elements) in list.chunks(PAGE_PLACES).enumerate() {
                operations.push(Operation::ReadList { key: self.key(*account_id, page), list: Some(elements) });
            }
        }
        self.nobodies += 1;
        self.builder.push(self.nobodies, Status::Committed, (began, began + 1), &operations);
        self.names.push(Name::End);
    }

    /// What was seen, as reads of pages.
    fn reads(&mut self, operation: u64, seen: &'a [i64], operations: &mut Vec<Operation<'a>>) {
        match seen {
            [ACCOUNTS, pairs @ ..] => {
                for pair in pairs.chunks_exact(2) {
                    self.read(operation, pair[0], pair[1], operations);
                }
            }
            [PAGE, account_id, last_entry, elements @ ..] => {
                let page = usize::try_from(last_entry / PAGE_ENTRIES).unwrap_or_default();
                operations.push(Operation::ReadList { key: self.key(*account_id, page), list: Some(elements) });
            }
            _ => {}
        }
    }

    /// An account as of its entry of this number.
    fn read(&mut self, operation: u64, account_id: i64, last_entry: i64, operations: &mut Vec<Operation<'a>>) {
        let until = usize::try_from(last_entry).unwrap_or_default();
        let page = until / PAGE_PLACES;
        let list = self.books.lists.get(&account_id).map_or(&[][..], Vec::as_slice);
        match list.get(page * PAGE_PLACES..until) {
            Some(elements) => {
                operations.push(Operation::ReadList { key: self.key(account_id, page), list: Some(elements) });
            }
            None => self.vanished.push(json!({
                "operation": operation,
                "account_id": account_id,
                "saw_entry": last_entry,
                "entries": list.len(),
            })),
        }
    }

    fn appends(&mut self, element: i64) -> Vec<Operation<'a>> {
        let places = self.books.places.get(&element).map_or(&[][..], Vec::as_slice);
        let append = |(account_id, place): &(i64, usize)| Operation::Append {
            key: self.key(*account_id, place / PAGE_PLACES),
            value: element,
        };
        places.iter().map(append).collect()
    }

    fn key(&mut self, account_id: i64, page: usize) -> Key {
        let builder = &mut self.builder;
        *self.keys.entry((account_id, page)).or_insert_with(|| {
            let first = page * PAGE_PLACES + 1;
            builder.key(&format!("account {account_id}, entries {first} to {}", first + PAGE_PLACES - 1))
        })
    }
}

fn request<'a>(event: &Event, saw: &mut Sightings<'a>) -> Request<'a> {
    let decided = matches!(event.outcome, Outcome::Ok | Outcome::Rejected);
    Request {
        client: event.client,
        outcome: event.outcome,
        sent_ns: event.sent_ns,
        // Nobody knows when it ended, or whether it has.
        finished_ns: if decided { event.finished_ns } else { u64::MAX },
        saw: if decided { saw.get_mut(&(event.operation, event.client)).and_then(VecDeque::pop_front) } else { None },
    }
}

/// A transfer that several clients sent: posted after the first had sent it, and before the first had his answer. What
/// was seen is what the one saw who posted it; the others found it there.
fn together<'a>(one: Request<'a>, other: Request<'a>, nobodies: &mut u32) -> Request<'a> {
    *nobodies += 1;
    let is_posted = |request: &Request<'_>| request.outcome == Outcome::Ok;
    let saw = [one, other].into_iter().filter(is_posted).find_map(|request| request.saw);
    let ends = [one, other].into_iter().filter(is_posted).map(|request| request.finished_ns);
    Request {
        client: *nobodies,
        outcome: if is_posted(&one) || is_posted(&other) { Outcome::Ok } else { one.outcome },
        sent_ns: one.sent_ns.min(other.sent_ns),
        finished_ns: ends.min().unwrap_or(u64::MAX),
        saw,
    }
}

/// A client does one thing at a time. What a killed process had in hand, a client of the next one asks for again beside its
/// own work, and what is unknown may still happen: neither stands in its client's order.
fn part_overlapping<'a, 'b: 'a>(requests: impl Iterator<Item = &'a mut Request<'b>>, nobodies: &mut u32) {
    let mut free_from: HashMap<u32, u64> = HashMap::new();
    for request in requests {
        let free = free_from.entry(request.client).or_default();
        if request.sent_ns < *free || request.finished_ns == u64::MAX {
            *nobodies += 1;
            request.client = *nobodies;
        } else {
            *free = request.finished_ns;
        }
    }
}

/// A finding for people: who comes before whom, and why.
fn describe(finding: &list::Finding, lists: &list::History, names: &[Name]) -> Value {
    let who = |id: list::TransactionId| match names.get(id.0 as usize) {
        Some(Name::Operation(operation, client)) => format!("operation {operation} of client {client}"),
        Some(Name::Opening) => "the opening of the accounts".to_owned(),
        Some(Name::End) => "the books in the end".to_owned(),
        None => id.to_string(),
    };
    let steps = finding.cycle.iter().map(|edge| {
        json!({
            "before": who(edge.from),
            "after": who(edge.to),
            "because": edge.dependency.short(),
            "on": edge.key.map(|key| lists.key_name(key)),
        })
    });
    let steps: Vec<Value> = steps.collect();
    let transactions: Vec<String> = finding.transactions.iter().map(|id| who(*id)).collect();
    let seen = finding.observation.as_ref();
    json!({
        "anomaly": finding.anomaly.to_string(),
        "transactions": transactions,
        "cycle": steps,
        "on": seen.map(|seen| lists.key_name(seen.key)),
    })
}
