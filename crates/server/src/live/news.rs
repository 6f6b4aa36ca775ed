//! News of runs and consoles, for every viewer that they concern.

use tokio::sync::broadcast;

use super::message::ServerMessage;
use crate::browser::Browser;
use crate::limits;

/// Hands news on. Whoever is too slow for them misses some, and is told so.
#[derive(Clone)]
pub struct News(broadcast::Sender<Item>);

/// One piece of news.
#[derive(Clone)]
pub struct Item {
    /// Whom it concerns; everybody if none.
    pub of: Option<Browser>,
    /// What it is.
    pub message: ServerMessage,
}

impl Default for News {
    fn default() -> Self {
        Self(broadcast::Sender::new(limits::NEWS))
    }
}

impl News {
    /// Tells everybody.
    pub fn tell(&self, message: ServerMessage) {
        // Nobody listening is no error.
        let _ = self.0.send(Item { of: None, message });
    }

    /// Tells one browser.
    pub fn tell_one(&self, browser: &Browser, message: ServerMessage) {
        let _ = self.0.send(Item { of: Some(browser.clone()), message });
    }

    /// News from now on.
    #[must_use]
    pub fn listen(&self) -> broadcast::Receiver<Item> {
        self.0.subscribe()
    }
}
