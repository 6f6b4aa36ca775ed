//! How much memory items and changes take.

use pgstrata_units::Snapshot;
use pgstrata_units::memory::{HeapBytes, allocated, tree_bytes};
use serde_json::{Map, Value};

use crate::change::{Cause, Change};
use crate::conflict::{Conflict, SerializableTransaction, Wait};
use crate::horizon::{Holder, Horizon, Verdict, Viewer};
use crate::item::{Item, Key, PutItem, Server, Tier};
use crate::moment::Moment;
use crate::page::Line;
use crate::session::Session;
use crate::shared::SharedItem;
use crate::version::RowVersion;

/// What counts the holders of a shared value.
const COUNTERS_BYTES: usize = 2 * size_of::<usize>();

impl HeapBytes for Key {
    fn heap_bytes(&self) -> usize {
        self.0.heap_bytes()
    }
}

impl HeapBytes for PutItem {
    fn heap_bytes(&self) -> usize {
        self.key.heap_bytes() + self.item.heap_bytes()
    }
}

impl SharedItem {
    /// All that it takes, however many hold it.
    #[must_use]
    pub fn whole_bytes(&self) -> usize {
        allocated(size_of::<PutItem>() + COUNTERS_BYTES) + PutItem::heap_bytes(self)
    }
}

impl HeapBytes for SharedItem {
    /// The holder's part of it: the parts of all holders make the whole.
    fn heap_bytes(&self) -> usize {
        self.whole_bytes() / self.holders()
    }
}

impl HeapBytes for Item {
    fn heap_bytes(&self) -> usize {
        match self {
            Self::Server(Server { version, tiers, notes, .. }) => {
                version.heap_bytes() + allocated(tiers.capacity() * size_of::<Tier>()) + notes.heap_bytes()
            }
            Self::Session(session) => of_session(session),
            Self::Version(version) => version.heap_bytes(),
            Self::Line(Line { version, .. }) => version.heap_bytes(),
            Self::Wait(Wait { lock_type, mode, object, blockers, .. }) => {
                let texts = [lock_type, mode, object].map(HeapBytes::heap_bytes);
                texts.iter().sum::<usize>() + allocated(size_of_val::<[_]>(blockers))
            }
            Self::Serializable(SerializableTransaction { id, .. }) => id.heap_bytes(),
            Self::Conflict(Conflict { reader, writer, .. }) => reader.heap_bytes() + writer.heap_bytes(),
            Self::Horizon(Horizon { name, holders, .. }) => {
                let names: usize = holders.iter().map(|holder| holder.name.heap_bytes()).sum();
                name.heap_bytes() + allocated(holders.capacity() * size_of::<Holder>()) + names
            }
            Self::Viewer(Viewer { id, snapshot, .. }) => id.heap_bytes() + of_snapshot(snapshot),
            Self::Verdict(Verdict { viewer, version, reason, .. }) => {
                viewer.heap_bytes() + version.heap_bytes() + reason.heap_bytes()
            }
            Self::Transaction(_) | Self::Page(_) => 0,
        }
    }
}

fn of_session(session: &Session) -> usize {
    let Session { name, user, database, state, backend_type, query, isolation, waits_for, snapshot, .. } = session;
    let texts = [name, user, database, state, backend_type, query].map(HeapBytes::heap_bytes);
    let snapshot = snapshot.as_ref().map_or(0, |held| of_snapshot(&held.snapshot));
    texts.iter().sum::<usize>() + isolation.heap_bytes() + waits_for.heap_bytes() + snapshot
}

fn of_snapshot(snapshot: &Snapshot) -> usize {
    allocated(size_of_val(snapshot.in_progress()))
}

impl HeapBytes for RowVersion {
    fn heap_bytes(&self) -> usize {
        let Self { members, parent, flags, row, values, .. } = self;
        let members = allocated(size_of_val::<[_]>(members));
        members + parent.heap_bytes() + flags.heap_bytes() + row.heap_bytes() + values.as_ref().map_or(0, of_map)
    }
}

fn of_map(map: &Map<String, Value>) -> usize {
    let entries = map.iter().map(|(key, value)| key.heap_bytes() + of_value(value));
    tree_bytes(map.len(), size_of::<String>() + size_of::<Value>()) + entries.sum::<usize>()
}

fn of_value(value: &Value) -> usize {
    match value {
        Value::String(text) => text.heap_bytes(),
        Value::Array(values) => {
            allocated(values.capacity() * size_of::<Value>()) + values.iter().map(of_value).sum::<usize>()
        }
        Value::Object(map) => of_map(map),
        Value::Null | Value::Bool(_) | Value::Number(_) => 0,
    }
}

impl Change {
    /// All that it takes, as if nobody else held its items.
    #[must_use]
    pub fn whole_bytes(&self) -> usize {
        self.own_bytes() + self.put.iter().map(SharedItem::whole_bytes).sum::<usize>()
    }

    fn own_bytes(&self) -> usize {
        let cause = match &self.cause {
            Cause::Begin | Cause::Sample => 0,
            Cause::Record { name, .. } => name.heap_bytes(),
            Cause::Statement { console, sql, .. } => console.heap_bytes() + sql.heap_bytes(),
            Cause::Answer { console, text, sqlstate, .. } => {
                console.heap_bytes() + text.heap_bytes() + sqlstate.heap_bytes()
            }
            Cause::Connection { reason, .. } => reason.heap_bytes(),
        };
        let items = allocated(self.put.capacity() * size_of::<SharedItem>());
        allocated(size_of::<Self>() + COUNTERS_BYTES) + cause + items + self.drop.heap_bytes()
    }
}

impl HeapBytes for Change {
    /// With its part of the items that others hold too.
    fn heap_bytes(&self) -> usize {
        self.own_bytes() + self.put.iter().map(HeapBytes::heap_bytes).sum::<usize>()
    }
}

impl HeapBytes for Moment {
    fn heap_bytes(&self) -> usize {
        self.items.heap_bytes()
    }
}
