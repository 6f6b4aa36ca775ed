//! Holds the four accounts of the same entries against each other: the log, the chain, the signed heads, the rows.
//!
//! Pure: everything was read before. What the log does not cover, because it ends or is damaged, is not judged.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::auditor::hash_of_entries;
use super::entry::Entry;
use super::finding::{Finding, FindingKind, difference, told};
use super::log::{Act, LogEvidence, Logged};
use super::trail::{Head, Link, Opening, Said, Statement};
use ed25519_dalek::VerifyingKey;

/// A row of the table.
#[derive(Clone, Copy, Debug)]
pub struct StoredRow {
    /// What it says.
    pub entry: Entry,
    /// Who wrote it.
    pub xmin: u32,
}

/// Which statements there are by this key's hand; the rest are findings.
pub struct Signed<'a> {
    /// The opening.
    pub opening: Option<&'a Opening>,
    /// The opening with its signature.
    pub first: Option<&'a Statement>,
    /// The heads with their numbers, in order.
    pub heads: Vec<(u64, &'a Head)>,
}

/// Checks signatures and numbers.
pub fn signed<'a>(statements: &'a [Statement], key: &VerifyingKey, findings: &mut Vec<Finding>) -> Signed<'a> {
    let mut signed = Signed { opening: None, first: None, heads: Vec::new() };
    let mut expected = 0;
    for statement in statements {
        let told = |number| format!("statement {number}");
        if statement.is_by(key) {
            if statement.number != expected {
                let finding = Finding::new(FindingKind::StatementMissing);
                findings.push(finding.saying(told(statement.number), told(expected)));
            }
            match &statement.said {
                Said::Opening(opening) if signed.opening.is_none() => {
                    (signed.opening, signed.first) = (Some(opening), Some(statement));
                }
                // Two openings are two trails.
                Said::Opening(_) => {
                    let finding = Finding::new(FindingKind::StatementMissing);
                    findings.push(finding.saying("a second opening", "one opening"));
                }
                Said::Head(head) => signed.heads.push((statement.number, head)),
            }
        } else {
            let finding = Finding::new(FindingKind::SignatureFalse);
            let mut finding = finding.saying(told(statement.number), "a statement signed with the key's private half");
            if let Said::Head(head) = &statement.said {
                finding = finding.at_seq(head.seq).at_lsn(head.lsn);
            }
            findings.push(finding);
        }
        expected = statement.number + 1;
    }
    signed
}

/// What the log itself convicts: damage, gaps, and what was done to entries after they were written.
pub fn judge_log(log: &LogEvidence, heads: &[(u64, &Head)], findings: &mut Vec<Finding>) {
    if let Some(damage) = &log.damage {
        let goes_on = damage.goes_on.as_deref();
        findings.push(match &damage.fault {
            Some(fault) => Finding::new(FindingKind::LogDamaged).at_lsn(damage.lsn).saying(
                format!("segment {}: {fault}", damage.segment),
                goes_on.map_or("a record".to_owned(), |at| format!("a record; the log goes on at {at}")),
            ),
            None => Finding::new(FindingKind::LogMissing).at_lsn(damage.lsn).saying(
                format!("the archive has later segments than {}", goes_on.unwrap_or_default()),
                format!("segments {} to {}", damage.segment, goes_on.unwrap_or_default()),
            ),
        });
    } else if let Some((number, head)) = heads.iter().find(|(_, head)| head.lsn >= log.until && head.seq > 0) {
        findings.push(Finding::new(FindingKind::LogEndsEarly).at_seq(head.seq).at_lsn(head.lsn).saying(
            format!("the archive ends at {}", log.until),
            format!("log up to what statement {number} signed; if it is still being written, `select pg_switch_wal()`"),
        ));
    }
    for tampering in &log.tampering {
        let kind = match tampering.act {
            Act::Updated => FindingKind::EntryUpdated,
            Act::Deleted => FindingKind::EntryDeleted,
            Act::Truncated => FindingKind::EntriesTruncated,
            Act::Unreadable => FindingKind::EntryUnreadable,
        };
        let mut finding = Finding::new(kind).at_lsn(tampering.at).by(tampering.xid);
        if let Some(entry) = tampering.was.as_ref().or(tampering.now.as_ref()) {
            finding = finding.of_entry(entry);
            let logged = tampering.was.and_then(|was| log.entries.iter().find(|logged| logged.entry == was));
            finding.seq = logged.map(|logged| logged.link.seq);
        }
        findings.push(match (&tampering.was, &tampering.now) {
            (Some(was), Some(now)) => {
                let (found, expected) = difference(now, was);
                finding.saying(found, expected)
            }
            (Some(was), None) => finding.saying("nothing", told(was)),
            _ => finding,
        });
    }
}

