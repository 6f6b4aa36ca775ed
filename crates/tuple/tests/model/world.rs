//! Transactions, their ends, and what the truth about a version is. Time is a count of steps.

use std::collections::BTreeMap;

use pgstrata_tuple::{ItemPointer, LockMode, Member, Status, TupleHeader};
use pgstrata_units::{Snapshot, Xid};

/// Sessions that can have a transaction.
const SESSIONS: usize = 5;
/// Looks that are kept.
const LOOKS: usize = 6;

/// A transaction or subtransaction that may not have an id yet.
#[derive(Debug, Clone)]
pub struct Node {
    pub parent: Option<usize>,
    pub xid: Option<Xid>,
    pub is_aborted: bool,
}

/// A whole transaction.
#[derive(Debug, Clone)]
pub struct Transaction {
    /// Its nodes, the whole one first.
    pub nodes: Vec<usize>,
    /// The open ones, innermost last.
    pub open: Vec<usize>,
    pub command: u32,
    pub is_prepared: bool,
    /// When it was committed.
    pub committed: Option<usize>,
    pub has_ended: bool,
    /// Its combinations of commands.
    pub combos: Vec<(u32, u32)>,
}

/// A change: by which node, at which command of its transaction.
#[derive(Debug, Clone, Copy)]
pub struct Change {
    pub node: usize,
    pub command: u32,
}

/// A version, with its header as it is on disk and with what truly happened to it.
#[derive(Debug, Clone)]
pub struct Version {
    pub place: ItemPointer,
    pub header: TupleHeader,
    pub made: Change,
    /// All that ended it, those that were rolled back too, and whether they deleted.
    pub ended: Vec<(Change, bool)>,
    /// Who locked it and how.
    pub locks: Vec<(usize, LockMode)>,
}

/// Somebody who took a snapshot.
#[derive(Debug, Clone)]
pub struct Look {
    pub at: usize,
    pub snapshot: Snapshot,
    /// With subtransactions listed.
    pub with_subs: Snapshot,
    /// With nothing listed.
    pub bare: Snapshot,
    /// The looker's transaction.
    pub transaction: usize,
    /// Its id and command, if it has an id.
    pub own: Option<(Xid, u32)>,
    pub command: u32,
}

#[derive(Debug)]
pub struct World {
    pub next: Xid,
    pub now: usize,
    pub nodes: Vec<Node>,
    pub transactions: Vec<Transaction>,
    pub sessions: [Option<usize>; SESSIONS],
    pub versions: Vec<Version>,
    pub multixacts: BTreeMap<u32, Vec<Member>>,
    pub looks: Vec<Look>,
    of_xid: BTreeMap<Xid, usize>,
    of_node: Vec<usize>,
}

impl World {
    pub fn new(next: Xid) -> Self {
        Self {
            next,
            now: 0,
            nodes: Vec::new(),
            transactions: Vec::new(),
            sessions: [None; SESSIONS],
            versions: Vec::new(),
            multixacts: BTreeMap::new(),
            looks: Vec::new(),
            of_xid: BTreeMap::new(),
            of_node: Vec::new(),
        }
    }

    /// One step by lot: what, who, where.
    pub fn step(&mut self, (what, who, which): (u8, u8, u16)) {
        self.now += 1;
        let session = usize::from(who) % SESSIONS;
        let Some(transaction) = self.sessions[session] else {
            let transaction = self.begin();
            self.sessions[session] = Some(transaction);
            return;
        };
        if self.transactions[transaction].is_prepared {
            if what % 3 == 0 {
                self.end(session, transaction, what.is_multiple_of(2));
            }
            return;
        }
        match what % 16 {
            0 | 1 => self.insert(transaction),
            2..=4 => self.change(transaction, which, false),
            5 => self.change(transaction, which, true),
            6 | 7 => self.lock(transaction, which),
            8 => self.save(transaction),
            9 => self.roll_back(transaction),
            10 => self.release(transaction),
            11 => self.end(session, transaction, true),
            12 => self.end(session, transaction, which % 3 != 0),
            13 if which % 4 == 0 => {
                self.transactions[transaction].is_prepared = true;
                self.looks.retain(|look| look.transaction != transaction);
            }
            14 => self.upkeep(which),
            _ => self.look(transaction),
        }
    }

    fn begin(&mut self) -> usize {
        let node = self.nodes.len();
        self.nodes.push(Node { parent: None, xid: None, is_aborted: false });
        self.of_node.push(self.transactions.len());
        self.transactions.push(Transaction {
            nodes: vec![node],
            open: vec![node],
            command: 0,
            is_prepared: false,
            committed: None,
            has_ended: false,
            combos: Vec::new(),
        });
        self.transactions.len() - 1
    }

    fn save(&mut self, transaction: usize) {
        let node = self.nodes.len();
        let open = &mut self.transactions[transaction];
        let parent = open.open.last().copied();
        open.nodes.push(node);
        open.open.push(node);
        self.nodes.push(Node { parent, xid: None, is_aborted: false });
        self.of_node.push(transaction);
    }

    fn release(&mut self, transaction: usize) {
        let open = &mut self.transactions[transaction].open;
        if open.len() > 1 {
            open.pop();
        }
    }

    fn roll_back(&mut self, transaction: usize) {
        let open = &mut self.transactions[transaction].open;
        if open.len() > 1 {
            let node = open.pop().expect("more than one");
            self.nodes[node].is_aborted = true;
            let command = self.transactions[transaction].command;
            // A look from inside the savepoint was a cursor of it, which is closed.
            self.looks.retain(|look| look.transaction != transaction || look.command < command);
        }
    }

