//! A server's log that is sent in: kept in a file while it is read, and nowhere afterwards.

use std::io::{BufReader, Seek as _, SeekFrom, Write as _};
use std::path::PathBuf;

use axum::body::Body as HttpBody;
use futures_util::TryStreamExt as _;
use pgstrata_tools::advisor::log::{LogError, LogReader, LogReading};

use super::Advisor;
use crate::limits;
use crate::problem::{Code, Problem};
use crate::routes::advisor::{LogAnswer, LogProgram};

impl Advisor {
    /// Reads a log into programs.
    pub async fn log(&self, body: HttpBody) -> Result<LogAnswer, Problem> {
        let mut file = tempfile::tempfile().map_err(|error| Problem::internal("keep the log", &error))?;
        let mut stream = body.into_data_stream();
        let mut bytes = 0;
        let broken = |_| Problem::new(Code::BadRequest, "the log did not arrive whole");
        while let Some(chunk) = stream.try_next().await.map_err(broken)? {
            bytes += chunk.len();
            if bytes > limits::LOG_BYTES {
                let detail = format!("a log has at most {} bytes here", limits::LOG_BYTES);
                let hint = "send a shorter part of it, or use `pgstrata advise`, which reads logs of any length";
                return Err(Problem::new(Code::TooLarge, detail).hint(hint));
            }
            file.write_all(&chunk).map_err(|error| Problem::internal("keep the log", &error))?;
        }
        self.work(move || {
            file.seek(SeekFrom::Start(0)).map_err(|error| Problem::internal("read the log", &error))?;
            let mut reader = LogReader::new(None);
            reader.read(PathBuf::from("the log"), &mut BufReader::new(file)).map_err(|error| refused(&error))?;
            Ok(answer(&reader.finish().map_err(|error| refused(&error))?))
        })
        .await?
    }
}

fn refused(error: &LogError) -> Problem {
    let hint = error.hint();
    Problem::new(Code::BadRequest, crate::problem::chain(error)).hint(hint)
}

fn answer(reading: &LogReading) -> LogAnswer {
    let programs = reading.programs.iter().map(|program| LogProgram {
        name: program.name.clone(),
        frequency: program.frequency,
        commits: program.commits,
        failures: program.failures.values().sum(),
    });
    LogAnswer {
        sql: reading.sql(),
        programs: programs.collect(),
        entries: reading.counts.entries,
        garbled: reading.counts.garbled,
        transactions: reading.counts.transactions,
    }
}
