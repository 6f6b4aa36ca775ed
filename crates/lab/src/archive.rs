//! Records as files: `<dir>/<date>-<host>/<study>-<preset>-<time>.json`, the date and the time in UTC.
//!
//! A file appears whole or not at all and is never overwritten. Nothing here judges or prints.

mod json;

use std::collections::BTreeSet;
use std::fmt;
use std::fs;
use std::io::{self, BufWriter, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use pgstrata_stats::LatencyHistogram;
use serde::{Deserialize, Serialize};

use crate::record::{Machine, RECORD_FORMAT, Record, TrialPurpose};
use crate::report::summary::preset_name;

pub use json::to_json;

/// A record is refused above this size, bytes. One of a full run is below 1 MB.
pub const SIZE_LIMIT: u64 = 64 * 1024 * 1024;

/// How many records of one study and preset may start in the same second.
const NAMES_A_SECOND: u32 = 100;

/// The description of the machine beside the records.
const MACHINE_FILE: &str = "machine.txt";

/// Why a record could not be kept or read.
#[derive(Debug, thiserror::Error)]
#[error("could not {action} {}", path.display())]
pub struct ArchiveError {
    /// What was tried, as a lowercase fragment: `read the record`.
    pub action: &'static str,
    /// The file or directory.
    pub path: PathBuf,
    /// What is wrong.
    #[source]
    pub kind: ArchiveErrorKind,
}

/// What is wrong with a record file.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveErrorKind {
    /// The file system said no.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The file is larger than [`SIZE_LIMIT`].
    #[error("it has {bytes} bytes, and no record has more than {SIZE_LIMIT}")]
    TooLarge {
        /// Its size.
        bytes: u64,
    },
    /// The file is no record.
    #[error("it is not a record")]
    NotARecord(#[source] serde_json::Error),
    /// The file is a record of another format.
    #[error("it has format {found}, and this pgstrata reads format {RECORD_FORMAT}")]
    OtherFormat {
        /// Its format.
        found: u32,
    },
    /// The record holds a number that JSON cannot.
    #[error("it cannot be written as JSON")]
    NotJson(#[source] serde_json::Error),
    /// A hundred records started in the same second.
    #[error("there are {NAMES_A_SECOND} records of this second already")]
    NoFreeName,
}

impl ArchiveError {
    fn new(action: &'static str, path: &Path, kind: impl Into<ArchiveErrorKind>) -> Self {
        Self { action, path: path.to_owned(), kind: kind.into() }
    }

    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> String {
        match &self.kind {
            ArchiveErrorKind::Io(error) if error.kind() == io::ErrorKind::NotFound => {
                "`pgstrata record list` shows the records there are".to_owned()
            }
            ArchiveErrorKind::Io(error) if error.kind() == io::ErrorKind::StorageFull => {
                "free some space, or name a directory on another file system".to_owned()
            }
            ArchiveErrorKind::Io(_) => "check that you may read and write there".to_owned(),
            ArchiveErrorKind::TooLarge { .. } | ArchiveErrorKind::NotARecord(_) => {
                "name a file that `pgstrata run --record` wrote".to_owned()
            }
            ArchiveErrorKind::OtherFormat { found } if *found > RECORD_FORMAT => {
                "read it with the newer pgstrata that wrote it".to_owned()
            }
            ArchiveErrorKind::OtherFormat { .. } => {
                "check out the commit that the file names under `build` and read it with that, or run again".to_owned()
            }
            ArchiveErrorKind::NotJson(_) => "this is a fault of pgstrata; please report it".to_owned(),
            ArchiveErrorKind::NoFreeName => "name another directory".to_owned(),
        }
    }
}

/// A record's file, as its name describes it; the file was not opened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Entry {
    /// Where it is.
    pub path: PathBuf,
    /// The study.
    pub study: String,
    /// The preset.
    pub preset: String,
    /// When the run started: `2025-01-01T12:00:00Z`.
    pub started_at: String,
    /// The host.
    pub host: String,
}

impl fmt::Display for Entry {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { path, study, preset, started_at, host } = self;
        write!(formatter, "{started_at}  {study:<16} {preset:<6} {host:<16} {}", path.display())
    }
}

