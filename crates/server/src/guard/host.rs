//! The name by which a request calls this server.

use std::net::IpAddr;

use axum::extract::Request;
use axum::http::header;

use super::Access;
use crate::problem::{Code, Problem};

/// What stands in `Host`, in lower case: a name or an address, and perhaps a port.
pub struct Host(String);

impl Host {
    /// The one host that a request names.
    pub fn of(request: &Request) -> Result<Self, Problem> {
        let wrong = |detail: &str| Problem::new(Code::ForeignHost, detail);
        let mut named = request.headers().get_all(header::HOST).iter();
        let (Some(host), None) = (named.next(), named.next()) else {
            return Err(wrong("the request must have one `Host`"));
        };
        let host = host.to_str().map_err(|_| wrong("`Host` is no name"))?.to_ascii_lowercase();
        // A proxy's form of request names the server once more, and the two must agree.
        match request.uri().authority() {
            Some(authority) if authority.as_str().to_ascii_lowercase() != host => {
                Err(wrong("the request names two servers"))
            }
            _ => Ok(Self(host)),
        }
    }

    /// As it was sent, in lower case.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether we go by this name. A port is not looked at: one that is forwarded from another machine differs, and an
    /// attacker's own name is what it is told by. An address cannot be pointed elsewhere, so it is told by nothing but
    /// itself.
    pub fn is_ours(&self, access: &Access) -> bool {
        let name = self.name();
        if name == "localhost" || access.names.iter().any(|known| known == name) {
            return true;
        }
        match name.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>() {
            Ok(address) => address.is_loopback() || !access.address.ip().is_loopback(),
            Err(_) => false,
        }
    }

    /// Without the port.
    fn name(&self) -> &str {
        match self.0.rsplit_once(':') {
            Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) && !is_bare_v6(name) => name,
            _ => &self.0,
        }
    }
}

/// Whether this is the front of an IPv6 address that stands without brackets, whose last part is no port.
fn is_bare_v6(name: &str) -> bool {
    name.contains(':') && !name.ends_with(']')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_ours(listening: &str, host: &str) -> bool {
        let access = Access::new(listening.parse().expect("an address"), None, vec!["Lab.Example".to_owned()]);
        Host(host.to_owned()).is_ours(&access)
    }

    #[test]
    fn on_this_machine_alone_only_its_own_names_are_known() {
        for host in ["localhost", "localhost:9", "127.0.0.1:7433", "127.9.9.9", "[::1]:7433", "[::1]", "lab.example:1"]
        {
            assert!(is_ours("127.0.0.1:7433", host), "{host}");
        }
        for host in [
            "evil.example",
            "localhost.evil.example",
            "192.168.1.5:7433",
            "127.0.0.1.evil.example",
            "",
            "localhost.",
            "[fe80::1]",
            "evil.example:7433",
            "localhost@evil.example",
            "1.2.3.4",
        ] {
            assert!(!is_ours("127.0.0.1:7433", host), "{host}");
        }
    }

    #[test]
    fn where_others_can_reach_it_addresses_are_known_and_strange_names_are_not() {
        assert!(is_ours("0.0.0.0:7433", "192.168.1.5:7433"));
        assert!(is_ours("[::]:7433", "[fe80::1]:7433"));
        assert!(!is_ours("0.0.0.0:7433", "evil.example:7433"));
    }
}
