//! INFO clients.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use super::{Facts, Section};
use crate::engine::{Client, flag};
use crate::observe::rates::Recent;

/// Connections.
pub(super) const CLIENTS: Section = Section::new(
    "clients",
    "Clients",
    &[
        ("connected_clients", |facts| facts.clients.len().to_string()),
        ("cluster_connections", |_| "0".into()),
        ("maxclients", |facts| facts.config.maxclients.to_string()),
        ("client_recent_max_input_buffer", |facts| {
            largest(facts, &facts.engine.stats.recent_input, |client| {
                client.query_buffer.load(Relaxed) + client.query_buffer_free.load(Relaxed)
            })
        }),
        ("client_recent_max_output_buffer", |facts| {
            let recent = &facts.engine.stats.recent_output;
            largest(facts, recent, |client| count(&client.output_bytes))
        }),
        ("blocked_clients", |facts| {
            count(&facts.engine.clients.blocked).to_string()
        }),
        ("tracking_clients", |facts| {
            count(&facts.engine.tracking.clients).to_string()
        }),
        ("pubsub_clients", |facts| {
            facts
                .clients
                .iter()
                .filter(|client| client.has_flag(flag::PUBSUB))
                .count()
                .to_string()
        }),
        ("watching_clients", |facts| {
            facts
                .clients
                .iter()
                .filter(|client| watched(client) > 0)
                .count()
                .to_string()
        }),
        ("clients_in_timeout_table", |facts| {
            facts.engine.blocked.census().with_deadline.to_string()
        }),
        ("total_watched_keys", |facts| {
            facts
                .clients
                .iter()
                .map(|client| watched(client))
                .sum::<u64>()
                .to_string()
        }),
        ("total_blocking_keys", |facts| {
            facts.engine.blocked.census().keys.to_string()
        }),
        ("total_blocking_keys_on_nokey", |facts| {
            facts.engine.blocked.census().keys_minded.to_string()
        }),
    ],
);

fn count(counter: &AtomicU64) -> u64 {
    counter.load(Relaxed)
}

fn watched(client: &Client) -> u64 {
    client.watched.load(Relaxed).into()
}

/// The largest of these moments, clients that have left included.
fn largest(facts: &Facts<'_>, recent: &Recent, of: impl Fn(&Client) -> u64) -> String {
    let sizes = facts.clients.iter().map(|client| of(client));
    sizes.chain([recent.most()]).max().unwrap_or(0).to_string()
}
