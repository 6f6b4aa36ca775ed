//! The decision: is every execution of these programs under these levels serializable?
//!
//! Pure functions from a workload to a report.

mod alternatives;
#[cfg(test)]
mod apart;
mod build;
mod conflict;
mod decide;
mod edges;
mod evidence;
mod filling;
mod footprint;
#[cfg(test)]
mod gaps;
mod ground;
mod holds;
mod machine;
mod maximal;
mod miss;
mod model;
mod numbers;
#[cfg(test)]
mod oracle;
mod promote;
mod reach;
#[cfg(test)]
mod reference;
mod report;
mod scope;
mod search;
mod splits;
mod spread;
mod stage;
mod telling;
#[cfg(test)]
mod templates;
#[cfg(test)]
mod tests;
mod unfold;
mod unify;
mod verdict;

use pgstrata_sqltext::{Schema, Workload};

use super::report::{Options, Report};

pub use alternatives::Alternatives;
pub use miss::Miss;

/// The column that stands for a row's coming and going in dependencies: inserts and deletes write it, whoever looks for
/// a row reads it.
pub const EXISTENCE: &str = "(existence)";

/// Decides the workload.
#[must_use]
pub fn analyse(workload: &Workload, schema: &Schema, options: &Options) -> Report {
    report::report(workload, schema, options)
}
