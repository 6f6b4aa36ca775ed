//! The file that a server's standard error goes to, and its last lines.
//!
//! It bounds what is kept across starts; a running server writes freely.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// A log larger than this is set aside at the next start (one generation is kept), in bytes.
const ROTATE_BYTES: u64 = 16 * 1024 * 1024;
/// The tail is looked for in so many bytes at the end.
const TAIL_BYTES: u64 = 64 * 1024;

/// A server's log file.
#[derive(Clone, Debug)]
pub(crate) struct ServerLog {
    path: PathBuf,
}

impl ServerLog {
    pub(crate) fn new(path: PathBuf) -> Self {
        Self { path }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Opens it for a server that is about to start, and tells where that server's lines will begin.
    pub(crate) fn open(&self) -> io::Result<(File, u64)> {
        if fs::metadata(&self.path).is_ok_and(|metadata| metadata.len() > ROTATE_BYTES) {
            fs::rename(&self.path, self.path.with_extension("log.1"))?;
        }
        // Statements with their values may be in it, so it is for its owner alone.
        let file = OpenOptions::new().append(true).create(true).mode(0o600).open(&self.path)?;
        let begin = file.metadata()?.len();
        Ok((file, begin))
    }

    /// The last lines, oldest first.
    pub(crate) fn tail(&self, lines: usize) -> Vec<String> {
        self.tail_since(0, lines)
    }

    /// The last lines that begin at or after a position.
    pub(crate) fn tail_since(&self, begin: u64, lines: usize) -> Vec<String> {
        let text = self.read_since(begin).unwrap_or_default();
        let all: Vec<&str> = text.lines().collect();
        all[all.len().saturating_sub(lines)..].iter().map(|&line| line.to_owned()).collect()
    }

    fn read_since(&self, begin: u64) -> io::Result<String> {
        let mut file = File::open(&self.path)?;
        let length = file.seek(SeekFrom::End(0))?;
        let from = length.saturating_sub(TAIL_BYTES).max(begin.min(length));
        file.seek(SeekFrom::Start(from))?;
        let mut bytes = Vec::new();
        file.take(TAIL_BYTES).read_to_end(&mut bytes)?;
        let text = String::from_utf8_lossy(&bytes);
        if from > begin {
            // Most likely in the middle of a line.
            return Ok(text.split_once('\n').map_or_else(String::new, |(_, rest)| rest.to_owned()));
        }
        Ok(text.into_owned())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn the_tail_is_the_end_of_the_log_in_whole_lines() {
        let place = tempfile::tempdir().expect("a directory");
        let log = ServerLog::new(place.path().join("server.log"));
        assert_eq!(log.tail(3), Vec::<String>::new());
        let (mut file, begin) = log.open().expect("open");
        assert_eq!(begin, 0);
        for number in 0..10_000 {
            writeln!(file, "line {number}").expect("write");
        }
        assert_eq!(log.tail(2), ["line 9998", "line 9999"]);
        assert!(log.tail(usize::MAX).first().expect("some").starts_with("line "));
        let (mut file, begin) = log.open().expect("open again");
        writeln!(file, "second start").expect("write");
        assert_eq!(log.tail_since(begin, 5), ["second start"]);
    }

    #[test]
    fn a_large_log_is_set_aside_at_the_next_start() {
        let place = tempfile::tempdir().expect("a directory");
        let log = ServerLog::new(place.path().join("server.log"));
        fs::write(log.path(), vec![b'x'; 17 * 1024 * 1024]).expect("a large log");
        let (_, begin) = log.open().expect("open");
        assert_eq!(begin, 0);
        assert!(place.path().join("server.log.1").exists());
    }
}
