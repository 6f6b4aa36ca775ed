//! The simulated database and its clients: one step of one client after another, drawn by lot.

use super::{Simulated, Workload, plant, random::Random};
use crate::binary::{Draft, Recorder};
use crate::model::{Key, Operation, Status, Value};

/// The longest time between two steps, nanoseconds.
const STEP_NS_MOST: u32 = 1_000;

/// The latest appends that a stale read may miss.
const STALE_MOST: u32 = 4;

/// A list and its committed elements, each with the number of the commit that brought it.
struct List {
    key: Key,
    values: Vec<Value>,
    commits: Vec<u64>,
    /// The next element to be appended, whether that will commit or not.
    next_value: Value,
    /// The client that has appended and not committed yet.
    locked_by: Option<usize>,
}

#[derive(Clone, Copy)]
struct Planned {
    slot: usize,
    is_append: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    Idle,
    Begun,
    Running,
    Ended(Status),
}

struct Client {
    phase: Phase,
    begun_ns: u64,
    /// Commits that the transaction's snapshot has seen.
    snapshot: u64,
    plan: Vec<Planned>,
    done: usize,
    /// What it has appended and not committed.
    appended: Vec<(usize, Key, Value)>,
    draft: Draft,
}

struct Simulation<'w> {
    workload: &'w Workload,
    random: Random,
    recorder: Recorder,
    lists: Vec<List>,
    clients: Vec<Client>,
    keys: u32,
    begun: u32,
    commits: u64,
    now_ns: u64,
    list: Vec<Value>,
}

/// Runs a workload and gives the recorded bytes.
pub(super) fn run(workload: &Workload) -> Vec<u8> {
    let mut simulation = Simulation {
        workload,
        random: Random::new(workload.seed),
        recorder: Recorder::new(),
        lists: Vec::new(),
        clients: Vec::new(),
        keys: 0,
        begun: 0,
        commits: 0,
        now_ns: 0,
        list: Vec::new(),
    };
    for _ in 0..workload.active_keys.max(1) {
        let list = simulation.new_list();
        simulation.lists.push(list);
    }
    let idle = || Client {
        phase: Phase::Idle,
        begun_ns: 0,
        snapshot: 0,
        plan: Vec::new(),
        done: 0,
        appended: Vec::new(),
        draft: Draft::new(),
    };
    simulation.clients.extend((0..workload.clients.max(1)).map(|_| idle()));
    simulation.run();
    simulation.recorder.finish()
}

