//! A finding as a ladder: one box a transaction from top to bottom, the reason for each step beside its arrow, and the
//! last arrow leading back to the top. It reads like the sentences, and any length fits.

use pgstrata_units::Language;

use super::svg::{Svg, WIDTH, cut, wrap};
use crate::explanation::{Explanation, operation_in_words};
use crate::graph::{Dependency, Edge};
use crate::model::{History, Status, TransactionId};
use crate::verdict::Finding;

/// Transactions that are drawn; of a longer cycle the rest is said to be missing.
const DRAWN_MOST: usize = 24;

/// Where the boxes begin: the arrow that leads back is to their left.
const BOX_LEFT: u32 = 56;
const BOX_WIDTH: u32 = WIDTH - BOX_LEFT - 12;
const BOX_PADDING: u32 = 12;
const LINE: u32 = 18;
const NAME_WIDTH: u32 = 150;
const ARROW_LEFT: u32 = BOX_LEFT + 26;
const REASON_LEFT: u32 = ARROW_LEFT + 20;
const BACK_LEFT: u32 = 24;

struct Ladder<'h> {
    svg: Svg,
    history: &'h History,
    language: Language,
    y: u32,
}

/// A picture of a finding in one language.
#[must_use]
pub fn svg(finding: &Finding, history: &History, language: Language) -> String {
    let explanation = finding.explain(history);
    let mut ladder = Ladder { svg: Svg::new(), history, language, y: 22 };
    ladder.heading(finding, &explanation);
    if finding.cycle.is_empty() {
        ladder.single(finding, &explanation);
    } else {
        ladder.cycle(finding, &explanation);
    }
    let title = explanation.summary.get(language);
    let steps: Vec<&str> = explanation.steps.iter().map(|step| step.get(language)).collect();
    let height = ladder.y + 12;
    ladder.svg.finish(height, title, &steps.join("\n"))
}

impl Ladder<'_> {
    fn heading(&mut self, finding: &Finding, explanation: &Explanation) {
        self.svg.text("title", (BACK_LEFT, self.y), &finding.anomaly.to_string());
        let meaning = finding.anomaly.meaning().get(self.language);
        for line in wrap(meaning, WIDTH - 2 * BACK_LEFT) {
            self.y += LINE;
            self.svg.text("muted", (BACK_LEFT, self.y), &line);
        }
        if finding.cycle.is_empty() {
            for step in &explanation.steps {
                for line in wrap(step.get(self.language), WIDTH - 2 * BACK_LEFT) {
                    self.y += LINE + 4;
                    self.svg.text("", (BACK_LEFT, self.y), &line);
                }
            }
        }
        self.y += 16;
    }

    fn single(&mut self, finding: &Finding, _: &Explanation) {
        let mut drawn: Vec<TransactionId> = Vec::new();
        for id in &finding.transactions {
            if !drawn.contains(id) {
                drawn.push(*id);
                self.transaction(*id);
                self.y += 10;
            }
        }
    }

    fn cycle(&mut self, finding: &Finding, explanation: &Explanation) {
        let top = self.y + LINE;
        let edges: Vec<(&Edge, &str)> =
            finding.cycle.iter().zip(explanation.steps.iter().map(|step| step.get(self.language))).collect();
        let shown = if edges.len() > DRAWN_MOST { DRAWN_MOST - 1 } else { edges.len() - 1 };
        for (edge, reason) in &edges[..shown] {
            self.transaction(edge.from);
            self.step(edge, reason);
        }
        let missing = edges.len() - 1 - shown;
        if missing > 0 {
            let text = match self.language {
                Language::English => format!("… {missing} more transactions"),
                Language::Chinese => format!("……另有 {missing} 个事务"),
            };
            self.y += LINE;
            self.svg.text("muted", (REASON_LEFT, self.y), &text);
            self.y += LINE;
        }
        let Some((edge, reason)) = edges.last() else { return };
        self.transaction(edge.from);
        let bottom = self.y;
        let class = class(edge.dependency);
        self.reason(edge, reason, self.y + 22);
        let turn = bottom + 18;
        let back = [(ARROW_LEFT, bottom), (ARROW_LEFT, turn), (BACK_LEFT, turn), (BACK_LEFT, top), (BOX_LEFT - 3, top)];
        self.svg.arrow(class, &back);
    }

    /// A box with what a transaction did.
    fn transaction(&mut self, id: TransactionId) {
        let transaction = self.history.transaction(id);
        let did: Vec<String> =
            self.history.operations(transaction).map(|operation| operation_in_words(self.history, operation)).collect();
        let width = BOX_WIDTH - NAME_WIDTH - 2 * BOX_PADDING;
        let lines = lines_of(&did, width);
        let height = LINE * u32::try_from(lines.len()).unwrap_or(1).max(1) + BOX_PADDING;
        self.svg.rect("box", (BOX_LEFT, self.y), (BOX_WIDTH, height));
        let ended = match (transaction.status, self.language) {
            (Status::Committed, _) => "",
            (Status::Aborted, Language::English) => ", rolled back",
            (Status::Aborted, Language::Chinese) => "，已回滚",
            (Status::Unknown, Language::English) => ", outcome unknown",
            (Status::Unknown, Language::Chinese) => "，结果未知",
        };
        self.svg.text("name", (BOX_LEFT + BOX_PADDING, self.y + LINE + 1), &format!("{id}{ended}"));
        for (number, line) in (0..).zip(&lines) {
            let at = (BOX_LEFT + BOX_PADDING + NAME_WIDTH, self.y + LINE * (number + 1) + 1);
            self.svg.text("did", at, line);
        }
        self.y += height;
    }

    /// An arrow down with its reason.
    fn step(&mut self, edge: &Edge, reason: &str) {
        let from = self.y;
        self.reason(edge, reason, from + 22);
        self.y += 8;
        self.svg.arrow(class(edge.dependency), &[(ARROW_LEFT, from), (ARROW_LEFT, self.y - 3)]);
    }

    fn reason(&mut self, edge: &Edge, reason: &str, first_line: u32) {
        let key = edge.key.map_or_else(String::new, |key| format!(" {}", self.history.key_name(key)));
        let kind = format!("{}{key}", edge.dependency.short());
        self.y = first_line;
        self.svg.text(&format!("kind {}", class(edge.dependency)), (REASON_LEFT, self.y), &cut(&kind, BOX_WIDTH / 2));
        for line in wrap(reason, WIDTH - REASON_LEFT - 12) {
            self.y += LINE;
            self.svg.text("", (REASON_LEFT, self.y), &line);
        }
        self.y += 8;
    }
}

/// Puts as many operations on a line as fit.
fn lines_of(did: &[String], width: u32) -> Vec<String> {
    const BETWEEN: &str = "  ·  ";
    let most = (width * 10 / 75) as usize;
    let mut lines: Vec<String> = Vec::new();
    for operation in did {
        match lines.last_mut() {
            Some(line) if line.chars().count() + BETWEEN.len() + operation.chars().count() <= most => {
                line.push_str(BETWEEN);
                line.push_str(operation);
            }
            _ => lines.push(cut(operation, width)),
        }
    }
    lines
}

const fn class(dependency: Dependency) -> &'static str {
    match dependency {
        Dependency::WriteWrite => "ww",
        Dependency::WriteRead => "wr",
        Dependency::ReadWrite | Dependency::PredicateReadWrite => "rw",
        Dependency::Process | Dependency::RealTime => "order",
    }
}
