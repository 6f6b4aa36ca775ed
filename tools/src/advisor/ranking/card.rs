//! The model card as text for the book: what the ranking was trained on, how wrong it is, and who ranks.

use std::fmt::Write as _;

use pgstrata_units::{Language, Text};

use super::validation::{Card, Chooser, GOAL_MEAN_REGRET, Ranks, Score};

/// The card as Markdown.
#[must_use]
pub fn card_markdown(card: &Card, language: Language) -> String {
    let say = |text: Text| text.get(language);
    let mut text = format!("{}\n\n", verdict(card, language));
    let heading = [
        say(Text { en: "chosen by", zh: "由谁选择" }),
        say(Text { en: "mean regret", zh: "平均遗憾" }),
        say(Text { en: "95 % interval", zh: "95% 区间" }),
        say(Text { en: "95th percentile", zh: "第 95 百分位" }),
        say(Text { en: "the best was chosen", zh: "选中最优" }),
        say(Text { en: "the model's less this", zh: "模型减此项" }),
    ];
    let _ = writeln!(text, "| {} |\n|---|---:|---:|---:|---:|---:|", heading.join(" | "));
    for score in &card.scores {
        let _ = writeln!(text, "{}", row(card, score, language));
    }
    let facts = [
        (Text { en: "cells of the grid", zh: "网格单元数" }, card.cells.to_string()),
        (Text { en: "folds of the cross-validation", zh: "交叉验证折数" }, card.folds.to_string()),
        (
            Text {
                en: "noise floor: who knows half of the rounds, judged by the other half",
                zh: "噪声下限：知道一半轮次者，以另一半轮次评判",
            },
            percent(card.noise_floor),
        ),
        (
            Text {
                en: "median error of a strategy's relative throughput", zh: "单个策略相对吞吐量的误差中位数"
            },
            percent(card.error_median),
        ),
    ];
    let _ = writeln!(text, "\n| {} | |\n|---|---:|", say(Text { en: "about the model", zh: "关于模型" }));
    for (what, value) in facts {
        let _ = writeln!(text, "| {} | {value} |", say(what));
    }
    text + &whole_values(card, language)
}

/// How the model does on values that it has never seen.
fn whole_values(card: &Card, language: Language) -> String {
    let say = |text: Text| text.get(language);
    let heading = [
        say(Text { en: "all cells of one value are held out: of the", zh: "整体留出取同一值的所有单元" }),
        say(Text { en: "the model's mean regret", zh: "模型的平均遗憾" }),
        say(Text { en: "95 % interval", zh: "95% 区间" }),
    ];
    let mut text = format!("\n| {} |\n|---|---:|---:|\n", heading.join(" | "));
    for one in &card.values {
        let [low, high] = one.interval;
        let (axis, mean) = (say(one.axis.title()), percent(one.mean_regret));
        let _ = writeln!(text, "| {axis} | {mean} | {} – {} |", percent(low), percent(high));
    }
    text
}

/// Who ranks and whether the goal is reached, in sentences.
fn verdict(card: &Card, language: Language) -> String {
    let ranks = match card.ranks {
        Ranks::Model => Text {
            en: "**The model ranks**: on cells that it has not seen, its choices cost less than those of the rules, by more \
                 than chance.",
            zh: "**由模型排序**：在未见过的单元上，模型的选择代价低于规则，差异超出偶然。",
        },
        Ranks::Rules => Text {
            en: "**The rules rank**: on cells that it has not seen, the model's choices do not cost less than those of the \
                 rules by more than chance.",
            zh: "**由规则排序**：在未见过的单元上，模型的选择代价并未以超出偶然的幅度低于规则。",
        },
    };
    let goal = if card.reaches_goal() {
        Text {
            en: "The goal (mean regret of at most {} and below the rules' and the write/read ratio's) is reached.",
            zh: "目标（平均遗憾不超过 {}，且低于规则与写读比规则）已达到。",
        }
    } else {
        Text {
            en: "The goal (mean regret of at most {} and below the rules' and the write/read ratio's) is missed.",
            zh: "目标（平均遗憾不超过 {}，且低于规则与写读比规则）未达到。",
        }
    };
    let goal = goal.get(language).replace("{}", &percent(GOAL_MEAN_REGRET));
    let space = if language == Language::English { " " } else { "" };
    format!("{}{space}{goal}", ranks.get(language))
}

fn row(card: &Card, score: &Score, language: Language) -> String {
    let [low, high] = score.interval;
    let against = card.against.iter().find(|one| one.chooser == score.chooser);
    let difference = against.map_or(String::new(), |one| {
        let [low, high] = one.interval;
        format!("{:+.1} ({:+.1} … {:+.1}) %", one.mean * 100.0, low * 100.0, high * 100.0)
    });
    let name = score.chooser.title().get(language);
    let name = if score.chooser == Chooser::Model { format!("**{name}**") } else { name.to_owned() };
    format!(
        "| {name} | {} | {} – {} | {} | {} | {difference} |",
        percent(score.mean_regret),
        percent(low),
        percent(high),
        percent(score.regret_p95),
        percent(score.best_chosen),
    )
}

fn percent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::advisor::ranking::{Against, Axis, ValuesHeldOut};

    fn card(model: f64, difference: [f64; 2], ranks: Ranks) -> Card {
        let score = |chooser, mean_regret| Score {
            chooser,
            mean_regret,
            interval: [mean_regret - 0.01, mean_regret + 0.01],
            regret_p95: 0.2,
            best_chosen: 0.6,
        };
        Card {
            cells: 240,
            folds: 10,
            trees: 100,
            seed: 1,
            scores: vec![
                score(Chooser::Model, model),
                score(Chooser::Rules, 0.1),
                score(Chooser::WriteReadRatio, 0.3),
                score(Chooser::BestFixed, 0.15),
            ],
            against: vec![Against { chooser: Chooser::Rules, mean: model - 0.1, interval: difference }],
            values: vec![ValuesHeldOut { axis: Axis::Skew, mean_regret: 0.06, interval: [0.04, 0.08] }],
            noise_floor: 0.01,
            error_median: 0.07,
            ranks,
        }
    }

    #[test]
    fn a_card_says_who_ranks_and_whether_the_goal_is_reached() {
        let reached = card_markdown(&card(0.03, [-0.09, -0.05], Ranks::Model), Language::English);
        assert!(reached.contains("**The model ranks**") && reached.contains("is reached"), "{reached}");
        assert!(reached.contains("| the rules | 10.0 % | 9.0 % – 11.0 % | 20.0 % | 60.0 % | -7.0 (-9.0 … -5.0) % |"));
        assert!(reached.contains("| skew | 6.0 % | 4.0 % – 8.0 % |"), "{reached}");
        let missed = card_markdown(&card(0.12, [-0.01, 0.05], Ranks::Rules), Language::Chinese);
        assert!(missed.contains("**由规则排序**") && missed.contains("未达到"), "{missed}");
    }
}
