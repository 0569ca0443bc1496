//! Seeded random commands: the source of chance, keys that collide, values at the borders of types.

use std::collections::BTreeSet;
use std::time::{SystemTime, UNIX_EPOCH};

pub type Args = Vec<Vec<u8>>;

/// What a family can make.
#[derive(Clone, Copy)]
pub enum Family {
    /// A command with one reply, fit for a transaction too.
    Single(Single),
    /// Several commands in their order.
    Sequence(fn(&mut Generator)),
}

pub type Single = fn(&mut Generator) -> Args;

/// The connection that sends a step. The second one is there to interfere with what the first one watches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sender {
    First,
    Second,
}

/// How many replies a step has.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Replies {
    One,
    /// As many as arrive until a PING after it is answered: none, one or many.
    UntilMark,
    /// A SCAN that is repeated with each cursor given, up to the end; the first argument after the name is the cursor.
    Iteration,
    /// A RANDOMKEY whose key must exist.
    Member,
    /// A DUMP whose payload is restored in the other server.
    Carried(Carried),
}

/// Where a value of one server is restored in the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Carried {
    /// Under a key of its own, for a moment.
    Beside,
    /// Under its key.
    InPlace,
}

impl Replies {
    /// Whether the step is sent together with its neighbours.
    pub fn is_pipelined(self) -> bool {
        matches!(self, Replies::One | Replies::UntilMark)
    }
}

pub struct Step {
    pub sender: Sender,
    pub args: Args,
    pub replies: Replies,
}

/// Commands that only take part where both servers have them.
pub const OPTIONAL: &[&str] = &[
    "RPUSH",
    "SADD",
    "HSET",
    "ZADD",
    "SSUBSCRIBE",
    "SPUBLISH",
    "EVAL",
    "SORT",
    "ZUNIONSTORE",
];

/// Databases in use: few, so that MOVE, COPY and SWAPDB find something.
pub const DATABASES: &[&str] = &["0", "1", "2", "3"];

const KEYS: &[&[u8]] = &[
    b"k0",
    b"k1",
    b"k2",
    b"k3",
    b"k4",
    b"k5",
    b"k6",
    b"k7",
    b"k8",
    b"k9",
    b"k10",
    b"k11",
    b"a",
    b"ab",
    b"abc",
    b"",
    b"key with space",
    b"line\r\nend",
    b"\x00\xff\xfe",
    b"{tag}a",
    b"{tag}b",
    b"[a-z]*?\\",
    "ключ".as_bytes(),
    &[b'L'; 300],
];
/// Keys of their own for values of kilobytes, so that LCS never meets two of them.
const BIG_KEYS: &[&[u8]] = &[b"big:0", b"big:1", b"big:2"];

/// Arguments that are no number, time or option, whatever the command; as keys they stay rare.
pub const PLAIN_WORDS: &[&[u8]] = &[b"x", b"yy", b"zzz"];

const INTEGERS: &[&str] = &[
    "0",
    "1",
    "-1",
    "2",
    "10",
    "100",
    "9999",
    "10000",
    "-9223372036854775808",
    "9223372036854775807",
    "9223372036854775806",
    "-9223372036854775807",
    "9223372036854775808",
    "-9223372036854775809",
    "18446744073709551615",
    "18446744073709551616",
    "4294967296",
    "2147483647",
    "-2147483648",
    "00",
    "01",
    "+1",
    " 1",
    "1 ",
    "-0",
    "1.0",
    "1e3",
    "0x10",
    "",
    "-",
    "+",
    "abc",
    "1\0",
    "99999999999999999999",
    "٣",
];

const FLOATS: &[&str] = &[
    "0",
    "-0",
    "0.0",
    "1.5",
    "-1.5",
    "3.0e3",
    "0.1",
    "0.2",
    "-0.3",
    "1e17",
    "1e308",
    "-1e308",
    "1.7976931348623157e308",
    "1e-10",
    "5e-324",
    "inf",
    "-inf",
    "+inf",
    "infinity",
    "nan",
    "-nan",
    "0x10",
    "0x1p3",
    " 1",
    "1 ",
    "1\t",
    "1e",
    "e1",
    ".5",
    "5.",
    "-.5e-3",
    "1_0",
    "",
    "1e5000",
    "123456789012345678",
    "3.14159265358979323846",
    "1,5",
    "1.5abc",
    "--1",
];

