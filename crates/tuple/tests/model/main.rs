//! A small database in memory whose truth is known by construction: who made and who ended each version, at which command,
//! and when each transaction came to its end. It writes tuple headers as the heap does; the verdicts that are drawn from
//! the headers alone must agree with the truth, and with less knowledge be "unknown" at worst.

mod heap;
mod world;

use std::collections::BTreeMap;

use pgstrata_tuple::{Fate, Judgement, Knowledge, Listing, Member, Own, Reason, Status, Viewer, fate, judge};
use pgstrata_units::Xid;
use proptest::prelude::*;

use world::{Look, World};

/// Steps of a schedule.
const STEPS: usize = 120;
/// The next transaction id at first: the epoch changes within a schedule.
const FIRST: u64 = (1 << 32) - 20;

/// What is known of a world: all of it, or less.
struct Known<'a> {
    world: &'a World,
    /// Bits of what is forgotten: statuses, tops, members of every so manieth id.
    forgets: Option<u64>,
}

impl Known<'_> {
    fn is_forgotten(&self, number: u64) -> bool {
        self.forgets.is_some_and(|every| number.is_multiple_of(every))
    }
}

impl Knowledge for Known<'_> {
    fn status(&self, xid: Xid) -> Status {
        if self.is_forgotten(xid.0) { Status::Unknown } else { self.world.status(xid) }
    }

    fn top(&self, xid: Xid) -> Option<Xid> {
        (!self.is_forgotten(xid.0 + 1)).then(|| self.world.top(xid))
    }

    fn members(&self, multixact: u32) -> Option<Vec<Member>> {
        if self.is_forgotten(multixact.into()) { None } else { self.world.multixacts.get(&multixact).cloned() }
    }

    fn full(&self, short: u32) -> Option<Xid> {
        Xid::near(short, self.world.next)
    }
}

/// Judges every version with the eyes of every look; wrong ones as text.
fn compare(world: &World, look: &Look, knows: &Known<'_>, is_complete: bool, tally: &mut BTreeMap<Reason, usize>) {
    let subs = world.own_subs(look);
    let combos = world.combos(look);
    let listed =
        [(Listing::TopLevel, &look.snapshot), (Listing::Everything, &look.with_subs), (Listing::Nothing, &look.bare)];
    for (listing, snapshot) in listed {
        for tells_own in [true, false] {
            let (subs, combos) = if tells_own { (subs.as_slice(), combos.as_slice()) } else { (&[][..], &[][..]) };
            let own = look.own.map(|(top, command)| Own { top, subs, command, combos });
            let viewer = Viewer { snapshot, listing, own };
            for version in &world.versions {
                let Judgement { visible, reason } = judge(&version.header, version.place, &viewer, knows);
                *tally.entry(reason).or_default() += 1;
                let truth = world.sees(look, version);
                assert!(
                    visible.is_none_or(|visible| visible == truth),
                    "{reason}, but truth is {truth}: {version:?}\n{look:?} {listing:?}"
                );
                let excuse = match reason {
                    Reason::UnknownCommand => !tells_own,
                    Reason::UnknownSubtransaction => listing == Listing::Nothing,
                    _ => false,
                };
                assert!(visible.is_some() || !is_complete || excuse, "{reason} without need: {version:?}\n{look:?}");
            }
        }
    }
}

fn run(steps: &[(u8, u8, u16)], tally: &mut BTreeMap<Reason, usize>) {
    let mut world = World::new(Xid(FIRST));
    for (number, step) in steps.iter().enumerate() {
        world.step(*step);
        if number % 4 != 3 {
            continue;
        }
        let all = Known { world: &world, forgets: None };
        for look in &world.looks {
            compare(&world, look, &all, true, tally);
            for every in [2, 3, 5] {
                compare(&world, look, &Known { world: &world, forgets: Some(every) }, false, tally);
            }
        }
        for version in &world.versions {
            let found = fate(&version.header, version.place, &all);
            assert_eq!(kind(found), world.fate(version), "{version:?}");
        }
    }
}

/// A fate by the word that the world has for it.
fn kind(fate: Fate) -> &'static str {
    match fate {
        Fate::Live => "live",
        Fate::Ending(_) => "ending",
        Fate::Pending => "pending",
        Fate::Aborted => "aborted",
        Fate::Replaced(_) => "replaced",
        Fate::Deleted(_) => "deleted",
        Fate::Unknown => "unknown",
    }
}

fn steps() -> impl Strategy<Value = Vec<(u8, u8, u16)>> {
    proptest::collection::vec(any::<(u8, u8, u16)>(), STEPS)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn verdicts_agree_with_what_happened_and_are_unknown_at_worst(steps in steps()) {
        run(&steps, &mut BTreeMap::new());
    }
}

#[test]
fn schedules_lead_to_every_reason_but_those_of_old_pages() {
    let mut tally = BTreeMap::new();
    let mut lot = 9_u64;
    for _ in 0..60 {
        let mut steps = Vec::new();
        for _ in 0..STEPS {
            lot = lot.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let bytes = (lot ^ lot >> 29).to_be_bytes();
            steps.push((bytes[0], bytes[1], u16::from_be_bytes([bytes[2], bytes[3]])));
        }
        run(&steps, &mut tally);
    }
    let never: Vec<Reason> = Reason::ALL.into_iter().filter(|reason| !tally.contains_key(reason)).collect();
    assert_eq!(never, [Reason::TakenBack, Reason::MovedToPartition, Reason::Moved, Reason::UnknownEpoch], "{tally:?}");
}
