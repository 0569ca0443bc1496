//! The scripts that EVALSHA finds: their texts, shared by all workers. Each worker compiles those that it runs.

use std::cell::{Cell, RefCell};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, AtomicUsize, Ordering::Relaxed};

use dashmap::DashMap;
use sha1::{Digest as _, Sha1};

use super::header::{self, ScriptFlags};

/// A script's SHA1.
pub type Digest = [u8; 20];

/// Scripts that only EVAL has brought are kept up to this number; then the one unused for longest goes.
const MOST_UNLOADED: usize = 500;

/// The SHA1 of a text.
pub fn digest_of(text: &[u8]) -> Digest {
    Sha1::digest(text).into()
}

thread_local! {
    /// The text that this thread was last asked for the SHA1 of, and that.
    static LAST: RefCell<(Vec<u8>, Digest)> = const { RefCell::new((Vec::new(), [0; 20])) };
}

/// Longer texts are not remembered.
const LONGEST_REMEMBERED: usize = 16 << 10;

/// The SHA1 of a script's text. EVAL asks more than once, and mostly sends the same text again.
pub fn digest_of_script(text: &[u8]) -> Digest {
    LAST.with_borrow_mut(|(last, digest)| {
        if last == text && !text.is_empty() {
            return *digest;
        }
        let fresh = digest_of(text);
        if text.len() <= LONGEST_REMEMBERED {
            last.clear();
            last.extend_from_slice(text);
            *digest = fresh;
        }
        fresh
    })
}

thread_local! {
    /// The digits that this thread has read last, and what they stand for.
    static LAST_NAME: Cell<([u8; 40], Digest)> = const { Cell::new(([b'0'; 40], [0; 20])) };
}

/// What a byte stands for as a hexadecimal digit; 255 for none.
const DIGITS: [u8; 256] = {
    let mut digits = [255; 256];
    let mut value = 0;
    while value < 16 {
        digits[b"0123456789abcdef"[value] as usize] = value as u8;
        digits[b"0123456789ABCDEF"[value] as usize] = value as u8;
        value += 1;
    }
    digits
};

/// A SHA1 in hexadecimal digits.
pub fn parse_digest(text: &[u8]) -> Option<Digest> {
    let text: &[u8; 40] = text.try_into().ok()?;
    // EVALSHA asks more than once, and mostly names the same script again.
    let (last, known) = LAST_NAME.get();
    if last == *text {
        return Some(known);
    }
    let mut digest = Digest::default();
    let mut seen = 0;
    for (byte, pair) in digest.iter_mut().zip(text.chunks_exact(2)) {
        let (high, low) = (DIGITS[usize::from(pair[0])], DIGITS[usize::from(pair[1])]);
        seen |= high | low;
        *byte = high << 4 | low & 15;
    }
    if seen >= 16 {
        return None;
    }
    LAST_NAME.set((*text, digest));
    Some(digest)
}

/// How a script came, and so how long it stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keep {
    /// By SCRIPT LOAD: until SCRIPT FLUSH.
    Always,
    /// By EVAL: while it is among those used last.
    WhileUsed,
}

/// A script that can be called.
#[derive(Debug)]
pub struct Script {
    /// Its SHA1.
    pub digest: Digest,
    /// Its text.
    pub body: Box<[u8]>,
    /// What it declares.
    pub flags: ScriptFlags,
    /// How many of its first bytes are not Lua.
    pub(super) skip: usize,
    /// What has been found out of its reach.
    reach: AtomicU8,
    is_loaded: AtomicBool,
    is_gone: AtomicBool,
    used: AtomicU64,
}

/// What has been found out of what a script can reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reach {
    /// Nobody has looked.
    Unknown,
    /// Nothing has been proven.
    Anything,
    /// All that it calls is known; it leaves what it finds as it is.
    Known,
    /// Besides, it touches no keys but those that it declares, and is over soon.
    ItsKeys,
}

impl Script {
    /// A script of this text, which is not in the cache yet.
    pub fn new(body: &[u8], digest: Digest) -> Result<Self, String> {
        let (flags, skip) = header::of_script(body)?;
        Ok(Self {
            digest,
            body: body.into(),
            flags,
            skip,
            reach: AtomicU8::new(Reach::Unknown as u8),
            is_loaded: AtomicBool::new(false),
            is_gone: AtomicBool::new(false),
            used: AtomicU64::new(0),
        })
    }

    /// The SHA1 in hexadecimal digits.
    pub fn name(&self) -> String {
        self.digest
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect()
    }

    /// Whether it was taken out of the cache.
    pub fn is_gone(&self) -> bool {
        self.is_gone.load(Relaxed)
    }

    /// Whether nobody has looked at what it can reach.
    pub fn is_unexplored(&self) -> bool {
        self.reach.load(Relaxed) == Reach::Unknown as u8
    }

    /// Notes what has been found.
    pub fn set_reach(&self, reach: Reach) {
        self.reach.store(reach as u8, Relaxed);
    }

    /// Whether all that it calls is known.
    pub(super) fn is_proven(&self) -> bool {
        self.reach.load(Relaxed) >= Reach::Known as u8
    }

    /// Whether it keeps to its keys.
    pub fn is_confined(&self) -> bool {
        self.reach.load(Relaxed) == Reach::ItsKeys as u8
    }

    fn bytes(&self) -> u64 {
        (self.body.len() + size_of::<Self>() + size_of::<Digest>()) as u64
    }
}

