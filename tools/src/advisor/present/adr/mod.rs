//! A decision as an architecture decision record (Nygard, "Documenting Architecture Decisions", 2011): status, context,
//! decision, evidence, options, consequences, proof, code, and how it was computed. In Markdown to be committed beside the
//! code, or as a page of HTML. The one writer of it: the command line and the workbench both use it.
//!
//! A record is a document, and can be kept: what was decided then reads as it was decided, whatever later versions say.

mod findings;
mod options;
mod shown;

use pgstrata_units::{Language, Text};

use super::code::ProgramCode;
use super::document::{Block, Document};
use super::scene::Scene;
use crate::advisor::input::SourceText;
use crate::advisor::proof::Proof;
use crate::advisor::report::Verdict;
use crate::advisor::templates::Language as CodeLanguage;
use crate::advisor::{Decision, Requirement};

/// What a record is made of.
#[derive(Clone, Copy, Debug)]
pub struct Adr<'a> {
    /// Its title; without one, what it is about.
    pub title: &'a str,
    /// The workload and what was found of it.
    pub scene: Scene<'a>,
    /// The texts that were analysed, where the record stands without them.
    pub sources: &'a [SourceText],
    /// What the application needs.
    pub requirement: &'a Requirement,
    /// What the engine says to it.
    pub decision: Option<&'a Decision>,
    /// What a server said.
    pub proof: Option<&'a Proof>,
    /// The code, and the language that it is in.
    pub code: Option<(CodeLanguage, &'a [ProgramCode])>,
    /// How it was computed.
    pub made: Made<'a>,
    /// The language.
    pub language: Language,
}

/// How an answer was computed: what whoever wants it again has to have.
#[derive(Clone, Copy, Debug)]
pub struct Made<'a> {
    /// The version of this program.
    pub version: &'a str,
    /// The hash of the question: SHA-256, hexadecimal.
    pub question: &'a str,
}

impl Adr<'_> {
    fn say(&self, text: Text) -> String {
        text.get(self.language).to_owned()
    }
}

/// The record as Markdown.
#[must_use]
pub fn adr_markdown(adr: &Adr<'_>) -> String {
    adr_document(adr).markdown()
}

/// The record as one self-contained page of HTML.
#[must_use]
pub fn adr_html(adr: &Adr<'_>) -> String {
    adr_document(adr).html(if adr.language == Language::Chinese { "zh-CN" } else { "en" })
}

/// The record.
#[must_use]
pub fn adr_document(adr: &Adr<'_>) -> Document {
    let mut document = Document::default();
    let title = Text { en: "Isolation levels of the transactions", zh: "事务的隔离级别" };
    document.heading(1, if adr.title.trim().is_empty() { adr.say(title) } else { adr.title.replace('`', "'") });
    document.heading(2, adr.say(Text { en: "Status", zh: "状态" }));
    document.paragraph(adr.say(Text {
        en: "Proposed. It holds for the programs below, together, and for no others.",
        zh: "提议。仅对下列程序作为整体成立，不适用于其他程序。",
    }));
    document.heading(2, adr.say(Text { en: "Context", zh: "背景" }));
    findings::context(&mut document, adr);
    options::needs(&mut document, adr);
    for source in adr.sources {
        document.paragraph(format!("`{}`", source.name.replace('`', "'")));
        document.blocks.push(Block::Code("sql".to_owned(), source.text.clone()));
    }
    document.heading(2, adr.say(Text { en: "Decision", zh: "决定" }));
    options::chosen(&mut document, adr);
    findings::levels(&mut document, adr);
    if let Verdict::Unsafe(witness) = &adr.scene.report.asked {
        document.heading(2, adr.say(Text { en: "Evidence", zh: "证据" }));
        findings::evidence(&mut document, adr, witness);
    }
    document.heading(2, adr.say(Text { en: "Options, and why not", zh: "备选方案及其不选的理由" }));
    options::levels(&mut document, adr);
    findings::alternatives(&mut document, adr);
    options::others(&mut document, adr);
    document.heading(2, adr.say(Text { en: "Consequences", zh: "后果" }));
    findings::consequences(&mut document, adr);
    document.heading(2, adr.say(Text { en: "Proof", zh: "证明" }));
    shown::proof(&mut document, adr);
    if let Some((language, code)) = adr.code {
        document.heading(2, adr.say(Text { en: "Code", zh: "代码" }));
        shown::code(&mut document, adr, language, code);
    }
    document.heading(2, adr.say(Text { en: "How it was computed", zh: "计算方式" }));
    shown::made(&mut document, adr);
    document
}

