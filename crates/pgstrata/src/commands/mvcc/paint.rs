//! Moments and changes as lines of text.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use comfy_table::{ContentArrangement, LineStyle, Table, TableStyle};
use pgstrata_timeline::{
    Cause, Change, Horizon, Item, Key, Moment, PutItem, RowVersion, Server, Session, Verdict, Wait,
};
use pgstrata_tools::mvcc::{Difference, Summary};
use pgstrata_units::{Language, Text};

use super::words;
use crate::terminal::Terminal;

/// The items of one kind.
macro_rules! of_kind {
    ($items:expr, $kind:ident) => {
        $items.filter_map(|put| match &put.item {
            Item::$kind(item) => Some(item),
            _ => None,
        })
    };
}

fn table(terminal: Terminal, head: &[Text]) -> Table {
    let mut table = Table::new();
    let rule = if terminal.unicode { '─' } else { '-' };
    table
        .load_style(TableStyle::new().header_separator(LineStyle::none().fill(rule)))
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_width(terminal.width);
    table.set_header(head.iter().map(|text| terminal.say(*text)).collect::<Vec<_>>());
    table
}

fn finish(table: &Table) -> String {
    let lines: Vec<String> = table.lines().map(|line| line.trim_end().to_owned()).collect();
    lines.join("\n") + "\n"
}

/// The versions of a moment, oldest first, each with who sees it.
pub fn versions(moment: &Moment, terminal: Terminal) -> String {
    let mut shown: Vec<&RowVersion> = of_kind!(moment.items.values(), Version).collect();
    if shown.is_empty() {
        return format!("{}\n", terminal.say(Text { en: "no versions are seen", zh: "没有看到任何版本" }));
    }
    shown.sort_by_key(|version| (version.row.clone(), version.xmin, version.block, version.offset));
    let verdicts: BTreeMap<(&Key, &str), &Verdict> = of_kind!(moment.items.values(), Verdict)
        .map(|verdict| ((&verdict.version, verdict.viewer.as_str()), verdict))
        .collect();
    let viewers: Vec<&str> = of_kind!(moment.items.values(), Viewer).map(|viewer| viewer.id.as_str()).collect();
    let mut table = table(
        terminal,
        &[
            Text { en: "row", zh: "行" },
            Text { en: "place", zh: "位置" },
            Text { en: "made by", zh: "创建者" },
            Text { en: "ended by", zh: "终结者" },
            Text { en: "is", zh: "状态" },
            Text { en: "values", zh: "值" },
            Text { en: "seen by", zh: "谁能看到" },
        ],
    );
    for version in shown {
        let key = version.key();
        let seen: Vec<String> =
            viewers.iter().filter_map(|id| verdicts.get(&(&key, *id))).map(|verdict| seen(verdict, terminal)).collect();
        table.add_row(vec![
            version.row.clone().unwrap_or_default(),
            format!("({},{})", version.block, version.offset),
            maker(version, terminal),
            ender(version, terminal),
            terminal.say(words::fate(version.fate)).to_owned(),
            version
                .values
                .as_ref()
                .map(|values| serde_json::Value::Object(values.clone()).to_string())
                .unwrap_or_default(),
            seen.join("\n"),
        ]);
    }
    finish(&table)
}

fn seen(verdict: &Verdict, terminal: Terminal) -> String {
    let mark = match (verdict.is_visible, terminal.unicode) {
        (Some(true), true) => "✓",
        (Some(false), true) => "✗",
        (Some(true), false) => "+",
        (Some(false), false) => "-",
        (None, _) => "?",
    };
    let who = if verdict.viewer == "new" { terminal.say(Text { en: "new", zh: "新事务" }) } else { &verdict.viewer };
    format!("{mark} {who}: {}", words::reason(&verdict.reason, terminal.language))
}

