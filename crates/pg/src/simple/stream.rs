//! The bytes of one connection, over a Unix socket or TCP.

use std::io;
use std::net::IpAddr;
use std::path::PathBuf;

use bytes::BytesMut;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};
use tokio_postgres::Config;
use tokio_postgres::config::Host;

/// How much room the inbox has at least before each read, bytes.
const READ_ROOM: usize = 8 * 1024;

/// Where a connection goes to.
#[derive(Clone, Debug)]
pub(super) enum Address {
    Socket(PathBuf),
    Name(String, u16),
    Ip(IpAddr, u16),
}

impl Address {
    /// The addresses of a configuration, in the order in which they are to be tried.
    pub(super) fn of(config: &Config) -> Vec<Self> {
        let (hosts, addresses, ports) = (config.get_hosts(), config.get_hostaddrs(), config.get_ports());
        let port = |index: usize| ports.get(index).or_else(|| ports.first()).copied().unwrap_or(5432);
        let one = |index: usize| match (addresses.get(index), hosts.get(index)) {
            (Some(address), _) => Some(Self::Ip(*address, port(index))),
            (None, Some(Host::Tcp(name))) => Some(Self::Name(name.clone(), port(index))),
            (None, Some(Host::Unix(directory))) => {
                Some(Self::Socket(directory.join(format!(".s.PGSQL.{}", port(index)))))
            }
            (None, None) => None,
        };
        (0..hosts.len().max(addresses.len())).filter_map(one).collect()
    }
}

pub(super) enum Stream {
    Unix(UnixStream),
    Tcp(TcpStream),
}

impl Stream {
    pub(super) async fn open(address: &Address) -> io::Result<Self> {
        let tcp = match address {
            Address::Socket(path) => return Ok(Self::Unix(UnixStream::connect(path).await?)),
            Address::Name(name, port) => TcpStream::connect((name.as_str(), *port)).await?,
            Address::Ip(address, port) => TcpStream::connect((*address, *port)).await?,
        };
        tcp.set_nodelay(true)?;
        Ok(Self::Tcp(tcp))
    }

    pub(super) async fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Unix(stream) => stream.write_all(bytes).await,
            Self::Tcp(stream) => stream.write_all(bytes).await,
        }
    }

    /// Adds what has come to the inbox, waiting for at least a byte; 0 is the end. Giving up the wait loses nothing.
    pub(super) async fn receive(&mut self, inbox: &mut BytesMut) -> io::Result<usize> {
        inbox.reserve(READ_ROOM);
        match self {
            Self::Unix(stream) => stream.read_buf(inbox).await,
            Self::Tcp(stream) => stream.read_buf(inbox).await,
        }
    }
}
