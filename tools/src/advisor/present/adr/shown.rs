//! What a server showed, the code, and how all of it was computed, as parts of a record.

use pgstrata_lab::chinese::said;
use pgstrata_units::{Language, Text};

use super::Adr;
use crate::advisor::present::code::ProgramCode;
use crate::advisor::present::document::{Block, Document};
use crate::advisor::present::phrases::tried;
use crate::advisor::proof::{Proof, WitnessVerdict};
use crate::advisor::templates::{Language as CodeLanguage, REQUEST_TABLE};

/// What a server said.
pub(super) fn proof(document: &mut Document, adr: &Adr<'_>) {
    let Some(proof) = adr.proof else {
        document.paragraph(adr.say(Text {
            en: "No server was asked. `pgstrata advise --prove` replays the evidence on a private one.",
            zh: "未在服务器上验证。`pgstrata advise --prove` 会在私有服务器上重放证据。",
        }));
        return;
    };
    let agrees = if proof.agrees() {
        Text { en: "The server agrees with every verdict.", zh: "服务器与每个结论一致。" }
    } else {
        Text { en: "The server does NOT agree with all of it.", zh: "服务器与部分结论不一致。" }
    };
    document.paragraph(format!("{} {}", adr.say(agrees), proof.server));
    document.blocks.push(Block::List(lines(proof, adr.language)));
}

fn lines(proof: &Proof, language: Language) -> Vec<String> {
    let reproduced =
        proof.witnesses.iter().filter(|witness| matches!(witness.verdict, WitnessVerdict::Reproduced { .. })).count();
    let fixes: Vec<bool> =
        proof.witnesses.iter().flat_map(|witness| &witness.fixes).map(|(_, fixed)| fixed.outcome.is_serial()).collect();
    let gone = fixes.iter().filter(|gone| **gone).count();
    let mut lines = vec![match language {
        Language::English => format!(
            "{reproduced} of {} witnesses happened on the server; in {gone} of {} replays with the decided levels or changes \
             they were gone.",
            proof.witnesses.len(),
            fixes.len()
        ),
        Language::Chinese => format!(
            "{} 个见证中 {reproduced} 个在服务器上发生；用所决定的级别或修改重放 {} 次，其中 {gone} 次消失。",
            proof.witnesses.len(),
            fixes.len()
        ),
    }];
    for (number, witness) in proof.witnesses.iter().enumerate() {
        if let WitnessVerdict::NotReproduced { why } = &witness.verdict {
            lines.push(format!("{}: {}", number + 1, said(why, language)));
        }
    }
    lines.extend(proof.random.iter().map(|random| match language {
        Language::English => format!(
            "{}: {} anomalies in {} random schedules, {} of them with two or more commits, {} undecided; seed {}.",
            tried(&random.of, language),
            random.anomalies.len(),
            random.schedules,
            random.concurrent,
            random.undecided,
            random.seed
        ),
        Language::Chinese => format!(
            "{}：{} 次随机调度中异常 {} 次，其中 {} 次有两个以上提交，{} 次未判定；种子 {}。",
            tried(&random.of, language),
            random.schedules,
            random.anomalies.len(),
            random.concurrent,
            random.undecided,
            random.seed
        ),
    }));
    lines
}

/// The code of all programs, and the table that it needs.
pub(super) fn code(document: &mut Document, adr: &Adr<'_>, language: CodeLanguage, code: &[ProgramCode]) {
    let needs = adr.say(Text {
        en: "All of it needs this table, which keeps the keys of requests that were carried out:",
        zh: "全部代码都需要这张表，它保存已执行请求的键：",
    });
    document.paragraph(format!("{}. {needs}", language.title()));
    document.blocks.push(Block::Code("sql".to_owned(), REQUEST_TABLE.to_owned()));
    for one in code {
        document.heading(3, format!("{}, {}", one.program.replace('`', "'"), one.level));
        for note in &one.notes {
            document.paragraph(note.get(adr.language));
        }
        document.blocks.push(Block::Code(highlighted(language).to_owned(), one.code.clone()));
    }
}

/// The name by which renderers of Markdown know a language.
const fn highlighted(language: CodeLanguage) -> &'static str {
    match language {
        CodeLanguage::Sql => "sql",
        CodeLanguage::RustTokioPostgres | CodeLanguage::RustSqlx => "rust",
        CodeLanguage::Python => "python",
        CodeLanguage::Java => "java",
        CodeLanguage::Go => "go",
        CodeLanguage::Typescript => "typescript",
    }
}

/// Versions, hash, and how much was looked at.
pub(super) fn made(document: &mut Document, adr: &Adr<'_>) {
    let work = adr.scene.report.work;
    let (version, question) = (adr.made.version, adr.made.question);
    document.blocks.push(Block::List(match adr.language {
        Language::English => vec![
            format!("pgstrata {version}; the rules of blocking and of re-evaluation are those of PostgreSQL 14 to 18."),
            format!("SHA-256 of the question (SQL, schema, requirement, levels): `{question}`. The same question has the same answer."),
            format!(
                "Looked at: {} paths, {} pairs of operations, {} split schedules, {} steps of the model.",
                work.paths, work.unifications, work.combinations, work.model_steps
            ),
            "Method: robustness of transaction programs against isolation levels, by split schedules (Vandevoort, Fekete, \
             Ketsman, Neven, Vansummeren, PVLDB 2021 to 2025); what is not analysed counts as unsafe and is listed above."
                .to_owned(),
        ],
        Language::Chinese => vec![
            format!("pgstrata {version}；阻塞与重新求值的规则取自 PostgreSQL 14 至 18。"),
            format!("问题（SQL、表结构、需求、级别）的 SHA-256：`{question}`。相同的问题得到相同的答案。"),
            format!(
                "检查量：路径 {} 条，操作对 {} 个，分裂调度 {} 个，模型步骤 {} 个。",
                work.paths, work.unifications, work.combinations, work.model_steps
            ),
            "方法：用分裂调度判定事务程序对隔离级别的稳健性（Vandevoort、Fekete、Ketsman、Neven、Vansummeren，PVLDB 2021 至 \
             2025）；未能分析的部分按不安全处理，并已在上文列出。"
                .to_owned(),
        ],
    }));
}