/// All scripts that can be called.
#[derive(Debug, Default)]
pub struct Scripts {
    by_digest: DashMap<Digest, Arc<Script>>,
    /// Grows with each use of a script that may have to go.
    clock: AtomicU64,
    unloaded: AtomicUsize,
    bytes: AtomicU64,
    evicted: AtomicU64,
    /// Grows when all scripts are forgotten; then interpreters begin anew, too.
    flushes: AtomicU64,
}

impl Scripts {
    /// How often all scripts have been forgotten.
    pub fn flushes(&self) -> u64 {
        self.flushes.load(Relaxed)
    }

    /// A script by its SHA1.
    pub fn get(&self, digest: &Digest) -> Option<Arc<Script>> {
        self.by_digest
            .get(digest)
            .map(|script| script.value().clone())
    }

    /// Whether there is such a script.
    pub fn contains(&self, digest: &Digest) -> bool {
        self.by_digest.contains_key(digest)
    }

    /// Notes that EVAL has used a script.
    pub fn note_use(&self, script: &Script) {
        if !script.is_loaded.load(Relaxed) {
            script
                .used
                .store(self.clock.fetch_add(1, Relaxed) + 1, Relaxed);
        }
    }

    /// Adds a script that has been compiled, or keeps the one that is there already.
    pub fn add(&self, script: Arc<Script>, keep: Keep) -> Arc<Script> {
        let bytes = script.bytes();
        let mut is_new = false;
        let kept = {
            let entry = self.by_digest.entry(script.digest);
            let kept = entry.or_insert_with(|| {
                is_new = true;
                script
            });
            kept.value().clone()
        };
        self.note_use(&kept);
        let was_loaded = match keep {
            Keep::Always => kept.is_loaded.swap(true, Relaxed),
            Keep::WhileUsed => kept.is_loaded.load(Relaxed),
        };
        if is_new {
            self.bytes.fetch_add(bytes, Relaxed);
        }
        match (is_new, keep) {
            (true, Keep::WhileUsed) => {
                self.unloaded.fetch_add(1, Relaxed);
                self.evict();
            }
            (false, Keep::Always) if !was_loaded => {
                self.unloaded.fetch_sub(1, Relaxed);
            }
            _ => {}
        }
        kept
    }

    /// Lets scripts go that nobody has loaded, the one unused for longest first, until few enough are left.
    fn evict(&self) {
        while self.unloaded.load(Relaxed) > MOST_UNLOADED {
            let all = self.by_digest.iter();
            let unloaded = all.filter(|script| !script.is_loaded.load(Relaxed));
            let uses = unloaded.map(|script| (script.used.load(Relaxed), script.digest));
            let Some((_, digest)) = uses.min() else {
                return;
            };
            let removed =
                (self.by_digest).remove_if(&digest, |_, script| !script.is_loaded.load(Relaxed));
            if let Some((_, script)) = removed {
                script.is_gone.store(true, Relaxed);
                self.bytes.fetch_sub(script.bytes(), Relaxed);
                self.unloaded.fetch_sub(1, Relaxed);
                self.evicted.fetch_add(1, Relaxed);
            }
        }
    }

    /// Forgets all scripts.
    pub fn flush(&self) {
        self.flushes.fetch_add(1, Relaxed);
        self.by_digest.retain(|_, script| {
            script.is_gone.store(true, Relaxed);
            self.bytes.fetch_sub(script.bytes(), Relaxed);
            if !script.is_loaded.load(Relaxed) {
                self.unloaded.fetch_sub(1, Relaxed);
            }
            false
        });
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.by_digest.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.by_digest.is_empty()
    }

    /// Bytes that their texts take.
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Relaxed)
    }

    /// How many went because others came.
    pub fn evicted(&self) -> u64 {
        self.evicted.load(Relaxed)
    }

    /// CONFIG RESETSTAT.
    pub fn reset_statistics(&self) {
        self.evicted.store(0, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn script(number: usize) -> Arc<Script> {
        let body = format!("return {number}");
        Script::new(body.as_bytes(), digest_of(body.as_bytes()))
            .unwrap()
            .into()
    }

    #[test]
    fn digests_are_read_in_any_case() {
        let digest = digest_of(b"return 1");
        let name = Script::new(b"return 1", digest).unwrap().name();
        assert_eq!(name, "e0e1f9fabfc9d4800c877a703b823ac0578ff8db");
        assert_eq!(parse_digest(name.as_bytes()), Some(digest));
        assert_eq!(parse_digest(name.to_uppercase().as_bytes()), Some(digest));
        assert_eq!(parse_digest(&name.as_bytes()[1..]), None);
        assert_eq!(parse_digest(&[b'g'; 40]), None);
    }

    #[test]
    fn what_eval_brought_goes_when_unused() {
        let scripts = Scripts::default();
        let loaded = scripts.add(script(0), Keep::Always);
        let first = scripts.add(script(1), Keep::WhileUsed);
        for number in 2..=MOST_UNLOADED {
            scripts.add(script(number), Keep::WhileUsed);
        }
        scripts.note_use(&first);
        assert_eq!(scripts.len(), MOST_UNLOADED + 1);
        scripts.add(script(MOST_UNLOADED + 1), Keep::WhileUsed);
        assert_eq!((scripts.len(), scripts.evicted()), (MOST_UNLOADED + 1, 1));
        assert!(!first.is_gone() && !loaded.is_gone());
        assert!(!scripts.contains(&script(2).digest));
        scripts.add(script(3), Keep::Always);
        scripts.flush();
        assert!(scripts.is_empty() && first.is_gone() && loaded.is_gone());
        assert_eq!((scripts.bytes(), scripts.unloaded.load(Relaxed)), (0, 0));
    }
}
