//! The limit on what all clients take together: which are closed when it is exceeded, and who waits meanwhile.
//!
//! Start with [`Engine::account`].

use std::sync::atomic::Ordering::{Relaxed, SeqCst};

use super::Memory;
use crate::base::clock::unix_ms;
use crate::engine::client::Sizes;
use crate::engine::{Client, Engine, Mail};

/// Milliseconds for which clients wait for one of those that are being closed. Some cannot be closed now.
const LONGEST_CLOSING: i64 = 100;

impl Memory {
    /// Bytes of all clients, as far as they are counted.
    fn of_clients(&self) -> i64 {
        self.clients.iter().map(|bytes| bytes.load(Relaxed)).sum()
    }

    /// Whether clients are about to be closed to make room: nobody is read from before what they hold is free.
    #[inline]
    pub fn is_closing_clients(&self) -> bool {
        self.condemned.load(Relaxed) > 0 && self.is_closing_lately()
    }

    #[cold]
    fn is_closing_lately(&self) -> bool {
        unix_ms() - self.condemned_at.load(Relaxed) < LONGEST_CLOSING
    }

    /// Whether clients that may not be closed have been too much for a while.
    fn is_late(&self) -> bool {
        let now = unix_ms();
        match self.clients_since.load(Relaxed) {
            0 => {
                self.clients_since.store(now, Relaxed);
                false
            }
            since => now - since >= LONGEST_CLOSING,
        }
    }

    /// Begins a new time once all clients together are no longer too much.
    fn note_fit(&self) {
        if self.clients_since.load(Relaxed) != 0 {
            self.clients_since.store(0, Relaxed);
        }
    }

    /// Chooses a client to be closed; false when it is being closed anyway.
    fn condemn(&self, client: &Client) -> bool {
        let bytes = client.accounted.load(Relaxed);
        self.condemned_at.store(unix_ms(), Relaxed);
        self.condemned.fetch_add(bytes as i64, Relaxed);
        client.condemned.store(bytes, SeqCst);
        if client.is_killed.swap(true, SeqCst) {
            self.acquit(client);
            return false;
        }
        true
    }

    /// A client is not about to be closed any more. True when it was the last one.
    fn acquit(&self, client: &Client) -> bool {
        let bytes = client.condemned.swap(0, SeqCst) as i64;
        if bytes > 0 {
            self.condemned_at.store(unix_ms(), Relaxed);
        }
        bytes > 0 && self.condemned.fetch_sub(bytes, Relaxed) == bytes
    }

    /// Counts what a client takes now.
    fn count(&self, client: &Client, bytes: u64) {
        let before = client.accounted.swap(bytes, Relaxed);
        if before != bytes {
            self.clients[client.worker].fetch_add(bytes as i64 - before as i64, Relaxed);
        }
        if self.clients_since.load(Relaxed) != 0
            && self.of_clients() <= self.clients_limit.load(Relaxed) as i64
        {
            self.note_fit();
        }
    }
}

impl Engine {
    /// Notes what a client takes, if there is a limit for all clients together; the largest are closed when it is exceeded.
    #[inline]
    pub fn account(&self, client: &Client) {
        if self.memory.clients_limit.load(Relaxed) > 0 {
            self.account_slowly(client);
        }
    }

    #[cold]
    fn account_slowly(&self, client: &Client) {
        if client.is_killed.load(Relaxed) {
            return;
        }
        self.memory.count(client, client.allocated());
        let limit = self.memory.clients_limit.load(Relaxed);
        if self.memory.of_clients() > limit as i64 {
            self.evict_clients();
        }
    }

    /// A client has gone.
    pub fn forget_account(&self, client: &Client) {
        self.memory.count(client, 0);
        // Whoever is about to choose it sees that it is too late, or has its bytes taken back here.
        client.is_killed.store(true, SeqCst);
        if self.memory.acquit(client) {
            let mailboxes = self.mailboxes.iter();
            mailboxes.for_each(|mailbox| mailbox.post(Mail::Room));
        }
    }

    /// Closes the largest clients until the others take no more than they may. What those hold that are leaving anyway is as
    /// good as free, so nobody else has to go for it.
    #[cold]
    fn evict_clients(&self) {
        let memory = &self.memory;
        let Some(_choosing) = memory.chooses_clients.try_lock() else {
            return;
        };
        let limit = memory.clients_limit.load(Relaxed);
        if limit == 0 || memory.of_clients() <= limit as i64 {
            return;
        }
        let Sizes {
            mut candidates,
            of_protected,
        } = self.clients.sizes();
        let of_candidates: u64 = candidates.iter().map(|(bytes, _)| bytes).sum();
        let mut staying = of_candidates + of_protected;
        if staying <= limit {
            return memory.note_fit();
        }
        // If it is too much only for one that may not be closed, which perhaps is leaving, others do not go at once.
        if of_candidates <= limit && !memory.is_late() {
            return;
        }
        candidates.sort_unstable_by(|one, other| other.cmp(one));
        // Where there are many, a few more at a time: they are looked through for each round.
        let goal = match candidates.len() {
            0..1000 => limit,
            _ => limit - limit / 16,
        };
        for (bytes, id) in candidates {
            if staying <= goal {
                return;
            }
            staying -= bytes;
            if let Some(client) = self.clients.get(id) {
                self.evict_client(&client);
            }
        }
    }

