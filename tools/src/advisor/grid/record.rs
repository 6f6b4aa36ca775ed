//! What a measured grid is as a file, and the journal that lets an interrupted one go on.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader, Write};
use std::path::{Path, PathBuf};

use pgstrata_lab::archive;
use pgstrata_lab::error::LabError;
use pgstrata_lab::record::{Build, Machine, ServerRecord};
use pgstrata_stats::SentinelReading;
use serde::{Deserialize, Serialize};

use super::strategy::Strategy;
use crate::advisor::ranking::{Features, Outcome, TrainingCell};

/// The format of [`GridRecord`].
pub const GRID_FORMAT: u32 = 1;

/// The name of the file that finished cells are written to while a grid is measured.
const JOURNAL: &str = "grid.journal";

/// How file names of records begin; the time of day follows.
const PREFIX: &str = "grid-";

/// A measured grid.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct GridRecord {
    /// [`GRID_FORMAT`].
    pub format: u32,
    /// How it was measured.
    pub head: Head,
    /// When, and on what a machine: more than one if it was interrupted.
    pub sittings: Vec<Sitting>,
    /// What was measured.
    pub cells: Vec<CellRecord>,
}

/// How a grid is measured; a journal is only continued under the same head.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Head {
    /// The command that makes it again.
    pub command: String,
    /// The seed of orders and draws.
    pub seed: u64,
    /// The length of a slice, milliseconds.
    pub slice_ms: u64,
    /// Rounds of each cell.
    pub rounds: u32,
    /// How many rows there are.
    pub rows: u32,
    /// How many cells are planned.
    pub cells: usize,
}

/// One stretch of measuring without interruption.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Sitting {
    /// When it began, RFC 3339, UTC.
    pub started_at: String,
    /// How long it took, seconds.
    pub seconds: f64,
    /// How many cells it measured.
    pub cells: usize,
    /// The machine, with its load before.
    pub machine: Machine,
    /// This program.
    pub build: Build,
    /// The server and its settings.
    pub servers: Vec<ServerRecord>,
    /// Whether the machine stood still: disk, timers and other processes' CPU before, during and after.
    pub sentinels: Vec<SentinelReading>,
}

/// One cell.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CellRecord {
    /// The workload.
    #[serde(flatten)]
    pub features: Features,
    /// What each strategy did.
    pub arms: Vec<ArmRecord>,
}

/// What a strategy did in a cell.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ArmRecord {
    /// The strategy.
    pub strategy: Strategy,
    /// Commits per second in each round.
    pub per_second: Vec<f64>,
    /// The share of attempts that failed and were tried again.
    pub aborts: f64,
    /// The 99th percentile of the time from the first attempt to the commit, milliseconds.
    pub p99_ms: f64,
    /// Writes that were acknowledged and are not in the table; anything but 0 is a lost update.
    pub lost_writes: i64,
}

impl GridRecord {
    /// The cells as the ranking takes them; cells that lack a strategy are left out by it.
    #[must_use]
    pub fn training(&self) -> Vec<TrainingCell> {
        let outcome = |cell: &CellRecord, strategy| {
            let arm = cell.arms.iter().find(|arm| arm.strategy == strategy)?;
            Some(Outcome { per_second: arm.per_second.clone(), aborts: arm.aborts })
        };
        let cells = self.cells.iter().map(|cell| TrainingCell {
            features: cell.features,
            outcomes: Strategy::ALL.into_iter().filter_map(|strategy| outcome(cell, strategy)).collect(),
        });
        cells.collect()
    }

    /// Writes that were lost, over all cells: none, or a strategy is not safe.
    #[must_use]
    pub fn lost_writes(&self) -> i64 {
        self.cells.iter().flat_map(|cell| &cell.arms).map(|arm| arm.lost_writes).sum()
    }

    /// Writes it below `dir`, in the folder of its day and machine, and says where.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn save(&self, dir: &Path) -> Result<PathBuf, LabError> {
        let Some(sitting) = self.sittings.last() else {
            return Err(LabError::usage("nothing was measured", "let at least one cell finish"));
        };
        let folder = dir.join(archive::folder_name(&sitting.started_at, &sitting.machine));
        let time: String = sitting.started_at.chars().skip_while(|c| *c != 'T').filter(char::is_ascii_digit).collect();
        let path = folder.join(format!("{PREFIX}{time}.json"));
        let write = || {
            fs::create_dir_all(&folder)?;
            let mut file = OpenOptions::new().write(true).create_new(true).open(&path)?;
            file.write_all(self.text()?.as_bytes())
        };
        write().map_err(|source| failed(format!("write the grid to {}", path.display()), source))?;
        Ok(path)
    }

    /// One line for each cell, so that a difference between two files can be read.
    fn text(&self) -> io::Result<String> {
        let cells: Result<Vec<String>, _> = self.cells.iter().map(serde_json::to_string).collect();
        Ok(format!(
            "{{\n\"format\": {},\n\"head\": {},\n\"sittings\": {},\n\"cells\": [\n{}\n]\n}}\n",
            self.format,
            serde_json::to_string(&self.head)?,
            serde_json::to_string(&self.sittings)?,
            cells?.join(",\n")
        ))
    }
}

