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
    Builtin {
        name: "on-conflict-write-skew",
        group: None,
        text: include_str!("../scenarios/on-conflict-write-skew.scenario"),
    },
    Builtin {
        name: "empty-btree-endpoint",
        group: None,
        text: include_str!("../scenarios/empty-btree-endpoint.scenario"),
    },
];

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
