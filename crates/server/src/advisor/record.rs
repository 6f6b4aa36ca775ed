//! A decision as an architecture decision record in Markdown. Made of what was kept, so that an old decision reads as it
//! was answered then. A pure function.

use std::fmt::Write as _;

use pgstrata_units::Language;

use crate::decisions::Kept;
use crate::problem::Problem;
use crate::routes::advisor::analysis::{Analysis, Verdict, Witness};
use crate::routes::advisor::question::{Level, Question};

/// The sentence in one of two languages.
fn say<'a>(language: Language, en: &'a str, zh: &'a str) -> &'a str {
    match language {
        Language::English => en,
        Language::Chinese => zh,
    }
}

/// The decision in Markdown; English unless `zh` is asked for.
pub fn markdown(kept: &Kept, language: Option<&str>) -> Result<String, Problem> {
    let language = if language == Some("zh") { Language::Chinese } else { Language::English };
    let question: Question = serde_json::from_value(kept.question.clone())
        .map_err(|error| Problem::internal("read the kept question", &error))?;
    let mut text = String::new();
    write(&mut text, kept, &question, language).map_err(|error| Problem::internal("write the record", &error))?;
    Ok(text)
}

fn write(text: &mut String, kept: &Kept, question: &Question, language: Language) -> std::fmt::Result {
    let title =
        if question.title.is_empty() { say(language, "Isolation levels", "隔离级别") } else { &question.title };
    writeln!(text, "# {}\n", escaped(title))?;
    writeln!(text, "{}\n", say(language, "Status: proposed", "状态：提议"))?;
    writeln!(text, "{} `{}`\n", say(language, "Decision", "决策编号"), kept.id)?;
    writeln!(text, "## {}\n", say(language, "Context", "背景"))?;
    for source in &question.sources {
        writeln!(text, "`{}`\n", source.name)?;
        fence(text, "sql", &source.text)?;
    }
    if !question.schema.trim().is_empty() {
        writeln!(text, "{}\n", say(language, "Tables:", "表："))?;
        fence(text, "sql", &question.schema)?;
    }
    let analysis = kept.answers.first().and_then(|answer| {
        let analysis: Option<Analysis> = serde_json::from_value(answer.document["analysis"].clone()).ok();
        analysis.map(|analysis| (answer, analysis))
    });
    if let Some((answer, analysis)) = analysis {
        writeln!(text, "## {}\n", say(language, "Decision", "决定"))?;
        levels(text, &analysis, language)?;
        changes(text, &analysis, language)?;
        writeln!(text, "## {}\n", say(language, "Why", "理由"))?;
        reasons(text, &analysis, language)?;
        let proof = &answer.document["proof"]["agrees"];
        let said = match proof.as_bool() {
            Some(true) => {
                say(language, "A PostgreSQL server was asked, and agrees.", "已在 PostgreSQL 服务器上验证，结论一致。")
            }
            Some(false) => say(
                language,
                "A PostgreSQL server was asked, and does not agree with all of it.",
                "已在 PostgreSQL 服务器上验证，结论不完全一致。",
            ),
            None => say(language, "No server was asked.", "未在服务器上验证。"),
        };
        writeln!(text, "{said}\n")?;
        writeln!(text, "pgstrata {}\n", answer.made_by)?;
    }
    if !kept.notes.is_empty() {
        writeln!(text, "## {}\n", say(language, "Notes", "备注"))?;
        for note in &kept.notes {
            writeln!(text, "* {}", escaped(&note.body))?;
        }
    }
    Ok(())
}

fn levels(text: &mut String, analysis: &Analysis, language: Language) -> std::fmt::Result {
    let head = say(language, "| program | declared | weakest safe level |", "| 程序 | 声明的级别 | 最弱的安全级别 |");
    writeln!(text, "{head}\n|---|---|---|")?;
    for program in &analysis.programs {
        let declared = program.declared.map_or("–", name);
        writeln!(text, "| {} | {declared} | {} |", escaped(&program.name), name(program.recommended))?;
    }
    writeln!(text)
}

