//! The sold-out latch: while a product is known to be gone, requests for it are answered without asking the database.
//!
//! It must never say "sold out" to somebody who has an order and repeats his request, nor for long while there is stock:
//!
//! * It closes only when it has all keys that have an order of the product, and lets each of them through.
//! * It opens at once when the sweeper returns stock, and by itself after [`Gate::window`], whoever returned stock and
//!   however: then the next request asks the database again.
//!
//! It decides nothing: whatever it lets through is decided by the database.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::{Duration, Instant};

use uuid::Uuid;

use crate::flash_sale::purchase::Purchase;

/// How many keys of a product are kept at most, about 100 MB. A product that has sold more has no latch: the database
/// goes on answering "sold out", by the batch.
pub(crate) const KEY_LIMIT: usize = 1 << 22;

/// The latches of the products of one server.
#[derive(Debug)]
pub(crate) struct Gate {
    window: Duration,
    latches: RwLock<HashMap<i64, Arc<Latch>>>,
}

/// The latch of one product.
#[derive(Debug, Default)]
pub(crate) struct Latch {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    keys: Keys,
    closed_until: Option<Instant>,
    /// Grows each time that stock returns. A "sold out" decided before that closes nothing.
    returns: u64,
}

/// The keys that have an order of the product.
#[derive(Debug, Default)]
enum Keys {
    /// Nobody has asked yet.
    #[default]
    Unknown,
    /// The table is being read; these were sold meanwhile.
    Loading(HashSet<Uuid>),
    /// All of them.
    Complete(HashSet<Uuid>),
    /// Too many to keep.
    TooMany,
}

/// What the gate says to a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Word {
    /// Ask the database; and if it says "sold out", tell the gate with this.
    Ask(Pass),
    /// Sold out.
    SoldOut,
}

/// Remembers when a request was let through.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Pass {
    returns: u64,
}

/// What the gate needs after it heard "sold out".
#[derive(Debug)]
pub(crate) enum Next {
    /// Nothing.
    Nothing,
    /// That somebody reads the keys of the product and calls [`Latch::complete`].
    LoadKeys(Arc<Latch>),
}

impl Gate {
    /// A gate whose latches open by themselves after `window`.
    pub(crate) fn new(window: Duration) -> Self {
        Self { window, latches: RwLock::default() }
    }

    /// Whether a request must be decided by the database.
    pub(crate) fn ask(&self, purchase: &Purchase, now: Instant) -> Word {
        let Some(latch) = self.latch(purchase.product_id) else { return Word::Ask(Pass::default()) };
        let state = latch.lock();
        let is_closed = state.closed_until.is_some_and(|until| now < until);
        match &state.keys {
            Keys::Complete(keys) if is_closed && !keys.contains(&purchase.key) => Word::SoldOut,
            _ => Word::Ask(Pass { returns: state.returns }),
        }
    }

    /// The database says that a product is sold out, to a request that was let through with `pass`.
    pub(crate) fn sold_out(&self, product_id: i64, pass: Pass, now: Instant) -> Next {
        let latch = self.latch_or_new(product_id);
        let mut state = latch.lock();
        if state.returns != pass.returns {
            return Next::Nothing;
        }
        state.closed_until = Some(now + self.window);
        if matches!(state.keys, Keys::Unknown) {
            state.keys = Keys::Loading(HashSet::new());
            drop(state);
            return Next::LoadKeys(latch);
        }
        Next::Nothing
    }

