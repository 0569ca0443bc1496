//! INFO replication and cluster.

use super::Section;

/// This server is nobody's replica and has none.
pub(super) const REPLICATION: Section = Section::new(
    "replication",
    "Replication",
    &[
        ("role", |_| "master".into()),
        ("connected_slaves", |_| "0".into()),
        ("master_failover_state", |_| "no-failover".into()),
        ("master_replid", |facts| {
            facts.engine.identity.replication_id.lock().clone()
        }),
        ("master_replid2", |_| "0".repeat(40)),
        ("master_repl_offset", |_| "0".into()),
        ("second_repl_offset", |_| "-1".into()),
        ("repl_backlog_active", |_| "0".into()),
        ("repl_backlog_size", |facts| {
            let found = facts.config.get(&["repl-backlog-size"]).pop();
            found.map(|(_, value)| value).unwrap_or_default()
        }),
        ("repl_backlog_first_byte_offset", |_| "0".into()),
        ("repl_backlog_histlen", |_| "0".into()),
    ],
);

/// Whether this is a node of a cluster.
pub(super) const CLUSTER: Section = Section::new(
    "cluster",
    "Cluster",
    &[("cluster_enabled", |facts| {
        u8::from(facts.config.cluster_enabled).to_string()
    })],
);
