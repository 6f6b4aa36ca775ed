//! Where the clients of a trial write down what they did; shared by all of them, one for each server.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use pgstrata_history::exact::{Follow, Observed, Table, TableId};

/// How many transactions are kept at most: about a gigabyte. Later ones count as not watched.
const TRANSACTIONS_MOST: usize = 1_000_000;

/// The transactions of one server's clients.
#[derive(Debug)]
pub struct Recorder {
    origin: Instant,
    tables: Mutex<Tables>,
    observed: Mutex<Vec<Observed>>,
}

#[derive(Debug)]
struct Tables {
    list: Vec<Table>,
    places: HashMap<String, TableId>,
}

impl Recorder {
    /// A recorder that knows these tables; others count as not in the log.
    #[must_use]
    pub(super) fn new(tables: &[Table]) -> Self {
        let places = (0..).map(TableId).zip(tables).map(|(place, table)| (table.name.clone(), place)).collect();
        let tables = Tables { list: tables.to_vec(), places };
        Self { origin: Instant::now(), tables: Mutex::new(tables), observed: Mutex::default() }
    }

    /// Nanoseconds since the trial began, the same for all clients.
    pub(super) fn now_ns(&self) -> u64 {
        u64::try_from(self.origin.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    /// The table of this name, `schema.name`.
    pub(super) fn table(&self, name: &str) -> TableId {
        let mut tables = locked(&self.tables);
        if let Some(place) = tables.places.get(name) {
            return *place;
        }
        let place = TableId(u32::try_from(tables.list.len()).unwrap_or(u32::MAX));
        tables.list.push(Table { name: name.to_owned(), follow: Follow::NotLogged });
        tables.places.insert(name.to_owned(), place);
        place
    }

    pub(super) fn add(&self, observed: Observed) {
        let mut all = locked(&self.observed);
        if all.len() < TRANSACTIONS_MOST {
            all.push(observed);
        }
    }

    /// All that was written down.
    pub(super) fn take(&self) -> (Vec<Table>, Vec<Observed>) {
        (locked(&self.tables).list.clone(), std::mem::take(&mut locked(&self.observed)))
    }
}

/// Nothing between lock and unlock can panic half-way, so a poisoned lock holds what it should.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
