//! SQL as PostgreSQL's own grammar sees it: the programs of a workload, and what each of their statements reads,
//! writes and locks, down to the column.
//!
//! Pure: text in, values out. Nothing here opens a file or a connection; the query for a live server's catalogue is
//! here, and others run it. What cannot be analysed is said ([`Unanalysed`]), never left out.

mod access;
mod analyse;
mod budget;
mod comparison;
mod display;
mod error;
pub mod grammar;
mod name;
mod position;
mod programs;
pub mod schema;
mod tree;
mod workload;

pub use access::{Access, AccessKind, Cause, LockStrength, Rows, TableLock, Term, advisory_space};
pub use comparison::{Comparison, Order};
pub use error::SqlError;
pub use name::{InvalidName, RelationName, quoted};
pub use position::{Position, Source, Span};
pub use programs::read_sources;
pub use schema::Schema;
pub use workload::{
    Node, Origin, Parameter, Pragma, PragmaKind, Program, ResultBinding, Scope, Statement, Unanalysed, Workload,
};
