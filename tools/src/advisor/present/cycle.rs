//! The dangerous cycle of a witness, drawn in text: each dependency with its two SQL fragments, their places and columns.

use pgstrata_lab::report::{Style, wrap};
use pgstrata_units::Text;

use super::phrases::{dependency_sentence, kind_name, place};
use super::scene::{Scene, label, one_line};
use crate::advisor::witness::{Dependency, DependencyEnd, Witness};

/// Before the lines of a dependency, columns.
const INDENT: usize = 6;

/// The cycle.
#[must_use]
pub fn cycle(scene: &Scene<'_>, witness: &Witness, style: Style) -> Vec<String> {
    let signs = Signs::of(style);
    let mut lines = Vec::new();
    for dependency in &witness.cycle {
        let name = |end: DependencyEnd| witness.instances.get(end.instance).map_or_else(String::new, label);
        let meeting = place(&dependency.relation.to_string(), &dependency.columns, style.language);
        let head = format!(
            "{} {}{}{} {}",
            name(dependency.from),
            signs.line,
            kind_name(dependency.kind),
            signs.arrow,
            name(dependency.to)
        );
        let against = if dependency.is_counterflow {
            style.label(Text { en: "  (against time)", zh: "  （与时间相反）" })
        } else {
            String::new()
        };
        lines.push(format!("  {} {}  {}{against}", signs.begin, style.bold(&head), style.text(&meeting)));
        lines.extend(fragment(scene, witness, dependency, style, &signs));
    }
    let back = witness.instances.first().map_or("T1", |instance| instance.name.as_str());
    let closing = match style.language {
        pgstrata_units::Language::English => {
            format!("back to {back}: no order of these transactions, one after the other, explains what they saw")
        }
        pgstrata_units::Language::Chinese => format!("回到 {back}：任何依次执行的顺序都无法解释它们看到的结果"),
    };
    let width = usize::from(style.width).saturating_sub(INDENT);
    for (at, part) in wrap(&closing, width).iter().enumerate() {
        let head = if at == 0 { signs.end } else { " " };
        lines.push(format!("  {head} {}", style.text(part)));
    }
    lines
}

/// The sentence of a dependency, and its two statements.
fn fragment(scene: &Scene<'_>, witness: &Witness, dependency: &Dependency, style: Style, signs: &Signs) -> Vec<String> {
    let mut lines = Vec::new();
    let sentence = dependency_sentence(witness, dependency);
    lines.push(format!("  {}   {}", signs.side, style.text(sentence.get(style.language))));
    for end in [dependency.from, dependency.to] {
        let Some(statement) = scene.at(witness, end) else { continue };
        let name = witness.instances.get(end.instance).map_or("", |instance| instance.name.as_str());
        let width = usize::from(style.width).saturating_sub(INDENT + 6);
        for (at, part) in wrap(&one_line(&statement.text), width).iter().enumerate() {
            let head = if at == 0 { format!("{name:<4}") } else { "    ".to_owned() };
            lines.push(format!("  {}   {head} {}", signs.side, style.text(part)));
        }
        let location = style.faint(&style.text(&statement.span.to_string()));
        lines.push(format!("  {}        {location}", signs.side));
    }
    lines
}

/// What is drawn with.
struct Signs {
    begin: &'static str,
    side: &'static str,
    end: &'static str,
    line: &'static str,
    arrow: &'static str,
}

impl Signs {
    fn of(style: Style) -> Self {
        if style.unicode {
            Self { begin: "├", side: "│", end: "└", line: "──", arrow: "─▶" }
        } else {
            Self { begin: "+", side: "|", end: "+", line: "--", arrow: "->" }
        }
    }
}
