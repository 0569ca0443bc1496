//! A client's subscriptions, kept in step with the server's registry.

use std::collections::HashSet;

use bytes::Bytes;

use super::Engine;
use super::session::Session;
use crate::pubsub::Kind;

/// A client's subscriptions.
#[derive(Debug, Default)]
pub struct Subscriptions {
    channels: HashSet<Bytes>,
    patterns: HashSet<Bytes>,
    shard_channels: HashSet<Bytes>,
}

impl Subscriptions {
    /// The names of one kind.
    pub fn of(&self, kind: Kind) -> &HashSet<Bytes> {
        match kind {
            Kind::Channel => &self.channels,
            Kind::Pattern => &self.patterns,
            Kind::Shard => &self.shard_channels,
        }
    }

    fn of_mut(&mut self, kind: Kind) -> &mut HashSet<Bytes> {
        match kind {
            Kind::Channel => &mut self.channels,
            Kind::Pattern => &mut self.patterns,
            Kind::Shard => &mut self.shard_channels,
        }
    }

    /// How many there are of the kinds that replies count together: channels and patterns, or shard channels.
    pub fn count_with(&self, kind: Kind) -> usize {
        match kind {
            Kind::Shard => self.shard_channels.len(),
            _ => self.channels.len() + self.patterns.len(),
        }
    }

    /// Whether there is none of any kind.
    pub fn is_empty(&self) -> bool {
        self.count_with(Kind::Channel) == 0 && self.shard_channels.is_empty()
    }
}

impl Engine {
    /// Adds a subscription, unless the client has it already.
    pub fn subscribe(&self, session: &mut Session, kind: Kind, name: &[u8]) {
        let subscriptions = session.subscriptions.get_or_insert_default();
        if !subscriptions.of(kind).contains(name) {
            let name = Bytes::copy_from_slice(name);
            let client = &session.client;
            self.pubsub.subscribe(client.worker, client.id, kind, &name);
            subscriptions.of_mut(kind).insert(name);
        }
        session.note_subscriptions();
    }

    /// Takes a subscription away, where the client has it.
    pub fn unsubscribe(&self, session: &mut Session, kind: Kind, name: &[u8]) {
        let Some(subscriptions) = &mut session.subscriptions else {
            return;
        };
        if let Some(name) = subscriptions.of_mut(kind).take(name) {
            let client = &session.client;
            self.pubsub
                .unsubscribe(client.worker, client.id, kind, &name);
            session.note_subscriptions();
        }
    }

    /// Takes all subscriptions away.
    pub fn unsubscribe_all(&self, session: &mut Session) {
        let Some(subscriptions) = session.subscriptions.take() else {
            return;
        };
        let client = &session.client;
        for kind in [Kind::Channel, Kind::Pattern, Kind::Shard] {
            for name in subscriptions.of(kind) {
                self.pubsub
                    .unsubscribe(client.worker, client.id, kind, name);
            }
        }
        session.note_subscriptions();
    }
}