/// The heads against the chain that the log gives.
pub fn judge_heads(log: &LogEvidence, heads: &[(u64, &Head)], findings: &mut Vec<Finding>) {
    for (number, head) in heads.iter().filter(|(_, head)| head.lsn < log.until && head.seq > 0) {
        let found = usize::try_from(head.seq - 1).ok().and_then(|index| log.entries.get(index));
        if found.is_none_or(|logged| logged.link.hash != head.hash) {
            let told = |logged: &Logged| format!("a log whose link {} hashes to {}", head.seq, logged.link.hash);
            let mut finding = Finding::new(FindingKind::LogNotAsSigned).at_seq(head.seq).at_lsn(head.lsn).saying(
                found.map_or_else(|| format!("only {} entries in the log", log.entries.len()), told),
                format!("{} in statement {number}", head.hash),
            );
            if let Some(logged) = found {
                finding = finding.of_entry(&logged.entry);
            }
            findings.push(finding);
            // What follows hangs on it.
            return;
        }
    }
}

/// The chain as it is kept against the one that the log gives, and against the heads.
pub fn judge_chain(log: &LogEvidence, chain: &[Link], heads: &[(u64, &Head)], findings: &mut Vec<Finding>) {
    let kept: Vec<&Link> = chain.iter().filter(|link| link.lsn < log.until).collect();
    let before = findings.len();
    compare_links(&kept, &log.entries, findings);
    let by_seq: HashMap<u64, &Link> = chain.iter().map(|link| (link.seq, link)).collect();
    for (number, head) in heads.iter().filter(|(_, head)| head.seq > 0) {
        let found = by_seq.get(&head.seq);
        if found.is_some_and(|link| link.hash == head.hash) {
            continue;
        }
        let said = found.map_or_else(|| format!("no link {}", head.seq), |link| link.hash.to_string());
        // Where it first differs is told by the comparison with the log, if there is any there.
        let first = findings[before..].iter().filter_map(|finding| finding.seq).min();
        let mut finding = Finding::new(FindingKind::ChainRewritten)
            .at_lsn(head.lsn)
            .saying(said, format!("{} in statement {number}", head.hash));
        finding.seq = first.filter(|seq| *seq <= head.seq).or(Some(head.seq));
        findings.push(finding);
        return;
    }
}

/// Walks both in step; what they have in common is told by the entries' hashes.
fn compare_links(kept: &[&Link], logged: &[Logged], findings: &mut Vec<Finding>) {
    let in_log: HashSet<_> = logged.iter().map(|logged| logged.link.payload_hash).collect();
    let in_chain: HashSet<_> = kept.iter().map(|link| link.payload_hash).collect();
    let place: HashMap<_, _> = logged.iter().map(|logged| (logged.link.payload_hash, logged.link.seq)).collect();
    let (mut at, mut due) = (0, 0);
    loop {
        match (kept.get(at), logged.get(due)) {
            (None, None) => return,
            (Some(link), None) => {
                findings.push(inserted(link));
                at += 1;
            }
            (None, Some(missing)) => {
                findings.push(absent(missing));
                due += 1;
            }
            (Some(link), Some(expected)) => {
                let (same, known) =
                    (link.payload_hash == expected.link.payload_hash, in_log.contains(&link.payload_hash));
                let is_kept = in_chain.contains(&expected.link.payload_hash);
                if same {
                    findings.extend(differs(link, expected));
                } else if known && !is_kept {
                    findings.push(absent(expected));
                    due += 1;
                    continue;
                } else if !known && is_kept {
                    findings.push(inserted(link));
                    at += 1;
                    continue;
                } else if known {
                    let belongs = place.get(&link.payload_hash).copied().unwrap_or_default();
                    findings.push(
                        Finding::new(FindingKind::LinkMoved)
                            .at_seq(link.seq)
                            .at_lsn(link.lsn)
                            .of_entry(&expected.entry)
                            .saying(format!("the entry that belongs in link {belongs}"), told(&expected.entry)),
                    );
                } else {
                    let finding = Finding::new(FindingKind::LinkAltered).at_seq(expected.link.seq);
                    findings.push(finding.at_lsn(expected.link.lsn).of_entry(&expected.entry).saying(
                        format!("payload hash {}", link.payload_hash),
                        format!("payload hash {} of {}", expected.link.payload_hash, told(&expected.entry)),
                    ));
                }
                at += 1;
                due += 1;
            }
        }
    }
}

fn inserted(link: &Link) -> Finding {
    let found = format!("payload hash {}", link.payload_hash);
    Finding::new(FindingKind::LinkInserted)
        .at_seq(link.seq)
        .at_lsn(link.lsn)
        .by(link.xid)
        .saying(found, "no such entry")
}

