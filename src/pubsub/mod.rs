//! Channels, patterns and shard channels: who listens, on which worker.
//!
//! The registry counts listeners per worker, so that a message makes one hop per worker; each worker knows which of its own
//! clients listen. A client's subscriptions are changed by its own worker alone.

use std::collections::{HashMap, HashSet};

use bytes::Bytes;
use dashmap::DashMap;
use parking_lot::{Mutex, RwLock};
use smallvec::SmallVec;

use crate::base::glob;

/// What a subscription is to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A channel, by SUBSCRIBE.
    Channel,
    /// A pattern, by PSUBSCRIBE.
    Pattern,
    /// A shard channel, by SSUBSCRIBE.
    Shard,
}

/// A message on its way to one worker.
#[derive(Debug, Clone)]
pub struct Publication {
    /// `Channel` or `Shard`.
    pub kind: Kind,
    /// Where it was published.
    pub channel: Bytes,
    /// What was published.
    pub message: Bytes,
}

/// Listeners per worker.
type Counts = SmallVec<[(u32, u32); 4]>;

fn adjust(counts: &mut Counts, worker: usize, joins: bool) {
    let worker = worker as u32;
    match counts.iter_mut().find(|(known, _)| *known == worker) {
        Some((_, count)) if joins => *count += 1,
        Some((_, count)) => *count = count.saturating_sub(1),
        None if joins => counts.push((worker, 1)),
        None => {}
    }
    counts.retain(|(_, count)| *count > 0);
}

/// Clients by what they listen to.
type Listeners = HashMap<Bytes, Vec<u64>>;

/// A worker's own listeners.
#[derive(Default)]
struct Local {
    channels: Listeners,
    patterns: Listeners,
    shard_channels: Listeners,
}

impl Local {
    fn of(&mut self, kind: Kind) -> &mut Listeners {
        match kind {
            Kind::Channel => &mut self.channels,
            Kind::Pattern => &mut self.patterns,
            Kind::Shard => &mut self.shard_channels,
        }
    }
}

/// All subscriptions of the server.
pub struct PubSub {
    channels: DashMap<Bytes, Counts>,
    shard_channels: DashMap<Bytes, Counts>,
    /// Every message is compared with all of them, so one lock does.
    patterns: RwLock<HashMap<Bytes, Counts>>,
    locals: Box<[Mutex<Local>]>,
}

impl PubSub {
    /// No subscriptions, for this many workers.
    pub fn new(workers: usize) -> Self {
        Self {
            channels: DashMap::new(),
            shard_channels: DashMap::new(),
            patterns: RwLock::default(),
            locals: (0..workers).map(|_| Mutex::default()).collect(),
        }
    }

    fn registry(&self, kind: Kind) -> &DashMap<Bytes, Counts> {
        match kind {
            Kind::Shard => &self.shard_channels,
            _ => &self.channels,
        }
    }

    /// Adds a client's subscription; it has none to this name yet.
    pub fn subscribe(&self, worker: usize, client: u64, kind: Kind, name: &Bytes) {
        let mut local = self.locals[worker].lock();
        local.of(kind).entry(name.clone()).or_default().push(client);
        if kind == Kind::Pattern {
            let mut patterns = self.patterns.write();
            adjust(patterns.entry(name.clone()).or_default(), worker, true);
        } else {
            let mut counts = self.registry(kind).entry(name.clone()).or_default();
            adjust(&mut counts, worker, true);
        }
    }

    /// Takes a client's subscription away.
    pub fn unsubscribe(&self, worker: usize, client: u64, kind: Kind, name: &Bytes) {
        let mut local = self.locals[worker].lock();
        let listeners = local.of(kind);
        let Some(clients) = listeners.get_mut(name) else {
            return;
        };
        let before = clients.len();
        clients.retain(|known| *known != client);
        if clients.len() == before {
            // It has been taken away already; see `silence`.
            return;
        }
        if clients.is_empty() {
            listeners.remove(name);
        }
        self.discount(worker, kind, name);
    }

