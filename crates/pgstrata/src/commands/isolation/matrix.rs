//! `pgstrata isolation matrix`: the measured table of anomalies and levels.

use pgstrata_lab::error::LabError;
use pgstrata_scenario::matrix::{Cell, Matrix};
use pgstrata_scenario::play::Stage;
use pgstrata_units::{Isolation, Language, Text};

use super::Playground;
use crate::Ended;
use crate::cli::isolation::MatrixArgs;
use crate::interrupt;
use crate::progress::Bar;
use crate::terminal::Terminal;

pub async fn matrix(args: &MatrixArgs, terminal: Terminal) -> anyhow::Result<Ended> {
    let interrupt = interrupt::token()?;
    let bar = Bar::new(terminal, args.json);
    bar.note(terminal.say(Text { en: "playing Hermitage's cases", zh: "正在运行 Hermitage 的用例" }));
    let playground = Playground::open(&args.server).await?;
    let stage = Stage::new(&playground.endpoint);
    let mut progress = |_, _| ();
    let measured = tokio::select! {
        measured = Matrix::measure(&stage, playground.version, &mut progress) => measured.map_err(anyhow::Error::from),
        () = interrupt.cancelled() => Err(LabError::Interrupted.into()),
    };
    bar.finish();
    playground.close().await;
    let matrix = measured?;
    if args.json {
        println!("{}", serde_json::to_string_pretty(&matrix)?);
    } else {
        print_table(&matrix, terminal);
    }
    let is_as_known = matrix.rows.iter().flat_map(|row| &row.cells).all(|cell| cell.complaints.is_empty());
    Ok(if is_as_known { Ended::Held } else { Ended::Failed })
}

fn print_table(matrix: &Matrix, terminal: Terminal) {
    println!("PostgreSQL {}", matrix.version);
    let head: Vec<String> = Isolation::ALL.iter().map(|level| format!("{:<16}", level.sql())).collect();
    println!("{:<9} {}", "", head.join("  "));
    for row in &matrix.rows {
        let cells: Vec<String> = row.cells.iter().map(|cell| padded(word(cell, terminal))).collect();
        println!("{:<9} {}", row.anomaly, cells.join("  ").trim_end());
    }
    println!();
    for row in &matrix.rows {
        for cell in &row.cells {
            let Some(witness) = &cell.witness else { continue };
            println!("{} {} {} ({})", row.anomaly, at_words(terminal), cell.level, witness.scenario);
            let because = match terminal.language {
                Language::Chinese => &witness.because_zh,
                Language::English => &witness.because,
            };
            for sentence in because {
                println!("  {sentence}");
            }
        }
    }
    for cell in matrix.rows.iter().flat_map(|row| &row.cells) {
        for complaint in &cell.complaints {
            println!("! {}: {complaint}", cell.level);
        }
    }
}

fn word(cell: &Cell, terminal: Terminal) -> &'static str {
    let text = match (cell.complaints.is_empty(), cell.occurs()) {
        (false, _) => Text { en: "UNEXPECTED", zh: "出乎意料" },
        (true, true) => Text { en: "happens", zh: "会发生" },
        (true, false) => Text { en: "prevented", zh: "被阻止" },
    };
    terminal.say(text)
}

fn at_words(terminal: Terminal) -> &'static str {
    terminal.say(Text { en: "at", zh: "于" })
}

/// A word in a column; Chinese characters are two columns wide.
fn padded(word: &str) -> String {
    const WIDTH: usize = 16;
    let width: usize = word.chars().map(|character| if character.is_ascii() { 1 } else { 2 }).sum();
    format!("{word}{}", " ".repeat(WIDTH.saturating_sub(width)))
}
