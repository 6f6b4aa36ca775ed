//! Which account is on which server, and the accounts that only these arms have: joint accounts and clearing.

use crate::ledger::transfer::Currency;
use crate::ledger::workload::{CURRENCIES, NewAccount, Workload, cash};

/// How many servers share the books.
pub(super) const SERVERS: usize = 2;

/// How many joint accounts there are. One customer has two accounts, one on each server, and may overdraw one of them as
/// far as the other covers it: a rule over both servers that neither can check by itself.
pub(super) const PAIRS: u64 = 8;

/// The first id of joint accounts and their pots, far above the customers'.
const FIRST_JOINT: i64 = 1 << 40;

/// What each account of a pair begins with.
pub(super) const JOINT_OPENING: i64 = 100;

/// Both accounts of a pair are kept in this.
pub(super) const JOINT_CURRENCY: Currency = Currency::EUR;

/// The account of a pair on a server.
pub(super) fn joint(pair: u64, server: usize) -> i64 {
    FIRST_JOINT + (pair.cast_signed() << 2) + server_bit(server)
}

/// Where what is withdrawn from it goes, on the same server.
pub(super) fn pot(pair: u64, server: usize) -> i64 {
    joint(pair, server) + 2
}

/// The smallest and largest id of joint accounts and pots.
pub(super) fn joint_range() -> (i64, i64) {
    (joint(0, 0), pot(PAIRS, SERVERS - 1))
}

/// The pair of a joint account; none for a pot.
pub(super) fn pair_of(account_id: i64) -> Option<i64> {
    let place = account_id - FIRST_JOINT;
    (place & 2 == 0).then_some(place >> 2)
}

/// What a server owes the other one in a currency.
pub(super) fn clearing(currency: Currency) -> i64 {
    cash(currency) - 9
}

/// The server of an account. Cash and clearing are on every server, and in no transfer.
pub(super) fn server_of(account_id: i64) -> usize {
    if !(0..FIRST_JOINT).contains(&account_id) {
        return usize::from(account_id & 1 != 0);
    }
    usize::from(account_id & 1 == 0)
}

/// The accounts of one server.
pub(super) fn accounts(workload: &Workload, server: usize) -> Vec<NewAccount> {
    let is_cash = |account: &NewAccount| account.account_id == cash(account.currency);
    let here = |account: &NewAccount| is_cash(account) || server_of(account.account_id) == server;
    let house = |account_id, currency, kind, opening, floor| NewAccount {
        account_id,
        currency,
        kind,
        opening,
        floor,
        daily_limit: None,
    };
    let clearings = CURRENCIES.into_iter().map(|currency| house(clearing(currency), currency, "clearing", 0, None));
    let joints = (0..PAIRS).flat_map(|pair| {
        [
            // Its floor is a rule over both servers; no constraint of one server can say it.
            house(joint(pair, server), JOINT_CURRENCY, "customer", JOINT_OPENING, None),
            house(pot(pair, server), JOINT_CURRENCY, "customer", 0, Some(0)),
        ]
    });
    workload.accounts().filter(here).chain(clearings).chain(joints).collect()
}

fn server_bit(server: usize) -> i64 {
    i64::from(server != 0)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use pgstrata_lab::study::{DEFAULT_SKEW, Preset, Scale};

    use super::*;

    #[test]
    fn every_account_is_on_one_server_and_both_currencies_are_on_both() {
        let scale =
            Scale { preset: Preset::Ci, operations: 1, scarce: false, skew: DEFAULT_SKEW, observed: true, seed: 3 };
        let workload = Workload::new(&scale);
        let mut customers: BTreeMap<(usize, i16), u32> = BTreeMap::new();
        for server in 0..SERVERS {
            for account in accounts(&workload, server).iter().filter(|account| account.kind == "customer") {
                assert_eq!(server_of(account.account_id), server, "{account:?}");
                *customers.entry((server, account.currency.0)).or_default() += 1;
            }
        }
        assert_eq!(customers.len(), SERVERS * CURRENCIES.len(), "{customers:?}");
        assert_eq!(pair_of(joint(5, 1)), Some(5));
        assert_eq!(pair_of(pot(5, 1)), None);
    }
}
