//! Steps of a system whose clients live in a process of their own: faults wait in the parent, the system stands still in
//! the worker. Lines of text go down the worker's standard input, frames come up its output.

use std::io::BufRead;

use tokio::io::AsyncWriteExt as _;
use tokio::process::ChildStdin;
use tokio::sync::{mpsc, oneshot};

use super::journal::{Frame, Journal};
use crate::faults::steps::{Awaited, Reached, Steps, Then};

/// Before the number of a wish and the name of the step at which to stand still.
const AWAIT: &str = "await ";
const GO_ON: &str = "go on";
const DISCONNECT: &str = "disconnect";

/// How many lines of the parent may wait.
const LINES_WAITING: usize = 16;

/// Tells the worker for which step somebody waits, if anybody does.
pub(super) async fn send_awaited(orders: &mut ChildStdin, steps: &Steps) {
    if let Some((number, step)) = steps.awaited() {
        send(orders, &format!("{AWAIT}{number} {step}\n")).await;
    }
}

/// Tells the worker, which stands at a step, what to do.
pub(super) async fn send_then(orders: &mut ChildStdin, then: Then) {
    let line = match then {
        Then::GoOn => GO_ON,
        Then::Disconnect => DISCONNECT,
    };
    send(orders, &format!("{line}\n")).await;
}

async fn send(orders: &mut ChildStdin, line: &str) {
    if let Err(error) = orders.write_all(line.as_bytes()).await {
        // A worker that is gone is noticed by its silence.
        tracing::debug!(error = %error, "the client process cannot be told");
    }
}

/// The worker stands at the step that was awaited: whoever waits learns of it, and the receiver of what he says then.
pub(super) fn stand(steps: &Steps, reached: Reached) -> oneshot::Receiver<Then> {
    let (answer, then) = oneshot::channel();
    let steps = steps.clone();
    tokio::spawn(async move {
        let said = match steps.awaited() {
            Some((_, step)) => steps.at(&step, reached.server, reached.backend_pid).await,
            None => Then::GoOn,
        };
        // The worker may have been killed there.
        let _ = answer.send(said);
    });
    then
}

/// What the worker is to do where it stands; never returns when it does not stand anywhere.
pub(super) async fn answer(standing: &mut Option<oneshot::Receiver<Then>>) -> Then {
    let Some(receiver) = standing else { return std::future::pending().await };
    let then = receiver.await.unwrap_or(Then::GoOn);
    *standing = None;
    then
}

/// The worker's side: does what the parent says until the parent closes the pipe.
pub(super) async fn obey(steps: &Steps, journal: &Journal) {
    let mut lines = read_lines();
    let mut awaited: Option<Awaited> = None;
    let mut last_wish: Option<String> = None;
    let mut stands = false;
    loop {
        tokio::select! {
            line = lines.recv() => match line.as_deref() {
                None => return,
                Some(GO_ON) => let_go(&mut awaited, Then::GoOn),
                Some(DISCONNECT) => let_go(&mut awaited, Then::Disconnect),
                // A wish may be sent twice, when it was made while this process was starting.
                Some(line) if last_wish.as_deref() != Some(line) => {
                    if let Some((_, step)) = line.strip_prefix(AWAIT).and_then(|wish| wish.split_once(' ')) {
                        // Its predecessor was called off; one at a time can be awaited.
                        drop(awaited.take());
                        awaited = Some(steps.wait_for(step).await);
                        stands = false;
                        last_wish = Some(line.to_owned());
                    }
                }
                Some(_) => {}
            },
            reached = reached(&mut awaited), if !stands => {
                stands = true;
                if let Some(reached) = reached {
                    journal.write(&Frame::Reached(reached));
                }
            }
        }
    }
}

fn let_go(awaited: &mut Option<Awaited>, then: Then) {
    if let Some(awaited) = awaited.take() {
        awaited.let_go(then);
    }
}

async fn reached(awaited: &mut Option<Awaited>) -> Option<Reached> {
    match awaited {
        Some(awaited) => awaited.reached().await,
        None => std::future::pending().await,
    }
}

/// The lines of standard input, which only a thread can wait for. It ends with the input or with this process.
fn read_lines() -> mpsc::Receiver<String> {
    let (sender, lines) = mpsc::channel(LINES_WAITING);
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines().map_while(Result::ok) {
            if sender.blocking_send(line).is_err() {
                return;
            }
        }
    });
    lines
}
