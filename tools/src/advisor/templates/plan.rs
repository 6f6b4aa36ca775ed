//! A transaction as every language has to write it: parameters, a level, statements, and what each must have found.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use pgstrata_units::Isolation;

use crate::advisor::solutions::SolutionId;

/// A transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Its name.
    pub name: String,
    /// What it shows, one sentence.
    pub about: String,
    /// The level that it runs at.
    pub level: Isolation,
    /// What it is called with.
    pub parameters: Vec<Parameter>,
    /// Its statements.
    pub steps: Vec<Step>,
    /// What creates and fills its tables; empty for a user's program.
    pub schema: String,
}

/// A parameter, or a value that a statement found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parameter {
    /// Its name.
    pub name: String,
    /// Its type.
    pub kind: Kind,
    /// A value in SQL, to try it with.
    pub example: String,
}

/// A type as languages know it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `bigint`.
    Long,
    /// `integer`, `smallint`.
    Integer,
    /// `boolean`.
    Flag,
    /// `double precision`.
    Double,
    /// `text` and its like.
    Text,
    /// Any other: handed over as text, which the server reads as this type.
    Cast(String),
}

/// A statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// Its text: values as `$1` to `$n`, in the order of `arguments`.
    pub sql: String,
    /// What `$1` to `$n` are: parameters, or what earlier statements keep.
    pub arguments: Vec<String>,
    /// What it must have found or changed.
    pub expect: Expect,
    /// Columns of its row that later statements use, in their order; none where the row is not looked at.
    pub keeps: Vec<Parameter>,
    /// Whether it answers with rows.
    pub returns_rows: bool,
}

/// What a statement must have found or changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expect {
    /// Nothing in particular.
    Anything,
    /// A row; without one the business says no, and nothing was done.
    RowElseRefused,
    /// A row; without one somebody was faster, and the transaction begins again.
    RowElseAgain,
}

/// A plan that cannot be read; a test rules it out for those of this program.
#[derive(Debug, thiserror::Error)]
#[error("line {line} of the plan: {why}")]
pub struct PlanError {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong with it.
    pub why: String,
}

/// The examples, by solution.
const PLANS: &[(SolutionId, &str)] = &[
    (SolutionId::Serializable, include_str!("plans/serializable.sql")),
    (SolutionId::MixedLevels, include_str!("plans/serializable.sql")),
    (SolutionId::Promotion, include_str!("plans/for_update.sql")),
    (SolutionId::RepeatableRead, include_str!("plans/repeatable_read.sql")),
    (SolutionId::ForUpdate, include_str!("plans/for_update.sql")),
    (SolutionId::ForUpdateNowait, include_str!("plans/for_update_nowait.sql")),
    (SolutionId::ConditionalUpdate, include_str!("plans/conditional_update.sql")),
    (SolutionId::OptimisticVersion, include_str!("plans/optimistic_version.sql")),
    (SolutionId::AdvisoryTransactionLock, include_str!("plans/advisory_transaction_lock.sql")),
    (SolutionId::TableLock, include_str!("plans/table_lock.sql")),
    (SolutionId::GuardRow, include_str!("plans/guard_row.sql")),
    (SolutionId::SkipLocked, include_str!("plans/skip_locked.sql")),
    (SolutionId::CounterRow, include_str!("plans/counter_row.sql")),
    (SolutionId::UniqueConstraint, include_str!("plans/unique_constraint.sql")),
    (SolutionId::ExclusionConstraint, include_str!("plans/exclusion_constraint.sql")),
    (SolutionId::SnapshotRead, include_str!("plans/snapshot_read.sql")),
    (SolutionId::Outbox, include_str!("plans/outbox.sql")),
    (SolutionId::ShardedCounter, include_str!("plans/sharded_counter.sql")),
];

/// The solutions that have an example of their own; the others show a conditional update with an idempotency key.
pub fn examples() -> impl Iterator<Item = SolutionId> {
    PLANS.iter().map(|(id, _)| *id)
}

/// The example of a solution.
#[must_use]
pub fn example(solution: SolutionId) -> &'static Plan {
    static READ: LazyLock<BTreeMap<SolutionId, Plan>> = LazyLock::new(|| {
        let read = |(id, text): &(SolutionId, &str)| Plan::read(text).ok().map(|plan| (*id, plan));
        PLANS.iter().filter_map(read).collect()
    });
    READ.get(&solution).unwrap_or_else(|| &READ[&SolutionId::ConditionalUpdate])
}

