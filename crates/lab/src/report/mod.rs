//! Everything a person sees of a run, as pure functions of its [`Record`](crate::record::Record).
//!
//! Nothing here prints, reads a clock or an environment, or opens a file. The statistics were judged before;
//! a view withholds a figure that must not be believed, and never makes one up.

mod columns;
mod escape;
#[cfg(test)]
pub(crate) mod fixture;
mod labels;
mod number;
pub mod plot;
mod style;
pub mod summary;
pub mod table;

pub use style::{Meaning, Style};
