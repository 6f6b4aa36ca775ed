//! The servers of a record, in a line each: version, and the settings that decide durability and size.

use crate::record::{Record, ServerRecord};

/// The settings that decide durability, and the sizes that decide speed.
const FIRST: [&str; 6] =
    ["fsync", "synchronous_commit", "full_page_writes", "wal_level", "shared_buffers", "max_wal_size"];

/// Each different server of a run; `2 × PostgreSQL …` where several are set up alike.
#[must_use]
pub fn servers_text(record: &Record) -> Vec<String> {
    let mut servers: Vec<(String, usize)> = Vec::new();
    for text in record.servers.iter().map(server_text) {
        match servers.iter_mut().find(|(known, _)| *known == text) {
            Some((_, count)) => *count += 1,
            None => servers.push((text, 1)),
        }
    }
    servers.into_iter().map(|(text, count)| if count == 1 { text } else { format!("{count} × {text}") }).collect()
}

/// `PostgreSQL 15.18, fsync=on synchronous_commit=on …`.
fn server_text(server: &ServerRecord) -> String {
    let shown = ordered_settings(server).into_iter().filter(|(name, _)| FIRST.contains(name));
    let settings: Vec<String> = shown.map(|(name, value)| format!("{name}={value}")).collect();
    // `version()` goes on with the compiler and the platform, which the record keeps.
    let version = server.version.split(" on ").next().unwrap_or_default();
    format!("{version}, {}", settings.join(" "))
}

/// All settings, the most important first, then by name.
#[must_use]
pub fn ordered_settings(server: &ServerRecord) -> Vec<(&str, &str)> {
    let first = FIRST.iter().filter_map(|name| server.settings.get_key_value(*name));
    let rest = server.settings.iter().filter(|(name, _)| !FIRST.contains(&name.as_str()));
    first.chain(rest).map(|(name, value)| (name.as_str(), value.as_str())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixture;

    #[test]
    fn servers_that_are_alike_are_counted_and_others_stand_apart() {
        let mut record = fixture::load();
        let alike = record.servers[0].clone();
        record.servers = vec![alike.clone(), alike.clone()];
        let texts = servers_text(&record);
        assert_eq!(texts.len(), 1, "{texts:?}");
        assert!(texts[0].starts_with("2 × PostgreSQL 1"), "{texts:?}");
        record.servers[1].settings.insert("fsync".to_owned(), "off".to_owned());
        assert_eq!(servers_text(&record).len(), 2);
    }
}