    /// These have an order now, or may have one. Called before anybody can be told about them.
    pub(crate) fn note_sold<'a>(&self, product_id: i64, purchases: impl Iterator<Item = &'a Purchase>) {
        let Some(latch) = self.latch(product_id) else { return };
        let mut state = latch.lock();
        if let Keys::Loading(keys) | Keys::Complete(keys) = &mut state.keys {
            keys.extend(purchases.map(|purchase| purchase.key));
            if keys.len() > KEY_LIMIT {
                state.keys = Keys::TooMany;
            }
        }
    }

    /// Stock of a product has returned.
    pub(crate) fn reopen(&self, product_id: i64) {
        // Made if it is not there: a "sold out" that is on its way must find that stock has returned since.
        let latch = self.latch_or_new(product_id);
        let mut state = latch.lock();
        state.returns += 1;
        state.closed_until = None;
    }

    fn latch(&self, product_id: i64) -> Option<Arc<Latch>> {
        self.latches.read().unwrap_or_else(PoisonError::into_inner).get(&product_id).cloned()
    }

    fn latch_or_new(&self, product_id: i64) -> Arc<Latch> {
        let mut latches = self.latches.write().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(latches.entry(product_id).or_default())
    }
}

impl Latch {
    /// The keys that were asked for: all that had an order when the table was read. None if they could not be read;
    /// then they are asked for again.
    pub(crate) fn complete(&self, read: Option<Vec<Uuid>>) {
        let mut state = self.lock();
        let Keys::Loading(sold_meanwhile) = std::mem::take(&mut state.keys) else { return };
        if let Some(read) = read {
            let mut keys = sold_meanwhile;
            keys.extend(read);
            state.keys = if keys.len() > KEY_LIMIT { Keys::TooMany } else { Keys::Complete(keys) };
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WINDOW: Duration = Duration::from_secs(1);
    const PRODUCT: i64 = 7;

    fn request(key: u128) -> Purchase {
        Purchase { key: Uuid::from_u128(key), product_id: PRODUCT, user_id: 1 }
    }

    fn pass(gate: &Gate, key: u128, now: Instant) -> Pass {
        match gate.ask(&request(key), now) {
            Word::Ask(pass) => pass,
            Word::SoldOut => panic!("let through"),
        }
    }

    /// A gate that is closed, with one key that has an order.
    fn closed(now: Instant) -> Gate {
        let gate = Gate::new(WINDOW);
        let Next::LoadKeys(latch) = gate.sold_out(PRODUCT, pass(&gate, 1, now), now) else { panic!("keys are needed") };
        latch.complete(Some(vec![Uuid::from_u128(42)]));
        gate
    }

    #[test]
    fn it_stays_open_until_it_knows_who_has_an_order() {
        let now = Instant::now();
        let gate = Gate::new(WINDOW);
        let Next::LoadKeys(latch) = gate.sold_out(PRODUCT, pass(&gate, 1, now), now) else { panic!("keys are needed") };
        pass(&gate, 2, now);
        gate.note_sold(PRODUCT, [request(3)].iter());
        latch.complete(Some(Vec::new()));
        assert_eq!(gate.ask(&request(2), now), Word::SoldOut);
        pass(&gate, 3, now);
    }

    #[test]
    fn whoever_has_an_order_is_let_through() {
        let now = Instant::now();
        let gate = closed(now);
        assert_eq!(gate.ask(&request(2), now), Word::SoldOut);
        pass(&gate, 42, now);
    }

    #[test]
    fn it_opens_by_itself_after_its_window_and_at_once_when_stock_returns() {
        let now = Instant::now();
        pass(&closed(now), 2, now + WINDOW);
        let gate = closed(now);
        gate.reopen(PRODUCT);
        pass(&gate, 2, now);
    }

    #[test]
    fn a_refusal_from_before_the_return_of_stock_does_not_close_it() {
        let now = Instant::now();
        let gate = closed(now);
        let before = pass(&gate, 42, now);
        gate.reopen(PRODUCT);
        gate.sold_out(PRODUCT, before, now);
        pass(&gate, 2, now);
    }

    #[test]
    fn keys_that_could_not_be_read_are_asked_for_again() {
        let now = Instant::now();
        let gate = Gate::new(WINDOW);
        let Next::LoadKeys(latch) = gate.sold_out(PRODUCT, pass(&gate, 1, now), now) else { panic!("keys are needed") };
        latch.complete(None);
        pass(&gate, 2, now);
        assert!(matches!(gate.sold_out(PRODUCT, pass(&gate, 1, now), now), Next::LoadKeys(_)));
    }
}
