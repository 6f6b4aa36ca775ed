//! The words of the ledger: what a client may ask for, and how it is decided. No database, no clock.

use pgstrata_lab::study::Reply;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::told::Told;

/// A currency by its ISO 4217 number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Currency(pub i16);

impl Currency {
    /// The US dollar.
    pub const USD: Self = Self(840);
    /// The euro.
    pub const EUR: Self = Self(978);
    /// The yen, which has no smaller unit.
    pub const JPY: Self = Self(392);
}

/// One side of a transfer. An account stands in a transfer at most once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Leg {
    /// The account.
    pub account_id: i64,
    /// The currency that the client means; the account must be kept in it.
    pub currency: Currency,
    /// Minor units: above zero credits the account, below zero debits it.
    pub amount: i64,
}

/// What a transfer is for. The number is that of `ledger.transfer_kinds`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i16)]
pub enum Kind {
    /// From one account to another.
    Transfer = 1,
    /// One currency for another, through the accounts of a desk.
    Exchange = 2,
    /// Takes an earlier transfer back.
    Reversal = 3,
    /// The first entries of new accounts.
    Opening = 4,
}

/// A request that changes the books.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The client's idempotency key: the same for each repetition, another for each new request. It names the transfer.
    pub key: Uuid,
    /// What is to be done.
    pub body: Body,
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    /// Posts these legs, all or none.
    Post {
        /// What it is for.
        kind: Kind,
        /// At least two, coming to zero in each currency.
        legs: Vec<Leg>,
    },
    /// Posts the opposite of every leg of an earlier transfer.
    Reverse {
        /// The transfer to take back.
        transfer_id: Uuid,
    },
}

/// How a request was decided. Each of these is an answer; that there is none yet is an error of whoever was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// It is in the books: now, or since it was sent before.
    Posted(Receipt),
    /// It is not, and nothing was written. The same request may be accepted later, when funds have arrived, say.
    Refused(Refusal),
}

/// What a client holds. It does not change, so a repeated request is answered with the same one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// The transfer: the request's key.
    pub transfer_id: Uuid,
    /// The number of its entry on the account of the smallest id that it touches.
    pub entry: i64,
}

/// Why nothing was posted. The numbers stand in a trial's history.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[repr(i64)]
pub enum Refusal {
    /// An account would be under its floor.
    #[error("insufficient funds")]
    InsufficientFunds = 1,
    /// More would leave an account today than may.
    #[error("daily limit exceeded")]
    DailyLimitExceeded = 2,
    /// The key belongs to another request.
    #[error("the key belongs to another request")]
    KeyReused = 3,
    /// An account does not exist.
    #[error("no such account")]
    NoSuchAccount = 4,
    /// An account is frozen or closed.
    #[error("the account is not open")]
    AccountNotOpen = 5,
    /// An account is kept in another currency than its leg.
    #[error("the account is kept in another currency")]
    CurrencyMismatch = 6,
    /// The legs do not come to zero in each currency, there are fewer than two, or one has no amount.
    #[error("the legs do not balance")]
    Unbalanced = 7,
    /// An account stands in the transfer twice.
    #[error("an account stands in the transfer twice")]
    AccountTwice = 8,
    /// There is no such transfer to take back.
    #[error("no such transfer")]
    NoSuchTransfer = 9,
    /// It was taken back before.
    #[error("the transfer was reversed before")]
    AlreadyReversed = 10,
    /// A reversal or an opening is not taken back.
    #[error("a transfer of this kind is not reversed")]
    NotReversible = 11,
    /// A balance would leave the range of 64 bits.
    #[error("the amount is too large")]
    AmountTooLarge = 12,
}

impl Request {
    /// 64 bits that tell this request from another one under the same key: the head of the SHA-256 of what is asked.
    ///
    /// It guards clients against their own mistakes; whoever forges a collision fools only himself.
    #[must_use]
    pub fn hash(&self) -> i64 {
        let mut hash = Sha256::new();
        match &self.body {
            Body::Post { kind, legs } => {
                hash.update((*kind as i16).to_be_bytes());
                for leg in legs {
                    hash.update(leg.account_id.to_be_bytes());
                    hash.update(leg.currency.0.to_be_bytes());
                    hash.update(leg.amount.to_be_bytes());
                }
            }
            Body::Reverse { transfer_id } => {
                hash.update((Kind::Reversal as i16).to_be_bytes());
                hash.update(transfer_id.as_bytes());
            }
        }
        let digest = hash.finalize();
        let mut head = [0; 8];
        head.copy_from_slice(&digest[..8]);
        i64::from_be_bytes(head)
    }

    /// What it is for.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match &self.body {
            Body::Post { kind, .. } => *kind,
            Body::Reverse { .. } => Kind::Reversal,
        }
    }

    /// The transfer that it takes back.
    #[must_use]
    pub fn reversal_of(&self) -> Option<Uuid> {
        match &self.body {
            Body::Post { .. } => None,
            Body::Reverse { transfer_id } => Some(*transfer_id),
        }
    }
}

impl Decision {
    /// The same in the lab's words.
    #[must_use]
    pub fn reply(&self) -> Reply {
        match self {
            Self::Posted(receipt) => Told::Posted { entry: receipt.entry }.reply(),
            Self::Refused(refusal) => Reply::Rejected { reason: *refusal as i64 },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_tells_requests_apart_whatever_their_keys() {
        let request = |key, account_id, amount: i64| {
            let leg = |account_id, amount| Leg { account_id, currency: Currency::EUR, amount };
            let legs = vec![leg(account_id, -amount), leg(9, amount)];
            Request { key: Uuid::from_u128(key), body: Body::Post { kind: Kind::Transfer, legs } }
        };
        assert_eq!(request(1, 7, 8).hash(), request(2, 7, 8).hash());
        assert_ne!(request(1, 7, 8).hash(), request(1, 8, 7).hash());
        assert_ne!(request(1, 7, 8).hash(), request(1, 7, 9).hash());
        let reversal = |of| Request { key: Uuid::nil(), body: Body::Reverse { transfer_id: Uuid::from_u128(of) } };
        assert_ne!(reversal(1).hash(), reversal(2).hash());
    }
}
