//! One module for each command; each turns its arguments into calls of the libraries.

pub mod advise;
pub mod bench;
pub mod bench_check;
pub mod bench_decide;
pub mod bench_grid;
pub mod check;
pub mod doctor;
pub mod ext;
pub mod flash_sale;
pub mod isolation;
pub mod ledger;
pub mod list;
pub mod mvcc;
pub mod pg;
pub mod record;
pub mod reference;
pub mod run;
pub mod serve;
pub mod templates;
