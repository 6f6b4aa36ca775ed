//! Every word that the reports show, in both languages. `{name}` in a sentence is filled by [`fill`].

use pgstrata_stats::{Moment, Verdict};
use pgstrata_units::{Language, Text};

use crate::record::TrialPurpose;
use crate::study::ArmKind;

const fn text(en: &'static str, zh: &'static str) -> Text {
    Text { en, zh }
}

/// The sentence in the language, with `{name}` replaced by its value. Values are not searched for names again.
#[must_use]
pub fn fill(sentence: Text, language: Language, values: &[(&str, &str)]) -> String {
    let mut out = String::new();
    let mut rest = sentence.get(language);
    while let Some((before, after)) = rest.split_once('{') {
        let Some((name, tail)) = after.split_once('}') else { break };
        out.push_str(before);
        match values.iter().find(|(known, _)| *known == name) {
            Some((_, value)) => out.push_str(value),
            None => unreachable!("the sentence {sentence:?} names {name:?}, which is not given"),
        }
        rest = tail;
    }
    out.push_str(rest);
    out
}

// Columns of the result table.
pub const ARM: Text = text("arm", "方案");
pub const KIND: Text = text("kind", "类型");
pub const THROUGHPUT: Text = text("decided/s", "决定数/秒");
pub const RATIO: Text = text("vs {baseline} (95 % interval)", "对比 {baseline}（95 % 区间）");
pub const RATIO_ALONE: Text = text("ratio (95 % interval)", "比值（95 % 区间）");
pub const P50: Text = text("p50", "p50");
pub const P99: Text = text("p99", "p99");
pub const RETRIES: Text = text("retries /op", "重试/操作");
pub const SERVER_CPU: Text = text("server CPU/op", "服务器 CPU/操作");
pub const CLIENT_CPU: Text = text("client CPU/op", "客户端 CPU/操作");
pub const WAL: Text = text("WAL /op", "WAL/操作");
pub const LOCK_WAIT: Text = text("lock wait/op", "锁等待/操作");
pub const OUTCOMES: Text = text("ok/rejected/ failed/unknown", "成功/拒绝/ 失败/未知");
pub const BASELINE: Text = text("baseline", "基准");
pub const VIOLATED: Text = text("violated {ids}", "违反 {ids}");
pub const HIDDEN_COLUMNS: Text =
    text("{count} columns hidden for want of width: {names}", "终端太窄，隐藏了 {count} 列：{names}");

// Headings of the terminal report.
pub const VIOLATIONS: Text = text("Invariants", "不变式");
pub const ISOLATION: Text = text("Isolation", "隔离性");
pub const ISOLATION_HOLDS: Text = text(
    "{arm}: {transactions} transactions with {dependencies} dependencies are {model}",
    "{arm}：{transactions} 个事务、{dependencies} 条依赖，满足 {model}",
);
pub const ISOLATION_BROKEN: Text = text(
    "{arm}: {transactions} transactions with {dependencies} dependencies are not {model}",
    "{arm}：{transactions} 个事务、{dependencies} 条依赖，不满足 {model}",
);
pub const NOT_COVERED: Text =
    text("not covered: {what} ({count}, for example {example})", "未覆盖：{what}（{count} 处，例如 {example}）");
pub const FAULTS: Text = text("Faults injected", "注入的故障");
pub const CONTROL: Text = text("A/A control", "A/A 对照");
pub const DETECTABLE: Text = text("Smallest detectable difference", "可检测的最小差异");
pub const CLAIMS: Text = text("Claims", "目标");
pub const VALIDITY: Text = text("Validity", "有效性");
pub const SETTINGS: Text = text("Settings", "设置");
pub const MACHINE: Text = text("Machine", "机器");
pub const SEED: Text = text("Seed", "随机种子");
pub const COMMAND: Text = text("Again", "重现");

// Sentences.
pub const NO_VIOLATIONS: Text =
    text("every invariant held in all {trials} trials", "全部 {trials} 次试验中，所有不变式均成立");
