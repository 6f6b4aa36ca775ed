//! One proof over one WebSocket: what the page asks for, what happens on the server, step by step. A page that takes
//! nothing for too long is left and its proof ended; other pages notice nothing.

use std::sync::Arc;

use axum::extract::ws::{CloseFrame, Message as Frame, Utf8Bytes, WebSocket, WebSocketUpgrade, close_code};
use axum::response::Response;
use pgstrata_pg::Endpoint;
use pgstrata_tools::advisor::proof::{
    Fix, Outcome, Play, Player, Proof, ProofError, ProofEvent, ProofOptions, ShownBy, WitnessVerdict, prove,
};
use pgstrata_tools::advisor::{StepKind, Words};
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;
use tokio_util::sync::CancellationToken;

use super::{Advisor, convert, reading};
use crate::limits;
use crate::problem::{Code, Problem};
use crate::routes::advisor::analysis::Act;
use crate::routes::advisor::prove::{Message, PlayOutcome, ProveFix, Request, SeenIn, Show};
use crate::routes::advisor::question::Question;

/// Why a page is left.
enum Left {
    /// The connection ended, or the page takes nothing.
    Gone,
    /// It sent what is no message.
    Nonsense(&'static str),
    /// The workbench ends.
    Closing,
}

/// What is to be proved.
struct Wanted {
    question: Question,
    show: Show,
}

impl Advisor {
    /// Becomes a proof's WebSocket.
    pub fn prove(&self, upgrade: WebSocketUpgrade) -> Result<Response, Problem> {
        let place = Arc::clone(&self.0.proofs).try_acquire_owned().map_err(|_| {
            Problem::new(Code::LimitReached, format!("{} proofs run already", limits::PROOFS))
                .hint("wait until one of them has ended")
        })?;
        let advisor = self.clone();
        let upgrade = upgrade.max_message_size(limits::BODY_BYTES).max_frame_size(limits::BODY_BYTES);
        Ok(upgrade.on_upgrade(move |mut socket| async move {
            let left = advisor.converse(&mut socket).await;
            drop(place);
            let (code, reason) = match left {
                Ok(()) => (close_code::NORMAL, ""),
                Err(Left::Gone) => return,
                Err(Left::Nonsense(reason)) => (close_code::POLICY, reason),
                Err(Left::Closing) => (close_code::AWAY, "the workbench ends"),
            };
            let frame = CloseFrame { code, reason: Utf8Bytes::from_static(reason) };
            let _ = tokio::time::timeout(limits::VIEWER_TIME, socket.send(Frame::Close(Some(frame)))).await;
        }))
    }

    async fn converse(&self, socket: &mut WebSocket) -> Result<(), Left> {
        let asked = tokio::select! {
            () = self.0.stop.cancelled() => return Err(Left::Closing),
            asked = tokio::time::timeout(limits::PROOF_QUESTION_TIME, receive(socket)) => asked,
        };
        let wanted = match asked {
            Ok(Ok(Request::Prove { question, show })) => Wanted { question: *question, show },
            Ok(Ok(Request::Cancel)) => return Ok(()),
            Ok(Err(left)) => return Err(left),
            Err(_) => return Err(Left::Nonsense("nothing was asked for")),
        };
        let server = match self.0.ground.writing() {
            Ok(server) => server.clone(),
            Err(problem) => return send(socket, &Message::Problem { problem }).await,
        };
        let stop = self.0.stop.child_token();
        let (events, mut happened) = mpsc::channel(limits::PROOF_EVENTS);
        let proof = tokio::spawn(self.clone().play(server, wanted, events, stop.clone()));
        // Whatever way this ends, so does the proof, in order.
        let _end = stop.clone().drop_guard();
        let told = tell(socket, &mut happened, &stop).await;
        stop.cancel();
        // The scratch schema is removed before the place is given to another.
        if let Err(error) = proof.await {
            tracing::error!(error = %error, "a proof panicked");
        }
        told
    }

    async fn play(self, server: Endpoint, wanted: Wanted, events: mpsc::Sender<Message>, stop: CancellationToken) {
        let proved = tokio::time::timeout(limits::PROOF_TIME, self.try_play(server, wanted, &events, &stop)).await;
        let last = match proved {
            Ok(Ok(done)) => done,
            Ok(Err(problem)) => Message::Problem { problem },
            Err(_) => Message::Problem {
                problem: Problem::new(
                    Code::TooLate,
                    format!("the proof took longer than {} s", limits::PROOF_TIME.as_secs()),
                ),
            },
        };
        // A page that has gone needs no last word.
        let _ = events.send(last).await;
    }

