//! Deciders that are known to be wrong. The fuzz must convict each of them, or it would not convict a mistake of ours.

use pgstrata_sqltext::{AccessKind, LockStrength, Rows, Schema, Workload};

use super::{Advisor, Decider};
use crate::advisor::synthetic::TemplateSet;
use crate::advisor::{Options, Report};

/// A mistake that somebody could make.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Broken {
    /// Takes a row lock for a new version of the row, as other systems do.
    LocksAreWrites,
    /// Looks at rows that are found by their key, and at no others.
    PredicatesAreNotRead,
    /// Takes all statements of a transaction to see one snapshot at read committed, too: calls all levels what repeatable
    /// read is.
    OneSnapshot,
}

impl Decider for Broken {
    fn read(&self, set: &TemplateSet) -> Result<(Schema, Workload), String> {
        Advisor.read(set)
    }

    fn decide(&self, workload: &Workload, schema: &Schema, options: &Options) -> Report {
        let mut workload = workload.clone();
        for statement in workload.programs.iter_mut().flat_map(|program| &mut program.statements) {
            match self {
                Self::LocksAreWrites => {
                    for access in &mut statement.accesses {
                        if let AccessKind::Lock(LockStrength::Update | LockStrength::NoKeyUpdate) = access.kind {
                            access.kind = AccessKind::Update;
                            access.writes = access.reads.clone();
                        }
                    }
                }
                Self::PredicatesAreNotRead => statement
                    .accesses
                    .retain(|access| access.kind != AccessKind::Read || matches!(access.rows, Rows::One { .. })),
                Self::OneSnapshot => {}
            }
        }
        let mut report = Advisor.decide(&workload, schema, options);
        if *self == Self::OneSnapshot {
            use pgstrata_units::Isolation::{ReadCommitted, RepeatableRead};
            for level in report.optimal.0.values_mut() {
                if *level == RepeatableRead {
                    *level = ReadCommitted;
                }
            }
        }
        report
    }
}
