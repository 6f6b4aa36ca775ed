//! What the analysis found, as parts of a record: levels, evidence, changes of the SQL, and what follows.

use std::fmt::Write as _;

use pgstrata_lab::chinese::said;
use pgstrata_lab::report::Style;
use pgstrata_units::{Isolation, Language, Text};

use super::Adr;
use crate::advisor::present::document::{Block, Document};
use crate::advisor::present::lanes::lanes;
use crate::advisor::present::phrases::{dependency_sentence, kind_name, place, promotion_sentence, verdict_word};
use crate::advisor::present::scene::{label, one_line};
use crate::advisor::present::text::level_groups;
use crate::advisor::witness::{Dependency, DependencyEnd, Witness};

/// Wide enough for three lanes, narrow enough for a page, columns.
const CODE_WIDTH: u16 = 120;

pub(super) fn context(document: &mut Document, adr: &Adr<'_>) {
    let (programs, verdict) = (adr.scene.workload.programs.len(), verdict_word(&adr.scene.report.asked));
    let verdict = verdict.get(adr.language);
    let levels = level_groups(&adr.scene.report.asked_levels);
    document.paragraph(match adr.language {
        Language::English => format!(
            "{programs} transaction programs run against one PostgreSQL database. At the levels that they ask for \
             ({levels}), they are {verdict}."
        ),
        Language::Chinese => {
            format!(
                "{programs} 个事务程序运行在同一个 PostgreSQL 数据库上。按各自要求的级别（{levels}），结论：{verdict}。"
            )
        }
    });
}

pub(super) fn levels(document: &mut Document, adr: &Adr<'_>) {
    let say = |text: Text| text.get(adr.language).to_owned();
    document.paragraph(say(Text {
        en: "Each program needs at least this level; at a stronger one it is safe too. Then every execution, whatever the \
             arguments and the interleaving, has the outcome of some serial order.",
        zh: "每个程序至少需要下列级别，更强的级别同样安全：无论参数和交错方式如何，每次执行的结果都等价于某个串行顺序。",
    }));
    let heads = [
        Text { en: "program", zh: "程序" },
        Text { en: "asked for", zh: "要求的级别" },
        Text { en: "needs at least", zh: "至少需要的级别" },
        Text { en: "where", zh: "位置" },
    ];
    let rows = adr.scene.report.programs.iter().map(|program| {
        let asked = adr.scene.report.asked_levels.level(&program.name);
        vec![
            format!("`{}`", program.name),
            asked.to_string(),
            program.recommended.to_string(),
            format!("`{}`", program.span),
        ]
    });
    document.blocks.push(Block::Table(heads.into_iter().map(say).collect(), rows.collect()));
}

pub(super) fn evidence(document: &mut Document, adr: &Adr<'_>, witness: &Witness) {
    let say = |text: Text| text.get(adr.language).to_owned();
    document.paragraph(say(Text {
        en: "These transactions can all commit, and no order of them, one after the other, explains what they saw:",
        zh: "下列事务可以全部提交，而任何依次执行的顺序都无法解释它们看到的结果：",
    }));
    let heads = [
        Text { en: "dependency", zh: "依赖" },
        Text { en: "where they meet", zh: "相遇之处" },
        Text { en: "what it says", zh: "含义" },
        Text { en: "first", zh: "前者" },
        Text { en: "second", zh: "后者" },
    ];
    let rows = witness.cycle.iter().map(|dependency| dependency_row(adr, witness, dependency));
    document.blocks.push(Block::Table(heads.into_iter().map(say).collect(), rows.collect()));
    let style = Style { color: false, width: CODE_WIDTH, unicode: true, language: adr.language };
    document.blocks.push(Block::Code("text".to_owned(), lanes(&adr.scene, witness, style).join("\n")));
}

fn dependency_row(adr: &Adr<'_>, witness: &Witness, dependency: &Dependency) -> Vec<String> {
    let name = |end: DependencyEnd| witness.instances.get(end.instance).map_or_else(String::new, label);
    let statement = |end: DependencyEnd| {
        let found = adr.scene.at(witness, end);
        found.map_or_else(String::new, |found| format!("`{}` (`{}`)", code(&found.text), found.span))
    };
    vec![
        format!("{} → {} ({})", name(dependency.from), name(dependency.to), kind_name(dependency.kind)),
        place(&dependency.relation.to_string(), &dependency.columns, adr.language),
        dependency_sentence(witness, dependency).get(adr.language).to_owned(),
        statement(dependency.from),
        statement(dependency.to),
    ]
}

/// SQL between backticks must not hold one.
fn code(text: &str) -> String {
    one_line(text).replace('`', "'")
}

pub(super) fn alternatives(document: &mut Document, adr: &Adr<'_>) {
    for promoted in &adr.scene.report.with_promotion {
        let levels = level_groups(&promoted.allocation);
        let changes = promoted
            .promotions
            .iter()
            .map(|promotion| format!("`{}`: {}", promotion.program, promotion_sentence(promotion).get(adr.language)));
        document.blocks.push(Block::List(std::iter::once(levels).chain(changes).collect()));
        let mut diff = String::new();
        for changed in &promoted.changed {
            let _ = writeln!(diff, "-- {}\n- {}", changed.program, one_line(&changed.before));
            for after in &changed.after {
                let _ = writeln!(diff, "+ {}", one_line(after));
            }
        }
        document.blocks.push(Block::Code("diff".to_owned(), diff));
    }
}

pub(super) fn consequences(document: &mut Document, adr: &Adr<'_>) {
    let say = |text: Text| text.get(adr.language).to_owned();
    let mut items = Vec::new();
    if adr.scene.report.optimal.0.values().any(|level| *level > Isolation::ReadCommitted) {
        items.push(say(Text {
            en: "Transactions above read committed can fail with SQLSTATE 40001 and must be run again from their \
                 beginning, with all that they read.",
            zh: "高于 read committed 的事务可能以 SQLSTATE 40001 失败，必须连同其读取从头重新执行。",
        }));
    }
    items.push(say(Text {
        en: "Every transaction can end in a deadlock (40P01), which is retried in the same way.",
        zh: "任何事务都可能因死锁（40P01）结束，同样需要重试。",
    }));
    items.push(say(Text {
        en: "The levels hold for these programs together: a new or changed program needs a new analysis; `pgstrata \
             isolation check` in the pipeline does it.",
        zh: "这些级别只对这组程序整体成立：新增或修改程序后需要重新分析；在流水线中运行 `pgstrata isolation check` 即可。",
    }));
    for finding in &adr.scene.report.scopes {
        items.push(match adr.language {
            Language::English => format!(
                "`{}` must become one transaction at {}: {} can come between its statements.",
                finding.program, finding.level_as_one, finding.other
            ),
            Language::Chinese => format!(
                "`{}` 必须成为一个级别为 {} 的事务：{} 可能插在它的语句之间。",
                finding.program, finding.level_as_one, finding.other
            ),
        });
    }
    for found in &adr.scene.report.unanalysed {
        let lead = say(Text { en: "Not understood, and counted as unsafe", zh: "未能分析，按不安全处理" });
        items.push(format!("{lead}: `{}`, {}", found.span, said(&found.why, adr.language)));
    }
    document.blocks.push(Block::List(items));
}
