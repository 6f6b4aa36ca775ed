//! What reading a log takes of memory, counted by the allocator: the same for ten megabytes and for forty, and bounded for
//! logs that are made to need much. No server and no clock.

use std::alloc::{GlobalAlloc, Layout, System};
use std::fmt::Write as _;
use std::io::{BufReader, Read};
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use pgstrata_tools::advisor::log::{BEGINNING_BYTES, Counts, LogError, LogReader, LogReading};

/// The system's allocator, which also counts what is held.
struct Counting;

/// Bytes that are held now.
static HELD: AtomicUsize = AtomicUsize::new(0);
/// The most that were held since this was last set.
static PEAK: AtomicUsize = AtomicUsize::new(0);
/// One measurement at a time.
static ALONE: Mutex<()> = Mutex::new(());

// SAFETY: every call goes to the system's allocator with the same arguments; only numbers are kept beside it.
#[expect(unsafe_code, reason = "an allocator that counts is an allocator")]
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let held = HELD.fetch_add(layout.size(), Ordering::Relaxed) + layout.size();
        PEAK.fetch_max(held, Ordering::Relaxed);
        // SAFETY: the caller keeps what `alloc` asks for.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        HELD.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: the memory is the system allocator's, of this layout.
        unsafe { System.dealloc(memory, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

const MEGABYTE: usize = 1024 * 1024;

/// What no log may need, bytes: sessions and programs 64 MB each, statements 32 MB, and the work on one entry of 4 MB, whose
/// tokens take forty times its length.
const MOST: usize = 256 * MEGABYTE;

/// A log that is made while it is read, so that it takes no memory itself.
struct Written<'a> {
    line: &'a dyn Fn(usize, &mut String),
    next: usize,
    pending: String,
    taken: usize,
    left: usize,
}

impl Read for Written<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        if self.taken == self.pending.len() {
            if self.left == 0 {
                return Ok(0);
            }
            self.pending.clear();
            self.taken = 0;
            (self.line)(self.next, &mut self.pending);
            self.next += 1;
            self.left = self.left.saturating_sub(self.pending.len());
        }
        let part = &self.pending.as_bytes()[self.taken..];
        let length = part.len().min(buffer.len());
        buffer[..length].copy_from_slice(&part[..length]);
        self.taken += length;
        Ok(length)
    }
}

/// Writes an entry of a session.
fn entry(text: &mut String, number: usize, session: usize, transaction: usize, message: &str) {
    let _ = writeln!(
        text,
        r#"{{"timestamp":"2026-11-23 10:{:02}:{:02}.000 UTC","dbname":"bank","session_id":"6921.{session:x}","line_num":{number},"vxid":"{session}/{transaction}","error_severity":"LOG","state_code":"00000","message":"{message}"}}"#,
        number / 60 % 60,
        number % 60,
    );
}

/// Reads a log of so many bytes; the peak of what reading held, and what came out.
fn peak(bytes: usize, line: &dyn Fn(usize, &mut String)) -> (usize, Result<LogReading, LogError>) {
    let _alone = ALONE.lock().expect("no measurement has failed before");
    let log = Written { line, next: 0, pending: String::with_capacity(8 * MEGABYTE), taken: 0, left: bytes };
    let before = HELD.load(Ordering::Relaxed);
    PEAK.store(before, Ordering::Relaxed);
    let mut reader = LogReader::new(None);
    reader.read(PathBuf::from("a.json"), &mut BufReader::with_capacity(BEGINNING_BYTES, log)).expect("it is a log");
    let read = reader.finish();
    (PEAK.load(Ordering::Relaxed) - before, read)
}

/// Three statements of a transfer in each of twenty sessions, with other values each time.
fn transfers(number: usize, text: &mut String) {
    let (session, transaction) = (number % 20, number / 20);
    let account = number * 7 % 1000;
    for statement in [
        "begin".to_owned(),
        format!("select balance from account where id = {account}"),
        format!("update account set balance = balance - {} where id = {account}", number % 90),
        format!("insert into entry (account, amount, note) values ({account}, {}, 'transfer {number}')", number % 90),
        "commit".to_owned(),
    ] {
        entry(text, number * 5, session, transaction + 1, &format!("statement: {statement}"));
    }
}

#[test]
fn an_ordinary_log_takes_the_same_memory_however_long_it_is() {
    let (of_ten, read) = peak(10 * MEGABYTE, &transfers);
    let counts: Counts = read.expect("programs").counts;
    assert!(counts.committed > 8_000, "{counts:?}");
    let (of_forty, read) = peak(40 * MEGABYTE, &transfers);
    assert!(read.expect("programs").counts.committed > 4 * (counts.committed - 100));

    assert!(of_ten < MEGABYTE, "{of_ten} bytes");
    assert!(of_forty < of_ten + of_ten / 10, "{of_ten} bytes for ten megabytes, {of_forty} for forty");
}

#[test]
fn statements_that_are_all_different_take_bounded_memory() {
    let (held, read) = peak(40 * MEGABYTE, &|number, text| {
        let columns: String = (0..2_000).fold(String::new(), |mut columns, column| {
            let _ = write!(columns, "c{number}_{column}, ");
            columns
        });
        entry(text, number, number % 9, number / 9 + 1, &format!("statement: select {columns}1 from t"));
    });
    let counts = read.expect("programs").counts;

    assert!(held < MOST, "{held} bytes");
    assert!(counts.too_many_shapes + counts.too_many_programs > 0, "the bound was met: {counts:?}");
}

#[test]
fn transactions_that_never_end_take_bounded_memory() {
    // A thousand sessions, each with a transaction of statements with thirty long values.
    let (held, read) = peak(100 * MEGABYTE, &|number, text| {
        let session = number % 1_000;
        let values = format!("'{number:0>70}', ").repeat(30);
        let statement = match number / 1_000 {
            0 => "begin".to_owned(),
            _ => format!("select f({values}0) from t where id = {number}"),
        };
        entry(text, number, session, 1, &format!("statement: {statement}"));
    });

    assert!(held < MOST, "{held} bytes");
    let is_understood = match &read {
        Ok(reading) => reading.counts.unfinished > 0,
        Err(_) => false,
    };
    assert!(is_understood, "{read:?}");
}

#[test]
fn entries_of_the_greatest_length_take_bounded_memory() {
    // Each nearly as long as the bound, all of it values.
    let (held, read) = peak(24 * MEGABYTE, &|number, text| {
        let values = "1,".repeat(1_900_000);
        entry(text, number, number % 3, number / 3 + 1, &format!("statement: select a from t where id in ({values}1)"));
    });

    assert!(held < MOST, "{held} bytes");
    assert!(read.expect("programs").counts.committed > 4);
}
