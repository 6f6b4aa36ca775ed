//! Whether a request may be posted, given the accounts as they stand, and what its entries will be. The rules of the
//! ledger are here and nowhere else: every way of keeping the books asks this module. No database, no clock.

use std::collections::BTreeMap;

use super::transfer::{Currency, Kind, Leg, Refusal};

/// The most legs of a transfer.
pub const LEG_LIMIT: usize = 64;

/// An account as somebody has read it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Account {
    /// Its number.
    pub account_id: i64,
    /// What it is kept in.
    pub currency: Currency,
    /// Whether it takes part in transfers.
    pub is_open: bool,
    /// Minor units.
    pub balance: i64,
    /// The least that the balance may be.
    pub floor: Option<i64>,
    /// The most that may leave it today.
    pub daily_limit: Option<i64>,
    /// What has left it today.
    pub spent: i64,
    /// The number of its last entry.
    pub last_entry: i64,
    /// The version of its settings.
    pub revision: i32,
}

/// An entry to be written, with what its account becomes by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Posting {
    /// The account.
    pub account_id: i64,
    /// Its currency.
    pub currency: Currency,
    /// Minor units, above zero credits.
    pub amount: i64,
    /// The number of the entry.
    pub number: i64,
    /// The account's balance after it.
    pub balance: i64,
    /// What has left the account today after it.
    pub spent: i64,
}

/// What can be said of legs without looking at any account.
pub fn look_over(legs: &[Leg]) -> Result<(), Refusal> {
    if legs.len() < 2 || legs.len() > LEG_LIMIT || legs.iter().any(|leg| leg.amount == 0) {
        return Err(Refusal::Unbalanced);
    }
    if let [one, other] = legs {
        // What nearly all transfers are.
        if one.account_id == other.account_id {
            return Err(Refusal::AccountTwice);
        }
        let balanced = one.currency == other.currency && one.amount.checked_neg() == Some(other.amount);
        return if balanced { Ok(()) } else { Err(Refusal::Unbalanced) };
    }
    let mut accounts: Vec<i64> = legs.iter().map(|leg| leg.account_id).collect();
    accounts.sort_unstable();
    if accounts.windows(2).any(|pair| pair[0] == pair[1]) {
        return Err(Refusal::AccountTwice);
    }
    let mut sums: BTreeMap<Currency, i128> = BTreeMap::new();
    for leg in legs {
        *sums.entry(leg.currency).or_default() += i128::from(leg.amount);
    }
    if sums.values().all(|sum| *sum == 0) { Ok(()) } else { Err(Refusal::Unbalanced) }
}

/// The entries of these legs, in their order, if every account takes part.
///
/// `account` gives an account as it stands, or none if there is no such account.
pub fn admit(
    kind: Kind,
    legs: &[Leg],
    mut account: impl FnMut(i64) -> Option<Account>,
) -> Result<Vec<Posting>, Refusal> {
    look_over(legs)?;
    legs.iter().map(|leg| post(kind, leg, account(leg.account_id).ok_or(Refusal::NoSuchAccount)?)).collect()
}

/// One leg on its account.
///
/// A reversal is bound by floors, but not by daily limits: it spends nothing, and counts towards nothing.
pub fn post(kind: Kind, leg: &Leg, account: Account) -> Result<Posting, Refusal> {
    if !account.is_open {
        return Err(Refusal::AccountNotOpen);
    }
    if account.currency != leg.currency {
        return Err(Refusal::CurrencyMismatch);
    }
    let balance = account.balance.checked_add(leg.amount).ok_or(Refusal::AmountTooLarge)?;
    let mut spent = account.spent;
    if leg.amount < 0 {
        if account.floor.is_some_and(|floor| balance < floor) {
            return Err(Refusal::InsufficientFunds);
        }
        if kind != Kind::Reversal {
            spent = spend(leg, account)?;
        }
    }
    Ok(Posting {
        account_id: leg.account_id,
        currency: leg.currency,
        amount: leg.amount,
        number: account.last_entry + 1,
        balance,
        spent,
    })
}