pub const ROWS_IN_TRIALS: Text = text("rows: {count}, trials: {trials}", "{count} 行，{trials} 次试验");
pub const MORE_WITNESSES: Text = text("and {count} more", "另有 {count} 行");
pub const FAULT_LINE: Text = text("{count} × {fault}", "{count} × {fault}");
pub const RECOVERY: Text = text("median recovery {time}", "恢复时间中位数 {time}");
pub const UNHEALED: Text = text("{count} not recovered", "{count} 次未恢复");
pub const CONTROL_CLEAN: Text = text(
    "{arm} against itself {ratio} ({confidence} % interval), {pairs} pairs: no bias",
    "{arm} 与自身对比 {ratio}（{confidence} % 区间），{pairs} 对：无偏差",
);
pub const CONTROL_BIASED: Text = text(
    "{arm} against itself {ratio} ({confidence} % interval), {pairs} pairs: biased, so no difference is claimed",
    "{arm} 与自身对比 {ratio}（{confidence} % 区间），{pairs} 对：存在偏差，因此不作任何差异结论",
);
pub const NO_CONTROL: Text = text("not run", "未运行");
pub const DETECTABLE_LINE: Text = text("{percent} with 80 % power", "{percent}（检验功效 80 %）");
pub const HELD: Text = text("held", "达成");
pub const MISSED: Text = text("missed", "未达成");
pub const INCONCLUSIVE: Text = text("inconclusive", "无法判定");
pub const MEASURED_OF_TARGET: Text = text("measured {measured}, target {target}", "实测 {measured}，目标 {target}");
pub const TARGET: Text = text("target {target}", "目标 {target}");
pub const VALID: Text = text("the machine stood still enough for the figures to count", "机器足够稳定，数据有效");
pub const INVALID: Text = text("the figures do not count", "数据无效");
pub const MACHINE_LINE: Text =
    text("{cpu} × {cpus}, {memory}, {kernel}, load {load}", "{cpu} × {cpus}，{memory}，{kernel}，负载 {load}");
pub const RUN_LINE: Text = text(
    "{study} ({system}), preset {preset}, {started}, {seconds}",
    "{study}（{system}），预设 {preset}，{started}，{seconds}",
);
pub const ATTACHED: Text = text("attached", "外接");
pub const PRIVATE: Text = text("private", "私有");

// Plots.
pub const PLOT_THROUGHPUT: Text = text("Decided operations per second", "每秒决定的操作数");
pub const PLOT_THROUGHPUT_NOTE: Text = text(
    "large mark: median of the windows; bar: its 95 % interval; small marks: the windows",
    "大标记：各窗口的中位数；横条：其 95 % 区间；小标记：各窗口",
);
pub const PLOT_THROUGHPUT_NOTE_RANGE: Text = text(
    "large mark: median of the windows; bar: their range; small marks: the windows",
    "大标记：各窗口的中位数；横条：其范围；小标记：各窗口",
);
pub const LOG_AXIS: Text = text("logarithmic axis", "对数坐标轴");
pub const NO_FIGURE: Text = text("violated {ids}: no figure", "违反 {ids}：不给出数据");
pub const NOT_MEASURED: Text = text("not measured undisturbed", "没有无干扰的测量");
pub const PLOT_LATENCY: Text = text("Latency by percentile", "各百分位的延迟");
pub const PLOT_LATENCY_NOTE: Text = text(
    "from the intended start; a line ends where fewer than ten samples are above it",
    "自预定开始时刻计；其上样本不足十个处，曲线终止",
);
pub const PLOT_TIMELINE: Text = text("Operations over time, faults marked", "操作随时间的变化，标出故障");
pub const PLOT_TIMELINE_NOTE: Text = text(
    "operations per second; a dashed line is a fault, shaded until the system was whole again",
    "每秒操作数；虚线为故障，阴影持续到系统恢复",
);
pub const SECONDS: Text = text("seconds since the trial’s start", "试验开始后的秒数");
pub const ACCEPTED: Text = text("accepted", "接受");
pub const REJECTED: Text = text("rejected", "拒绝");
pub const FAILED_OR_UNKNOWN: Text = text("failed or unknown", "失败或未知");
pub const MORE_ARMS: Text = text("{count} more arms are in the record", "其余 {count} 个方案见记录文件");
pub const PLOT_PAIRS: Text = text("Ratio to {baseline}, pair by pair", "与 {baseline} 的比值，逐对");
pub const PLOT_PAIRS_NOTE: Text = text(
    "one mark is one pair of adjacent windows; at ×1 both arms are equally fast",
    "每个标记是一对相邻窗口；×1 表示两方案同样快",
);
pub const PAIRS_X: Text = text("pairs in the order in which they ran", "按运行顺序排列的窗口对");

