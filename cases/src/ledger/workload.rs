//! What the clients of a trial do: transfers, exchanges, reversals, statements, audits. Pure functions of seed and number.

use std::sync::Arc;

use pgstrata_lab::history::{operation, uniform};
use pgstrata_lab::study::{Operation, Preset, Scale};
use uuid::Uuid;

use super::transfer::{Body, Currency, Kind, Leg, Request};

/// The currencies of a trial; customers' accounts are kept in one or the other.
pub(crate) const CURRENCIES: [Currency; 2] = [Currency::EUR, Currency::USD];

/// How many accounts an exchange desk has in each currency, so that not every exchange meets in one row.
const DESKS: i64 = 4;

/// The most minor units of a transfer.
const AMOUNT_MOST: u64 = 100;

/// How many customers' accounts there are, a multiple of four: when windows are measured, and when clients are watched
/// closely and meet often.
const CUSTOMERS_FULL: u64 = 100_000;
const CUSTOMERS_SHORT: u64 = 10_000;
const CUSTOMERS_OBSERVED: u64 = 256;

/// One operation in so many is of this kind.
#[derive(Clone, Copy, Debug)]
struct Shares {
    audit: u64,
    statement: u64,
    reversal: u64,
    exchange: u64,
}

/// An audit reads every account: at 100,000 requests a second these are twelve each second.
const SHARES: Shares = Shares { audit: 8_192, statement: 64, reversal: 64, exchange: 32 };

/// Where order is judged, reading is what gives it away.
const SHARES_OBSERVED: Shares = Shares { audit: 64, statement: 8, reversal: 64, exchange: 16 };

/// A reversal is of one of so many operations before it.
const REVERSAL_REACH: u64 = 4_096;

/// Every so many accounts have a daily limit.
const LIMITED_EVERY: i64 = 16;

/// What one operation does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Work {
    /// Changes the books.
    Post(Request),
    /// Reads the last page of an account's statement.
    Statement {
        /// The account.
        account_id: i64,
    },
    /// Adds up all balances.
    Audit,
}

/// An account as it is opened for a trial.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NewAccount {
    pub(crate) account_id: i64,
    pub(crate) currency: Currency,
    pub(crate) kind: &'static str,
    /// What the opening transfer gives it; cash gets the opposite of all the others.
    pub(crate) opening: i64,
    pub(crate) floor: Option<i64>,
    pub(crate) daily_limit: Option<i64>,
}

/// The operations of a trial. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Workload {
    seed: u64,
    scarce: bool,
    shares: Shares,
    customers: u64,
    zipf: Arc<Zipf>,
}

impl Workload {
    /// The operations of a trial of this scale.
    pub(crate) fn new(scale: &Scale) -> Self {
        let (customers, shares) = match (scale.observed, scale.preset) {
            (true, _) => (CUSTOMERS_OBSERVED, SHARES_OBSERVED),
            (false, Preset::Full) => (CUSTOMERS_FULL, SHARES),
            (false, Preset::Smoke | Preset::Ci) => (CUSTOMERS_SHORT, SHARES),
        };
        let zipf = Arc::new(Zipf::new(customers, scale.skew));
        Self { seed: scale.seed, scarce: scale.scarce, shares, customers, zipf }
    }

    /// The accounts that there are, and what they begin with.
    pub(crate) fn accounts(&self) -> impl Iterator<Item = NewAccount> {
        let (opening, limit) = if self.scarce { (200, 300) } else { (1_000_000_000, 1_000_000_000) };
        let customers = (0..self.customers).map(move |rank| {
            let account_id = customer(rank);
            let limited = account_id % LIMITED_EVERY == 5;
            NewAccount {
                account_id,
                currency: currency_of(rank),
                kind: "customer",
                opening,
                floor: Some(0),
                daily_limit: limited.then_some(limit),
            }
        });
        let house = |account_id, currency, kind| NewAccount {
            account_id,
            currency,
            kind,
            opening: 0,
            floor: None,
            daily_limit: None,
        };
        let house = CURRENCIES.into_iter().flat_map(move |currency| {
            let desks = (0..DESKS).map(move |number| house(desk(currency, number), currency, "desk"));
            std::iter::once(house(cash(currency), currency, "cash")).chain(desks)
        });
        house.chain(customers)
    }

    /// What an operation does. Independent draws decide on its kind, its accounts and its amount.
    pub(crate) fn work(&self, operation: &Operation) -> Work {
        let is = |lane: u64, share: u64| (uniform(operation.draw, lane) * share as f64) < 1.0;
        if is(1, self.shares.audit) {
            return Work::Audit;
        }
        if is(2, self.shares.statement) {
            return Work::Statement { account_id: customer(self.rank(operation, 5)) };
        }
        let body = if is(3, self.shares.reversal) {
            Body::Reverse { transfer_id: self.earlier(operation) }
        } else if is(4, self.shares.exchange) {
            self.exchange(operation)
        } else {
            self.transfer(operation)
        };
        Work::Post(Request { key: operation.key, body })
    }

    fn transfer(&self, operation: &Operation) -> Body {
        let (from, to) = (self.rank(operation, 5), self.rank(operation, 6));
        // The neighbour in popularity that is kept in the same currency and is another account.
        let to = if currency_of(to) == currency_of(from) { to } else { to ^ 2 };
        let to = if to == from { to ^ 1 } else { to };
        let (currency, amount) = (currency_of(from), amount(operation));
        let leg = |rank, amount| Leg { account_id: customer(rank), currency, amount };
        Body::Post { kind: Kind::Transfer, legs: vec![leg(from, -amount), leg(to, amount)] }
    }

