//! Where the entries of a batch's transfers stand, as a parameter of type `ledger.legs[]`: an array of a domain over
//! arrays, which is PostgreSQL's way of having arrays of different lengths in one.

use std::error::Error;

use pgstrata_pg::sql::types::private::BytesMut;
use pgstrata_pg::sql::types::{IsNull, Kind, to_sql_checked};
use pgstrata_pg::sql::{ToSql, Type};

use crate::ledger::admission::Posting;

/// One element for each transfer, in the order in which they were added.
#[derive(Debug, Default)]
pub(super) struct LegsColumn {
    /// Account and number, transfer after transfer; in each by account.
    legs: Vec<[i64; 2]>,
    /// Where each transfer's legs end.
    ends: Vec<usize>,
}

impl LegsColumn {
    pub(super) fn with_room_for(&mut self, transfers: usize) {
        self.ends.reserve(transfers);
        self.legs.reserve(2 * transfers);
    }

    /// The legs of the next transfer.
    pub(super) fn add(&mut self, postings: &[Posting]) {
        let first = self.legs.len();
        self.legs.extend(postings.iter().map(|posting| [posting.account_id, posting.number]));
        self.legs[first..].sort_unstable();
        self.ends.push(self.legs.len());
    }

    fn transfers(&self) -> impl Iterator<Item = &[[i64; 2]]> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        starts.zip(&self.ends).map(|(start, end)| &self.legs[start..*end])
    }
}

/// The format of `array_send` (`src/backend/utils/adt/arrayfuncs.c`), in which an element of an array of arrays is one
/// array by itself.
impl ToSql for LegsColumn {
    fn to_sql(&self, of: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        let Kind::Array(legs) = of.kind() else { return Err("legs are sent as an array".into()) };
        begin_array(out, legs, &[self.ends.len()])?;
        for transfer in self.transfers() {
            let each = size_of::<i32>() + size_of::<i64>();
            put(out, HEADER + 2 * DIMENSION + 2 * transfer.len() * each)?;
            begin_array(out, &Type::INT8, &[transfer.len(), 2])?;
            for number in transfer.iter().flatten() {
                put(out, size_of::<i64>())?;
                out.extend_from_slice(&number.to_be_bytes());
            }
        }
        Ok(IsNull::No)
    }

    fn accepts(of: &Type) -> bool {
        let Kind::Array(legs) = of.kind() else { return false };
        matches!(legs.kind(), Kind::Domain(base) if *base == Type::INT8_ARRAY)
    }

    to_sql_checked!();
}

/// Bytes of an array before its dimensions: how many there are, whether any element is null, the elements' type.
const HEADER: usize = 3 * size_of::<i32>();

/// Bytes of a dimension: how long it is, and where it begins to count.
const DIMENSION: usize = 2 * size_of::<i32>();

fn begin_array(out: &mut BytesMut, of: &Type, dimensions: &[usize]) -> Result<(), std::num::TryFromIntError> {
    put(out, dimensions.len())?;
    put(out, 0)?;
    out.extend_from_slice(&of.oid().to_be_bytes());
    for length in dimensions {
        put(out, *length)?;
        put(out, 1)?;
    }
    Ok(())
}

fn put(out: &mut BytesMut, number: usize) -> Result<(), std::num::TryFromIntError> {
    out.extend_from_slice(&i32::try_from(number)?.to_be_bytes());
    Ok(())
}
