//! The words of the sale: a request to buy one unit, and how it is decided. No database, no clock.

use std::time::SystemTime;

use pgstrata_lab::study::Reply;
use sha2::{Digest, Sha256};
use uuid::Uuid;

/// A request for one unit of a product.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Purchase {
    /// The client's idempotency key: the same for each repetition of the request, another for each new one.
    pub key: Uuid,
    /// What is to be bought.
    pub product_id: i64,
    /// Who buys.
    pub user_id: i64,
}

/// How a request was decided. Each of these is an answer; that there is none yet is an error of whoever was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// It has an order: a new one, or the one it got when it was sent before.
    Reserved(Reservation),
    /// Nothing was left. Nothing was written: a refusal may be reconsidered when stock returns.
    SoldOut,
    /// The user has a live order of this product under another key.
    LimitReached,
    /// The key belongs to another request.
    KeyReused,
    /// There is no such product.
    NoSuchProduct,
}

/// What a buyer holds. These are facts that do not change, so a repeated request is answered with the same ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reservation {
    /// The order's number.
    pub order_id: i64,
    /// Until when it can be paid.
    pub expires_at: SystemTime,
}

/// The reasons of refusals as numbers, as they stand in a trial's history.
pub mod reason {
    /// [`super::Decision::SoldOut`].
    pub const SOLD_OUT: i64 = 1;
    /// [`super::Decision::LimitReached`].
    pub const LIMIT_REACHED: i64 = 2;
    /// [`super::Decision::KeyReused`].
    pub const KEY_REUSED: i64 = 3;
    /// [`super::Decision::NoSuchProduct`].
    pub const NO_SUCH_PRODUCT: i64 = 4;
}

impl Purchase {
    /// 64 bits that tell this request from another one under the same key: the head of the SHA-256 of what is asked.
    ///
    /// It guards clients against their own mistakes; whoever forges a collision fools only himself.
    #[must_use]
    pub fn request_hash(&self) -> i64 {
        let mut hash = Sha256::new();
        hash.update(self.product_id.to_be_bytes());
        hash.update(self.user_id.to_be_bytes());
        let digest = hash.finalize();
        let mut head = [0; 8];
        head.copy_from_slice(&digest[..8]);
        i64::from_be_bytes(head)
    }
}

impl Decision {
    /// The same in the lab's words: an accepted operation's value is its order number.
    #[must_use]
    pub fn reply(&self) -> Reply {
        match self {
            Self::Reserved(reservation) => Reply::Accepted { value: reservation.order_id },
            Self::SoldOut => Reply::Rejected { reason: reason::SOLD_OUT },
            Self::LimitReached => Reply::Rejected { reason: reason::LIMIT_REACHED },
            Self::KeyReused => Reply::Rejected { reason: reason::KEY_REUSED },
            Self::NoSuchProduct => Reply::Rejected { reason: reason::NO_SUCH_PRODUCT },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_tells_requests_apart_whatever_their_keys() {
        let purchase = |key, product_id, user_id| Purchase { key: Uuid::from_u128(key), product_id, user_id };
        assert_eq!(purchase(1, 7, 8).request_hash(), purchase(2, 7, 8).request_hash());
        assert_ne!(purchase(1, 7, 8).request_hash(), purchase(1, 8, 7).request_hash());
        assert_ne!(purchase(1, 7, 8).request_hash(), purchase(1, 7, 9).request_hash());
    }
}
