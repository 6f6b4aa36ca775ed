//! A report for a terminal: what is true of the programs as they are, the weakest safe levels, why not lower, what to
//! change, and what was not understood.

use std::collections::BTreeSet;

use pgstrata_lab::chinese::said;
use pgstrata_lab::report::{Meaning, Style, text_columns, wrap};
use pgstrata_sqltext::Unanalysed;
use pgstrata_units::{Isolation, Language, Text};

use super::cycle::cycle;
use super::lanes::lanes;
use super::phrases::{promotion_sentence, shortened, verdict_word};
use super::scene::Scene;
use crate::advisor::report::{Allocation, ProgramReport, PromotedAllocation, ScopeFinding, Verdict};
use crate::advisor::witness::Witness;

/// Statements that could not be analysed and are shown; the number of the others is said.
const UNANALYSED_SHOWN: usize = 20;
/// Promotions that are shown.
const PROMOTIONS_SHOWN: usize = 3;
/// Maximal safe sets of a level that are shown.
const SETS_SHOWN: usize = 6;

/// The whole report.
#[must_use]
pub fn text(scene: &Scene<'_>, style: Style) -> String {
    let mut page = Page { style, lines: Vec::new() };
    headline(&mut page, scene);
    levels(&mut page, scene);
    match &scene.report.asked {
        Verdict::Unsafe(witness) => evidence(&mut page, scene, witness),
        Verdict::Unknown { why, programs } => undecided(&mut page, why, programs),
        Verdict::Safe => {}
    }
    for finding in &scene.report.scopes {
        scope(&mut page, scene, finding);
    }
    promotions(&mut page, scene);
    safe_sets(&mut page, scene);
    not_understood(&mut page, &scene.report.unanalysed);
    page.lines.join("\n") + "\n"
}

/// What could not be analysed, each with its place and what to do.
#[must_use]
pub fn unanalysed(all: &[Unanalysed], style: Style) -> String {
    let mut page = Page { style, lines: Vec::new() };
    not_understood(&mut page, all);
    page.lines.join("\n")
}

struct Page {
    style: Style,
    lines: Vec<String>,
}

impl Page {
    fn heading(&mut self, text: Text) {
        self.lines.push(String::new());
        self.lines.push(self.style.bold(&self.style.label(text)));
    }

    fn say(&self, text: Text) -> &'static str {
        text.get(self.style.language)
    }

    /// A paragraph with an indent.
    fn paragraph(&mut self, indent: usize, text: &str) {
        let width = usize::from(self.style.width).saturating_sub(indent);
        for line in wrap(text, width) {
            self.lines.push(format!("{}{}", " ".repeat(indent), self.style.text(&line)));
        }
    }

    fn is_english(&self) -> bool {
        self.style.language == Language::English
    }
}

fn headline(page: &mut Page, scene: &Scene<'_>) {
    let programs = scene.workload.programs.len();
    let statements: usize = scene.workload.programs.iter().map(|program| program.statements.len()).sum();
    let verdict = page.say(verdict_word(&scene.report.asked));
    let counted = if page.is_english() {
        format!("{programs} programs, {statements} statements; at the levels they ask for: {verdict}")
    } else {
        format!("{programs} 个程序，{statements} 条语句；按各自要求的级别：{verdict}")
    };
    let split: BTreeSet<&str> = scene.report.scopes.iter().map(|finding| finding.program.as_str()).collect();
    let counted = match split.len() {
        0 => counted,
        number if page.is_english() => format!("{counted}, but {number} should be one transaction and are several"),
        number => format!("{counted}，但有 {number} 个本应是一个事务却被分开"),
    };
    let meaning = match scene.report.asked {
        Verdict::Safe if !split.is_empty() => Meaning::Bad,
        Verdict::Safe => Meaning::Good,
        Verdict::Unsafe(_) => Meaning::Bad,
        Verdict::Unknown { .. } => Meaning::Unsure,
    };
    page.lines.push(page.style.mark(meaning, &page.style.text(&counted)));
}

