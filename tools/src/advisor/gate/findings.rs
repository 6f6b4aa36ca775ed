//! A report's findings: programs below their weakest safe level, split transactions, what was not understood, and
//! acceptances that are out of order.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use pgstrata_lab::chinese::said;
use pgstrata_sqltext::{Pragma, PragmaKind, Program, Span, Unanalysed, Workload};
use pgstrata_units::{Isolation, Language};
use sha2::{Digest, Sha256};

use super::finding::{Finding, Place, Rule};
use crate::advisor::Words;
use crate::advisor::present::{Scene, dependency_sentence, statement_text};
use crate::advisor::report::{Report, ScopeFinding, Verdict};
use crate::advisor::witness::{Dependency, DependencyEnd, DependencyKind, StepKind, Witness};

/// Bytes of a fingerprint: enough that two findings of one repository never share one.
const FINGERPRINT_BYTES: usize = 12;
/// Characters of a statement in a message.
const STATEMENT_MOST: usize = 90;

/// All findings, by place.
#[must_use]
pub fn findings(workload: &Workload, report: &Report) -> Vec<Finding> {
    let scene = Scene { workload, report };
    let mut found = Vec::new();
    for program in &workload.programs {
        let mut of_program = Vec::new();
        of_program.extend(level(&scene, program));
        let splits = report.scopes.iter().filter(|finding| finding.program == program.name);
        of_program.extend(splits.map(|finding| split(&scene, program, finding)));
        // What is around it is told once, of whomever it concerns.
        let own = program.statements.iter().flat_map(|statement| &statement.unanalysed);
        of_program.extend(own.map(|what| not_analysed(Some(program), what)));
        found.extend(accepted(program, of_program));
    }
    found.extend(workload.unanalysed.iter().map(|what| not_analysed(None, what)));
    found.sort_by(|one, other| one.span.cmp(&other.span).then(one.rule.cmp(&other.rule)));
    number_equal_fingerprints(&mut found);
    found
}

/// A program below the weakest level that is safe.
fn level(scene: &Scene<'_>, program: &Program) -> Option<Finding> {
    let asked = scene.report.asked_levels.level(&program.name);
    let needed = scene.report.optimal.level(&program.name);
    if asked >= needed || scene.report.asked.is_safe() {
        return None;
    }
    let lower = scene.report.why_not_lower.get(&program.name).and_then(|levels| levels.get(&asked));
    let own = |verdict: &&Verdict| verdict.witness().is_none_or(|witness| takes_part(witness, &program.name));
    match lower.filter(own).unwrap_or(&scene.report.asked) {
        Verdict::Unsafe(witness) => Some(unsafe_level(scene, program, asked, needed, witness)),
        Verdict::Unknown { why, .. } => {
            let message = Words::new(
                format!("{} runs at {asked}, which could not be shown to be safe: {why}", program.name),
                format!("{} 运行在 {asked} 级别，未能证明其安全：{}", program.name, said(why, Language::Chinese)),
            );
            Some(finding(Rule::NotShownSafe, Some(program), program.span.clone(), message, &[asked.sql()]))
        }
        Verdict::Safe => None,
    }
}

fn takes_part(witness: &Witness, program: &str) -> bool {
    witness.instances.iter().any(|instance| instance.program == program)
}

fn unsafe_level(
    scene: &Scene<'_>,
    program: &Program,
    asked: Isolation,
    needed: Isolation,
    witness: &Witness,
) -> Finding {
    let mut others: Vec<&str> = witness
        .instances
        .iter()
        .map(|instance| instance.program.as_str())
        .filter(|name| *name != program.name)
        .collect();
    others.sort_unstable();
    others.dedup();
    let beside = if others.is_empty() { program.name.clone() } else { others.join(", ") };
    let sentences = |language| -> Vec<String> {
        witness.cycle.iter().map(|of| dependency_sentence(witness, of).get(language).to_owned()).collect()
    };
    let [en, zh] = Language::ALL.map(sentences);
    let message = Words::new(
        format!(
            "{} at {asked} is not serializable beside {beside}; it needs {needed}, or other SQL: {}.",
            program.name,
            en.join("; ")
        ),
        format!(
            "{} 在 {asked} 级别下与 {beside} 并行时不可串行化；需要 {needed}，或修改 SQL：{}。",
            program.name,
            zh.join("；")
        ),
    );
    let at = first_read(program, witness);
    let span = at.and_then(|end| scene.at(witness, end)).map_or(&program.span, |statement| &statement.span).clone();
    let mut about = vec![asked.sql().to_owned()];
    about.extend(witness.cycle.iter().flat_map(|of| [of.from, of.to].map(|end| text_of(scene, witness, end))));
    let about: Vec<&str> = about.iter().map(String::as_str).collect();
    let mut found = finding(Rule::UnsafeLevel, Some(program), span, message, &about);
    found.related = witness.cycle.iter().flat_map(|of| ends(scene, witness, of)).collect();
    found.steps = steps(scene, witness);
    found
}

/// The statement of the program that reads what another one overwrites; else any of its own in the cycle.
fn first_read(program: &Program, witness: &Witness) -> Option<DependencyEnd> {
    let is_own = |end: &DependencyEnd| {
        witness.instances.get(end.instance).is_some_and(|instance| instance.program == program.name)
    };
    let reads = witness.cycle.iter().filter(|of| of.kind == DependencyKind::Rw).map(|of| of.from);
    let others = witness.cycle.iter().flat_map(|of| [of.from, of.to]);
    reads.chain(others).find(is_own)
}