// The comparison of two records.
pub const DIFFERENCE: Text = text("Two records side by side", "两份记录的对照");
pub const OLD: Text = text("old", "旧");
pub const NEW: Text = text("new", "新");
pub const OLD_PER_SECOND: Text = text("old, decided/s", "旧，决定数/秒");
pub const NEW_PER_SECOND: Text = text("new, decided/s", "新，决定数/秒");
pub const NEW_OVER_OLD: Text = text("new/old (95 % interval)", "新/旧（95 % 区间）");
pub const NOT_PAIRED: Text = text(
    "The windows of different runs are not paired: whatever else changed between the runs is in these ratios too, so they are no verdict. To judge a change, run both arms in one run.",
    "不同运行的窗口并非成对：两次运行之间的其他变化也包含在比值中，因此不构成结论。要判断一项改动，请在同一次运行中比较两个方案。",
);
pub const TOO_FEW_WINDOWS: Text = text("too few windows", "窗口太少");
pub const ONLY_IN_ONE: Text = text("only in one record", "仅在一份记录中");
pub const CHANGED: Text = text("What else differs", "其他不同之处");
pub const NOTHING_CHANGED: Text =
    text("machine, build, servers, settings and load are the same", "机器、构建、服务器、设置和负载均相同");

// The page.
pub const SKIP: Text = text("Skip to the results", "跳到结果");
pub const RESULTS: Text = text("Results", "结果");
pub const RESULTS_CAPTION: Text = text(
    "One row per arm. Throughput is the median of the undisturbed windows; ratios come from adjacent pairs in random order.",
    "每行一个方案。吞吐量是无干扰窗口的中位数；比值来自随机顺序的相邻窗口对。",
);
pub const PLOTS: Text = text("Plots", "图");
pub const EVIDENCE: Text = text("Evidence", "证据");
pub const WITNESS_CAPTION: Text = text("Rows that break {id}", "违反 {id} 的行");
pub const INVARIANT_SQL: Text = text("The query that must return no rows", "必须不返回任何行的查询");
pub const CHECKED_BY_HISTORY: Text = text(
    "Checked against the history of acknowledged outcomes, not by one query.",
    "依据已确认结果的历史检查，而非单条查询。",
);
pub const INVARIANTS_HELD: Text = text("Invariants that held", "成立的不变式");
pub const FAULTS_CAPTION: Text = text("Faults by arm and kind", "按方案与种类统计的故障");
pub const FAULT: Text = text("fault", "故障");
pub const COUNT: Text = text("count", "次数");
pub const RECOVERY_MEDIAN: Text = text("median recovery", "恢复时间中位数");
pub const NOT_RECOVERED: Text = text("not recovered", "未恢复");
pub const EACH_FAULT: Text = text("Every fault, with what was achieved", "每次故障及其实际效果");
pub const AT: Text = text("at", "时刻");
pub const RECOVERED_AFTER: Text = text("recovered after", "恢复用时");
pub const ACHIEVED: Text = text("achieved", "实际效果");
pub const CLAIM: Text = text("claim", "目标");
pub const OUTCOME: Text = text("outcome", "结论");
pub const CLAIMS_CAPTION: Text = text("What was promised and what came of it", "承诺与结果");
pub const HOW_JUDGED: Text = text("How far to trust this", "可信程度");
pub const WHERE: Text = text("Where it ran", "运行环境");
pub const SETTING: Text = text("setting", "设置");
pub const VALUE: Text = text("value", "值");
pub const SERVER: Text = text("server {number}", "服务器 {number}");
pub const HOST: Text = text("host", "主机");
pub const PROCESSORS: Text = text("processors", "处理器");
pub const MEMORY: Text = text("memory", "内存");
pub const KERNEL: Text = text("kernel", "内核");
pub const LOAD: Text = text("load average at the start", "开始时的平均负载");
pub const BUILD: Text = text("pgstrata", "pgstrata");
pub const STARTED: Text = text("started", "开始时间");
pub const TOOK: Text = text("took", "用时");
pub const REPRODUCE: Text = text("Get it again", "重现");
pub const REPRODUCE_NOTE: Text =
    text("The seed is part of the command; the machine is not.", "命令包含随机种子，但不包含机器。");
