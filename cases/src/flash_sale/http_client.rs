//! A small HTTP/1.1 client on one keep-alive connection, for the load and the tests: request, answer, next request.
//!
//! It speaks to our own front door only: no TLS, no redirects, no chunked bodies.

use std::fmt::Write as _;
use std::io;
use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// The longest answer that is read, bytes: head and body.
const ANSWER_LIMIT: usize = 16_384;

/// An open connection. After an error it is of no use any more.
#[derive(Debug)]
pub(crate) struct HttpConnection {
    stream: TcpStream,
    /// The request being made, then the answer being read; kept for its room.
    buffer: Vec<u8>,
    head: String,
}

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct HttpAnswer {
    pub(crate) status: u16,
    /// Header lines in lower case names, in order.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl HttpAnswer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(header, _)| header == name).map(|(_, value)| value.as_str())
    }
}

impl HttpConnection {
    pub(crate) async fn open(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, buffer: Vec::new(), head: String::new() })
    }

    /// Sends a request and reads its answer.
    pub(crate) async fn request(
        &mut self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> io::Result<HttpAnswer> {
        self.head.clear();
        let _ = write!(self.head, "{method} {path} HTTP/1.1\r\nhost: sale\r\ncontent-length: {}\r\n", body.len());
        for (name, value) in headers {
            let _ = write!(self.head, "{name}: {value}\r\n");
        }
        self.head.push_str("\r\n");
        self.buffer.clear();
        self.buffer.extend_from_slice(self.head.as_bytes());
        self.buffer.extend_from_slice(body);
        self.stream.write_all(&self.buffer).await?;
        self.read_answer().await
    }

    async fn read_answer(&mut self) -> io::Result<HttpAnswer> {
        self.buffer.clear();
        let head_length = loop {
            if let Some(end) = self.buffer.windows(4).position(|window| window == b"\r\n\r\n") {
                break end + 4;
            }
            self.read_more().await?;
        };
        let head = std::str::from_utf8(&self.buffer[..head_length]).map_err(|_| malformed())?;
        let mut answer = parse_head(head).ok_or_else(malformed)?;
        let length: usize = answer.header("content-length").and_then(|text| text.parse().ok()).ok_or_else(malformed)?;
        while self.buffer.len() < head_length + length {
            self.read_more().await?;
        }
        answer.body = self.buffer[head_length..head_length + length].to_vec();
        Ok(answer)
    }

    async fn read_more(&mut self) -> io::Result<()> {
        if self.buffer.len() > ANSWER_LIMIT {
            return Err(malformed());
        }
        if self.stream.read_buf(&mut self.buffer).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(())
    }
}

fn parse_head(head: &str) -> Option<HttpAnswer> {
    let mut lines = head.split("\r\n");
    let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
    let headers = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    Some(HttpAnswer { status, headers, body: Vec::new() })
}

fn malformed() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "not an answer of the front door")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_is_taken_apart() {
        let answer = parse_head("HTTP/1.1 429 Too Many Requests\r\nRetry-After: 2\r\nContent-Length: 0\r\n\r\n");
        let answer = answer.expect("a head");
        assert_eq!(answer.status, 429);
        assert_eq!(answer.header("retry-after"), Some("2"));
        assert_eq!(parse_head("nonsense"), None);
    }
}
