//! The server's configuration files as text.
//!
//! Settings go into a file that `postgresql.conf` includes, not onto the command line, so that `ALTER SYSTEM` can still
//! change them. What a cluster must not lose (its socket, port and name) is on the command line.

use std::fmt::Write;

use crate::error::{Error, Kind};
use crate::profile::Profile;
use crate::version::PgVersion;

/// The file in the data directory that holds our settings.
pub(crate) const SETTINGS_FILE: &str = "pgstrata.conf";

/// Appended to the template's `postgresql.conf`.
pub(crate) const INCLUDE_LINE: &str = "\n# Settings of this server, written by pgstrata.\ninclude 'pgstrata.conf'\n";

/// Who may log in. The socket's directory lets in the server's user and root alone, so it needs no password; TCP does.
pub(crate) const HBA: &str = "\
# Written by pgstrata.
local  all          all                trust
local  replication  all                trust
host   all          all  127.0.0.1/32  scram-sha-256
host   replication  all  127.0.0.1/32  scram-sha-256
";

/// The settings file: the profile's settings with their reasons, then those of this cluster, of which the last wins.
///
/// The error is [`Kind::BadSetting`] for a name or value that no configuration file can hold.
pub(crate) fn settings_file(profile: Profile, version: PgVersion, own: &[(String, String)]) -> Result<String, Error> {
    let mut text = String::from("# Written by pgstrata when the cluster was made.\n");
    for setting in profile.settings_for(version) {
        text.push_str(&line(setting.name, setting.value)?);
        let _ = writeln!(text, "  # {}", setting.reason);
    }
    for (name, value) in own {
        text.push_str(&line(name, value)?);
        text.push('\n');
    }
    Ok(text)
}

/// One `name = 'value'`, without a line end. Quoting as in the function `DeescapeQuotedString` of
/// src/backend/utils/misc/guc-file.l.
pub(crate) fn line(name: &str, value: &str) -> Result<String, Error> {
    let refuse = |reason: &str| {
        let kind = Kind::BadSetting { name: name.to_owned(), reason: reason.to_owned() };
        Err(Error::new("write a server setting", kind))
    };
    let mut characters = name.chars();
    let begins_well = characters.next().is_some_and(|first| first.is_ascii_alphabetic() || first == '_');
    if !begins_well || !characters.all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '$')) {
        return refuse("a name holds letters, digits, underscores and points");
    }
    if value.contains('\0') {
        return refuse("its value holds a zero byte");
    }
    let value = value.replace('\\', "\\\\").replace('\'', "''").replace('\n', "\\n").replace('\r', "\\r");
    Ok(format!("{name} = '{value}'"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_quoted_so_that_the_server_reads_what_was_meant() {
        let check = |value: &str, expected: &str| {
            assert_eq!(line("archive_command", value).expect("fits"), format!("archive_command = {expected}"));
        };
        check("cp %p /x", "'cp %p /x'");
        check("it's", "'it''s'");
        check("a\\b\nc", "'a\\\\b\\nc'");
        check("", "''");
    }

    #[test]
    fn names_that_would_end_the_line_are_refused() {
        for name in ["", "a b", "a=b", "1a", "a\nfsync = off", "a'"] {
            let error = line(name, "x").expect_err("not a name");
            assert!(matches!(error.kind(), Kind::BadSetting { .. }), "{name}");
        }
        line("pg_stat_statements.track", "all").expect("a name with a prefix");
        line("work_mem", "\0").expect_err("a zero byte ends the text");
    }

    #[test]
    fn a_clusters_own_settings_come_after_the_profiles() {
        let own = [("shared_buffers".to_owned(), "1GB".to_owned())];
        let version = PgVersion { major: 15, minor: 18 };
        let text = settings_file(Profile::FastTest, version, &own).expect("fits");
        let position = |part: &str| text.find(part).expect(part);
        assert!(position("'16MB'") < position("'1GB'"));
        assert!(text.contains("fsync = 'off'  # "));
    }
}
