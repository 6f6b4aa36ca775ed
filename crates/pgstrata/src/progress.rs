//! How far a run is: a bar on a terminal, plain lines elsewhere, nothing where only JSON is wanted.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use pgstrata_lab::run::Progress;
use pgstrata_units::Text;

use crate::terminal::Terminal;

/// Draws progress on standard error.
pub struct Bar {
    drawn: ProgressBar,
    /// Without a terminal, a line is written each time so many trials are done.
    plain: bool,
    terminal: Terminal,
}

/// The bar. What is left is what the run expects, and not what the bar would conclude from its own speed: a trial under
/// five hundred faults is one step of it, like a window of a second.
const TEMPLATE: &str = "{elapsed_precise} [{bar:32}] {pos}/{len} {wide_msg} {prefix}";

/// Without a terminal, a line for every so many trials.
const PLAIN_EVERY: u64 = 10;

impl Bar {
    /// A bar for this terminal; `quiet` draws nothing.
    pub fn new(terminal: Terminal, quiet: bool) -> Self {
        let drawn = ProgressBar::with_draw_target(None, target(terminal, quiet));
        Self { drawn, plain: !terminal.interactive && !quiet, terminal }
    }

    /// Takes the bar away.
    pub fn finish(&self) {
        self.drawn.finish_and_clear();
    }

    /// Says what is being done before the first trial.
    pub fn note(&self, text: &str) {
        self.drawn.set_message(text.to_owned());
        self.drawn.enable_steady_tick(Duration::from_millis(200));
        if self.plain {
            eprintln!("{text}");
        }
    }
}

fn target(terminal: Terminal, quiet: bool) -> ProgressDrawTarget {
    if quiet || !terminal.interactive { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr_with_hz(4) }
}

impl Progress for Bar {
    fn begin(&self, trials: usize, estimate: Duration) {
        let style = ProgressStyle::with_template(TEMPLATE).unwrap_or_else(|_| ProgressStyle::default_bar());
        self.drawn.set_style(style.progress_chars("=> "));
        self.drawn.set_length(trials as u64);
        let about = self.terminal.say(Text { en: "trials at most, about", zh: "次试验以内，大约" });
        self.note(&format!("{trials} {about} {}", humantime::format_duration(round(estimate))));
    }

    fn left(&self, estimate: Duration) {
        let left = self.terminal.say(Text { en: "left: about", zh: "约剩" });
        self.drawn.set_prefix(format!("{left} {}", humantime::format_duration(round(estimate))));
    }

    fn trial(&self, what: &str) {
        self.drawn.set_message(what.to_owned());
        if self.plain && self.drawn.position().is_multiple_of(PLAIN_EVERY) {
            let (number, of) = (self.drawn.position() + 1, self.drawn.length().unwrap_or(0));
            let left = self.drawn.prefix();
            let separator = if left.is_empty() { "" } else { "; " };
            eprintln!("[{number}/{of}] {what}{separator}{left}");
        }
    }

    fn trial_done(&self) {
        self.drawn.inc(1);
    }
}

/// Whole seconds are exact enough for an estimate.
fn round(duration: Duration) -> Duration {
    Duration::from_secs(duration.as_secs().max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_template_of_the_bar_is_sound() {
        assert!(ProgressStyle::with_template(TEMPLATE).is_ok());
    }
}
