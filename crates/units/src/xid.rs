//! Transaction ids with their epoch, and the snapshots that are made of them, as PostgreSQL writes them.
//!
//! Only numbers and text forms; who sees what is decided in `pgstrata-tuple`.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A transaction id with its epoch (`FullTransactionId`, SQL's `xid8`): it never wraps around.
///
/// A tuple header holds the lower 32 bits alone; [`Xid::near`] finds the epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Xid(pub u64);

impl Xid {
    /// No transaction.
    pub const INVALID: Self = Self(0);
    /// The transaction that made the catalogs; always committed, and so is [`Xid::FROZEN`].
    pub const BOOTSTRAP: Self = Self(1);
    /// What a frozen tuple's `xmin` counts as.
    pub const FROZEN: Self = Self(2);
    /// The first id that a transaction can get.
    pub const FIRST_NORMAL: Self = Self(3);

    /// The lower 32 bits, as tuple headers and log records hold them.
    #[must_use]
    pub const fn short(self) -> u32 {
        (self.0 & 0xFFFF_FFFF) as u32
    }

    /// How often 32 bits had been used up.
    #[must_use]
    pub const fn epoch(self) -> u32 {
        (self.0 >> 32) as u32
    }

    /// Whether it is of a transaction, and not one of the three special ids.
    #[must_use]
    pub const fn is_normal(self) -> bool {
        self.short() >= 3
    }

    /// The id with these lower 32 bits that lies within 2^31 of `reference`: what a server that is at `reference` means
    /// by them (`FullTransactionIdFromAllowableAt`). Special ids have no epoch. `None` before the first epoch.
    #[must_use]
    pub const fn near(short: u32, reference: Self) -> Option<Self> {
        if short < 3 {
            return Some(Self(short as u64));
        }
        let distance = short.wrapping_sub(reference.short()).cast_signed() as i64;
        match reference.0.checked_add_signed(distance) {
            Some(xid) => Some(Self(xid)),
            None => None,
        }
    }
}

impl fmt::Display for Xid {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

/// Which transactions a statement sees as ended: SQL's `pg_snapshot`.
///
/// Invariants: `xmin <= xmax`; `in_progress` is sorted, without doubles, and lies in `xmin..xmax`. Subtransactions are
/// not in it: an id must be mapped to its top-level transaction before it is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Snapshot {
    xmin: Xid,
    xmax: Xid,
    in_progress: Vec<Xid>,
}

impl Snapshot {
    /// A snapshot of its parts, `None` if they break an invariant.
    #[must_use]
    pub fn new(xmin: Xid, xmax: Xid, mut in_progress: Vec<Xid>) -> Option<Self> {
        in_progress.sort_unstable();
        in_progress.dedup();
        let within = in_progress.first().is_none_or(|first| *first >= xmin)
            && in_progress.last().is_none_or(|last| *last < xmax);
        (xmin <= xmax && within).then_some(Self { xmin, xmax, in_progress })
    }

    /// The lowest id that was still running: all below had ended.
    #[must_use]
    pub const fn xmin(&self) -> Xid {
        self.xmin
    }

    /// One past the highest id that had ended: this one and all above had not.
    #[must_use]
    pub const fn xmax(&self) -> Xid {
        self.xmax
    }

    /// The top-level transactions between the two that were running.
    #[must_use]
    pub fn in_progress(&self) -> &[Xid] {
        &self.in_progress
    }

    /// Whether the top-level transaction had ended when the snapshot was taken, well or badly.
    #[must_use]
    pub fn has_ended(&self, top: Xid) -> bool {
        top < self.xmin || (top < self.xmax && self.in_progress.binary_search(&top).is_err())
    }
}

impl fmt::Display for Snapshot {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}:", self.xmin, self.xmax)?;
        for (index, xid) in self.in_progress.iter().enumerate() {
            write!(formatter, "{}{xid}", if index == 0 { "" } else { "," })?;
        }
        Ok(())
    }
}

/// Text that is no snapshot.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("invalid snapshot {0:?}, expected xmin:xmax:list as in 750:754:750,752")]
pub struct InvalidSnapshot(pub String);

impl FromStr for Snapshot {
    type Err = InvalidSnapshot;

    fn from_str(text: &str) -> Result<Self, InvalidSnapshot> {
        let invalid = || InvalidSnapshot(text.to_owned());
        let xid = |part: &str| {
            let digits = !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
            digits.then(|| part.parse().ok().map(Xid)).flatten().ok_or_else(invalid)
        };
        let mut parts = text.splitn(3, ':');
        let (Some(xmin), Some(xmax), Some(list)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(invalid());
        };
        let list =
            list.split(',').filter(|part| !list.is_empty() || !part.is_empty()).map(xid).collect::<Result<_, _>>()?;
        Self::new(xid(xmin)?, xid(xmax)?, list).ok_or_else(invalid)
    }
}

impl Serialize for Snapshot {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Snapshot {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_epoch_is_found_from_a_transaction_nearby() {
        let check = |short, reference, expected| assert_eq!(Xid::near(short, Xid(reference)), expected);
        check(750, 760, Some(Xid(750)));
        check(5, (1 << 32) | 9, Some(Xid((1 << 32) | 5)));
        check(0xFFFF_FFF0, (1 << 32) | 9, Some(Xid(0xFFFF_FFF0)));
        check(4, 0xFFFF_FFF0, Some(Xid((1 << 32) | 4)));
        check(2, 5 << 32, Some(Xid::FROZEN));
        check(0xFFFF_FFF0, 9, None);
    }

    #[test]
    fn the_text_form_is_the_one_of_pg_snapshot() {
        for text in ["750:754:750,752", "3:3:", "10:20:"] {
            assert_eq!(text.parse::<Snapshot>().map(|snapshot| snapshot.to_string()), Ok(text.to_owned()));
        }
        for text in ["", "1:2", "4:3:", "3:5:7", "3:5:+4", "3:5:4,", "a:b:", "3:5:4:4"] {
            assert_eq!(text.parse::<Snapshot>(), Err(InvalidSnapshot(text.to_owned())));
        }
    }

    #[test]
    fn only_what_ended_before_counts_as_ended() {
        let snapshot = Snapshot::new(Xid(10), Xid(20), vec![Xid(15), Xid(10)]).expect("its invariants hold");
        let ended: Vec<_> = (9..21).filter(|xid| snapshot.has_ended(Xid(*xid))).collect();
        assert_eq!(ended, [9, 11, 12, 13, 14, 16, 17, 18, 19]);
    }

    proptest! {
        #[test]
        fn the_id_found_has_the_bits_asked_for_and_is_near(short in 3_u32.., reference in (1_u64 << 32)..(1 << 62)) {
            let found = Xid::near(short, Xid(reference)).expect("past the first epoch there always is one");
            prop_assert_eq!(found.short(), short);
            prop_assert!(found.0.abs_diff(reference) <= 1 << 31);
        }
    }
}
