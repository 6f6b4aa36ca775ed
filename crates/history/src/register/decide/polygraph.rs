//! The polygraph: edges that are certain, and pairs of transactions that stand in one order or in the other.
//!
//! For serializability a node is a transaction. For snapshot isolation each transaction has two, its beginning and its
//! commit; a dependency leads from commit to beginning, an anti-dependency from beginning to commit, so exactly the cycles
//! without adjacent anti-dependencies remain cycles (Cerone and Gotsman, PODC 2016). For read committed anti-dependencies do
//! not count.

use std::collections::{BTreeMap, HashMap};

use super::{DecisionLimits, Point, Undecided};
use crate::anomaly::Scope;
use crate::consistency::Model;
use crate::graph::{Dependency, Edge};
use crate::model::{History, Key, Status, TransactionId, Value};
use crate::register::facts::Facts;

/// What a cycle must be made of to break the model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// Dependencies.
    Committed,
    /// Dependencies, and anti-dependencies of which no two are adjacent.
    Snapshot,
    /// Dependencies and anti-dependencies.
    Serial,
}

impl Shape {
    /// The shape of a model's cycles; nothing for a model under which every order of versions will do.
    pub fn of(model: Model) -> Option<Self> {
        match model {
            Model::ReadUncommitted | Model::StrongSessionReadUncommitted | Model::StrongReadUncommitted => None,
            Model::ReadCommitted
            | Model::MonotonicAtomicView
            | Model::StrongSessionReadCommitted
            | Model::StrongReadCommitted => Some(Self::Committed),
            Model::SnapshotIsolation | Model::StrongSessionSnapshotIsolation | Model::StrongSnapshotIsolation => {
                Some(Self::Snapshot)
            }
            // Registers have no predicates, so there the two are one.
            Model::RepeatableRead
            | Model::Serializable
            | Model::StrongSessionSerializable
            | Model::StrictSerializable => Some(Self::Serial),
        }
    }
}

/// An edge between members, which are counted from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Reason {
    pub from: usize,
    pub to: usize,
    pub dependency: Dependency,
    pub key: Option<Key>,
    pub from_value: Option<Value>,
    pub to_value: Option<Value>,
}

/// Two members that wrote a key, and what each order brings.
#[derive(Clone, Debug)]
pub(super) struct Choice {
    pub key: Key,
    pub first: usize,
    pub second: usize,
    pub if_first: Vec<Reason>,
    pub if_second: Vec<Reason>,
}

/// One read of one member.
#[derive(Clone, Copy, Debug)]
struct MemberRead {
    reader: usize,
    key: Key,
    writer: Option<usize>,
    value: Option<Value>,
}

/// See the file's header.
#[derive(Clone, Debug)]
pub(super) struct Polygraph {
    shape: Shape,
    members: Vec<TransactionId>,
    reads: Vec<MemberRead>,
    writes: BTreeMap<Key, Vec<(usize, Value)>>,
    orders: Vec<Reason>,
    pub known: Vec<Reason>,
    pub choices: Vec<Choice>,
}

impl Polygraph {
    /// The polygraph of a history's facts.
    pub fn new(
        history: &History,
        facts: &Facts,
        shape: Shape,
        scope: Scope,
        limits: DecisionLimits,
    ) -> Result<Self, Undecided> {
        let mut takes_part = vec![false; history.len()];
        let readers = facts.reads.iter().chain(&facts.later_reads).map(|read| read.reader);
        readers.chain(facts.writes.iter().map(|write| write.writer)).for_each(|id| takes_part[id.0 as usize] = true);
        let members: Vec<TransactionId> =
            history.transactions().map(|transaction| transaction.id).filter(|id| takes_part[id.0 as usize]).collect();
        if members.len() > limits.transactions {
            return Err(Undecided::Transactions(members.len()));
        }
        let places: HashMap<TransactionId, usize> =
            members.iter().enumerate().map(|(place, id)| (*id, place)).collect();
        let mut writes: BTreeMap<Key, Vec<(usize, Value)>> = BTreeMap::new();
        for write in &facts.writes {
            writes.entry(write.key).or_default().push((places[&write.writer], write.value));
        }
        // Where reads contradict themselves nothing but read committed can hold, and there each of them counts.
        let reads = facts.reads.iter().chain(&facts.later_reads).map(|read| MemberRead {
            reader: places[&read.reader],
            key: read.key,
            writer: read.writer.map(|writer| places[&writer]),
            value: read.value,
        });
        let reads: Vec<MemberRead> = reads.collect();
        let edges = edges_at_most(&reads, &writes);
        if edges > limits.edges {
            return Err(Undecided::Edges(edges));
        }
        let orders = orders(history, &members, scope);
        Ok(Self::of_parts(shape, members, reads, writes, orders))
    }

