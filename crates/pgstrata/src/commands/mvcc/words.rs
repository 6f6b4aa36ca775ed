//! What the codes of the log are called, in both languages.

use pgstrata_timeline::file::Ending;
use pgstrata_timeline::{Fate, HolderKind, Tier, TransactionState, XmaxKind};
use pgstrata_tools::mvcc::note;
use pgstrata_units::{Language, Text};

/// Why a version is seen, or not.
const REASONS: [(&str, Text); 30] = [
    ("maker-committed-before", Text { en: "its maker had committed", zh: "创建者此前已提交" }),
    ("frozen", Text { en: "frozen: everybody sees it", zh: "已冻结，人人可见" }),
    ("own-change", Text { en: "made by the viewer itself", zh: "观察者自己创建" }),
    ("locked-only", Text { en: "only locked", zh: "只是被锁定" }),
    ("ender-aborted", Text { en: "who ended it was rolled back", zh: "终结者已回滚" }),
    ("ender-running", Text { en: "who ended it still runs", zh: "终结者仍在运行" }),
    ("ender-prepared", Text { en: "who ended it is prepared", zh: "终结者处于两阶段预备状态" }),
    ("ender-committed-after", Text { en: "who ended it committed later", zh: "终结者在快照之后才提交" }),
    ("ender-not-ended", Text { en: "who ended it had not ended", zh: "快照时终结者尚未结束" }),
    ("own-later-end", Text { en: "ended by a later command of its own", zh: "由自己稍后的命令终结" }),
    ("maker-running", Text { en: "its maker still runs", zh: "创建者仍在运行" }),
    ("maker-prepared", Text { en: "its maker is prepared", zh: "创建者处于两阶段预备状态" }),
    ("maker-committed-after", Text { en: "its maker committed later", zh: "创建者在快照之后才提交" }),
    ("maker-not-ended", Text { en: "its maker had not ended", zh: "快照时创建者尚未结束" }),
    ("maker-aborted", Text { en: "its maker was rolled back", zh: "创建者已回滚" }),
    ("taken-back", Text { en: "a speculative insert, taken back", zh: "推测插入，已撤回" }),
    ("own-later-command", Text { en: "made by a later command of its own", zh: "由自己稍后的命令创建" }),
    ("replaced", Text { en: "another version took its place", zh: "已被新版本取代" }),
    ("deleted", Text { en: "its row was deleted", zh: "已删除" }),
    ("moved-to-partition", Text { en: "moved to another partition", zh: "已移到另一个分区" }),
    ("own-replaced", Text { en: "replaced by the viewer itself", zh: "被观察者自己取代" }),
    ("own-deleted", Text { en: "deleted by the viewer itself", zh: "被观察者自己删除" }),
    ("moved", Text { en: "moved by an old vacuum full", zh: "被旧版 vacuum full 移动" }),
    ("unknown-maker", Text { en: "unknown: how its maker stands", zh: "未知：创建者的状态" }),
    ("unknown-ender", Text { en: "unknown: how who ended it stands", zh: "未知：终结者的状态" }),
    ("unknown-subtransaction", Text { en: "unknown: part of which transaction", zh: "未知：属于哪个事务" }),
    ("unknown-multixact", Text { en: "unknown: who is in the multixact", zh: "未知：多事务的成员" }),
    ("unknown-command", Text { en: "unknown: which command", zh: "未知：哪条命令" }),
    ("unknown-epoch", Text { en: "unknown: which transaction", zh: "未知：哪个事务" }),
    ("unknown-snapshot", Text { en: "unknown: which of two snapshots", zh: "未知：两个快照中的哪一个" }),
];

