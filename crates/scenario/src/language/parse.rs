//! From text to scenarios.
//!
//! A file is a list of lines. A line that begins with a word of the language, or with a session and a colon, begins an item;
//! a line that begins with `->` adds what must come of the step above; any other indented line goes on with the statement
//! above.

use super::error::{ParseError, ParseErrorKind};
use super::reader::Reader;
use super::{Action, Cell, Clause, Expectation, HoldAt, Item, Outcome, Permutations, STEPS_MAX, Scenario, Step, What};

/// The longest name of a scenario, in characters.
const NAME_MAX: usize = 60;

pub(super) fn file(text: &str) -> Result<Vec<Scenario>, ParseError> {
    let mut parser = Parser { lines: text.lines().collect(), next: 0, done: Vec::new(), leading: Vec::new() };
    while parser.next < parser.lines.len() {
        parser.item()?;
    }
    if parser.done.is_empty() {
        return Err(Reader::new("", 1).expected("scenario \"<name>\""));
    }
    for (scenario, line) in &parser.done {
        check(scenario, *line)?;
    }
    Ok(parser.done.into_iter().map(|(scenario, _)| scenario).collect())
}

struct Parser<'a> {
    lines: Vec<&'a str>,
    /// The index of the line to be read next.
    next: usize,
    /// Scenarios with the lines they begin on.
    done: Vec<(Scenario, usize)>,
    /// Comments before the first scenario.
    leading: Vec<Item>,
}

impl<'a> Parser<'a> {
    fn item(&mut self) -> Result<(), ParseError> {
        let line = self.lines[self.next];
        self.next += 1;
        let mut reader = Reader::new(line, self.next);
        let text = line.trim();
        if text.is_empty() {
            self.push(Item::Blank);
        } else if let Some(comment) = text.strip_prefix('#') {
            self.push(Item::Comment(comment.to_owned()));
        } else if reader.take("scenario") {
            self.begin(reader)?;
        } else if self.done.is_empty() {
            return Err(reader.expected("scenario \"<name>\""));
        } else if reader.take("->") {
            return self.outcome_of_last_step(reader);
        } else {
            let item = self.line(reader)?;
            self.push(item);
        }
        Ok(())
    }

    fn push(&mut self, item: Item) {
        match self.done.last_mut() {
            Some((scenario, _)) => scenario.items.push(item),
            None => self.leading.push(item),
        }
    }

    fn begin(&mut self, mut reader: Reader<'a>) -> Result<(), ParseError> {
        let before = reader;
        let name = reader.quoted()?;
        let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if name.is_empty() || name.len() > NAME_MAX || !name.chars().all(is_plain) {
            return Err(before.error(ParseErrorKind::BadName { name }));
        }
        reader.end()?;
        self.done.push((Scenario { name, items: std::mem::take(&mut self.leading) }, reader.line()));
        Ok(())
    }

    /// A line that begins an item.
    fn line(&mut self, mut reader: Reader<'a>) -> Result<Item, ParseError> {
        if reader.take("about") {
            let text = reader.quoted()?;
            reader.end()?;
            return Ok(Item::About(text));
        }
        if reader.take("levels") {
            let levels = reader.levels()?;
            reader.end()?;
            return Ok(Item::Levels(levels));
        }
        if reader.take("setup") {
            return Ok(Item::Setup(self.block(reader)?));
        }
        if reader.take("teardown") {
            return Ok(Item::Teardown(self.block(reader)?));
        }
        if reader.take("invariant") {
            let name = reader.quoted()?;
            return Ok(Item::Invariant { name, sql: self.block(reader)? });
        }
        if reader.take("expect") {
            return Ok(Item::Expect(expectation(&mut reader)?));
        }
        if reader.take("permutations") {
            return Ok(Item::Permutations(permutations(&mut reader)?));
        }
        if reader.take("fixed") {
            return fixed_in(&mut reader);
        }
        let session = session_of(&mut reader)?;
        self.step(session, reader).map(Item::Step)
    }

