//! What a message of the log says happened: a statement with its parameters, an error, the end of a session.
//!
//! The forms are those of `exec_simple_query`, `exec_execute_message` and `errdetail_params` in PostgreSQL's
//! `src/backend/tcop/postgres.c`, and of `contrib/auto_explain`. Other messages say nothing about programs.

use super::record::Record;

/// Where the text of a statement was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// `log_statement`, or the line of its duration: each statement that a client sent.
    Sent,
    /// A plan of `auto_explain`: only statements that have plans, so no `begin` and no `commit`.
    Plan,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event<'a> {
    /// A statement, or several with semicolons between them.
    Statement {
        /// Its text.
        text: &'a str,
        /// The values of `$1` and so on; `None` inside is null.
        values: Vec<Option<String>>,
        /// Where it was found.
        found: Found,
        /// For SQL's own `execute`: the text of `prepare`.
        prepared: Option<&'a str>,
        /// How long it took, where the line tells it: `log_min_duration_statement`. Microseconds.
        duration_us: Option<u64>,
    },
    /// The current statement failed, and with it its transaction.
    Failed,
    /// The session ended.
    Ended,
    /// Nothing about programs.
    Other,
}

/// Reads an entry.
pub fn event(record: &Record) -> Event<'_> {
    match record.severity.as_str() {
        "ERROR" => return Event::Failed,
        "FATAL" | "PANIC" => return Event::Ended,
        "LOG" | "DEBUG" | "INFO" => {}
        _ => return Event::Other,
    }
    let message = record.message.as_str();
    if message.starts_with("disconnection: ") {
        return Event::Ended;
    }
    let (what, duration_us) = match duration(message) {
        Some((duration_us, rest)) => (rest, Some(duration_us)),
        None => (message, None),
    };
    if let Some(text) = what.strip_prefix("statement: ") {
        let prepared = record.detail.strip_prefix("prepare: ");
        let values = parameters(&record.detail);
        return Event::Statement { text, values, found: Found::Sent, prepared, duration_us };
    }
    if let Some(rest) = what.strip_prefix("execute ") {
        // Further rows of a portal that was executed before.
        if rest.starts_with("fetch from ") {
            return Event::Other;
        }
        let Some((_, text)) = rest.split_once(": ") else { return Event::Other };
        let values = parameters(&record.detail);
        return Event::Statement { text, values, found: Found::Sent, prepared: None, duration_us };
    }
    match what.strip_prefix("plan:\n") {
        Some(plan) if duration_us.is_some() => plan_text(plan),
        _ => Event::Other,
    }
}

/// The microseconds of `duration: 0.123 ms  `, which the server writes with three decimals, and what follows it.
fn duration(message: &str) -> Option<(u64, &str)> {
    let (number, rest) = message.strip_prefix("duration: ")?.split_once(" ms")?;
    let (whole, thousandths) = number.split_once('.')?;
    let microseconds = whole.parse::<u64>().ok()?.checked_mul(1000)? + thousandths.parse::<u64>().ok()?;
    Some((microseconds, rest.trim_start()))
}

/// The statement of a plan in the format `text`; the others keep it as JSON, XML or YAML.
fn plan_text(plan: &str) -> Event<'_> {
    if let Some(rest) = plan.strip_prefix("Query Text: ") {
        let end = plan_begins(rest);
        let (text, detail) = match rest[..end].rsplit_once("\nQuery Parameters: ") {
            Some((text, parameters)) => (text, Some(parameters)),
            None => (&rest[..end], None),
        };
        let values = detail.map(values).unwrap_or_default();
        return Event::Statement { text, values, found: Found::Plan, prepared: None, duration_us: None };
    }
    Event::Other
}

/// Where the plan begins after the text: the first line with a cost.
fn plan_begins(text: &str) -> usize {
    let mut at = 0_usize;
    for line in text.split_inclusive('\n') {
        if line.contains("  (cost=") {
            return at.saturating_sub(1);
        }
        at += line.len();
    }
    text.len()
}

/// The text of a plan in JSON, and its parameters.
pub fn json_plan(message: &str) -> Option<(String, Vec<Option<String>>)> {
    let plan = duration(message)?.1.strip_prefix("plan:\n")?;
    let plan: serde_json::Value = serde_json::from_str(plan).ok()?;
    let text = plan.get("Query Text")?.as_str()?.to_owned();
    let parameters = plan.get("Query Parameters").and_then(serde_json::Value::as_str);
    Some((text, parameters.map(values).unwrap_or_default()))
}

/// The parameters of a detail: `parameters: $1 = '5', $2 = NULL`; a capital letter from PostgreSQL 16.
fn parameters(detail: &str) -> Vec<Option<String>> {
    let listed = detail.strip_prefix("parameters: ").or_else(|| detail.strip_prefix("Parameters: "));
    listed.map(values).unwrap_or_default()
}

