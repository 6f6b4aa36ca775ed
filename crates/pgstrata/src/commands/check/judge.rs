//! Asks the right checker, and brings its answer into one shape: lines to read, data to process, a small history to keep.

use pgstrata_history::linearizable::{SearchLimits, check_linearizable};
use pgstrata_history::projection::project;
use pgstrata_history::register::decide::{Decision, DecisionLimits};
use pgstrata_history::register::{RegisterOptions, check_rw_register};
use pgstrata_history::shrink::{ShrinkLimits, shrink};
use pgstrata_history::workload::bank::{BankOptions, BankViolation, check_bank};
use pgstrata_history::workload::counter::check_counter;
use pgstrata_history::workload::set::{SetViolation, check_set};
use pgstrata_history::workload::{Recorded, Workload};
use pgstrata_history::{Finding, History, Options, TransactionId, Verdict, check_list_append};
use pgstrata_lab::error::LabError;
use pgstrata_units::{Language, Text};
use serde_json::{Value, json};

use super::words;
use crate::cli::check::{CheckArgs, CheckKind, KeyOrder};

/// What came out.
pub enum Answer {
    /// What was promised holds.
    Holds,
    /// It does not.
    Violated,
    /// A bound was hit first.
    Undecided(String),
}

/// An answer with all that goes with it.
pub struct Judged {
    /// What came out.
    pub answer: Answer,
    /// What was judged: a model, or the invariant of a kind.
    pub promise: String,
    /// What was found, to be read.
    pub lines: Vec<String>,
    /// What was found, as data.
    pub json: Value,
    /// The history that shows the first finding by itself.
    pub witness: Option<Workload>,
    /// The finding to draw: one with a cycle, if there is one.
    pub finding: Option<Finding>,
}

/// Findings that are printed; JSON has them all.
const FINDINGS_SHOWN: usize = 3;

/// Lines of an argument that are printed.
const ARGUMENT_LINES_SHOWN: usize = 60;

/// Moments of an order that are printed.
const ORDER_SHOWN: usize = 24;

/// Violations of a simple kind that are printed.
const VIOLATIONS_SHOWN: usize = 20;

/// Judges a history.
pub fn judge(workload: &Workload, args: &CheckArgs, language: Language) -> Result<Judged, LabError> {
    match workload {
        Workload::RwRegister(history) if args.kind == Some(CheckKind::Linearizable) => linearizable(history, language),
        Workload::RwRegister(history) => Ok(registers(history, args, language)),
        Workload::ListAppend(history) => Ok(lists(history, args, language)),
        Workload::Bank(records) => {
            let options = BankOptions { total: args.total, negative_allowed: args.overdraft, ..BankOptions::default() };
            let violations = check_bank(records, &options);
            let witness = violations.first().map(|first| Workload::Bank(bank_witness(records, first, &options)));
            let promise = Text { en: "constant total", zh: "总额不变" }.get(language);
            let lines = violations.iter().map(|violation| words::bank(violation, language)).collect();
            Ok(simple(promise, lines, json!({ "violations": violations }), witness, language))
        }
        Workload::Set(records) => {
            let report = check_set(records);
            let mut lines: Vec<String> = report.violations.iter().map(|one| words::set(one, language)).collect();
            let violated = !lines.is_empty();
            if !report.never_read.is_empty() {
                let count = report.never_read.len();
                lines.push(match language {
                    Language::English => {
                        format!("{count} acknowledged elements were never read after: nothing is known of them")
                    }
                    Language::Chinese => format!("有 {count} 个已确认的元素之后再没有被读过，无从判断"),
                });
            }
            let witness = report.violations.first().map(|first| Workload::Set(set_witness(records, first)));
            let promise = Text { en: "no element lost, none invented", zh: "元素不丢失，也不凭空出现" }.get(language);
            let mut judged = simple(promise, lines, json!(report), witness, language);
            if !violated {
                judged.answer = Answer::Holds;
            }
            Ok(judged)
        }
        Workload::Counter(records) => {
            let violations = check_counter(records);
            let lines = violations.iter().map(|violation| words::counter(violation, language)).collect();
            let promise =
                Text { en: "reads within the bounds of the additions", zh: "读数在加法允许的范围内" }.get(language);
            // A counter's read is wrong by all additions together, so the whole history is its witness.
            let witness = (!violations.is_empty()).then(|| workload.clone());
            Ok(simple(promise, lines, json!({ "violations": violations }), witness, language))
        }
    }
}

fn simple(promise: &str, mut lines: Vec<String>, json: Value, witness: Option<Workload>, language: Language) -> Judged {
    let answer = if lines.is_empty() { Answer::Holds } else { Answer::Violated };
    if lines.len() > VIOLATIONS_SHOWN {
        let more = lines.len() - VIOLATIONS_SHOWN;
        lines.truncate(VIOLATIONS_SHOWN);
        lines.push(more_of(more as u64, language));
    }
    Judged { answer, promise: promise.to_owned(), lines, json, witness, finding: None }
}

