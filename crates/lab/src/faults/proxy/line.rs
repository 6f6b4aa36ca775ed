//! One direction of a connection: bytes wait in a line until they are due, then they are written.

use std::collections::VecDeque;
use std::fmt;
use std::time::{Duration, Instant};

/// Most bytes that wait in one direction; when they are so many, no more are read.
pub const LINE_LIMIT: usize = 256 << 10;

/// Bytes on their way, in order.
#[derive(Debug, Default)]
pub(super) struct Line {
    chunks: VecDeque<Chunk>,
    bytes: usize,
}

#[derive(Debug)]
struct Chunk {
    bytes: Vec<u8>,
    written: usize,
    entered: Instant,
    due: Instant,
    /// Whether it was to be delayed at all.
    delayed: bool,
}

impl Line {
    /// Adds bytes that were read at `now` and are to be `delay` late. They never overtake earlier ones.
    pub(super) fn push(&mut self, bytes: &[u8], now: Instant, delay: Duration) {
        let due = self.chunks.back().map_or(now + delay, |last| last.due.max(now + delay));
        self.bytes += bytes.len();
        self.chunks.push_back(Chunk {
            bytes: bytes.to_vec(),
            written: 0,
            entered: now,
            due,
            delayed: delay > Duration::ZERO,
        });
    }

    /// When the first bytes are due.
    pub(super) fn due(&self) -> Option<Instant> {
        self.chunks.front().map(|chunk| chunk.due)
    }

    /// The first bytes; empty when there are none.
    pub(super) fn first(&self) -> &[u8] {
        self.chunks.front().map_or(&[], |chunk| &chunk.bytes[chunk.written..])
    }

    /// Takes away what was written of the first bytes; the delay they had when that was their last part.
    pub(super) fn advance(&mut self, written: usize) -> Option<Duration> {
        let first = self.chunks.front_mut()?;
        first.written += written;
        self.bytes -= written;
        if first.written < first.bytes.len() {
            return None;
        }
        let done = self.chunks.pop_front()?;
        done.delayed.then(|| done.entered.elapsed())
    }

    /// Loses everything; whether there was anything.
    pub(super) fn lose(&mut self) -> bool {
        let lost = !self.is_empty();
        self.chunks.clear();
        self.bytes = 0;
        lost
    }

    pub(super) fn is_empty(&self) -> bool {
        self.chunks.is_empty()
    }

    pub(super) fn is_full(&self) -> bool {
        self.bytes >= LINE_LIMIT
    }
}

/// Delays that were achieved, from reading the bytes of one side to having written all of them to the other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DelayReading {
    /// How many pieces of the stream were delayed.
    pub pieces: u64,
    /// All their delays together.
    pub total: Duration,
    /// The shortest.
    pub least: Duration,
    /// The longest.
    pub most: Duration,
}

impl DelayReading {
    /// Adds a delay.
    pub(super) fn record(&mut self, delay: Duration) {
        self.least = if self.pieces == 0 { delay } else { self.least.min(delay) };
        self.most = self.most.max(delay);
        self.total += delay;
        self.pieces += 1;
    }

    /// The mean delay; none when nothing was delayed.
    #[must_use]
    pub fn mean(&self) -> Option<Duration> {
        (self.pieces > 0).then(|| self.total.div_f64(self.pieces as f64))
    }
}

/// `mean 20.1 ms (20.0 to 23.4, 812 pieces)`.
impl fmt::Display for DelayReading {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ms = |duration: Duration| duration.as_secs_f64() * 1e3;
        match self.mean() {
            Some(mean) => {
                let (least, most) = (ms(self.least), ms(self.most));
                write!(f, "mean {:.2} ms ({least:.2} to {most:.2}, {} pieces)", ms(mean), self.pieces)
            }
            None => f.write_str("nothing passed"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_keep_their_order_when_the_delay_is_lowered() {
        let mut line = Line::default();
        let now = Instant::now();
        line.push(b"slow", now, Duration::from_millis(20));
        line.push(b"fast", now, Duration::ZERO);
        assert_eq!(line.due(), Some(now + Duration::from_millis(20)));
        assert_eq!(line.advance(2), None);
        assert_eq!(line.first(), b"ow");
        assert!(line.advance(2).is_some());
        assert_eq!(line.due(), Some(now + Duration::from_millis(20)));
        assert_eq!(line.first(), b"fast");
        assert_eq!(line.advance(4), None, "not delayed on purpose, so no delay is reported");
        assert!(line.is_empty() && line.due().is_none());
    }

    #[test]
    fn a_line_is_full_at_its_limit_and_empty_when_lost() {
        let mut line = Line::default();
        line.push(&vec![0; LINE_LIMIT - 1], Instant::now(), Duration::ZERO);
        assert!(!line.is_full());
        line.push(b"x", Instant::now(), Duration::ZERO);
        assert!(line.is_full());
        assert!(line.lose() && !line.lose() && !line.is_full());
    }

    #[test]
    fn a_reading_tells_mean_and_range_and_says_when_there_was_nothing() {
        let mut reading = DelayReading::default();
        assert_eq!(reading.to_string(), "nothing passed");
        reading.record(Duration::from_millis(10));
        reading.record(Duration::from_millis(30));
        assert_eq!(reading.to_string(), "mean 20.00 ms (10.00 to 30.00, 2 pieces)");
    }
}
