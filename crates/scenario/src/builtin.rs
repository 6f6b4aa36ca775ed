//! The scenarios that come with the program: Hermitage's cases for PostgreSQL and two bugs of its serializable level.

use crate::language::Scenario;

/// One scenario file, by the group it is run with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Builtin {
    /// The name to run it by.
    pub name: &'static str,
    /// The group, if it is of one.
    pub group: Option<&'static str>,
    /// The file's text.
    pub text: &'static str,
}

/// The group of Hermitage's cases.
pub const HERMITAGE: &str = "hermitage";

/// All that there are.
pub const ALL: &[Builtin] = &[
    single("on-conflict-write-skew", include_str!("../scenarios/on-conflict-write-skew.scenario")),
    single("empty-btree-endpoint", include_str!("../scenarios/empty-btree-endpoint.scenario")),
    hermitage("g0", include_str!("../scenarios/hermitage/g0.scenario")),
    hermitage("g1a", include_str!("../scenarios/hermitage/g1a.scenario")),
    hermitage("g1b", include_str!("../scenarios/hermitage/g1b.scenario")),
    hermitage("g1c", include_str!("../scenarios/hermitage/g1c.scenario")),
    hermitage("otv", include_str!("../scenarios/hermitage/otv.scenario")),
    hermitage("pmp", include_str!("../scenarios/hermitage/pmp.scenario")),
    hermitage("pmp-write", include_str!("../scenarios/hermitage/pmp-write.scenario")),
    hermitage("p4", include_str!("../scenarios/hermitage/p4.scenario")),
    hermitage("g-single", include_str!("../scenarios/hermitage/g-single.scenario")),
    hermitage("g-single-predicate", include_str!("../scenarios/hermitage/g-single-predicate.scenario")),
    hermitage("g-single-write", include_str!("../scenarios/hermitage/g-single-write.scenario")),
    hermitage("g-single-write-row", include_str!("../scenarios/hermitage/g-single-write-row.scenario")),
    hermitage("g-single-deleted", include_str!("../scenarios/hermitage/g-single-deleted.scenario")),
    hermitage("g2-item", include_str!("../scenarios/hermitage/g2-item.scenario")),
    hermitage("g2", include_str!("../scenarios/hermitage/g2.scenario")),
    hermitage("g2-two-edges", include_str!("../scenarios/hermitage/g2-two-edges.scenario")),
    hermitage("g2-on-call", include_str!("../scenarios/hermitage/g2-on-call.scenario")),
    hermitage("g2-item-locked", include_str!("../scenarios/hermitage/g2-item-locked.scenario")),
    hermitage("p4-relative", include_str!("../scenarios/hermitage/p4-relative.scenario")),
    hermitage("deadlock", include_str!("../scenarios/hermitage/deadlock.scenario")),
];

const fn single(name: &'static str, text: &'static str) -> Builtin {
    Builtin { name, group: None, text }
}

const fn hermitage(name: &'static str, text: &'static str) -> Builtin {
    Builtin { name, group: Some(HERMITAGE), text }
}

/// The scenarios of a name or of a group.
#[must_use]
pub fn find(name: &str) -> Vec<&'static Builtin> {
    ALL.iter().filter(|builtin| builtin.name == name || builtin.group == Some(name)).collect()
}

impl Builtin {
    /// The scenario.
    ///
    /// # Panics
    /// Never: a test reads them all.
    #[must_use]
    pub fn scenario(&self) -> Scenario {
        let scenarios = Scenario::parse_file(self.text);
        scenarios.ok().and_then(|mut scenarios| scenarios.pop()).expect("the program's own scenarios can be read")
    }
}
