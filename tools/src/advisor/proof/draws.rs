//! Values by lot for a witness: of columns that conditions look at, and of arguments that come to such columns.
//!
//! Whether a dependency shows hangs on what rows hold and on what is written into them, and several conditions may each need
//! another value. Each lot takes them from few: those that the witness names, those that programs name, and the numbers next to
//! what they compare with. Rows and arguments that keys are made of stay as the witness has them, as they say who meets whom.
//!
//! The same number draws the same values, so that a fix is tried with the rows that showed what it is to fix.

use std::collections::{BTreeMap, BTreeSet};

use pgstrata_sqltext::schema::Relation;
use pgstrata_sqltext::{AccessKind, Program, RelationName, Schema, Term};
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use super::script::of_instance;
use super::seeds::Wanted;
use super::values::{is_number, value};
use crate::advisor::Witness;

/// What numbers are made of that a column is computed from: some change nothing, some change the sign of whatever is there.
const NUMBERS: [i64; 6] = [1, -1, 0, 3, -1_000, 100];

/// A column of a relation.
type Column = (RelationName, String);

/// Draws for one attempt at a witness.
pub(super) struct Draws {
    /// By column that conditions look at: the values to draw from.
    pools: BTreeMap<Column, Vec<String>>,
    chance: ChaCha8Rng,
}

impl Draws {
    /// The draws of a number for a witness.
    pub(super) fn of(witness: &Witness, programs: &[Program], schema: &Schema, number: u32) -> Self {
        let mut pools: BTreeMap<Column, BTreeSet<String>> = BTreeMap::new();
        let accesses = || programs.iter().flat_map(|program| &program.statements).flat_map(|one| &one.accesses);
        for access in accesses().filter(|access| access.kind != AccessKind::Insert) {
            let Some(relation) = schema.relations.get(&access.relation) else { continue };
            let compared = access.rows.compared().into_iter().map(|(column, _)| column);
            for name in access.conditions.iter().chain(compared).filter(|name| !is_bound(relation, name)) {
                let Some(column) = relation.column(name) else { continue };
                let pool = pools.entry((access.relation.clone(), name.clone())).or_default();
                pool.extend([1, 9].map(|number| value(&column.type_name, number)));
            }
        }
        for access in accesses() {
            for (column, term) in access.rows.compared().into_iter().chain(&access.values) {
                if let (Term::Constant(constant), Some(pool)) =
                    (term, pools.get_mut(&(access.relation.clone(), column.clone())))
                {
                    pool.extend(near(constant));
                }
            }
        }
        for row in &witness.rows {
            for (column, value) in &row.values {
                if let Some(pool) = pools.get_mut(&(row.relation.clone(), column.clone())) {
                    pool.insert(value.clone());
                }
            }
        }
        for instance in &witness.instances {
            let Some(program) = of_instance(instance, programs) else { continue };
            for (parameter, columns) in uses(program) {
                let Some(given) = instance.arguments.get(parameter) else { continue };
                for column in columns {
                    pools.entry(column).and_modify(|pool| {
                        pool.insert(given.clone());
                    });
                }
            }
        }
        let pools = pools.into_iter().map(|(column, pool)| (column, pool.into_iter().collect())).collect();
        Self { pools, chance: ChaCha8Rng::seed_from_u64(u64::from(number)) }
    }

    /// Arguments by the number of the instance and the parameter; those that are not here stay as they are.
    pub(super) fn arguments(&mut self, witness: &Witness, programs: &[Program]) -> BTreeMap<(usize, String), String> {
        let mut drawn = BTreeMap::new();
        for (number, instance) in witness.instances.iter().enumerate() {
            let Some(program) = of_instance(instance, programs) else { continue };
            let uses = uses(program);
            for parameter in &program.parameters {
                let columns = uses.get(parameter.name.as_str()).map(Vec::as_slice).unwrap_or_default();
                let is_given = instance.arguments.contains_key(&parameter.name);
                if is_given && self.chance.random_ratio(1, 2) {
                    continue;
                }
                let is_open = columns.is_empty() && parameter.type_name.as_deref().is_none_or(is_number);
                let value = match columns.iter().map(|column| self.pools.get(column)).collect::<Option<Vec<_>>>() {
                    _ if is_open && !is_given => NUMBERS[self.chance.random_range(0..NUMBERS.len())].to_string(),
                    Some(pools) if !pools.is_empty() => {
                        let pool = pools[self.chance.random_range(0..pools.len())];
                        pool[self.chance.random_range(0..pool.len())].clone()
                    }
                    _ => continue,
                };
                drawn.insert((number, parameter.name.clone()), value);
            }
        }
        drawn
    }

    /// Gives rows values in the columns that conditions look at. What a row is said to hold stays more often than not.
    pub(super) fn fill(&mut self, rows: &mut [Wanted]) {
        for row in rows {
            let pools = self.pools.iter().filter(|((relation, _), pool)| *relation == row.relation && !pool.is_empty());
            for ((_, column), pool) in pools {
                let (kept, of) = if row.values.contains_key(column) { (2, 3) } else { (1, 4) };
                if !self.chance.random_ratio(kept, of) {
                    row.values.insert(column.clone(), pool[self.chance.random_range(0..pool.len())].clone());
                }
            }
        }
    }
}