/// Writes a record below `dir` and says where.
///
/// # Errors
/// If a directory or the file cannot be written; then there is no file.
pub fn save(record: &Record, dir: &Path) -> Result<PathBuf, ArchiveError> {
    let (_, time) = date_and_time(&record.started_at);
    let folder = dir.join(folder_name(&record.started_at, &record.machine));
    let failed = |kind: ArchiveErrorKind| ArchiveError::new("write a record into", &folder, kind);
    let text = to_json(record).map_err(|error| failed(ArchiveErrorKind::NotJson(error)))?;
    fs::create_dir_all(&folder).map_err(|error| failed(error.into()))?;
    let machine = folder.join(MACHINE_FILE);
    if !machine.exists() {
        write_new(&machine, machine_text(&record.machine).as_bytes()).map_err(|error| failed(error.into()))?;
    }
    let stem = format!("{}-{}-{time}", file_name_part(&record.study), preset_name(record.preset));
    for number in 1..=NAMES_A_SECOND {
        let path = folder.join(if number == 1 { format!("{stem}.json") } else { format!("{stem}_{number}.json") });
        if path.exists() {
            continue;
        }
        match write_new(&path, &text) {
            Ok(()) => return Ok(path),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(failed(error.into())),
        }
    }
    Err(failed(ArchiveErrorKind::NoFreeName))
}

/// The folder of a day's records of one machine: `2025-01-01-example`.
#[must_use]
pub fn folder_name(started_at: &str, machine: &Machine) -> String {
    format!("{}-{}", date_and_time(started_at).0, file_name_part(&machine.host))
}

/// Reads a record.
///
/// # Errors
/// If the file cannot be read, is no record, or is one of another format.
pub fn load(path: &Path) -> Result<Record, ArchiveError> {
    read(path).map_err(|kind| ArchiveError::new("read the record", path, kind))
}

fn read(path: &Path) -> Result<Record, ArchiveErrorKind> {
    /// The one field that every format has.
    #[derive(Deserialize)]
    struct Head {
        format: u32,
    }
    let file = fs::File::open(path)?;
    let bytes = file.metadata()?.len();
    if bytes > SIZE_LIMIT {
        return Err(ArchiveErrorKind::TooLarge { bytes });
    }
    let mut text = Vec::new();
    file.take(SIZE_LIMIT).read_to_end(&mut text)?;
    let head: Head = serde_json::from_slice(&text).map_err(ArchiveErrorKind::NotARecord)?;
    if head.format != RECORD_FORMAT {
        return Err(ArchiveErrorKind::OtherFormat { found: head.format });
    }
    serde_json::from_slice(&text).map_err(ArchiveErrorKind::NotARecord)
}

/// The records below `dir`, oldest first; none if there is no such directory.
///
/// Files with other names are passed over.
///
/// # Errors
/// If a directory cannot be read.
pub fn list(dir: &Path) -> Result<Vec<Entry>, ArchiveError> {
    let mut entries = Vec::new();
    for folder in children(dir)? {
        let Some((date, host)) = folder_parts(&folder) else { continue };
        for path in children(&folder)? {
            if let Some((study, preset, time)) = file_parts(&path) {
                let started_at = format!("{date}T{time}Z");
                entries.push(Entry { study, preset, started_at, host: host.clone(), path });
            }
        }
    }
    entries.sort_by(|a, b| (&a.started_at, &a.path).cmp(&(&b.started_at, &b.path)));
    Ok(entries)
}

/// The latest record of a study and a preset below `dir`, if there is one; with `arms`, the latest that measured these and
/// no others.
///
/// # Errors
/// If a directory or a file cannot be read.
pub fn latest(dir: &Path, study: &str, preset: &str, arms: &[&str]) -> Result<Option<Record>, ArchiveError> {
    let wanted: BTreeSet<&str> = arms.iter().copied().collect();
    let entries = list(dir)?;
    for entry in entries.iter().rev().filter(|entry| entry.study == study && entry.preset == preset) {
        let record = load(&entry.path)?;
        if wanted.is_empty()
            || record.arms.iter().map(|measured| measured.arm.as_str()).collect::<BTreeSet<_>>() == wanted
        {
            return Ok(Some(record));
        }
    }
    Ok(None)
}

/// Whether files can be made in `dir`, or where it would be made. Leaves nothing behind.
///
/// # Errors
/// What the file system says.
pub fn check_writable(dir: &Path) -> io::Result<()> {
    let mut existing = dir;
    while !existing.exists() {
        existing = match existing.parent() {
            Some(parent) if parent.as_os_str().is_empty() => Path::new("."),
            Some(parent) => parent,
            None => return Err(io::ErrorKind::NotFound.into()),
        };
    }
    // The file has no name, so it vanishes with its handle.
    tempfile::tempfile_in(existing).map(drop)
}