fn more_of(more: u64, language: Language) -> String {
    match language {
        Language::English => format!("… and {more} more; --json has them all"),
        Language::Chinese => format!("……另有 {more} 条；--json 给出全部"),
    }
}

fn lists(history: &History, args: &CheckArgs, language: Language) -> Judged {
    let verdict = check_list_append(history, args.model, &Options::default());
    let answer = if verdict.holds { Answer::Holds } else { Answer::Violated };
    let mut lines = findings(&verdict, history, language);
    lines.extend(weaker(&verdict, language));
    let json = json!({ "verdict": verdict, "keys": key_names(history) });
    let check = |history: &History| check_list_append(history, args.model, &Options::default());
    let witness = witness(history, &verdict, args, check).map(Workload::ListAppend);
    let finding = drawn(&verdict);
    Judged { answer, promise: args.model.to_string(), lines, json, witness, finding }
}

fn registers(history: &History, args: &CheckArgs, language: Language) -> Judged {
    let transactions = if args.inferred { 0 } else { args.decide_most };
    let decision = DecisionLimits { transactions, ..DecisionLimits::default() };
    let options = RegisterOptions {
        decision,
        sequential_keys: args.keys == Some(KeyOrder::Sequential),
        linearizable_keys: args.keys == Some(KeyOrder::Linearizable),
        ..RegisterOptions::default()
    };
    let checked = check_rw_register(history, args.model, options);
    let verdict = &checked.verdict;
    let mut lines = Vec::new();
    let answer = match &checked.decision {
        Some(Decision::Undecided { why }) if !args.inferred => Answer::Undecided(words::undecided(*why, language)),
        Some(Decision::Violated(refutation)) => {
            lines.extend(refuted(history, refutation, language));
            Answer::Violated
        }
        Some(Decision::Holds { order }) => {
            let order = words::order(order, ORDER_SHOWN);
            lines.push(match language {
                Language::English => format!("this order explains every read: {order}"),
                Language::Chinese => format!("如下顺序可以解释所有读：{order}"),
            });
            Answer::Holds
        }
        _ if verdict.holds => Answer::Holds,
        _ => Answer::Violated,
    };
    if !matches!(checked.decision, Some(Decision::Violated(_))) {
        lines.extend(findings(verdict, history, language));
    }
    lines.extend(weaker(verdict, language));
    let json = json!({ "verdict": verdict, "decision": checked.decision, "keys": key_names(history) });
    let check = |history: &History| check_rw_register(history, args.model, options).verdict;
    let witness = witness(history, verdict, args, check).map(Workload::RwRegister);
    let finding = drawn(verdict);
    Judged { answer, promise: args.model.to_string(), lines, json, witness, finding }
}

fn refuted(
    history: &History,
    refutation: &pgstrata_history::register::decide::Refutation,
    language: Language,
) -> Vec<String> {
    let count = refutation.transactions.len();
    let who = words::names(&refutation.transactions);
    let mut lines = vec![match (language, refutation.minimal) {
        (Language::English, true) => {
            format!("no order explains these {count} transactions, and none of them can be left out: {who}")
        }
        (Language::English, false) => format!("no order explains these {count} transactions: {who}"),
        (Language::Chinese, true) => format!("没有任何顺序能解释这 {count} 个事务，且缺一不可：{who}"),
        (Language::Chinese, false) => format!("没有任何顺序能解释这 {count} 个事务：{who}"),
    }];
    lines.extend(transactions(history, &refutation.transactions, language));
    if let Some(argument) = &refutation.argument {
        let mut words = Vec::new();
        words::argument(argument, history, language, 1, &mut words);
        let more = words.len().saturating_sub(ARGUMENT_LINES_SHOWN);
        words.truncate(ARGUMENT_LINES_SHOWN);
        lines.append(&mut words);
        if more > 0 {
            lines.push(format!("  {}", more_of(more as u64, language)));
        }
    }
    lines
}

fn transactions(history: &History, ids: &[TransactionId], language: Language) -> Vec<String> {
    let line = |id: &TransactionId| format!("    {}", words::transaction(history, history.transaction(*id), language));
    let mut lines: Vec<String> = ids.iter().take(VIOLATIONS_SHOWN).map(line).collect();
    if ids.len() > VIOLATIONS_SHOWN {
        lines.push(format!("    {}", more_of((ids.len() - VIOLATIONS_SHOWN) as u64, language)));
    }
    lines
}

fn findings(verdict: &Verdict, history: &History, language: Language) -> Vec<String> {
    let mut lines = Vec::new();
    for finding in relevant(verdict).take(FINDINGS_SHOWN) {
        let explanation = finding.explain(history);
        lines.push(explanation.summary.get(language).to_owned());
        lines.extend(transactions(history, &finding.transactions, language));
        lines.extend(explanation.steps.iter().map(|step| format!("  {}", step.get(language))));
    }
    let found: u64 =
        verdict.counts.iter().filter(|(anomaly, _)| verdict.model.forbids(**anomaly)).map(|(_, count)| count).sum();
    let more = found.saturating_sub(FINDINGS_SHOWN as u64);
    if more > 0 {
        lines.push(more_of(more, language));
    }
    lines
}

