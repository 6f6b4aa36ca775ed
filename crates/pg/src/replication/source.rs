//! Whichever way to the log there is: the stream with all that records hold, or else their names.

use std::collections::VecDeque;
use std::time::Duration;

use super::feed::{Fed, FeedOptions, WalFeed};
use super::inspect::{InspectedLog, NamedRecord};
use crate::endpoint::Endpoint;
use crate::error::Error;

/// How often the server is asked for names; its log's writer comes round as often.
const PACE: Duration = Duration::from_millis(200);

/// What a source tells.
#[derive(Debug)]
pub enum Told {
    /// What the stream tells.
    Fed(Fed),
    /// A record by name.
    Named(NamedRecord),
}

/// A way to the log.
#[derive(Debug)]
pub enum LogSource {
    /// The physical stream: records with their bodies.
    Stream(Box<WalFeed>),
    /// `pg_walinspect`: records by name.
    Names {
        /// Where they are asked for.
        log: Box<InspectedLog>,
        /// Those that came and were not told yet.
        waiting: VecDeque<NamedRecord>,
    },
}

impl LogSource {
    /// Opens the stream, or where it is not to be had the inspection.
    ///
    /// # Errors
    /// What stands in the way of the stream, if neither is to be had.
    pub async fn open(endpoint: &Endpoint, options: FeedOptions) -> Result<Self, Error> {
        let from = options.from;
        let error = match WalFeed::open(endpoint, options).await {
            Ok(feed) => return Ok(Self::Stream(Box::new(feed))),
            Err(error) => error,
        };
        match InspectedLog::open(endpoint, from).await {
            Ok(log) => Ok(Self::Names { log: Box::new(log), waiting: VecDeque::new() }),
            Err(_) => Err(error),
        }
    }

    /// What comes next, waiting for it; `None` after an error of the stream.
    pub async fn next(&mut self) -> Result<Option<Told>, Error> {
        match self {
            Self::Stream(feed) => Ok(feed.next().await?.map(Told::Fed)),
            Self::Names { log, waiting } => loop {
                if let Some(record) = waiting.pop_front() {
                    return Ok(Some(Told::Named(record)));
                }
                waiting.extend(log.next(PACE).await?);
            },
        }
    }
}
