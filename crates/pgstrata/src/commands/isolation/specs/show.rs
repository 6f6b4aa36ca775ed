//! What came of specification files, for people.

use pgstrata_lab::chinese::said;
use pgstrata_scenario::expected::Comparison;
use pgstrata_scenario::serial::{Contradiction, Judgement};
use pgstrata_scenario::suite::{FileReport, SuiteReport};
use pgstrata_units::Text;

use crate::terminal::Terminal;

/// Lines of a difference that are shown; `--raw` shows the whole output.
const DIFF_LINES_MAX: usize = 40;

/// Convictions shown of one file.
const SHOWN_MAX: usize = 3;

pub fn report(report: &SuiteReport, version: Option<&str>, terminal: Terminal) {
    for file in &report.files {
        differences(file, terminal);
        convictions(file, terminal);
    }
    sum(report, terminal);
    if let Some(version) = version.filter(|version| *version != report.server && report.totals.differing > 0) {
        let text = Text { en: "the specifications are those of PostgreSQL", zh: "规格文件来自 PostgreSQL" };
        let fixes = Text {
            en: "what differs may be a repair that the server does not have",
            zh: "差异可能是服务器尚没有的修复",
        };
        println!("{} {version}: {}", terminal.say(text), terminal.say(fixes));
    }
}

fn differences(file: &FileReport, terminal: Terminal) {
    if let Comparison::Differing { from, diff } = &file.comparison {
        println!("{}: {} {from}", file.name, terminal.say(Text { en: "differs from", zh: "不同于" }));
        if let Some(release) = &file.repaired_in {
            let text =
                Text { en: "the server is older than the repair in", zh: "服务器早于含有修复的版本" };
            println!("  {} {release}", terminal.say(text));
        }
        for line in diff.lines().take(DIFF_LINES_MAX) {
            println!("  {line}");
        }
        let more = diff.lines().count().saturating_sub(DIFF_LINES_MAX);
        if more > 0 {
            println!("  … {more} {}", terminal.say(Text { en: "more lines", zh: "行未显示" }));
        }
    }
    if let Some(stopped) = &file.stopped {
        println!(
            "{}: {} {}",
            file.name,
            terminal.say(Text { en: "ended early:", zh: "提前结束：" }),
            stopped.trim_end()
        );
    }
}

fn convictions(file: &FileReport, terminal: Terminal) {
    let convicted = file.permutations.iter().filter_map(|permutation| match &permutation.judgement {
        Some(Judgement::Convicted(contradiction)) => Some((permutation, contradiction)),
        _ => None,
    });
    let convicted: Vec<_> = convicted.collect();
    for (permutation, contradiction) in convicted.iter().take(SHOWN_MAX) {
        let text = Text { en: "convicted", zh: "定罪" };
        println!("{}: {}: {}", file.name, terminal.say(text), permutation.steps.join(" "));
        println!("  {}", words(contradiction, terminal));
    }
    if convicted.len() > SHOWN_MAX {
        let more = convicted.len() - SHOWN_MAX;
        println!("  … {more} {}", terminal.say(Text { en: "more permutations", zh: "个排列未显示" }));
    }
}

fn words(contradiction: &Contradiction, terminal: Terminal) -> String {
    let promised = terminal.say(Text { en: "every transaction was promised", zh: "每个事务都被承诺了" });
    let none = terminal.say(Text {
        en: "none of the serial orders gives this outcome; tried:",
        zh: "没有任何串行次序给出这一结果；已试次序数：",
    });
    let nearest = terminal.say(Text { en: "the nearest is", zh: "最接近的次序是" });
    format!(
        "{promised} {}; {none} {}; {nearest} {}: {}",
        contradiction.level,
        contradiction.orders,
        contradiction.nearest.join(", "),
        said(&contradiction.detail, terminal.language)
    )
}

fn sum(report: &SuiteReport, terminal: Terminal) {
    let totals = &report.totals;
    let line = |text: Text, count: usize| println!("{count:>7}  {}", terminal.say(text));
    println!("PostgreSQL {}", report.server);
    line(Text { en: "files", zh: "个文件" }, totals.files);
    line(Text { en: "permutations", zh: "个排列" }, totals.permutations);
    line(Text { en: "files with the expected output", zh: "个文件的输出与预期一致" }, totals.matched);
    line(Text { en: "files with another output", zh: "个文件的输出与预期不同" }, totals.differing);
    if totals.unrepaired > 0 {
        let text = Text {
            en: "files with another output because the server is older than a repair",
            zh: "个文件的输出不同，因为服务器早于某个修复",
        };
        line(text, totals.unrepaired);
    }
    if totals.unknown > 0 {
        line(Text { en: "files without an expected output", zh: "个文件没有预期输出" }, totals.unknown);
    }
    let not_covered: usize = totals.not_covered.values().sum();
    if totals.judged + not_covered == 0 {
        return;
    }
    line(Text { en: "permutations judged, of which", zh: "个排列已裁定，其中" }, totals.judged);
    line(Text { en: "  some serial order gives the outcome", zh: "  结果等价于某个串行次序" }, totals.serializable);
    line(
        Text {
            en: "  none does, and the level allows it", zh: "  不等价于任何串行次序，而隔离级别允许"
        },
        totals.allowed,
    );
    line(
        Text { en: "  none does, although it was promised", zh: "  不等价于任何串行次序，却曾被承诺" },
        totals.convicted,
    );
    line(Text { en: "permutations not covered, because", zh: "个排列未覆盖，原因" }, not_covered);
    for (why, count) in &totals.not_covered {
        println!("{count:>7}    {}", said(&why.to_string(), terminal.language));
    }
    println!("{:>7}  {}", totals.serial_runs, terminal.say(Text { en: "serial runs made", zh: "次串行运行" }));
}