    /// `{ one line }`, or everything up to a line that is `}` alone.
    fn block(&mut self, mut reader: Reader<'a>) -> Result<String, ParseError> {
        let start = reader;
        reader.require("{", "a block in { and }")?;
        if let Some(inside) = reader.rest().strip_suffix('}') {
            return Ok(inside.trim().to_owned());
        }
        let mut lines = vec![reader.rest()];
        loop {
            let Some(line) = self.lines.get(self.next) else {
                return Err(start.error(ParseErrorKind::Unclosed { what: "a block" }));
            };
            self.next += 1;
            if line.trim() == "}" {
                return Ok(dedent(&lines));
            }
            lines.push(line.trim_end());
        }
    }

    fn step(&mut self, session: &str, reader: Reader<'a>) -> Result<Step, ParseError> {
        let line = reader.line();
        let mut outcomes = Vec::new();
        let mut text = take_outcome(reader, &mut outcomes)?.to_owned();
        while outcomes.is_empty() {
            // A statement goes on over indented lines, until something comes of it.
            let Some(next) = self.lines.get(self.next).filter(|next| goes_on(next)) else { break };
            self.next += 1;
            text.push('\n');
            text.push_str(take_outcome(Reader::new(next, self.next), &mut outcomes)?);
        }
        if text.trim().is_empty() {
            return Err(reader.expected("a statement"));
        }
        let action = action(&text, reader)?;
        Ok(Step { session: session.to_owned(), action, outcomes, line })
    }

    fn outcome_of_last_step(&mut self, mut reader: Reader<'a>) -> Result<(), ParseError> {
        let items = self.done.last_mut().map(|(scenario, _)| &mut scenario.items);
        let step = items.and_then(|items| match items.last_mut() {
            Some(Item::Step(step)) => Some(step),
            _ => None,
        });
        let Some(step) = step else { return Err(reader.expected("a step above the ->")) };
        step.outcomes.push(outcome(&mut reader)?);
        reader.end()
    }
}

/// Whether a line goes on with the statement above.
fn goes_on(line: &str) -> bool {
    let text = line.trim_start();
    let is_indented = line.starts_with([' ', '\t']);
    is_indented && !text.is_empty() && !text.starts_with("->") && !text.starts_with('#')
}

fn session_of<'a>(reader: &mut Reader<'a>) -> Result<&'a str, ParseError> {
    const EXPECTED: &str = "a word of the language, or a session and a colon";
    let mut ahead = *reader;
    let name = ahead.word("_").filter(|name| name.starts_with(|first: char| first.is_ascii_alphabetic()));
    let Some(name) = name else { return Err(reader.expected(EXPECTED)) };
    if !ahead.take(":") {
        return Err(reader.expected(EXPECTED));
    }
    *reader = ahead;
    Ok(name)
}

/// Splits `statement -> what comes of it`. The arrow counts when an expectation follows it, so that the operator `->` of
/// JSON can be written in a statement.
fn take_outcome<'a>(reader: Reader<'a>, outcomes: &mut Vec<Outcome>) -> Result<&'a str, ParseError> {
    const BEGINNINGS: [&str; 5] = ["ok", "error", "blocks", "no row", "("];
    let text = reader.rest();
    for (index, _) in text.match_indices("->") {
        let after = text[index + 2..].trim_start();
        let is_count = after.split_once(' ').is_some_and(|(number, word)| {
            number.bytes().all(|byte| byte.is_ascii_digit()) && !number.is_empty() && word.starts_with("row")
        });
        if is_count || BEGINNINGS.iter().any(|beginning| after.starts_with(beginning)) {
            let mut ahead = reader;
            ahead.skip_to_rest(index + 2);
            outcomes.push(outcome(&mut ahead)?);
            ahead.end()?;
            return Ok(text[..index].trim_end());
        }
    }
    Ok(text)
}

