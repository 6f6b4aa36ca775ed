//! Faults that strike at a named step of what a system does: the point where the system waits for them.
//!
//! A system that has steps (a commit in two phases, say) tells [`Steps::at`] of each. Nearly always nobody waits for it, and
//! that costs one look at a flag. When a fault waits for this step, the system stands still exactly there until the fault
//! has struck. What the steps are called is the system's affair.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, oneshot};

/// What the system does after a step at which somebody waited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Then {
    /// It goes on.
    GoOn,
    /// It loses the connection that it works on there.
    Disconnect,
}

/// Where the system stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reached {
    /// The server that the step is about, by its place in the site.
    pub server: usize,
    /// The backend that serves the step, where there is one.
    pub backend_pid: Option<i32>,
}

/// The steps of the system that runs at a site. Cheap to clone; all clones are the same.
#[derive(Clone, Debug, Default)]
pub struct Steps {
    /// What they are called; nothing for a system without steps.
    pub names: &'static [&'static str],
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    is_awaited: AtomicBool,
    wish: Mutex<Option<Wish>>,
    wishes: AtomicU64,
    wished: Notify,
    /// One fault at a time waits for a step.
    turn: Arc<tokio::sync::Mutex<()>>,
}

/// Somebody waits for a step.
#[derive(Debug)]
struct Wish {
    /// Tells wishes for the same step apart.
    number: u64,
    step: String,
    reached: oneshot::Sender<Reached>,
    then: oneshot::Receiver<Then>,
}

/// A fault that waits for a step. Dropping it calls the wish off, or lets the system go on.
#[derive(Debug)]
pub struct Awaited {
    steps: Steps,
    reached: oneshot::Receiver<Reached>,
    then: Option<oneshot::Sender<Then>>,
    _turn: tokio::sync::OwnedMutexGuard<()>,
}

impl Steps {
    /// The steps of a system that calls them so.
    #[must_use]
    pub fn named(names: &'static [&'static str]) -> Self {
        Self { names, shared: Arc::default() }
    }

    /// Whether anybody waits for any step.
    #[must_use]
    pub fn is_awaited(&self) -> bool {
        self.shared.is_awaited.load(Ordering::Relaxed)
    }

    /// The system has come to a step; returns when nobody wants it to stand still.
    pub async fn at(&self, step: &str, server: usize, backend_pid: Option<i32>) -> Then {
        if !self.is_awaited() {
            return Then::GoOn;
        }
        let Some(wish) = self.take(step) else { return Then::GoOn };
        if wish.reached.send(Reached { server, backend_pid }).is_err() {
            return Then::GoOn;
        }
        wish.then.await.unwrap_or(Then::GoOn)
    }

    /// Waits for the next time that the system comes to a step; other faults that wait for steps come after this one.
    pub async fn wait_for(&self, step: &str) -> Awaited {
        let turn = Arc::clone(&self.shared.turn).lock_owned().await;
        let (reached_sender, reached) = oneshot::channel();
        let (then, then_receiver) = oneshot::channel();
        let number = self.shared.wishes.fetch_add(1, Ordering::Relaxed);
        *self.wish() = Some(Wish { number, step: step.to_owned(), reached: reached_sender, then: then_receiver });
        self.shared.is_awaited.store(true, Ordering::Relaxed);
        self.shared.wished.notify_one();
        Awaited { steps: self.clone(), reached, then: Some(then), _turn: turn }
    }

    /// The step that somebody waits for, if anybody does, and the number of the wish.
    pub(crate) fn awaited(&self) -> Option<(u64, String)> {
        self.wish().as_ref().map(|wish| (wish.number, wish.step.clone()))
    }

    /// Returns when somebody has begun to wait for a step since this was last called. For one listener.
    pub(crate) async fn next_wish(&self) {
        self.shared.wished.notified().await;
    }

    fn take(&self, step: &str) -> Option<Wish> {
        let mut wish = self.wish();
        let taken = wish.take_if(|wish| wish.step == step);
        if taken.is_some() {
            self.shared.is_awaited.store(false, Ordering::Relaxed);
        }
        taken
    }

    fn wish(&self) -> MutexGuard<'_, Option<Wish>> {
        self.shared.wish.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Awaited {
    /// Returns when the system stands at the step.
    pub async fn reached(&mut self) -> Option<Reached> {
        (&mut self.reached).await.ok()
    }

    /// Lets the system go on.
    pub fn let_go(mut self, then: Then) {
        if let Some(sender) = self.then.take() {
            // A system that was killed there does not care.
            let _ = sender.send(then);
        }
    }
}

impl Drop for Awaited {
    fn drop(&mut self) {
        *self.steps.wish() = None;
        self.steps.shared.is_awaited.store(false, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_system_stands_still_at_the_step_that_is_awaited_and_at_no_other() {
        let steps = Steps::named(&["before", "after"]);
        assert_eq!(steps.at("before", 0, None).await, Then::GoOn, "nobody waits");
        let mut awaited = steps.wait_for("after").await;
        assert_eq!(steps.at("before", 0, None).await, Then::GoOn, "another step is awaited");
        let system = tokio::spawn({
            let steps = steps.clone();
            async move { steps.at("after", 1, Some(7)).await }
        });
        assert_eq!(awaited.reached().await, Some(Reached { server: 1, backend_pid: Some(7) }));
        assert!(!system.is_finished());
        assert_eq!(steps.at("after", 1, None).await, Then::GoOn, "one is enough");
        awaited.let_go(Then::Disconnect);
        assert_eq!(system.await.expect("a task"), Then::Disconnect);
    }

    #[tokio::test]
    async fn a_wish_that_is_called_off_holds_nobody() {
        let steps = Steps::named(&["only"]);
        drop(steps.wait_for("only").await);
        assert!(!steps.is_awaited());
        assert_eq!(steps.at("only", 0, None).await, Then::GoOn);
    }
}
