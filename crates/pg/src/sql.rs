//! The client library's types, under our own name.
//!
//! Other crates write `pgstrata_pg::sql::Statement`, so that only this crate names tokio-postgres and a change of
//! client library is a change of this file. It adds nothing and connects to nothing: see [`crate::Endpoint`].

pub use tokio_postgres::binary_copy::{BinaryCopyInWriter, BinaryCopyOutRow, BinaryCopyOutStream};
pub use tokio_postgres::error::{DbError, Severity, SqlState};
pub use tokio_postgres::types;
pub use tokio_postgres::types::{FromSql, ToSql, Type};
pub use tokio_postgres::{
    Client, Column, CopyInSink, CopyOutStream, Error as ClientError, GenericClient, IsolationLevel, Row, RowStream,
    SimpleQueryMessage, SimpleQueryRow, Statement, ToStatement, Transaction, TransactionBuilder,
};
