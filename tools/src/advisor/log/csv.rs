//! `csvlog`: comma-separated values without a header (PostgreSQL manual, 20.8.3 Using CSV-Format Log Output).
//!
//! 23 columns up to PostgreSQL 12, 24 with `backend_type` in 13, 26 with `leader_pid` and `query_id` from 14. A quoted
//! value holds line ends and doubled quotes, so an entry may span lines.

use std::io;

use super::Counts;
use super::record::{Record, time_ms};
use super::source::{ENTRY_MOST_BYTES, Lines, text};

/// The fewest columns that a release has written.
const COLUMNS_LEAST: usize = 23;

/// Places of the columns that are read, from 0.
mod column {
    pub const TIME: usize = 0;
    pub const DATABASE: usize = 2;
    pub const SESSION: usize = 5;
    pub const LINE: usize = 6;
    pub const VXID: usize = 9;
    pub const SEVERITY: usize = 11;
    pub const SQLSTATE: usize = 12;
    pub const MESSAGE: usize = 13;
    pub const DETAIL: usize = 14;
}

/// Whether a line begins an entry: a time, its zone, a comma. Inside a quoted value such a line is a wonder; after an
/// entry that was cut off it is the next one.
pub fn begins_entry(line: &str) -> bool {
    let Some(rest) = time_ms(line).and_then(|_| line.get(23..)) else { return false };
    let Some((zone, _)) = rest.split_once(',') else { return false };
    let is_sign = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | ':' | '/' | '_');
    zone.strip_prefix(' ').is_some_and(|zone| !zone.is_empty() && zone.chars().all(is_sign))
}

/// Reads all entries.
pub fn entries(
    lines: &mut Lines<'_>,
    counts: &mut Counts,
    take: &mut dyn FnMut(Record, &mut Counts),
) -> io::Result<()> {
    while let Some(line) = lines.next()? {
        let Ok(line) = line else {
            counts.too_long += 1;
            continue;
        };
        if line.is_empty() {
            continue;
        }
        match whole_entry(line, lines)? {
            Ok(entry) => match record(&text(entry, counts)) {
                Some(record) => {
                    counts.entries += 1;
                    take(record, counts);
                }
                None => counts.garbled += 1,
            },
            Err(Cut::Garbled) => counts.garbled += 1,
            Err(Cut::TooLong) => counts.too_long += 1,
        }
    }
    Ok(())
}

/// Why an entry is not whole.
enum Cut {
    Garbled,
    TooLong,
}

/// Joins lines until the quotes are even: the server doubles each quote inside a value.
fn whole_entry(first: Vec<u8>, lines: &mut Lines<'_>) -> io::Result<Result<Vec<u8>, Cut>> {
    let is_odd = |bytes: &[u8]| bytes.iter().fold(false, |odd, byte| odd ^ (*byte == b'"'));
    let mut open = is_odd(&first);
    let mut entry = first;
    while open {
        let next = match lines.next()? {
            None => return Ok(Err(Cut::Garbled)),
            Some(Err(_)) => return Ok(Err(Cut::TooLong)),
            Some(Ok(next)) => next,
        };
        if begins_entry(&String::from_utf8_lossy(&next[..next.len().min(80)])) {
            lines.put_back(next);
            return Ok(Err(Cut::Garbled));
        }
        if entry.len() + next.len() > ENTRY_MOST_BYTES {
            return Ok(Err(Cut::TooLong));
        }
        open ^= is_odd(&next);
        entry.push(b'\n');
        entry.extend_from_slice(&next);
    }
    Ok(Ok(entry))
}

/// The entry of a line, if it is one.
fn record(line: &str) -> Option<Record> {
    let mut values = values(line)?;
    if values.len() < COLUMNS_LEAST || !begins_entry(line) {
        return None;
    }
    let mut value = |at: usize| std::mem::take(&mut values[at]);
    Some(Record {
        time_ms: time_ms(&value(column::TIME)),
        database: value(column::DATABASE),
        session: value(column::SESSION),
        line: value(column::LINE).parse().ok()?,
        vxid: value(column::VXID),
        severity: value(column::SEVERITY),
        sqlstate: value(column::SQLSTATE),
        message: value(column::MESSAGE),
        detail: value(column::DETAIL),
    })
}

/// The values of an entry; `None` if a quote stands where none can.
fn values(line: &str) -> Option<Vec<String>> {
    let mut values = Vec::with_capacity(26);
    let mut rest = line;
    loop {
        let (value, after) = if let Some(quoted) = rest.strip_prefix('"') {
            quoted_value(quoted)?
        } else {
            let end = rest.find(',').unwrap_or(rest.len());
            (rest[..end].to_owned(), &rest[end..])
        };
        values.push(value);
        match after.strip_prefix(',') {
            Some(next) => rest = next,
            None if after.is_empty() => return Some(values),
            None => return None,
        }
    }
}

/// A quoted value whose opening quote is gone, and what follows its closing quote.
fn quoted_value(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut rest = text;
    loop {
        let at = rest.find('"')?;
        value.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        let Some(more) = rest.strip_prefix('"') else { return Some((value, rest)) };
        value.push('"');
        rest = more;
    }
}

#[cfg(test)]
mod tests {
    use std::io::BufReader;

    use super::super::source::{LogFormat, entries};
    use super::*;

    const HEAD: &str = "2026-11-23 10:50:00.123 UTC,\"app\",\"bank\",712,\"[local]\",6922f0d1.2c8,";

    fn entry(line: u32, message: &str) -> String {
        let rest = "\"SELECT\",2026-11-23 10:49:00 UTC,3/42,0,LOG,00000,";
        format!("{HEAD}{line},{rest}\"{message}\",,,,,,,,,\"psql\",\"client backend\",,-7\n")
    }

    fn read(text: &str) -> (Vec<Record>, Counts) {
        let mut counts = Counts::default();
        let mut records = Vec::new();
        let mut reader = BufReader::with_capacity(16, text.as_bytes());
        let take = &mut |record, _: &mut Counts| records.push(record);
        entries(&mut reader, LogFormat::Csv, &mut counts, take).expect("bytes can be read");
        (records, counts)
    }

    #[test]
    fn values_may_hold_quotes_commas_and_line_ends() {
        let (records, counts) = read(&entry(4, "statement: select \"\"a,b\"\",\n  'x'\nfrom t"));
        assert_eq!(records.len(), 1);
        assert_eq!(records[0].message, "statement: select \"a,b\",\n  'x'\nfrom t");
        let read = (records[0].session.as_str(), records[0].line, records[0].vxid.as_str());
        assert_eq!(read, ("6922f0d1.2c8", 4, "3/42"));
        assert_eq!((counts.entries, counts.garbled), (1, 0));
    }

    #[test]
    fn an_older_release_has_fewer_columns() {
        let old = entry(1, "statement: select 1").replace(",\"client backend\",,-7", "");
        assert_eq!(read(&old).0.len(), 1);
    }

    #[test]
    fn an_entry_that_is_cut_off_costs_only_itself() {
        let cut = entry(1, "statement: select 'a");
        let cut = &cut[..cut.len() - 50];
        let text = format!("rest of one\",,\n{cut}\n{}{}", entry(2, "statement: select 2"), &entry(3, "x")[..40]);
        let (records, counts) = read(&text);
        assert_eq!(records.iter().map(|record| record.line).collect::<Vec<_>>(), [2]);
        assert_eq!(counts.garbled, 3);
    }
}
