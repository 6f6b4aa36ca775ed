//! How often to look: as often as something happens, and never so often that looking is what happens.
//!
//! On a server whose sessions think or wait, the processors have nothing better to do than to be looked at, and whoever plays
//! a scene wants to see it at once. Where sessions work, each look takes from them what it takes; then it may take a twentieth
//! of the time. What happens to versions is told by the server's log meanwhile, without a look.

use std::time::Duration;

use pgstrata_timeline::Item;

/// The shortest pause between two looks: 20 a second.
pub const SHORTEST: Duration = Duration::from_millis(50);

/// The pause when nothing has changed for a while: 10 a second.
pub const QUIET: Duration = Duration::from_millis(100);

/// The longest pause, however long a look takes.
pub const LONGEST: Duration = Duration::from_secs(2);

/// Looks without a change after which it is quiet.
const QUIET_AFTER: u32 = 20;

/// Looks that found sessions at work, after which the server is busy: a single one may have met the only statement of a
/// second. Each look that found none takes back two.
const BUSY_AFTER: u32 = 3;

/// Looks that found sessions at work and are remembered, at most: so soon is it forgotten.
const AT_WORK_MOST: u32 = 2 * BUSY_AFTER;

/// A look may take a quarter of the time: the pause is at least three times as long.
const PAUSE_PER_LOOK: u32 = 3;

/// On a busy server it may take a twentieth.
const BUSY_PAUSE_PER_LOOK: u32 = 19;

/// Decides when to look again.
#[derive(Clone, Copy, Debug, Default)]
pub struct Pace {
    unchanged: u32,
    at_work: u32,
}

impl Pace {
    /// Takes note of whether sessions were at work when it was looked.
    pub fn saw<'a>(&mut self, items: impl IntoIterator<Item = &'a Item>) {
        let is_at_work = items.into_iter().any(is_at_work);
        self.at_work = if is_at_work { (self.at_work + 1).min(AT_WORK_MOST) } else { self.at_work.saturating_sub(2) };
    }

    /// The pause after a look that took so long, and found something different from before or not.
    pub fn pause(&mut self, took: Duration, is_changed: bool) -> Duration {
        self.unchanged = if is_changed { 0 } else { self.unchanged.saturating_add(1) };
        let usual = if self.unchanged >= QUIET_AFTER { QUIET } else { SHORTEST };
        let per_look = if self.at_work >= BUSY_AFTER { BUSY_PAUSE_PER_LOOK } else { PAUSE_PER_LOOK };
        usual.max(took * per_look).min(LONGEST)
    }
}

/// Whether an item is a session that a client lets work, and that waits for no lock and no time to pass.
fn is_at_work(item: &Item) -> bool {
    let Item::Session(session) = item else { return false };
    let waits =
        session.waits_for.as_deref().is_some_and(|what| what.starts_with("Lock/") || what.starts_with("Timeout/"));
    session.state == "active" && session.backend_type == "client backend" && !waits
}

#[cfg(test)]
mod tests {
    use pgstrata_timeline::Session;

    use super::*;

    #[test]
    fn looking_takes_at_most_a_quarter_of_the_time_and_slows_down_when_it_is_quiet() {
        let mut pace = Pace::default();
        let short = Duration::from_millis(4);
        assert_eq!(pace.pause(short, true), SHORTEST);
        assert_eq!(pace.pause(Duration::from_millis(100), true), Duration::from_millis(300));
        assert_eq!(pace.pause(Duration::from_secs(5), true), LONGEST);
        for _ in 0..QUIET_AFTER {
            pace.pause(short, false);
        }
        assert_eq!(pace.pause(short, false), QUIET);
        assert_eq!(pace.pause(short, true), SHORTEST);
    }

    fn session(state: &str, waits_for: Option<&str>) -> Item {
        Item::Session(Session {
            pid: 7,
            name: String::new(),
            user: String::new(),
            database: String::new(),
            state: state.to_owned(),
            backend_type: "client backend".to_owned(),
            isolation: None,
            xid: None,
            backend_xmin: None,
            transaction_since_us: None,
            query: String::new(),
            waits_for: waits_for.map(str::to_owned),
            snapshot: None,
        })
    }

    #[test]
    fn where_sessions_work_at_every_look_a_look_takes_a_twentieth_of_the_time() {
        let (mut pace, look) = (Pace::default(), Duration::from_millis(20));
        let mut after = |state, waits_for| {
            pace.saw([&session(state, waits_for)]);
            pace.pause(look, true).as_millis()
        };
        let working = [None, None, None, Some("IO/WALSync"), None];
        assert_eq!(working.map(|waits_for| after("active", waits_for)), [60, 60, 380, 380, 380]);
        assert_eq!(after("active", Some("Lock/transactionid")), 380, "work goes on between two looks");
        assert_eq!(after("idle in transaction", None), 60);
        assert_eq!(after("active", Some("Timeout/PgSleep")), 60);
    }
}
