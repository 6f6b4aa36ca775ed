//! An entry of the books as the audit sees it: the same seven values, whether they come from a row, from logical
//! decoding or from the bytes of the log, and one way of turning them into bytes.

use pgstrata_pg::decoding::{Datum, Relation};
use pgstrata_pg::sql::{ClientError, Row};
use pgstrata_wal::{ColumnLayout, Tuple, Value};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::trail::Hash;

/// The columns that are audited, in the order in which they are hashed.
const COLUMNS: [&str; 7] = ["account_id", "number", "transfer_id", "currency", "amount", "balance", "posted_at"];

/// Seconds from 1970-01-01 to 2000-01-01, where PostgreSQL counts from.
const EPOCH_SECONDS: i64 = 946_684_800;

/// One line of the books.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Entry {
    /// The account.
    pub account_id: i64,
    /// Its place among the account's entries.
    pub number: i64,
    /// The transfer that it belongs to.
    pub transfer_id: Uuid,
    /// ISO 4217.
    pub currency: i16,
    /// Minor units.
    pub amount: i64,
    /// The account's balance after it, in minor units.
    pub balance: i64,
    /// Microseconds since 2000-01-01 UTC.
    pub posted_at_us: i64,
}

/// Why something is no entry.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadEntry {
    /// A column is not there.
    #[error("it has no column {0}")]
    NoColumn(&'static str),
    /// A value that the column cannot have.
    #[error("column {0} holds no such value")]
    Value(&'static str),
    /// The row does not fit the columns.
    #[error("the row cannot be taken apart")]
    Tuple(#[from] pgstrata_wal::TupleError),
    /// A column is stored in a way that none is.
    #[error("the catalog tells a layout that no column has")]
    Layout,
}

/// How one column is stored, from the catalog.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredColumn {
    /// Its name.
    pub name: String,
    /// Bytes, or below zero for a variable length (`attlen`).
    pub length: i16,
    /// `c`, `s`, `i` or `d` (`attalign`).
    pub alignment: char,
}

/// Takes rows of the entries' table apart.
#[derive(Clone, Debug)]
pub struct RowReader {
    layouts: Vec<ColumnLayout>,
    places: [usize; 7],
}

impl RowReader {
    /// From all columns of the table, in the order of the catalog.
    pub fn new(columns: &[StoredColumn]) -> Result<Self, BadEntry> {
        let layout = |column: &StoredColumn| {
            let alignment = u8::try_from(column.alignment).map_err(|_| BadEntry::Layout)?;
            ColumnLayout::of_catalog(column.length, alignment).ok_or(BadEntry::Layout)
        };
        let layouts = columns.iter().map(layout).collect::<Result<_, _>>()?;
        let mut places = [0; 7];
        for (place, name) in places.iter_mut().zip(COLUMNS) {
            *place = columns.iter().position(|column| column.name == name).ok_or(BadEntry::NoColumn(name))?;
        }
        Ok(Self { layouts, places })
    }

    /// The entry in a row of the log.
    pub fn read(&self, tuple: Tuple<'_>) -> Result<Entry, BadEntry> {
        let values = tuple.values(&self.layouts)?;
        let bytes = |index: usize| match values[self.places[index]] {
            Value::Fixed(bytes) => Ok(bytes),
            _ => Err(BadEntry::Value(COLUMNS[index])),
        };
        let long = |index: usize| {
            let bytes = bytes(index)?.try_into().map_err(|_| BadEntry::Value(COLUMNS[index]))?;
            Ok::<_, BadEntry>(i64::from_le_bytes(bytes))
        };
        Ok(Entry {
            account_id: long(0)?,
            number: long(1)?,
            transfer_id: Uuid::from_slice(bytes(2)?).map_err(|_| BadEntry::Value(COLUMNS[2]))?,
            currency: i16::from_le_bytes(bytes(3)?.try_into().map_err(|_| BadEntry::Value(COLUMNS[3]))?),
            amount: long(4)?,
            balance: long(5)?,
            posted_at_us: long(6)?,
        })
    }
}

impl Entry {
    /// From what logical decoding tells, in a session with `TimeZone` UTC and `DateStyle` ISO.
    pub fn decoded(relation: &Relation, row: &[Datum]) -> Result<Self, BadEntry> {
        let text = |index: usize| {
            let column = relation.column(COLUMNS[index]).ok_or(BadEntry::NoColumn(COLUMNS[index]))?;
            row.get(column).and_then(Datum::text).ok_or(BadEntry::Value(COLUMNS[index]))
        };
        let long = |index: usize| text(index)?.parse().map_err(|_| BadEntry::Value(COLUMNS[index]));
        Ok(Self {
            account_id: long(0)?,
            number: long(1)?,
            transfer_id: text(2)?.parse().map_err(|_| BadEntry::Value(COLUMNS[2]))?,
            currency: text(3)?.parse().map_err(|_| BadEntry::Value(COLUMNS[3]))?,
            amount: long(4)?,
            balance: long(5)?,
            posted_at_us: microseconds(text(6)?).ok_or(BadEntry::Value(COLUMNS[6]))?,
        })
    }

    /// From a row of `rows.sql`.
    pub fn of_row(row: &Row) -> Result<Self, ClientError> {
        Ok(Self {
            account_id: row.try_get("account_id")?,
            number: row.try_get("number")?,
            transfer_id: row.try_get("transfer_id")?,
            currency: row.try_get("currency")?,
            amount: row.try_get("amount")?,
            balance: row.try_get("balance")?,
            posted_at_us: row.try_get("posted_at_us")?,
        })
    }

    /// SHA-256 of the seven values, each big-endian in its own width, one after the other.
    #[must_use]
    pub fn payload_hash(&self) -> Hash {
        let mut hasher = Sha256::new();
        hasher.update(self.account_id.to_be_bytes());
        hasher.update(self.number.to_be_bytes());
        hasher.update(self.transfer_id.as_bytes());
        hasher.update(self.currency.to_be_bytes());
        hasher.update(self.amount.to_be_bytes());
        hasher.update(self.balance.to_be_bytes());
        hasher.update(self.posted_at_us.to_be_bytes());
        Hash(hasher.finalize().into())
    }

    /// What it is known by in the table.
    #[must_use]
    pub const fn key(&self) -> (i64, i64) {
        (self.account_id, self.number)
    }
}

/// Microseconds since 2000 of `2026-11-23 04:58:49.735186+00`.
fn microseconds(text: &str) -> Option<i64> {
    let (date, time) = text.strip_suffix("+00")?.split_once(' ')?;
    let mut date = date.split('-').map(|part| part.parse::<i64>().ok());
    let (year, month, day) = (date.next()??, date.next()??, date.next()??);
    let (clock, fraction) = time.split_once('.').unwrap_or((time, "0"));
    let mut clock = clock.split(':').map(|part| part.parse::<i64>().ok());
    let (hour, minute, second) = (clock.next()??, clock.next()??, clock.next()??);
    let micros: i64 = format!("{fraction:0<6}").parse().ok()?;
    let seconds = days_since_1970(year, month, day) * 86_400 + hour * 3_600 + minute * 60 + second;
    Some((seconds - EPOCH_SECONDS) * 1_000_000 + micros)
}

/// Days since 1970-01-01 in the Gregorian calendar, counted in years that begin in March, so that a leap day is the last.
fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let month_from_march = (month + 9) % 12;
    let day_of_year = (153 * month_from_march + 2) / 5 + day - 1;
    365 * year + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400) + day_of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_counted_as_postgresql_counts_them() {
        let check = |text, expected| assert_eq!(microseconds(text), expected, "{text}");
        check("2000-01-01 00:00:00+00", Some(0));
        check("2000-03-01 00:00:00.5+00", Some(60 * 86_400_000_000 + 500_000));
        check("1999-12-31 23:59:59.999999+00", Some(-1));
        check("2024-02-29 12:00:00.000001+00", Some(762_523_200_000_001));
        check("2024-02-29 12:00:00", None);
        check("infinity", None);
    }
}
