//! A dependency in a sentence, and what is complained of in Chinese.

use pgstrata_history::{Anomaly, Dependency};

use super::Complaint;
use super::dependencies::{Proof, Reason};
use crate::language::{Action, Scenario, Step, What};
use crate::play::{Answer, Played, Why};

/// How much of a statement a sentence shows, in characters.
const STATEMENT_MAX: usize = 90;

impl Reason {
    /// In English: who came first, and what shows it.
    #[must_use]
    pub fn english(&self, scenario: &Scenario, played: &Played) -> String {
        let (from, to) = self.names(played);
        match &self.proof {
            Proof::Answer { step, told, otherwise } => {
                let (reader, other) =
                    if self.dependency == Dependency::WriteRead { (&to, &from) } else { (&from, &to) };
                let where_it_was = if self.dependency == Dependency::WriteRead { "before" } else { "after" };
                let (told, otherwise) = (english(told), english(otherwise));
                let statement = statement(scenario, *step);
                format!(
                    "{from} came before {to}: {reader}'s `{statement}` {told}, and {where_it_was} {other} it would have said: {otherwise}"
                )
            }
            Proof::Row { table, row } => {
                format!("{from} came before {to}: the row {row} of {table} is left as only this order leaves it")
            }
        }
    }

    /// The same in Chinese.
    #[must_use]
    pub fn chinese(&self, scenario: &Scenario, played: &Played) -> String {
        let (from, to) = self.names(played);
        match &self.proof {
            Proof::Answer { step, told, otherwise } => {
                let (reader, other) =
                    if self.dependency == Dependency::WriteRead { (&to, &from) } else { (&from, &to) };
                let where_it_was = if self.dependency == Dependency::WriteRead { "之前" } else { "之后" };
                let (told, otherwise) = (chinese(told), chinese(otherwise));
                let statement = statement(scenario, *step);
                format!(
                    "{from} 先于 {to}：{reader} 的 `{statement}` {told}；若在 {other} {where_it_was}执行，则会是：{otherwise}"
                )
            }
            Proof::Row { table, row } => format!("{from} 先于 {to}：只有这个顺序才会在 {table} 中留下行 {row}"),
        }
    }

    fn names(&self, played: &Played) -> (String, String) {
        (played.transaction_name(self.from), played.transaction_name(self.to))
    }
}

impl Played {
    /// What a transaction is called: its session's name, with a number where the session had several.
    #[must_use]
    pub fn transaction_name(&self, place: usize) -> String {
        let session = &self.transactions[place].session;
        let same = |transactions: &[crate::play::Transaction]| {
            transactions.iter().filter(|other| other.session == *session).count()
        };
        if same(&self.transactions) == 1 {
            return session.clone();
        }
        format!("{session}.{}", same(&self.transactions[..=place]))
    }
}

fn statement(scenario: &Scenario, step: usize) -> String {
    let Some(Step { action: Action::Sql { text, .. }, .. }) = scenario.steps().nth(step) else { return String::new() };
    let one_line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if one_line.chars().count() <= STATEMENT_MAX {
        return one_line;
    }
    let cut: String = one_line.chars().take(STATEMENT_MAX).collect();
    format!("{cut}…")
}

fn english(answer: &Answer) -> String {
    match (&answer.error, &answer.rows, answer.count) {
        (Some(sqlstate), ..) => format!("failed with {sqlstate}"),
        (None, Some(rows), _) if rows.is_empty() => "returned no rows".to_owned(),
        (None, Some(_), _) => format!("returned {}", answer.what()),
        (None, None, Some(count)) => format!("changed {count} row{}", if count == 1 { "" } else { "s" }),
        (None, None, None) => "succeeded".to_owned(),
    }
}

fn chinese(answer: &Answer) -> String {
    match (&answer.error, &answer.rows, answer.count) {
        (Some(sqlstate), ..) => format!("以 {sqlstate} 失败"),
        (None, Some(rows), _) if rows.is_empty() => "没有返回行".to_owned(),
        (None, Some(_), _) => format!("返回 {}", answer.what()),
        (None, None, Some(count)) => format!("改动 {count} 行"),
        (None, None, None) => "成功".to_owned(),
    }
}

impl Complaint {
    /// The complaint in Chinese; in English it is what it displays.
    #[must_use]
    pub fn chinese(&self) -> String {
        let name = |anomaly: &Option<Anomaly>| anomaly.map_or_else(|| "无".to_owned(), |anomaly| anomaly.to_string());
        match self {
            Self::Stopped(Why::StillBlocked { session, line }) => {
                format!("会话 {session} 在执行第 {line} 行的步骤时仍在等待另一个会话")
            }
            Self::Stopped(Why::NeverReached { line, function }) => {
                format!("第 {line} 行的语句结束时没有调用过 {function}")
            }
            Self::Stopped(Why::NoAnswer { line, limit_ms }) => {
                format!("第 {line} 行的语句在 {limit_ms} 毫秒内没有应答")
            }
            Self::Step { line, expected, found } => format!("第 {line} 行：预期 {expected}，实际 {found}"),
            Self::Ends { expected, found } => format!("预期：{expected}；实际：{found}"),
            Self::Anomaly { expected, found } => format!("预期异常：{}，发现：{}", name(expected), name(found)),
            Self::Unexplained => "结果不等价于事务的任何依次执行，且没有单个应答能说明原因".to_owned(),
            Self::BrokenPromise { anomaly, level } => format!("{level} 不应出现 {anomaly}"),
            Self::Invariant { name, rows } => {
                format!("不变式“{name}”被以下行违反：{}", What::Rows(rows.clone()))
            }
        }
    }
}