/// The table of levels.
fn levels(page: &mut Page, scene: &Scene<'_>) {
    page.heading(Text { en: "Weakest safe level of each program", zh: "每个程序最弱的安全级别" });
    let head = [
        page.say(Text { en: "program", zh: "程序" }).to_owned(),
        page.say(Text { en: "now", zh: "现在" }).to_owned(),
        page.say(Text { en: "needs", zh: "需要" }).to_owned(),
        page.say(Text { en: "where", zh: "位置" }).to_owned(),
    ];
    let mut rows = vec![(Meaning::Neutral, head)];
    for program in &scene.report.programs {
        rows.push(level_row(page, scene, program));
    }
    let widths: Vec<usize> =
        (0..4).map(|column| rows.iter().map(|(_, row)| text_columns(&row[column])).max().unwrap_or(0)).collect();
    for (number, (meaning, row)) in rows.iter().enumerate() {
        let cells: Vec<String> = row
            .iter()
            .zip(&widths)
            .map(|(cell, width)| format!("{cell}{}", " ".repeat(width - text_columns(cell))))
            .collect();
        let line = cells.join("  ");
        let line = line.trim_end();
        page.lines.push(match number {
            0 => format!("    {}", page.style.faint(line)),
            _ => format!("  {}", page.style.mark(*meaning, line)),
        });
    }
}

fn level_row(page: &Page, scene: &Scene<'_>, program: &ProgramReport) -> (Meaning, [String; 4]) {
    let now = scene.report.asked_levels.level(&program.name);
    let mut notes = vec![program.span.to_string()];
    if program.has_unanalysed {
        notes.push(page.say(Text { en: "not all understood", zh: "未能全部分析" }).to_owned());
    }
    if let Some(reason) = &program.accepted {
        notes.push(format!("{}{reason}", page.say(Text { en: "accepted: ", zh: "已接受：" })));
    }
    let meaning = if now >= program.recommended {
        Meaning::Good
    } else if program.accepted.is_some() {
        Meaning::Neutral
    } else {
        Meaning::Bad
    };
    let declared = if program.declared.is_none() && now == Isolation::ReadCommitted {
        format!("{now} *")
    } else {
        now.to_string()
    };
    let needs = if now > program.recommended {
        let enough = page.say(Text { en: "is enough", zh: "就够" });
        format!("{} {enough}", program.recommended)
    } else {
        program.recommended.to_string()
    };
    let row = [program.name.clone(), declared, needs, notes.join("  ")].map(|cell| page.style.text(&cell));
    (meaning, row)
}

/// The cycle and the schedule.
fn evidence(page: &mut Page, scene: &Scene<'_>, witness: &Witness) {
    page.heading(Text { en: "The dangerous cycle", zh: "危险的环" });
    page.lines.extend(cycle(scene, witness, page.style));
    page.heading(Text { en: "A schedule that commits it", zh: "使其全部提交的调度" });
    page.lines.extend(lanes(scene, witness, page.style));
}

fn undecided(page: &mut Page, why: &str, programs: &[String]) {
    page.heading(Text { en: "Not decided, and so counted as unsafe", zh: "未能判定，按不安全处理" });
    page.paragraph(2, &said(why, page.style.language));
    if !programs.is_empty() {
        page.paragraph(2, &programs.join(", "));
    }
}

/// A program that should be one transaction.
fn scope(page: &mut Page, scene: &Scene<'_>, finding: &ScopeFinding) {
    page.heading(Text { en: "Should be one transaction", zh: "应放进同一个事务" });
    let columns = finding.columns.join(", ");
    let text = if page.is_english() {
        format!(
            "{} reads {} ({columns}) in one transaction and acts in another; {} can come in between. Put them between \
             begin and commit, at {}.",
            finding.program, finding.relation, finding.other, finding.level_as_one
        )
    } else {
        format!(
            "{} 在一个事务里读取 {}（{columns}），在另一个事务里据此行动；{} 可能插在中间。请用 begin 和 commit 包住，级别 {}。",
            finding.program, finding.relation, finding.other, finding.level_as_one
        )
    };
    page.paragraph(2, &text);
    for number in [finding.first, finding.second] {
        let line = shortened(&scene.line(&finding.program, number), usize::from(page.style.width).saturating_sub(6));
        page.paragraph(4, &line);
        if let Some(span) = scene.place(&finding.program, number) {
            let place = page.style.faint(&page.style.text(&span.to_string()));
            page.lines.push(format!("      {place}"));
        }
    }
}

