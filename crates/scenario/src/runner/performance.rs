//! One permutation: set-up, steps in their order, tear-down.
//!
//! A step is looked at when it is begun, after every later step, and when its session is needed again. Whether it is
//! done is decided in the same order as in `isolationtester.c`, since that order is part of the output.

use std::fmt::Write as _;
use std::time::{Instant, SystemTime};

use pgstrata_pg::Error;
use pgstrata_pg::simple::{Reply, TransactionStatus};

use super::print;
use super::{Call, FoundWaiting, Limits, Part, Performed};
use crate::session::{Blocking, LOOK_EVERY, Seat, Sessions, Settled};
use crate::spec::{Marker, Permutation, Spec};

/// How a step is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Look {
    /// For the first time: it may be found waiting, which is printed.
    First,
    /// Again: it may still be waiting.
    Again,
    /// Until it is done.
    Insist,
}

/// Why a permutation ends early.
enum Stop {
    /// The tester would give up here, with these words.
    Words(String),
    /// The server is gone.
    Server(Error),
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::Server(error)
    }
}

pub(super) struct Performance<'a> {
    spec: &'a Spec,
    sessions: &'a mut Sessions,
    permutation: &'a Permutation,
    limits: Limits,
    text: String,
    calls: Vec<Call>,
    /// For each session, the place in the permutation of the step that it is busy with.
    active: Vec<Option<usize>>,
    /// For each place in the permutation, its call.
    call_of: Vec<Option<usize>>,
    /// For each session, how many notices it has said.
    notices: Vec<u32>,
    /// For each place in the permutation and marker of it, how many notices are waited for.
    notices_due: Vec<Vec<u32>>,
    /// Places in the permutation that are waiting, in the order in which they began to.
    waiting: Vec<usize>,
    completed: usize,
    found_waiting: Vec<FoundWaiting>,
}

impl<'a> Performance<'a> {
    pub(super) fn new(
        spec: &'a Spec,
        sessions: &'a mut Sessions,
        permutation: &'a Permutation,
        limits: Limits,
    ) -> Self {
        Self {
            active: vec![None; sessions.len()],
            notices: vec![0; sessions.len()],
            call_of: vec![None; permutation.steps.len()],
            notices_due: vec![Vec::new(); permutation.steps.len()],
            spec,
            sessions,
            permutation,
            limits,
            text: String::new(),
            calls: Vec::new(),
            waiting: Vec::new(),
            completed: 0,
            found_waiting: Vec::new(),
        }
    }

    pub(super) async fn perform(mut self, before_teardown: impl AsyncFnOnce()) -> Result<Performed, Error> {
        let stopped = match self.run(before_teardown).await {
            Ok(()) => None,
            Err(Stop::Words(words)) => {
                print::line(&mut self.text, &words);
                Some(words)
            }
            Err(Stop::Server(error)) => return Err(error),
        };
        Ok(Performed { text: self.text, calls: self.calls, stopped, waits: self.found_waiting })
    }

    async fn run(&mut self, before_teardown: impl AsyncFnOnce()) -> Result<(), Stop> {
        self.text.push_str("\nstarting permutation:");
        for planned in &self.permutation.steps {
            let _ = write!(self.text, " {}", self.spec.step(planned.step).name);
        }
        self.text.push('\n');
        self.set_up().await?;
        for place in 0..self.permutation.steps.len() {
            self.begin(place).await?;
        }
        self.look_at_waiting(Look::Insist).await?;
        if !self.waiting.is_empty() {
            return Err(Stop::Words("failed to complete permutation due to mutually-blocking steps".to_owned()));
        }
        self.tear_down_sessions().await?;
        before_teardown().await;
        if let Some(sql) = &self.spec.teardown {
            let replies = self.sessions.run_on_control(sql, self.limits.setup).await?;
            if let Some(words) = self.print_last(&replies, "teardown failed") {
                print::line(&mut self.text, &words);
            }
        }
        Ok(())
    }

    async fn set_up(&mut self) -> Result<(), Stop> {
        for sql in &self.spec.setups {
            let replies = self.sessions.run_on_control(sql, self.limits.setup).await?;
            if let Some(words) = self.print_last(&replies, "setup failed") {
                return Err(Stop::Words(words));
            }
        }
        for (index, session) in self.spec.sessions.iter().enumerate() {
            let Some(sql) = &session.setup else { continue };
            let what = format!("setup of session {} failed", session.name);
            if let Some(words) = self.run_part(Seat(index), Part::Setup, sql, &what).await? {
                return Err(Stop::Words(words));
            }
        }
        Ok(())
    }