    fn evict_client(&self, client: &Client) {
        if !self.memory.condemn(client) {
            return;
        }
        tracing::info!(
            "Evicting client: id={} addr={} tot-mem={}",
            client.id,
            client.address,
            client.allocated()
        );
        self.memory.count(client, 0);
        self.stats.evicted_clients.fetch_add(1, Relaxed);
        self.mailboxes[client.worker].post(Mail::Kill(client.id));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::config::Config;
    use crate::engine::client::flag;

    #[test]
    fn others_wait_while_clients_are_being_closed() {
        let memory = Memory::new(1);
        let client = || Client::new(1, 0, String::new(), String::new(), 0);
        let (large, larger, gone) = (client(), client(), client());
        for (one, bytes) in [(&large, 1000), (&larger, 2000), (&gone, 3000)] {
            memory.count(one, bytes);
        }
        gone.is_killed.store(true, Relaxed);
        assert!(!memory.condemn(&gone) && !memory.is_closing_clients());
        assert!(memory.condemn(&large) && memory.condemn(&larger));
        assert!(memory.is_closing_clients());
        assert!(!memory.acquit(&large) && !memory.acquit(&large));
        assert!(memory.is_closing_clients());
        // Not for ever: some cannot be closed now.
        memory
            .condemned_at
            .store(unix_ms() - LONGEST_CLOSING, Relaxed);
        assert!(!memory.is_closing_clients());
        assert!(memory.acquit(&larger) && !memory.acquit(&larger));
    }

    /// An engine with a limit for clients, and clients of these sizes.
    fn crowd(limit: u64, sizes: &[u64]) -> (Engine, Vec<Arc<Client>>) {
        let engine = Engine::new(Config::default(), &[]);
        engine.memory.clients_limit.store(limit, Relaxed);
        let clients = (1..).zip(sizes).map(|(id, &bytes)| {
            let client = Arc::new(Client::new(id, 0, String::new(), String::new(), 0));
            engine.clients.add(client.clone());
            engine.memory.count(&client, bytes);
            client
        });
        let clients = clients.collect();
        (engine, clients)
    }

    fn closed(clients: &[Arc<Client>]) -> Vec<u64> {
        let closed = clients.iter().filter(|one| one.is_killed.load(Relaxed));
        closed.map(|client| client.id).collect()
    }

    #[test]
    fn what_leaves_costs_nobody_else_his_place() {
        // One that CLIENT KILL has chosen and that has not gone yet, with the limit just kept, and well exceeded, by the rest.
        for (limit, sizes, expected) in [
            (4000, [3000, 800, 400], vec![1]),
            (4000, [5000, 800, 400], vec![1]),
            (1000, [5000, 800, 400], vec![1, 2]),
        ] {
            let (engine, clients) = crowd(limit, &sizes);
            clients[0].is_killed.store(true, Relaxed);
            // It was too much a while ago, too.
            let before = unix_ms() - 2 * LONGEST_CLOSING;
            engine.memory.clients_since.store(before, Relaxed);
            engine.evict_clients();
            assert_eq!(closed(&clients), expected, "{limit}");
        }
    }

    #[test]
    fn what_is_no_longer_listed_costs_nobody_his_place() {
        let (engine, clients) = crowd(1000, &[5000, 800, 400]);
        engine.clients.remove(1);
        engine.evict_clients();
        assert_eq!(closed(&clients), [2]);
    }

    #[test]
    fn each_time_with_too_much_is_a_time_of_its_own() {
        let (engine, clients) = crowd(1000, &[5000, 800]);
        clients[0].set_flag(flag::NO_EVICT, true);
        let since = &engine.memory.clients_since;
        engine.evict_clients();
        assert!(closed(&clients).is_empty() && since.load(Relaxed) > 0);
        engine.memory.count(&clients[0], 10);
        assert_eq!(since.load(Relaxed), 0);
        engine.memory.count(&clients[0], 5000);
        engine.evict_clients();
        assert!(closed(&clients).is_empty());
        since.fetch_sub(LONGEST_CLOSING, Relaxed);
        engine.evict_clients();
        assert_eq!(closed(&clients), [2]);
    }
}