    fn of_parts(
        shape: Shape,
        members: Vec<TransactionId>,
        reads: Vec<MemberRead>,
        writes: BTreeMap<Key, Vec<(usize, Value)>>,
        orders: Vec<Reason>,
    ) -> Self {
        let mut polygraph = Self { shape, members, reads, writes, orders, known: Vec::new(), choices: Vec::new() };
        polygraph.known = polygraph.orders.clone();
        polygraph.add_reads();
        polygraph.add_choices();
        polygraph
    }

    /// The same without some members. What was read from those that are gone is forgotten.
    pub fn restricted(&self, keep: impl Fn(usize) -> bool) -> Self {
        let mut places = vec![None; self.members.len()];
        let mut members = Vec::new();
        for (member, id) in self.members.iter().enumerate().filter(|(member, _)| keep(*member)) {
            places[member] = Some(members.len());
            members.push(*id);
        }
        let reads = self.reads.iter().filter_map(|read| {
            let writer = match read.writer {
                Some(writer) => Some(places[writer]?),
                None => None,
            };
            Some(MemberRead { reader: places[read.reader]?, writer, ..*read })
        });
        let reads = reads.collect();
        let kept = |writers: &Vec<(usize, Value)>| -> Vec<(usize, Value)> {
            writers.iter().filter_map(|&(writer, value)| Some((places[writer]?, value))).collect()
        };
        let writes = self.writes.iter().map(|(key, writers)| (*key, kept(writers))).collect();
        let orders = self
            .orders
            .iter()
            .filter_map(|order| Some(Reason { from: places[order.from]?, to: places[order.to]?, ..*order }));
        let orders = orders.collect();
        Self::of_parts(self.shape, members, reads, writes, orders)
    }

    fn add_reads(&mut self) {
        for read in &self.reads {
            if let Some(writer) = read.writer {
                self.known.push(Reason {
                    from: writer,
                    to: read.reader,
                    dependency: Dependency::WriteRead,
                    key: Some(read.key),
                    from_value: read.value,
                    to_value: read.value,
                });
            } else if self.shape != Shape::Committed {
                let overwriters = self.writes.get(&read.key).into_iter().flatten();
                self.known.extend(
                    overwriters
                        .filter(|(writer, _)| *writer != read.reader)
                        .map(|&(writer, value)| anti(read, writer, value)),
                );
            }
        }
    }

    fn add_choices(&mut self) {
        let mut readers: HashMap<(Key, usize), Vec<MemberRead>> = HashMap::new();
        for read in &self.reads {
            if let Some(writer) = read.writer {
                readers.entry((read.key, writer)).or_default().push(*read);
            }
        }
        let mut choices: BTreeMap<(usize, usize), Choice> = BTreeMap::new();
        for (&key, writers) in &self.writes {
            for (place, &first) in writers.iter().enumerate() {
                for &second in &writers[place + 1..] {
                    let (first, second) = if first.0 < second.0 { (first, second) } else { (second, first) };
                    let choice = choices.entry((first.0, second.0)).or_insert_with(|| Choice {
                        key,
                        first: first.0,
                        second: second.0,
                        if_first: Vec::new(),
                        if_second: Vec::new(),
                    });
                    let none = Vec::new();
                    let of = |writer: usize| readers.get(&(key, writer)).unwrap_or(&none);
                    follow(self.shape, key, first, second, of(first.0), &mut choice.if_first);
                    follow(self.shape, key, second, first, of(second.0), &mut choice.if_second);
                }
            }
        }
        self.choices = choices.into_values().collect();
    }

    /// The transactions.
    pub fn members(&self) -> &[TransactionId] {
        &self.members
    }