/// Rounds the latencies of comparison windows to steps of a 32nd (they move by at most 1.6 %), so that a full
/// run's hundreds of windows make a file below 1 MB. The windows of claims and proofs stay as they are.
///
/// To be called once, when the run has ended and before anything is shown, so that what is shown is what is kept.
pub fn thin(record: &mut Record) {
    for trial in record.arms.iter_mut().flat_map(|arm| &mut arm.trials) {
        if trial.purpose == TrialPurpose::Comparison {
            trial.latency = thinned(&trial.latency);
        }
    }
}

fn thinned(fine: &LatencyHistogram) -> LatencyHistogram {
    /// Binary digits that stay: 32 steps between a power of two and the next.
    const DIGITS: u32 = 6;
    let mut coarse = LatencyHistogram::new();
    for (ns, count) in fine.buckets() {
        let dropped = (u64::BITS - ns.leading_zeros()).saturating_sub(DIGITS);
        // The middle of the step, so that no figure is biased.
        let middle = (ns >> dropped << dropped) + ((1 << dropped) >> 1);
        (0..count).for_each(|_| coarse.record_ns(middle));
    }
    coarse
}

fn children(dir: &Path) -> Result<Vec<PathBuf>, ArchiveError> {
    let failed = |error: io::Error| ArchiveError::new("list the records in", dir, error);
    match fs::read_dir(dir) {
        Ok(found) => found.map(|entry| entry.map(|entry| entry.path()).map_err(failed)).collect(),
        // A file among the folders, or no folder at all, holds no records.
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Ok(Vec::new()),
        Err(error) => Err(failed(error)),
    }
}

/// `2025-01-01-example` as (`2025-01-01`, `example`).
fn folder_parts(folder: &Path) -> Option<(String, String)> {
    let name = folder.file_name()?.to_str()?;
    let (date, host) = (name.get(..10)?, name.get(10..)?.strip_prefix('-')?);
    let is_date = date
        .bytes()
        .enumerate()
        .all(|(at, byte)| if at == 4 || at == 7 { byte == b'-' } else { byte.is_ascii_digit() });
    is_date.then(|| (date.to_owned(), host.to_owned()))
}

/// `flash-sale-full-120000.json` as (`flash-sale`, `full`, `12:00:00`).
fn file_parts(path: &Path) -> Option<(String, String, String)> {
    let stem = path.file_name()?.to_str()?.strip_suffix(".json")?;
    let mut parts = stem.rsplitn(3, '-');
    let (time, preset, study) = (parts.next()?, parts.next()?, parts.next()?);
    let digits = time.split('_').next()?;
    if digits.len() != 6 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let time = format!("{}:{}:{}", &digits[..2], &digits[2..4], &digits[4..]);
    Some((study.to_owned(), preset.to_owned(), time))
}

/// The date and the time of an RFC 3339 text as parts of file names: (`2025-01-01`, `120000`).
fn date_and_time(started_at: &str) -> (String, String) {
    let (date, time) = started_at.split_once('T').unwrap_or((started_at, ""));
    let digits: String = time.chars().filter(char::is_ascii_digit).take(6).collect();
    (file_name_part(date), format!("{digits:0<6}"))
}

/// Letters, digits, hyphens and dots stay; a host's name comes from outside and must not become a path.
fn file_name_part(text: &str) -> String {
    let safe =
        |character: char| if character.is_ascii_alphanumeric() || "-.".contains(character) { character } else { '_' };
    let part: String = text.chars().take(64).map(safe).collect();
    let part = part.trim_start_matches('.');
    if part.is_empty() { "unknown".to_owned() } else { part.to_owned() }
}

fn machine_text(machine: &Machine) -> String {
    let Machine { host, cpus, cpu_model, memory_bytes, kernel, load_average } = machine;
    format!(
        "host: {host}\nprocessors: {cpus} × {cpu_model}\nmemory: {memory_bytes} bytes\nkernel: {kernel}\n\
         load average at the start of the first run: {load_average:.2}\n"
    )
}