    async fn tear_down_sessions(&mut self) -> Result<(), Stop> {
        for (index, session) in self.spec.sessions.iter().enumerate() {
            let Some(sql) = &session.teardown else { continue };
            let what = format!("teardown of session {} failed", session.name);
            if let Some(words) = self.run_part(Seat(index), Part::Teardown, sql, &what).await? {
                print::line(&mut self.text, &words);
            }
        }
        Ok(())
    }

    /// Runs set-up or tear-down of one session; the words of its failure.
    async fn run_part(&mut self, seat: Seat, part: Part, sql: &str, what: &str) -> Result<Option<String>, Stop> {
        let before = self.sessions.status(seat);
        if self.sessions.is_closed(seat) {
            return Ok(Some(format!("{what}: no connection to the server")));
        }
        let replies = self.sessions.run(seat, sql, self.limits.setup).await?;
        for reply in &replies {
            if let Reply::Notice(notice) = reply {
                self.hear(seat, std::slice::from_ref(notice));
            }
        }
        let words = self.print_last(&replies, what);
        self.add_call(seat, part, before);
        self.complete_call(self.calls.len() - 1, replies);
        Ok(words)
    }

    /// Prints the last result of a text of statements, as libpq's `PQexec` hands out only that; the words of a failure.
    fn print_last(&mut self, replies: &[Reply], what: &str) -> Option<String> {
        let last = replies
            .iter()
            .rfind(|reply| !matches!(reply, Reply::Notice(_) | Reply::Notification { .. } | Reply::Ready(_)));
        match last? {
            Reply::Complete { rows: Some(rows), .. } => print::table(&mut self.text, rows),
            Reply::Error(error) => return Some(format!("{what}: {}", print::message(error))),
            Reply::Closed => return Some(format!("{what}: the server closed the connection")),
            _ => {}
        }
        None
    }

    /// Begins the step at a place of the permutation, when its session is free.
    async fn begin(&mut self, place: usize) -> Result<(), Stop> {
        let planned = &self.permutation.steps[place];
        let seat = planned.step.session;
        self.wait_until_free(seat).await?;
        let step = self.spec.step(planned.step);
        if self.sessions.is_closed(seat) {
            return Err(Stop::Words(format!(
                "failed to send query for step {}: no connection to the server\n",
                step.name
            )));
        }
        let before = self.sessions.status(seat);
        self.sessions.start(seat, &step.sql).await?;
        self.active[seat.0] = Some(place);
        self.add_call(seat, Part::Step(planned.step), before);
        self.call_of[place] = Some(self.calls.len() - 1);
        self.notices_due[place] = planned.markers.iter().map(|marker| self.due(*marker)).collect();
        let is_waiting = self.is_unfinished(place, Look::First).await?;
        self.look_at_waiting(Look::Again).await?;
        if is_waiting {
            self.waiting.push(place);
        }
        Ok(())
    }

    /// How many notices a session will have said when a marker that is set now is satisfied.
    fn due(&self, marker: Marker) -> u32 {
        match marker {
            Marker::Notices(step, count) => self.notices[step.session.0].saturating_add(count),
            Marker::Once | Marker::Step(_) => 0,
        }
    }

    /// A session does one step at a time: what it still does is waited for, and others are looked at meanwhile, since
    /// their progress may be what it needs.
    async fn wait_until_free(&mut self, seat: Seat) -> Result<(), Stop> {
        let began = Instant::now();
        while let Some(place) = self.active[seat.0] {
            if !self.is_unfinished(place, Look::Insist).await? {
                self.waiting.retain(|waiting| *waiting != place);
            }
            self.look_at_waiting(Look::Again).await?;
            if self.active[seat.0].is_some() && began.elapsed() > 2 * self.limits.step {
                return Err(Stop::Words(self.timed_out(place, began)));
            }
        }
        Ok(())
    }

    /// Looks at the steps that wait, in the order in which they began to, again and again while one of them that has
    /// markers may have been freed by another one behind it.
    async fn look_at_waiting(&mut self, look: Look) -> Result<(), Stop> {
        loop {
            let before = (self.waiting.len(), self.notices.clone());
            let mut has_markers = false;
            for place in self.waiting.clone() {
                if self.is_unfinished(place, look).await? {
                    has_markers |= !self.permutation.steps[place].markers.is_empty();
                } else {
                    self.waiting.retain(|waiting| *waiting != place);
                }
            }
            if !has_markers || before == (self.waiting.len(), self.notices.clone()) {
                return Ok(());
            }
        }
    }

