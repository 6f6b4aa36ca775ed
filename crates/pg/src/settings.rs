//! Which settings of the server a number was measured under.
//!
//! A published number carries them, so they hold no credentials and no paths. This file reads; it judges nothing.

use std::collections::BTreeMap;

use crate::error::{Error, Kind};
use crate::session::Session;

const SETTINGS: &str = include_str!("settings.sql");

/// Recorded even at their default: what decides about durability, memory, WAL and planning in a measured run.
const ALWAYS: [&str; 38] = [
    "autovacuum",
    "block_size",
    "checkpoint_completion_target",
    "checkpoint_timeout",
    "commit_delay",
    "data_checksums",
    "deadlock_timeout",
    "default_transaction_isolation",
    "effective_cache_size",
    "effective_io_concurrency",
    "fsync",
    "full_page_writes",
    "huge_pages",
    "io_method",
    "jit",
    "maintenance_work_mem",
    "max_connections",
    "max_parallel_workers_per_gather",
    "max_prepared_transactions",
    "max_wal_size",
    "min_wal_size",
    "random_page_cost",
    "recovery_init_sync_method",
    "server_encoding",
    "server_version",
    "server_version_num",
    "shared_buffers",
    "shared_preload_libraries",
    "synchronous_commit",
    "synchronous_standby_names",
    "track_io_timing",
    "wal_buffers",
    "wal_compression",
    "wal_level",
    "wal_segment_size",
    "wal_sync_method",
    "wal_writer_delay",
    "work_mem",
];

/// What stands in place of a value that is nobody's business.
const WITHHELD: &str = "(set)";

/// The settings that matter for a published number, and all others that are not at their default, as `show` prints them.
///
/// The value of a text setting that can hold a credential, a command, a path, or anything at all (those of extensions
/// and applications) is replaced by `(set)`. A setting the server does not have is left out.
pub async fn recorded_settings(session: &Session) -> Result<BTreeMap<String, String>, Error> {
    let rows = session.query(SETTINGS, &[&ALWAYS.as_slice()]).await;
    let rows = rows.map_err(|source| Error::new("read the server's settings", Kind::Sql(source)))?;
    let mut settings = BTreeMap::new();
    for row in rows {
        let (name, value, is_text): (String, Option<String>, Option<bool>) = (row.get(0), row.get(1), row.get(2));
        let value = value.unwrap_or_default();
        let withheld = is_text != Some(false) && !value.is_empty() && is_private(&name);
        // The state of our own transaction is no setting of the server.
        if !name.starts_with("transaction_") || name == "transaction_timeout" {
            settings.insert(name, if withheld { WITHHELD.to_owned() } else { value });
        }
    }
    Ok(settings)
}

/// Whether the value of this text setting stays here.
fn is_private(name: &str) -> bool {
    const ENDINGS: [&str; 8] =
        ["_command", "_conninfo", "_dir", "_directory", "_directories", "_file", "_filename", "_path"];
    const PARTS: [&str; 7] = ["credential", "keyfile", "passphrase", "password", "secret", "token", "user"];
    // A dot: set by an extension or an application, which may keep anything there.
    name.contains('.')
        || ENDINGS.iter().any(|ending| name.ends_with(ending))
        || PARTS.iter().any(|part| name.contains(part))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_settings_that_can_hold_secrets_or_paths_are_private() {
        let check = [
            ("primary_conninfo", true),
            ("archive_command", true),
            ("ssl_passphrase_command", true),
            ("krb_server_keyfile", true),
            ("data_directory", true),
            ("unix_socket_directories", true),
            ("dynamic_library_path", true),
            ("app.jwt_secret", true),
            ("anon.salt", true),
            ("shared_preload_libraries", false),
            ("synchronous_standby_names", false),
            ("server_version", false),
            ("TimeZone", false),
        ];
        for (name, expect) in check {
            assert_eq!(is_private(name), expect, "{name}");
        }
    }

    #[test]
    fn the_list_is_sorted_and_without_repetition() {
        assert!(ALWAYS.is_sorted_by(|left, right| left < right));
        assert!(!ALWAYS.iter().any(|name| is_private(name)), "nothing that is always recorded is withheld");
    }
}