/// The latest grid below `dir`, and the name of its file within it; none if there is none.
///
/// # Errors
/// If a file cannot be read, or is no grid of this format.
pub fn latest(dir: &Path) -> Result<Option<(String, GridRecord)>, LabError> {
    let mut found: Vec<PathBuf> = Vec::new();
    for folder in children(dir)? {
        found.extend(children(&folder)?.into_iter().filter(|path| is_grid(path)));
    }
    found.sort();
    let Some(path) = found.pop() else { return Ok(None) };
    let reading = |source| failed(format!("read the grid {}", path.display()), source);
    let text = fs::read_to_string(&path).map_err(reading)?;
    let record: GridRecord = serde_json::from_str(&text).map_err(|error| reading(error.into()))?;
    if record.format != GRID_FORMAT {
        let other = format!("it has format {}, and this pgstrata reads format {GRID_FORMAT}", record.format);
        return Err(reading(io::Error::other(other)));
    }
    let name = path.strip_prefix(dir).unwrap_or(&path).display().to_string();
    Ok(Some((name, record)))
}

fn is_grid(path: &Path) -> bool {
    let stem = path.file_name().and_then(|name| name.to_str()).and_then(|name| name.strip_suffix(".json"));
    let time = stem.and_then(|stem| stem.strip_prefix(PREFIX));
    time.is_some_and(|time| time.len() == 6 && time.bytes().all(|byte| byte.is_ascii_digit()))
}

fn children(dir: &Path) -> Result<Vec<PathBuf>, LabError> {
    let reading = |source| failed(format!("look for grids in {}", dir.display()), source);
    match fs::read_dir(dir) {
        Ok(entries) => entries.map(|entry| entry.map(|entry| entry.path()).map_err(reading)).collect(),
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Ok(Vec::new()),
        Err(error) => Err(reading(error)),
    }
}

/// Where finished cells are kept until all are: a line for the head, then lines of cells and of sittings.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    file: File,
    /// The sittings that ended before.
    pub(super) sittings: Vec<Sitting>,
    /// The cells that are finished.
    pub(super) cells: Vec<CellRecord>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Line {
    Head(Head),
    Cell(CellRecord),
    Sitting(Box<Sitting>),
}

impl Journal {
    /// Opens the journal in `dir`, which is made if it is not there, with the cells that it has.
    ///
    /// # Errors
    /// If it cannot be read or written, or belongs to a grid that is measured in another way.
    pub fn open(dir: &Path, head: &Head) -> Result<Self, LabError> {
        let path = dir.join(JOURNAL);
        let opening = |source| failed(format!("open the journal {}", path.display()), source);
        fs::create_dir_all(dir).map_err(opening)?;
        let mut file = OpenOptions::new().create(true).read(true).append(true).open(&path).map_err(opening)?;
        let (mut sittings, mut cells, mut found) = (Vec::new(), Vec::new(), None);
        let mut whole = 0;
        for line in BufReader::new(&file).split(b'\n') {
            let line = line.map_err(opening)?;
            // A line that was being written when the program was killed is as if it had not been.
            let Ok(parsed) = serde_json::from_slice(&line) else { break };
            whole += line.len() as u64 + 1;
            match parsed {
                Line::Head(head) => found = Some(head),
                Line::Cell(cell) => cells.push(cell),
                Line::Sitting(sitting) => note(&mut sittings, *sitting),
            }
        }
        file.set_len(whole.min(file.metadata().map_err(opening)?.len())).map_err(opening)?;
        match found {
            None => write_line(&mut file, &Line::Head(head.clone())).map_err(opening)?,
            Some(found) if found == *head => {}
            Some(found) => {
                return Err(LabError::usage(
                    format!("{} belongs to a grid that is measured in another way", path.display()),
                    format!("go on with `{}`, or remove the file to begin again", found.command),
                ));
            }
        }
        Ok(Self { path, file, sittings, cells })
    }

    /// Whether this cell is finished.
    #[must_use]
    pub fn has(&self, features: &Features) -> bool {
        self.cells.iter().any(|cell| cell.features == *features)
    }

    /// Keeps a finished cell.
    pub(super) fn add(&mut self, cell: CellRecord) -> Result<(), LabError> {
        self.write(&Line::Cell(cell.clone()))?;
        self.cells.push(cell);
        Ok(())
    }

    /// Keeps what is known of a sitting: once when it begins, and again when it ends.
    pub(super) fn keep_sitting(&mut self, sitting: Sitting) -> Result<(), LabError> {
        self.write(&Line::Sitting(Box::new(sitting.clone())))?;
        note(&mut self.sittings, sitting);
        Ok(())
    }

    fn write(&mut self, line: &Line) -> Result<(), LabError> {
        write_line(&mut self.file, line)
            .map_err(|source| failed(format!("write to the journal {}", self.path.display()), source))
    }

    /// Removes the journal: what it held is in a record.
    ///
    /// # Errors
    /// If it cannot be removed.
    pub fn remove(self) -> Result<(), LabError> {
        fs::remove_file(&self.path)
            .map_err(|source| failed(format!("remove the journal {}", self.path.display()), source))
    }
}

/// The end of a sitting replaces its beginning.
fn note(sittings: &mut Vec<Sitting>, sitting: Sitting) {
    sittings.retain(|known| known.started_at != sitting.started_at);
    sittings.push(sitting);
}

fn write_line(file: &mut File, line: &Line) -> io::Result<()> {
    let mut text = serde_json::to_vec(line)?;
    text.push(b'\n');
    file.write_all(&text)
}

fn failed(action: String, source: io::Error) -> LabError {
    LabError::Machine { action, hint: "name a directory that you may read and write (--record DIR)".to_owned(), source }
}
