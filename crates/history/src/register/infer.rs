//! Which version of a register follows which, as far as that is certain, and the dependencies that follow from it.
//!
//! Reads tell who wrote what was seen (`wr`). That a transaction read one version and wrote another tells their order, because the
//! other order would be a cycle already; that the initial state came first is by definition. Nothing is guessed: two
//! versions that no fact orders stay unordered, so what is found here is there, and what is not found may be there
//! all the same. [`super::decide`] closes that gap for histories that are small enough.
//!
//! After Elle's rw-register (Kingsbury and Alvaro, VLDB 2020, section 5).

use std::collections::{BTreeMap, HashMap};

use super::RegisterOptions;
use super::facts::Facts;
use crate::anomaly::{Anomaly, Scope};
use crate::cycles::components;
use crate::graph::{Dependency, Evidence, Graph, GraphBuilder};
use crate::model::{History, Key, TransactionId, Value};
use crate::verdict::{Finding, Observation};

/// What follows from the facts.
pub(crate) struct Inferred {
    pub graph: Graph,
    /// Version orders that contradict themselves, and lost updates.
    pub faults: Vec<Finding>,
}

/// The versions of one key and what is known of their order.
#[derive(Default)]
struct Versions {
    /// The writer of each version, and its value.
    writers: Vec<(TransactionId, Value)>,
    places: HashMap<TransactionId, u32>,
    /// Later versions of each version.
    later: Vec<Vec<u32>>,
    has_earlier: Vec<bool>,
    /// Who read each version, and who read the initial state.
    readers: Vec<Vec<TransactionId>>,
    initial_readers: Vec<TransactionId>,
}

/// Infers all that is certain.
pub(crate) fn infer(history: &History, facts: &Facts, scope: Scope, options: RegisterOptions) -> Inferred {
    let mut keys = versions(facts);
    let mut faults = lost_updates(facts);
    for access in accesses_in_order(history, facts, options) {
        if let Some(versions) = keys.get_mut(&access.key) {
            versions.order(access.earlier, access.later);
        }
    }
    let transactions = u32::try_from(history.len()).unwrap_or(u32::MAX);
    let mut graph = GraphBuilder::new(transactions);
    for (key, versions) in &keys {
        let knots = components(versions.count(), |version, cursor| {
            let next = versions.later[version as usize].get(*cursor as usize).copied();
            *cursor += 1;
            next
        });
        faults.extend(knots.iter().map(|knot| cyclic(*key, versions, knot)));
        versions.add_reads(*key, &mut graph);
        if knots.is_empty() {
            versions.add_orders(*key, &mut graph);
        }
    }
    for read in &facts.later_reads {
        if let Some(writer) = read.writer {
            let evidence = Evidence { key: Some(read.key), from_value: read.value, to_value: read.value };
            graph.add_edge(writer, read.reader, Dependency::WriteRead, evidence);
        }
    }
    graph.add_orders(history, scope, |id| facts.took_effect[id.0 as usize]);
    Inferred { graph: graph.finish(), faults }
}

fn versions(facts: &Facts) -> BTreeMap<Key, Versions> {
    let mut keys: BTreeMap<Key, Versions> = BTreeMap::new();
    for write in &facts.writes {
        keys.entry(write.key).or_default().add(write.writer, write.value);
    }
    for read in &facts.reads {
        let versions = keys.entry(read.key).or_default();
        match (read.writer, read.value) {
            (Some(writer), Some(value)) => {
                // A version that its own writer overwrote is a fault already; whoever read it read from that writer.
                let version = versions.places.get(&writer).copied().unwrap_or_else(|| versions.add(writer, value));
                versions.readers[version as usize].push(read.reader);
                if let Some(&own) = versions.places.get(&read.reader) {
                    versions.later[version as usize].push(own);
                    versions.has_earlier[own as usize] = true;
                }
            }
            _ => versions.initial_readers.push(read.reader),
        }
    }
    keys
}

impl Versions {
    fn add(&mut self, writer: TransactionId, value: Value) -> u32 {
        let version = self.count();
        self.writers.push((writer, value));
        self.places.insert(writer, version);
        self.later.push(Vec::new());
        self.has_earlier.push(false);
        self.readers.push(Vec::new());
        version
    }

    fn count(&self) -> u32 {
        u32::try_from(self.writers.len()).unwrap_or(u32::MAX)
    }

    fn order(&mut self, earlier: TransactionId, later: TransactionId) {
        if let (Some(&earlier), Some(&later)) = (self.places.get(&earlier), self.places.get(&later))
            && earlier != later
        {
            self.later[earlier as usize].push(later);
            self.has_earlier[later as usize] = true;
        }
    }

    fn add_reads(&self, key: Key, graph: &mut GraphBuilder) {
        for (&(writer, value), readers) in self.writers.iter().zip(&self.readers) {
            let evidence = Evidence { key: Some(key), from_value: Some(value), to_value: Some(value) };
            for reader in readers {
                graph.add_edge(writer, *reader, Dependency::WriteRead, evidence);
            }
        }
    }

