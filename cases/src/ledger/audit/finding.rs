//! What an audit finds, as values that say where it is, what is there and what should be, in two languages.

use std::fmt::Write as _;

use pgstrata_units::{Language, Lsn, Text};
use serde::Serialize;
use uuid::Uuid;

use super::entry::Entry;

/// What is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FindingKind {
    /// Bytes of the archived log are not what the server wrote.
    LogDamaged,
    /// A segment is not in the archive, although later ones are.
    LogMissing,
    /// A signed head speaks of log that the archive does not have.
    LogEndsEarly,
    /// The log is sound in itself, but it is not what was signed.
    LogNotAsSigned,
    /// A statement carries no signature of this key.
    SignatureFalse,
    /// A statement was taken out.
    StatementMissing,
    /// The table changed an entry, by the log's own account.
    EntryUpdated,
    /// The table lost an entry, by the log's own account.
    EntryDeleted,
    /// The table was emptied, by the log's own account.
    EntriesTruncated,
    /// Something was inserted that cannot be read from the log.
    EntryUnreadable,
    /// The chain has something else in a link's place.
    LinkAltered,
    /// The chain lacks a link.
    LinkMissing,
    /// The chain has a link for which the log has no entry.
    LinkInserted,
    /// A link stands where another one should.
    LinkMoved,
    /// The chain is sound in itself, but it is not the one that was signed.
    ChainRewritten,
    /// A row is not what the log says it is.
    RowAltered,
    /// A row is missing.
    RowMissing,
    /// A row is there that the log did not bring.
    RowInserted,
    /// Entries from before the trail began are not what they were then.
    EarlierRowsDiffer,
}

impl FindingKind {
    /// What is wrong, as a clause.
    #[must_use]
    pub const fn text(self) -> Text {
        match self {
            Self::LogDamaged => Text { en: "the archived log is damaged", zh: "归档日志已损坏" },
            Self::LogMissing => Text { en: "segments of the log are missing", zh: "归档缺少日志段" },
            Self::LogEndsEarly => Text {
                en: "the archive ends before a head that was signed",
                zh: "归档在某个已签名的链头之前就结束了",
            },
            Self::LogNotAsSigned => Text {
                en: "the archived log is not the one that was signed",
                zh: "归档日志与已签名的内容不符",
            },
            Self::SignatureFalse => Text { en: "a signature is false", zh: "签名无效" },
            Self::StatementMissing => {
                Text { en: "a signed statement is missing", zh: "缺少一条已签名的声明" }
            }
            Self::EntryUpdated => Text { en: "an entry was updated", zh: "分录被修改(日志有记录)" },
            Self::EntryDeleted => Text { en: "an entry was deleted", zh: "分录被删除(日志有记录)" },
            Self::EntriesTruncated => Text { en: "all entries were removed at once", zh: "分录表被整体清空" },
            Self::EntryUnreadable => {
                Text { en: "an entry cannot be read from the log", zh: "无法从日志中读出某条分录" }
            }
            Self::LinkAltered => Text { en: "a link of the chain was altered", zh: "链中的一环被篡改" },
            Self::LinkMissing => Text { en: "a link of the chain is missing", zh: "链中缺少一环" },
            Self::LinkInserted => Text { en: "a link was put into the chain", zh: "链中多出一环" },
            Self::LinkMoved => Text { en: "a link of the chain is out of order", zh: "链中的一环次序不对" },
            Self::ChainRewritten => {
                Text { en: "the chain was rewritten without the key", zh: "链被无密钥者重写" }
            }
            Self::RowAltered => {
                Text { en: "a row was altered behind the log", zh: "一行数据被绕过日志修改" }
            }
            Self::RowMissing => {
                Text { en: "a row was removed behind the log", zh: "一行数据被绕过日志删除" }
            }
            Self::RowInserted => {
                Text { en: "a row was inserted behind the log", zh: "一行数据被绕过日志插入" }
            }
            Self::EarlierRowsDiffer => Text {
                en: "entries from before the trail began differ",
                zh: "审计开始之前的分录与当时不同",
            },
        }
    }
}