fn changes(text: &mut String, analysis: &Analysis, language: Language) -> std::fmt::Result {
    let Some(best) = analysis.promotions.first() else { return Ok(()) };
    let head = say(language, "With these changes weaker levels are safe:", "做如下改动后，更弱的级别也安全：");
    writeln!(text, "{head}\n")?;
    for change in &best.changes {
        writeln!(text, "{} · {} · {}\n", escaped(&change.program), change.kind, change.relation)?;
        fence(text, "sql", &change.after.join(";\n"))?;
    }
    for (program, level) in &best.levels {
        writeln!(text, "* {}: {}", escaped(program), name(*level))?;
    }
    writeln!(text)
}

fn reasons(text: &mut String, analysis: &Analysis, language: Language) -> std::fmt::Result {
    match &analysis.asked {
        Verdict::Safe => {
            let safe = say(language, "The levels that were asked about are safe.", "所询问的级别是安全的。");
            writeln!(text, "{safe}\n")?;
        }
        Verdict::Unknown { why, .. } => {
            let unknown = say(language, "It could not be decided, and counts as unsafe:", "无法判定，按不安全处理：");
            writeln!(text, "{unknown} {}\n", escaped(why))?;
        }
        Verdict::Unsafe { witness } => {
            let unsafe_ = say(
                language,
                "At the levels that were asked about, this commits, and no serial order explains it:",
                "在所询问的级别下，下面的执行会提交，而没有任何串行顺序能解释它：",
            );
            writeln!(text, "{unsafe_}\n")?;
            schedule(text, witness)?;
        }
    }
    for finding in &analysis.scopes {
        let apart = say(
            language,
            "runs its statements in transactions of their own; no level helps until they are one:",
            "的语句各自成为事务；在合为一个事务之前，任何级别都无济于事：",
        );
        writeln!(
            text,
            "* {} {apart} {} ({})",
            escaped(&finding.program),
            finding.relation,
            finding.columns.join(", ")
        )?;
    }
    for part in &analysis.unanalysed {
        let not = say(language, "not understood, taken for unsafe:", "未能分析，按不安全处理：");
        writeln!(text, "* {}:{}:{} {not} {}", part.at.source, part.at.line, part.at.column, escaped(&part.message))?;
    }
    if analysis.scopes.len() + analysis.unanalysed.len() > 0 {
        writeln!(text)?;
    }
    Ok(())
}

fn schedule(text: &mut String, witness: &Witness) -> std::fmt::Result {
    let mut lines = String::new();
    for step in &witness.steps {
        let who = witness.transactions.get(step.transaction).map_or("?", |transaction| transaction.name.as_str());
        let sql: Vec<&str> = step.sql.split_whitespace().collect();
        writeln!(lines, "{who}: {}", sql.join(" "))?;
    }
    fence(text, "text", &lines)
}

/// A block of code that its own text cannot end.
fn fence(text: &mut String, language: &str, body: &str) -> std::fmt::Result {
    let longest = body.split(|letter| letter != '`').map(str::len).max().unwrap_or_default();
    let fence = "`".repeat(longest.max(2) + 1);
    writeln!(text, "{fence}{language}\n{}\n{fence}\n", body.trim_end())
}

/// Text in which nothing is markup, and which stays in its cell and line.
fn escaped(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for letter in text.chars() {
        if letter.is_control() {
            plain.push(' ');
            continue;
        }
        if "\\`*_{}[]<>()#+!|~".contains(letter) {
            plain.push('\\');
        }
        plain.push(letter);
    }
    plain
}

const fn name(level: Level) -> &'static str {
    match level {
        Level::ReadCommitted => "read committed",
        Level::RepeatableRead => "repeatable read",
        Level::Serializable => "serializable",
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_users_wrote_stays_text() {
        let kept = Kept {
            id: "0".repeat(64),
            question: json!({
                "title": "<script>alert(1)</script>",
                "sources": [{ "name": "a.sql", "text": "select '```'\n````\n# no heading" }],
            }),
            made_us: 0,
            answers: Vec::new(),
            notes: vec![crate::decisions::KeptNote { body: "one\n# two".to_owned(), made_us: 0 }],
        };
        for language in ["en", "zh"] {
            let text = markdown(&kept, Some(language)).expect("it is written");
            assert!(text.starts_with("# \\<script\\>alert\\(1\\)"), "{text}");
            assert!(text.contains("`````sql\n"), "{text}");
            assert!(text.contains("* one \\# two"), "{text}");
        }
    }
}