fn maker(version: &RowVersion, terminal: Terminal) -> String {
    if version.is_frozen {
        return format!("{} ({})", version.xmin, terminal.say(Text { en: "frozen", zh: "已冻结" }));
    }
    format!("{} ({})", version.xmin, terminal.say(words::state(version.xmin_state)))
}

fn ender(version: &RowVersion, terminal: Terminal) -> String {
    let Some(xmax) = version.xmax else { return String::new() };
    let kind = terminal.say(words::ender(version.xmax_kind));
    let members: Vec<String> = version.members.iter().map(|member| member.xid.to_string()).collect();
    match version.xmax_state {
        Some(state) => format!("{kind} {xmax} ({})", terminal.say(words::state(state))),
        None if members.is_empty() => format!("{kind} {xmax}"),
        None => format!("{kind} {}", members.join(", ")),
    }
}

/// What a user should know beside the picture.
pub fn notes(moment: &Moment, terminal: Terminal) -> String {
    let notes = super::notes(moment);
    notes.iter().fold(String::new(), |mut text, note| {
        let _ = writeln!(text, "· {}", words::note(note, terminal.language));
        text
    })
}

/// A whole moment.
pub fn moment(moment: &Moment, terminal: Terminal) -> String {
    let mut text = String::new();
    let at = moment.at.map(|at| clock(at.unix_us)).unwrap_or_default();
    let _ = writeln!(text, "{} {}  {at}", terminal.say(Text { en: "moment", zh: "时刻" }), moment.seq);
    text.push_str(&sessions(moment, terminal));
    for wait in of_kind!(moment.items.values(), Wait) {
        let _ = writeln!(text, "{}", waiting(wait, moment, terminal));
    }
    for horizon in of_kind!(moment.items.values(), Horizon) {
        let _ = writeln!(text, "{}", held(horizon, terminal));
    }
    if of_kind!(moment.items.values(), Version).next().is_some() {
        text.push_str(&versions(moment, terminal));
    }
    text.push_str(&notes(moment, terminal));
    text
}

fn sessions(moment: &Moment, terminal: Terminal) -> String {
    let mut table = table(
        terminal,
        &[
            Text { en: "session", zh: "会话" },
            Text { en: "name", zh: "名称" },
            Text { en: "state", zh: "状态" },
            Text { en: "transaction", zh: "事务" },
            Text { en: "snapshot", zh: "快照" },
            Text { en: "statement", zh: "语句" },
        ],
    );
    for session in of_kind!(moment.items.values(), Session) {
        let snapshot = session.snapshot.as_ref().map(|held| held.snapshot.to_string());
        let xmin = || session.backend_xmin.map(|xmin| format!("xmin {xmin}"));
        table.add_row(vec![
            session.pid.to_string(),
            session.name.clone(),
            session.state.clone(),
            session.xid.map(|xid| xid.to_string()).unwrap_or_default(),
            snapshot.or_else(xmin).unwrap_or_default(),
            session.query.clone(),
        ]);
    }
    finish(&table)
}

/// A change as lines, each with its number and time.
pub fn change(change: &Change, before: &Moment, terminal: Terminal) -> Vec<String> {
    let mut lines = Vec::new();
    match &change.cause {
        Cause::Connection { is_up, reason } => {
            let what = if *is_up {
                Text { en: "server is up", zh: "服务器可用" }
            } else {
                Text { en: "server is gone", zh: "服务器不可用" }
            };
            lines.push(format!("{}: {reason}", terminal.say(what)));
        }
        Cause::Record { name, xid, .. } => lines.push(format!("{name} {xid}")),
        Cause::Statement { console, sql, .. } => lines.push(format!("{console}> {sql}")),
        Cause::Answer { console, text, .. } => lines.push(format!("{console}: {text}")),
        Cause::Begin | Cause::Sample => {}
    }
    let mut after = before.clone();
    after.fold(change);
    for put in &change.put {
        let old = before.items.get(&put.key).map(|put| &put.item);
        lines.extend(different(old, put, &after, terminal));
    }
    for key in &change.drop {
        if let Some(Item::Session(session)) = before.items.get(key).map(|put| &put.item) {
            lines.push(format!("{}: {}", who(session.pid, before), terminal.say(Text { en: "gone", zh: "已离开" })));
        }
    }
    let at = clock(change.at.unix_us);
    lines.into_iter().map(|line| format!("{:>6}  {at}  {line}", change.seq)).collect()
}

