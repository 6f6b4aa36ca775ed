//! Histories of transactions, and the checkers that judge them.
//!
//! Pure: bytes in, verdicts out. Nothing here opens a file or a connection, looks at a clock or draws a random number.

pub mod anomaly;
pub mod binary;
pub mod consistency;
pub mod cycles;
pub mod exact;
pub mod explanation;
pub mod formats;
pub mod graph;
pub mod linearizable;
pub mod list_append;
pub mod model;
pub mod picture;
pub mod projection;
pub mod register;
pub mod shrink;
pub mod synthetic;
pub mod verdict;
pub mod workload;

pub use anomaly::{Anomaly, Scope};
pub use consistency::Model;
pub use cycles::{Cycles, Limits, check_cycles};
pub use explanation::{Explanation, Sentence};
pub use graph::{Dependency, Edge, Evidence, Graph, GraphBuilder};
pub use list_append::{Options, check_list_append};
pub use model::{History, HistoryBuilder, Key, Operation, Read, Status, Transaction, TransactionId, Value};
pub use shrink::{ShrinkLimits, Shrunk, shrink};
pub use verdict::{Bound, Finding, Findings, Observation, Verdict};
