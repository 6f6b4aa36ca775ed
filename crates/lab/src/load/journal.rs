//! What a worker process tells its parent: every operation it begins, and every outcome it was told.
//!
//! A frame is a tag and a number of little-endian bytes that the tag fixes; what a client saw says its own length. An
//! operation's beginning is written before its statement is sent, so that whatever may have happened to the database is
//! known to the parent.

use std::io::{self, Write};
use std::sync::{Mutex, PoisonError};

use crate::faults::steps::Reached;
use crate::history::{Event, Observation, Outcome};

/// One frame.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Frame {
    /// Every client is connected.
    Ready,
    /// An operation is about to be sent.
    Began(Began),
    /// An operation has ended.
    Ended(Event),
    /// What was seen with an operation that is about to end.
    Saw(Observation),
    /// A client stands at the step that the parent waits for.
    Reached(Reached),
}

/// An operation that is about to be sent.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Began {
    pub(super) operation: u64,
    pub(super) intended_ns: u64,
    pub(super) sent_ns: u64,
    pub(super) client: u32,
}

const READY: u8 = b'R';
const BEGAN: u8 = b'B';
const ENDED: u8 = b'E';
const REACHED: u8 = b'A';
/// After this tag: [`SAW_HEAD_BYTES`], the last four of them the count of the numbers, and the numbers.
pub(super) const SAW: u8 = b'S';
/// After this tag the rest of the stream is the output as JSON.
pub(super) const OUTPUT: u8 = b'O';

const BEGAN_BYTES: usize = 28;
const ENDED_BYTES: usize = 47;
const REACHED_BYTES: usize = 8;
/// No backend has this process id.
const NO_PID: i32 = -1;
/// What stands before the numbers that were seen.
pub(super) const SAW_HEAD_BYTES: usize = 16;
/// How many numbers one operation may have seen: every account of a trial, with room.
pub(super) const SAW_MOST: usize = 1 << 20;
/// The longest frame of a fixed length without its tag.
pub(super) const LONGEST: usize = ENDED_BYTES;

impl Frame {
    /// The bytes that follow a tag; none if there is no such tag.
    pub(super) fn length(tag: u8) -> Option<usize> {
        match tag {
            READY => Some(0),
            BEGAN => Some(BEGAN_BYTES),
            ENDED => Some(ENDED_BYTES),
            REACHED => Some(REACHED_BYTES),
            _ => None,
        }
    }

    pub(super) fn encode(&self, bytes: &mut Vec<u8>) {
        match self {
            Self::Ready => bytes.push(READY),
            Self::Began(began) => {
                bytes.push(BEGAN);
                for number in [began.operation, began.intended_ns, began.sent_ns] {
                    bytes.extend(number.to_le_bytes());
                }
                bytes.extend(began.client.to_le_bytes());
            }
            Self::Ended(event) => {
                bytes.push(ENDED);
                for number in [event.operation, event.intended_ns, event.sent_ns, event.finished_ns] {
                    bytes.extend(number.to_le_bytes());
                }
                bytes.extend(event.value.to_le_bytes());
                bytes.extend(event.client.to_le_bytes());
                bytes.extend(event.attempts.to_le_bytes());
                bytes.push(event.outcome as u8);
            }
            Self::Reached(reached) => {
                bytes.push(REACHED);
                bytes.extend(u32::try_from(reached.server).unwrap_or(u32::MAX).to_le_bytes());
                bytes.extend(reached.backend_pid.unwrap_or(NO_PID).to_le_bytes());
            }
            Self::Saw(seen) => {
                bytes.push(SAW);
                let numbers = &seen.numbers[..seen.numbers.len().min(SAW_MOST)];
                bytes.extend(seen.operation.to_le_bytes());
                bytes.extend(seen.client.to_le_bytes());
                bytes.extend(u32::try_from(numbers.len()).unwrap_or(u32::MAX).to_le_bytes());
                bytes.extend(numbers.iter().flat_map(|number| number.to_le_bytes()));
            }
        }
    }