/// `$1 = '5', $2 = NULL`, with doubled quotes inside values.
fn values(mut text: &str) -> Vec<Option<String>> {
    let mut values = Vec::new();
    while let Some((_, rest)) = text.strip_prefix('$').and_then(|rest| rest.split_once(" = ")) {
        let Some(mut rest) = rest.strip_prefix('\'') else {
            values.push(None);
            text = rest.strip_prefix("NULL, ").unwrap_or_default();
            continue;
        };
        let mut value = String::new();
        while let Some(at) = rest.find('\'') {
            value.push_str(&rest[..at]);
            rest = &rest[at + 1..];
            let Some(more) = rest.strip_prefix('\'') else { break };
            value.push('\'');
            rest = more;
        }
        // A value that log_parameter_max_length has cut ends in three dots (`appendStringInfoStringQuoted` in PostgreSQL's
        // `src/backend/utils/mb/stringinfo_mb.c`). Two that begin alike may differ, so neither is told.
        values.push(Some(value).filter(|value| !value.ends_with("...")));
        text = rest.strip_prefix(", ").unwrap_or_default();
    }
    values
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(message: &str, detail: &str) -> Record {
        let severity = "LOG".to_owned();
        Record { message: message.to_owned(), detail: detail.to_owned(), severity, ..Record::default() }
    }

    fn said(message: &str, detail: &str) -> Option<(String, Vec<Option<String>>)> {
        match event(&record(message, detail)) {
            Event::Statement { text, values, .. } => Some((text.to_owned(), values)),
            _ => None,
        }
    }

    fn statement(text: &str, values: &[Option<&str>]) -> (String, Vec<Option<String>>) {
        (text.to_owned(), values.iter().map(|value| value.map(str::to_owned)).collect())
    }

    #[test]
    fn statements_are_found_in_every_form_that_the_server_writes() {
        assert_eq!(said("statement: select 1", ""), Some(statement("select 1", &[])));
        assert_eq!(said("duration: 0.512 ms  statement: select 1", ""), Some(statement("select 1", &[])));
        let detail = "parameters: $1 = '5', $2 = NULL, $3 = 'O''Brien, $4 = ''x'''";
        let values = [Some("5"), None, Some("O'Brien, $4 = 'x'")];
        assert_eq!(said("execute <unnamed>: select $1", detail), Some(statement("select $1", &values)));
        let timed = "duration: 12.001 ms  execute S_1/C_2: select $1";
        assert_eq!(said(timed, "Parameters: $1 = '5'"), Some(statement("select $1", &[Some("5")])));
        let plan = "duration: 0.1 ms  plan:\nQuery Text: select *\nfrom t\nSeq Scan on t  (cost=0.00..1.00 rows=1)";
        assert_eq!(said(plan, ""), Some(statement("select *\nfrom t", &[])));
    }

    #[test]
    fn a_value_that_was_cut_is_not_told() {
        let detail = "parameters: $1 = 'abc...', $2 = 'a''b', $3 = '...'";
        assert_eq!(said("execute s: select $1", detail), Some(statement("select $1", &[None, Some("a'b"), None])));
    }

    #[test]
    fn durations_are_read_to_the_microsecond() {
        assert_eq!(duration("duration: 12.001 ms  statement: x"), Some((12_001, "statement: x")));
        assert_eq!(duration("duration: x ms  statement: x"), None);
    }

    #[test]
    fn what_is_no_execution_is_left_out() {
        for message in [
            "duration: 0.512 ms",
            "duration: 0.1 ms  parse s1: select 1",
            "duration: 0.1 ms  bind s1: select 1",
            "execute fetch from s1/c1: select 1",
            "checkpoint starting: time",
            "connection received: host=[local]",
        ] {
            assert_eq!(said(message, ""), None, "{message}");
        }
    }

    #[test]
    fn a_plan_in_json_has_its_text_inside() {
        let message =
            "duration: 0.2 ms  plan:\n{\n  \"Query Text\": \"select $1\",\n  \"Query Parameters\": \"$1 = '7'\"}";
        assert_eq!(json_plan(message), Some(statement("select $1", &[Some("7")])));
        assert_eq!(json_plan("duration: 0.2 ms  plan:\nQuery Text: select 1"), None);
    }

    #[test]
    fn errors_and_ends_are_told_from_statements() {
        let severity = |severity: &str| Record { severity: severity.to_owned(), ..record("x", "") };
        assert_eq!(event(&severity("ERROR")), Event::Failed);
        assert_eq!(event(&severity("FATAL")), Event::Ended);
        assert_eq!(event(&severity("WARNING")), Event::Other);
        assert_eq!(event(&record("disconnection: session time: 0:00:01", "")), Event::Ended);
    }
}