    /// Waits for a step until it is done or found to be waiting; prints it when it is done.
    async fn is_unfinished(&mut self, place: usize, look: Look) -> Result<bool, Stop> {
        let planned = &self.permutation.steps[place];
        if look == Look::First && planned.markers.contains(&Marker::Once) {
            self.print_begun(place, " <waiting ...>");
            return Ok(true);
        }
        let from = SystemTime::now();
        let is_blocked = self.settle(place, look).await? == Settled::Blocked;
        if is_blocked && look == Look::First {
            let backend_pid = self.sessions.backend_pid(planned.step.session);
            self.found_waiting.push(FoundWaiting { backend_pid, from, until: SystemTime::now() });
        }
        if is_blocked || self.is_held_back(place) {
            if look == Look::First {
                self.print_begun(place, " <waiting ...>");
            }
            return Ok(true);
        }
        if look == Look::First {
            self.print_begun(place, "");
        } else {
            let line = format!("step {}: <... completed>", self.spec.step(planned.step).name);
            print::line(&mut self.text, &line);
        }
        self.print_answers(place).await?;
        self.active[planned.step.session.0] = None;
        Ok(false)
    }

    /// Looks at a step's session until it has answered or blocks; cancels it when that takes too long.
    async fn settle(&mut self, place: usize, look: Look) -> Result<Settled, Stop> {
        let seat = self.permutation.steps[place].step.session;
        let blocking = if look == Look::Insist { Blocking::Ignored } else { Blocking::Allowed };
        let began = Instant::now();
        let mut is_cancelled = false;
        loop {
            let mut heard = Vec::new();
            let settled = self.sessions.settle(seat, blocking, LOOK_EVERY, &mut heard).await;
            self.hear(seat, &heard);
            match settled? {
                Settled::Busy if began.elapsed() > 2 * self.limits.step => {
                    return Err(Stop::Words(self.timed_out(place, began)));
                }
                Settled::Busy if began.elapsed() > self.limits.step && !is_cancelled => {
                    self.sessions.cancel(seat).await?;
                    is_cancelled = true;
                    let name = &self.spec.step(self.permutation.steps[place].step).name;
                    let seconds = began.elapsed().as_secs();
                    let line = format!("isolationtester: canceling step {name} after {seconds} seconds");
                    print::line(&mut self.text, &line);
                }
                Settled::Busy => {}
                settled => return Ok(settled),
            }
        }
    }

    /// Whether a marker keeps a step from counting as completed.
    fn is_held_back(&self, place: usize) -> bool {
        let planned = &self.permutation.steps[place];
        planned.markers.iter().zip(&self.notices_due[place]).any(|(marker, due)| match marker {
            Marker::Once => false,
            Marker::Step(other) => {
                self.active[other.session.0].is_some_and(|active| self.permutation.steps[active].step == *other)
            }
            Marker::Notices(other, _) => self.notices[other.session.0] < *due,
        })
    }

    fn print_begun(&mut self, place: usize, behind: &str) {
        let step = self.spec.step(self.permutation.steps[place].step);
        let line = format!("step {}: {}{behind}", step.name, step.sql);
        print::line(&mut self.text, &line);
    }

    async fn print_answers(&mut self, place: usize) -> Result<(), Stop> {
        let seat = self.permutation.steps[place].step.session;
        let replies = self.sessions.finish(seat, self.limits.step).await?;
        let name = self.sessions.name(seat).to_owned();
        for reply in &replies {
            if let Reply::Notice(notice) = reply {
                self.hear(seat, std::slice::from_ref(notice));
            } else {
                let name_of = |pid| self.sessions.seat_of(pid).map(|seat| self.sessions.name(seat).to_owned());
                print::reply(&mut self.text, &name, reply, name_of);
            }
        }
        if let Some(call) = self.call_of[place] {
            self.complete_call(call, replies);
        }
        Ok(())
    }

    fn hear(&mut self, seat: Seat, heard: &[pgstrata_pg::simple::ServerMessage]) {
        for notice in heard {
            print::notice(&mut self.text, self.sessions.name(seat), notice);
            self.notices[seat.0] = self.notices[seat.0].saturating_add(1);
        }
    }

    fn add_call(&mut self, session: Seat, part: Part, before: TransactionStatus) {
        let status = (before, before);
        self.calls.push(Call { session, part, replies: Vec::new(), status, completed: usize::MAX });
    }

    fn complete_call(&mut self, index: usize, replies: Vec<Reply>) {
        let call = &mut self.calls[index];
        call.replies = replies;
        call.status.1 = self.sessions.status(call.session);
        call.completed = self.completed;
        self.completed += 1;
    }

    fn timed_out(&self, place: usize, began: Instant) -> String {
        let name = |place: usize| self.spec.step(self.permutation.steps[place].step).name.as_str();
        let active: Vec<&str> = self.active.iter().flatten().map(|place| name(*place)).collect();
        let seconds = began.elapsed().as_secs();
        format!("step {} timed out after {seconds} seconds\nactive steps are: {}", name(place), active.join(" "))
    }
}