    pub(super) fn decode(tag: u8, bytes: &[u8]) -> io::Result<Self> {
        let mut fields = Fields(bytes);
        match tag {
            READY => Ok(Self::Ready),
            BEGAN => Ok(Self::Began(Began {
                operation: u64::from_le_bytes(fields.take()?),
                intended_ns: u64::from_le_bytes(fields.take()?),
                sent_ns: u64::from_le_bytes(fields.take()?),
                client: u32::from_le_bytes(fields.take()?),
            })),
            ENDED => Ok(Self::Ended(Event {
                operation: u64::from_le_bytes(fields.take()?),
                intended_ns: u64::from_le_bytes(fields.take()?),
                sent_ns: u64::from_le_bytes(fields.take()?),
                finished_ns: u64::from_le_bytes(fields.take()?),
                value: i64::from_le_bytes(fields.take()?),
                client: u32::from_le_bytes(fields.take()?),
                attempts: u16::from_le_bytes(fields.take()?),
                outcome: outcome(fields.take::<1>()?[0])?,
            })),
            REACHED => {
                let (server, pid) = (u32::from_le_bytes(fields.take()?), i32::from_le_bytes(fields.take()?));
                let backend_pid = (pid != NO_PID).then_some(pid);
                Ok(Self::Reached(Reached { server: server as usize, backend_pid }))
            }
            SAW => {
                let (operation, client) = (u64::from_le_bytes(fields.take()?), u32::from_le_bytes(fields.take()?));
                let count = saw_count(fields.take()?)?;
                let numbers = (0..count).map(|_| Ok(i64::from_le_bytes(fields.take()?)));
                Ok(Self::Saw(Observation { operation, client, numbers: numbers.collect::<io::Result<_>>()? }))
            }
            _ => Err(broken()),
        }
    }
}

/// How many numbers follow the head of a [`SAW`] frame, from the head's last four bytes.
pub(super) fn saw_count(bytes: [u8; 4]) -> io::Result<usize> {
    let count = u32::from_le_bytes(bytes) as usize;
    if count > SAW_MOST { Err(broken()) } else { Ok(count) }
}

struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    fn take<const N: usize>(&mut self) -> io::Result<[u8; N]> {
        let (field, rest) = self.0.split_first_chunk::<N>().ok_or_else(broken)?;
        self.0 = rest;
        Ok(*field)
    }
}

fn outcome(byte: u8) -> io::Result<Outcome> {
    [Outcome::Ok, Outcome::Rejected, Outcome::Failed, Outcome::Unknown]
        .into_iter()
        .find(|outcome| *outcome as u8 == byte)
        .ok_or_else(broken)
}

fn broken() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "a worker process sent something unknown")
}

/// The worker's end of the pipe to its parent.
pub(super) struct Journal {
    pipe: Mutex<Box<dyn Write + Send>>,
}

impl Journal {
    pub(super) fn new(pipe: impl Write + Send + 'static) -> Self {
        Self { pipe: Mutex::new(Box::new(pipe)) }
    }

    /// Writes one frame; it is in the pipe when this returns.
    ///
    /// A parent that has gone away takes its worker with it, so what cannot be written is not worth an error.
    pub(super) fn write(&self, frame: &Frame) {
        let mut bytes = Vec::with_capacity(LONGEST + 1);
        frame.encode(&mut bytes);
        let mut pipe = self.pipe.lock().unwrap_or_else(PoisonError::into_inner);
        if let Err(error) = pipe.write_all(&bytes).and_then(|()| pipe.flush()) {
            tracing::debug!(error = %error, "the parent does not read");
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn an_event_survives_the_pipe(operation: u64, times: [u64; 3], value: i64, client: u32, attempts: u16, which in 0_u8..4) {
            let event = Event {
                operation,
                intended_ns: times[0],
                sent_ns: times[1],
                finished_ns: times[2],
                value,
                client,
                attempts,
                outcome: outcome(which).expect("one of the four"),
            };
            let mut bytes = Vec::new();
            Frame::Ended(event).encode(&mut bytes);
            prop_assert_eq!(Frame::length(bytes[0]), Some(bytes.len() - 1));
            prop_assert_eq!(Frame::decode(bytes[0], &bytes[1..]).expect("whole"), Frame::Ended(event));
        }
    }

    proptest! {
        #[test]
        fn what_was_seen_survives_the_pipe(operation: u64, client: u32, numbers: Vec<i64>) {
            let frame = Frame::Saw(Observation { operation, client, numbers: numbers.into() });
            let mut bytes = Vec::new();
            frame.encode(&mut bytes);
            prop_assert_eq!(Frame::decode(bytes[0], &bytes[1..]).expect("whole"), frame);
            prop_assert!(Frame::decode(SAW, &bytes[1..bytes.len() - 1]).is_err());
        }
    }

    #[test]
    fn a_torn_frame_is_an_error() {
        assert!(Frame::decode(BEGAN, &[0; BEGAN_BYTES - 1]).is_err());
        assert!(Frame::decode(b'?', &[]).is_err());
    }
}
