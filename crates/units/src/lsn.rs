//! Positions in the write-ahead log, as PostgreSQL writes them.
//!
//! Only the number and its text form; segments, timelines and records belong to other crates.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A log sequence number: a byte position in the write-ahead log of one server.
///
/// Its text form is the one of the type `pg_lsn`: two hexadecimal numbers of up to eight digits, the upper and
/// the lower 32 bits, with a slash between them (`src/backend/utils/adt/pg_lsn.c`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Lsn(pub u64);

impl Lsn {
    /// The bytes of log from `earlier` to this position; `None` if `earlier` lies behind it.
    ///
    /// A position can only move back when the two come from different servers or timelines. That is never a
    /// distance of zero bytes, so it is not rounded to one.
    #[must_use]
    pub const fn bytes_since(self, earlier: Self) -> Option<u64> {
        self.0.checked_sub(earlier.0)
    }
}

impl fmt::Display for Lsn {
    /// Without leading zeros, as PostgreSQL 14 to 18 print it.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(&format!("{:X}/{:X}", self.0 >> 32, self.0 & 0xFFFF_FFFF))
    }
}

/// Text that is no log sequence number.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("invalid log sequence number {0:?}, expected two hexadecimal numbers as in 16/B374D848")]
pub struct InvalidLsn(pub String);

impl FromStr for Lsn {
    type Err = InvalidLsn;

    /// Reads what `pg_lsn_in` reads: leading zeros and lower case are welcome, spaces and signs are not.
    fn from_str(text: &str) -> Result<Self, InvalidLsn> {
        let parsed = text.split_once('/').and_then(|(upper, lower)| Some((component(upper)?, component(lower)?)));
        let (upper, lower) = parsed.ok_or_else(|| InvalidLsn(text.to_owned()))?;
        Ok(Self(u64::from(upper) << 32 | u64::from(lower)))
    }
}

/// One of the two numbers: one to eight hexadecimal digits and nothing else.
fn component(digits: &str) -> Option<u32> {
    // `from_str_radix` alone would also accept a plus sign.
    let valid = (1..=8).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    if valid { u32::from_str_radix(digits, 16).ok() } else { None }
}

impl Serialize for Lsn {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Lsn {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_text_form_is_the_one_of_pg_lsn() {
        let check = |text: &str, number| assert_eq!(text.parse(), Ok(Lsn(number)), "{text}");
        check("0/0", 0);
        check("16/B374D848", 0x16_B374_D848);
        check("16/b374d848", 0x16_B374_D848);
        check("0/00000001", 1);
        check("FFFFFFFF/FFFFFFFF", u64::MAX);
        assert_eq!(Lsn(0x1_0000_0001).to_string(), "1/1");
    }

    #[test]
    fn text_that_is_no_position_is_refused() {
        for text in ["", "/", "1/", "/1", "1", "+1/0", "1/-0", "1/ 0", "123456789/0", "0/123456789", "G/0", "1/2/3"] {
            assert_eq!(text.parse::<Lsn>(), Err(InvalidLsn(text.to_owned())));
        }
    }

    #[test]
    fn a_position_that_went_back_has_no_distance() {
        assert_eq!(Lsn(7).bytes_since(Lsn(5)), Some(2));
        assert_eq!(Lsn(5).bytes_since(Lsn(7)), None);
    }

    proptest! {
        #[test]
        fn printing_and_reading_give_the_same_position(number: u64) {
            let lsn = Lsn(number);
            prop_assert_eq!(lsn.to_string().parse(), Ok(lsn));
            let json = serde_json::to_string(&lsn).expect("a string can be written");
            prop_assert_eq!(serde_json::from_str::<Lsn>(&json).expect("what was written can be read"), lsn);
        }

        #[test]
        fn a_distance_leads_from_one_position_to_the_other(start: u64, bytes: u64) {
            prop_assume!(start.checked_add(bytes).is_some());
            prop_assert_eq!(Lsn(start + bytes).bytes_since(Lsn(start)), Some(bytes));
        }

        #[test]
        fn reading_never_panics(text in "\\PC{0,20}") {
            if let Ok(lsn) = text.parse::<Lsn>() {
                prop_assert_eq!(lsn.to_string().parse(), Ok(lsn));
            }
        }
    }
}
