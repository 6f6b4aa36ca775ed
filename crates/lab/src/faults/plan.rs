//! Plans: which faults strike during a run, how, how often, and what they need. Data; nothing strikes here.
//!
//! How a plan is written is in `notation.rs`.

use std::time::Duration;

use super::catalogue::{DefaultCount, FaultKind, Needs};

/// Which faults strike during a run, how and how often.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FaultPlan {
    /// The faults in the order in which they were written; each kind at most once.
    pub faults: Vec<PlannedFault>,
}

/// One fault of a plan.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PlannedFault {
    /// Which fault.
    pub kind: FaultKind,
    /// How strong, where the fault can be told.
    pub argument: Argument,
    /// How long each strike stays; zero where that makes no sense.
    pub hold: Duration,
    /// How often it strikes.
    pub count: Count,
}

/// How strong a fault is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Argument {
    /// Nothing to say.
    None,
    /// A delay or a length.
    Duration(Duration),
    /// A size in bytes.
    Bytes(u64),
    /// A share from 0 to 1.
    Share(f64),
}

/// How often a fault strikes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Count {
    /// So many times, spread over the run.
    Strikes(u32),
    /// It is in force from the beginning to the end.
    WholeRun,
}

/// A fault that the load loop carries out, because only it knows the operations.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum LoadFault {
    /// Send this share of the operations twice under the same key.
    DuplicateRequest {
        /// From 0 to 1.
        share: f64,
    },
    /// kill -9 of a client process, so many times.
    KillClient {
        /// How many kills, spread over the run.
        kills: u32,
    },
    /// kill -9 of a client process at a step, so many times.
    KillClientAtStep {
        /// How many kills, over all steps.
        kills: u32,
    },
}

impl FaultPlan {
    /// Whether no fault strikes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.faults.is_empty()
    }

    /// What all faults together need of the site.
    #[must_use]
    pub fn needs(&self) -> Needs {
        self.faults.iter().fold(Needs::default(), |needs, fault| needs.and(fault.kind.info().needs))
    }

    /// The size of the small disk, where one is needed.
    #[must_use]
    pub fn small_disk_bytes(&self) -> Option<u64> {
        self.faults.iter().find(|fault| fault.kind == FaultKind::DiskFull).and_then(|fault| match fault.argument {
            Argument::Bytes(bytes) => Some(bytes),
            _ => None,
        })
    }

    /// The faults that strike the site, for [`super::inject()`].
    pub fn site_faults(&self) -> impl Iterator<Item = &PlannedFault> {
        self.faults.iter().filter(|fault| fault.load_fault().is_none())
    }

    /// The faults that the load loop carries out.
    pub fn load_faults(&self) -> impl Iterator<Item = LoadFault> {
        self.faults.iter().filter_map(PlannedFault::load_fault)
    }

    /// The share of operations that the load loop is to send twice, 0 to 1.
    #[must_use]
    pub fn duplicate_share(&self) -> f64 {
        let share = |fault| match fault {
            LoadFault::DuplicateRequest { share } => Some(share),
            LoadFault::KillClient { .. } | LoadFault::KillClientAtStep { .. } => None,
        };
        self.load_faults().find_map(share).unwrap_or(0.0)
    }

    /// How many client processes the load loop is to kill.
    #[must_use]
    pub fn client_kills(&self) -> u32 {
        let kills = |fault| match fault {
            LoadFault::KillClient { kills } => Some(kills),
            LoadFault::DuplicateRequest { .. } | LoadFault::KillClientAtStep { .. } => None,
        };
        self.load_faults().find_map(kills).unwrap_or(0)
    }

    /// How many client processes the load loop is to kill at a step.
    #[must_use]
    pub fn client_kills_at_step(&self) -> u32 {
        let kills = |fault| match fault {
            LoadFault::KillClientAtStep { kills } => Some(kills),
            LoadFault::DuplicateRequest { .. } | LoadFault::KillClient { .. } => None,
        };
        self.load_faults().find_map(kills).unwrap_or(0)
    }

    /// A plan that kills the postmaster so many times and does nothing else.
    #[must_use]
    pub fn kills_of_the_postmaster(kills: u32) -> Self {
        if kills == 0 {
            return Self::default();
        }
        let fault = PlannedFault { count: Count::Strikes(kills), ..PlannedFault::usual(FaultKind::KillPostmaster) };
        Self { faults: vec![fault] }
    }

    /// Strikes that are counted, of all faults together; the run lasts until the site's are done.
    #[must_use]
    pub fn strikes(&self) -> u32 {
        let counts = self.faults.iter().map(|fault| match fault.count {
            Count::Strikes(count) => count,
            Count::WholeRun => 0,
        });
        counts.fold(0, u32::saturating_add)
    }
}

impl PlannedFault {
    /// This fault with everything that the catalogue says when the plan does not.
    #[must_use]
    pub fn usual(kind: FaultKind) -> Self {
        let info = kind.info();
        let count = match info.count {
            DefaultCount::Once => Count::Strikes(1),
            DefaultCount::WholeRun | DefaultCount::Uncounted => Count::WholeRun,
        };
        Self { kind, argument: info.argument.default(), hold: info.hold, count }
    }

    fn load_fault(&self) -> Option<LoadFault> {
        match (self.kind, self.argument, self.count) {
            (FaultKind::DuplicateRequest, Argument::Share(share), _) => Some(LoadFault::DuplicateRequest { share }),
            (FaultKind::KillClient, _, Count::Strikes(kills)) => Some(LoadFault::KillClient { kills }),
            (FaultKind::KillClientAtStep, _, Count::Strikes(kills)) => Some(LoadFault::KillClientAtStep { kills }),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_says_what_it_needs_and_what_the_load_loop_does() {
        let text = "disk-full=128MB,net-cut:2,duplicate-request=5%,kill-client:7";
        let plan: FaultPlan = text.parse().expect("a plan");
        let needs = plan.needs();
        assert!(needs.private && needs.proxy && needs.small_disk && needs.worker_process && !needs.shim);
        assert_eq!(plan.small_disk_bytes(), Some(128 << 20));
        assert_eq!(
            plan.load_faults().collect::<Vec<_>>(),
            [LoadFault::DuplicateRequest { share: 0.05 }, LoadFault::KillClient { kills: 7 }]
        );
        assert_eq!(plan.site_faults().count(), 2);
        assert!((plan.duplicate_share() - 0.05).abs() < f64::EPSILON);
        assert_eq!(plan.client_kills(), 7);
        assert_eq!(FaultPlan::kills_of_the_postmaster(3).to_string(), "kill-postmaster:3");
    }
}
