//! `pgstrata mvcc replay` and `export`: a recording on the terminal, or as a page.

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::time::UNIX_EPOCH;

use anyhow::Context as _;
use pgstrata_timeline::Moment;
use pgstrata_tools::mvcc::{MvccError, Recording, write_html};
use pgstrata_units::{Lsn, Text};
use serde_json::json;

use super::paint;
use crate::cli::mvcc::{ExportArgs, ReplayArgs};
use crate::terminal::Terminal;

pub fn replay(args: &ReplayArgs, terminal: Terminal) -> anyhow::Result<()> {
    let recording = Recording::open(&args.file)?;
    let at = args.at.as_deref().map(|when| seq_of(&recording, when)).transpose()?;
    let other = args.compare.as_deref().map(|when| seq_of(&recording, when)).transpose()?;
    match (at, other) {
        (Some(at), Some(other)) => {
            let difference = recording.difference(at, other)?;
            if args.json {
                println!("{}", serde_json::to_string_pretty(&difference)?);
            } else {
                print!("{}", paint::difference(&difference, terminal));
            }
        }
        (Some(at), None) => print_moment(&recording.moment_at(at)?, args.json, terminal)?,
        (None, _) => print_all(&recording, args, terminal)?,
    }
    Ok(())
}

fn print_moment(moment: &Moment, is_json: bool, terminal: Terminal) -> anyhow::Result<()> {
    if is_json {
        let items: Vec<_> = moment.items.values().collect();
        println!("{}", serde_json::to_string_pretty(&json!({ "seq": moment.seq, "at": moment.at, "items": items }))?);
        return Ok(());
    }
    print!("{}", paint::moment(moment, terminal));
    Ok(())
}

fn print_all(recording: &Recording, args: &ReplayArgs, terminal: Terminal) -> anyhow::Result<()> {
    let summary = recording.summary()?;
    let changes = recording.changes(summary.first, args.most)?;
    if args.json {
        println!("{}", serde_json::to_string_pretty(&json!({ "recording": summary, "changes": changes }))?);
        return Ok(());
    }
    print!("{}", paint::summary(&summary, terminal));
    let mut moment = recording.moment_at(summary.first)?;
    for change in &changes {
        for line in paint::change(change, &moment, terminal) {
            println!("{line}");
        }
        moment.fold(change);
    }
    if changes.len() as u64 + summary.first < summary.last {
        let more = terminal
            .say(Text {
                en: "more changes follow; --most shows them", zh: "后面还有更多变化，可用 --most 显示"
            });
        println!("… {more}");
    }
    Ok(())
}

/// The number that a user means.
fn seq_of(recording: &Recording, when: &str) -> Result<u64, MvccError> {
    let wrong = |why: &str| MvccError::Usage(format!("{when:?} is no moment: {why}"));
    if let Ok(seq) = when.parse::<u64>() {
        return Ok(seq);
    }
    if let Ok(lsn) = when.parse::<Lsn>() {
        return recording.seq_at_lsn(lsn);
    }
    if let Some(since) = when.strip_prefix('+') {
        let since = humantime::parse_duration(since).map_err(|error| wrong(&error.to_string()))?;
        let since_us = i64::try_from(since.as_micros()).unwrap_or(i64::MAX);
        return recording.seq_at(recording.summary()?.first_us.saturating_add(since_us));
    }
    let time = humantime::parse_rfc3339_weak(when).map_err(|_| {
        wrong("write a change's number, a time like 2026-11-23T09:00:00Z, +3s, or a position like 0/1A2B3C4")
    })?;
    let since = time.duration_since(UNIX_EPOCH).map_err(|_| wrong("it lies before 1970"))?;
    recording.seq_at(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}

pub fn export(args: &ExportArgs, terminal: Terminal) -> anyhow::Result<()> {
    let recording = Recording::open(&args.file)?;
    let (first, last) = recording.range();
    let range = (args.from.unwrap_or(first), args.to.unwrap_or(last));
    let page = std::fs::read_to_string(&args.page).with_context(|| format!("cannot read {}", args.page.display()))?;
    let file = File::create_new(&args.out).map_err(|error| match error.kind() {
        std::io::ErrorKind::AlreadyExists => MvccError::Exists { path: args.out.clone() },
        _ => MvccError::Write(error),
    })?;
    let mut out = BufWriter::new(file);
    let written = write_html(&page, &recording, range, &mut out).and_then(|()| out.flush().map_err(MvccError::Write));
    if let Err(error) = written {
        // Half a page is of no use, and it is ours.
        let _ = std::fs::remove_file(&args.out);
        return Err(error.into());
    }
    println!("{} {}", terminal.say(Text { en: "written:", zh: "已写入：" }), args.out.display());
    Ok(())
}