impl Simulation<'_> {
    fn run(&mut self) {
        let clients = u32::try_from(self.clients.len()).unwrap_or(1);
        let every = self.workload.transactions / (u32::try_from(self.workload.plants.len()).unwrap_or(0) + 1);
        let mut planted = 0;
        while self.begun < self.workload.transactions || self.clients.iter().any(|client| client.phase != Phase::Idle) {
            self.now_ns += 1 + u64::from(self.random.below(STEP_NS_MOST));
            let client = self.random.below(clients) as usize;
            self.step(client);
            if let Some(anomaly) = self.workload.plants.get(planted as usize)
                && self.begun >= every * (planted + 1)
            {
                let first_process = clients + 100 * planted;
                self.now_ns = plant::record(*anomaly, &mut self.recorder, &mut self.keys, first_process, self.now_ns);
                planted += 1;
            }
        }
    }

    /// One thing that a client does.
    fn step(&mut self, client: usize) {
        match self.clients[client].phase {
            Phase::Idle if self.begun < self.workload.transactions => self.begin(client),
            Phase::Idle => {}
            Phase::Begun => {
                let open = &mut self.clients[client];
                open.snapshot = self.commits;
                open.phase = Phase::Running;
            }
            Phase::Running => self.go_on(client),
            Phase::Ended(status) => self.end(client, status),
        }
    }

    fn begin(&mut self, client: usize) {
        self.begun += 1;
        let operations = 1 + self.random.below(self.workload.operations_most.max(1));
        let slots = u32::try_from(self.lists.len()).unwrap_or(1);
        let open = &mut self.clients[client];
        open.plan.clear();
        for _ in 0..operations {
            let slot = self.random.below(slots) as usize;
            open.plan.push(Planned { slot, is_append: self.random.happens(500) });
        }
        if self.workload.isolation == Simulated::Stale {
            // What is appended after a stale read would contradict it, and nothing would follow from the key.
            open.plan.sort_by_key(|planned| planned.is_append);
        }
        open.phase = Phase::Begun;
        open.begun_ns = self.now_ns;
        open.done = 0;
    }

    fn go_on(&mut self, client: usize) {
        if self.random.happens(self.workload.aborted_permille) {
            return self.finish(client, Status::Aborted);
        }
        if self.workload.isolation == Simulated::ReadCommitted {
            return self.one_operation(client);
        }
        while self.clients[client].done < self.clients[client].plan.len() {
            self.operate(client);
        }
        let is_overtaken = |(slot, key, _): &(usize, Key, Value)| {
            let list = &self.lists[*slot];
            let latest = list.commits.last().copied().unwrap_or(0);
            list.key != *key || latest > self.clients[client].snapshot
        };
        let must_be_first = self.workload.isolation == Simulated::Snapshot;
        let conflicts = must_be_first && self.clients[client].appended.iter().any(is_overtaken);
        self.finish(client, if conflicts { Status::Aborted } else { Status::Committed });
    }

    fn one_operation(&mut self, client: usize) {
        let open = &self.clients[client];
        let Some(planned) = open.plan.get(open.done).copied() else {
            return self.finish(client, Status::Committed);
        };
        let list = &mut self.lists[planned.slot];
        if planned.is_append && list.locked_by.is_some_and(|other| other != client) {
            return self.finish(client, Status::Aborted);
        }
        if planned.is_append {
            list.locked_by = Some(client);
        }
        self.operate(client);
    }

    /// Does the next operation of the plan.
    fn operate(&mut self, client: usize) {
        let open = &mut self.clients[client];
        let Planned { slot, is_append } = open.plan[open.done];
        open.done += 1;
        let list = &mut self.lists[slot];
        if is_append {
            let value = list.next_value;
            list.next_value += 1;
            open.appended.push((slot, list.key, value));
            open.draft.add(Operation::Append { key: list.key, value });
            return;
        }
        let visible = match self.workload.isolation {
            Simulated::Snapshot => list.commits.partition_point(|commit| *commit <= open.snapshot),
            Simulated::Stale => list.values.len().saturating_sub(self.random.below(STALE_MOST + 1) as usize),
            Simulated::Strict | Simulated::ReadCommitted => list.values.len(),
        };
        self.list.clear();
        self.list.extend_from_slice(&list.values[..visible]);
        self.list.extend(open.appended.iter().filter(|(_, key, _)| *key == list.key).map(|(.., value)| *value));
        open.draft.add(Operation::ReadList { key: list.key, list: Some(&self.list) });
    }

    /// Decides how the transaction ends; its client hears of it later.
    fn finish(&mut self, client: usize, status: Status) {
        let appended = std::mem::take(&mut self.clients[client].appended);
        for list in self.lists.iter_mut().filter(|list| list.locked_by == Some(client)) {
            list.locked_by = None;
        }
        if status == Status::Committed {
            self.commits += 1;
            for (slot, _, value) in &appended {
                let list = &mut self.lists[*slot];
                list.values.push(*value);
                list.commits.push(self.commits);
            }
            for (slot, key, _) in &appended {
                let list = &self.lists[*slot];
                if list.key == *key && list.values.len() >= self.workload.appends_per_key as usize {
                    self.lists[*slot] = self.new_list();
                }
            }
        }
        let open = &mut self.clients[client];
        open.appended = appended;
        open.appended.clear();
        let is_unknown = self.random.happens(self.workload.unknown_permille);
        open.phase = Phase::Ended(if is_unknown { Status::Unknown } else { status });
    }

    fn end(&mut self, client: usize, status: Status) {
        let process = u32::try_from(client).unwrap_or(0);
        let open = &mut self.clients[client];
        let ended_ns = if status == Status::Unknown { u64::MAX } else { self.now_ns };
        self.recorder.end(&mut open.draft, process, status, (open.begun_ns, ended_ns));
        open.phase = Phase::Idle;
    }

    fn new_list(&mut self) -> List {
        self.keys += 1;
        let key = self.recorder.key(&(self.keys - 1).to_string());
        List { key, values: Vec::new(), commits: Vec::new(), next_value: 1, locked_by: None }
    }
}
