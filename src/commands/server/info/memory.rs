//! INFO memory and keyspace.

use super::super::footprint::human;
use super::{Facts, Section, line};
use crate::base::{alloc, machine};
use crate::engine::memory;
use crate::scripting::{vm_eval, vm_functions};

/// Memory.
pub(super) const MEMORY: Section = Section::new(
    "memory",
    "Memory",
    &[
        ("used_memory", |facts| facts.footprint.used.to_string()),
        ("used_memory_human", |facts| human(facts.footprint.used)),
        ("used_memory_rss", |facts| {
            facts.footprint.resident.to_string()
        }),
        ("used_memory_rss_human", |facts| {
            human(facts.footprint.resident)
        }),
        ("used_memory_peak", |facts| facts.footprint.peak.to_string()),
        ("used_memory_peak_human", |facts| {
            human(facts.footprint.peak)
        }),
        ("used_memory_peak_perc", |facts| {
            format!("{:.2}%", facts.footprint.peak_percent())
        }),
        ("used_memory_overhead", |facts| {
            facts.footprint.overhead().to_string()
        }),
        ("used_memory_startup", |facts| {
            facts.footprint.startup.to_string()
        }),
        ("used_memory_dataset", |facts| {
            facts.footprint.dataset().to_string()
        }),
        ("used_memory_dataset_perc", |facts| {
            format!("{:.2}%", facts.footprint.dataset_percent())
        }),
        ("allocator_allocated", |facts| {
            facts.footprint.used.to_string()
        }),
        ("allocator_active", |facts| {
            facts.footprint.committed.to_string()
        }),
        ("allocator_resident", |facts| {
            facts.footprint.resident.to_string()
        }),
        // What is given back is given back at once.
        ("allocator_muzzy", |_| "0".into()),
        ("total_system_memory", |_| system_memory().to_string()),
        ("total_system_memory_human", |_| human(system_memory())),
        ("container_memory_limit", |_| container_limit().to_string()),
        ("container_memory_limit_human", |_| human(container_limit())),
        ("used_memory_lua", |_| vm_eval().to_string()),
        ("used_memory_vm_eval", |_| vm_eval().to_string()),
        ("used_memory_lua_human", |_| human(vm_eval())),
        ("used_memory_scripts_eval", |facts| {
            facts.engine.scripts.bytes().to_string()
        }),
        ("number_of_cached_scripts", |facts| {
            facts.engine.scripts.len().to_string()
        }),
        ("number_of_functions", |facts| {
            facts.engine.functions.now().functions().to_string()
        }),
        ("number_of_libraries", |facts| {
            facts.engine.functions.now().iter().len().to_string()
        }),
        ("used_memory_vm_functions", |_| vm_functions().to_string()),
        ("used_memory_vm_total", |_| {
            (vm_eval() + vm_functions()).to_string()
        }),
        ("used_memory_vm_total_human", |_| {
            human(vm_eval() + vm_functions())
        }),
        ("used_memory_functions", |facts| {
            function_bytes(facts).to_string()
        }),
        ("used_memory_scripts", |facts| {
            script_bytes(facts).to_string()
        }),
        ("used_memory_scripts_human", |facts| {
            human(script_bytes(facts))
        }),
        ("maxmemory", |facts| limit(facts).to_string()),
        ("maxmemory_human", |facts| human(limit(facts))),
        ("maxmemory_policy", |facts| {
            facts.config.maxmemory_policy.name().into()
        }),
        ("allocator_frag_ratio", |facts| {
            ratio(facts.footprint.held().ratio)
        }),
        ("allocator_frag_bytes", |facts| {
            facts.footprint.held().bytes.to_string()
        }),
        ("allocator_rss_ratio", |facts| {
            ratio(facts.footprint.untouched().ratio)
        }),
        ("allocator_rss_bytes", |facts| {
            facts.footprint.untouched().bytes.to_string()
        }),
        // All of the process's memory is the allocator's, but for its code and stacks.
        ("rss_overhead_ratio", |_| ratio(1.0)),
        ("rss_overhead_bytes", |_| "0".into()),
        ("mem_fragmentation_ratio", |facts| {
            ratio(facts.footprint.fragmentation().ratio)
        }),
        ("mem_fragmentation_bytes", |facts| {
            facts.footprint.fragmentation().bytes.to_string()
        }),
        ("mem_not_counted_for_evict", |facts| {
            facts.footprint.journal.to_string()
        }),
        ("mem_replication_backlog", |_| "0".into()),
        ("mem_total_replication_buffers", |_| "0".into()),
        ("mem_clients_slaves", |_| "0".into()),
        ("mem_clients_normal", |facts| {
            facts.footprint.clients.to_string()
        }),
        ("mem_cluster_links", |_| "0".into()),
        ("mem_aof_buffer", |facts| {
            facts.footprint.journal.to_string()
        }),
        ("mem_allocator", |_| alloc::name()),
        // Tables grow and shrink segment by segment, with nothing held twice.
        ("mem_overhead_db_hashtable_rehashing", |_| "0".into()),
        ("active_defrag_running", |facts| {
            let is_running = facts.engine.memory.is_wasteful();
            (if is_running {
                memory::COMPACTION_PERCENT
            } else {
                0
            })
            .to_string()
        }),
        ("lazyfree_pending_objects", |facts| {
            facts.engine.reclaimer.pending().to_string()
        }),
        ("lazyfreed_objects", |facts| {
            facts.engine.reclaimer.freed().to_string()
        }),
    ],
)
.counting_keys();

fn function_bytes(facts: &Facts<'_>) -> u64 {
    facts.engine.functions.now().bytes() as u64
}

/// Bytes of the texts of scripts and functions.
fn script_bytes(facts: &Facts<'_>) -> u64 {
    facts.engine.scripts.bytes() + function_bytes(facts)
}

fn system_memory() -> u64 {
    machine::total_memory().unwrap_or(0)
}

/// What the container allows, where that is less than the machine has; else 0.
fn container_limit() -> u64 {
    let limit = machine::memory_limit().unwrap_or(0);
    if limit < system_memory() { limit } else { 0 }
}

fn limit(facts: &Facts<'_>) -> u64 {
    facts.config.maxmemory.bytes_of_machine()
}

fn ratio(value: f64) -> String {
    format!("{value:.2}")
}

/// Keys.
pub(super) const KEYSPACE: Section = Section::new("keyspace", "Keyspace", &[])
    .counting_keys()
    .with(databases);

fn databases(facts: &Facts<'_>, out: &mut String) {
    for database in &facts.databases {
        let (index, keys) = (database.index, database.keys);
        let (expires, ttl) = (database.expiring, database.average_ttl);
        let within = database.expiring_within;
        line(
            out,
            format_args!(
                "db{index}:keys={keys},expires={expires},avg_ttl={ttl},subexpiry={within}"
            ),
        );
    }
}
