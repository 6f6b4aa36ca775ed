//! From entries (begun, done) to operations: an invocation and its completion are of one process, which does one thing at a time.
//!
//! Finished operations are handed on in the order in which they were begun, as soon as all that were begun before them are
//! finished, so memory holds what is in flight and not the file.

use std::collections::{HashMap, VecDeque};

use super::cursor::{ImportError, error_at};
use super::gather::Gather;
use super::operations::{Action, Body, Entry, Moment, body};
use crate::model::Status;
use crate::workload::Recorded;

/// Pairs entries and hands operations on.
pub struct Pairing<'a> {
    text: &'a str,
    /// What was begun and not yet handed on, oldest first.
    pending: VecDeque<Pending>,
    /// How many were handed on.
    handed_on: usize,
    /// What each process has in flight: its number among all that were begun.
    in_flight: HashMap<u32, usize>,
    style: Option<Style>,
    /// The latest moment so far. Clocks that step back a little must not turn the order of the entries around.
    now_ns: u64,
    entries: u64,
    /// Where the operations go.
    pub gather: Gather<'a>,
}

struct Pending {
    record: Recorded<Body>,
    is_finished: bool,
}

/// What the first entry shows of the whole history.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Style {
    has_invocations: bool,
    has_times: bool,
}

/// A process that no history numbers: counted down from here where entries name none.
const NAMELESS: u32 = u32::MAX;

impl<'a> Pairing<'a> {
    /// Nothing yet.
    pub fn new(text: &'a str, gather: Gather<'a>) -> Self {
        Self {
            text,
            pending: VecDeque::new(),
            handed_on: 0,
            in_flight: HashMap::new(),
            style: None,
            now_ns: 0,
            entries: 0,
            gather,
        }
    }

    /// Takes the next entry of the history.
    pub fn entry(&mut self, entry: &Entry<'_, '_>) -> Result<(), ImportError> {
        let style = *self.style.get_or_insert(Style {
            has_invocations: entry.moment == Moment::Invoke,
            has_times: entry.time_ns.is_some(),
        });
        let time_ns = match (style.has_times, entry.time_ns) {
            (false, _) => self.entries,
            (true, Some(time_ns)) => time_ns,
            (true, None) => return Err(entry.form.error(self.text, "an operation with `time`, as the first one has")),
        };
        self.now_ns = self.now_ns.max(time_ns);
        self.entries += 1;
        match (entry.moment, style.has_invocations) {
            (Moment::Invoke, true) => self.invoke(entry),
            (Moment::Invoke, false) => {
                Err(entry.form.error(self.text, "a completion: this history began without invocations"))
            }
            (_, true) => self.complete(entry),
            (_, false) => self.only_completion(entry),
        }
    }

    fn invoke(&mut self, entry: &Entry<'_, '_>) -> Result<(), ImportError> {
        let process = entry.process.unwrap_or(0);
        let body = body(self.text, entry.form)?;
        let number = self.handed_on + self.pending.len();
        if self.in_flight.insert(process, number).is_some() {
            let expected = format!("process {process} to complete its last operation before it begins another");
            return Err(entry.form.error(self.text, expected));
        }
        let record = Recorded {
            process,
            status: Status::Unknown,
            invoked_ns: self.now_ns,
            completed_ns: u64::MAX,
            operation: body,
        };
        self.pending.push_back(Pending { record, is_finished: false });
        Ok(())
    }

    fn complete(&mut self, entry: &Entry<'_, '_>) -> Result<(), ImportError> {
        let process = entry.process.unwrap_or(0);
        let Some(number) = self.in_flight.remove(&process) else {
            let expected = format!("an invocation of process {process} before its completion");
            return Err(entry.form.error(self.text, expected));
        };
        let pending = &mut self.pending[number - self.handed_on];
        pending.is_finished = true;
        pending.record.status = status(entry.moment);
        if entry.moment != Moment::Info {
            pending.record.completed_ns = self.now_ns;
        }
        // What failed was not done, and what is unknown has no answer: there the invocation says what was wanted.
        if entry.moment == Moment::Ok && (entry.form.get("value").is_some() || is_read(&pending.record.operation)) {
            pending.record.operation = body(self.text, entry.form)?;
        }
        while self.pending.front().is_some_and(|pending| pending.is_finished) {
            self.hand_on()?;
        }
        Ok(())
    }

    /// Nothing is known of when it was begun, so it counts as concurrent with all that came before.
    fn only_completion(&mut self, entry: &Entry<'_, '_>) -> Result<(), ImportError> {
        let nameless = || NAMELESS - u32::try_from(self.entries).unwrap_or(u32::MAX);
        let record = Recorded {
            process: entry.process.unwrap_or_else(nameless),
            status: status(entry.moment),
            invoked_ns: 0,
            completed_ns: if entry.moment == Moment::Info { u64::MAX } else { self.now_ns },
            operation: body(self.text, entry.form)?,
        };
        self.gather.push(record)
    }

    fn hand_on(&mut self) -> Result<(), ImportError> {
        let Some(Pending { record, .. }) = self.pending.pop_front() else { return Ok(()) };
        self.handed_on += 1;
        self.gather.push(record)
    }

    /// The history ends: whatever is still in flight stays unknown.
    pub fn finish(mut self) -> Result<Gather<'a>, ImportError> {
        if self.style.is_none() {
            return Err(error_at(self.text, self.text.len(), "an operation map"));
        }
        while !self.pending.is_empty() {
            self.hand_on()?;
        }
        Ok(self.gather)
    }
}

fn is_read(body: &Body) -> bool {
    matches!(body.action, Action::ReadNothing)
}

fn status(moment: Moment) -> Status {
    match moment {
        Moment::Ok => Status::Committed,
        Moment::Fail => Status::Aborted,
        Moment::Info | Moment::Invoke => Status::Unknown,
    }
}