/// Notes in Chinese; `{}` are the numbers of the English sentence, in their order, and `{text}` is that sentence where it
/// holds the server's own words.
const NOTES: [(&str, &str); 48] = [
    ("log-lost", "暂时无法跟随服务器的日志，在恢复之前只能靠查看得知版本"),
    ("connection-lost", "连接已断开，显示的是最后一次看到的内容"),
    ("server-restarted", "服务器已重启：此前的会话与等待都不在了"),
    ("sessions-cut", "显示 {} 个会话，共 {} 个；等待中和工作中的优先"),
    ("transactions-cut", "只显示最新的 {} 个运行中的事务"),
    ("waits-cut", "显示 {} 个等待，共 {} 个；等得最久的优先"),
    ("partitions-cut", "显示 {} 个分区，共 {} 个"),
    ("pages-cut", "显示前 {} 页，共 {} 页"),
    ("versions-cut", "只显示一部分版本"),
    ("verdicts-cut", "判断了 {} 个版本，共 {} 个"),
    ("viewers-cut", "由 {} 个会话判断，持有快照的共 {} 个"),
    ("row-search", "正在表中分批查找该行的版本"),
    ("row-search-cut", "只在表的前 {} 页中查找该行"),
    ("versions-by-sql", "只能看到当前可见的版本（系统列）；读取可能引发页内清理"),
    ("serializable-by-locks", "可串行化事务由谓词锁得知；它们之间的冲突需要 mvcc_visualizer"),
    ("table-missing", "没有这张表"),
    ("table-dropped", "表已被删除"),
    ("table-made-anew", "同名的表已不是原来那张"),
    ("table-locked", "表被独占锁定，或即将被锁定：显示的是此前的内容"),
    ("table-rewritten", "表已被重写，其中所有位置都是新的"),
    ("table-temporary", "这是另一个会话的临时表，其页面在该会话的内存中"),
    ("table-no-heap", "它不是普通的堆表"),
    ("table-row-security", "该角色受行级安全限制，死版本会绕过它，因此不显示"),
    ("table-denied", "该角色无权读取此表"),
    ("pageinspect-not-installed", "安装 PostgreSQL 的 contrib 模块即可看到页面和死版本"),
    ("pageinspect-not-created", "超级用户可执行：create extension pageinspect"),
    ("pageinspect-needs-superuser", "只有超级用户可以读取原始页面"),
    ("extension-not-installed", "把 mvcc_visualizer 装到服务器旁：pgstrata ext install"),
    ("preload-needs-extension", "要看到每个会话自己的快照和每一次等待，需要预加载 mvcc_visualizer"),
    ("activity-denied", "授予 pg_monitor 即可看到其他角色的会话在做什么"),
    ("columns-refused", "无法读取列信息：{text}"),
    ("extension-not-created", "超级用户可执行：create extension mvcc_visualizer"),
    ("extension-not-granted", "该角色不能执行 mvcc_visualizer 的函数"),
    ("horizon-refused", "无法读取 vacuum 界限：{text}"),
    ("multixacts-refused", "无法读取多事务成员：{text}"),
    ("pages-refused", "无法读取页面：{text}"),
    (
        "preload-missing",
        "要看到每个会话自己的快照和每一次等待，需要把 mvcc_visualizer 加入 shared_preload_libraries 并重启服务器",
    ),
    ("prepared-refused", "无法读取预备事务：{text}"),
    ("row-search-refused", "无法查找该行：{text}"),
    ("serializable-refused", "无法读取可串行化冲突：{text}"),
    ("snapshots-refused", "无法读取其他会话的快照：{text}"),
    ("statuses-refused", "无法读取事务状态：{text}"),
    ("table-refused", "无法读取该表：{text}"),
    ("transactions-refused", "无法读取运行中的事务：{text}"),
    ("verdicts-refused", "无法判定可见性：{text}"),
    ("waits-refused", "无法读取锁等待：{text}"),
    ("wal-level-minimal", "请设置 wal_level = replica 并重启服务器"),
    ("wal-needs-replication", "要跟随服务器的日志，请授予该角色 replication 属性"),
];

/// Why a version is seen, or not; the code itself if it has no words here.
pub fn reason(code: &str, language: Language) -> &str {
    REASONS.iter().find(|(of, _)| *of == code).map_or(code, |(_, text)| text.get(language))
}

/// A note as a sentence.
pub fn note(line: &str, language: Language) -> String {
    let (code, sentence) = note::split(line);
    let Some((_, template)) = NOTES.iter().find(|(of, _)| *of == code).filter(|_| language == Language::Chinese) else {
        return sentence.to_owned();
    };
    let template = template.replace("{text}", sentence);
    let mut numbers = sentence.split(|c: char| !c.is_ascii_digit()).filter(|number| !number.is_empty());
    let mut parts = template.split("{}");
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        text.push_str(numbers.next().unwrap_or("?"));
        text.push_str(part);
    }
    text
}

/// A tier by its code.
pub fn tier_name(tier: Tier) -> &'static str {
    match tier {
        Tier::Sql => "sql",
        Tier::Pageinspect => "pageinspect",
        Tier::Extension => "extension",
        Tier::Preloaded => "preloaded",
        Tier::Wal => "wal",
    }
}

/// What a tier shows.
pub fn tier(tier: Tier) -> Text {
    match tier {
        Tier::Sql => Text {
            en: "sessions, waits, horizons, visible versions.", zh: "会话、等待、视界、可见版本。"
        },
        Tier::Pageinspect => Text {
            en: "pages and all versions on disk, for superusers.",
            zh: "页面与磁盘上的所有版本，需超级用户。",
        },
        Tier::Extension => Text {
            en: "the same for other roles, and serializable conflicts.",
            zh: "其他角色也能看到，还有可串行化冲突。",
        },
        Tier::Preloaded => Text {
            en: "every session's own snapshot, every wait.",
            zh: "每个会话自己的快照、每一次等待。",
        },
        Tier::Wal => Text { en: "the exact life of every version.", zh: "每个版本确切的一生。" },
    }
}

