//! Connection URLs: the client library's parser, with the traps around it closed.
//!
//! Its messages may repeat parts of a garbled URL, and a stray `@` moves part of the password into the host; neither may
//! reach a screen or a log. This file opens no connection.

use std::path::Path;

use tokio_postgres::Config;
use tokio_postgres::config::{Host, SslMode};

use crate::error::{Error, Kind};

/// What both messages about an unreadable beginning say; the text given is not repeated, since it may be a password.
const BEGINNING: &str = "it begins neither with postgresql:// nor with an option such as host=";

/// Parses a URL or `key=value` words, checks what the parser lets through, and fills in the host.
pub(crate) fn parse(url: &str) -> Result<Config, Error> {
    let url = url.trim();
    let is_url = url.starts_with("postgresql://") || url.starts_with("postgres://");
    if !is_url && (url.contains("://") || !url.contains('=')) {
        return Err(unreadable(BEGINNING.to_owned()));
    }
    let mut config: Config = url.parse().map_err(|error| refused(&error, is_url))?;
    if config.get_ssl_mode() == SslMode::Require {
        return Err(no_tls());
    }
    check_at_signs(&config)?;
    if config.get_hosts().is_empty() && config.get_hostaddrs().is_empty() {
        set_default_host(&mut config);
    }
    Ok(config)
}

/// Where `psql` without `-h` looks: Debian's and Red Hat's socket directory, else the one of PostgreSQL itself.
fn set_default_host(config: &mut Config) {
    let packaged = Path::new("/var/run/postgresql");
    let directory = if packaged.is_dir() { packaged } else { Path::new("/tmp") };
    config.host_path(directory);
}

/// The parser splits at the first `@`, so an unescaped one in the password would end up in the host, be looked up and be
/// shown; one in a parameter would swallow the host.
fn check_at_signs(config: &Config) -> Result<(), Error> {
    let in_host = config.get_hosts().iter().any(|host| matches!(host, Host::Tcp(name) if name.contains('@')));
    let in_user = config.get_user().is_some_and(|user| user.contains(['/', '?']));
    if in_host || in_user {
        let reason = "more than one `@`; write an `@` inside the password or a parameter as `%40`".to_owned();
        return Err(unreadable(reason));
    }
    Ok(())
}

/// The parser's error as ours. It quotes unknown option names, and among `key=value` words a password with a space in it
/// makes one.
fn refused(error: &tokio_postgres::Error, is_url: bool) -> Error {
    let reason = std::error::Error::source(error).map_or_else(|| error.to_string(), ToString::to_string);
    if reason == "invalid value for option `sslmode`" {
        return no_tls();
    }
    let reason = match reason.strip_prefix("unknown option `").and_then(|rest| rest.strip_suffix('`')) {
        Some(name) if is_url && is_option_name(name) => reason,
        Some(_) => "it has an unknown option (a value with spaces needs quotes: 'two words')".to_owned(),
        None if reason.starts_with("unexpected character") => "a `=` is missing after an option's name".to_owned(),
        None => reason,
    };
    unreadable(reason)
}

fn is_option_name(name: &str) -> bool {
    (3..=24).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')
}

fn no_tls() -> Error {
    Error::new("use the connection URL", Kind::NoTls)
}

fn unreadable(reason: String) -> Error {
    Error::new("read the connection URL", Kind::BadUrl { reason })
}