/// What is told of an item that is new or differs; nothing of what is seen elsewhere.
fn different(old: Option<&Item>, put: &PutItem, after: &Moment, terminal: Terminal) -> Option<String> {
    match (&put.item, old) {
        (Item::Session(session), Some(Item::Session(old))) if is_same(session, old) => None,
        (Item::Session(session), _) => Some(session_line(session, terminal)),
        (Item::Wait(wait), Some(Item::Wait(old)))
            if wait.until_us == old.until_us
                && wait.is_in_cycle == old.is_in_cycle
                && wait.blockers == old.blockers =>
        {
            None
        }
        (Item::Wait(wait), _) => Some(waiting(wait, after, terminal)),
        (Item::Version(version), _) => Some(version_line(version, terminal)),
        (Item::Horizon(horizon), Some(Item::Horizon(old))) if horizon.xid == old.xid && horizon.kept == old.kept => {
            None
        }
        (Item::Horizon(horizon), _) => Some(held(horizon, terminal)),
        (Item::Server(server), old) => new_notes(server, old, terminal),
        (Item::Serializable(transaction), _) if transaction.is_doomed => {
            let doomed = terminal
                .say(Text {
                    en: "must fail: it is in a dangerous structure", zh: "必将失败：处于危险结构中"
                });
            Some(format!("{} {doomed}", who(transaction.pid, after)))
        }
        _ => None,
    }
}

fn is_same(session: &Session, old: &Session) -> bool {
    session.state == old.state && session.xid == old.xid && session.query == old.query
}

fn session_line(session: &Session, terminal: Terminal) -> String {
    let mut line = format!("{} {}: {}", session.pid, session.name, session.state);
    if let Some(xid) = session.xid {
        let _ = write!(line, ", {} {xid}", terminal.say(Text { en: "transaction", zh: "事务" }));
    }
    if !session.query.is_empty() {
        let first: String = session.query.lines().next().unwrap_or_default().chars().take(80).collect();
        let _ = write!(line, "  {first}");
    }
    line
}

fn version_line(version: &RowVersion, terminal: Terminal) -> String {
    let row = version
        .row
        .as_ref()
        .map(|row| format!(" {} {row}", terminal.say(Text { en: "of row", zh: "，行" })))
        .unwrap_or_default();
    format!(
        "{} ({},{}){row}: {}, {} {} {}",
        terminal.say(Text { en: "version", zh: "版本" }),
        version.block,
        version.offset,
        terminal.say(words::fate(version.fate)),
        terminal.say(Text { en: "made by", zh: "创建者" }),
        maker(version, terminal),
        ender(version, terminal),
    )
    .trim_end()
    .to_owned()
}

/// Who waits for whom.
fn waiting(wait: &Wait, moment: &Moment, terminal: Terminal) -> String {
    let blockers: Vec<String> = wait.blockers.iter().map(|blocker| who(blocker.pid, moment)).collect();
    let blockers = if blockers.is_empty() { "?".to_owned() } else { blockers.join(", ") };
    let waiter = who(wait.pid, moment);
    let (object, mode) = (&wait.object, &wait.mode);
    match (wait.until_us, terminal.language) {
        (Some(until), language) => {
            let seconds = (until - wait.since_us).max(0) as f64 / 1e6;
            match language {
                Language::English => format!("{waiter} waited {seconds:.3} s for {object}"),
                Language::Chinese => format!("{waiter} 等待 {object} 共 {seconds:.3} 秒，已结束"),
            }
        }
        (None, Language::English) => {
            let circle = if wait.is_in_cycle { "DEADLOCK: " } else { "" };
            format!("{circle}{waiter} waits for {object} ({mode}), behind {blockers}")
        }
        (None, Language::Chinese) => {
            let circle = if wait.is_in_cycle { "死锁：" } else { "" };
            format!("{circle}{waiter} 等待 {object}（{mode}），前面是 {blockers}")
        }
    }
}

