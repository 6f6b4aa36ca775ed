//! How often to look: as often as something happens, and never so often that looking is what happens.

use std::time::Duration;

/// The shortest pause between two looks: 20 a second.
pub const SHORTEST: Duration = Duration::from_millis(50);

/// The pause when nothing has changed for a while: 10 a second.
pub const QUIET: Duration = Duration::from_millis(100);

/// The longest pause, however long a look takes.
pub const LONGEST: Duration = Duration::from_secs(2);

/// Looks without a change after which it is quiet.
const QUIET_AFTER: u32 = 20;

/// A look may take a quarter of the time: the pause is at least three times as long.
const PAUSE_PER_LOOK: u32 = 3;

/// Decides when to look again.
#[derive(Clone, Copy, Debug, Default)]
pub struct Pace {
    unchanged: u32,
}

impl Pace {
    /// The pause after a look that took so long, and found something different from before or not.
    pub fn pause(&mut self, took: Duration, is_changed: bool) -> Duration {
        self.unchanged = if is_changed { 0 } else { self.unchanged.saturating_add(1) };
        let usual = if self.unchanged >= QUIET_AFTER { QUIET } else { SHORTEST };
        usual.max(took * PAUSE_PER_LOOK).min(LONGEST)
    }
}

#[cfg(test)]
mod tests {
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
}
