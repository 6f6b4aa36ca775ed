//! What the server answered to a statement, as far as a script can know.

use pgstrata_pg::simple::Reply;
use serde::{Deserialize, Serialize};

use crate::language::{Cell, What};

/// The answer to a statement. Equal answers tell the client the same.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// The rows, if it returned any kind of rows, sorted: without `order by` their order says nothing.
    pub rows: Option<Vec<Vec<Cell>>>,
    /// The number of rows returned or changed; none for statements that have no such number.
    pub count: Option<u64>,
    /// The SQLSTATE, if it failed.
    pub error: Option<String>,
    /// The server's sentence about the failure. Says which process waited for which, so it counts for nothing when answers are
    /// compared.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub message: String,
    /// Whether a commit turned out to be a rollback.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub rolled_back: bool,
}

impl Answer {
    /// From all that came back for one statement.
    #[must_use]
    pub fn of(replies: &[Reply]) -> Self {
        let mut answer = Self::default();
        for reply in replies {
            match reply {
                Reply::Complete { tag, rows } => {
                    answer.rolled_back = tag == "ROLLBACK";
                    answer.count = tag.rsplit(' ').next().and_then(|last| last.parse().ok());
                    answer.rows = rows.as_ref().map(|rows| {
                        let cells =
                            |row: &Vec<Option<String>>| row.iter().map(|cell| Cell::of(cell.as_deref())).collect();
                        let mut rows: Vec<Vec<Cell>> = rows.rows.iter().map(cells).collect();
                        rows.sort();
                        rows
                    });
                }
                Reply::Error(message) => {
                    answer.error = Some(message.sqlstate.clone());
                    answer.message.clone_from(&message.message);
                }
                Reply::Closed if answer.error.is_none() => {
                    answer.error = Some("08006".to_owned());
                    "the connection ended".clone_into(&mut answer.message);
                }
                _ => {}
            }
        }
        answer
    }

    /// Whether it tells the client the same.
    #[must_use]
    pub fn says_the_same_as(&self, other: &Self) -> bool {
        (&self.rows, self.count, &self.error) == (&other.rows, other.count, &other.error)
    }

    /// Whether it is what was to come of the step.
    #[must_use]
    pub fn is(&self, what: &What) -> bool {
        match what {
            What::Ok => self.error.is_none(),
            What::Error(sqlstate) => self.error.as_ref() == Some(sqlstate),
            What::RowCount(count) => self.error.is_none() && self.count == Some(*count),
            What::Rows(rows) => {
                let mut sorted = rows.clone();
                sorted.sort();
                self.error.is_none() && self.rows.as_ref() == Some(&sorted)
            }
            What::Blocks => false,
        }
    }

    /// In the words of the language.
    #[must_use]
    pub fn what(&self) -> What {
        match (&self.error, &self.rows, self.count) {
            (Some(sqlstate), ..) => What::Error(sqlstate.clone()),
            (None, Some(rows), _) if rows.is_empty() => What::RowCount(0),
            (None, Some(rows), _) => What::Rows(rows.clone()),
            (None, None, Some(count)) => What::RowCount(count),
            (None, None, None) => What::Ok,
        }
    }
}
