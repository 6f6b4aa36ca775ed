//! The audit trail of a real ledger on a real server: sound ones are found sound, and every way of meddling with rows,
//! chain, heads or log that we could think of is convicted and located.

mod archive;
mod chain;
mod power;
mod rows;
mod sound;
mod support;
