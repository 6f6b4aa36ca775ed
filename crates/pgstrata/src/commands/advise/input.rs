//! What is analysed, from files, logs and a server's catalogue; and what is wrong with it, told at its place.

use std::fmt::Write as _;
use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use pgstrata_lab::error::{LabError, nearest};
use pgstrata_sqltext::SqlError;
use pgstrata_tools::advisor::Allocation;
use pgstrata_tools::advisor::input::{Input, Read, SourceText};
use pgstrata_tools::advisor::log::LogReading;
use pgstrata_tools::advisor::present::mistake;
use pgstrata_units::Isolation;

use super::log;
use crate::cli::advise::ProgramArgs;
use crate::terminal::Terminal;

/// The largest file of SQL that is read, bytes.
const FILE_MOST_BYTES: u64 = 16 * 1024 * 1024;
/// All files of SQL together, bytes.
const FILES_MOST_BYTES: usize = 64 * 1024 * 1024;
/// Files that are read from directories.
const FILES_MOST: usize = 5_000;
/// Directories inside directories.
const DEPTH_MOST: usize = 16;
/// Mistakes that are shown.
const MISTAKES_SHOWN: usize = 20;
/// What a log's programs are called as a source.
const LOG_SOURCE: &str = "log";

/// What was read.
pub struct Question {
    /// Its texts.
    pub input: Input,
    /// Tables and programs.
    pub read: Read,
    /// The log, if there was one.
    pub log: Option<LogReading>,
}

/// Reads what the arguments name.
pub async fn question(args: &ProgramArgs, terminal: Terminal) -> anyhow::Result<Question> {
    if args.sql.is_empty() && args.log.is_empty() {
        return Err(LabError::usage(
            "there is nothing to analyse",
            "name files of SQL with --sql, or a server's log with --log; `pgstrata advise --example smallbank` shows one",
        )
        .into());
    }
    let mut input = Input { programs: sources(&args.sql)?, schema: sources(&args.schema)? };
    refuse_too_much(&input)?;
    let log = if args.log.is_empty() { None } else { Some(log::read(args, terminal)?) };
    if let Some(log) = &log {
        input.programs.push(SourceText::new(LOG_SOURCE, log.sql()));
    }
    if let Some(url) = &args.database_url {
        input.schema.push(super::catalogue::definitions(url).await?);
    }
    let read = read(&input)?;
    if read.workload.programs.is_empty() {
        return Err(LabError::usage(
            "there is no transaction in the SQL",
            "put transactions between begin and commit, or below a comment `-- pgstrata: program NAME`",
        )
        .into());
    }
    Ok(Question { input, read, log })
}

/// Reads texts; mistakes in them are the user's.
pub fn read(input: &Input) -> Result<Read, LabError> {
    input.read().map_err(|errors| mistakes(&errors, input))
}

fn mistakes(errors: &[SqlError], input: &Input) -> LabError {
    let shown: Vec<String> = errors.iter().take(MISTAKES_SHOWN).map(|error| mistake(error, input)).collect();
    let mut problem = shown.join("\n");
    if errors.len() > MISTAKES_SHOWN {
        let _ = write!(problem, "\nand {} more", errors.len() - MISTAKES_SHOWN);
    }
    let hint = errors.iter().find_map(|error| error.hint.clone());
    LabError::usage(problem, hint.unwrap_or_else(|| "the place is file:line:column".to_owned()))
}

/// Refuses what would take minutes to read and cannot be meant.
fn refuse_too_much(input: &Input) -> Result<(), LabError> {
    let bytes: usize = input.programs.iter().chain(&input.schema).map(|source| source.text.len()).sum();
    if bytes <= FILES_MOST_BYTES {
        return Ok(());
    }
    Err(LabError::usage(
        format!("the files of SQL have {} MB together, and may have {}", bytes >> 20, FILES_MOST_BYTES >> 20),
        "name the directories that hold transactions; dumps of data are not needed",
    ))
}

/// The files of SQL that are named, and those in directories, in the order of their names.
fn sources(paths: &[PathBuf]) -> Result<Vec<SourceText>, LabError> {
    let mut sources = Vec::new();
    for path in paths {
        if !path.is_dir() {
            sources.push(source(path)?);
            continue;
        }
        let mut files = Vec::new();
        walk(path, 0, &mut files)?;
        if files.is_empty() {
            return Err(LabError::usage(
                format!("there is no .sql file in {}", path.display()),
                "name a directory with files that end in .sql, or the files themselves",
            ));
        }
        for file in files {
            sources.push(source(&file)?);
        }
    }
    Ok(sources)
}

