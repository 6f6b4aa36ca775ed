//! The verdicts against what sessions see: after random work, every open session selects the places of the rows that it
//! sees, and another session's view of the same pages, with the first one's snapshot, must say the same.

use std::collections::{BTreeMap, BTreeSet};

use pgstrata_pg::Session;
use pgstrata_tuple::{
    ItemPointer, Judgement, Knowledge, Listing, LockMode, Member, Own, Reason, Status, TupleHeader, Viewer, judge,
};
use pgstrata_units::{Snapshot, Xid};

use crate::support::{installs, parsed, raw_pages, server, session};
use crate::work::{Work, xid};

/// Steps of work, and after how many of them all sessions are asked. In all about 300,000 judgements an installation.
const STEPS: usize = 600;
const STEPS_A_LOOK: usize = 12;
/// Sessions that keep a snapshot.
const READERS: usize = 4;

/// What SQL tells of transactions; the map of subtransactions is the work's own.
pub struct Known<'a> {
    next: Xid,
    statuses: BTreeMap<Xid, Status>,
    members: BTreeMap<u32, Vec<Member>>,
    tops: &'a BTreeMap<Xid, Xid>,
}

impl Knowledge for Known<'_> {
    fn status(&self, xid: Xid) -> Status {
        self.statuses.get(&xid).copied().unwrap_or(Status::Unknown)
    }

    fn top(&self, xid: Xid) -> Option<Xid> {
        self.tops.get(&xid).copied()
    }

    fn members(&self, multixact: u32) -> Option<Vec<Member>> {
        self.members.get(&multixact).cloned()
    }

    fn full(&self, short: u32) -> Option<Xid> {
        Xid::near(short, self.next)
    }
}

impl<'a> Known<'a> {
    pub async fn of(headers: &[(ItemPointer, TupleHeader)], work: &'a Work) -> Self {
        let session = &work.watcher;
        let multixacts: BTreeSet<u32> = headers
            .iter()
            .filter(|(_, header)| header.is_xmax_multi() && !header.is_xmax_invalid())
            .map(|(_, header)| header.xmax)
            .collect();
        let mut members = BTreeMap::new();
        for multixact in multixacts {
            members.insert(multixact, members_of(session, multixact).await);
        }
        let in_headers = headers.iter().flat_map(|(_, header)| {
            [Some(header.xmin), (!header.is_xmax_multi()).then_some(header.xmax)].into_iter().flatten().map(u64::from)
        });
        let in_multixacts = members.values().flatten().map(|member: &Member| member.xid.0);
        let ids: BTreeSet<i64> = in_headers
            .chain(in_multixacts)
            .filter(|xid| *xid >= Xid::FIRST_NORMAL.0)
            .map(|xid| i64::try_from(xid).expect("an id"))
            .collect();
        let ids: Vec<i64> = ids.into_iter().collect();
        let rows = session.query(include_str!("statuses.sql"), &[&ids]).await.expect("statuses");
        let statuses = rows.iter().map(|row| (xid(row.get(0)), status_of(row.get(1)))).collect();
        let next: i64 = session.query_one(include_str!("next_id.sql"), &[]).await.expect("the next id").get(0);
        Self { next: xid(next), statuses, members, tops: &work.tops }
    }
}

fn status_of(word: &str) -> Status {
    match word {
        "in progress" => Status::InProgress,
        "prepared" => Status::Prepared,
        "committed" => Status::Committed,
        "aborted" => Status::Aborted,
        _ => Status::Unknown,
    }
}

async fn members_of(session: &Session, multixact: u32) -> Vec<Member> {
    let rows = session.query(include_str!("members.sql"), &[&i64::from(multixact)]).await.expect("members");
    rows.iter()
        .map(|row| {
            let (mode, is_change) = match row.get(1) {
                "keysh" => (LockMode::KeyShare, false),
                "sh" => (LockMode::Share, false),
                "fornokeyupd" => (LockMode::NoKeyUpdate, false),
                "forupd" => (LockMode::Update, false),
                "nokeyupd" => (LockMode::NoKeyUpdate, true),
                "upd" => (LockMode::Update, true),
                other => panic!("{other} is no mode"),
            };
            Member { xid: xid(row.get(0)), mode, is_change }
        })
        .collect()
}

