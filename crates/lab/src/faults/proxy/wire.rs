//! Where a request of a PostgreSQL client ends, told from the bytes as they pass.
//!
//! A request is what makes the server run something and answer: a simple query, a function call, or an `Execute` once
//! a `Sync` or `Flush` follows. Message formats: PostgreSQL documentation, 55.7. Nothing is stored but the header.

/// The type byte of the messages that matter.
mod message {
    pub(super) const QUERY: u8 = b'Q';
    pub(super) const EXECUTE: u8 = b'E';
    pub(super) const FUNCTION_CALL: u8 = b'F';
    pub(super) const SYNC: u8 = b'S';
    pub(super) const FLUSH: u8 = b'H';
}

/// Request codes of messages that may come before the start-up message, each answered before the client goes on:
/// cancel, TLS and GSSAPI encryption (`src/include/libpq/pqcomm.h`).
const NEGOTIATION_CODES: [u32; 3] = [80_877_102, 80_877_103, 80_877_104];

/// The longest header: a type byte and a length, or a length and a request code.
const LONGEST_HEADER: usize = 8;

/// Follows the bytes of one client.
#[derive(Debug)]
pub(super) struct RequestTracker {
    header: [u8; LONGEST_HEADER],
    header_bytes: usize,
    /// Bytes of the present message that are still to come.
    body_left: u64,
    /// Whether the start-up message has passed, after which messages have types.
    typed: bool,
    /// The type of the present message; 0 before the start-up message has passed.
    kind: u8,
    /// Whether an `Execute` waits for its `Sync`.
    executes: bool,
    /// Set when the lengths make no sense: this is not the protocol we know (TLS, say).
    opaque: bool,
}

impl RequestTracker {
    /// At the beginning of a connection.
    pub(super) fn new() -> Self {
        let header = [0; LONGEST_HEADER];
        Self { header, header_bytes: 0, body_left: 0, typed: false, kind: 0, executes: false, opaque: false }
    }

    /// Takes the next bytes; true when a request ends among them.
    pub(super) fn follow(&mut self, mut bytes: &[u8]) -> bool {
        let mut ended = false;
        while !bytes.is_empty() && !self.opaque {
            if self.body_left > 0 {
                let passed = bytes.len().min(usize::try_from(self.body_left).unwrap_or(usize::MAX));
                self.body_left -= passed as u64;
                bytes = &bytes[passed..];
            } else {
                let passed = bytes.len().min(self.header_length() - self.header_bytes);
                self.header[self.header_bytes..self.header_bytes + passed].copy_from_slice(&bytes[..passed]);
                self.header_bytes += passed;
                bytes = &bytes[passed..];
                if self.header_bytes < self.header_length() {
                    break;
                }
                self.read_header();
            }
            if self.body_left == 0 && !self.opaque {
                ended |= self.end_message();
            }
        }
        ended
    }

    fn header_length(&self) -> usize {
        if self.typed { 5 } else { 8 }
    }

    /// The length in a header counts itself and what follows, but not the type byte.
    fn read_header(&mut self) {
        let word = |at: usize| {
            u32::from_be_bytes([self.header[at], self.header[at + 1], self.header[at + 2], self.header[at + 3]])
        };
        self.header_bytes = 0;
        let body = if self.typed {
            self.kind = self.header[0];
            word(1).checked_sub(4)
        } else {
            self.typed = !NEGOTIATION_CODES.contains(&word(4));
            self.kind = 0;
            word(0).checked_sub(8)
        };
        match body {
            Some(body) => self.body_left = body.into(),
            None => self.opaque = true,
        }
    }

    fn end_message(&mut self) -> bool {
        match self.kind {
            message::QUERY | message::FUNCTION_CALL => true,
            message::EXECUTE => {
                self.executes = true;
                false
            }
            message::SYNC | message::FLUSH => std::mem::take(&mut self.executes),
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn typed(kind: u8, body: &[u8]) -> Vec<u8> {
        let mut bytes = vec![kind];
        bytes.extend(u32::try_from(body.len() + 4).expect("short").to_be_bytes());
        bytes.extend(body);
        bytes
    }

    fn startup(code: u32, body: &[u8]) -> Vec<u8> {
        let mut bytes = u32::try_from(body.len() + 8).expect("short").to_be_bytes().to_vec();
        bytes.extend(code.to_be_bytes());
        bytes.extend(body);
        bytes
    }

    /// A connection's bytes, message by message, each with whether a request ends there.
    fn conversation() -> Vec<(Vec<u8>, bool)> {
        vec![
            (startup(80_877_103, b""), false),
            (startup(196_608, b"user\0Q\0\0"), false),
            (typed(b'p', b"secret\0"), false),
            (typed(b'P', b"\0select 1\0\0\0"), false),
            (typed(b'D', b"S\0"), false),
            (typed(b'S', b""), false),
            (typed(b'B', b"\0\0"), false),
            (typed(b'E', b"\0\0\0\0\0"), false),
            (typed(b'S', b""), true),
            (typed(b'E', b"\0\0\0\0\0"), false),
            (typed(b'H', b""), true),
            (typed(b'S', b""), false),
            (typed(b'Q', b"commit\0"), true),
            (typed(b'X', b""), false),
        ]
    }

    #[test]
    fn a_request_ends_with_a_query_or_with_the_sync_after_an_execute() {
        let mut tracker = RequestTracker::new();
        for (index, (bytes, ends)) in conversation().iter().enumerate() {
            assert_eq!(tracker.follow(bytes), *ends, "message {index}");
        }
    }

    #[test]
    fn bytes_that_are_no_messages_end_no_request() {
        let mut tracker = RequestTracker::new();
        assert!(!tracker.follow(&startup(196_608, b"")));
        assert!(!tracker.follow(&[b'Q', 0, 0, 0, 1, b'Q', 0, 0, 0, 4]));
        assert!(!tracker.follow(&typed(b'Q', b"select 1\0")));
    }

    proptest! {
        #[test]
        fn it_does_not_matter_how_the_bytes_are_cut(sizes in proptest::collection::vec(1usize..9, 1..200)) {
            let messages = conversation();
            let bytes: Vec<u8> = messages.iter().flat_map(|(bytes, _)| bytes.clone()).collect();
            let requests = messages.iter().filter(|(_, ends)| *ends).count();
            let mut tracker = RequestTracker::new();
            let mut rest = &bytes[..];
            let mut ended = 0;
            // Cuts of at most 8 bytes never hold the ends of two requests, so counting is exact.
            for size in sizes.into_iter().chain(std::iter::repeat(8)) {
                if rest.is_empty() {
                    break;
                }
                let (now, later) = rest.split_at(size.min(rest.len()));
                ended += usize::from(tracker.follow(now));
                rest = later;
            }
            prop_assert_eq!(ended, requests);
        }
    }
}
