//! A server's log, read file by file in the order in which it was written, and what is said of it.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Read};
use std::path::{Path, PathBuf};

use pgstrata_lab::error::LabError;
use pgstrata_lab::report::{Meaning, Style};
use pgstrata_tools::advisor::log::{BEGINNING_BYTES, Counts, LogError, LogReader, LogReading, in_order};
use pgstrata_units::{Language, Text};

use crate::cli::advise::ProgramArgs;
use crate::terminal::Terminal;

/// Programs that are listed.
const PROGRAMS_SHOWN: usize = 12;

type Opened = (PathBuf, BufReader<Box<dyn Read>>);

/// Reads all logs that are named.
pub fn read(args: &ProgramArgs, terminal: Terminal) -> Result<LogReading, LabError> {
    let mut files = Vec::new();
    for path in &args.log {
        let (path, mut reader) = open(path)?;
        let beginning = reader.fill_buf().map_err(|source| unreadable(&path, source))?.to_vec();
        files.push(((path, reader), beginning));
    }
    in_order::<Opened>(&mut files);
    let mut log = LogReader::new(args.log_database.clone()).with_least(args.least);
    for ((path, mut reader), _) in files {
        log.read(path, &mut reader).map_err(refused)?;
    }
    let reading = log.finish().map_err(refused)?;
    for line in warnings(&reading.counts, terminal.language).into_iter().chain(left_out(&reading, terminal)) {
        eprintln!("{line}");
    }
    Ok(reading)
}

fn open(path: &Path) -> Result<Opened, LabError> {
    let reader: Box<dyn Read> = if path.as_os_str() == "-" {
        Box::new(std::io::stdin())
    } else {
        Box::new(File::open(path).map_err(|source| unreadable(path, source))?)
    };
    Ok((path.to_owned(), BufReader::with_capacity(BEGINNING_BYTES, reader)))
}

fn unreadable(path: &Path, source: std::io::Error) -> LabError {
    if source.kind() == std::io::ErrorKind::NotFound {
        return LabError::usage(
            format!("there is no file {}", path.display()),
            "name the files of the server's log directory",
        );
    }
    LabError::Machine {
        action: format!("read {}", path.display()),
        hint: "logs belong to the server's user; copy them, or run as a user who may read them".to_owned(),
        source,
    }
}

fn refused(error: LogError) -> LabError {
    let hint = error.hint();
    match error {
        LogError::Read { path, source } => unreadable(&path, source),
        error => LabError::usage(error.to_string(), hint),
    }
}

/// Which programs are not analysed. To treat what runs as if it never ran is not sound, so it is said whatever is printed.
fn left_out(reading: &LogReading, terminal: Terminal) -> Vec<String> {
    if reading.left_out.is_empty() {
        return Vec::new();
    }
    let (number, least) = (reading.left_out.len(), reading.least);
    let mut lines = vec![match terminal.language {
        Language::English => format!(
            "log: {number} programs are LEFT OUT (committed fewer than {least} times, or loading data): the verdict does not \
             hold beside them; --least 1 takes every program"
        ),
        Language::Chinese => format!(
            "日志：{number} 个程序未纳入分析（提交少于 {least} 次，或仅装载数据）：它们与其他程序并行时结论不成立；--least 1 \
             会纳入全部程序"
        ),
    }];
    let style = terminal.style();
    for program in reading.left_out.iter().take(PROGRAMS_SHOWN) {
        let why = match (program.is_load, terminal.language) {
            (true, Language::English) => ", loads data",
            (true, Language::Chinese) => "，装载数据",
            (false, _) => "",
        };
        lines.push(style.text(&format!("  {:>7}  {}{why}", program.commits, program.name)));
    }
    if number > PROGRAMS_SHOWN {
        lines.push(format!("  +{}", number - PROGRAMS_SHOWN));
    }
    lines
}

/// What could not be read or attributed.
fn warnings(counts: &Counts, language: Language) -> Vec<String> {
    let said = [
        (counts.garbled, Text { en: "entries are cut off or garbled", zh: "条日志被截断或损坏" }),
        (counts.too_long, Text { en: "entries are too long", zh: "条日志过长" }),
        (counts.not_utf8, Text { en: "entries are not UTF-8", zh: "条日志不是 UTF-8" }),
        (counts.out_of_order, Text { en: "entries are out of order", zh: "条日志顺序不对" }),
        (counts.unfinished, Text { en: "transactions have no end in the log", zh: "个事务在日志中没有结尾" }),
        (
            counts.unknown_prepared,
            Text { en: "statements were prepared before the log began", zh: "条语句在日志开始前已准备" },
        ),
        (
            counts.too_long_statements,
            Text { en: "statements are in transactions that are too long", zh: "条语句属于过长的事务" },
        ),
        (counts.too_many_shapes, Text { en: "statements are too many different ones", zh: "条语句超出可区分的数目" }),
        (
            counts.too_many_programs,
            Text { en: "transactions are too many different ones", zh: "个事务超出可区分的数目" },
        ),
    ];
    let prefix = Text { en: "log: ", zh: "日志：" }.get(language);
    let slow = counts.only_slow_us().map(|shortest| match language {
        Language::English => format!(
            "{prefix}every statement in it took {} ms or longer: the server logs slow ones only, so transactions are seen in \
             part; set log_min_duration_statement = 0 for a while",
            shortest / 1000
        ),
        Language::Chinese => format!(
            "{prefix}其中每条语句都耗时 {} ms 以上：服务器只记录慢语句，事务并不完整；请暂时设置 log_min_duration_statement = 0",
            shortest / 1000
        ),
    });
    said.into_iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, text)| format!("{prefix}{count} {}", text.get(language)))
        .chain(slow)
        .collect()
}

/// What was found in the log.
pub fn show(reading: &LogReading, style: Style) -> String {
    let counts = &reading.counts;
    let mut lines = vec![style.text(&match style.language {
        Language::English => format!(
            "{} entries of the log, {} statements: {} transactions committed, {} rolled back, {} failed; {} programs",
            counts.entries,
            counts.statements,
            counts.committed,
            counts.rolled_back,
            counts.failed,
            reading.programs.len()
        ),
        Language::Chinese => format!(
            "日志 {} 条，语句 {} 条：事务提交 {} 个，回滚 {} 个，失败 {} 个；程序 {} 个",
            counts.entries,
            counts.statements,
            counts.committed,
            counts.rolled_back,
            counts.failed,
            reading.programs.len()
        ),
    })];
    for program in reading.programs.iter().take(PROGRAMS_SHOWN) {
        let level = program.level().map(|level| format!("  {level}")).unwrap_or_default();
        let failures: u64 = program.failures.values().sum();
        let failed =
            if failures == 0 { String::new() } else { format!("  {}{failures}", style.text(Meaning::Bad.symbol())) };
        let share = program.frequency * 100.0;
        lines.push(style.text(&format!("  {share:5.1} %  {:>7}  {}{level}{failed}", program.commits, program.name)));
    }
    if reading.programs.len() > PROGRAMS_SHOWN {
        lines.push(format!("  +{}", reading.programs.len() - PROGRAMS_SHOWN));
    }
    lines.join("\n")
}
