//! `pgstrata record`: what was measured before.

use pgstrata_lab::archive;
use pgstrata_lab::report;
use pgstrata_units::Text;

use crate::Ended;
use crate::cli::RecordCommand;
use crate::terminal::Terminal;

use super::list::find;

pub fn record(command: &RecordCommand, terminal: Terminal) -> anyhow::Result<Ended> {
    match command {
        RecordCommand::List { dir, json } => {
            let entries = archive::list(dir)?;
            if *json {
                println!("{}", serde_json::to_string_pretty(&entries)?);
            } else if entries.is_empty() {
                let none = Text { en: "no records in", zh: "没有记录：" };
                println!("{} {}", terminal.say(none), dir.display());
            } else {
                for entry in entries {
                    println!("{entry}");
                }
            }
        }
        RecordCommand::Show { file, json, report } => {
            let record = archive::load(file)?;
            let study = find(&record.study)?;
            if *json {
                println!("{}", serde_json::to_string_pretty(&record)?);
            } else {
                print!("{}", report::terminal(&record, study.card(), &terminal.style()));
            }
            if let Some(path) = report {
                std::fs::write(path, report::html(&record, study.card(), terminal.language))?;
            }
        }
        RecordCommand::Compare { before, after } => {
            let (before, after) = (archive::load(before)?, archive::load(after)?);
            print!("{}", report::compare(&before, &after, &terminal.style())?);
        }
    }
    Ok(Ended::Held)
}