    fn end(&mut self, session: usize, transaction: usize, commits: bool) {
        self.sessions[session] = None;
        self.looks.retain(|look| look.transaction != transaction);
        let whole = self.transactions[transaction].nodes[0];
        let ended = &mut self.transactions[transaction];
        (ended.has_ended, ended.is_prepared) = (true, false);
        if commits {
            ended.committed = Some(self.now);
        } else {
            self.nodes[whole].is_aborted = true;
        }
    }

    /// The id of a node; its parents get theirs before it.
    pub fn id(&mut self, node: usize) -> Xid {
        if let Some(xid) = self.nodes[node].xid {
            return xid;
        }
        if let Some(parent) = self.nodes[node].parent {
            self.id(parent);
        }
        // The three special ids are passed over when the epoch changes.
        while !self.next.is_normal() {
            self.next = Xid(self.next.0 + 1);
        }
        let xid = self.next;
        self.next = Xid(xid.0 + 1);
        self.nodes[node].xid = Some(xid);
        self.of_xid.insert(xid, node);
        xid
    }

    /// Ids of what runs beside a transaction.
    fn running(&self, transaction: usize, with_subs: bool) -> Vec<Xid> {
        let runs = |node: usize| {
            let theirs = self.of_node[node];
            !self.transactions[theirs].has_ended && theirs != transaction && !self.is_aborted(node)
        };
        let nodes = self.nodes.iter().enumerate();
        let nodes = nodes.filter(|(node, its)| runs(*node) && (with_subs || its.parent.is_none()));
        nodes.filter_map(|(_, node)| node.xid).collect()
    }

    /// A snapshot of the transaction, and sometimes of one that only reads.
    fn look(&mut self, transaction: usize) {
        // One past the newest that ended; what has an id and runs may lie before and after it.
        let ended = self
            .of_xid
            .iter()
            .rev()
            .find(|(_, node)| self.transactions[self.of_node[**node]].has_ended || self.is_aborted(**node));
        let xmax = ended.map_or(Xid(self.next.0.min(super::FIRST)), |(xid, _)| Xid(xid.0 + 1));
        let before = |ids: Vec<Xid>| ids.into_iter().filter(|xid| *xid < xmax).collect::<Vec<_>>();
        let own = self.nodes[self.transactions[transaction].nodes[0]].xid;
        let (tops, all) = (before(self.running(transaction, false)), before(self.running(transaction, true)));
        let xmin = tops.iter().chain(&own).copied().min().unwrap_or(xmax).min(xmax);
        let snapshot = |listed| Snapshot::new(xmin, xmax, listed).expect("its invariants hold");
        let command = self.transactions[transaction].command;
        let look = Look {
            at: self.now,
            snapshot: snapshot(tops),
            with_subs: snapshot(all),
            bare: snapshot(Vec::new()),
            transaction,
            own: own.map(|own| (own, command)),
            command,
        };
        if self.looks.len() >= LOOKS {
            self.looks.remove(0);
        }
        self.looks.push(look);
        self.transactions[transaction].command += 1;
    }

    pub fn is_aborted(&self, node: usize) -> bool {
        self.nodes[node].is_aborted || self.nodes[node].parent.is_some_and(|parent| self.is_aborted(parent))
    }

    pub fn transaction_of(&self, node: usize) -> usize {
        self.of_node[node]
    }

    pub fn status(&self, xid: Xid) -> Status {
        let Some(node) = self.of_xid.get(&xid) else { return Status::Unknown };
        let transaction = &self.transactions[self.of_node[*node]];
        match () {
            () if self.is_aborted(*node) => Status::Aborted,
            () if transaction.committed.is_some() => Status::Committed,
            () if transaction.is_prepared => Status::Prepared,
            () => Status::InProgress,
        }
    }

    pub fn top(&self, xid: Xid) -> Xid {
        let node = self.of_xid.get(&xid).map(|node| self.transactions[self.of_node[*node]].nodes[0]);
        node.and_then(|node| self.nodes[node].xid).unwrap_or(xid)
    }

    pub fn own_subs(&self, look: &Look) -> Vec<Xid> {
        let nodes = self.transactions[look.transaction].nodes.iter();
        nodes.filter(|node| !self.is_aborted(**node)).filter_map(|node| self.nodes[*node].xid).collect()
    }

    pub fn combos(&self, look: &Look) -> Vec<(u32, u32)> {
        self.transactions[look.transaction].combos.clone()
    }

    /// Whether a change counts for a look: its own and earlier, or committed before.
    fn counts(&self, look: &Look, change: Change) -> bool {
        if self.is_aborted(change.node) {
            return false;
        }
        let transaction = self.of_node[change.node];
        if transaction == look.transaction {
            return change.command < look.command;
        }
        self.transactions[transaction].committed.is_some_and(|at| at < look.at)
    }

    /// The truth: the maker counts, and nobody who ended it does.
    pub fn sees(&self, look: &Look, version: &Version) -> bool {
        self.counts(look, version.made) && !version.ended.iter().any(|(change, _)| self.counts(look, *change))
    }

    /// The truth about what became of a version.
    pub fn fate(&self, version: &Version) -> &'static str {
        let state =
            |change: Change| (self.is_aborted(change.node), self.transactions[self.of_node[change.node]].committed);
        match state(version.made) {
            (true, _) => return "aborted",
            (false, None) => return "pending",
            (false, Some(_)) => {}
        }
        let standing = version.ended.iter().find(|(change, _)| !self.is_aborted(change.node));
        match standing.map(|(change, deletes)| (state(*change).1, deletes)) {
            None => "live",
            Some((None, _)) => "ending",
            Some((Some(_), true)) => "deleted",
            Some((Some(_), false)) => "replaced",
        }
    }
}