pub fn is_known_key(key: &[u8]) -> bool {
    let mut known = (KEYS.iter().chain(BIG_KEYS).chain(PLAIN_WORDS)).chain(super::streams::KEYS);
    known.any(|known| *known == key)
        || super::sets::is_key(key)
        || super::hashes::is_key(key)
        || super::sorted_sets::is_key(key)
        || super::geo::is_key(key)
        || super::hyperloglogs::is_key(key)
}

pub struct Generator {
    state: u64,
    steps: Vec<Step>,
    common: BTreeSet<&'static str>,
    protocol: u8,
    spans: u64,
    now_s: u64,
}

impl Generator {
    pub fn new(seed: u64, protocol: u8, common: BTreeSet<&'static str>) -> Generator {
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .expect("a clock past 1970");
        Generator {
            // The rounds of the two protocols differ.
            state: seed ^ (u64::from(protocol) << 56),
            steps: Vec::new(),
            common,
            protocol,
            spans: 0,
            now_s: now.as_secs(),
        }
    }

    /// About so many steps of all families.
    pub fn chunk(&mut self, families: &[(usize, Family)], count: usize) -> Vec<Step> {
        while self.steps.len() < count {
            let total = families.iter().map(|(weight, _)| weight).sum();
            let mut ticket = self.below(total);
            let chosen = families.iter().find(|(weight, _)| {
                let is_chosen = ticket < *weight;
                ticket = ticket.saturating_sub(*weight);
                is_chosen
            });
            match chosen.expect("a ticket is below the sum").1 {
                Family::Single(single) => {
                    let args = single(self);
                    self.send(args);
                }
                Family::Sequence(sequence) => sequence(self),
            }
        }
        std::mem::take(&mut self.steps)
    }

    pub fn send(&mut self, args: Args) {
        self.push(Sender::First, args, Replies::One);
    }

    pub fn push(&mut self, sender: Sender, args: Args, replies: Replies) {
        self.steps.push(Step {
            sender,
            args,
            replies,
        });
    }

    /// The command that brings a connection back to the round's protocol after RESET.
    pub fn hello(&self) -> Args {
        vec![b"HELLO".to_vec(), self.protocol.to_string().into_bytes()]
    }

    pub fn protocol(&self) -> u8 {
        self.protocol
    }

    /// Whether both servers have a command of `OPTIONAL`.
    pub fn both_have(&self, name: &str) -> bool {
        self.common.contains(name)
    }

    // ---- Chance (splitmix64)

    pub fn below(&mut self, bound: usize) -> usize {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((mixed ^ (mixed >> 31)) % bound as u64) as usize
    }

    pub fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    pub fn pick<T: Copy>(&mut self, items: &[T]) -> T {
        items[self.below(items.len())]
    }

    /// Items in random order, fewer or the same.
    pub fn some<T: Copy>(&mut self, items: &[T], most: usize) -> Vec<T> {
        let mut left = items.to_vec();
        let count = self.below(most.min(items.len()) + 1);
        (0..count)
            .map(|_| left.swap_remove(self.below(left.len())))
            .collect()
    }

    // ---- Words, keys, values

    /// A command name or option in upper, lower or mixed case.
    pub fn word(&mut self, word: &str) -> Vec<u8> {
        match self.below(4) {
            0 => word.to_lowercase().into_bytes(),
            1 => {
                let mut bytes = word.as_bytes().to_vec();
                for byte in &mut bytes {
                    if self.chance(50) {
                        byte.make_ascii_lowercase();
                    }
                }
                bytes
            }
            _ => word.as_bytes().to_vec(),
        }
    }

    /// The words of a literal line, names at the front in random case.
    pub fn line(&mut self, line: &str) -> Args {
        line.split(' ').map(|word| self.word(word)).collect()
    }

    pub fn key(&mut self) -> Vec<u8> {
        // The first keys are named more often: collisions are what finds faults.
        let range = if self.chance(60) { 8 } else { KEYS.len() };
        KEYS[self.below(range)].to_vec()
    }

    pub fn big_key(&mut self) -> Vec<u8> {
        self.pick(BIG_KEYS).to_vec()
    }

    pub fn keys(&mut self, most: usize) -> Args {
        let count = 1 + self.below(most);
        (0..count).map(|_| self.key()).collect()
    }

