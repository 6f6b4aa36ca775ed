//! Where faults take hold of the coordinator: its steps are told to the site, which strikes at the one it waits for.

use std::sync::Arc;

use async_trait::async_trait;
use pgstrata_coordinator::{Bystander, Place, Step, Then};
use pgstrata_lab::faults::steps::{self, Steps};
use pgstrata_lab::site::Site;

struct ToSite(Steps);

/// Tells the site of each step.
#[expect(clippy::unnecessary_wraps, reason = "it is what the coordinator's settings take")]
pub(super) fn of(site: &Site) -> Option<Arc<dyn Bystander>> {
    Some(Arc::new(ToSite(site.steps.clone())))
}

#[async_trait]
impl Bystander for ToSite {
    async fn at(&self, step: Step, place: Place) -> Then {
        // Most of the time nobody waits for any step, and no name need be written.
        if !self.0.is_awaited() {
            return Then::GoOn;
        }
        match self.0.at(&step.to_string(), place.shard, place.backend_pid).await {
            steps::Then::GoOn => Then::GoOn,
            steps::Then::Disconnect => Then::Disconnect,
        }
    }
}
