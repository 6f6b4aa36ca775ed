//! Records with bytes changed in every way, and their checksums made right again: nothing may panic, whatever they say.

use pgstrata_units::Snapshot;
use pgstrata_wal::history::{History, Limits, Seed};
use pgstrata_wal::{Record, crc_of};
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use crate::support::{Followed, installs, seed, server, session};
use crate::workload::Workload;

/// Mutated records of each server.
const MUTATIONS: usize = 30_000;

/// The record with up to four bytes changed, or its end cut off or grown.
fn mutated(record: &Record, random: &mut ChaCha8Rng) -> Option<Record> {
    /// Header bytes before the body; their own fields are checked before anybody reads the body.
    const HEADER: usize = 24;
    let mut bytes = record.bytes().to_vec();
    for _ in 0..random.random_range(1..5) {
        let at = random.random_range(HEADER..bytes.len());
        bytes[at] = if random.random_range(0..4) == 0 { 0xFF } else { random.random_range(0..=255) };
    }
    if random.random_range(0..8) == 0 {
        bytes.truncate(random.random_range(HEADER..bytes.len()));
    }
    // Other kinds of the same resource manager read the same bytes.
    if random.random_range(0..4) == 0 {
        bytes[16] ^= 1 << random.random_range(4..8);
    }
    let length = u32::try_from(bytes.len()).expect("short");
    bytes[..4].copy_from_slice(&length.to_le_bytes());
    let crc = crc_of(&bytes);
    bytes[20..24].copy_from_slice(&crc.to_le_bytes());
    Record::new(record.lsn, record.end, record.version, bytes).ok()
}

#[tokio::test]
async fn records_with_changed_bytes_never_panic() {
    for install in installs() {
        let version = install.version;
        let settings = [("full_page_writes", "on"), ("wal_compression", "on"), ("wal_level", "logical")];
        let server = server(install, &settings).await;
        let watcher = session(&server).await;
        let mut followed = Followed::open(&server).await;
        let begin = seed(&watcher).await;
        let mut workload = Workload::begin(&server, 21).await;
        for _ in 0..80 {
            workload.step().await;
        }
        workload.finish().await;
        let records = followed.catch_up().await;
        let mut random = ChaCha8Rng::seed_from_u64(21);
        let (mut read, mut refused) = (0, 0);
        let limits = Limits {
            versions: 500,
            row_bytes: 100_000,
            states_per_version: 4,
            transactions: 50,
            multixacts: 20,
            pages: 20,
        };
        let seed = Seed { lsn: begin.lsn, snapshot: Snapshot::clone(&begin.snapshot) };
        let mut history = History::begin(seed, limits, true).of_everything();
        for _ in 0..MUTATIONS {
            let record = &records[random.random_range(0..records.len())];
            let Some(mutant) = mutated(record, &mut random) else {
                refused += 1;
                continue;
            };
            let _ = mutant.operation();
            match history.apply(&mutant) {
                Ok(_) => read += 1,
                Err(_) => refused += 1,
            }
            assert!(history.versions().len() <= limits.versions && history.pages().len() <= limits.pages, "{version}");
            assert!(history.versions().row_bytes() <= limits.row_bytes, "{version}");
        }
        let _ = (history.snapshot_at(followed.feed().from()), history.versions().iter().count());
        assert!(read > 1_000 && refused > 1_000, "{version}: {read} were read, {refused} refused");
    }
}