impl Plan {
    /// Reads a plan: a header, `-- pgstrata: schema`, statements, `-- pgstrata: program NAME LEVEL`, statements.
    ///
    /// # Errors
    /// Where a comment to pgstrata is not one of those, or a statement has a value that nobody gives it.
    pub fn read(text: &str) -> Result<Self, PlanError> {
        let mut reader = Reader::default();
        for (index, line) in text.lines().enumerate() {
            reader.line(line).map_err(|why| PlanError { line: index + 1, why })?;
        }
        let level = reader.level.ok_or_else(|| PlanError { line: 1, why: "no program".to_owned() })?;
        let Reader { name, about, parameters, steps, schema, .. } = reader;
        Ok(Self { name, about, level, parameters, steps, schema })
    }

    /// The parameter, or the kept value, of this name.
    #[must_use]
    pub fn value(&self, name: &str) -> Option<&Parameter> {
        self.parameters.iter().chain(self.steps.iter().flat_map(|step| &step.keeps)).find(|value| value.name == name)
    }
}

impl Kind {
    /// The type of this name in SQL.
    #[must_use]
    pub fn of(name: &str) -> Self {
        match name {
            "bigint" | "int8" => Self::Long,
            "integer" | "int" | "int4" => Self::Integer,
            "boolean" | "bool" => Self::Flag,
            "double precision" | "float8" => Self::Double,
            "text" | "varchar" | "character varying" => Self::Text,
            other => Self::Cast(other.to_owned()),
        }
    }
}

/// A name that every language takes: `$1` becomes `p1`, what is no letter, digit or underscore an underscore.
pub(super) fn identifier(name: &str) -> String {
    let plain: String =
        name.chars().map(|sign| if sign.is_ascii_alphanumeric() { sign.to_ascii_lowercase() } else { '_' }).collect();
    if plain.starts_with(|first: char| first.is_ascii_digit()) { format!("p{plain}") } else { plain }
}

pub(super) fn returns_rows(sql: &str) -> bool {
    let lower = sql.trim_start().to_ascii_lowercase();
    let has_returning = lower.split_whitespace().any(|word| word == "returning");
    lower.starts_with("select") || lower.starts_with("with") || has_returning
}

#[derive(Default)]
struct Reader {
    name: String,
    about: String,
    level: Option<Isolation>,
    parameters: Vec<Parameter>,
    steps: Vec<Step>,
    schema: String,
    in_schema: bool,
    statement: String,
    expect: Option<Expect>,
    keeps: Vec<Parameter>,
}

impl Reader {
    fn line(&mut self, line: &str) -> Result<(), String> {
        if let Some(told) = line.strip_prefix("-- pgstrata: ") {
            return self.told(told);
        }
        if let Some(comment) = line.strip_prefix("-- ") {
            self.about.push_str(comment);
            return Ok(());
        }
        if self.in_schema {
            self.schema.push_str(line);
            self.schema.push('\n');
            return Ok(());
        }
        if !self.statement.is_empty() {
            self.statement.push('\n');
        }
        self.statement.push_str(line);
        match self.statement.strip_suffix(';') {
            Some(whole) => {
                let whole = whole.to_owned();
                self.statement.clear();
                self.step(&whole)
            }
            None => Ok(()),
        }
    }

    fn told(&mut self, told: &str) -> Result<(), String> {
        if told == "schema" {
            self.in_schema = true;
        } else if let Some(rest) = told.strip_prefix("program ") {
            let (name, level) = rest.split_once(' ').ok_or("a program has a name and a level")?;
            self.level = Some(level.parse().map_err(|error| format!("{error}"))?);
            name.clone_into(&mut self.name);
            self.in_schema = false;
        } else if let Some(rest) = told.strip_prefix("parameter ") {
            let (declared, example) = rest.split_once(" = ").ok_or("a parameter has an example")?;
            let parameter = value(declared, example)?;
            self.parameters.push(parameter);
        } else if let Some(rest) = told.strip_prefix("keep ") {
            let kept = value(rest, "null")?;
            self.keeps.push(kept);
        } else {
            self.expect = Some(match told {
                "one row, else refused" => Expect::RowElseRefused,
                "one row, else again" => Expect::RowElseAgain,
                other => return Err(format!("`{other}` means nothing")),
            });
        }
        Ok(())
    }

