//! Deciders that are known to be wrong. The fuzz must convict each of them, or it would not convict a mistake of ours.

use pgstrata_sqltext::{Access, AccessKind, LockStrength, Rows, Schema, Workload};
use pgstrata_units::Text;
use serde::{Deserialize, Serialize};

use super::{Advisor, Decider};
use crate::advisor::synthetic::{Shape, StatementKind, TemplateSet, template_set};
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
    /// Takes all statements of a transaction to see one snapshot at read committed, too: calls all levels what repeatable
    /// read is.
    OneSnapshot,
}

impl Broken {
    /// All of them.
    pub const ALL: [Self; 4] =
        [Self::LocksAreWrites, Self::LocksAreExclusive, Self::PredicatesAreNotRead, Self::OneSnapshot];

    /// The sets that it is tried on: small ones of the statements that it gets wrong.
    #[must_use]
    pub fn draw(self) -> fn(u64) -> TemplateSet {
        match self {
            Self::LocksAreWrites => with_locks,
            Self::LocksAreExclusive | Self::OneSnapshot => with_reads,
            Self::PredicatesAreNotRead => with_groups,
        }
    }

    /// What it gets wrong.
    #[must_use]
    pub const fn words(self) -> Text {
        match self {
            Self::LocksAreWrites => Text { en: "takes row locks for writes", zh: "把行锁当作写入" },
            Self::LocksAreExclusive => {
                Text { en: "takes shared row locks for exclusive ones", zh: "把共享行锁当作排他锁" }
            }
            Self::PredicatesAreNotRead => Text { en: "looks past predicates", zh: "忽略谓词读" },
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
            _ => {}
        }
        Some(access)
    }
}

/// One program looks at a row and changes another one; another program changes the first and locks the second. The lock is
/// free when the first one comes to it, and no version tells it that it is late.
fn with_locks(number: u64) -> TemplateSet {
    let columns = "(id int primary key, a int not null, b int not null)";
    let schema = format!("create table r {columns}; create table s {columns};");
    let (looked, changed) = if number.is_multiple_of(2) { ("a", "b") } else { ("b", "a") };
    let programs = format!(
        "-- pgstrata: program p1
begin;
select {looked} from r where id = :k;
update s set {changed} = {changed} * 3 + :v where id = :j;
commit;

-- pgstrata: program p2
begin;
update r set {looked} = {looked} * 5 + :v where id = :k;
select {changed} from s where id = :j for update;
commit;
"
    );
    TemplateSet { seed: number, schema, rows: String::new(), programs }
}

/// Reads of groups, and what changes them.
fn with_groups(number: u64) -> TemplateSet {
    use StatementKind::{Delete, Insert, ReadGroup, Update};
    let weights = vec![(ReadGroup, 4), (Update, 3), (Insert, 2), (Delete, 2)];
    template_set(number, &Shape { programs: 3, statements: 2, tables: 1, parameters: 1, weights })
}

/// Reads, locks and updates by key.
fn with_reads(number: u64) -> TemplateSet {
    use StatementKind::{Lock, Read, Update};
    let weights = vec![(Read, 3), (Lock, 4), (Update, 4)];
    template_set(number, &Shape { programs: 3, statements: 2, tables: 1, parameters: 2, weights })
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
