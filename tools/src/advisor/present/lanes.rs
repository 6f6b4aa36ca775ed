//! A witness's schedule as lanes: one column for each transaction, one line for each step, time going down.
//!
//! Where the terminal is too narrow for that, one line for each step with the transaction's name before it.

use pgstrata_lab::report::{Style, text_columns, wrap};
use pgstrata_units::{Language, Text};

use super::scene::{Scene, label, with_arguments};
use crate::advisor::witness::{Instance, Step, StepKind, Witness};

/// A lane narrower than this is not readable, columns.
const LANE_LEAST: usize = 26;
/// A lane need not be wider, columns.
const LANE_MOST: usize = 48;
/// Before the lanes: the number of the step.
const NUMBER: usize = 4;

/// The schedule.
#[must_use]
pub fn lanes(scene: &Scene<'_>, witness: &Witness, style: Style) -> Vec<String> {
    let count = witness.instances.len().max(1);
    let width = usize::from(style.width).saturating_sub(NUMBER + 2) / count;
    if width < LANE_LEAST { list(scene, witness, style) } else { drawn(scene, witness, style, width.min(LANE_MOST)) }
}

/// One line for each step.
fn list(scene: &Scene<'_>, witness: &Witness, style: Style) -> Vec<String> {
    let most = usize::from(style.width).saturating_sub(NUMBER + 8);
    let mut lines = Vec::new();
    for (number, step) in witness.schedule.iter().enumerate() {
        let Some(instance) = witness.instances.get(step.instance) else { continue };
        for (at, part) in wrap(&said(scene, step, instance, style.language), most).iter().enumerate() {
            let head = if at == 0 { format!("{:>3}  {:<4}", number + 1, instance.name) } else { " ".repeat(9) };
            lines.push(style.text(format!("{head} {part}").trim_end()));
        }
    }
    lines
}

fn drawn(scene: &Scene<'_>, witness: &Witness, style: Style, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let heads: Vec<Vec<String>> =
        witness.instances.iter().map(|instance| vec![label(instance), instance.level.to_string()]).collect();
    lines.extend(rows(None, &heads, width, style).into_iter().map(|line| style.bold(&line)));
    for (number, step) in witness.schedule.iter().enumerate() {
        let Some(instance) = witness.instances.get(step.instance) else { continue };
        let mut cells = vec![Vec::new(); witness.instances.len()];
        cells[step.instance] = wrap(&said(scene, step, instance, style.language), width - 2);
        lines.extend(rows(Some(number + 1), &cells, width, style));
    }
    lines
}

/// The lines of one row of cells.
fn rows(number: Option<usize>, cells: &[Vec<String>], width: usize, style: Style) -> Vec<String> {
    let height = cells.iter().map(Vec::len).max().unwrap_or(0).max(1);
    (0..height)
        .map(|at| {
            let mut line = match number {
                Some(number) if at == 0 => format!("{number:>3} "),
                _ => " ".repeat(NUMBER),
            };
            for cell in cells {
                let text = style.text(cell.get(at).map_or("", String::as_str));
                line.push_str(if style.unicode { "│ " } else { "| " });
                let padding = (width - 2).saturating_sub(text_columns(&text));
                line.push_str(&text);
                line.push_str(&" ".repeat(padding));
            }
            line.trim_end().to_owned()
        })
        .collect()
}

/// What a step does.
fn said(scene: &Scene<'_>, step: &Step, instance: &Instance, language: Language) -> String {
    let text = match step.what {
        StepKind::Begin => format!("begin isolation level {}", instance.level),
        StepKind::Commit => "commit".to_owned(),
        StepKind::Statement(number) => match scene.statement(&instance.program, number) {
            Some(statement) => with_arguments(&statement.text, instance),
            None => format!("#{}", number + 1),
        },
    };
    if !step.waits {
        return text;
    }
    let waits = Text { en: "waits for the lock", zh: "等待锁" }.get(language);
    format!("{text}  [{waits}]")
}
