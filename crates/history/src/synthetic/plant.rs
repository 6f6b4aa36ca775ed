//! Faults that are put into a history: for each anomaly the fewest transactions that show it.

use crate::anomaly::{Anomaly, Scope};
use crate::binary::{Draft, Recorder};
use crate::model::{Operation, Status, Value};

/// One operation on the first (0) or second (1) key of a plant.
enum Does {
    Append(u8, Value),
    Read(u8, &'static [Value]),
}

use Does::{Append, Read};

/// One transaction: its client, its status, when it is begun and when it ends, and what it does.
type Planted = (u32, Status, (u64, u64), &'static [Does]);

const LONG: (u64, u64) = (0, 100);
const OK: Status = Status::Committed;

/// The anomalies that can be put into a history of lists.
#[must_use]
pub fn plantable() -> Vec<Anomaly> {
    Anomaly::all().into_iter().filter(|anomaly| !transactions(*anomaly).is_empty()).collect()
}

/// Records the transactions that show an anomaly, beginning after `now_ns`; returns when they have ended.
pub(super) fn record(
    anomaly: Anomaly,
    recorder: &mut Recorder,
    keys: &mut u32,
    first_process: u32,
    now_ns: u64,
) -> u64 {
    let both = [0, 1].map(|offset| recorder.key(&(*keys + offset).to_string()));
    *keys += 2;
    let mut draft = Draft::new();
    let mut latest_ns = now_ns;
    for (process, status, (begun, ended), operations) in transactions(anomaly) {
        for does in *operations {
            draft.add(match does {
                Append(key, value) => Operation::Append { key: both[usize::from(*key)], value: *value },
                Read(key, list) => Operation::ReadList { key: both[usize::from(*key)], list: Some(list) },
            });
        }
        let ended_ns = now_ns + 1 + ended;
        recorder.end(&mut draft, first_process + process, *status, (now_ns + 1 + begun, ended_ns));
        latest_ns = latest_ns.max(ended_ns);
    }
    latest_ns
}

fn transactions(anomaly: Anomaly) -> &'static [Planted] {
    match anomaly {
        Anomaly::G0(scope) => g0(scope),
        Anomaly::G1c(scope) => g1c(scope),
        Anomaly::GSingle(scope) => g_single(scope),
        Anomaly::GNonadjacent(scope) => g_nonadjacent(scope),
        Anomaly::G2Item(scope) => g2_item(scope),
        Anomaly::GSinglePredicate(_) | Anomaly::GNonadjacentPredicate(_) | Anomaly::G2(_) | Anomaly::CyclicVersions => {
            &[]
        }
        Anomaly::DuplicateWrites => &[(0, OK, LONG, &[Append(0, 1)]), (1, OK, LONG, &[Append(0, 1)])],
        Anomaly::DuplicateElements => &[(0, OK, LONG, &[Append(0, 1)]), (1, OK, LONG, &[Read(0, &[1, 1])])],
        Anomaly::GarbageRead => &[(0, OK, LONG, &[Read(0, &[9])])],
        Anomaly::G1a => &[(0, Status::Aborted, LONG, &[Append(0, 1)]), (1, OK, LONG, &[Read(0, &[1])])],
        Anomaly::G1b => &[(0, OK, LONG, &[Append(0, 1), Append(0, 2)]), (1, OK, LONG, &[Read(0, &[1])])],
        Anomaly::DirtyUpdate => &[
            (0, Status::Aborted, LONG, &[Append(0, 1)]),
            (1, OK, LONG, &[Append(0, 2)]),
            (2, OK, LONG, &[Read(0, &[1, 2])]),
        ],
        Anomaly::IncompatibleOrder => &[
            (0, OK, LONG, &[Append(0, 1)]),
            (1, OK, LONG, &[Append(0, 2)]),
            (2, OK, LONG, &[Read(0, &[1, 2])]),
            (3, OK, LONG, &[Read(0, &[2])]),
        ],
        Anomaly::FutureRead => &[(0, OK, LONG, &[Read(0, &[1]), Append(0, 1)])],
        Anomaly::Internal => &[(0, OK, LONG, &[Append(0, 1), Read(0, &[])])],
        Anomaly::LostUpdate => {
            &[(0, OK, LONG, &[Read(0, &[]), Append(0, 1)]), (1, OK, LONG, &[Read(0, &[]), Append(0, 2)])]
        }
    }
}

/// Two transactions wrote two keys in opposite orders. The data order only one key in the others, and the order of
/// the clients or of time contradicts it.
const fn g0(scope: Scope) -> &'static [Planted] {
    match scope {
        Scope::Plain => &[
            (0, OK, LONG, &[Append(0, 1), Append(1, 2)]),
            (1, OK, LONG, &[Append(0, 2), Append(1, 1)]),
            (2, OK, LONG, &[Read(0, &[1, 2]), Read(1, &[1, 2])]),
        ],
        Scope::Process => &[
            (0, OK, (0, 60), &[Append(0, 2)]),
            (0, OK, (60, 100), &[Append(0, 1)]),
            (2, OK, LONG, &[Read(0, &[1, 2])]),
        ],
        Scope::RealTime => &[
            (0, OK, (0, 50), &[Append(0, 2)]),
            (1, OK, (60, 100), &[Append(0, 1)]),
            (2, OK, LONG, &[Read(0, &[1, 2])]),
        ],
    }
}

