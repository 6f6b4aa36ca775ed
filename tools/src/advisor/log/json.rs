//! `jsonlog`: one JSON object a line (PostgreSQL manual, 20.8.4 Using JSON-Format Log Output). Keys without a value are
//! left out by the server, and keys that later versions add are ignored.

use std::borrow::Cow;
use std::io;

use serde::Deserialize;

use super::Counts;
use super::record::{Record, time_ms};
use super::source::{Lines, text};

/// The keys that are read.
#[derive(Deserialize)]
struct Entry<'a> {
    #[serde(borrow)]
    timestamp: Cow<'a, str>,
    #[serde(borrow, default)]
    dbname: Cow<'a, str>,
    #[serde(borrow, default)]
    session_id: Cow<'a, str>,
    #[serde(default)]
    line_num: u64,
    #[serde(borrow, default)]
    vxid: Cow<'a, str>,
    #[serde(borrow, default)]
    error_severity: Cow<'a, str>,
    #[serde(borrow, default)]
    state_code: Cow<'a, str>,
    #[serde(borrow, default)]
    message: Cow<'a, str>,
    #[serde(borrow, default)]
    detail: Cow<'a, str>,
}

/// Reads all lines.
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
        let line = text(line, counts);
        if line.trim().is_empty() {
            continue;
        }
        match serde_json::from_str::<Entry<'_>>(&line) {
            Ok(entry) => {
                counts.entries += 1;
                take(record(entry), counts);
            }
            Err(_) => counts.garbled += 1,
        }
    }
    Ok(())
}

fn record(entry: Entry<'_>) -> Record {
    Record {
        time_ms: time_ms(&entry.timestamp),
        database: entry.dbname.into_owned(),
        session: entry.session_id.into_owned(),
        line: entry.line_num,
        vxid: entry.vxid.into_owned(),
        severity: entry.error_severity.into_owned(),
        sqlstate: entry.state_code.into_owned(),
        message: entry.message.into_owned(),
        detail: entry.detail.into_owned(),
    }
}