/// One thing that is wrong, and where.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What.
    pub kind: FindingKind,
    /// The place in the chain.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seq: Option<u64>,
    /// The place in the log.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lsn: Option<Lsn>,
    /// The transaction.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub xid: Option<u32>,
    /// The transfer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub transfer_id: Option<Uuid>,
    /// The account.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account_id: Option<i64>,
    /// The entry's number in the account.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub number: Option<i64>,
    /// What is there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub found: Option<String>,
    /// What should be.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expected: Option<String>,
}

impl Finding {
    /// One with its kind alone.
    #[must_use]
    pub const fn new(kind: FindingKind) -> Self {
        Self {
            kind,
            seq: None,
            lsn: None,
            xid: None,
            transfer_id: None,
            account_id: None,
            number: None,
            found: None,
            expected: None,
        }
    }

    /// The same about an entry.
    #[must_use]
    pub fn of_entry(mut self, entry: &Entry) -> Self {
        self.transfer_id = Some(entry.transfer_id);
        self.account_id = Some(entry.account_id);
        self.number = Some(entry.number);
        self
    }

    /// The same with a place in the chain.
    #[must_use]
    pub const fn at_seq(mut self, seq: u64) -> Self {
        self.seq = Some(seq);
        self
    }

    /// The same with a place in the log.
    #[must_use]
    pub const fn at_lsn(mut self, lsn: Lsn) -> Self {
        self.lsn = Some(lsn);
        self
    }

    /// The same with a transaction.
    #[must_use]
    pub const fn by(mut self, xid: u32) -> Self {
        self.xid = Some(xid);
        self
    }

    /// The same with what is there and what should be.
    #[must_use]
    pub fn saying(mut self, found: impl Into<String>, expected: impl Into<String>) -> Self {
        self.found = Some(found.into());
        self.expected = Some(expected.into());
        self
    }

    /// For people: what, where, what is there, what should be.
    #[must_use]
    pub fn sentence(&self, language: Language) -> String {
        let mut places = Vec::new();
        let mut place = |text: Text, value: Option<String>| {
            places.extend(value.map(|value| format!("{} {value}", text.get(language))));
        };
        place(Text { en: "link", zh: "第几环" }, self.seq.map(|seq| seq.to_string()));
        place(Text { en: "at", zh: "位置" }, self.lsn.map(|lsn| lsn.to_string()));
        place(Text { en: "transaction", zh: "事务" }, self.xid.map(|xid| xid.to_string()));
        place(Text { en: "transfer", zh: "转账" }, self.transfer_id.map(|transfer| transfer.to_string()));
        place(Text { en: "account", zh: "账户" }, self.account_id.map(|account| account.to_string()));
        place(Text { en: "entry", zh: "分录号" }, self.number.map(|number| number.to_string()));
        let mut text = self.kind.text().get(language).to_owned();
        if !places.is_empty() {
            text.push_str(": ");
            text.push_str(&places.join(", "));
        }
        for (label, said) in
            [(Text { en: "found", zh: "实际" }, &self.found), (Text { en: "expected", zh: "应为" }, &self.expected)]
        {
            if let Some(said) = said {
                // Writing to a String cannot fail.
                let _ = write!(text, "\n    {}: {said}", label.get(language));
            }
        }
        text
    }
}

/// The values of an entry, for people.
pub(super) fn told(entry: &Entry) -> String {
    let Entry { currency, amount, balance, posted_at_us, transfer_id, .. } = entry;
    format!("amount {amount}, balance {balance}, currency {currency}, transfer {transfer_id}, time {posted_at_us} us")
}

/// What differs between two entries, for people: first what is there, then what should be.
pub(super) fn difference(found: &Entry, expected: &Entry) -> (String, String) {
    let mut sides = (Vec::new(), Vec::new());
    let mut compare = |name: &str, found: String, expected: String| {
        if found != expected {
            sides.0.push(format!("{name} {found}"));
            sides.1.push(format!("{name} {expected}"));
        }
    };
    compare("account", found.account_id.to_string(), expected.account_id.to_string());
    compare("number", found.number.to_string(), expected.number.to_string());
    compare("transfer", found.transfer_id.to_string(), expected.transfer_id.to_string());
    compare("currency", found.currency.to_string(), expected.currency.to_string());
    compare("amount", found.amount.to_string(), expected.amount.to_string());
    compare("balance", found.balance.to_string(), expected.balance.to_string());
    compare("time", format!("{} us", found.posted_at_us), format!("{} us", expected.posted_at_us));
    (sides.0.join(", "), sides.1.join(", "))
}