/// What became of a version.
pub fn fate(fate: Fate) -> Text {
    match fate {
        Fate::Live => Text { en: "live", zh: "存活" },
        Fate::Pending => Text { en: "not committed", zh: "未提交" },
        Fate::Aborted => Text { en: "rolled back", zh: "已回滚" },
        Fate::Replaced => Text { en: "replaced", zh: "被取代" },
        Fate::Deleted => Text { en: "deleted", zh: "已删除" },
        Fate::Removed => Text { en: "removed from disk", zh: "已从磁盘移除" },
        Fate::Unknown => Text { en: "unknown", zh: "未知" },
    }
}

/// How a transaction stands.
pub fn state(state: TransactionState) -> Text {
    match state {
        TransactionState::InProgress => Text { en: "running", zh: "运行中" },
        TransactionState::Prepared => Text { en: "prepared", zh: "已预备" },
        TransactionState::Committed => Text { en: "committed", zh: "已提交" },
        TransactionState::Aborted => Text { en: "rolled back", zh: "已回滚" },
        TransactionState::Unknown => Text { en: "unknown", zh: "未知" },
    }
}

/// What `xmax` stands for.
pub fn ender(kind: XmaxKind) -> Text {
    match kind {
        XmaxKind::None => Text { en: "", zh: "" },
        XmaxKind::Update => Text { en: "update", zh: "更新" },
        XmaxKind::Delete => Text { en: "delete", zh: "删除" },
        XmaxKind::Lock => Text { en: "lock", zh: "锁" },
        XmaxKind::Multi => Text { en: "several", zh: "多个" },
    }
}

/// What holds a horizon back.
pub fn holder(kind: HolderKind) -> Text {
    match kind {
        HolderKind::Session => Text { en: "session", zh: "会话" },
        HolderKind::Prepared => Text { en: "prepared transaction", zh: "预备事务" },
        HolderKind::Slot => Text { en: "replication slot", zh: "复制槽" },
        HolderKind::Standby => Text { en: "standby", zh: "备库" },
        HolderKind::None => Text { en: "nobody", zh: "无" },
    }
}

/// Why a recording ended.
pub fn ending(ending: Ending) -> Text {
    match ending {
        Ending::Stopped => Text { en: "stopped", zh: "已停止" },
        Ending::BytesReached => Text { en: "its size was reached", zh: "达到大小上限" },
        Ending::TimeReached => Text { en: "its time was up", zh: "达到时长上限" },
        Ending::Torn => Text { en: "not closed", zh: "未正常关闭" },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_of_the_rules_has_words() {
        for code in pgstrata_tuple::Reason::ALL.map(pgstrata_tuple::Reason::as_str) {
            assert_ne!(reason(code, Language::English), code);
            assert_ne!(reason(code, Language::Chinese), code);
        }
    }

    #[test]
    fn every_note_of_the_observer_has_words_in_chinese() {
        let mut codes = std::collections::BTreeSet::new();
        let mut folders = vec![std::path::PathBuf::from("../../tools/src/mvcc")];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).expect("the observer's source").flatten() {
                let path = entry.path();
                if path.is_dir() {
                    folders.push(path);
                } else if path.extension().is_some_and(|extension| extension == "rs") {
                    codes.extend(codes_in(&std::fs::read_to_string(path).expect("readable")));
                }
            }
        }
        assert!(codes.len() > 30, "{codes:?}");
        let without = codes.iter().filter(|code| !NOTES.iter().any(|(of, _)| of == code));
        assert_eq!(without.collect::<Vec<_>>(), Vec::<&String>::new());
    }

    /// Codes that stand right behind what makes a note.
    fn codes_in(source: &str) -> Vec<String> {
        let behind = ["note(", "Some(("].into_iter().flat_map(|before| source.split(before).skip(1));
        let quoted = behind.filter_map(|text| text.trim_start().strip_prefix('"')?.split_once('"'));
        let is_code = |code: &&str| code.contains('-') && code.chars().all(|c| c == '-' || c.is_ascii_lowercase());
        quoted.map(|(code, _)| code).filter(is_code).map(str::to_owned).collect()
    }

    #[test]
    fn the_servers_own_words_stay_in_a_chinese_note() {
        let line = "pages-refused: permission denied for function get_raw_page";
        assert_eq!(note(line, Language::Chinese), "无法读取页面：permission denied for function get_raw_page");
    }

    #[test]
    fn the_numbers_of_a_note_are_kept_in_chinese() {
        let line = "sessions-cut: 5 of 13 sessions are shown, waiting and working ones first";
        assert_eq!(note(line, Language::Chinese), "显示 5 个会话，共 13 个；等待中和工作中的优先");
        assert_eq!(note("something-new: in English", Language::Chinese), "in English");
    }
}