/// How often each reason was given; more under the name of what was wrong.
#[derive(Default)]
struct Tally {
    reasons: BTreeMap<Reason, usize>,
    wrong: Vec<String>,
    /// How often "a version without `xmax` is live" would have been wrong.
    naive_wrong: usize,
}

impl Tally {
    fn unknown(&self) -> impl Iterator<Item = Reason> {
        self.reasons.keys().copied().filter(|reason| reason.is_visible().is_none())
    }
}

/// What a session sees now, and through which snapshot.
pub async fn seen(session: &Session) -> (Snapshot, BTreeSet<String>) {
    let row = session.query_one(include_str!("seen.sql"), &[]).await.expect("rows");
    let snapshot = row.get::<_, &str>(0).parse().expect("a snapshot");
    (snapshot, row.get::<_, Vec<String>>(1).into_iter().collect())
}

fn hold_against(
    tally: &mut Tally,
    headers: &[(ItemPointer, TupleHeader)],
    viewer: &Viewer<'_>,
    known: &Known<'_>,
    truth: &BTreeSet<String>,
) {
    for (place, header) in headers {
        let Judgement { visible, reason } = judge(header, *place, viewer, known);
        *tally.reasons.entry(reason).or_default() += 1;
        tally.naive_wrong += usize::from((header.xmax == 0) != truth.contains(&place.to_string()));
        if visible.is_some_and(|visible| visible != truth.contains(&place.to_string())) {
            tally.wrong.push(format!("{place} {reason} {header:?} {:?}", viewer.own));
        }
    }
}

#[tokio::test]
async fn what_sessions_see_is_what_is_judged_from_another_session() {
    let nothing = BTreeMap::new();
    for install in installs() {
        let version = install.version.to_string();
        let server = server(install).await;
        let mut work = Work::begin(&server, 11).await;
        let mut readers = Vec::new();
        let (mut readers_tally, mut writers_tally, mut unmapped) =
            (Tally::default(), Tally::default(), Tally::default());
        for step in 0..STEPS {
            work.step().await;
            if step % STEPS_A_LOOK != 0 {
                continue;
            }
            if readers.len() == READERS {
                let reader: Session = readers.swap_remove(work.lot.below(READERS));
                reader.close().await;
            }
            let reader = session(&server).await;
            reader
                .batch_execute("begin isolation level repeatable read; select from item limit 1")
                .await
                .expect("open");
            readers.push(reader);

            let pages = raw_pages(&work.watcher, "item").await;
            let headers: Vec<_> = (0..)
                .zip(&pages)
                .flat_map(|(block, bytes)| {
                    let tuples = parsed(bytes).into_iter().flat_map(|page| page.tuples().collect::<Vec<_>>());
                    tuples.map(move |(offset, tuple)| (ItemPointer { block, offset }, tuple.header))
                })
                .collect();
            let known = Known::of(&headers, &work).await;
            let blind = Known { tops: &nothing, ..Known::of(&headers, &work).await };
            for reader in &readers {
                let (snapshot, truth) = seen(reader).await;
                let viewer = Viewer::of(&snapshot);
                hold_against(&mut readers_tally, &headers, &viewer, &known, &truth);
                hold_against(&mut unmapped, &headers, &viewer, &blind, &truth);
            }
            for writer in &work.writers {
                let (snapshot, truth) = seen(&writer.session).await;
                let subs: Vec<Xid> =
                    work.tops.iter().filter(|(_, top)| Some(**top) == writer.top).map(|(xid, _)| *xid).collect();
                // A plain select comes after all commands so far.
                let own = writer.top.map(|top| Own { top, subs: &subs, command: u32::MAX, combos: &[] });
                let viewer = Viewer { snapshot: &snapshot, listing: Listing::TopLevel, own };
                hold_against(&mut writers_tally, &headers, &viewer, &known, &truth);
            }
        }
        report(&version, [("readers", &readers_tally), ("writers", &writers_tally), ("without a map", &unmapped)]);
        assert_eq!(readers_tally.unknown().collect::<Vec<_>>(), [], "{version}: with the map all is known");
        assert!(writers_tally.unknown().all(|reason| reason == Reason::UnknownCommand), "{version}");
        assert!(unmapped.unknown().all(|reason| reason == Reason::UnknownSubtransaction), "{version}");
        for reason in MUST_OCCUR {
            let tallies = [&readers_tally, &writers_tally, &unmapped];
            assert!(tallies.iter().any(|tally| tally.reasons.contains_key(&reason)), "{version}: no {reason}");
        }
    }
}

