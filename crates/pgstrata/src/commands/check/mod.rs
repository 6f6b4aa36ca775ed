//! `pgstrata check`: reads a history, judges it, says why, and writes what shows it.

mod file;
mod judge;
mod words;

use std::io::Write as _;
use std::path::Path;

use pgstrata_history::formats::{Format, export};
use pgstrata_history::workload::Workload;
use pgstrata_history::{binary, picture};
use pgstrata_lab::error::LabError;
use pgstrata_units::{Language, Text};
use serde_json::json;

use crate::Ended;
use crate::cli::check::CheckArgs;
use crate::terminal::Terminal;
use judge::{Answer, Judged, judge};

pub fn check(args: &CheckArgs, terminal: Terminal) -> anyhow::Result<Ended> {
    let loaded = file::load(args, terminal)?;
    let judged = judge(&loaded.workload, args, terminal.language)?;
    if let (Some(path), Some(witness)) = (&args.witness, &judged.witness) {
        write_witness(path, witness)?;
    }
    draw(args, &loaded.workload, &judged, terminal.language)?;
    if args.json {
        print_json(args, &loaded, &judged)?;
    } else {
        print(args, &loaded, &judged, terminal);
    }
    match judged.answer {
        Answer::Holds => Ok(Ended::Held),
        Answer::Violated => Ok(Ended::Failed),
        Answer::Undecided(why) => Err(undecided(&why, terminal)),
    }
}

/// Writes the pictures that are wanted.
fn draw(args: &CheckArgs, workload: &Workload, judged: &Judged, language: Language) -> Result<(), LabError> {
    let (Workload::ListAppend(history) | Workload::RwRegister(history), Some(finding)) = (workload, &judged.finding)
    else {
        return Ok(());
    };
    if let Some(path) = &args.dot {
        write(path, picture::dot(finding, history).as_bytes())?;
    }
    if let Some(path) = &args.svg {
        write(path, picture::svg(finding, history, language).as_bytes())?;
    }
    Ok(())
}

fn undecided(why: &str, terminal: Terminal) -> anyhow::Error {
    let what = terminal.say(Text { en: "undecided", zh: "未能判定" });
    let hint = terminal.say(Text {
        en: "raise --decide-most, or take --inferred and be content with what is certain",
        zh: "调大 --decide-most，或用 --inferred 只看确定的推断",
    });
    anyhow::anyhow!("{what}: {why}\n{}{hint}", terminal.hint_word())
}

fn print(args: &CheckArgs, loaded: &file::Loaded, judged: &Judged, terminal: Terminal) {
    let (name, format, kind, count) =
        (args.file.display(), loaded.format, loaded.workload.kind(), loaded.workload.len());
    println!(
        "{}",
        match terminal.language {
            Language::English => format!("{name}: {kind} history ({format}), {count} operations or transactions"),
            Language::Chinese => format!("{name}：{kind} 历史({format})，{count} 个操作或事务"),
        }
    );
    let verdict = match judged.answer {
        Answer::Holds => Text { en: "holds", zh: "成立" },
        Answer::Violated => Text { en: "VIOLATED", zh: "被违反" },
        Answer::Undecided(_) => Text { en: "undecided", zh: "未能判定" },
    };
    let colon = terminal.say(Text { en: ": ", zh: "：" });
    println!("{}{colon}{}", judged.promise, terminal.say(verdict));
    if !judged.lines.is_empty() {
        println!();
    }
    for line in &judged.lines {
        println!("{line}");
    }
}

fn print_json(args: &CheckArgs, loaded: &file::Loaded, judged: &Judged) -> anyhow::Result<()> {
    let (answer, why) = match &judged.answer {
        Answer::Holds => ("holds", None),
        Answer::Violated => ("violated", None),
        Answer::Undecided(why) => ("undecided", Some(why)),
    };
    let value = json!({
        "file": args.file,
        "format": loaded.format,
        "kind": loaded.workload.kind(),
        "length": loaded.workload.len(),
        "promise": judged.promise,
        "answer": answer,
        "undecided": why,
        "found": judged.json,
    });
    println!("{}", serde_json::to_string_pretty(&value)?);
    Ok(())
}

/// Writes the small history in the format that the file's name asks for: `.json`, `.jsonl`, `.txt`, `.pgshist`, EDN otherwise.
fn write_witness(path: &Path, witness: &Workload) -> Result<(), LabError> {
    let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
    if let ("pgshist", Workload::ListAppend(history) | Workload::RwRegister(history)) = (extension, witness) {
        return write(path, &binary::write(history));
    }
    let format = match extension {
        "json" | "jsonl" => Format::Json,
        "txt" => Format::Text,
        _ => Format::Edn,
    };
    let mut text = String::new();
    export(witness, format, &mut text).map_err(|error| {
        LabError::usage(format!("cannot write {}: {error}", path.display()), "name a file that ends in .edn")
    })?;
    write(path, text.as_bytes())
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), LabError> {
    let written = std::fs::File::create(path).and_then(|mut file| file.write_all(bytes));
    written.map_err(|source| LabError::Machine {
        action: format!("write {}", path.display()),
        hint: "name a file in a directory that you may write to".to_owned(),
        source,
    })
}