/// Two transactions each saw what the other wrote; or the first saw what the second wrote after it.
const fn g1c(scope: Scope) -> &'static [Planted] {
    match scope {
        Scope::Plain => &[(0, OK, LONG, &[Append(0, 1), Read(1, &[1])]), (1, OK, LONG, &[Append(1, 1), Read(0, &[1])])],
        Scope::Process => &[(0, OK, (0, 60), &[Read(0, &[1])]), (0, OK, (60, 100), &[Append(0, 1)])],
        Scope::RealTime => &[(0, OK, (0, 50), &[Read(0, &[1])]), (1, OK, (60, 100), &[Append(0, 1)])],
    }
}

/// A transaction saw half of another; or did not see what came before it.
const fn g_single(scope: Scope) -> &'static [Planted] {
    match scope {
        Scope::Plain => &[(0, OK, LONG, &[Append(0, 1), Append(1, 1)]), (1, OK, LONG, &[Read(0, &[1]), Read(1, &[])])],
        Scope::Process => &[(0, OK, (0, 60), &[Append(0, 1)]), (0, OK, (60, 100), &[Read(0, &[])])],
        Scope::RealTime => &[(0, OK, (0, 50), &[Append(0, 1)]), (1, OK, (60, 100), &[Read(0, &[])])],
    }
}

/// Two transactions saw two writes in opposite orders; or each missed what had ended before it.
const fn g_nonadjacent(scope: Scope) -> &'static [Planted] {
    match scope {
        Scope::Plain => &[
            (0, OK, LONG, &[Append(0, 1)]),
            (1, OK, LONG, &[Append(1, 1)]),
            (2, OK, LONG, &[Read(0, &[1]), Read(1, &[])]),
            (3, OK, LONG, &[Read(0, &[]), Read(1, &[1])]),
        ],
        Scope::Process => &[
            (0, OK, (0, 60), &[Append(0, 1)]),
            (0, OK, (60, 100), &[Read(1, &[])]),
            (1, OK, (0, 60), &[Append(1, 1)]),
            (1, OK, (60, 100), &[Read(0, &[])]),
        ],
        // Of two pairs that follow each other in time, one also precedes an end of the other; so only one is had so.
        Scope::RealTime => &[
            (0, OK, (0, 50), &[Append(0, 1)]),
            (1, OK, (60, 100), &[Read(1, &[])]),
            (2, OK, LONG, &[Append(1, 1)]),
            (3, OK, LONG, &[Read(0, &[]), Read(1, &[1])]),
        ],
    }
}

/// Two transactions each missed what the other wrote, directly or through one that had seen more.
const fn g2_item(scope: Scope) -> &'static [Planted] {
    match scope {
        Scope::Plain => &[(0, OK, LONG, &[Read(0, &[]), Append(1, 1)]), (1, OK, LONG, &[Read(1, &[]), Append(0, 1)])],
        Scope::Process => &[
            (0, OK, (0, 60), &[Append(1, 1)]),
            (0, OK, (60, 100), &[Read(0, &[])]),
            (1, OK, LONG, &[Read(1, &[]), Append(0, 1)]),
        ],
        Scope::RealTime => &[
            (0, OK, (0, 50), &[Append(1, 1)]),
            (2, OK, (60, 100), &[Read(0, &[])]),
            (1, OK, LONG, &[Read(1, &[]), Append(0, 1)]),
        ],
    }
}
