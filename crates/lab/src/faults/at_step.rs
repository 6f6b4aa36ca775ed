//! Faults that strike while the system stands at one of its steps: the server, the backend or the connection of the step.
//!
//! The strikes of a fault go through all steps in turn, and through all servers, so that so many strikes at so many steps
//! of two servers come to the same number each.

use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use pgstrata_pg::Pid;
use pgstrata_pg::process::parent_of;
use tokio::time::timeout;

use super::catalogue::FaultKind;
use super::error::FaultError;
use super::recovery::{EFFECT_LIMIT, hold, wait_until_whole};
use super::steps::{Awaited, Reached, Steps, Then};
use crate::site::{Server, Site};

/// A strike that has been carried out and is to be healed.
pub(super) struct Struck {
    what: String,
    server: Option<Server>,
}

/// Which step and server a strike is for.
#[must_use]
pub(crate) fn target(steps: &Steps, servers: usize, number: u32) -> Option<(&'static str, usize)> {
    let number = number as usize;
    let step = steps.names.get(number % steps.names.len().max(1))?;
    Some((step, number / steps.names.len() % servers.max(1)))
}

/// Waits until the system stands at the step.
pub(crate) async fn stand_at(
    steps: &Steps,
    step: &'static str,
    fault: FaultKind,
) -> Result<(Awaited, Reached), FaultError> {
    let mut awaited = steps.wait_for(step).await;
    match timeout(EFFECT_LIMIT, awaited.reached()).await {
        Ok(Some(reached)) => Ok((awaited, reached)),
        Ok(None) | Err(_) => Err(FaultError::NoEffect {
            fault: fault.name(),
            seen: format!("nothing came to the step {step}"),
            hint: "let clients work while faults strike",
        }),
    }
}

/// Strikes once, at the step, and lets the system go on.
pub(super) async fn strike(
    kind: FaultKind,
    site: &Site,
    step: &'static str,
    server: usize,
) -> Result<Struck, FaultError> {
    let (awaited, reached) = stand_at(&site.steps, step, kind).await?;
    let place = &site.servers[reached.server.min(site.servers.len() - 1)];
    let (then, struck) = match kind {
        FaultKind::KillPostmasterAtStep => {
            let victim = &site.servers[server];
            hold(victim, kind).await?.crash().await.map_err(FaultError::server("kill the postmaster"))?;
            let what = format!("killed the postmaster of server {} at {step}", server + 1);
            (Then::GoOn, Struck { what, server: Some(victim.clone()) })
        }
        FaultKind::KillBackendAtStep => {
            let what = kill_backend(place, reached, step).await?;
            (Then::GoOn, Struck { what, server: Some(place.clone()) })
        }
        _ => {
            let what = format!("closed the connection to server {} at {step}", reached.server + 1);
            (Then::Disconnect, Struck { what, server: None })
        }
    };
    awaited.let_go(then);
    Ok(struck)
}

/// Kills the backend that serves the step, if it is one of this server's.
async fn kill_backend(server: &Server, reached: Reached, step: &str) -> Result<String, FaultError> {
    let cluster = hold(server, FaultKind::KillBackendAtStep).await?;
    let number = reached.server + 1;
    let Some(pid) = reached.backend_pid.map(Pid::from_raw) else {
        return Ok(format!("no backend of server {number} was left at {step}"));
    };
    // Only a child of this very server's postmaster.
    if parent_of(pid).ok() != cluster.postmaster() {
        return Ok(format!("the backend of server {number} had ended at {step}"));
    }
    match kill(pid, Signal::SIGKILL) {
        Ok(()) => Ok(format!("killed backend {pid} of server {number} at {step}")),
        Err(Errno::ESRCH) => Ok(format!("the backend of server {number} had ended at {step}")),
        Err(errno) => {
            let hint = "run as the server's user or as root";
            Err(FaultError::machine(format!("kill backend {pid}"), hint)(errno.into()))
        }
    }
}

impl Struck {
    /// Waits until the server is whole again, and says what was achieved.
    pub(super) async fn heal(self) -> Result<String, FaultError> {
        let Some(server) = self.server else { return Ok(self.what) };
        let took = wait_until_whole(&server).await?;
        Ok(format!("{}; accepted sessions again after {:.0} ms", self.what, took.as_secs_f64() * 1e3))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strikes_go_through_every_step_on_every_server() {
        let steps = Steps::named(&["a", "b", "c"]);
        let targets: Vec<_> = (0..12).filter_map(|number| target(&steps, 2, number)).collect();
        for step in ["a", "b", "c"] {
            for server in 0..2 {
                assert_eq!(targets.iter().filter(|found| **found == (step, server)).count(), 2);
            }
        }
        assert_eq!(target(&Steps::default(), 2, 5), None, "nothing to strike at");
    }
}