fn who(pid: i32, moment: &Moment) -> String {
    let name = of_kind!(moment.items.values(), Session).find(|session| session.pid == pid).map(|session| &session.name);
    match name {
        Some(name) if !name.is_empty() => format!("{pid} {name}"),
        _ => pid.to_string(),
    }
}

fn held(horizon: &Horizon, terminal: Terminal) -> String {
    let holder = horizon.holders.first().map_or_else(
        || terminal.say(Text { en: "nobody", zh: "无人" }).to_owned(),
        |holder| format!("{} {}", terminal.say(words::holder(holder.kind)), holder.name),
    );
    let (name, xid) = (&horizon.name, horizon.xid);
    let (removable, kept, bytes) = (horizon.removable, horizon.kept, horizon.kept_bytes);
    match terminal.language {
        Language::English => {
            format!(
                "{name}: horizon {xid}, held by {holder}; dead versions: {removable} could go, {kept} must stay ({bytes} bytes)"
            )
        }
        Language::Chinese => {
            format!(
                "{name}：视界 {xid}，由 {holder} 持有；死版本：{removable} 个可清理，{kept} 个须保留（{bytes} 字节）"
            )
        }
    }
}

fn new_notes(server: &Server, old: Option<&Item>, terminal: Terminal) -> Option<String> {
    let known: &[String] = match old {
        Some(Item::Server(old)) => &old.notes,
        _ => &[],
    };
    let new = server.notes.iter().filter(|note| !known.contains(note));
    let notes: Vec<String> = new.map(|note| words::note(note, terminal.language)).collect();
    (!notes.is_empty()).then(|| format!("· {}", notes.join("; ")))
}

/// What is different between two moments.
pub fn difference(difference: &Difference, terminal: Terminal) -> String {
    let mut text = String::new();
    let marked =
        [("+", &difference.appeared), ("-", &difference.gone), ("<", &difference.before), (">", &difference.after)];
    for (mark, puts) in marked {
        for put in puts.iter().filter(|put| !matches!(put.item, Item::Verdict(_) | Item::Line(_))) {
            let line = different(None, put, &Moment::default(), terminal).unwrap_or_else(|| put.key.0.clone());
            let _ = writeln!(text, "{mark} {line}");
        }
    }
    text
}

/// What a recording is about.
pub fn summary(summary: &Summary, terminal: Terminal) -> String {
    let seconds = (summary.last_us - summary.first_us).max(0) as f64 / 1e6;
    let header = &summary.header;
    let what = header.title.clone().or_else(|| header.table.clone()).unwrap_or_default();
    let mut text = format!("PostgreSQL {}, {} {what}\n", header.server, header.database);
    let changes = terminal.say(Text { en: "changes", zh: "项变化" });
    let ending = terminal.say(words::ending(summary.ending));
    let _ = writeln!(
        text,
        "{}, {seconds:.1} s, {} – {} {changes}, {} KiB, {ending}",
        clock(summary.first_us),
        summary.first,
        summary.last,
        summary.bytes >> 10,
    );
    if summary.torn_bytes > 0 {
        let torn = terminal
            .say(Text {
                en: "bytes at its end are damaged and passed over", zh: "字节的末尾已损坏，已跳过"
            });
        let _ = writeln!(text, "{} {torn}", summary.torn_bytes);
    }
    text
}

/// A time of day with milliseconds, UTC.
fn clock(unix_us: i64) -> String {
    let since = std::time::Duration::from_micros(u64::try_from(unix_us).unwrap_or(0));
    humantime::format_rfc3339_millis(std::time::UNIX_EPOCH + since).to_string()
}
