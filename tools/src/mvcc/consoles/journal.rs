//! What was done in consoles, in its order, and how that is written as a scenario.
//!
//! A statement that waited for another console is written as one that blocks, and as one that resumes where its answer
//! came. What a statement returned is what must come of it again, unless it tells of places, ids or times.

use std::collections::BTreeMap;

use pgstrata_pg::simple::Reply;
use pgstrata_scenario::language::{Action, Item, Outcome, STEPS_MAX, Scenario, Step, What};
use pgstrata_scenario::play;
use pgstrata_units::Isolation;

use super::split;
use super::statement::Statement;

/// Rows of an answer that are written as what must come again; of more only their number.
const ROWS_WRITTEN: usize = 20;
/// Words of statements whose answers differ from run to run.
const PASSING: [&str; 12] =
    ["ctid", "xmin", "xmax", "cmin", "cmax", "now(", "current_", "clock_timestamp", "random", "pg_", "txid", "uuid"];
/// SQLSTATE `query_canceled`: a person's doing, which a scenario cannot repeat.
const CANCELED: &str = "57014";

/// What stands around the steps of a scenario.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Setting<'a> {
    /// Its name: lower-case letters, digits and hyphens.
    pub name: &'a str,
    /// What it shows.
    pub about: &'a str,
    /// Statements that make its tables, in a schema of its own.
    pub setup: &'a str,
    /// The level at which `begin` begins.
    pub level: Isolation,
}

/// What was done cannot be written as a scenario.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NotWritable {
    /// There is nothing to write.
    #[error("no statement was run yet")]
    Nothing,
    /// A statement means something else in the language of scenarios.
    #[error("what was done cannot be written as a scenario")]
    Language(#[source] pgstrata_scenario::language::ParseError),
}

/// What was done.
#[derive(Debug, Default)]
pub(super) struct Journal {
    notes: Vec<Note>,
    steps: usize,
    is_full: bool,
}

#[derive(Debug)]
enum Note {
    Sent { console: String, number: u64, statements: Vec<String> },
    Blocked { console: String, number: u64 },
    Ended { console: String, number: u64, outcomes: Vec<What> },
}

impl Journal {
    pub(super) fn sent(&mut self, console: &str, number: u64, sql: &str, is_in_transaction: bool) {
        let parts = split::statements(sql);
        // Several statements outside a transaction are one by themselves, and stay together; not so what begins or ends one.
        let is_one = !is_in_transaction && !parts.iter().any(|part| is_of_transactions(part));
        let statements: Vec<String> =
            if is_one { vec![parts.join("; ")] } else { parts.into_iter().map(ToOwned::to_owned).collect() };
        // Each may come to need a step more, for the end of a wait.
        self.steps += statements.len() + 1;
        self.is_full |= self.steps > STEPS_MAX;
        if !self.is_full {
            self.notes.push(Note::Sent { console: console.to_owned(), number, statements });
        }
    }

    pub(super) fn blocked(&mut self, console: &str, number: u64) {
        if !self.is_full {
            self.notes.push(Note::Blocked { console: console.to_owned(), number });
        }
    }

    pub(super) fn ended(&mut self, console: &str, statement: &Statement, replies: &[Reply]) {
        if self.is_full {
            return;
        }
        let is_cut = statement.answers.iter().any(|answer| answer.left_out > 0);
        let is_passing = PASSING.iter().any(|word| statement.sql.to_ascii_lowercase().contains(word));
        let outcome = |reply: &Reply| match play::Answer::of(std::slice::from_ref(reply)).what() {
            What::Rows(rows) if is_cut || is_passing || rows.len() > ROWS_WRITTEN => What::RowCount(rows.len() as u64),
            what => what,
        };
        let answers = replies.iter().filter(|reply| matches!(reply, Reply::Complete { .. } | Reply::Error(_)));
        let outcomes = if is_cut { Vec::new() } else { answers.map(outcome).collect() };
        self.notes.push(Note::Ended { console: console.to_owned(), number: statement.number, outcomes });
    }

    /// The scenario's text.
    pub(super) fn scenario(&self, setting: &Setting<'_>) -> Result<String, NotWritable> {
        let (made, notes) = self.preparations();
        let mut writer = Writer::default();
        for note in notes {
            writer.note(note);
        }
        if writer.steps.is_empty() && made.is_empty() {
            return Err(NotWritable::Nothing);
        }
        let setup = [setting.setup].into_iter().filter(|setup| !setup.is_empty()).chain(made).collect::<Vec<_>>();
        let mut items = vec![Item::About(setting.about.to_owned()), Item::Levels(vec![setting.level]), Item::Blank];
        if !setup.is_empty() {
            let setup = setup.iter().map(|text| text.trim_end_matches(';').to_owned() + ";").collect::<Vec<_>>();
            items.extend([Item::Setup(setup.join("\n")), Item::Blank]);
        }
        if self.is_full {
            items.push(Item::Comment(format!(" More was done; a scenario has {STEPS_MAX} steps at most.")));
        }
        items.extend(writer.steps);
        let text = Scenario { name: setting.name.to_owned(), items }.to_string();
        Scenario::parse_file(&text).map(|_| text).map_err(NotWritable::Language)
    }
}