/// What has left the account today with this debit.
fn spend(leg: &Leg, account: Account) -> Result<i64, Refusal> {
    let leaves = leg.amount.checked_neg().ok_or(Refusal::AmountTooLarge)?;
    let spent = account.spent.checked_add(leaves).ok_or(Refusal::AmountTooLarge)?;
    if account.daily_limit.is_some_and(|limit| spent > limit) {
        return Err(Refusal::DailyLimitExceeded);
    }
    Ok(spent)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn account(account_id: i64) -> Account {
        Account {
            account_id,
            currency: Currency::EUR,
            is_open: true,
            balance: 100,
            floor: Some(0),
            daily_limit: None,
            spent: 0,
            last_entry: 4,
            revision: 0,
        }
    }

    fn leg(account_id: i64, amount: i64) -> Leg {
        Leg { account_id, currency: Currency::EUR, amount }
    }

    fn check(legs: &[Leg], change: impl Fn(&mut Account), expect: Result<&[(i64, i64)], Refusal>) {
        let found = admit(Kind::Transfer, legs, |id| {
            let mut account = account(id);
            change(&mut account);
            (id < 100).then_some(account)
        });
        let found: Result<Vec<(i64, i64)>, Refusal> =
            found.map(|postings| postings.iter().map(|posting| (posting.number, posting.balance)).collect());
        assert_eq!(found.as_deref().map_err(|refusal| *refusal), expect);
    }

    #[test]
    fn a_transfer_takes_from_one_and_gives_to_the_other() {
        check(&[leg(1, -100), leg(2, 100)], |_| {}, Ok(&[(5, 0), (5, 200)]));
    }

    #[test]
    fn floors_and_limits_bind_whoever_pays_and_nobody_else() {
        let legs = [leg(1, -101), leg(2, 101)];
        check(&legs, |_| {}, Err(Refusal::InsufficientFunds));
        check(&legs, |account| account.floor = None, Ok(&[(5, -1), (5, 201)]));
        check(&legs, |account| account.floor = Some(-1), Ok(&[(5, -1), (5, 201)]));
        let legs = [leg(1, -10), leg(2, 10)];
        let spent = |spent| move |account: &mut Account| (account.daily_limit, account.spent) = (Some(50), spent);
        check(&legs, spent(40), Ok(&[(5, 90), (5, 110)]));
        check(&legs, spent(41), Err(Refusal::DailyLimitExceeded));
        let reversed = |kind| post(kind, &legs[0], Account { daily_limit: Some(5), spent: 1, ..account(1) });
        assert_eq!(reversed(Kind::Reversal).map(|posting| posting.spent), Ok(1), "a reversal spends nothing");
        assert_eq!(reversed(Kind::Transfer), Err(Refusal::DailyLimitExceeded));
        check(&legs, |account| account.is_open = false, Err(Refusal::AccountNotOpen));
        check(&legs, |account| account.currency = Currency::USD, Err(Refusal::CurrencyMismatch));
        check(&[leg(1, -10), leg(100, 10)], |_| {}, Err(Refusal::NoSuchAccount));
    }

    #[test]
    fn legs_that_do_not_balance_are_refused_before_any_account_is_looked_at() {
        let unbalanced = [
            vec![],
            vec![leg(1, 5)],
            vec![leg(1, -5), leg(2, 4)],
            vec![leg(1, 0), leg(2, 0)],
            vec![leg(1, i64::MIN), leg(2, i64::MIN)],
            vec![leg(1, -5), Leg { currency: Currency::USD, ..leg(2, 5) }],
            vec![leg(1, -5), leg(2, 3), Leg { currency: Currency::USD, ..leg(3, 2) }],
        ];
        for legs in unbalanced {
            let found = admit(Kind::Transfer, &legs, |_| panic!("no account is looked at"));
            assert_eq!(found, Err(Refusal::Unbalanced), "{legs:?}");
        }
        assert_eq!(look_over(&[leg(1, -5), leg(1, 5)]), Err(Refusal::AccountTwice));
        assert_eq!(look_over(&[leg(1, -5), leg(2, 6), leg(1, -1)]), Err(Refusal::AccountTwice));
    }

    #[test]
    fn a_balance_that_would_not_fit_is_refused() {
        let full = |account: &mut Account| account.balance = i64::MAX;
        check(&[leg(1, -1), leg(2, 1)], full, Err(Refusal::AmountTooLarge));
    }

    proptest! {
        #[test]
        fn whatever_is_admitted_adds_up_to_nothing_and_leaves_nobody_under_his_floor(
            amounts in prop::collection::vec(-150_i64..150, 1..6),
        ) {
            let mut legs: Vec<Leg> = (1..).zip(&amounts).map(|(id, amount)| leg(id, *amount)).collect();
            legs.push(leg(50, -amounts.iter().sum::<i64>()));
            if let Ok(postings) = admit(Kind::Transfer, &legs, |id| Some(account(id))) {
                prop_assert_eq!(postings.iter().map(|posting| posting.amount).sum::<i64>(), 0);
                prop_assert!(postings.iter().all(|posting| posting.balance >= 0 || posting.amount > 0));
            }
        }
    }
}