/// Whether a key or a foreign key has a column.
fn is_bound(relation: &Relation, column: &String) -> bool {
    let keys = relation.keys.iter().flat_map(|key| &key.columns);
    keys.chain(relation.foreign_keys.iter().flat_map(|key| &key.columns)).any(|bound| bound == column)
}

/// A constant, and the numbers next to it.
fn near(constant: &str) -> Vec<String> {
    match constant.parse::<i64>() {
        Ok(number) => [0, 1, -1].map(|step| number.saturating_add(step).to_string()).to_vec(),
        Err(_) => vec![constant.to_owned()],
    }
}

/// By parameter of a program: the columns that it is compared with, or that are set to it.
fn uses(program: &Program) -> BTreeMap<&str, Vec<Column>> {
    let mut uses: BTreeMap<&str, Vec<Column>> = BTreeMap::new();
    for access in program.statements.iter().flat_map(|statement| &statement.accesses) {
        for (column, term) in access.rows.compared().into_iter().chain(&access.values) {
            if let Term::Parameter(name) = term {
                uses.entry(name).or_default().push((access.relation.clone(), column.clone()));
            }
        }
    }
    uses
}

#[cfg(test)]
mod tests {
    use pgstrata_sqltext::{Workload, read_sources};
    use pgstrata_units::Isolation;

    use super::*;
    use crate::advisor::{Allocation, Instance, SeedRow};

    const TEXT: &str = "create table r (id int primary key, g int not null, a int not null, b int not null);
-- pgstrata: program p
begin;
update r set a = :v where id = :k and g = :g and a > 40;
update r set b = b * 2 + :w where id = :k;
commit;";

    fn read() -> (Schema, Workload) {
        let schema = Schema::from_ddl(TEXT).expect("a table");
        let workload = read_sources(&[("p.sql", TEXT)], &schema).expect("a program");
        (schema, workload)
    }

    fn witness() -> Witness {
        let given = BTreeMap::from([("k".to_owned(), "5".to_owned()), ("g".to_owned(), "6".to_owned())]);
        let instance = Instance {
            name: "T1".to_owned(),
            program: "p".to_owned(),
            level: Isolation::ReadCommitted,
            arguments: given,
            path: vec![0, 1],
            choices: Vec::new(),
            only: None,
        };
        let row = SeedRow {
            relation: RelationName::new("r"),
            values: BTreeMap::from([("id".to_owned(), "5".to_owned()), ("g".to_owned(), "7".to_owned())]),
            present: true,
        };
        Witness {
            allocation: Allocation(BTreeMap::new()),
            instances: vec![instance],
            schedule: Vec::new(),
            cycle: Vec::new(),
            rows: vec![row],
        }
    }

    /// What is drawn for the arguments and the row in so many lots.
    fn drawn(lots: u32) -> Vec<(BTreeMap<(usize, String), String>, Wanted)> {
        let (schema, workload) = read();
        let witness = witness();
        let draw = |number| {
            let mut draws = Draws::of(&witness, &workload.programs, &schema, number);
            let arguments = draws.arguments(&witness, &workload.programs);
            let SeedRow { relation, values, .. } = witness.rows[0].clone();
            let mut rows = [Wanted { relation, values }];
            draws.fill(&mut rows);
            let [row] = rows;
            (arguments, row)
        };
        (0..lots).map(draw).collect()
    }

    #[test]
    fn the_same_lot_draws_the_same_and_keys_stay_as_they_are() {
        assert_eq!(drawn(20), drawn(20));
        for (arguments, row) in drawn(200) {
            assert!(!arguments.contains_key(&(0, "k".to_owned())), "{arguments:?}");
            assert_eq!(row.values["id"], "5");
        }
    }

    #[test]
    fn what_conditions_look_at_comes_to_both_sides_of_them() {
        let all = drawn(200);
        let argument = |name: &str| -> BTreeSet<&str> {
            all.iter().filter_map(|(drawn, _)| drawn.get(&(0, name.to_owned())).map(String::as_str)).collect()
        };
        let of_rows = |column: &str| -> BTreeSet<&str> {
            all.iter().filter_map(|(_, row)| row.values.get(column).map(String::as_str)).collect()
        };
        assert!(argument("v").is_superset(&BTreeSet::from(["39", "40", "41"])), "{:?}", argument("v"));
        assert!(argument("w").is_superset(&BTreeSet::from(["-1000", "0"])), "{:?}", argument("w"));
        assert!(of_rows("a").is_superset(&BTreeSet::from(["40", "41"])), "{:?}", of_rows("a"));
        assert!(of_rows("g").is_superset(&BTreeSet::from(["6", "7"])), "{:?}", of_rows("g"));
        assert!(!all.iter().any(|(_, row)| row.values.contains_key("b")), "no condition looks at it");
    }
}
