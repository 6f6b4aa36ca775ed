//! From scenarios to text, in the one layout that the language has.

use std::fmt::{self, Write as _};

use super::{Action, Cell, Clause, Item, Outcome, Permutations, Scenario, Step, What};
use pgstrata_units::Isolation;

/// How far blocks, further lines of a statement and outcomes stand in.
const INDENT: &str = "  ";

impl fmt::Display for Scenario {
    /// The scenario as its file has it. Reading it gives the same scenario, but for the numbers of lines.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "scenario {}", quoted(&self.name))?;
        let mut blank = false;
        let last = self.items.iter().rposition(|item| *item != Item::Blank).map_or(0, |last| last + 1);
        for item in &self.items[..last] {
            if *item == Item::Blank {
                // Several are one.
                if !std::mem::replace(&mut blank, true) {
                    writeln!(f)?;
                }
                continue;
            }
            blank = false;
            write!(f, "{item}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Item {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Comment(text) => writeln!(f, "#{text}"),
            Self::Blank => writeln!(f),
            Self::About(text) => writeln!(f, "about {}", quoted(text)),
            Self::Levels(levels) => writeln!(f, "levels {}", levels_words(levels)),
            Self::Setup(sql) => block(f, "setup", sql),
            Self::Teardown(sql) => block(f, "teardown", sql),
            Self::Invariant { name, sql } => block(f, &format!("invariant {}", quoted(name)), sql),
            Self::Step(step) => write!(f, "{step}"),
            Self::Expect(expectation) => {
                let clauses: Vec<String> = expectation.clauses.iter().map(ToString::to_string).collect();
                writeln!(f, "expect {}: {}", levels_words(&expectation.levels), clauses.join("; "))
            }
            Self::Permutations(Permutations::Written) => writeln!(f, "permutations written"),
            Self::Permutations(Permutations::All) => writeln!(f, "permutations all"),
            Self::Permutations(Permutations::Sampled { count, seed }) => {
                writeln!(f, "permutations {count} seed {seed}")
            }
            Self::FixedIn { versions, about } => {
                let versions: Vec<String> = versions.iter().map(ToString::to_string).collect();
                let about = if about.is_empty() { String::new() } else { format!(" {}", quoted(about)) };
                writeln!(f, "fixed in {}{about}", versions.join(", "))
            }
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.session)?;
        match &self.action {
            Action::Begin(modes) if modes.is_empty() => f.write_str("begin")?,
            Action::Begin(modes) => write!(f, "begin {modes}")?,
            Action::Sql { text, hold } => {
                f.write_str(&text.lines().map(str::trim).collect::<Vec<_>>().join("\n    "))?;
                if let Some(hold) = hold {
                    write!(f, "  hold at {}", hold.function)?;
                    if hold.skip > 0 {
                        write!(f, " after {} {}", hold.skip, if hold.skip == 1 { "call" } else { "calls" })?;
                    }
                }
            }
            Action::Resumes => f.write_str("resumes")?,
            Action::Release => f.write_str("release")?,
            Action::Kill => f.write_str("kill")?,
        }
        f.write_char('\n')?;
        self.outcomes.iter().try_for_each(|outcome| writeln!(f, "{INDENT}-> {outcome}"))
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.what)?;
        if self.levels.is_empty() { Ok(()) } else { write!(f, " at {}", levels_words(&self.levels)) }
    }
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ok => f.write_str("ok"),
            Self::Blocks => f.write_str("blocks"),
            Self::Error(sqlstate) => write!(f, "error {sqlstate}"),
            Self::RowCount(1) => f.write_str("1 row"),
            Self::RowCount(count) => write!(f, "{count} rows"),
            Self::Rows(rows) => {
                let rows: Vec<String> = rows.iter().map(|row| row_words(row)).collect();
                f.write_str(&rows.join(", "))
            }
        }
    }
}

fn row_words(row: &[Cell]) -> String {
    let cells: Vec<String> = row.iter().map(ToString::to_string).collect();
    format!("({})", cells.join(", "))
}

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "_+-.".contains(c);
        match self {
            Self::Null => f.write_str("null"),
            Self::Text(text) if !text.is_empty() && text != "null" && text.chars().all(is_plain) => f.write_str(text),
            Self::Text(text) => write!(f, "'{}'", text.replace('\'', "''")),
        }
    }
}

impl fmt::Display for Clause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AllCommit => f.write_str("all commit"),
            Self::Anomaly(None) => f.write_str("anomaly none"),
            Self::Anomaly(Some(anomaly)) => write!(f, "anomaly {anomaly}"),
            Self::Fail { sessions, one, sqlstate } => {
                let which = if *one { "one of " } else { "" };
                let verb = if *one || sessions.len() == 1 { "fails" } else { "fail" };
                write!(f, "{which}{} {verb} {sqlstate}", sessions.join(", "))
            }
        }
    }
}

fn block(f: &mut fmt::Formatter<'_>, head: &str, sql: &str) -> fmt::Result {
    writeln!(f, "{head} {{")?;
    for line in sql.lines() {
        if line.is_empty() { writeln!(f)? } else { writeln!(f, "{INDENT}{line}")? }
    }
    writeln!(f, "}}")
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('"', "\"\""))
}

fn levels_words(levels: &[Isolation]) -> String {
    levels.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}
