//! Reads a history from a file or from standard input, with a bar for large ones.
#![expect(unsafe_code, reason = "Mmap::map is unsafe; see the SAFETY comment below")]

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use memmap2::Mmap;
use pgstrata_history::formats::{self, Expectation};
use pgstrata_history::workload::{Kind, Workload};
use pgstrata_history::{History, Operation, binary};
use pgstrata_lab::error::LabError;

use crate::cli::check::CheckArgs;
use crate::terminal::Terminal;

/// A history that was read.
pub struct Loaded {
    /// How it was written.
    pub format: &'static str,
    /// What it says.
    pub workload: Workload,
}

/// From this size on there is a bar, bytes.
const LARGE: usize = 8 << 20;

/// How often the bar moves, bytes.
const BAR_STEP: usize = 1 << 20;

/// The bytes of a history.
enum Bytes {
    Mapped(Mmap),
    Read(Vec<u8>),
}

impl AsRef<[u8]> for Bytes {
    fn as_ref(&self) -> &[u8] {
        match self {
            Self::Mapped(map) => map,
            Self::Read(bytes) => bytes,
        }
    }
}

/// Reads the history that the arguments name.
pub fn load(args: &CheckArgs, terminal: Terminal) -> Result<Loaded, LabError> {
    let bytes = bytes(&args.file)?;
    let bytes = bytes.as_ref();
    if args.format.is_none() && binary::is_history(bytes) {
        return recorded(bytes, args);
    }
    let expectation = Expectation { format: args.format, kind: args.kind.map(crate::cli::check::CheckKind::history) };
    let bar = bar(bytes.len(), terminal);
    let mut shown = 0;
    let imported = formats::import(bytes, expectation, &mut |read| {
        if read >= shown + BAR_STEP {
            shown = read;
            bar.set_position(read as u64);
        }
    });
    bar.finish_and_clear();
    let (format, workload) =
        imported.map_err(|error| LabError::usage(format!("{}: {error}", args.file.display()), error.hint()))?;
    Ok(Loaded { format: format.name(), workload })
}

fn bytes(path: &Path) -> Result<Bytes, LabError> {
    let unreadable = |source: std::io::Error| {
        let problem = format!("cannot read {}: {source}", path.display());
        LabError::usage(problem, "name a file that you may read, or `-` for standard input")
    };
    if path == Path::new("-") {
        let mut bytes = Vec::new();
        std::io::stdin().read_to_end(&mut bytes).map_err(unreadable)?;
        return Ok(Bytes::Read(bytes));
    }
    let file = File::open(path).map_err(unreadable)?;
    let metadata = file.metadata().map_err(unreadable)?;
    if metadata.is_dir() {
        let hint = "a history is one file; name one in that directory";
        return Err(LabError::usage(format!("{} is a directory", path.display()), hint));
    }
    if !metadata.is_file() || metadata.len() == 0 {
        let mut bytes = Vec::new();
        (&file).read_to_end(&mut bytes).map_err(unreadable)?;
        return Ok(Bytes::Read(bytes));
    }
    // SAFETY: the map is read-only and lives as long as this command, which only reads it. A file that another process cuts
    // meanwhile ends this process with a signal, as it would with any reader that maps; nothing is written that could be wrong.
    let map = unsafe { Mmap::map(&file) };
    map.map(Bytes::Mapped).map_err(unreadable)
}

fn recorded(bytes: &[u8], args: &CheckArgs) -> Result<Loaded, LabError> {
    let history = binary::read(bytes).map_err(|error| {
        let hint = "the recorder was stopped in the middle, or the file is damaged; record it again";
        LabError::usage(format!("{}: {error}", args.file.display()), hint)
    })?;
    let told = args.kind.map(crate::cli::check::CheckKind::history);
    let workload = match told.unwrap_or_else(|| kind(&history)) {
        Kind::RwRegister => Workload::RwRegister(history),
        Kind::ListAppend => Workload::ListAppend(history),
        other => {
            let problem = format!("{} holds transactions, and no {other} history", args.file.display());
            return Err(LabError::usage(problem, "leave out --type, or name list-append or rw-register"));
        }
    };
    Ok(Loaded { format: "binary", workload })
}

/// What the operations of a recorded history are about.
fn kind(history: &History) -> Kind {
    let mut operations = history.transactions().flat_map(|transaction| history.operations(transaction));
    match operations.next() {
        Some(Operation::Write { .. } | Operation::Read { .. }) => Kind::RwRegister,
        _ => Kind::ListAppend,
    }
}

fn bar(length: usize, terminal: Terminal) -> ProgressBar {
    let target = if length >= LARGE && terminal.interactive {
        ProgressDrawTarget::stderr_with_hz(4)
    } else {
        ProgressDrawTarget::hidden()
    };
    // The template is a constant that the test below parses.
    let style = ProgressStyle::with_template(TEMPLATE).unwrap_or_else(|_| ProgressStyle::default_bar());
    let bar = ProgressBar::with_draw_target(Some(length as u64), target);
    bar.set_style(style.progress_chars("=> "));
    bar
}

const TEMPLATE: &str = "{elapsed_precise} [{bar:32}] {bytes}/{total_bytes} ~{eta}";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_template_of_the_bar_is_sound() {
        assert!(ProgressStyle::with_template(TEMPLATE).is_ok());
    }
}
