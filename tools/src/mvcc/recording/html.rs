//! A recording as one page that needs nothing else: the workbench's page with the log inside.

use std::io::{self, Write};

use serde::Serialize;

use super::read::Recording;
use crate::mvcc::error::MvccError;

/// How much log a page may hold, bytes of JSON: what a browser still opens at once.
pub const EXPORT_MOST_BYTES: u64 = 64 << 20;

/// The element that the page looks for.
const OPENING: &str = r#"<script type="application/json" id="pgstrata-recording">"#;
const CLOSING: &str = "</script>";

/// Changes read from the file at a time.
const CHANGES_AT_ONCE: usize = 500;

/// Writes the page `bundle` (HTML with its scripts and styles in it) with the recording's changes after `from` up to `to`.
///
/// # Errors
/// [`MvccError::NoPage`] if the bundle has no head to put it into, [`MvccError::TooBig`] beyond [`EXPORT_MOST_BYTES`] (a part may
/// have been written then), and those of reading and writing.
pub fn write_html(
    bundle: &str,
    recording: &Recording,
    (from, to): (u64, u64),
    out: &mut impl Write,
) -> Result<(), MvccError> {
    let head = bundle.find("</head>").ok_or(MvccError::NoPage)?;
    out.write_all(&bundle.as_bytes()[..head]).map_err(unwritable)?;
    out.write_all(OPENING.as_bytes()).map_err(unwritable)?;
    let mut inside = Inside { out, written: 0 };
    write_log(recording, from, to, &mut inside)?;
    let out = inside.out;
    out.write_all(CLOSING.as_bytes()).map_err(unwritable)?;
    out.write_all(&bundle.as_bytes()[head..]).map_err(unwritable)
}

fn write_log(recording: &Recording, from: u64, to: u64, out: &mut Inside<'_, impl Write>) -> Result<(), MvccError> {
    let summary = recording.summary()?;
    let moment = recording.moment_at(from)?;
    let name = summary.header.title.clone().or_else(|| summary.header.table.clone());
    out.text("{\"name\":")?;
    out.json(&name.unwrap_or_else(|| summary.header.database.clone()))?;
    out.text(",\"header\":")?;
    out.json(&summary)?;
    out.text(",\"moment\":{\"seq\":")?;
    out.json(&moment.seq)?;
    if let Some(at) = &moment.at {
        out.text(",\"at\":")?;
        out.json(at)?;
    }
    out.text(",\"items\":")?;
    out.json(&moment.items.values().collect::<Vec<_>>())?;
    out.text("},\"changes\":[")?;
    let (mut after, mut is_first) = (from, true);
    while after < to {
        let changes = recording.changes(after, CHANGES_AT_ONCE)?;
        let Some(last) = changes.last() else { break };
        after = last.seq;
        for change in changes.iter().filter(|change| change.seq <= to) {
            if !std::mem::replace(&mut is_first, false) {
                out.text(",")?;
            }
            out.json(change)?;
        }
    }
    out.text("]}")
}

/// Writes JSON into a script element: no `<` may be in it, lest the element end early or a comment begin.
struct Inside<'a, W> {
    out: &'a mut W,
    written: u64,
}

impl<W: Write> Inside<'_, W> {
    fn text(&mut self, text: &str) -> Result<(), MvccError> {
        self.write_all(text.as_bytes()).map_err(unwritable)
    }

    fn json(&mut self, value: &impl Serialize) -> Result<(), MvccError> {
        serde_json::to_writer(&mut *self, value).map_err(|error| unwritable(error.into()))?;
        if self.written > EXPORT_MOST_BYTES {
            return Err(MvccError::TooBig { bytes: self.written, most_bytes: EXPORT_MOST_BYTES });
        }
        Ok(())
    }
}

impl<W: Write> Write for Inside<'_, W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        for (index, part) in bytes.split(|byte| *byte == b'<').enumerate() {
            if index > 0 {
                self.out.write_all(br"\u003c")?;
            }
            self.out.write_all(part)?;
        }
        self.written += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

fn unwritable(error: io::Error) -> MvccError {
    MvccError::Write(error)
}