/// Adds the `.sql` files below a directory; hidden directories are left out.
fn walk(directory: &Path, depth: usize, files: &mut Vec<PathBuf>) -> Result<(), LabError> {
    let refused = |source| LabError::Machine {
        action: format!("read {}", directory.display()),
        hint: "name a directory that you may read".to_owned(),
        source,
    };
    let entries: Result<Vec<_>, _> = fs::read_dir(directory).map_err(refused)?.collect();
    let mut paths: Vec<PathBuf> = entries.map_err(refused)?.into_iter().map(|entry| entry.path()).collect();
    paths.sort();
    for path in paths {
        let is_hidden = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
        if is_hidden {
            continue;
        }
        if path.is_dir() && !path.is_symlink() && depth < DEPTH_MOST {
            walk(&path, depth + 1, files)?;
        } else if path.is_file() && path.extension().is_some_and(|extension| extension == "sql") {
            files.push(path);
        }
        if files.len() > FILES_MOST {
            return Err(LabError::usage(
                format!("there are more than {FILES_MOST} files in {}", directory.display()),
                "name the directories that hold transactions",
            ));
        }
    }
    Ok(())
}

/// The text of a file.
fn source(path: &Path) -> Result<SourceText, LabError> {
    let name = path.display().to_string();
    let mut bytes = Vec::new();
    let opened = fs::File::open(path).and_then(|file| file.take(FILE_MOST_BYTES + 1).read_to_end(&mut bytes));
    opened.map_err(|source| match source.kind() {
        std::io::ErrorKind::NotFound => {
            LabError::usage(format!("there is no file {name}"), "name a file of SQL, or a directory of such files")
        }
        _ => LabError::Machine {
            action: format!("read {name}"),
            hint: "name a file that you may read".to_owned(),
            source,
        },
    })?;
    if bytes.len() as u64 > FILE_MOST_BYTES {
        return Err(LabError::usage(
            format!("{name} is larger than {} MB", FILE_MOST_BYTES / 1024 / 1024),
            "name files with transactions; dumps of data are not needed",
        ));
    }
    if bytes.contains(&0) {
        return Err(LabError::usage(
            format!("{name} is no text: it holds a zero byte"),
            "name files of SQL; a dump in PostgreSQL's own format becomes SQL with pg_restore --schema-only -f schema.sql",
        ));
    }
    match String::from_utf8(bytes) {
        // Some editors begin a file with a byte order mark, which PostgreSQL's grammar does not know.
        Ok(text) => {
            Ok(SourceText::new(name, text.strip_prefix('\u{feff}').map_or_else(|| text.clone(), str::to_owned)))
        }
        Err(error) => {
            let valid = &error.as_bytes()[..error.utf8_error().valid_up_to()];
            let text = String::from_utf8_lossy(valid);
            let (line, column) =
                (text.matches('\n').count() + 1, text.rsplit('\n').next().map_or(0, |last| last.chars().count()));
            Err(LabError::usage(
                format!("{name}:{line}:{}: this is not UTF-8", column + 1),
                format!("convert it: iconv -f LATIN1 -t UTF-8 {name}"),
            ))
        }
    }
}

/// The levels that are judged: those on the command line, else what programs ask for, else the default.
pub fn allocation(args: &ProgramArgs, read: &Read) -> Result<Allocation, LabError> {
    let names: Vec<&str> = read.workload.programs.iter().map(|program| program.name.as_str()).collect();
    let for_all =
        args.allocation.iter().rev().find(|assigned| assigned.program.is_none()).map(|assigned| assigned.level);
    let mut levels: Allocation = Allocation::default();
    for program in &read.workload.programs {
        let level: Isolation = for_all.or(program.level).unwrap_or(args.default_level);
        levels.0.insert(program.name.clone(), level);
    }
    for assigned in &args.allocation {
        let Some(program) = &assigned.program else { continue };
        if !levels.0.contains_key(program) {
            let near = nearest(program, names.iter().copied());
            let hint = near.map_or_else(
                || format!("the programs are {}", names.join(", ")),
                |name| format!("did you mean `{name}`?"),
            );
            return Err(LabError::usage(format!("--allocation names `{program}`, and no program has this name"), hint));
        }
        levels.0.insert(program.clone(), assigned.level);
    }
    Ok(levels)
}
