//! Words by which a script gets answers that no order of transactions decides.
//!
//! They are looked for only after no serial order has given the outcome: a script that uses them and still agrees with a
//! serial order needs no excuse. Words, not a grammar: a comment with such a word makes the judge silent where it could
//! have spoken, never wrong where it speaks.

use super::judgement::Why;

/// Each reason with the words that give it; a star at the end stands for any end.
const WORDS: [(Why, &[&str]); 7] = [
    (Why::LockProbe, &["skip locked", "nowait", "pg_advisory*", "pg_try_advisory*"]),
    (Why::Sequence, &["nextval", "currval", "setval", "serial", "bigserial", "smallserial", "identity", "sequence"]),
    (
        Why::ServerState,
        &[
            "pg_stat*",
            "pg_locks",
            "pg_blocking*",
            "pg_backend_pid",
            "pg_prepared_xacts",
            "pg_listening*",
            "pg_notification*",
            "pg_class",
            "pg_index",
            "pg_inherits",
            "pg_constraint",
            "pg_attribute",
            "pg_database",
            "pg_namespace",
            "pg_cursors",
            "pg_isolation*",
            "pg_settings",
            "pg_typeof",
            "has_table_privilege",
        ],
    ),
    (
        Why::Physical,
        &[
            "ctid",
            "xmin",
            "xmax",
            "cmin",
            "cmax",
            "relfilenode",
            "pg_relation_size",
            "pg_table_size",
            "txid*",
            "pg_current_xact*",
            "pg_snapshot*",
            "pg_xact*",
            "age",
            "vacuum_index_cleanup",
        ],
    ),
    (
        Why::Clock,
        &[
            "now",
            "clock_timestamp",
            "statement_timestamp",
            "transaction_timestamp",
            "current_timestamp",
            "current_time",
            "localtimestamp",
            "localtime",
            "timeofday",
            "random",
            "gen_random_uuid",
        ],
    ),
    (Why::OpenChoice, &["limit", "fetch", "cursor", "tablesample"]),
    (Why::Plans, &["explain"]),
];

/// The first reason that a script gives, with words that are `settled` in it.
pub(super) fn first<'a>(texts: impl Iterator<Item = &'a str>, settled: &[&str]) -> Option<Why> {
    let words: Vec<String> = texts.flat_map(words).filter(|word| !settled.contains(&word.as_str())).collect();
    let says = |wanted: &str| match wanted.split_once(' ') {
        Some((left, right)) => words.windows(2).any(|pair| pair[0] == left && pair[1] == right),
        None => words.iter().any(|word| match wanted.strip_suffix('*') {
            Some(beginning) => word.starts_with(beginning),
            None => word == wanted,
        }),
    };
    WORDS.into_iter().find(|(_, wanted)| wanted.iter().any(|word| says(word))).map(|(why, _)| why)
}

fn words(text: &str) -> impl Iterator<Item = String> + '_ {
    let parts = text.split(|character: char| !character.is_ascii_alphanumeric() && character != '_');
    parts.filter(|part| !part.is_empty()).map(str::to_ascii_lowercase)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_found_in_any_case_and_only_whole() {
        let check = [
            ("begin isolation level serializable; select * from t", None),
            ("create table t (id SERIAL)", Some(Why::Sequence)),
            ("select * from t for update skip\n locked", Some(Why::LockProbe)),
            ("select * from skipped where locked", None),
            ("select pg_stat_get_numscans(1)", Some(Why::ServerState)),
            ("select CTID from t", Some(Why::Physical)),
            ("select * from t order by 1 limit 1", Some(Why::OpenChoice)),
            ("select unknown from t", None),
        ];
        for (text, expect) in check {
            assert_eq!(first([text].into_iter(), &[]), expect, "{text}");
        }
    }

    #[test]
    fn a_settled_word_is_no_reason_and_others_still_are() {
        let check = [
            ("select * from t order by 1 limit 1", None),
            ("select pg_advisory_xact_lock(1)", None),
            ("select pg_try_advisory_xact_lock(1)", Some(Why::LockProbe)),
            ("select * from t order by 1 limit 1 for update skip locked", Some(Why::LockProbe)),
        ];
        for (text, expect) in check {
            assert_eq!(first([text].into_iter(), &["limit", "pg_advisory_xact_lock"]), expect, "{text}");
        }
    }
}