/// Remarks below a record.
pub fn adr_notes(document: &mut Document, notes: &[String], language: Language) {
    if notes.is_empty() {
        return;
    }
    document.heading(2, Text { en: "Notes", zh: "备注" }.get(language));
    document.blocks.push(Block::List(notes.iter().map(|note| note.replace('`', "'")).collect()));
}

#[cfg(test)]
mod tests {
    use pgstrata_units::Isolation;

    use super::*;
    use crate::advisor::examples::example;
    use crate::advisor::present::code;
    use crate::advisor::{DecisionEngine, Options, analyse};

    fn record(title: &str, language: Language) -> String {
        let read = example("smallbank").expect("an example").input().read().expect("it is SQL");
        let options = Options { may_promote: true, ..Options::default() };
        let report = analyse(&read.workload, &read.schema, &options);
        let requirement = Requirement { clients: 64, ..Requirement::default() };
        let decision = DecisionEngine::shipped().decide(&requirement, Some(&report));
        let scene = Scene { workload: &read.workload, report: &report };
        let code = code(&read.schema, &read.workload, &report, None, CodeLanguage::Sql);
        adr_markdown(&Adr {
            title,
            scene,
            sources: &[SourceText::new("a.sql", "select '```';")],
            requirement: &requirement,
            decision: Some(&decision),
            proof: Some(&Proof { server: "PostgreSQL 15.18".to_owned(), ..Proof::default() }),
            code: Some((CodeLanguage::Sql, &code)),
            made: Made { version: "0.1.0", question: "00ff" },
            language,
        })
    }

    #[test]
    fn a_record_has_all_parts_in_both_languages() {
        let english = record("", Language::English);
        for part in [
            "# Isolation levels of the transactions",
            "## Status",
            "## Context",
            "`clients`: 64",
            "## Decision",
            "## Evidence",
            "## Options, and why not",
            "## Consequences",
            "40001",
            "## Proof",
            "PostgreSQL 15.18",
            "## Code",
            "create or replace function write\\_check",
            "## How it was computed",
            "0.1.0",
            "00ff",
        ] {
            let part = part.replace("write\\_check", "write_check");
            assert!(english.contains(&part), "no {part:?} in\n{english}");
        }
        assert!(english.contains("````sql\nselect '```';\n````"), "{english}");
        let heads = |text: &str| text.lines().filter(|line| line.starts_with('#') && line.contains(' ')).count();
        let chinese = record("", Language::Chinese);
        assert!(chinese.contains("## 备选方案及其不选的理由") && chinese.contains("可串行化"), "{chinese}");
        assert_eq!(heads(&english), heads(&chinese));
        assert!(english.contains(&format!("| `WriteCheck` | {} |", Isolation::ReadCommitted)), "{english}");
    }

    #[test]
    fn a_title_and_notes_stay_text() {
        let text = record("`<script>alert(1)</script>", Language::English);
        assert!(text.starts_with("# '\\<script\\>alert(1)\\</script\\>"), "{}", &text[..80]);
        let mut document = Document::default();
        adr_notes(&mut document, &["one\n# two `<b>".to_owned()], Language::English);
        assert_eq!(document.markdown(), "## Notes\n\n* one \\# two '\\<b\\>\n");
    }
}
