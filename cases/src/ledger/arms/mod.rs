//! The ways of keeping the books, one file each, in the order in which they are shown.

mod for_update;
mod naive;
mod repeatable_read;
mod sequencer;
mod serializable;

use std::sync::Arc;

use pgstrata_lab::site::Site;
use pgstrata_lab::study::{Arm, Rig, Scale, StudyError};

use super::shards::arms as shards;
use super::teller;

/// How many clients, each with a session, compete for the hot accounts.
const SESSIONS: u32 = 32;

/// All of them.
pub(crate) static ARMS: [Arm; 9] = [
    naive::ARM,
    for_update::ARM,
    repeatable_read::ARM,
    serializable::ARM,
    sequencer::ARM,
    shards::READ_COMMITTED,
    shards::SERIALIZABLE,
    shards::FOR_SHARE,
    shards::BARRIER,
];

/// What the clients of an arm share.
pub(crate) async fn open(arm: &Arm, site: &Site, scale: &Scale) -> Result<Arc<dyn Rig>, StudyError> {
    Ok(match arm.name {
        "read-committed" => teller::rig(naive::WAY, site, scale),
        "for-update" => teller::rig(for_update::WAY, site, scale),
        "repeatable-read" => teller::rig(repeatable_read::WAY, site, scale),
        "serializable" => teller::rig(serializable::WAY, site, scale),
        "sequencer" => sequencer::rig(site, scale).await?,
        unknown => return Err(StudyError::new("open the arm", format!("the ledger has no arm `{unknown}`"))),
    })
}