fn promotions(page: &mut Page, scene: &Scene<'_>) {
    let all = &scene.report.with_promotion;
    if all.is_empty() {
        return;
    }
    page.heading(Text { en: "Cheaper levels if the SQL may change", zh: "若可以修改 SQL，级别可以更低" });
    for (number, promoted) in all.iter().take(PROMOTIONS_SHOWN).enumerate() {
        promotion(page, scene, number + 1, promoted);
    }
    if all.len() > PROMOTIONS_SHOWN {
        let more = page.say(Text { en: "more ways: --json", zh: "还有其他办法：--json" });
        page.paragraph(2, &format!("+{} {more}", all.len() - PROMOTIONS_SHOWN));
    }
}

fn promotion(page: &mut Page, scene: &Scene<'_>, number: usize, promoted: &PromotedAllocation) {
    let levels = level_groups(&promoted.allocation);
    page.paragraph(2, &format!("{number}. {levels}"));
    for promotion in &promoted.promotions {
        let sentence = promotion_sentence(promotion);
        let place = scene.place(&promotion.program, promotion.statement).map(ToString::to_string).unwrap_or_default();
        page.paragraph(5, &format!("{}: {}  {place}", promotion.program, sentence.get(page.style.language)));
    }
    for changed in &promoted.changed {
        page.paragraph(7, &format!("- {}", super::scene::one_line(&changed.before)));
        for after in &changed.after {
            page.paragraph(7, &format!("+ {}", super::scene::one_line(after)));
        }
    }
}

/// `read committed: a, b; serializable: c`.
pub fn level_groups(levels: &Allocation) -> String {
    let groups: Vec<String> = Isolation::ALL
        .into_iter()
        .filter_map(|level| {
            let of_level = levels.0.iter().filter(|(_, of)| **of == level);
            let names: Vec<&str> = of_level.map(|(name, _)| name.as_str()).collect();
            (!names.is_empty()).then(|| format!("{level}: {}", names.join(", ")))
        })
        .collect();
    groups.join("; ")
}

fn safe_sets(page: &mut Page, scene: &Scene<'_>) {
    let all: Vec<&str> = scene.workload.programs.iter().map(|program| program.name.as_str()).collect();
    page.heading(Text {
        en: "Which programs are safe together, all at one level",
        zh: "全部使用同一级别时，哪些程序可以共存",
    });
    for level in Isolation::ALL {
        if scene.report.uniform.get(&level).is_some_and(Verdict::is_safe) {
            let everything = page.say(Text { en: "all of them", zh: "全部" });
            page.paragraph(2, &format!("{level}: {everything} ({})", all.len()));
            continue;
        }
        let Some(found) = scene.report.maximal_safe.get(&level) else { continue };
        let mut sets: Vec<String> =
            found.sets.iter().take(SETS_SHOWN).map(|set| format!("{{{}}}", set.join(", "))).collect();
        let is_cut = found.sets.len() > SETS_SHOWN || !found.complete;
        if sets.is_empty() {
            sets.push(page.say(Text { en: "none", zh: "没有" }).to_owned());
        }
        let mark = if is_cut { " …" } else { "" };
        page.paragraph(2, &format!("{level}: {}{mark}", sets.join(" ")));
    }
}

fn not_understood(page: &mut Page, all: &[Unanalysed]) {
    if all.is_empty() {
        return;
    }
    page.heading(Text { en: "Not understood, and so counted as unsafe", zh: "未能分析，按不安全处理" });
    for found in all.iter().take(UNANALYSED_SHOWN) {
        let why = said(&found.why, page.style.language);
        let line = page.style.text(&format!("{}: {why}", found.span));
        page.lines.push(format!("  {}", page.style.mark(Meaning::Unsure, &line)));
        if let Some(hint) = &found.hint {
            let word = page.say(Text { en: "hint: ", zh: "提示：" });
            page.paragraph(4, &format!("{word}{}", said(hint, page.style.language)));
        }
    }
    if all.len() > UNANALYSED_SHOWN {
        let more = page.say(Text { en: "more", zh: "处" });
        page.paragraph(2, &format!("+{} {more}", all.len() - UNANALYSED_SHOWN));
    }
}