pub const RAW: Text = text("Raw record", "原始记录");
pub const RAW_SHOW: Text = text("Show the JSON of this run", "显示本次运行的 JSON");
pub const RAW_DOWNLOAD: Text = text("Download the JSON", "下载 JSON");
pub const SEED_FACT: Text = text("seed", "随机种子");
pub const PRESET: Text = text("preset", "预设");

pub const MARKDOWN_ORIGIN: Text = text(
    "Measured {date}, preset {preset}, on {cpus} × {cpu}, {memory}; `{settings}`. A/A control: {control}. Validity: {validity}. \
     pgstrata {version} ({commit}). Medians of undisturbed windows; ratios from adjacent pairs in random order.",
    "测量于 {date}，预设 {preset}，{cpus} × {cpu}，{memory}；`{settings}`。A/A 对照：{control}。有效性：{validity}。\
     pgstrata {version}（{commit}）。数值为无干扰窗口的中位数；比值来自随机顺序的相邻窗口对。",
);
pub const ERROR_TEXT: Text = text("error", "错误");
pub const FAILURES_CAPTION: Text = text("What operations failed of (a sample)", "操作失败的原因（抽样）");
pub const CLAIM_TRIALS: Text = text("The trials that claims were measured in", "用于测量目标的试验");
pub const OFFERED_LOAD: Text = text("load", "负载");
pub const CLOSED_LOOP: Text = text("{clients} clients, closed loop", "{clients} 个客户端，闭环");
pub const OPEN_LOOP: Text =
    text("{rate}/s arrivals, open loop, up to {clients} under way", "每秒 {rate} 个到达，开环，最多 {clients} 个并行");
pub const DROPPED: Text = text("dropped", "丢弃");
pub const P999: Text = text("p99.9", "p99.9");
pub const SERVER_CPU_PER_ACCEPTED: Text = text("server CPU/accepted", "服务器 CPU/接受");
pub const SENTINELS_CAPTION: Text = text(
    "What the sentinels read over all trials: the median of fdatasync, the worst of the others",
    "哨兵在所有试验中的读数：fdatasync 取中位数，其余取最差值",
);
pub const MOMENT: Text = text("moment", "时刻");
pub const FDATASYNC: Text = text("fdatasync", "fdatasync");
pub const TIMER: Text = text("timer late by", "定时器延迟");
pub const FOREIGN_CPU: Text = text("CPU of others", "其他进程 CPU");
pub const STEAL: Text = text("stolen CPU", "被窃取 CPU");
pub const FIGURES_CAPTION: Text = text("The study’s own figures (medians)", "本研究自有的指标（中位数）");
pub const FIGURE: Text = text("figure", "指标");
pub const TRIALS_OF: Text = text("trials", "试验");

