//! A run of the fuzz as a file among the records, and as the table that the book shows of the latest one.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use pgstrata_lab::archive;
use pgstrata_lab::chinese::said;
use pgstrata_lab::error::LabError;
use pgstrata_lab::record::{Build, Machine};
use pgstrata_units::{Language, Text};
use serde::{Deserialize, Serialize};

use super::{Broken, Fuzzed};
use crate::advisor::robustness::Miss;

/// The format of [`FuzzRecord`].
pub const FUZZ_FORMAT: u32 = 1;

/// How file names of records begin; the time of day follows.
const PREFIX: &str = "advisor-fuzz-";

/// A run, with what makes it again.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct FuzzRecord {
    /// [`FUZZ_FORMAT`].
    pub format: u32,
    /// The command that makes it again.
    pub command: String,
    /// When it began, RFC 3339, UTC.
    pub started_at: String,
    /// Where.
    pub machine: Machine,
    /// This program.
    pub build: Build,
    /// The server's version, as it says it.
    pub server: String,
    /// What was found of our own verdicts.
    pub found: Fuzzed,
    /// What the same fuzz makes of deciders that are known to be wrong.
    pub mistakes: Vec<Conviction>,
}

/// A deliberate mistake, and how soon the server contradicted it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Conviction {
    /// The mistake.
    pub mistake: Broken,
    /// Sets that were tried.
    pub sets: u64,
    /// Schedules of what it called safe.
    pub schedules: u64,
    /// The number of the set of which a safe verdict was wrong; none if there was none.
    pub convicted_by: Option<u64>,
}

impl FuzzRecord {
    /// Whether our verdicts held and every mistake was found.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.found.is_sound() && self.mistakes.iter().all(|mistake| mistake.convicted_by.is_some())
    }

    /// Writes it below `dir`, in the folder of its day and machine, and says where.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn save(&self, dir: &Path) -> Result<PathBuf, LabError> {
        let folder = dir.join(archive::folder_name(&self.started_at, &self.machine));
        let time = self.started_at.chars().skip_while(|letter| *letter != 'T').filter(char::is_ascii_digit).take(6);
        let path = folder.join(format!("{PREFIX}{}.json", time.collect::<String>()));
        let write = || {
            fs::create_dir_all(&folder)?;
            let mut file = OpenOptions::new().write(true).create_new(true).open(&path)?;
            file.write_all(serde_json::to_string_pretty(self)?.as_bytes())?;
            file.write_all(b"\n")
        };
        write().map_err(|source| failed(format!("write {}", path.display()), source))?;
        Ok(path)
    }

    /// As a table for a document.
    #[must_use]
    pub fn markdown(&self, language: Language) -> String {
        let found = &self.found;
        let say = |en, zh| Text { en, zh }.get(language);
        let mut table = format!("| {} | |\n|---|---:|\n", say("What was tried", "尝试的内容"));
        let mut row = |what: &str, number: String| {
            let _ = writeln!(table, "| {what} | {number} |");
        };
        row(say("random sets of programs", "随机程序集"), found.sets.to_string());
        row(say("their programs", "其中的程序"), found.programs.to_string());
        row(say("allocations called safe", "判为安全的级别分配"), found.safe.to_string());
        row(
            say("of which a program runs below serializable", "其中有程序低于可串行化"),
            found.safe_below_serializable.to_string(),
        );
        row(say("schedules of them on the server", "在服务器上执行的调度"), found.schedules.to_string());
        row(say("of which two or more transactions committed", "其中两个以上事务提交"), found.concurrent.to_string());
        row(
            say("schedules that cannot be judged", "无法判定的调度"),
            found.undecided.values().sum::<u64>().to_string(),
        );
        row(
            say("safe verdicts that the server contradicts", "被服务器推翻的“安全”结论"),
            found.wrong.len().to_string(),
        );
        row(say("unsafe verdicts, each with a witness", "判为不安全（各带一个见证）"), found.witnesses.to_string());
        row(
            say("of which happened on the server", "其中在服务器上发生"),
            format!("{} ({:.1} %)", found.reproduced, found.reproduced_share() * 100.0),
        );
        row(say("of these, seen in answers or rows", "其中从应答或行中可见"), found.shown_by_outcome.to_string());
        row(
            say("of these, seen only in who wrote and read which version", "其中只从写入与读到的版本可见"),
            (found.reproduced - found.shown_by_outcome).to_string(),
        );
        row(
            say("replays with a recommended fix", "使用推荐修复后的重放"),
            format!("{} / {}", found.fixes_serial, found.fixes),
        );
        row(say("verdicts “unknown”", "“未知”结论"), found.unknown.to_string());
        if found.unknown_sets > 0 {
            row(say("sets with such a verdict", "含此类结论的程序集"), found.unknown_sets.to_string());
        }
        let _ = writeln!(table, "\n{}", self.words(language));
        table.push_str(&unknown(found, language));
        self.list(&mut table, language);
        table
    }

    /// What the numbers are of.
    fn words(&self, language: Language) -> String {
        let (server, seed, cpus) = (&self.server, self.found.seed, self.machine.cpus);
        let (command, day) = (&self.command, self.started_at.get(..10).unwrap_or_default());
        match language {
            Language::English => format!(
                "PostgreSQL {server}, {cpus} processors, {day}, seeds from {seed}: `{command}`. Replays with a fix are \
                 counted as those after which no anomaly was left, of all."
            ),
            Language::Chinese => format!(
                "PostgreSQL {server}，{cpus} 个处理器，{day}，种子自 {seed} 起：`{command}`。修复后的重放为“不再有异常者／全部”。"
            ),
        }
    }

    /// Witnesses that did not happen, and mistakes, each with what came of it.
    fn list(&self, text: &mut String, language: Language) {
        let mut missing: BTreeMap<(u64, &str), u64> = BTreeMap::new();
        for witness in &self.found.not_reproduced {
            *missing.entry((witness.set.seed, &witness.why)).or_default() += 1;
        }
        for ((seed, why), count) in missing {
            let _ = match language {
                Language::English if count == 1 => {
                    writeln!(text, "\n* Set {seed}: the witness did not happen: {why}.")
                }
                Language::English => writeln!(text, "\n* Set {seed}: {count} witnesses did not happen: {why}."),
                Language::Chinese => writeln!(text, "\n* 程序集 {seed}：{count} 个见证未发生：{why}。"),
            };
        }
        if self.mistakes.is_empty() {
            return;
        }
        let (head, never) = match language {
            Language::English => ("| Deliberate mistake | Convicted by set | Sets | Schedules |", "never"),
            Language::Chinese => ("| 故意的错误 | 由哪个程序集证明 | 程序集 | 调度 |", "未发现"),
        };
        let _ = writeln!(text, "\n{head}\n|---|---:|---:|---:|");
        for Conviction { mistake, sets, schedules, convicted_by } in &self.mistakes {
            let by = convicted_by.map_or_else(|| never.to_owned(), |set| set.to_string());
            let _ = writeln!(text, "| {} | {by} | {sets} | {schedules} |", mistake.words().get(language));
        }
    }
}

