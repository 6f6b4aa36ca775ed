//! What came of scenarios, for people.

use pgstrata_pg::PgVersion;
use pgstrata_scenario::judge::{Checked, Judged, Reason};
use pgstrata_scenario::language::Scenario;
use pgstrata_scenario::play::Played;
use pgstrata_scenario::run::{AtLevel, Outcome, Verdict};
use pgstrata_units::{Language, Text};

use crate::terminal::Terminal;

/// One scenario: a line for each level, and for each thing that came out otherwise.
pub fn outcome(scenario: &Scenario, outcome: &Outcome, version: PgVersion, terminal: Terminal) {
    println!("{}  (PostgreSQL {version})", scenario.name);
    if !scenario.about().is_empty() {
        println!("  {}", scenario.about());
    }
    for at in &outcome.levels {
        level(scenario, at, terminal);
    }
    let text = match outcome.verdict() {
        Verdict::Held => {
            Text { en: "held: all came out as the scenario says", zh: "成立：结果与场景所述一致" }
        }
        Verdict::Convicted => Text {
            en: "CONVICTED: this server does what its release is known for; a later release has the repair",
            zh: "定罪：该服务器存在其版本已知的缺陷；更新的版本已修复",
        },
        Verdict::Failed => {
            Text { en: "FAILED: it did not come out as the scenario says", zh: "失败：结果与场景所述不符" }
        }
        Verdict::NotShown => Text {
            en: "NOT SHOWN: this release is known to fail, and it came out as if repaired",
            zh: "未重现：该版本已知有缺陷，但结果如同已修复",
        },
    };
    println!("  {}\n", terminal.say(text));
}

fn level(scenario: &Scenario, at: &AtLevel, terminal: Terminal) {
    for judged in &at.plays {
        let order = if judged.played.order.is_sorted() { "" } else { " (another order)" };
        println!("  {:<16} {}{order}", at.level.sql(), meaning(&judged.checked, terminal));
        for complaint in &judged.complaints {
            match terminal.language {
                Language::English => println!("    ! {complaint}"),
                Language::Chinese => println!("    ! {}", complaint.chinese()),
            }
        }
        for sentence in sentences(scenario, judged, terminal.language) {
            println!("      {sentence}");
        }
    }
    if at.orders > 1 {
        println!("    {} orders, {} of them impossible", at.orders, at.impossible);
    }
}

fn meaning(checked: &Checked, terminal: Terminal) -> String {
    if checked.undecided {
        return terminal.say(Text { en: "not decided", zh: "未判定" }).to_owned();
    }
    if checked.serial_order.is_some() {
        return terminal.say(Text { en: "as one after the other", zh: "等价于依次执行" }).to_owned();
    }
    checked.anomaly.map_or_else(
        || terminal.say(Text { en: "as no order of the transactions", zh: "不等价于任何依次执行" }).to_owned(),
        |anomaly| anomaly.to_string(),
    )
}

/// The cycle in sentences.
pub fn sentences(scenario: &Scenario, judged: &Judged, language: Language) -> Vec<String> {
    judged.checked.cycle_reasons().map(|reason| sentence(reason, scenario, &judged.played, language)).collect()
}

fn sentence(reason: &Reason, scenario: &Scenario, played: &Played, language: Language) -> String {
    match language {
        Language::Chinese => reason.chinese(scenario, played),
        Language::English => reason.english(scenario, played),
    }
}

/// How many came out how, when there were several.
pub fn sum(outcomes: &[Outcome], terminal: Terminal) {
    if outcomes.len() < 2 {
        return;
    }
    let held = outcomes.iter().filter(|outcome| !outcome.has_complaints()).count();
    let words = terminal.say(Text { en: "scenarios came out as they say", zh: "个场景的结果与所述一致" });
    println!("{held}/{} {words}", outcomes.len());
}
