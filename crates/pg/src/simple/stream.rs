//! The bytes of one connection, over a Unix socket or TCP.

use std::io::{self, Read as _};
use std::net::IpAddr;
use std::os::fd::AsFd as _;
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

pub(super) struct Stream {
    moving: Moving,
    /// The same socket for looking without waiting: the runtime's own view of it is as old as its last turn.
    glimpse: Glimpse,
}

enum Moving {
    Unix(UnixStream),
    Tcp(TcpStream),
}

enum Glimpse {
    Unix(std::os::unix::net::UnixStream),
    Tcp(std::net::TcpStream),
}

impl Stream {
    pub(super) async fn open(address: &Address) -> io::Result<Self> {
        let tcp = match address {
            Address::Socket(path) => {
                let stream = UnixStream::connect(path).await?;
                let glimpse = Glimpse::Unix(stream.as_fd().try_clone_to_owned()?.into());
                return Ok(Self { moving: Moving::Unix(stream), glimpse });
            }
            Address::Name(name, port) => TcpStream::connect((name.as_str(), *port)).await?,
            Address::Ip(address, port) => TcpStream::connect((*address, *port)).await?,
        };
        tcp.set_nodelay(true)?;
        let glimpse = Glimpse::Tcp(tcp.as_fd().try_clone_to_owned()?.into());
        Ok(Self { moving: Moving::Tcp(tcp), glimpse })
    }

    pub(super) async fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        match &mut self.moving {
            Moving::Unix(stream) => stream.write_all(bytes).await,
            Moving::Tcp(stream) => stream.write_all(bytes).await,
        }
    }

    /// Adds what has come to the inbox, waiting for at least a byte; 0 is the end. Giving up the wait loses nothing.
    pub(super) async fn receive(&mut self, inbox: &mut BytesMut) -> io::Result<usize> {
        inbox.reserve(READ_ROOM);
        match &mut self.moving {
            Moving::Unix(stream) => stream.read_buf(inbox).await,
            Moving::Tcp(stream) => stream.read_buf(inbox).await,
        }
    }

    /// The same without waiting: [`io::ErrorKind::WouldBlock`] when nothing has come. Both handles share one socket,
    /// which the runtime has made non-blocking, and a reader that finds it emptied by the other waits again.
    pub(super) fn receive_at_once(&mut self, inbox: &mut BytesMut) -> io::Result<usize> {
        let mut room = [0; READ_ROOM];
        let count = match &mut self.glimpse {
            Glimpse::Unix(stream) => stream.read(&mut room)?,
            Glimpse::Tcp(stream) => stream.read(&mut room)?,
        };
        inbox.extend_from_slice(&room[..count]);
        Ok(count)
    }
}
