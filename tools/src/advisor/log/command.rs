//! What kind of statement the tokens begin: the ends of transactions, their level, data, or nothing that a program is made of.

use pgstrata_units::Isolation;

use super::shape::Value;
use super::tokens::{Kind, Token, tokens};

/// A statement, as far as the reading of logs tells them apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// `begin`, `start transaction`.
    Begin {
        /// `isolation level …`.
        level: Option<Isolation>,
    },
    /// `commit`, `end`, `prepare transaction`.
    Commit {
        /// `and chain`: another transaction begins at once, at the same level.
        and_chain: bool,
    },
    /// `rollback`, `abort`; not to a savepoint.
    Rollback {
        /// `and chain`.
        and_chain: bool,
    },
    /// `set transaction isolation level …`.
    Level(Isolation),
    /// `set session characteristics as transaction isolation level …`, `set default_transaction_isolation …`.
    SessionLevel(Isolation),
    /// SQL's own `prepare`.
    Prepare {
        /// The name.
        name: String,
        /// What is prepared.
        statement: String,
    },
    /// SQL's own `execute`.
    Execute {
        /// The name.
        name: String,
        /// The values of `$1` and so on.
        values: Vec<Value>,
    },
    /// Reads or writes data.
    Data,
    /// Defines something.
    Definition,
    /// Settings, savepoints, cursors' rows, maintenance.
    Other,
}

/// Tells what a statement is.
pub fn command(text: &str, tokens: &[Token]) -> Command {
    let words: Vec<String> = tokens.iter().take(12).map(|token| text[token.at.clone()].to_ascii_lowercase()).collect();
    let word = |at: usize| words.get(at).map_or("", String::as_str);
    let and_chain = words.windows(2).any(|pair| pair[0] == "and" && pair[1] == "chain");
    match word(0) {
        "begin" => Command::Begin { level: level(&words) },
        "start" if word(1) == "transaction" => Command::Begin { level: level(&words) },
        "commit" | "rollback" if word(1) == "prepared" => Command::Other,
        "commit" | "end" => Command::Commit { and_chain },
        "rollback" | "abort" if words.iter().any(|word| word == "to") => Command::Other,
        "rollback" | "abort" => Command::Rollback { and_chain },
        "prepare" if word(1) == "transaction" => Command::Commit { and_chain: false },
        "prepare" => prepare(text, tokens).unwrap_or(Command::Other),
        "execute" => execute(text, tokens),
        "set" => set(&words),
        "select" | "insert" | "update" | "delete" | "merge" | "with" | "values" | "table" | "(" | "lock"
        | "truncate" | "call" | "copy" | "do" | "declare" => Command::Data,
        "create" | "alter" | "drop" | "grant" | "revoke" | "comment" | "security" | "reindex" | "cluster" => {
            Command::Definition
        }
        _ => Command::Other,
    }
}

fn level(words: &[String]) -> Option<Isolation> {
    let at = words.windows(2).position(|pair| pair[0] == "isolation" && pair[1] == "level")?;
    named_level(&words[at + 2..])
}

fn named_level(words: &[String]) -> Option<Isolation> {
    let first = words.first()?.trim_matches('\'');
    let two = || format!("{first} {}", words.get(1).map_or("", String::as_str));
    first.parse().or_else(|_| two().parse()).ok()
}

fn set(words: &[String]) -> Command {
    let word = |at: usize| words.get(at).map_or("", String::as_str);
    let found = match (word(1), word(2)) {
        ("transaction", _) => level(words).map(Command::Level),
        ("session", "characteristics") => level(words).map(Command::SessionLevel),
        ("default_transaction_isolation", _) => words.get(3..).and_then(named_level).map(Command::SessionLevel),
        ("session", "default_transaction_isolation") => words.get(4..).and_then(named_level).map(Command::SessionLevel),
        ("transaction_isolation", _) => words.get(3..).and_then(named_level).map(Command::Level),
        ("local", "transaction_isolation") => words.get(4..).and_then(named_level).map(Command::Level),
        _ => None,
    };
    found.unwrap_or(Command::Other)
}