fn action(text: &str, reader: Reader<'_>) -> Result<Action, ParseError> {
    let lower = text.to_ascii_lowercase();
    match lower.as_str() {
        "resumes" => return Ok(Action::Resumes),
        "release" => return Ok(Action::Release),
        "kill" => return Ok(Action::Kill),
        _ => {}
    }
    if let Some(rest) = lower.strip_prefix("begin")
        && !rest.starts_with(|next: char| next.is_alphanumeric() || next == '_')
    {
        return Ok(Action::Begin(text["begin".len()..].trim().to_owned()));
    }
    let Some((statement, place)) = text.rsplit_once("hold at ") else {
        return Ok(Action::Sql { text: text.to_owned(), hold: None });
    };
    let mut words = place.split_whitespace();
    let function = words.next().unwrap_or_default().to_owned();
    let rest: Vec<&str> = words.collect();
    let skip = match rest.as_slice() {
        [] => Some(0),
        ["after", calls, "calls" | "call"] => calls.parse().ok(),
        _ => None,
    };
    let is_name = !function.is_empty() && function.chars().all(|c| c.is_alphanumeric() || c == '_');
    match skip {
        Some(skip) if is_name => {
            let text = statement.trim_end().to_owned();
            Ok(Action::Sql { text, hold: Some(HoldAt { function, skip }) })
        }
        _ => Err(reader.expected("hold at <function>, or hold at <function> after <n> calls")),
    }
}

fn outcome(reader: &mut Reader<'_>) -> Result<Outcome, ParseError> {
    let what = if reader.take("ok") {
        What::Ok
    } else if reader.take("blocks") {
        What::Blocks
    } else if reader.take("error") {
        What::Error(reader.sqlstate()?)
    } else if reader.take("no") {
        reader.require("row", "no rows").or_else(|error| if reader.take("rows") { Ok(()) } else { Err(error) })?;
        What::RowCount(0)
    } else if let Some(count) = reader.number() {
        if !reader.take("rows") && !reader.take("row") {
            return Err(reader.expected("rows"));
        }
        What::RowCount(count)
    } else {
        What::Rows(rows(reader)?)
    };
    let levels = if reader.take("at") { reader.levels()? } else { Vec::new() };
    Ok(Outcome { what, levels })
}

fn rows(reader: &mut Reader<'_>) -> Result<Vec<Vec<Cell>>, ParseError> {
    let mut rows = Vec::new();
    loop {
        reader.require("(", "ok, blocks, error <sqlstate>, <n> rows, or rows like (1, 'two'), (3, null)")?;
        let mut cells = Vec::new();
        while !reader.take(")") {
            if !cells.is_empty() {
                reader.require(",", "a comma or a closing bracket")?;
            }
            cells.push(cell(reader)?);
        }
        rows.push(cells);
        if !reader.take(",") {
            return Ok(rows);
        }
    }
}

fn cell(reader: &mut Reader<'_>) -> Result<Cell, ParseError> {
    if reader.rest().starts_with('\'') {
        return Ok(Cell::Text(reader.between('\'', "a text in single quotes")?));
    }
    match reader.word("_+-.:{}") {
        Some("null") => Ok(Cell::Null),
        Some(word) => Ok(Cell::Text(word.to_owned())),
        None => Err(reader.expected("a number, null, or a text in single quotes")),
    }
}

fn expectation(reader: &mut Reader<'_>) -> Result<Expectation, ParseError> {
    let levels = reader.levels()?;
    reader.require(":", "a colon after the levels")?;
    let mut clauses = vec![clause(reader)?];
    while reader.take(";") {
        clauses.push(clause(reader)?);
    }
    reader.end()?;
    Ok(Expectation { levels, clauses })
}

fn clause(reader: &mut Reader<'_>) -> Result<Clause, ParseError> {
    const EXPECTED: &str = "all commit, [one of] <sessions> fails <sqlstate>, or anomaly <class>";
    if reader.take("all") {
        reader.require("commit", EXPECTED)?;
        return Ok(Clause::AllCommit);
    }
    if reader.take("anomaly") {
        return anomaly(reader).map(Clause::Anomaly);
    }
    let one = reader.take("one");
    if one {
        reader.require("of", EXPECTED)?;
    }
    let mut sessions = Vec::new();
    loop {
        sessions.push(reader.word("_").ok_or_else(|| reader.expected(EXPECTED))?.to_owned());
        if !reader.take(",") {
            break;
        }
    }
    if !reader.take("fails") && !reader.take("fail") {
        return Err(reader.expected(EXPECTED));
    }
    Ok(Clause::Fail { sessions, one, sqlstate: reader.sqlstate()? })
}