fn text_of(scene: &Scene<'_>, witness: &Witness, end: DependencyEnd) -> String {
    let program = witness.instances.get(end.instance).map_or("", |instance| instance.program.as_str());
    scene.line(program, end.statement)
}

/// The two statements of a dependency.
fn ends(scene: &Scene<'_>, witness: &Witness, of: &Dependency) -> Vec<Place> {
    [of.from, of.to]
        .into_iter()
        .filter_map(|end| {
            let name = &witness.instances.get(end.instance)?.name;
            let sentence = dependency_sentence(witness, of);
            let message = Words::new(format!("{name}: {}", sentence.en), format!("{name}：{}", sentence.zh));
            Some(Place { span: scene.at(witness, end)?.span.clone(), message })
        })
        .collect()
}

/// The schedule.
fn steps(scene: &Scene<'_>, witness: &Witness) -> Vec<Place> {
    let place = |step: &crate::advisor::witness::Step| {
        let instance = witness.instances.get(step.instance)?;
        let program = scene.program(&instance.program)?;
        let (span, text) = match step.what {
            StepKind::Begin => (&program.span, format!("begin isolation level {}", instance.level)),
            StepKind::Commit => (&program.span, "commit".to_owned()),
            StepKind::Statement(number) => (
                scene.place(&instance.program, number).unwrap_or(&program.span),
                statement_text(scene, &instance.program, number, STATEMENT_MOST),
            ),
        };
        let message = format!("{} {}: {text}", instance.name, instance.program);
        Some(Place { span: span.clone(), message: Words::new(message.clone(), message) })
    };
    witness.schedule.iter().filter_map(place).collect()
}

fn split(scene: &Scene<'_>, program: &Program, of: &ScopeFinding) -> Finding {
    let columns = of.columns.join(", ");
    let message = Words::new(
        format!(
            "{} reads {} ({columns}) in one transaction and relies on it in another; {} can come in between. Make it \
             one transaction at {}.",
            of.program, of.relation, of.other, of.level_as_one
        ),
        format!(
            "{} 在一个事务里读取 {}（{columns}），在另一个事务里依赖它；{} 可能插在中间。请合成一个级别为 {} 的事务。",
            of.program, of.relation, of.other, of.level_as_one
        ),
    );
    let span = scene.place(&of.program, of.second).unwrap_or(&program.span).clone();
    let texts = [of.first, of.second].map(|number| scene.line(&of.program, number));
    let mut found =
        finding(Rule::SplitTransaction, Some(program), span, message, &texts.each_ref().map(String::as_str));
    let message = Words::new("what is relied on is read here", "所依赖的内容在此读取");
    found.related.extend(scene.place(&of.program, of.first).map(|span| Place { span: span.clone(), message }));
    found
}

fn not_analysed(program: Option<&Program>, what: &Unanalysed) -> Finding {
    let hint = what.hint.as_ref().map(|hint| format!(" ({hint})")).unwrap_or_default();
    let message = Words::of(&format!("{}{hint}", what.why));
    finding(Rule::NotAnalysed, program, what.span.clone(), message, &[&what.why])
}

/// Applies the pragmas of a program to its findings, and finds what is wrong with the pragmas.
fn accepted(program: &Program, mut found: Vec<Finding>) -> Vec<Finding> {
    let acceptances: Vec<(&Pragma, &String)> = program
        .pragmas
        .iter()
        .filter_map(|pragma| match &pragma.kind {
            PragmaKind::AcceptUnsafe { reason } => Some((pragma, reason)),
            _ => None,
        })
        .collect();
    if found.is_empty() {
        let unused = |(pragma, reason): &(&Pragma, &String)| {
            let message = Words::from(Rule::UnusedAcceptance.help());
            finding(Rule::UnusedAcceptance, Some(program), pragma.span.clone(), message, &[reason])
        };
        return acceptances.iter().map(unused).collect();
    }
    for finding in &mut found {
        finding.accepted = acceptances.first().map(|(_, reason)| (*reason).clone());
    }
    found
}

fn finding(rule: Rule, program: Option<&Program>, span: Span, message: Words, about: &[&str]) -> Finding {
    let program = program.map(|program| program.name.clone());
    let fingerprint = fingerprint(rule, program.as_deref().unwrap_or(&span.source), about);
    Finding {
        rule,
        program,
        span,
        message,
        related: Vec::new(),
        steps: Vec::new(),
        fingerprint,
        accepted: None,
        is_known: false,
    }
}

/// A hash of what the finding is about and not of where it stands.
fn fingerprint(rule: Rule, program: &str, about: &[&str]) -> String {
    let mut hasher = Sha256::new();
    for part in [rule.id(), program].iter().chain(about) {
        hasher.update(part.split_whitespace().collect::<Vec<_>>().join(" "));
        hasher.update([0]);
    }
    let mut text = String::with_capacity(2 * FINGERPRINT_BYTES);
    for byte in hasher.finalize().iter().take(FINGERPRINT_BYTES) {
        let _ = write!(text, "{byte:02x}");
    }
    text
}

/// The same statement twice in a program gives the same finding twice: the second is told from the first by a number.
fn number_equal_fingerprints(found: &mut [Finding]) {
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    for finding in found {
        let count = seen.entry(finding.fingerprint.clone()).or_default();
        *count += 1;
        if *count > 1 {
            finding.fingerprint = format!("{}-{count}", finding.fingerprint);
        }
    }
}