    fn step(&mut self, text: &str) -> Result<(), String> {
        let known: Vec<&Parameter> =
            self.parameters.iter().chain(self.steps.iter().flat_map(|step| &step.keeps)).collect();
        let (sql, arguments) = numbered(text, &known)?;
        let returns_rows = returns_rows(&sql);
        let expect = self.expect.take().unwrap_or(Expect::Anything);
        self.steps.push(Step { sql, arguments, expect, keeps: std::mem::take(&mut self.keeps), returns_rows });
        Ok(())
    }
}

/// Reads `NAME TYPE`.
fn value(declared: &str, example: &str) -> Result<Parameter, String> {
    let (name, kind) = declared.split_once(' ').ok_or("a value has a name and a type")?;
    Ok(Parameter { name: name.to_owned(), kind: Kind::of(kind), example: example.to_owned() })
}

/// Replaces `:name` by `$n`; a cast (`::type`) stays.
fn numbered(text: &str, known: &[&Parameter]) -> Result<(String, Vec<String>), String> {
    let (mut sql, mut arguments) = (String::new(), Vec::<String>::new());
    let mut rest = text;
    while let Some(at) = rest.find(':') {
        let (before, after) = (&rest[..at], &rest[at + 1..]);
        let length = after.find(|sign: char| !sign.is_ascii_alphanumeric() && sign != '_').unwrap_or(after.len());
        let name = &after[..length];
        sql.push_str(before);
        if name.is_empty() || sql.ends_with(':') || name.starts_with(|first: char| first.is_ascii_digit()) {
            sql.push(':');
            rest = after;
            continue;
        }
        if !known.iter().any(|value| value.name == name) {
            return Err(format!("nobody gives the statement `{name}`"));
        }
        let place = arguments.iter().position(|argument| argument == name).unwrap_or_else(|| {
            arguments.push(name.to_owned());
            arguments.len() - 1
        });
        sql.push('$');
        sql.push_str(&(place + 1).to_string());
        rest = &after[length..];
    }
    sql.push_str(rest);
    Ok((sql, arguments))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_example_is_read_with_its_name_level_and_statements() {
        for (id, text) in PLANS {
            let plan = Plan::read(text).unwrap_or_else(|error| panic!("{}: {error}", id.key()));
            assert!(!plan.name.is_empty() && !plan.steps.is_empty() && !plan.schema.is_empty(), "{}", id.key());
            assert!(plan.about.ends_with('.'), "{}", plan.about);
        }
    }

    #[test]
    fn values_are_numbered_in_the_order_in_which_they_occur() {
        let plan = example(SolutionId::OptimisticVersion);
        let [read, write, _] = plan.steps.as_slice() else { panic!("{plan:?}") };
        assert_eq!(read.sql, "select version from account where id = $1 and balance >= $2");
        assert_eq!(read.keeps[0].name, "version");
        assert_eq!(write.arguments, ["amount", "from_account", "version"]);
        assert_eq!(write.expect, Expect::RowElseAgain);
    }

    #[test]
    fn a_plan_that_cannot_be_meant_is_refused_with_its_line() {
        let check = |text: &str, line: usize, why: &str| {
            let error = Plan::read(text).expect_err(text);
            assert!(error.line == line && error.why.contains(why), "{error}");
        };
        check("-- A.\n-- pgstrata: program p read committed\nselect :missing;", 3, "missing");
        check("-- A.\n-- pgstrata: program p sometimes", 2, "sometimes");
        check("-- A.\n-- pgstrata: two rows", 2, "two rows");
        check("-- A.\nselect 1;", 1, "no program");
    }

    #[test]
    fn casts_are_no_parameters() {
        let known = Parameter { name: "a".to_owned(), kind: Kind::Long, example: "1".to_owned() };
        let (sql, arguments) = numbered("select :a::text, '12:30', :a", &[&known]).expect("read");
        assert_eq!((sql.as_str(), arguments), ("select $1::text, '12:30', $1", vec!["a".to_owned()]));
    }
}
