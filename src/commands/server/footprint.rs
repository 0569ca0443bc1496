//! Where the memory is: what INFO, MEMORY STATS and MEMORY DOCTOR tell of it.

use std::sync::atomic::Ordering::Relaxed;

use crate::base::{alloc, machine};
use crate::engine::{Call, Engine};
use crate::keyspace::Scope;
use crate::scripting::{vm_eval, vm_functions};

/// One database's figures.
pub(super) struct Database {
    pub index: usize,
    pub keys: usize,
    /// Keys with an expiry.
    pub expiring: usize,
    /// Milliseconds that they have left on average.
    pub average_ttl: i64,
    /// Keys within whose values something expires.
    pub expiring_within: usize,
    /// Bytes of the table, without what it points to.
    pub table: u64,
}

impl Database {
    /// The databases that hold keys, walked over shard by shard.
    pub fn all(call: &mut Call) -> Vec<Self> {
        let now = call.db.now();
        Self::all_in(call.db.scope(), now)
    }

    /// The same without a command.
    pub fn all_in(scope: &mut Scope<'_>, now: i64) -> Vec<Self> {
        let filled = (0..scope.keyspace().databases())
            .filter(|&index| !scope.keyspace().is_empty(index))
            .collect::<Vec<_>>();
        let describe = |index| {
            let (expiring, average_ttl) = scope.expiring(index, now);
            Self {
                index,
                keys: scope.keyspace().len(index),
                expiring,
                average_ttl,
                expiring_within: scope.expiring_within(index),
                table: scope.table_bytes(index) as u64,
            }
        };
        filled.into_iter().map(describe).collect()
    }
}

/// Bytes in use, and for what.
pub(super) struct Footprint {
    /// Asked for and not given back.
    pub used: u64,
    /// The most that ever was.
    pub peak: u64,
    /// Before any data.
    pub startup: u64,
    /// Of the machine's memory.
    pub resident: u64,
    /// Held by the allocator.
    pub committed: u64,
    /// Clients, with their buffers.
    pub clients: u64,
    /// How many clients there are.
    pub client_count: u64,
    /// Changes on their way to the append-only file.
    pub journal: u64,
    /// Scripts, with what runs them.
    pub scripts: u64,
    /// Functions, with what runs them.
    pub functions: u64,
    /// Keys of all databases.
    pub keys: u64,
    /// All tables.
    pub tables: u64,
}

impl Footprint {
    /// The figures of this moment.
    pub fn of(engine: &Engine, databases: &[Database]) -> Self {
        let used = alloc::used() as u64;
        let resident = machine::resident_memory().unwrap_or(used);
        let clients = engine.clients.all();
        let buffers = clients.iter().map(|client| client.allocated());
        Self {
            used,
            peak: engine.stats.note_peak(),
            startup: engine.stats.startup_memory.load(Relaxed),
            resident,
            // The allocator reserves address space far ahead; what it holds of memory is what is resident.
            committed: resident.max(used),
            clients: buffers.sum(),
            client_count: clients.len() as u64,
            journal: engine.journal.pending() + engine.aof.buffer_length.load(Relaxed),
            scripts: engine.scripts.bytes() + vm_eval(),
            functions: engine.functions.now().bytes() as u64 + vm_functions(),
            keys: databases.iter().map(|database| database.keys as u64).sum(),
            tables: databases.iter().map(|database| database.table).sum(),
        }
    }

    /// Everything but the data.
    pub fn overhead(&self) -> u64 {
        self.startup + self.clients + self.journal + self.scripts + self.functions + self.tables
    }

    /// The data.
    pub fn dataset(&self) -> u64 {
        self.used.saturating_sub(self.overhead())
    }

    /// What the data and its tables take.
    pub fn net(&self) -> u64 {
        self.used.saturating_sub(self.startup).max(1)
    }

    /// The data's share of what was added since the start.
    pub fn dataset_percent(&self) -> f64 {
        percent(self.dataset(), self.net())
    }

    /// The present use as a share of the peak.
    pub fn peak_percent(&self) -> f64 {
        percent(self.used, self.peak)
    }

    /// Bytes per key, everything included that was added since the start.
    pub fn per_key(&self) -> u64 {
        self.net().checked_div(self.keys).unwrap_or(0)
    }

    /// What the allocator holds beyond what was asked for.
    pub fn held(&self) -> Gap {
        Gap::new(self.committed, self.used)
    }

    /// What is in the machine's memory beyond what the allocator holds. Less than nothing where the allocator holds
    /// memory that was never touched.
    pub fn untouched(&self) -> Gap {
        Gap::new(self.resident, self.committed)
    }

    /// What is in the machine's memory beyond what was asked for.
    pub fn fragmentation(&self) -> Gap {
        Gap::new(self.resident, self.used)
    }
}

fn percent(part: u64, whole: u64) -> f64 {
    part as f64 * 100.0 / whole.max(1) as f64
}

/// Two figures that would be equal if no memory were wasted.
#[derive(Clone, Copy)]
pub(super) struct Gap {
    pub ratio: f64,
    pub bytes: i64,
}

impl Gap {
    fn new(larger: u64, smaller: u64) -> Self {
        Self {
            ratio: larger as f64 / smaller.max(1) as f64,
            bytes: larger as i64 - smaller as i64,
        }
    }
}

/// Bytes for people, as Redis writes them.
pub(super) fn human(bytes: u64) -> String {
    const UNITS: [(&str, u32); 5] = [("P", 50), ("T", 40), ("G", 30), ("M", 20), ("K", 10)];
    let unit = UNITS.iter().find(|(_, bits)| bytes >> bits > 0);
    match unit {
        Some((name, bits)) => format!("{:.2}{name}", bytes as f64 / (1u64 << bits) as f64),
        None => format!("{bytes}B"),
    }
}

#[cfg(test)]
mod tests {
    use super::human;

    #[test]
    fn bytes_for_people() {
        for (bytes, text) in [
            (0, "0B"),
            (1023, "1023B"),
            (1024, "1.00K"),
            (916_496, "895.02K"),
            (25_276_502_016, "23.54G"),
            (1 << 50, "1.00P"),
        ] {
            assert_eq!(human(bytes), text);
        }
    }
}