fn absent(missing: &Logged) -> Finding {
    let Logged { entry, link, .. } = missing;
    let finding = Finding::new(FindingKind::LinkMissing).at_seq(link.seq).at_lsn(link.lsn).by(link.xid);
    finding.of_entry(entry).saying("nothing", told(entry))
}

/// A link of the right entry with another place, transaction or hash. Where the chain was cut before, all hashes differ;
/// that is told once, where it was cut.
fn differs(link: &Link, expected: &Logged) -> Option<Finding> {
    let told = |link: &Link| format!("at {}, transaction {}", link.lsn, link.xid);
    let altered = |found: String, should_be: String| {
        let finding = Finding::new(FindingKind::LinkAltered).at_seq(expected.link.seq).at_lsn(expected.link.lsn);
        Some(finding.of_entry(&expected.entry).saying(found, should_be))
    };
    if (link.lsn, link.xid) != (expected.link.lsn, expected.link.xid) {
        altered(told(link), told(&expected.link))
    } else if link.seq == expected.link.seq
        && link.prev_hash == expected.link.prev_hash
        && link.hash != expected.link.hash
    {
        altered(format!("hash {}", link.hash), format!("hash {}", expected.link.hash))
    } else if link.computed_hash() != link.hash {
        altered(
            format!("a hash that is not of the link (previous {})", link.prev_hash),
            format!("previous {}, hash {}", expected.link.prev_hash, expected.link.hash),
        )
    } else {
        None
    }
}

/// The rows of the table against the entries of the log. Gives how many rows are newer than the archive.
pub fn judge_rows(log: &LogEvidence, opening: &Opening, rows: &[StoredRow], findings: &mut Vec<Finding>) -> u64 {
    let mut expected: BTreeMap<(i64, i64), &Logged> =
        log.entries.iter().map(|logged| (logged.entry.key(), logged)).collect();
    let (mut before, mut newer) = (Vec::new(), 0);
    for row in rows {
        match expected.remove(&row.entry.key()) {
            Some(logged) if logged.entry == row.entry => {}
            Some(logged) => {
                let (found, should_be) = difference(&row.entry, &logged.entry);
                findings.push(of_logged(FindingKind::RowAltered, logged).saying(found, should_be));
            }
            None if is_newer(log, row.xmin) => newer += 1,
            None => before.push(row.entry),
        }
    }
    for logged in expected.into_values() {
        findings.push(of_logged(FindingKind::RowMissing, logged).saying("nothing", told(&logged.entry)));
    }
    if before.len() as u64 == opening.entries_before && hash_of_entries(&before) == opening.entries_before_hash {
        return newer;
    }
    // Behind damage the log may well have brought rows that cannot be told from others.
    if opening.entries_before == 0 && log.damage.is_none() {
        let inserted = |entry: &Entry| {
            let finding = Finding::new(FindingKind::RowInserted).of_entry(entry);
            finding.saying(told(entry), "nothing: the log brought no such entry")
        };
        findings.extend(before.iter().map(inserted));
    } else if log.damage.is_none() {
        findings.push(Finding::new(FindingKind::EarlierRowsDiffer).saying(
            format!("{} rows that the log did not bring, hash {}", before.len(), hash_of_entries(&before)),
            format!("{} rows, hash {}", opening.entries_before, opening.entries_before_hash),
        ));
    }
    newer
}

/// Whether a row may have been written after the end of the archive: its transaction had not ended there, or not begun.
fn is_newer(log: &LogEvidence, xmin: u32) -> bool {
    log.open_xids.contains(&xmin) || xmin.wrapping_sub(log.highest_xid).cast_signed() > 0 && xmin > 2
}

fn of_logged(kind: FindingKind, logged: &Logged) -> Finding {
    let Logged { entry, link, .. } = logged;
    Finding::new(kind).at_seq(link.seq).at_lsn(link.lsn).by(link.xid).of_entry(entry)
}

/// Statements that stand in the database and not in the file: by this key they are missing from the file, by another
/// one they are false.
pub fn signed_copies(copies: &[Statement], key: &VerifyingKey, findings: &mut Vec<Finding>) {
    for copy in copies {
        let kind = if copy.is_by(key) { FindingKind::StatementMissing } else { FindingKind::SignatureFalse };
        let mut finding = Finding::new(kind).saying(
            format!("statement {} in the database", copy.number),
            "the same statement in the file and in the database, signed with the given public key's private half",
        );
        if let Said::Head(head) = &copy.said {
            finding = finding.at_seq(head.seq).at_lsn(head.lsn);
        }
        findings.push(finding);
    }
}
