//! What a record says of the machine, the program and the time. Reads `/proc` and asks git; changes nothing.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::record::{Build, Machine};

/// The machine as it is now. What cannot be read is `unknown` or zero: a record without it is still a record.
#[must_use]
pub fn describe() -> Machine {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let uname = nix::sys::utsname::uname().ok();
    let word =
        |word: Option<&std::ffi::OsStr>| word.map_or("unknown".to_owned(), |word| word.to_string_lossy().into_owned());
    Machine {
        host: word(uname.as_ref().map(nix::sys::utsname::UtsName::nodename)),
        cpus: std::thread::available_parallelism().map_or(0, |count| u32::try_from(count.get()).unwrap_or(u32::MAX)),
        cpu_model: cpu_model(&read("/proc/cpuinfo")),
        memory_bytes: memory_bytes(&read("/proc/meminfo")),
        kernel: format!(
            "{} {}",
            word(uname.as_ref().map(nix::sys::utsname::UtsName::sysname)),
            word(uname.as_ref().map(nix::sys::utsname::UtsName::release))
        ),
        load_average: load_average(&read("/proc/loadavg")),
    }
}

/// This program: `version` is the crate version of the binary.
///
/// The commit is that of the checkout that the program was compiled in, as it is now: a program is built just
/// before it runs, and a commit baked in by a build script would miss changes that were not committed. A package
/// that is built outside a checkout sets `PGSTRATA_COMMIT` when it compiles.
#[must_use]
pub fn build(version: &str) -> Build {
    let commit = match option_env!("PGSTRATA_COMMIT") {
        Some(commit) => commit.to_owned(),
        None => commit_of(Path::new(env!("CARGO_MANIFEST_DIR"))).unwrap_or_else(|| "unknown".to_owned()),
    };
    let profile = if cfg!(debug_assertions) { "debug" } else { "release" };
    Build { version: version.to_owned(), commit, profile: profile.to_owned() }
}

/// The time now, RFC 3339 in UTC to the second: `2025-01-01T12:00:00Z`.
#[must_use]
pub fn now_rfc3339() -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    rfc3339(now)
}

/// A Unix time in seconds as RFC 3339, UTC.
fn rfc3339(seconds: u64) -> String {
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    let (year, month, day) = civil(days);
    format!("{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}Z", second / 3_600, second / 60 % 60, second % 60)
}

/// The date of a number of days since 1970-01-01 (Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms",
/// `civil_from_days`): years are counted from March, so that the leap day is the last.
const fn civil(days: u64) -> (u64, u64, u64) {
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = year_of_era + era * 400 + if month <= 2 { 1 } else { 0 };
    (year, month, day)
}

fn commit_of(checkout: &Path) -> Option<String> {
    let commit = git(checkout, &["rev-parse", "--short=12", "HEAD"])?;
    let changes = git(checkout, &["status", "--porcelain", "--untracked-files=no"])?;
    Some(if changes.is_empty() { commit } else { format!("{commit}-dirty") })
}

fn git(checkout: &Path, arguments: &[&str]) -> Option<String> {
    let output = Command::new("git")
        // A checkout of another user is only asked for its commit, which runs none of its code.
        .args(["-c", "safe.directory=*", "-c", "core.fsmonitor=false", "-C"])
        .arg(checkout)
        .args(arguments)
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// The model of the first processor; x86 says `model name`, others `Model` or `Hardware`.
fn cpu_model(cpuinfo: &str) -> String {
    let field = |name: &str| {
        cpuinfo.lines().find_map(|line| {
            let (key, value) = line.split_once(':')?;
            (key.trim() == name && !value.trim().is_empty()).then(|| value.trim().to_owned())
        })
    };
    ["model name", "Model", "Hardware", "uarch"].into_iter().find_map(field).unwrap_or_else(|| "unknown".to_owned())
}

fn memory_bytes(meminfo: &str) -> u64 {
    let kibibytes = meminfo
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:"))
        .and_then(|rest| rest.split_whitespace().next())
        .and_then(|number| number.parse::<u64>().ok());
    kibibytes.map_or(0, |number| number.saturating_mul(1024))
}

fn load_average(loadavg: &str) -> f64 {
    loadavg.split_whitespace().next().and_then(|number| number.parse().ok()).unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_as_rfc_3339_says() {
        let check = |seconds, expected: &str| assert_eq!(rfc3339(seconds), expected);
        check(0, "1970-01-01T00:00:00Z");
        check(951_782_399, "2000-02-28T23:59:59Z");
        check(951_782_400, "2000-02-29T00:00:00Z");
        check(1_735_732_800, "2025-01-01T12:00:00Z");
        check(4_107_542_399, "2100-02-28T23:59:59Z");
        check(4_107_542_400, "2100-03-01T00:00:00Z");
    }

    #[test]
    fn this_machine_has_processors_memory_and_a_kernel() {
        let machine = describe();
        assert!(machine.cpus >= 1);
        assert!(machine.memory_bytes > 1 << 20);
        assert!(machine.kernel.starts_with("Linux ") || machine.kernel.starts_with("Darwin "), "{}", machine.kernel);
        assert!(!machine.host.is_empty());
    }

    #[test]
    fn the_processor_is_named_on_x86_and_on_arm_boards() {
        assert_eq!(cpu_model("processor\t: 0\nmodel name\t: Example 3000\nmodel name\t: Other\n"), "Example 3000");
        assert_eq!(cpu_model("processor\t: 0\nModel\t\t: Example Board\n"), "Example Board");
        assert_eq!(cpu_model(""), "unknown");
    }

    #[test]
    fn memory_and_load_are_read_from_proc() {
        assert_eq!(memory_bytes("MemTotal:        8172568 kB\nMemFree: 1 kB\n"), 8_368_709_632);
        assert!((load_average("0.31 0.20 0.10 1/234 567\n") - 0.31).abs() < 1e-9);
        assert_eq!(memory_bytes("nothing"), 0);
    }

    #[test]
    fn a_folder_outside_a_checkout_has_no_commit() {
        let dir = tempfile::tempdir().expect("a directory");
        assert_eq!(commit_of(dir.path()), None);
    }
}