/// Why verdicts are unknown, the most frequent reason first; nothing where none is, or where it was not counted.
fn unknown(found: &Fuzzed, language: Language) -> String {
    let mut reasons: Vec<(&String, &u64)> = found.unknown_because.iter().collect();
    if reasons.is_empty() {
        return String::new();
    }
    reasons.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
    let head = match language {
        Language::English => "Verdicts “unknown”: a dangerous cycle may be possible, but",
        Language::Chinese => "“未知”结论：可能存在危险的环，但是",
    };
    let mut text = format!("\n| {head} | |\n|---|---:|\n");
    for (why, count) in reasons {
        let miss = Miss::ALL.into_iter().find(|miss| miss.why() == *why);
        let words = match miss {
            Some(miss) => miss.words(),
            None => Cow::Borrowed(why.as_str()),
        };
        let _ = writeln!(text, "| {} | {count} |", said(&words, language));
    }
    text
}

/// The latest run below `dir`; none if there is none.
///
/// # Errors
/// If a file cannot be read, or is no run of this format.
pub fn latest(dir: &Path) -> Result<Option<FuzzRecord>, LabError> {
    let mut found: Vec<PathBuf> = Vec::new();
    for folder in children(dir)? {
        found.extend(children(&folder)?.into_iter().filter(|path| is_run(path)));
    }
    found.sort();
    let Some(path) = found.pop() else { return Ok(None) };
    let reading = |source| failed(format!("read {}", path.display()), source);
    let text = fs::read_to_string(&path).map_err(reading)?;
    let record: FuzzRecord = serde_json::from_str(&text).map_err(|error| reading(error.into()))?;
    if record.format != FUZZ_FORMAT {
        let other = format!("it has format {}, and this pgstrata reads format {FUZZ_FORMAT}", record.format);
        return Err(reading(io::Error::other(other)));
    }
    Ok(Some(record))
}

fn is_run(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str());
    name.is_some_and(|name| name.starts_with(PREFIX)) && path.extension().is_some_and(|extension| extension == "json")
}

fn children(dir: &Path) -> Result<Vec<PathBuf>, LabError> {
    let reading = |source| failed(format!("look for runs of the fuzz in {}", dir.display()), source);
    match fs::read_dir(dir) {
        Ok(entries) => entries.map(|entry| entry.map(|entry| entry.path()).map_err(reading)).collect(),
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Ok(Vec::new()),
        Err(error) => Err(reading(error)),
    }
}

fn failed(action: String, source: io::Error) -> LabError {
    LabError::Machine { action, hint: "name a directory that you may read and write".to_owned(), source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_of_unknown_verdicts_are_told_in_both_languages_the_most_frequent_first() {
        let because = [(Miss::Rows.why(), 3), (Miss::Limit.why(), 40), ("something else".to_owned(), 5)];
        let found = Fuzzed { unknown: 48, unknown_because: because.into_iter().collect(), ..Fuzzed::default() };
        for (language, rows) in [(Language::English, "these rows"), (Language::Chinese, "这些行")] {
            let text = unknown(&found, language);
            let counts: Vec<&str> = text.lines().skip(3).filter_map(|line| line.rsplit(" | ").next()).collect();
            assert_eq!(counts, ["40 |", "5 |", "3 |"], "{text}");
            assert!(text.contains(rows) && text.contains("something else"), "{text}");
        }
        assert_eq!(unknown(&Fuzzed::default(), Language::English), "");
    }
}
