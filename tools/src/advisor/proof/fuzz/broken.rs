//! Deciders that are known to be wrong. The fuzz must convict each of them, or it would not convict a mistake of ours.

use pgstrata_sqltext::{Access, AccessKind, LockStrength, Rows, Schema, Workload};
use pgstrata_units::Text;
use serde::{Deserialize, Serialize};

use super::{Advisor, Decider};
use crate::advisor::synthetic::TemplateSet;
use crate::advisor::{Options, Report};

/// A mistake that somebody could make.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Broken {
    /// Takes a row lock for a new version of the row, as other systems do.
    LocksAreWrites,
    /// Takes every row lock for the strongest one.
    LocksAreExclusive,
    /// Looks at rows that are found by their key, and at no others.
    PredicatesAreNotRead,
    /// Takes an update by key for one that finds its row, whatever else it asks of it.
    ConditionsAreNotRead,
    /// Takes all statements of a transaction to see one snapshot at read committed, too: calls all levels what repeatable
    /// read is.
    OneSnapshot,
}

impl Broken {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::LocksAreWrites,
        Self::LocksAreExclusive,
        Self::PredicatesAreNotRead,
        Self::ConditionsAreNotRead,
        Self::OneSnapshot,
    ];

    /// What it gets wrong.
    #[must_use]
    pub const fn words(self) -> Text {
        match self {
            Self::LocksAreWrites => Text { en: "takes row locks for writes", zh: "把行锁当作写入" },
            Self::LocksAreExclusive => {
                Text { en: "takes shared row locks for exclusive ones", zh: "把共享行锁当作排他锁" }
            }
            Self::PredicatesAreNotRead => Text { en: "looks past predicates", zh: "忽略谓词读" },
            Self::ConditionsAreNotRead => {
                Text { en: "looks past conditions of updates by key", zh: "忽略按键更新中的其他条件" }
            }
            Self::OneSnapshot => {
                Text { en: "takes read committed for one snapshot", zh: "以为读已提交只有一个快照" }
            }
        }
    }

    /// What it makes of an access; nothing when it does not see it.
    fn sees(self, mut access: Access) -> Option<Access> {
        let key = if let Rows::One { key, .. } = &access.rows { key.clone() } else { Vec::new() };
        match (self, access.kind) {
            (Self::LocksAreWrites, AccessKind::Lock(LockStrength::Update | LockStrength::NoKeyUpdate)) => {
                access.kind = AccessKind::Update;
                access.writes = access.reads.iter().filter(|column| !key.contains(column)).cloned().collect();
            }
            (Self::LocksAreExclusive, AccessKind::Lock(_)) => access.kind = AccessKind::Lock(LockStrength::Update),
            (Self::PredicatesAreNotRead, AccessKind::Read) if key.is_empty() => return None,
            (Self::ConditionsAreNotRead, AccessKind::Update | AccessKind::Delete | AccessKind::Lock(_))
                if !key.is_empty() =>
            {
                access.conditions.retain(|column| key.contains(column));
            }
            _ => {}
        }
        Some(access)
    }
}

impl Decider for Broken {
    fn read(&self, set: &TemplateSet) -> Result<(Schema, Workload), String> {
        Advisor.read(set)
    }

    fn decide(&self, workload: &Workload, schema: &Schema, options: &Options) -> Report {
        let mut workload = workload.clone();
        for statement in workload.programs.iter_mut().flat_map(|program| &mut program.statements) {
            let accesses = std::mem::take(&mut statement.accesses);
            statement.accesses = accesses.into_iter().filter_map(|access| self.sees(access)).collect();
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