// The headline.
pub const HEADLINE_FASTER: Text = text(
    "{arm} decided {rate} operations per second, {times} times as many as {baseline} (95 % interval {low}–{high})",
    "{arm} 每秒决定 {rate} 个操作，是 {baseline} 的 {times} 倍（95 % 区间 {low}–{high}）",
);
pub const HEADLINE_ALONE: Text = text("{arm} decided {rate} operations per second", "{arm} 每秒决定 {rate} 个操作");
pub const HEADLINE_NONE: Text = text("no arm has a throughput figure", "没有方案给出吞吐量数据");
pub const STATUS_INVARIANTS: Text =
    text("{held} of {all} arms broke no invariant", "{all} 个方案中 {held} 个未违反任何不变式");
pub const STATUS_CLAIMS: Text = text("{held} of {all} claims held", "{all} 个目标中 {held} 个达成");
pub const STATUS_FAULTS: Text = text("{count} faults injected", "注入 {count} 次故障");
pub const STATUS_VALID: Text = text("run valid", "运行有效");
pub const STATUS_INVALID: Text = text("run invalid", "运行无效");
pub const STATUS_CONVICTED: Text = text("convicted, as expected: {arms}", "如预期被判定有误：{arms}");
pub const STATUS_UNEXPECTED: Text = text("broke an invariant: {arms}", "违反了不变式：{arms}");

/// What was expected of an arm.
#[must_use]
pub const fn kind(kind: ArmKind) -> Text {
    match kind {
        ArmKind::Broken => text("broken", "有误"),
        ArmKind::Naive => text("naive", "朴素"),
        ArmKind::Textbook => text("textbook", "教科书"),
        ArmKind::Best => text("best", "最佳"),
    }
}

/// What may be said of a comparison.
#[must_use]
pub const fn verdict(verdict: Verdict) -> Text {
    match verdict {
        Verdict::Faster => text("faster", "更快"),
        Verdict::Slower => text("slower", "更慢"),
        Verdict::Equivalent => text("equivalent", "相当"),
        Verdict::Undecided => text("undecided", "未定"),
    }
}

/// When a reading was taken.
#[must_use]
pub const fn moment(moment: Moment) -> Text {
    match moment {
        Moment::Before => text("before the load", "负载之前"),
        Moment::During => text("during the load", "负载期间"),
        Moment::After => text("after the load", "负载之后"),
    }
}

/// What a trial was for.
#[must_use]
pub const fn purpose(purpose: TrialPurpose) -> Text {
    match purpose {
        TrialPurpose::Proof => text("proof", "验证"),
        TrialPurpose::Comparison => text("comparison", "对比"),
        TrialPurpose::Claim => text("claim", "目标"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_that_looks_like_a_name_is_not_filled_again() {
        let sentence = text("{a} and {b}", "{b}和{a}");
        assert_eq!(fill(sentence, Language::English, &[("a", "{b}"), ("b", "two")]), "{b} and two");
        assert_eq!(fill(sentence, Language::Chinese, &[("a", "1"), ("b", "2")]), "2和1");
    }

    #[test]
    fn both_languages_of_every_label_name_the_same_values() {
        let source = include_str!("labels.rs");
        let names = |text: &str| {
            let mut names: Vec<String> =
                text.split('{').skip(1).filter_map(|rest| rest.split('}').next()).map(ToOwned::to_owned).collect();
            names.sort();
            names
        };
        let labels = source.split("#[cfg(test)]").next().unwrap_or_default();
        let mut seen = 0;
        for label in labels.split("text(").skip(1) {
            let strings: Vec<&str> = label.split('"').collect();
            if let [_, en, _, zh, ..] = strings.as_slice() {
                assert_eq!(names(en), names(zh), "{en}");
                assert!(!en.is_empty() && !zh.is_empty());
                seen += 1;
            }
        }
        assert!(seen > 100, "only {seen} labels were looked at");
    }
}