    async fn try_play(
        &self,
        server: Endpoint,
        wanted: Wanted,
        events: &mpsc::Sender<Message>,
        stop: &CancellationToken,
    ) -> Result<Message, Problem> {
        let id = super::id_of(&wanted.question)?;
        let question = wanted.question;
        let read = self.work(move || reading::read(&question)).await?;
        let read = read.map_err(|errors| {
            let first = errors.first().map(ToString::to_string).unwrap_or_default();
            Problem::new(Code::BadRequest, format!("the SQL cannot be read: {first}"))
        })?;
        // The witness against what was asked about is the first of a report's.
        let witness = usize::from(read.report.asked.witness().is_some());
        let (witnesses_max, random_schedules) = match wanted.show {
            Show::Witness | Show::Fix => (witness, 0),
            Show::Schedules { count } => (0, count.min(limits::PROOF_SCHEDULES)),
        };
        let options = ProofOptions { witnesses_max, random_schedules, stop: stop.clone(), ..ProofOptions::default() };
        let mut has_shown = false;
        let mut on = |event: ProofEvent| {
            let shows = matches!(&event, ProofEvent::Compared { outcome } if outcome.is_anomaly());
            if let Some(message) = message(event)
                && let Err(TrySendError::Full(_)) = events.try_send(message)
            {
                tracing::info!("a page is too slow for its proof");
                stop.cancel();
            }
            if shows && wanted.show == Show::Witness {
                has_shown = true;
                stop.cancel();
            }
        };
        let input = &read.input;
        let proved =
            prove(&server, &input.definitions, &input.schema, &input.workload, &read.report, &options, &mut on).await;
        match proved {
            Ok(proof) => {
                let agrees = has_tried(&proof).then(|| proof.agrees());
                let (seen_in, notes) = (seen_in(&proof), notes(&proof));
                self.remember(id, proof);
                Ok(Message::Done { agrees, seen_in, notes })
            }
            Err(ProofError::Stopped) => {
                let seen_in = has_shown.then_some(SeenIn::Values);
                Ok(Message::Done { agrees: has_shown.then_some(true), seen_in, notes: Vec::new() })
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Keeps what was shown, until its question is kept; beside what was shown of it before.
    fn remember(&self, id: String, mut proof: Proof) {
        if !has_tried(&proof) {
            return;
        }
        let mut proofs = self.0.proved.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(place) = proofs.iter().position(|(known, _)| *known == id)
            && let Some((_, before)) = proofs.remove(place)
        {
            if proof.witnesses.is_empty() {
                proof.witnesses = before.witnesses;
            }
            if proof.random.is_empty() {
                proof.random = before.random;
            }
        }
        if proofs.len() >= limits::KEPT_PROOFS {
            proofs.pop_front();
        }
        proofs.push_back((id, proof));
    }

    /// What was shown of a question since this program was started, as it is kept.
    pub(super) fn proof_of(&self, id: &str) -> Option<Value> {
        let proofs = self.0.proved.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let (_, proof) = proofs.iter().find(|(known, _)| known == id)?;
        Some(json!({ "agrees": proof.agrees(), "shown": proof }))
    }
}

/// Whether anything was played: a proof that tried nothing agrees with everything.
fn has_tried(proof: &Proof) -> bool {
    !proof.witnesses.is_empty() || proof.random.iter().any(|random| random.schedules > 0)
}

/// Hands on what happens until it is over, and listens for the page meanwhile.
async fn tell(
    socket: &mut WebSocket,
    happened: &mut mpsc::Receiver<Message>,
    stop: &CancellationToken,
) -> Result<(), Left> {
    loop {
        tokio::select! {
            message = happened.recv() => match message {
                Some(message) => send(socket, &message).await?,
                None => return Ok(()),
            },
            heard = receive(socket) => match heard {
                Ok(Request::Cancel) => stop.cancel(),
                Ok(Request::Prove { .. }) => return Err(Left::Nonsense("one proof for each connection")),
                Err(left) => return Err(left),
            },
        }
    }
}

async fn receive(socket: &mut WebSocket) -> Result<Request, Left> {
    loop {
        match socket.recv().await {
            Some(Ok(Frame::Text(text))) => {
                return serde_json::from_str(&text).map_err(|error| {
                    tracing::debug!(error = %error, "this is no message of a proof");
                    Left::Nonsense("this is no message; `ProveRequest` in /openapi.json describes them")
                });
            }
            Some(Ok(Frame::Binary(_))) => return Err(Left::Nonsense("messages are text")),
            Some(Ok(Frame::Ping(_) | Frame::Pong(_))) => {}
            Some(Ok(Frame::Close(_)) | Err(_)) | None => return Err(Left::Gone),
        }
    }
}

async fn send(socket: &mut WebSocket, message: &Message) -> Result<(), Left> {
    let Ok(text) = serde_json::to_string(message) else { return Err(Left::Gone) };
    match tokio::time::timeout(limits::VIEWER_TIME, socket.send(Frame::Text(text.into()))).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(_)) | Err(_) => Err(Left::Gone),
    }
}

fn act(what: StepKind) -> Act {
    match what {
        StepKind::Begin => Act::Begin,
        StepKind::Statement(_) => Act::Statement,
        StepKind::Commit => Act::Commit,
    }
}

/// An event in the words of the wire; the schema's end is told with the proof's.
fn message(event: ProofEvent) -> Option<Message> {
    Some(match event {
        ProofEvent::Prepared { schema, server } => Message::Prepared { schema, server },
        ProofEvent::Began { play, sessions, seeds } => Message::Began {
            fix: match play {
                Play::Witness { .. } => None,
                Play::Fixed { fix, .. } => Some(fixed(&fix)),
            },
            players: sessions.into_iter().map(player).collect(),
            seeds,
        },
        ProofEvent::StepBegan { session, what, sql } => Message::StepBegan { player: session, act: act(what), sql },
        ProofEvent::Blocked { session, by } => Message::Blocked { player: session, by },
        ProofEvent::StepDone { session, what, tag, rows } => {
            Message::StepDone { player: session, act: act(what), tag, rows }
        }
        ProofEvent::Failed { session, what, sqlstate, message } => {
            Message::Failed { player: session, act: act(what), sqlstate, message }
        }
        ProofEvent::Retried { session } => Message::Retried { player: session },
        ProofEvent::Compared { outcome } => Message::Compared { outcome: compared(outcome) },
        ProofEvent::Random { of, schedules, planned, anomalies } => {
            Message::Random { of, schedules, planned, anomalies }
        }
        ProofEvent::Removed => return None,
    })
}

fn fixed(fix: &Fix) -> ProveFix {
    match fix {
        Fix::Levels { allocation } => ProveFix { levels: convert::levels(allocation), changed: 0 },
        Fix::Promotion { promotions, allocation } => {
            ProveFix { levels: convert::levels(allocation), changed: promotions.len() }
        }
    }
}

fn player(player: Player) -> crate::routes::advisor::prove::Player {
    crate::routes::advisor::prove::Player {
        name: player.name,
        program: player.program,
        level: player.level.into(),
        arguments: player.arguments,
    }
}

fn compared(outcome: Outcome) -> PlayOutcome {
    match outcome {
        Outcome::Serial { order } => PlayOutcome::Serial { order },
        Outcome::Anomaly { orders, nearest, difference } => PlayOutcome::Anomaly { orders, nearest, difference },
        Outcome::Undecided { because } => PlayOutcome::Undecided { because: Words::of(&because) },
    }
}

fn seen_in(proof: &Proof) -> Option<SeenIn> {
    proof.witnesses.first().and_then(|witness| match witness.verdict {
        WitnessVerdict::Reproduced { by: ShownBy::Outcome } => Some(SeenIn::Values),
        WitnessVerdict::Reproduced { by: ShownBy::DependencyCycle } => Some(SeenIn::Writers),
        WitnessVerdict::NotReproduced { .. } => None,
    })
}

fn notes(proof: &Proof) -> Vec<Words> {
    let why = |verdict: &WitnessVerdict| match verdict {
        WitnessVerdict::Reproduced { .. } => None,
        WitnessVerdict::NotReproduced { why } => Some(Words::of(why)),
    };
    proof.witnesses.iter().filter_map(|witness| why(&witness.verdict)).collect()
}

impl From<ProofError> for Problem {
    fn from(error: ProofError) -> Self {
        let hint = error.hint();
        let is_mistake = error.is_mistake();
        match error {
            ProofError::Server(source) => source.into(),
            ProofError::Scratch { ref sqlstate, .. } | ProofError::Refused { ref sqlstate, .. } => {
                let sqlstate = Some(sqlstate.clone());
                Self { hint, sqlstate, ..Self::new(Code::Database, error.to_string()) }
            }
            _ if is_mistake => Self { hint, ..Self::new(Code::BadRequest, error.to_string()) },
            _ => Self { hint, ..Self::internal("prove the verdict", &error) },
        }
    }
}
