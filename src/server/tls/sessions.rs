//! Sessions that clients may take up again without a whole handshake: how many, and for how long.

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use rustls::server::StoresServerSessions;

/// The sessions of all workers. When there are too many, the oldest is forgotten.
#[derive(Debug)]
pub(super) struct Sessions {
    most: usize,
    patience: Duration,
    stored: Mutex<Stored>,
}

#[derive(Debug, Default)]
struct Stored {
    by_key: HashMap<Vec<u8>, (Instant, Vec<u8>)>,
    /// Keys in the order in which they came, with those of sessions that have been taken.
    order: VecDeque<(Instant, Vec<u8>)>,
}

impl Sessions {
    /// Remembers at most so many sessions for at most so long; 0 stands for no limit, as it does for Redis.
    pub fn new(most: u32, seconds: u32) -> Self {
        let or_unlimited = |number: u32| match number {
            0 => u32::MAX,
            number => number,
        };
        Self {
            most: or_unlimited(most) as usize,
            patience: Duration::from_secs(or_unlimited(seconds).into()),
            stored: Mutex::default(),
        }
    }

    fn put_at(&self, key: Vec<u8>, value: Vec<u8>, now: Instant) {
        let mut stored = self.stored.lock();
        stored.by_key.insert(key.clone(), (now, value));
        stored.order.push_back((now, key));
        while let Some((since, _)) = stored.order.front()
            && (stored.order.len() > self.most || now - *since > self.patience)
        {
            stored.forget_oldest();
        }
    }

    fn get_at(&self, key: &[u8], now: Instant) -> Option<Vec<u8>> {
        let stored = self.stored.lock();
        let (since, value) = stored.by_key.get(key)?;
        (now - *since <= self.patience).then(|| value.clone())
    }
}

impl Stored {
    fn forget_oldest(&mut self) {
        if let Some((since, key)) = self.order.pop_front() {
            // It may have been stored again since.
            let is_same = |entry: &(Instant, Vec<u8>)| entry.0 == since;
            if self.by_key.get(&key).is_some_and(is_same) {
                self.by_key.remove(&key);
            }
        }
    }
}

impl StoresServerSessions for Sessions {
    fn put(&self, key: Vec<u8>, value: Vec<u8>) -> bool {
        self.put_at(key, value, Instant::now());
        true
    }

    fn get(&self, key: &[u8]) -> Option<Vec<u8>> {
        self.get_at(key, Instant::now())
    }

    fn take(&self, key: &[u8]) -> Option<Vec<u8>> {
        let value = self.get(key);
        self.stored.lock().by_key.remove(key);
        value
    }

    fn can_cache(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_go_first() {
        let sessions = Sessions::new(2, 0);
        for key in [b"a", b"b", b"c"] {
            assert!(sessions.put(key.to_vec(), key.to_vec()));
        }
        assert_eq!(sessions.get(b"a"), None);
        assert_eq!(sessions.take(b"b"), Some(b"b".to_vec()));
        assert_eq!(sessions.take(b"b"), None, "it can be taken once");
        assert_eq!(sessions.get(b"c"), Some(b"c".to_vec()));
        assert!(sessions.stored.lock().by_key.len() <= 2);
    }

    #[test]
    fn they_end_with_time() {
        let sessions = Sessions::new(10, 300);
        let now = Instant::now();
        sessions.put_at(b"a".to_vec(), b"1".to_vec(), now);
        let later = now + Duration::from_secs(300);
        assert_eq!(sessions.get_at(b"a", later), Some(b"1".to_vec()));
        assert_eq!(sessions.get_at(b"a", later + Duration::from_secs(1)), None);
        sessions.put_at(b"b".to_vec(), b"2".to_vec(), later + Duration::from_secs(1));
        assert_eq!(sessions.stored.lock().by_key.len(), 1);
    }
}