/// Writes a file that appears whole, and only if there is none of its name.
fn write_new(path: &Path, content: &[u8]) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    // Records are there to be read by others; the process's umask still applies.
    let readable = fs::Permissions::from_mode(0o644);
    let file = tempfile::Builder::new().prefix(".record-").permissions(readable).tempfile_in(folder)?;
    let mut writer = BufWriter::new(file.as_file());
    writer.write_all(content)?;
    writer.flush()?;
    drop(writer);
    file.as_file().sync_all()?;
    file.persist_noclobber(path).map(drop).map_err(|error| error.error)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixture;

    #[test]
    fn a_saved_record_is_found_and_read_back_the_same() {
        let dir = tempfile::tempdir().expect("a directory");
        let record = fixture::load();
        let path = save(&record, dir.path()).expect("it is written");
        assert_eq!(path, dir.path().join("2025-01-01-example/flash-sale-full-120000.json"));
        let again = latest(dir.path(), "flash-sale", "full", &[]).expect("it is read").expect("it is there");
        assert_eq!(to_json(&again).expect("json"), to_json(&record).expect("json"));
        let seed_of = |preset, arms: &[&str]| {
            latest(dir.path(), "flash-sale", preset, arms).expect("what there is is read").map(|record| record.seed)
        };
        let arms: Vec<&str> = record.arms.iter().map(|arm| arm.arm.as_str()).rev().collect();
        assert_eq!(seed_of("ci", &[]), None);
        assert_eq!(seed_of("full", &arms), Some(record.seed), "in whatever order they are named");
        assert_eq!(seed_of("full", &arms[1..]), None, "of a record that measured others, too");
        assert_eq!(seed_of("full", &["no-such-arm"]), None);
    }

    #[test]
    fn two_records_of_one_second_stand_side_by_side_with_the_machine() {
        let dir = tempfile::tempdir().expect("a directory");
        let record = fixture::load();
        save(&record, dir.path()).expect("the first");
        save(&record, dir.path()).expect("the second");
        let entries = list(dir.path()).expect("a list");
        let names: Vec<_> = entries.iter().filter_map(|entry| entry.path.file_name()?.to_str()).collect();
        assert_eq!(names, ["flash-sale-full-120000.json", "flash-sale-full-120000_2.json"]);
        assert_eq!(entries[0].started_at, "2025-01-01T12:00:00Z");
        let folder = dir.path().join("2025-01-01-example");
        assert_eq!(fs::read_dir(&folder).expect("a folder").count(), 3);
        assert!(fs::read_to_string(folder.join(MACHINE_FILE)).expect("text").contains("processors: 2 × Example"));
    }

    #[test]
    fn a_host_name_cannot_leave_the_directory() {
        let dir = tempfile::tempdir().expect("a directory");
        let mut record = fixture::load();
        record.machine.host = "../../etc/passwd".to_owned();
        let path = save(&record, dir.path()).expect("it is written");
        assert_eq!(path.parent(), Some(dir.path().join("2025-01-01-_.._etc_passwd").as_path()));
    }

    #[test]
    fn another_format_is_refused_with_a_way_out() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("newer.json");
        fs::write(&path, r#"{"format": 99, "all": "else is unknown"}"#).expect("a file");
        let error = load(&path).expect_err("format 99 is unknown");
        assert!(matches!(error.kind, ArchiveErrorKind::OtherFormat { found: 99 }));
        assert_eq!(error.hint(), "read it with the newer pgstrata that wrote it");
    }

    #[test]
    fn what_is_no_record_is_named_with_its_path() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("text.json");
        fs::write(&path, "hello").expect("a file");
        let error = load(&path).expect_err("no record");
        assert!(matches!(error.kind, ArchiveErrorKind::NotARecord(_)));
        assert!(error.to_string().ends_with("text.json"));
        let error = load(&dir.path().join("nothing.json")).expect_err("no file");
        assert!(error.hint().contains("record list"));
    }

    #[test]
    fn a_directory_that_is_not_there_has_no_records_but_can_be_written() {
        let dir = tempfile::tempdir().expect("a directory");
        let deep = dir.path().join("not/yet/there");
        assert_eq!(list(&deep).expect("an empty list"), []);
        check_writable(&deep).expect("it could be made");
        assert_eq!(fs::read_dir(dir.path()).expect("a directory").count(), 0);
        assert!(check_writable(Path::new("/proc/nowhere")).is_err());
    }

    #[test]
    fn thinned_latencies_move_by_less_than_two_percent() {
        let mut fine = LatencyHistogram::new();
        (0..20_000).for_each(|step| fine.record_ns(1_000 + step * 1_237));
        let coarse = thinned(&fine);
        assert_eq!(coarse.count(), fine.count());
        assert!(coarse.buckets().count() * 5 < fine.buckets().count());
        for quantile in [0.01, 0.5, 0.99, 1.0] {
            let [before, after] = [&fine, &coarse].map(|all| all.quantile_ns(quantile).expect("values"));
            assert!((after as f64 / before as f64 - 1.0).abs() < 0.02, "{quantile}: {before} → {after}");
        }
    }

    #[test]
    fn a_record_of_a_full_run_stays_below_a_megabyte() {
        let mut record = fixture::full_size();
        thin(&mut record);
        let text = to_json(&record).expect("json");
        assert!(text.len() < 1_000_000, "{} bytes", text.len());
    }
}