fn anomaly(reader: &mut Reader<'_>) -> Result<Option<pgstrata_history::Anomaly>, ParseError> {
    let here = *reader;
    match reader.word("-") {
        Some("none") => Ok(None),
        Some(word) => word.parse().map(Some).map_err(|_| here.error(ParseErrorKind::UnknownAnomaly(word.to_owned()))),
        None => Err(reader.expected("none, or a class such as G2-item")),
    }
}

fn permutations(reader: &mut Reader<'_>) -> Result<Permutations, ParseError> {
    const EXPECTED: &str = "written, all, or <count> seed <number>";
    let which = if reader.take("written") {
        Permutations::Written
    } else if reader.take("all") {
        Permutations::All
    } else {
        let count = reader.number().ok_or_else(|| reader.expected(EXPECTED))?;
        reader.require("seed", EXPECTED)?;
        Permutations::Sampled { count, seed: reader.number().ok_or_else(|| reader.expected(EXPECTED))? }
    };
    reader.end()?;
    Ok(which)
}

fn fixed_in(reader: &mut Reader<'_>) -> Result<Item, ParseError> {
    reader.require("in", "fixed in <release>, …")?;
    let mut versions = Vec::new();
    loop {
        let wanted: Option<pgstrata_pg::WantedVersion> = reader.word(".").and_then(|word| word.parse().ok());
        let release = wanted.and_then(pgstrata_pg::WantedVersion::release);
        versions.push(release.ok_or_else(|| reader.expected("a release like 15.20"))?);
        if !reader.take(",") {
            break;
        }
    }
    let about = if reader.is_at_end() { String::new() } else { reader.quoted()? };
    reader.end()?;
    Ok(Item::FixedIn { versions, about })
}

/// What only the whole scenario tells.
fn check(scenario: &Scenario, line: usize) -> Result<(), ParseError> {
    let at = |line, kind| ParseError { line, column: 1, kind };
    let steps = scenario.steps().count();
    if steps == 0 {
        return Err(at(line, ParseErrorKind::NoSteps(scenario.name.clone())));
    }
    if steps > STEPS_MAX {
        return Err(at(line, ParseErrorKind::TooManySteps(STEPS_MAX)));
    }
    let sessions = scenario.sessions();
    for level in scenario.levels() {
        for clause in scenario.clauses(level) {
            let Clause::Fail { sessions: named, .. } = clause else { continue };
            if let Some(unknown) = named.iter().find(|name| !sessions.contains(&name.as_str())) {
                return Err(at(line, ParseErrorKind::UnknownSession(unknown.clone())));
            }
        }
    }
    for session in sessions {
        let mut is_held = false;
        let mut may_wait = false;
        for step in scenario.steps().filter(|step| step.session == session) {
            let wrong = |state| Err(at(step.line, ParseErrorKind::NotWaiting { session: session.to_owned(), state }));
            match &step.action {
                Action::Release | Action::Kill if !is_held => return wrong("held"),
                Action::Resumes if !may_wait => return wrong("blocked"),
                Action::Sql { hold: Some(_), .. } => is_held = true,
                Action::Release | Action::Kill => is_held = false,
                _ => {}
            }
            may_wait = step.outcomes.iter().any(|outcome| outcome.what == What::Blocks);
        }
    }
    Ok(())
}

/// The lines without the indentation that all of them have, nor empty lines at the ends.
fn dedent(lines: &[&str]) -> String {
    let indent = |line: &&&str| line.len() - line.trim_start().len();
    let least = lines.iter().filter(|line| !line.trim().is_empty()).map(|line| indent(&line)).min().unwrap_or(0);
    let lines: Vec<&str> = lines.iter().map(|line| line.get(least..).unwrap_or_default()).collect();
    lines.join("\n").trim_matches('\n').to_owned()
}
