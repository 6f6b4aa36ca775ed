//! A chain or statements that were changed.

use std::fs;

use ed25519_dalek::SigningKey;

use super::support::{Audited, kinds, the_only};
use crate::ledger::audit::trail::{ChainEnd, Said, Statement};
use crate::ledger::audit::{AuditError, FindingKind, Report};

async fn meddled(sql: &str) -> Report {
    let audited = Audited::with_work().await;
    audited.run(sql).await;
    audited.judge().await
}

#[tokio::test]
async fn an_altered_link_is_located() {
    let report = meddled("update ledger_audit.chain set payload_hash = sha256('other') where seq = 7").await;
    assert_eq!(kinds(&report), [FindingKind::LinkAltered]);
    let finding = the_only(&report, FindingKind::LinkAltered);
    assert_eq!(finding.seq, Some(7));
    assert!(finding.transfer_id.is_some() && finding.account_id.is_some() && finding.lsn.is_some(), "{finding:?}");

    let report = meddled("update ledger_audit.chain set xid = xid + 1 where seq = 8").await;
    assert_eq!(the_only(&report, FindingKind::LinkAltered).seq, Some(8));
}

#[tokio::test]
async fn a_missing_link_is_located() {
    let report = meddled("delete from ledger_audit.chain where seq = 9").await;
    assert_eq!(the_only(&report, FindingKind::LinkMissing).seq, Some(9));
}

#[tokio::test]
async fn a_link_put_into_the_chain_is_located() {
    let report = meddled(
        "update ledger_audit.chain set seq = -seq where seq > 10; \
         update ledger_audit.chain set seq = 1 - seq where seq < 0; \
         insert into ledger_audit.chain select 11, lsn, xid, sha256('made up'), prev_hash, hash \
         from ledger_audit.chain where seq = 10",
    )
    .await;
    assert_eq!(the_only(&report, FindingKind::LinkInserted).seq, Some(11));
}

#[tokio::test]
async fn links_that_changed_places_are_located() {
    let report = meddled(
        "update ledger_audit.chain as c set payload_hash = o.payload_hash \
         from ledger_audit.chain as o where c.seq in (12, 13) and o.seq = 25 - c.seq",
    )
    .await;
    let moved = report.findings.iter().filter(|finding| finding.kind == FindingKind::LinkMoved);
    assert_eq!(moved.map(|finding| finding.seq).collect::<Vec<_>>(), [Some(12), Some(13)]);
}

#[tokio::test]
async fn a_chain_rewritten_consistently_but_without_the_key_is_convicted() {
    let audited = Audited::with_work().await;
    let rows = audited.session.query("select * from ledger_audit.chain order by seq", &[]).await.expect("the chain");
    let mut links: Vec<_> = rows.iter().map(|row| super::super::auditor::link_of_row(row).expect("a link")).collect();
    // One entry is dropped, and everything after it hangs on what is left.
    links.remove(4);
    let mut end = ChainEnd { seq: 0, lsn: links[0].lsn, hash: links[0].prev_hash };
    audited.run("truncate ledger_audit.chain").await;
    for mut link in links {
        (link.seq, link.prev_hash) = (end.seq + 1, end.hash);
        link.hash = link.computed_hash();
        end = ChainEnd { seq: link.seq, lsn: link.lsn, hash: link.hash };
        let lsn = pgstrata_pg::sql::types::PgLsn::from(link.lsn.0);
        let (seq, xid) = (i64::try_from(link.seq).expect("small"), i64::from(link.xid));
        let insert = "insert into ledger_audit.chain values ($1, $2, $3, $4, $5, $6)";
        let hashes = [&link.payload_hash.0[..], &link.prev_hash.0[..], &link.hash.0[..]];
        let done = audited.session.execute(insert, &[&seq, &lsn, &xid, &hashes[0], &hashes[1], &hashes[2]]).await;
        done.expect("inserted");
    }

    let report = audited.judge().await;

    assert_eq!(kinds(&report), [FindingKind::LinkMissing, FindingKind::ChainRewritten]);
    assert_eq!(the_only(&report, FindingKind::LinkMissing).seq, Some(5));
    assert_eq!(the_only(&report, FindingKind::ChainRewritten).seq, Some(5));
    assert!(
        matches!(audited.resume().await, Err(AuditError::Broken { .. })),
        "the auditor does not go on with such a chain"
    );
}

/// Rewrites the file of statements.
async fn with_statements(change: impl FnOnce(&mut Vec<Statement>)) -> Report {
    let audited = Audited::with_work().await;
    let text = fs::read_to_string(audited.statements()).expect("statements");
    let mut statements: Vec<Statement> =
        text.lines().map(|line| serde_json::from_str(line).expect("a statement")).collect();
    change(&mut statements);
    let lines = statements.iter().map(|statement| serde_json::to_string(statement).expect("json") + "\n");
    fs::write(audited.statements(), lines.collect::<String>()).expect("written");
    audited.judge_log_alone().await
}

#[tokio::test]
async fn an_altered_signature_and_a_head_signed_by_another_key_are_located() {
    let report = with_statements(|statements| {
        let signature = &mut statements[3].signature;
        let flipped = if signature.starts_with('0') { "1" } else { "0" };
        signature.replace_range(0..1, flipped);
    })
    .await;
    assert_eq!(kinds(&report), [FindingKind::SignatureFalse]);
    let finding = the_only(&report, FindingKind::SignatureFalse);
    assert!(finding.seq == Some(12) && finding.found.as_deref() == Some("statement 3"), "{finding:?}");

    let report = with_statements(|statements| {
        let Statement { number, said, .. } = statements[2].clone();
        let Said::Head(mut head) = said else { panic!("a head") };
        head.seq += 1;
        statements[2] = Statement::sign(number, Said::Head(head), &SigningKey::from_bytes(&[7; 32]));
    })
    .await;
    assert_eq!(kinds(&report), [FindingKind::SignatureFalse]);
}

#[tokio::test]
async fn a_head_that_was_taken_out_is_missed() {
    let report = with_statements(|statements| drop(statements.remove(4))).await;
    assert_eq!(kinds(&report), [FindingKind::StatementMissing]);
    assert_eq!(the_only(&report, FindingKind::StatementMissing).expected.as_deref(), Some("statement 4"));
    let report = with_statements(|statements| drop(statements.remove(0))).await;
    assert!(kinds(&report).contains(&FindingKind::StatementMissing) && !report.is_sound);
}

#[tokio::test]
async fn heads_removed_from_the_end_of_the_file_are_missed_while_the_database_has_them() {
    let audited = Audited::with_work().await;
    let text = fs::read_to_string(audited.statements()).expect("statements");
    let kept: Vec<&str> = text.lines().take(4).collect();
    fs::write(audited.statements(), kept.join("\n") + "\n").expect("written");
    let report = audited.judge().await;
    assert_eq!(kinds(&report), [FindingKind::StatementMissing]);
}
