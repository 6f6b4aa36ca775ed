//! Every bound of the workbench, with its unit. What a user meets is also in `GET /api/status`.

use std::time::Duration;

/// Connections at a time; beyond it the one that has been idle longest goes. A process may open 1,024 files by default.
pub const CONNECTIONS: usize = 512;
/// How long a client may take for the head of a request, and an idle connection is kept.
pub const HEAD_TIME: Duration = Duration::from_secs(15);
/// Bytes of a request's head.
pub const HEAD_BYTES: usize = 64 * 1024;
/// Bytes of a request's body, where a route does not say otherwise.
pub const BODY_BYTES: usize = 256 * 1024;
/// How long a request may take, its body included, where a route does not say otherwise.
pub const REQUEST_TIME: Duration = Duration::from_mins(1);
/// The same for a recording that is sent in.
pub const IMPORT_TIME: Duration = Duration::from_mins(5);
/// How long requests under way may take at the end.
pub const DRAIN_TIME: Duration = Duration::from_secs(5);

/// Live connections at a time.
pub const VIEWERS: usize = 64;
/// Bytes of a message from a viewer.
pub const VIEWER_MESSAGE_BYTES: usize = 64 * 1024;
/// Changes that a viewer may be behind; a slower one is told `lagged` and gets a moment.
pub const VIEWER_BEHIND: usize = 256;
/// Changes that are kept of a log, for viewers that come back.
pub const KEPT_CHANGES: usize = 4_096;
/// Memory that those take, bytes.
pub const KEPT_BYTES: usize = 32 << 20;
/// Things of our own making (a statement, an answer) that wait to be put into a log.
pub const CAUSES: usize = 256;
/// News of runs and consoles that wait for a viewer; one that misses some is told how things stand.
pub const NEWS: usize = 256;
/// How often a silent viewer is asked whether it is there.
pub const PING_EVERY: Duration = Duration::from_secs(20);
/// How long one message may take to be sent, and an answer to a ping.
pub const VIEWER_TIME: Duration = Duration::from_secs(20);
/// Logs that are made at a time, each by a session of its own.
pub const FEEDS: usize = 16;
/// How long a log is kept on when its last viewer has left: long enough for a page that is loaded anew.
pub const FEED_LINGER: Duration = Duration::from_secs(10);
/// Sessions with whose eyes one watch judges.
pub const EYES: usize = 64;
/// Characters of a table's or a row's name in a watch.
pub const NAME_CHARACTERS: usize = 1_000;

/// Consoles of all browsers together.
pub const CONSOLES: usize = 16;
/// Bytes of a console's statement.
pub const STATEMENT_BYTES: usize = 64 * 1024;
/// Characters of a key that a page draws.
pub const KEY_CHARACTERS: usize = 100;
/// Keys that a console remembers, so that nothing is sent twice.
pub const KEPT_KEYS: usize = 200;
/// Consoles and scenes that nobody has touched for so long make room for others.
pub const LEFT_ALONE: Duration = Duration::from_mins(15);
/// On somebody else's server, a transaction of a console or a scene that does nothing for so long is ended by the server.
pub const TRANSACTION_LEFT_ALONE: Duration = Duration::from_mins(15);
/// Scenes that are open at a time.
pub const SCENES: usize = 8;
/// Rows of an answer that are shown.
pub const ROWS: usize = 500;
/// How long a request may wait for a statement before it is told that it runs on.
pub const STATEMENT_WAIT: Duration = Duration::from_secs(25);

/// Runs that may wait for their turn.
pub const QUEUED_RUNS: usize = 4;
/// How often what a run measures is told while it goes on.
pub const PULSE: Duration = Duration::from_millis(500);
/// Runs that are remembered.
pub const KEPT_RUNS: usize = 50;
/// The longest window that a run from the page may have.
pub const RUN_WINDOW: Duration = Duration::from_mins(10);

/// Recordings that are kept.
pub const RECORDINGS: usize = 100;
/// Recordings that are being made at a time.
pub const RECORDERS: usize = 4;
/// The most bytes that a recording's file may have.
pub const RECORDING_BYTES: u64 = 256 << 20;
/// Characters of a recording's name.
pub const TITLE_CHARACTERS: usize = 80;
/// How often a recording that is being made is written down, so that it can be read meanwhile.
pub const RECORDING_FLUSH: Duration = Duration::from_secs(1);
/// Bytes of a recording that is sent in.
pub const IMPORT_BYTES: usize = 256 * 1024 * 1024;
/// Changes in one answer.
pub const CHANGES: usize = 1_000;

/// Decisions that one history keeps.
pub const DECISIONS: usize = 100_000;
/// Decisions in one answer.
pub const DECISION_PAGE: usize = 100;
/// Answers to one question that are shown.
pub const DECISION_ANSWERS: usize = 20;
/// Notes to one decision.
pub const DECISION_NOTES: usize = 200;
/// Characters of a note.
pub const NOTE_CHARACTERS: usize = 4_000;

/// Analyses that run at a time.
pub const ANALYSES: usize = 2;
/// How long an analysis may wait for its turn, and take.
pub const ANALYSIS_TIME: Duration = Duration::from_secs(20);
/// Sources of one question.
pub const SOURCES: usize = 200;
/// Programs of one question that have a level of their own.
pub const SOURCE_PROGRAMS: usize = 500;
/// Proofs that run at a time.
pub const PROOFS: usize = 2;
/// Events of a proof that a page may be behind; one that is further behind is left, and its proof ended.
pub const PROOF_EVENTS: usize = 4_096;
/// How long a page may take to say what it wants proved.
pub const PROOF_QUESTION_TIME: Duration = Duration::from_secs(20);
/// Random schedules that a page may ask for.
pub const PROOF_SCHEDULES: u64 = 500;
/// How long a proof may take.
pub const PROOF_TIME: Duration = Duration::from_mins(5);
/// Proofs that are remembered, to be kept with a decision.
pub const KEPT_PROOFS: usize = 32;
/// Bytes of a server's log that is sent in.
pub const LOG_BYTES: usize = 64 * 1024 * 1024;
