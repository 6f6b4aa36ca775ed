//! Heap pages, tuples and their visibility, as PostgreSQL 15 to 18 lay them out and decide it. Pure: it reads bytes, asks
//! what is known of transactions through a trait, and opens nothing.
//!
//! From below: [`HeapPage`] takes a page apart, [`TupleHeader`] names what a tuple's bits say, [`Row`] finds columns by
//! their layouts and [`value`] prints them, [`chain`] links the versions of a page, [`visibility`] decides who sees a
//! version and why, [`fate`] what became of it and when vacuum may remove it.
//!
//! Pages are read in the byte order of the machines of today (little-endian), with 8-byte alignment.

mod bytes;
pub mod chain;
mod error;
pub mod fate;
mod header;
mod infomask;
mod knowledge;
pub mod page;
mod row;
pub mod sound;
pub mod value;
pub mod visibility;

pub use error::{PageError, TupleError};
pub use fate::{Fate, fate};
pub use header::{CommandField, ItemPointer, LockMode, Next, TupleHeader, XmaxKind};
pub use knowledge::{Knowledge, Member, Status};
pub use page::{HeapPage, LinePointer, LineState, PageHeader, Tuple};
pub use row::{Alignment, ColumnLayout, Row, RowHeader, Value, Varlena};
pub use sound::Structure;
pub use visibility::{Judgement, Listing, Own, Reason, Viewer, judge};