/// Reasons that this work must lead to, or it does not test what it should.
const MUST_OCCUR: [Reason; 18] = [
    Reason::MakerCommittedBefore,
    Reason::Frozen,
    Reason::OwnChange,
    Reason::LockedOnly,
    Reason::EnderAborted,
    Reason::EnderRunning,
    Reason::EnderPrepared,
    Reason::EnderCommittedAfter,
    Reason::MakerRunning,
    Reason::MakerPrepared,
    Reason::MakerCommittedAfter,
    Reason::MakerAborted,
    Reason::Replaced,
    Reason::Deleted,
    Reason::OwnReplaced,
    Reason::OwnDeleted,
    Reason::UnknownCommand,
    Reason::UnknownSubtransaction,
];

fn report(version: &str, tallies: [(&str, &Tally); 3]) {
    for (who, tally) in tallies {
        let judged: usize = tally.reasons.values().sum();
        assert!(
            tally.wrong.is_empty(),
            "{version} {who}: {} of {judged} wrong, first {}",
            tally.wrong.len(),
            tally.wrong[0]
        );
        tracing::info!(version, who, judged, reasons = ?tally.reasons, "judged");
        let naive = tally.naive_wrong * 100 / judged.max(1);
        assert!(naive >= 10, "{version} {who}: work that the naive rule judges well ({naive} % wrong) tests nothing");
    }
}

#[tokio::test]
async fn a_cursor_sees_what_its_own_transaction_changed_later_as_it_was() {
    let server = server(installs().remove(0)).await;
    let mut work = Work::begin(&server, 1).await;
    let writer = session(&server).await;
    // Commands of a transaction are counted from 0; the cursor comes after two that wrote.
    writer
        .batch_execute(
            "begin; update item set note = 'first' where id = 0; insert into item values (90001, 1, 'own', null);
             declare looks cursor for select ctid::text from item;
             update item set note = 'later' where id = 1; insert into item values (90002, 1, 'later', null);
             delete from item where id = 2",
        )
        .await
        .expect("changes");
    let row = writer.query_one("select pg_current_snapshot()::text, pg_current_xact_id()::text::bigint", &[]).await;
    let row = row.expect("a snapshot");
    let snapshot: Snapshot = row.get::<_, &str>(0).parse().expect("a snapshot");
    let top = xid(row.get(1));
    work.tops.insert(top, top);
    let pages = raw_pages(&work.watcher, "item").await;
    let headers: Vec<_> = (0..)
        .zip(&pages)
        .flat_map(|(block, bytes)| {
            let tuples = parsed(bytes).into_iter().flat_map(|page| page.tuples().collect::<Vec<_>>());
            tuples.map(move |(offset, tuple)| (ItemPointer { block, offset }, tuple.header))
        })
        .collect();
    for header in headers.iter().map(|(_, header)| header) {
        work.tops.entry(Xid(header.xmin.into())).or_insert(Xid(header.xmin.into()));
    }
    let known = Known::of(&headers, &work).await;
    let rows = writer.query("fetch all from looks", &[]).await.expect("rows");
    let truth: BTreeSet<String> = rows.iter().map(|row| row.get(0)).collect();
    let own = Own { top, subs: &[], command: 2, combos: &[] };
    let viewer = Viewer { snapshot: &snapshot, listing: Listing::TopLevel, own: Some(own) };
    let mut tally = Tally::default();
    hold_against(&mut tally, &headers, &viewer, &known, &truth);
    assert_eq!(tally.wrong, [""; 0]);
    let of_own: Vec<(Reason, usize)> = tally
        .reasons
        .into_iter()
        .filter(|(reason, _)| !matches!(reason, Reason::MakerCommittedBefore | Reason::Frozen))
        .collect();
    let expected =
        [(Reason::OwnChange, 2), (Reason::OwnLaterEnd, 2), (Reason::OwnLaterCommand, 2), (Reason::OwnReplaced, 1)];
    assert_eq!(of_own, expected);
}