    /// Four legs: the customer pays the desk in one currency and is, or somebody else is, paid in the other.
    fn exchange(&self, operation: &Operation) -> Body {
        let (from, to) = (self.rank(operation, 5), self.rank(operation, 6));
        let to = if currency_of(to) == currency_of(from) { to ^ 2 } else { to };
        let (sold, bought) = (currency_of(from), currency_of(to));
        let paid = amount(operation);
        let received = paid * 9 / 10 + 1;
        let number = operation.draw.cast_signed().rem_euclid(DESKS);
        let leg = |account_id, currency, amount| Leg { account_id, currency, amount };
        let legs = vec![
            leg(customer(from), sold, -paid),
            leg(desk(sold, number), sold, paid),
            leg(desk(bought, number), bought, -received),
            leg(customer(to), bought, received),
        ];
        Body::Post { kind: Kind::Exchange, legs }
    }

    /// The key of an operation before this one, whatever became of it.
    fn earlier(&self, operation_: &Operation) -> Uuid {
        let back = 1 + operation_.draw % REVERSAL_REACH.min(operation_.number.max(1));
        operation(self.seed, operation_.number.saturating_sub(back)).key
    }

    fn rank(&self, operation: &Operation, lane: u64) -> u64 {
        self.zipf.rank(uniform(operation.draw, lane))
    }
}

/// The transfer that opens all accounts of a currency.
pub(crate) fn opening_key(currency: Currency) -> Uuid {
    Uuid::from_u128(u128::from(currency.0.unsigned_abs()))
}

/// Where the money of a currency comes from.
pub(crate) fn cash(currency: Currency) -> i64 {
    -i64::from(currency.0) * 10
}

fn desk(currency: Currency, number: i64) -> i64 {
    cash(currency) - 1 - number
}

fn customer(rank: u64) -> i64 {
    1 + rank.cast_signed()
}

/// Neighbours in popularity two by two, so that both currencies have their share of the hot accounts, on every server.
fn currency_of(rank: u64) -> Currency {
    CURRENCIES[usize::from(rank & 2 != 0)]
}

fn amount(operation: &Operation) -> i64 {
    1 + (operation.draw % AMOUNT_MOST).cast_signed()
}

/// Zipf's law on ranks 0 to n - 1: rank r is drawn in proportion to (r + 1)^-s. Its distribution function as a table.
#[derive(Debug)]
struct Zipf {
    cumulated: Vec<f64>,
}

impl Zipf {
    fn new(ranks: u64, exponent: f64) -> Self {
        let mut total = 0.0;
        let mut cumulated: Vec<f64> = (1..=ranks)
            .map(|rank| {
                total += (rank as f64).powf(-exponent);
                total
            })
            .collect();
        for up_to in &mut cumulated {
            *up_to /= total;
        }
        Self { cumulated }
    }

    fn rank(&self, uniform: f64) -> u64 {
        let rank = self.cumulated.partition_point(|up_to| *up_to <= uniform);
        rank.min(self.cumulated.len() - 1) as u64
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use pgstrata_lab::study::DEFAULT_SKEW;

    use super::*;
    use crate::ledger::admission::look_over;

    fn workload(skew: f64, observed: bool) -> Workload {
        Workload::new(&Scale { preset: Preset::Ci, operations: 1, scarce: false, skew, observed, seed: 3 })
    }

    #[test]
    fn every_transfer_balances_on_accounts_that_there_are() {
        for skew in [0.0, DEFAULT_SKEW, 2.0] {
            let workload = workload(skew, true);
            let accounts: HashMap<i64, Currency> =
                workload.accounts().map(|account| (account.account_id, account.currency)).collect();
            for number in 0..20_000 {
                let Work::Post(request) = workload.work(&operation(3, number)) else { continue };
                let Body::Post { legs, .. } = request.body else { continue };
                assert_eq!(look_over(&legs), Ok(()), "{legs:?}");
                assert!(legs.iter().all(|leg| accounts.get(&leg.account_id) == Some(&leg.currency)), "{legs:?}");
            }
        }
    }

    #[test]
    fn each_kind_of_work_has_its_share() {
        let workload = workload(DEFAULT_SKEW, true);
        let mut counts: HashMap<&str, u32> = HashMap::new();
        for number in 0..64_000 {
            let kind = match workload.work(&operation(3, number)) {
                Work::Audit => "audit",
                Work::Statement { .. } => "statement",
                Work::Post(request) => match request.kind() {
                    Kind::Reversal => "reversal",
                    Kind::Exchange => "exchange",
                    Kind::Transfer | Kind::Opening => "transfer",
                },
            };
            *counts.entry(kind).or_default() += 1;
        }
        assert!((850..1_150).contains(&counts["audit"]), "{counts:?}");
        assert!((7_400..8_300).contains(&counts["statement"]), "{counts:?}");
        assert!((700..1_000).contains(&counts["reversal"]), "{counts:?}");
        assert!((3_100..3_800).contains(&counts["exchange"]), "{counts:?}");
    }

    #[test]
    fn the_most_frequent_account_takes_the_share_that_zipf_gives_it() {
        for (skew, expect) in [(0.0, 1.0 / 10_000.0), (1.0, 0.102), (2.0, 0.608)] {
            let zipf = Zipf::new(10_000, skew);
            let drawn = 200_000_u64;
            let first = (0..drawn).filter(|number| zipf.rank(uniform(7, *number)) == 0).count() as f64;
            let share = first / drawn as f64;
            assert!((share - expect).abs() < 0.005, "exponent {skew}: {share}");
        }
    }
}