/// For a part of a URL: everything but letters, digits and `-._~` as `%XX`.
pub(crate) fn percent_encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            encoded.push(char::from(byte));
        } else {
            let (high, low) = (byte >> 4, byte & 15);
            encoded.push('%');
            encoded.extend([high, low].map(|digit| char::from(b"0123456789ABCDEF"[usize::from(digit)])));
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Endpoint;

    fn parsed(url: &str) -> Endpoint {
        Endpoint::parse(url).expect("a good URL")
    }

    #[test]
    fn usual_urls_name_host_port_user_and_database() {
        let check = [
            ("postgresql://ann@db.example:6000/shop", "postgresql://ann@db.example:6000/shop"),
            ("postgres://ann:secret@db.example/shop?connect_timeout=3", "postgresql://ann@db.example:5432/shop"),
            ("  postgresql://ann@[::1]:6000/shop \n", "postgresql://ann@[::1]:6000/shop"),
            ("postgresql://a,b:6000/shop", "postgresql://a:5432,b:6000/shop"),
            ("host=10.0.0.7 port=6000 user=ann dbname='two words'", "postgresql://ann@10.0.0.7:6000/two%20words"),
            ("postgresql:///shop?host=/tmp/sock&port=6000&user=ann", "postgresql://ann@%2Ftmp%2Fsock:6000/shop"),
            ("postgresql://ann@%2Ftmp%2Fsock/shop?sslmode=disable", "postgresql://ann@%2Ftmp%2Fsock:5432/shop"),
        ];
        for (url, shown) in check {
            let endpoint = parsed(url);
            assert_eq!(endpoint.to_string(), shown);
            assert_eq!(parsed(shown).to_string(), shown, "what is shown can be parsed");
        }
    }

    #[test]
    fn a_url_without_a_host_means_this_machines_socket_directory() {
        let endpoint = parsed("postgresql:///shop");
        let socket = endpoint.socket_path().expect("a Unix socket");
        assert!(socket.ends_with(".s.PGSQL.5432"));
        assert_eq!(endpoint.tcp_address(), None);
    }

    #[test]
    fn bad_urls_say_what_is_wrong_and_how_to_write_one() {
        let check = [
            ("mysql://host/db", "neither with postgresql://"),
            ("host db", "neither with postgresql://"),
            ("host=h user ann", "`=` is missing"),
            ("postgresql://host:notaport/db", "`port`"),
            ("postgresql://host:70000/db", "`port`"),
            ("postgresql://host/db?shoesize=43", "unknown option `shoesize`"),
            ("postgresql://host/db?connect_timeout=soon", "`connect_timeout`"),
            ("postgresql://u:p@ss@host/db", "%40"),
            ("postgresql://host/db?application_name=a@b", "%40"),
        ];
        for (url, expect) in check {
            let error = Endpoint::parse(url).expect_err(url);
            let Kind::BadUrl { reason } = error.kind() else { panic!("{url}: {error:?}") };
            assert!(reason.contains(expect), "{url}: {reason}");
            assert!(error.hint().expect("a hint").contains("postgresql://"), "{url}");
        }
    }

    #[test]
    fn a_url_that_demands_tls_is_refused_with_a_hint() {
        for mode in ["require", "verify-ca", "verify-full"] {
            let error = Endpoint::parse(&format!("postgresql://host/db?sslmode={mode}")).expect_err("no TLS here");
            assert!(matches!(error.kind(), Kind::NoTls), "{mode}: {error:?}");
            assert!(error.hint().expect("a hint").contains("sslmode=disable"));
        }
    }

    #[test]
    fn no_output_shows_the_password_however_the_url_is_garbled() {
        let garbled = [
            "postgresql://ann:hunter2@host/db",
            "postgresql://ann:hunter2@host:x/db",
            "postgresql:/ann:hunter2@host/db?sslmode=disable",
            "ann:hunter2@host/db",
            "host=h password=my hunter2",
            "host=h password=my hunter2=x",
            "host=h password=my secret=x",
            "host=h password='hunter2",
            "postgresql://ann:my@hunter2@host/db",
            "postgresql://host/db?password=hunter2&sslmode=require",
            "postgresql://host/db?hunter2=x",
        ];
        for url in garbled {
            let shown = match Endpoint::parse(url) {
                Ok(endpoint) => format!("{endpoint} {endpoint:?} {:?}", endpoint.with_tcp("proxy", 1)),
                Err(error) => format!("{error} {error:?} {} {:?}", error.kind(), error.hint()),
            };
            assert!(!shown.contains("hunter2") && !shown.contains("secret"), "{url}: {shown}");
        }
    }
}