    fn add_orders(&self, key: Key, graph: &mut GraphBuilder) {
        for (version, later) in self.later.iter().enumerate() {
            let (writer, from) = self.writers[version];
            for &next in later {
                let (overwriter, to) = self.writers[next as usize];
                let evidence = Evidence { key: Some(key), from_value: Some(from), to_value: Some(to) };
                graph.add_edge(writer, overwriter, Dependency::WriteWrite, evidence);
                for reader in &self.readers[version] {
                    graph.add_edge(*reader, overwriter, Dependency::ReadWrite, evidence);
                }
            }
        }
        // Whoever saw the initial state comes before the first versions, and so before all.
        let first = self.writers.iter().zip(&self.has_earlier).filter(|(_, has_earlier)| !**has_earlier);
        for (&(writer, value), _) in first {
            let evidence = Evidence { key: Some(key), from_value: None, to_value: Some(value) };
            for reader in &self.initial_readers {
                graph.add_edge(*reader, writer, Dependency::ReadWrite, evidence);
            }
        }
    }
}

fn cyclic(key: Key, versions: &Versions, knot: &[u32]) -> Finding {
    let members: Vec<(TransactionId, Value)> = knot.iter().map(|version| versions.writers[*version as usize]).collect();
    let seen = members.iter().map(|(_, value)| *value).collect();
    Finding {
        anomaly: Anomaly::CyclicVersions,
        transactions: members.iter().map(|(writer, _)| *writer).collect(),
        cycle: Vec::new(),
        observation: Some(Observation { key, value: None, seen, against: Vec::new() }),
    }
}

/// Transactions that read the same version of a key and all wrote it.
fn lost_updates(facts: &Facts) -> Vec<Finding> {
    let written: std::collections::HashSet<(TransactionId, Key)> =
        facts.writes.iter().map(|write| (write.writer, write.key)).collect();
    let mut updates: BTreeMap<(Key, Option<Value>), Vec<TransactionId>> = BTreeMap::new();
    for read in facts.reads.iter().filter(|read| written.contains(&(read.reader, read.key))) {
        updates.entry((read.key, read.value)).or_default().push(read.reader);
    }
    let lost = updates.into_iter().filter(|(_, transactions)| transactions.len() > 1);
    lost.map(|((key, value), transactions)| Finding {
        anomaly: Anomaly::LostUpdate,
        transactions,
        cycle: Vec::new(),
        observation: Some(Observation { key, value, seen: value.into_iter().collect(), against: Vec::new() }),
    })
    .collect()
}

/// Two versions of a key whose order an option tells.
struct Ordered {
    key: Key,
    earlier: TransactionId,
    later: TransactionId,
}

/// One transaction's meeting with a version of a key.
#[derive(Clone, Copy)]
struct Access {
    version: TransactionId,
    process: u32,
    invoked_ns: u64,
    completed_ns: u64,
}

/// What the options tell beside the facts: the orders in which each key's versions were met.
fn accesses_in_order(history: &History, facts: &Facts, options: RegisterOptions) -> Vec<Ordered> {
    if !options.sequential_keys && !options.linearizable_keys {
        return Vec::new();
    }
    let mut keys: BTreeMap<Key, Vec<Access>> = BTreeMap::new();
    let mut meet = |id: TransactionId, key: Key, version: TransactionId| {
        let transaction = history.transaction(id);
        keys.entry(key).or_default().push(Access {
            version,
            process: transaction.process,
            invoked_ns: transaction.invoked_ns,
            completed_ns: transaction.completed_ns,
        });
    };
    // What a transaction read it met before what it wrote; sorting by time keeps that order.
    for read in &facts.reads {
        if let Some(writer) = read.writer {
            meet(read.reader, read.key, writer);
        }
    }
    for write in &facts.writes {
        meet(write.writer, write.key, write.writer);
    }
    let mut ordered = Vec::new();
    for (key, mut accesses) in keys {
        accesses.sort_by_key(|access| access.invoked_ns);
        if options.sequential_keys {
            by_process(key, &accesses, &mut ordered);
        }
        if options.linearizable_keys {
            by_time(key, &accesses, &mut ordered);
        }
    }
    ordered
}

fn by_process(key: Key, accesses: &[Access], ordered: &mut Vec<Ordered>) {
    let mut last: HashMap<u32, TransactionId> = HashMap::new();
    for access in accesses {
        if let Some(earlier) = last.insert(access.process, access.version) {
            ordered.push(Ordered { key, earlier, later: access.version });
        }
    }
}

fn by_time(key: Key, accesses: &[Access], ordered: &mut Vec<Ordered>) {
    // Those that ended and after which nothing that ended began: all earlier ones are before these.
    let mut frontier: Vec<Access> = Vec::new();
    for access in accesses {
        let ended: Vec<Access> =
            frontier.iter().copied().filter(|earlier| earlier.completed_ns < access.invoked_ns).collect();
        let latest_begin_ns = ended.iter().map(|earlier| earlier.invoked_ns).max().unwrap_or(0);
        frontier.retain(|earlier| earlier.completed_ns >= latest_begin_ns);
        for earlier in ended.iter().filter(|earlier| earlier.completed_ns >= latest_begin_ns) {
            ordered.push(Ordered { key, earlier: earlier.version, later: access.version });
        }
        frontier.push(*access);
    }
}