    pub fn database(&mut self) -> Vec<u8> {
        match self.chance(92) {
            true => self.pick(DATABASES).into(),
            false => self
                .pick(&["-1", "16", "99999999999999999999", "abc", "", "1.0", " 1"])
                .into(),
        }
    }

    pub fn integer(&mut self) -> Vec<u8> {
        match self.chance(55) {
            true => (self.below(2_000) as i64 - 1_000).to_string().into_bytes(),
            false => self.pick(INTEGERS).into(),
        }
    }

    pub fn float(&mut self) -> Vec<u8> {
        match self.chance(35) {
            true => {
                let (whole, part) = (self.below(200) as i64 - 100, self.below(1_000));
                format!("{whole}.{part}").into_bytes()
            }
            false => self.pick(FLOATS).into(),
        }
    }

    /// An index into a string, as GETRANGE takes it.
    pub fn index(&mut self) -> Vec<u8> {
        match self.chance(80) {
            true => (self.below(80) as i64 - 30).to_string().into_bytes(),
            false => self.integer(),
        }
    }

    pub fn value(&mut self) -> Vec<u8> {
        match self.below(20) {
            0..=5 => (self.below(20_200) as i64 - 100).to_string().into_bytes(),
            6..=7 => self.pick(INTEGERS).into(),
            8..=9 => self.float(),
            10..=11 => {
                // 44 bytes is the longest string that Redis embeds.
                let length = self.pick(&[43, 44, 45, 64]);
                self.text(length)
            }
            12 => Vec::new(),
            13 => {
                let length = self.below(40);
                (0..length).map(|_| self.below(256) as u8).collect()
            }
            14 => {
                let length = self.below(500);
                self.text(length)
            }
            _ => {
                let length = 1 + self.below(24);
                self.text(length)
            }
        }
    }

    /// Text of three letters, so that two of them have much in common.
    pub fn text(&mut self, length: usize) -> Vec<u8> {
        (0..length).map(|_| self.pick(b"abc")).collect()
    }

    pub fn pattern(&mut self) -> Vec<u8> {
        const PATTERNS: &[&[u8]] = &[
            b"*",
            b"k*",
            b"k?",
            b"k[0-3]",
            b"k[^0-3]",
            b"k[3-0]",
            b"k1*",
            b"*1*",
            b"",
            b"[",
            b"k[",
            b"k[0",
            b"k[0-",
            b"\\",
            b"k\\0",
            b"\\[a-z\\]\\*\\?\\\\",
            b"*\xff*",
            b"**a**",
            b"?",
            b"[ak]*",
            b"K*",
            b"k[\\0]",
            b"*\r\n*",
            b"a*b*c",
            b"{tag}?",
            b"L*L",
            b"k0",
            b"[^k]*",
            b"????",
            b"k[]0]",
            b"k[^]",
        ];
        self.pick(PATTERNS).to_vec()
    }

    // ---- Times. All of them are far away and none is given twice, so that neither the race between the two servers
    // nor the time that passes during the test can change which of two is later.

    /// A span in seconds.
    pub fn span_s(&mut self) -> u64 {
        self.spans += 1;
        // An odd factor permutes the numbers below a power of two.
        (1 + self.spans.wrapping_mul(0x9_E375) % (1 << 20)) * 1_000
    }

    pub fn seconds(&mut self) -> Vec<u8> {
        self.span_s().to_string().into_bytes()
    }

    pub fn milliseconds(&mut self) -> Vec<u8> {
        (self.span_s() * 1_000 + 7).to_string().into_bytes()
    }

    pub fn time_s(&mut self) -> Vec<u8> {
        (self.now_s + self.span_s()).to_string().into_bytes()
    }

    pub fn time_ms(&mut self) -> Vec<u8> {
        ((self.now_s + self.span_s()) * 1_000 + 7)
            .to_string()
            .into_bytes()
    }

    /// A time or a span that is refused, or is past: what deletes the key where that is allowed.
    pub fn odd_time(&mut self) -> Vec<u8> {
        const ODD: &[&str] = &[
            "0",
            "-1",
            "-1000",
            "-9223372036854775808",
            "9223372036854775807",
            "9223372036854775808",
            "abc",
            "",
            "1.5",
            " 10000",
            "10000 ",
            "9223372036854776",
            "-9223372036854776",
        ];
        self.pick(ODD).into()
    }
}