/// The findings that break the model that was asked for; those of the most elementary anomaly first.
fn relevant(verdict: &Verdict) -> impl Iterator<Item = &Finding> {
    verdict.findings.iter().filter(|finding| verdict.model.forbids(finding.anomaly))
}

fn weaker(verdict: &Verdict, language: Language) -> Option<String> {
    let violated: Vec<String> = verdict.violated.iter().map(ToString::to_string).collect();
    let violated = violated.join(", ");
    (!violated.is_empty()).then(|| match language {
        Language::English => format!("weakest models that are broken: {violated}"),
        Language::Chinese => format!("被破坏的最弱模型：{violated}"),
    })
}

/// The smallest history that shows the finding of fewest transactions; it is only looked for if it is wanted.
fn witness(
    history: &History,
    verdict: &Verdict,
    args: &CheckArgs,
    check: impl Fn(&History) -> Verdict,
) -> Option<History> {
    args.witness.as_ref()?;
    let finding = relevant(verdict).min_by_key(|finding| finding.transactions.len())?;
    // Of the transactions of the finding alone, which are few, single operations may go as well.
    let small = project(history, &finding.transactions);
    let verdict = check(&small);
    match relevant(&verdict).min_by_key(|finding| finding.transactions.len()) {
        Some(finding) => shrink(&small, finding, ShrinkLimits::default(), check).map(|shrunk| shrunk.history),
        // What the others did is part of the fault.
        None => shrink(history, finding, ShrinkLimits::default(), check).map(|shrunk| shrunk.history),
    }
}

/// The finding that is drawn.
fn drawn(verdict: &Verdict) -> Option<Finding> {
    relevant(verdict).min_by_key(|finding| (finding.cycle.is_empty(), finding.transactions.len())).cloned()
}

fn key_names(history: &History) -> Vec<&str> {
    let count = u32::try_from(history.key_count()).unwrap_or(u32::MAX);
    (0..count).map(|key| history.key_name(pgstrata_history::Key(key))).collect()
}

fn linearizable(history: &History, language: Language) -> Result<Judged, LabError> {
    let found = check_linearizable(history, SearchLimits::default())
        .map_err(|error| LabError::usage(error.to_string(), "leave out `--type linearizable` to judge transactions"))?;
    let mut lines = Vec::new();
    for violation in &found.violations {
        let key = history.key_name(violation.key);
        let end = violation.seen_by_ns;
        lines.push(match language {
            Language::English => {
                format!("key {key}: no order explains these operations, as was to be seen at {end} ns")
            }
            Language::Chinese => format!("键 {key}：没有任何顺序能解释这些操作，到 {end} ns 即可看出"),
        });
        lines.extend(transactions(history, &violation.operations, language));
    }
    let answer = match (found.violations.is_empty(), found.undecided.first()) {
        (false, _) => Answer::Violated,
        (true, Some(key)) => {
            let key = history.key_name(*key);
            Answer::Undecided(match language {
                Language::English => {
                    format!("values of key {key} were written more than once, and the search hit its bound")
                }
                Language::Chinese => format!("键 {key} 的值被重复写入，搜索达到上限"),
            })
        }
        (true, None) => Answer::Holds,
    };
    let witness = found.violations.first().map(|first| Workload::RwRegister(project(history, &first.operations)));
    let json = json!({ "verdict": found, "keys": key_names(history) });
    Ok(Judged { answer, promise: "linearizable".to_owned(), lines, json, witness, finding: None })
}

/// The read that tells the total, and the one at fault.
fn bank_witness<T: Clone>(records: &[Recorded<T>], violation: &BankViolation, _: &BankOptions) -> Vec<Recorded<T>> {
    let (BankViolation::WrongTotal { index, .. }
    | BankViolation::WrongAccounts { index, .. }
    | BankViolation::NullBalance { index, .. }
    | BankViolation::Negative { index, .. }) = *violation;
    // What came before a wrong read is what it is held against.
    records[..=index].to_vec()
}

/// An element's addition, and the reads.
fn set_witness(
    records: &[Recorded<pgstrata_history::workload::set::SetOperation>],
    violation: &SetViolation,
) -> Vec<Recorded<pgstrata_history::workload::set::SetOperation>> {
    use pgstrata_history::workload::set::SetOperation::{Add, Read};
    let (SetViolation::Lost { element, .. }
    | SetViolation::Stale { element, .. }
    | SetViolation::Unexpected { element, .. }
    | SetViolation::Duplicated { element, .. }) = *violation;
    let only = |record: &Recorded<pgstrata_history::workload::set::SetOperation>| match &record.operation {
        Add(value) => (*value == element).then(|| record.clone()),
        Read(None) => None,
        Read(Some(elements)) => {
            let seen = elements.iter().copied().filter(|value| *value == element).collect();
            Some(record.with(Read(Some(seen))))
        }
    };
    records.iter().filter_map(only).collect()
}