impl Journal {
    /// What made tables and filled them before anything else was done: it belongs to the set-up, for transactions are
    /// compared with each other from there. And the notes after it.
    fn preparations(&self) -> (Vec<&str>, &[Note]) {
        let mut made = Vec::new();
        for pair in self.notes.chunks(2) {
            let [Note::Sent { number, console, statements }, Note::Ended { number: ended, console: of, outcomes }] =
                pair
            else {
                break;
            };
            let [text] = &statements[..] else { break };
            let first = text.split_whitespace().next().unwrap_or_default().to_ascii_lowercase();
            let has_failed = outcomes.iter().any(|what| matches!(what, What::Error(_)));
            if (number, console) != (ended, of)
                || has_failed
                || !matches!(first.as_str(), "create" | "insert" | "alter" | "drop")
            {
                break;
            }
            made.push(text.as_str());
        }
        let rest = &self.notes[2 * made.len()..];
        // Without any making of tables, what was inserted first is what the person wanted to show.
        if made.iter().any(|text| text.to_ascii_lowercase().starts_with("create")) {
            (made, rest)
        } else {
            (Vec::new(), &self.notes)
        }
    }
}

/// Whether a statement begins or ends a transaction.
fn is_of_transactions(statement: &str) -> bool {
    let first = statement.split(|c: char| !c.is_alphabetic()).next().unwrap_or_default().to_ascii_lowercase();
    matches!(first.as_str(), "begin" | "start" | "commit" | "end" | "rollback" | "abort" | "prepare")
}

#[derive(Default)]
struct Writer {
    steps: Vec<Item>,
    sessions: BTreeMap<String, String>,
    /// Of each console's last text: its number, where its steps begin, how many they are, whether it waited.
    open: BTreeMap<String, Open>,
}

#[derive(Clone, Copy)]
struct Open {
    number: u64,
    first: usize,
    count: usize,
    has_blocked: bool,
}

impl Writer {
    fn note(&mut self, note: &Note) {
        match note {
            Note::Sent { console, number, statements } => {
                let session = self.session(console);
                let first = self.steps.len();
                for statement in statements {
                    self.push(&session, action(statement));
                }
                let open = Open { number: *number, first, count: statements.len(), has_blocked: false };
                self.open.insert(console.clone(), open);
            }
            Note::Blocked { console, number } => {
                if let Some(open) = self.open.get_mut(console).filter(|open| open.number == *number) {
                    open.has_blocked = true;
                }
            }
            Note::Ended { console, number, outcomes } => {
                let Some(open) = self.open.remove(console).filter(|open| open.number == *number) else { return };
                self.end(console, open, outcomes);
            }
        }
    }

    fn end(&mut self, console: &str, open: Open, outcomes: &[What]) {
        if outcomes.iter().any(|what| matches!(what, What::Error(sqlstate) if sqlstate == CANCELED)) {
            let session = self.session(console);
            self.steps.push(Item::Comment(format!(" {session} was cancelled here.")));
            return;
        }
        // The statement that waited is the one that answered last: what is behind it in the text was not run yet.
        let waited = open.has_blocked.then(|| outcomes.len().clamp(1, open.count) - 1);
        for (index, what) in outcomes.iter().enumerate().take(open.count) {
            let what = if waited == Some(index) { What::Blocks } else { what.clone() };
            self.expect(open.first + index, what);
        }
        if let Some(waited) = waited {
            let session = self.session(console);
            self.push(&session, Action::Resumes);
            if let Some(what) = outcomes.get(waited) {
                self.expect(self.steps.len() - 1, what.clone());
            }
        }
    }

    fn push(&mut self, session: &str, action: Action) {
        self.steps.push(Item::Step(Step { session: session.to_owned(), action, outcomes: Vec::new(), line: 0 }));
    }

    fn expect(&mut self, index: usize, what: What) {
        if what == What::Ok {
            return;
        }
        if let Some(Item::Step(step)) = self.steps.get_mut(index) {
            step.outcomes.push(Outcome { what, levels: Vec::new() });
        }
    }

    /// The console's name, or one like `T1` if the language cannot have it for a session.
    fn session(&mut self, console: &str) -> String {
        if let Some(session) = self.sessions.get(console) {
            return session.clone();
        }
        let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let is_free = |name: &str| !self.sessions.values().any(|taken| taken == name) && !RESERVED.contains(&name);
        let begins_well = console.starts_with(|c: char| c.is_ascii_alphabetic());
        let session = if begins_well && console.chars().all(is_word) && is_free(console) {
            console.to_owned()
        } else {
            // One more than are taken, and as many again for those that are not of this form.
            let most = 2 * self.sessions.len() + 2;
            (1..=most).map(|number| format!("T{number}")).find(|name| is_free(name)).unwrap_or_default()
        };
        self.sessions.insert(console.to_owned(), session.clone());
        session
    }
}

/// Words that begin other lines of the language.
const RESERVED: [&str; 10] =
    ["scenario", "about", "levels", "setup", "teardown", "invariant", "expect", "permutations", "fixed", "hold"];

fn action(statement: &str) -> Action {
    let lower = statement.to_ascii_lowercase();
    let begin = ["begin transaction", "begin work", "start transaction", "begin"];
    for words in begin {
        if let Some(rest) = lower.strip_prefix(words)
            && !rest.starts_with(|c: char| c.is_alphanumeric())
        {
            return Action::Begin(statement[words.len()..].trim().to_owned());
        }
    }
    Action::Sql { text: statement.to_owned(), hold: None }
}