/// `prepare name [(types)] as statement`.
fn prepare(text: &str, tokens: &[Token]) -> Option<Command> {
    let name = text[tokens.get(1)?.at.clone()].to_owned();
    let is_as = |token: &&Token| text[token.at.clone()].eq_ignore_ascii_case("as");
    let begin = tokens.iter().find(is_as)?.at.end;
    let end = tokens.last()?.at.end;
    Some(Command::Prepare { name, statement: text[begin..end].trim_start().to_owned() })
}

/// The statement inside the text of a `prepare`, as the detail of an `execute` holds it.
pub fn prepared_text(text: &str) -> Option<String> {
    match prepare(text, &tokens(text))? {
        Command::Prepare { statement, .. } => Some(statement.trim_end_matches([';', ' ', '\n']).to_owned()),
        _ => None,
    }
}

/// `execute name (values)`; an expression that is no literal is a value that is not told.
fn execute(text: &str, tokens: &[Token]) -> Command {
    let name = tokens.get(1).map_or(String::new(), |token| text[token.at.clone()].to_owned());
    let mut values = Vec::new();
    let mut depth = 0_usize;
    let mut only_literal = true;
    let mut value = None;
    for token in tokens.iter().skip(2) {
        match &text[token.at.clone()] {
            "(" => depth += 1,
            ")" if depth == 1 => values.push(value.take().filter(|_| only_literal)),
            ")" => depth = depth.saturating_sub(1),
            "," if depth == 1 => {
                values.push(value.take().filter(|_| only_literal));
                only_literal = true;
            }
            literal if token.kind == Kind::Literal && depth == 1 && value.is_none() => {
                value = Some(literal.trim_matches('\'').replace("''", "'"));
            }
            _ => only_literal = false,
        }
    }
    Command::Execute { name, values }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Command {
        command(text, &tokens(text))
    }

    #[test]
    fn ends_of_transactions_and_their_levels_are_read() {
        let serializable = Some(Isolation::Serializable);
        assert_eq!(of("BEGIN"), Command::Begin { level: None });
        assert_eq!(of("begin isolation level serializable, read only"), Command::Begin { level: serializable });
        let repeatable = Some(Isolation::RepeatableRead);
        let read_only = "START TRANSACTION READ ONLY, ISOLATION LEVEL REPEATABLE READ";
        assert_eq!(of(read_only), Command::Begin { level: repeatable });
        assert_eq!(of("end"), Command::Commit { and_chain: false });
        assert_eq!(of("commit and chain"), Command::Commit { and_chain: true });
        assert_eq!(of("rollback to savepoint a"), Command::Other);
        assert_eq!(of("abort"), Command::Rollback { and_chain: false });
        assert_eq!(of("prepare transaction 'x'"), Command::Commit { and_chain: false });
        assert_eq!(of("commit prepared 'x'"), Command::Other);
    }

    #[test]
    fn levels_that_drivers_set_for_a_session_are_read() {
        let jdbc = "SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL SERIALIZABLE";
        assert_eq!(of(jdbc), Command::SessionLevel(Isolation::Serializable));
        let set = "set default_transaction_isolation = 'repeatable read'";
        assert_eq!(of(set), Command::SessionLevel(Isolation::RepeatableRead));
        let set = "set transaction isolation level read committed";
        assert_eq!(of(set), Command::Level(Isolation::ReadCommitted));
        assert_eq!(of("set search_path = app"), Command::Other);
    }

    #[test]
    fn statements_that_were_prepared_in_sql_are_read() {
        let (name, statement) = ("q".to_owned(), "select * from t where a = $1".to_owned());
        let prepared = Command::Prepare { name: name.clone(), statement: statement.clone() };
        assert_eq!(of("prepare q (int, text) as select * from t where a = $1"), prepared);
        assert_eq!(prepared_text("prepare q as select * from t where a = $1;"), Some(statement));
        let values = vec![Some("5".to_owned()), Some("it's".to_owned()), None];
        assert_eq!(of("execute q (5, 'it''s', now())"), Command::Execute { name, values });
    }

    #[test]
    fn data_is_told_from_definitions_and_settings() {
        for data in ["select 1", "(select 1) union (select 2)", "with x as (select 1) delete from t", "lock t"] {
            assert_eq!(of(data), Command::Data, "{data}");
        }
        assert_eq!(of("create table t ()"), Command::Definition);
        assert_eq!(of("vacuum"), Command::Other);
        assert_eq!(of(""), Command::Other);
    }
}