    /// One listener less.
    fn discount(&self, worker: usize, kind: Kind, name: &Bytes) {
        if kind == Kind::Pattern {
            let mut patterns = self.patterns.write();
            if let Some(counts) = patterns.get_mut(name) {
                adjust(counts, worker, false);
                if counts.is_empty() {
                    patterns.remove(name);
                }
            }
        } else {
            let registry = self.registry(kind);
            if let Some(mut counts) = registry.get_mut(name) {
                adjust(&mut counts, worker, false);
            }
            registry.remove_if(name, |_, counts| counts.is_empty());
        }
    }

    /// Takes all subscriptions of some clients of a worker away, from any thread: they are about to be closed, and nothing
    /// that is published from now on counts them.
    pub fn silence(&self, worker: usize, clients: &HashSet<u64>) {
        let mut local = self.locals[worker].lock();
        for kind in [Kind::Channel, Kind::Pattern, Kind::Shard] {
            local.of(kind).retain(|name, listeners| {
                let before = listeners.len();
                listeners.retain(|known| !clients.contains(known));
                (listeners.len()..before).for_each(|_| self.discount(worker, kind, name));
                !listeners.is_empty()
            });
        }
    }

    /// Whether anybody listens to anything that is not a shard channel.
    pub fn has_listeners(&self) -> bool {
        !self.channels.is_empty() || !self.patterns.read().is_empty()
    }

    /// Finds out who gets a message: how many clients, on which workers.
    pub fn audience(&self, kind: Kind, channel: &[u8]) -> (usize, SmallVec<[usize; 8]>) {
        let (mut clients, mut workers) = (0, SmallVec::new());
        let mut add = |counts: &Counts| {
            for &(worker, count) in counts {
                clients += count as usize;
                if !workers.contains(&(worker as usize)) {
                    workers.push(worker as usize);
                }
            }
        };
        if let Some(counts) = self.registry(kind).get(channel) {
            add(&counts);
        }
        if kind == Kind::Channel {
            for (pattern, counts) in self.patterns.read().iter() {
                if glob::matches(pattern, channel) {
                    add(counts);
                }
            }
        }
        (clients, workers)
    }

    /// Gives a worker's clients that get a message, first those of the channel, then pattern by pattern.
    pub fn deliver(
        &self,
        worker: usize,
        publication: &Publication,
        mut give: impl FnMut(u64, Option<&Bytes>),
    ) {
        let mut local = self.locals[worker].lock();
        let channel = &publication.channel;
        for &client in local
            .of(publication.kind)
            .get(channel)
            .into_iter()
            .flatten()
        {
            give(client, None);
        }
        if publication.kind == Kind::Channel {
            let matching = local
                .patterns
                .iter()
                .filter(|(pattern, _)| glob::matches(pattern, channel));
            for (pattern, clients) in matching {
                clients
                    .iter()
                    .for_each(|&client| give(client, Some(pattern)));
            }
        }
    }

    /// Channels with listeners, those that match a pattern where one is given.
    pub fn active(&self, kind: Kind, pattern: Option<&[u8]>) -> Vec<Bytes> {
        let matches = |name: &Bytes| pattern.is_none_or(|pattern| glob::matches(pattern, name));
        self.registry(kind)
            .iter()
            .map(|item| item.key().clone())
            .filter(matches)
            .collect()
    }

    /// Clients that listen to a channel itself.
    pub fn listeners(&self, kind: Kind, channel: &[u8]) -> usize {
        self.registry(kind).get(channel).map_or(0, |counts| {
            counts.iter().map(|(_, count)| *count as usize).sum()
        })
    }

    /// Clients that listen to a channel or pattern of which this holds.
    pub fn listeners_where(&self, holds: impl Fn(&[u8], bool) -> bool) -> HashSet<u64> {
        let mut found = HashSet::new();
        for local in &self.locals {
            let local = local.lock();
            let channels = local.channels.iter().chain(&local.shard_channels);
            let names = channels.map(|(name, clients)| (name, clients, false));
            let patterns = local.patterns.iter();
            let names = names.chain(patterns.map(|(name, clients)| (name, clients, true)));
            for (_, clients, _) in names.filter(|(name, _, is_pattern)| holds(name, *is_pattern)) {
                found.extend(clients);
            }
        }
        found
    }

    /// Patterns with listeners.
    pub fn pattern_count(&self) -> usize {
        self.patterns.read().len()
    }

    /// Channels with listeners.
    pub fn channel_count(&self, kind: Kind) -> usize {
        self.registry(kind).len()
    }
}
