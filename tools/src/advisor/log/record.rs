//! One entry of a server's log, whichever of the two formats it was written in. Reading the formats is in `csv` and
//! `json`; what an entry means is in `message`.

/// An entry, with the fields that programs are rebuilt from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Record {
    /// When it was written, milliseconds since 1970 in the log's own time zone; only differences mean something.
    pub time_ms: Option<i64>,
    /// The database of the session.
    pub database: String,
    /// The session, as `%c` of `log_line_prefix` writes it: start time and process, unique over restarts.
    pub session: String,
    /// The entry's number within its session, from 1.
    pub line: u64,
    /// The virtual transaction id, `backend/number`; the number is 0 between transactions.
    pub vxid: String,
    /// `LOG`, `ERROR`, `FATAL` …
    pub severity: String,
    /// The SQLSTATE; `00000` where nothing went wrong.
    pub sqlstate: String,
    /// The message.
    pub message: String,
    /// The detail, which holds the parameters of prepared statements.
    pub detail: String,
}

impl Record {
    /// The virtual transaction id while there is a transaction: a number of 0 says that there was none when the entry
    /// was written (`MyProc->vxid.lxid`, PostgreSQL's `src/backend/utils/error/elog.c`).
    pub fn transaction(&self) -> Option<&str> {
        let (_, number) = self.vxid.split_once('/')?;
        (number != "0").then_some(self.vxid.as_str())
    }
}

/// Days from 1970-01-01 to a day of the Gregorian calendar (Hinnant, "chrono-Compatible Low-Level Date Algorithms").
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

/// The time at the beginning of a text, `2026-11-23 10:50:00.123 UTC`, in milliseconds since 1970 of that time zone.
pub fn time_ms(text: &str) -> Option<i64> {
    let digits = |from: usize, to: usize| -> Option<i64> {
        let part = text.get(from..to)?;
        part.bytes().all(|byte| byte.is_ascii_digit()).then(|| part.parse().ok())?
    };
    let signs = [(4, '-'), (7, '-'), (10, ' '), (13, ':'), (16, ':'), (19, '.')];
    let has_signs = signs.iter().all(|(at, sign)| text.get(*at..).is_some_and(|rest| rest.starts_with(*sign)));
    if !has_signs {
        return None;
    }
    let day = days(digits(0, 4)?, digits(5, 7)?, digits(8, 10)?);
    let seconds = ((day * 24 + digits(11, 13)?) * 60 + digits(14, 16)?) * 60 + digits(17, 19)?;
    Some(seconds * 1000 + digits(20, 23)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_and_other_text_is_not() {
        assert_eq!(time_ms("1970-01-01 00:00:00.000 UTC"), Some(0));
        assert_eq!(time_ms("2026-11-23 10:50:00.123 CET,\"postgres\""), Some(1_795_431_000_123));
        assert_eq!(time_ms("2024-02-29 00:00:00.000 UTC"), Some(1_709_164_800_000));
        assert_eq!(time_ms("2024-02-29T00:00:00.000Z"), None);
        assert_eq!(time_ms("select 1"), None);
        assert_eq!(time_ms("数据库日志里的中文字符不是时间"), None);
    }

    #[test]
    fn a_transaction_number_of_zero_is_none() {
        let record = |vxid: &str| Record { vxid: vxid.to_owned(), ..Record::default() };
        assert_eq!(record("3/42").transaction(), Some("3/42"));
        assert_eq!(record("3/0").transaction(), None);
        assert_eq!(record("").transaction(), None);
    }
}