    /// How many nodes the graph has.
    pub fn nodes(&self) -> usize {
        if self.shape == Shape::Snapshot { 2 * self.members.len() } else { self.members.len() }
    }

    /// The edge of a reason, as nodes.
    pub fn ends(&self, reason: &Reason) -> (usize, usize) {
        match (self.shape, reason.dependency.is_anti()) {
            (Shape::Committed | Shape::Serial, _) => (reason.from, reason.to),
            (Shape::Snapshot, false) => (2 * reason.from + 1, 2 * reason.to),
            (Shape::Snapshot, true) => (2 * reason.from, 2 * reason.to + 1),
        }
    }

    /// The edges from each transaction's beginning to its commit.
    pub fn spans(&self) -> impl Iterator<Item = (usize, usize)> {
        let members = if self.shape == Shape::Snapshot { self.members.len() } else { 0 };
        (0..members).map(|member| (2 * member, 2 * member + 1))
    }

    /// An edge as others see it.
    pub fn edge(&self, reason: &Reason) -> Edge {
        Edge {
            from: self.members[reason.from],
            to: self.members[reason.to],
            dependency: reason.dependency,
            key: reason.key,
            from_value: reason.from_value,
            to_value: reason.to_value,
        }
    }

    /// An order of nodes as moments of transactions.
    pub fn points(&self, nodes: &[usize]) -> Vec<Point> {
        let point = |node: &usize| match self.shape {
            Shape::Committed | Shape::Serial => Point::Whole(self.members[*node]),
            Shape::Snapshot if node.is_multiple_of(2) => Point::Begin(self.members[node / 2]),
            Shape::Snapshot => Point::Commit(self.members[node / 2]),
        };
        nodes.iter().map(point).collect()
    }
}

/// An upper bound of the edges that all choices bring, found without making them.
fn edges_at_most(reads: &[MemberRead], writes: &BTreeMap<Key, Vec<(usize, Value)>>) -> usize {
    let mut readers: HashMap<Key, usize> = HashMap::new();
    for read in reads {
        *readers.entry(read.key).or_default() += 1;
    }
    let of_key = |(key, writers): (&Key, &Vec<(usize, Value)>)| {
        writers.len() * (writers.len() + readers.get(key).copied().unwrap_or(0))
    };
    writes.iter().map(of_key).sum()
}

fn anti(read: &MemberRead, overwriter: usize, value: Value) -> Reason {
    Reason {
        from: read.reader,
        to: overwriter,
        dependency: Dependency::ReadWrite,
        key: Some(read.key),
        from_value: read.value,
        to_value: Some(value),
    }
}

/// What follows if one version comes before another: the writers' order, and that of the first version's readers.
fn follow(
    shape: Shape,
    key: Key,
    earlier: (usize, Value),
    later: (usize, Value),
    readers: &[MemberRead],
    edges: &mut Vec<Reason>,
) {
    edges.push(Reason {
        from: earlier.0,
        to: later.0,
        dependency: Dependency::WriteWrite,
        key: Some(key),
        from_value: Some(earlier.1),
        to_value: Some(later.1),
    });
    if shape != Shape::Committed {
        let others = readers.iter().filter(|read| read.reader != later.0);
        edges.extend(others.map(|read| anti(read, later.0, later.1)));
    }
}

/// The orders of clients and of real time among members, as every pair: there are few members.
fn orders(history: &History, members: &[TransactionId], scope: Scope) -> Vec<Reason> {
    let mut orders = Vec::new();
    for (from, earlier) in members.iter().enumerate() {
        let earlier = history.transaction(*earlier);
        for (to, later) in members.iter().enumerate().filter(|(to, _)| *to != from) {
            let later = history.transaction(*later);
            let acknowledged = earlier.status == Status::Committed;
            let same_process = earlier.process == later.process && from < to;
            let dependency = if scope >= Scope::Process && acknowledged && same_process {
                Dependency::Process
            } else if scope >= Scope::RealTime && acknowledged && earlier.completed_ns < later.invoked_ns {
                Dependency::RealTime
            } else {
                continue;
            };
            orders.push(Reason { from, to, dependency, key: None, from_value: None, to_value: None });
        }
    }
    orders
}
