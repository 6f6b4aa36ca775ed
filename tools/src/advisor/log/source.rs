//! The bytes of a log file as entries: which format it is, lines of bounded length, and what could not be read.
//!
//! A file may begin and end in the middle of an entry (rotation, a full disk, `tail`), so nothing here gives up: what
//! cannot be read is counted and the next entry is looked for.

use std::io::{self, BufRead};

use super::csv;
use super::json;
use super::record::{Record, time_ms};
use super::{Counts, LogError};

/// The longest entry that is read, bytes; longer ones are counted and left out.
pub const ENTRY_MOST_BYTES: usize = 4 * 1024 * 1024;

/// How the entries of a file are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// `log_destination = jsonlog`, PostgreSQL 15 and later: one JSON object a line.
    Json,
    /// `log_destination = csvlog`: comma-separated values without a header; an entry may span lines.
    Csv,
}

/// The format of a file, from its beginning; the first lines may be the rest of an entry.
pub fn format_of(name: &str, beginning: &[u8]) -> Result<Option<LogFormat>, LogError> {
    if beginning.starts_with(&[0x1f, 0x8b]) {
        return Err(LogError::Compressed { name: name.to_owned() });
    }
    let text = String::from_utf8_lossy(beginning);
    for line in text.lines() {
        // The server writes this key first, tools that rewrite logs may not.
        if line.starts_with('{') && line.contains("\"timestamp\"") {
            return Ok(Some(LogFormat::Json));
        }
        if csv::begins_entry(line) {
            return Ok(Some(LogFormat::Csv));
        }
    }
    if text.lines().any(|line| time_ms(line).is_some()) {
        return Err(LogError::PlainText { name: name.to_owned() });
    }
    if text.trim().is_empty() { Ok(None) } else { Err(LogError::NoLog { name: name.to_owned() }) }
}

/// The time of the first entry at the beginning of a file, to put rotated files in order.
pub fn first_time_ms(beginning: &[u8]) -> Option<i64> {
    String::from_utf8_lossy(beginning).lines().find_map(|line| {
        let json = line.starts_with('{').then(|| line.split_once("\"timestamp\":\"")).flatten();
        json.map_or_else(|| time_ms(line), |(_, rest)| time_ms(rest))
    })
}

/// Reads the entries of one file in order, and gives each to `take`.
pub fn entries(
    reader: &mut dyn BufRead,
    format: LogFormat,
    counts: &mut Counts,
    take: &mut dyn FnMut(Record, &mut Counts),
) -> io::Result<()> {
    let mut lines = Lines { reader, held: None };
    match format {
        LogFormat::Json => json::entries(&mut lines, counts, take),
        LogFormat::Csv => csv::entries(&mut lines, counts, take),
    }
}

/// Lines of bounded length; a line can be put back once.
pub struct Lines<'a> {
    reader: &'a mut dyn BufRead,
    held: Option<Vec<u8>>,
}

impl Lines<'_> {
    /// The next line without its end; `None` at the end of the file. A line that is too long comes out as `Err` of its
    /// length, bytes.
    pub fn next(&mut self) -> io::Result<Option<Result<Vec<u8>, usize>>> {
        if let Some(line) = self.held.take() {
            return Ok(Some(Ok(line)));
        }
        let mut line = Vec::new();
        let mut length = 0;
        loop {
            let available = self.reader.fill_buf()?;
            if available.is_empty() {
                break;
            }
            let end = available.iter().position(|byte| *byte == b'\n');
            let taken = end.map_or(available.len(), |at| at + 1);
            length += taken;
            if length <= ENTRY_MOST_BYTES {
                line.extend_from_slice(&available[..taken]);
            }
            self.reader.consume(taken);
            if end.is_some() {
                break;
            }
        }
        if length == 0 {
            return Ok(None);
        }
        if length > ENTRY_MOST_BYTES {
            return Ok(Some(Err(length)));
        }
        while line.last().is_some_and(|byte| matches!(byte, b'\n' | b'\r')) {
            line.pop();
        }
        Ok(Some(Ok(line)))
    }

    /// Puts a line back, to be the next.
    pub fn put_back(&mut self, line: Vec<u8>) {
        self.held = Some(line);
    }
}

/// Bytes as text; what is not UTF-8 is replaced and counted (a database in another encoding writes its own bytes).
pub fn text(bytes: Vec<u8>, counts: &mut Counts) -> String {
    String::from_utf8(bytes).unwrap_or_else(|error| {
        counts.not_utf8 += 1;
        String::from_utf8_lossy(error.as_bytes()).into_owned()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_format_is_told_by_the_first_whole_entry() {
        let check = |text: &str| format_of("x.log", text.as_bytes());
        assert_eq!(check("{\"timestamp\":\"2026-11-23 10:50:00.123 UTC\"}").ok().flatten(), Some(LogFormat::Json));
        let cut = "the rest of a statement\",,,,\n2026-11-23 10:50:00.123 UTC,\"u\",\"d\",1,";
        assert_eq!(check(cut).ok().flatten(), Some(LogFormat::Csv));
        assert_eq!(check("\n\n").ok().flatten(), None);
        assert!(matches!(check("2026-11-23 10:50:00.123 UTC [7] LOG:  x"), Err(LogError::PlainText { .. })));
        assert!(matches!(check("hello"), Err(LogError::NoLog { .. })));
        assert!(matches!(format_of("x", &[0x1f, 0x8b, 8]), Err(LogError::Compressed { .. })));
    }

    #[test]
    fn a_line_longer_than_the_bound_is_not_kept() {
        let mut long = vec![b'x'; ENTRY_MOST_BYTES + 10];
        long.extend_from_slice(b"\nshort\n");
        let mut reader = io::BufReader::new(long.as_slice());
        let mut lines = Lines { reader: &mut reader, held: None };
        assert!(matches!(lines.next(), Ok(Some(Err(_)))));
        assert!(matches!(lines.next(), Ok(Some(Ok(line))) if line == b"short"));
        assert!(matches!(lines.next(), Ok(None)));
    }
}
