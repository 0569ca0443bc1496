//! Random commands: every command of the server's own table, by the syntax that it tells of itself and against it, on keys
//! of all types, with numbers at the borders of types. The server must live, panic nowhere, answer in time and keep its
//! memory.
//!
//! `OXIDIS_FUZZ_COMMANDS` sets how many commands are sent, `OXIDIS_FUZZ_SEED` which ones.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::time::{Duration, Instant};

use oxidis::base::crc64::crc64;

use super::chance::{Dice, NUMBERS, asked};
use crate::common::{Raw, Reply, Server, frame};

type Args = Vec<Vec<u8>>;

/// Commands sent before the replies are read.
const BATCH: usize = 8;
/// A batch that takes longer waits for something, or hangs.
const PATIENCE: Duration = Duration::from_millis(50);
/// Within which an observer must be answered, however busy the server is with a batch.
const LIMIT: Duration = Duration::from_secs(60);
/// What the process may hold: arguments and values are small, by the server's configuration.
const MOST_MEMORY: usize = 2 << 30;

/// Not sent: they end the server, silence the connection, or open connections to elsewhere.
const LEFT_OUT: &[&str] = &[
    "shutdown",
    "debug",
    "monitor",
    "client|reply",
    "client|pause",
    "client|kill",
    "config|set",
    "config|rewrite",
    "migrate",
    "replicaof",
    "slaveof",
    "psync",
    "sync",
    "failover",
    "acl|setuser",
    "acl|deluser",
    "acl|load",
    "acl|save",
];

const KEYS: &[&str] = &[
    "text", "number", "long", "bits", "hll", "list", "longlist", "set", "ints", "bigset", "hash",
    "bighash", "zset", "bigzset", "geo", "stream", "missing", "other", "{tag}a", "",
];

const WORDS: &[&str] = &[
    "a",
    "b",
    "m1",
    "f1",
    "g",
    "c1",
    "*",
    "-",
    "+",
    "(1",
    "[a",
    "$",
    ">",
    "=",
    "~",
    "1-1",
    "5-0",
    "0-0",
    "18446744073709551615-18446744073709551615",
    "9999-*",
    "u8",
    "i64",
    "u63",
    "u64",
    "i65",
    "#1",
    "#-1",
    "#9223372036854775807",
    "m",
    "km",
    "*a*a*a*a*b",
    "[",
    "[^",
    "[a-",
    "\\",
    "\r\n",
    "EX",
    "PX",
    "NX",
    "COUNT",
    "LIMIT",
    "WITHSCORES",
    "FIELDS",
    "BLOCK",
    "STREAMS",
    "BY",
    "GET",
    "STORE",
    "MAXLEN",
    "MINID",
    "IDMP",
];

const SCRIPTS: &[&str] = &[
    "return redis.call(unpack(ARGV))",
    "return redis.pcall(unpack(ARGV))",
    "redis.setresp(3) return redis.call(unpack(ARGV))",
    "return {ARGV, redis.pcall(unpack(ARGV)), cjson.encode(ARGV), #cmsgpack.pack(ARGV)}",
    "return redis.pcall(unpack(ARGV))['err']",
];

/// A command, or a subcommand with its container's name, as COMMAND DOCS tells it.
struct Known {
    name: Args,
    arguments: Vec<Reply>,
}

struct Fuzzer {
    dice: Dice,
    commands: Vec<Known>,
    /// What DUMP gave of each key.
    payloads: Args,
}

/// A field of a map that came as an array.
fn field<'r>(pairs: &'r Reply, name: &str) -> Option<&'r Reply> {
    let Reply::Array(items) = pairs else {
        return None;
    };
    let mut pairs = items.chunks_exact(2);
    pairs.find_map(|pair| (pair[0].text() == name).then_some(&pair[1]))
}

fn list(reply: Option<&Reply>) -> Vec<Reply> {
    match reply {
        Some(Reply::Array(items)) => items.clone(),
        _ => Vec::new(),
    }
}

/// Adds the commands of a list of names and documents.
fn gather(documents: Vec<Reply>, commands: &mut Vec<Known>) {
    for pair in documents.chunks_exact(2) {
        let name = pair[0].text();
        if LEFT_OUT.contains(&name.as_str()) {
            continue;
        }
        gather(list(field(&pair[1], "subcommands")), commands);
        commands.push(Known {
            name: name
                .split('|')
                .map(|part| part.as_bytes().to_vec())
                .collect(),
            arguments: list(field(&pair[1], "arguments")),
        });
    }
}

impl Fuzzer {
    fn key(&mut self) -> Vec<u8> {
        self.dice.pick(KEYS).as_bytes().to_vec()
    }

    fn number(&mut self) -> Vec<u8> {
        match self.dice.below(4) {
            0 => self.dice.below(20).to_string().into_bytes(),
            _ => self.dice.pick(NUMBERS).as_bytes().to_vec(),
        }
    }

    fn text(&mut self) -> Vec<u8> {
        match self.dice.below(12) {
            0..=6 => self.dice.pick(WORDS).as_bytes().to_vec(),
            7 => self.number(),
            8 => self.key(),
            9 => self.payload(),
            10 => vec![b'a'; self.dice.below(300)],
            _ => self.dice.bytes(40),
        }
    }

    /// A dumped value, often damaged, with the checksum that belongs to it.
    fn payload(&mut self) -> Vec<u8> {
        if self.payloads.is_empty() {
            return Vec::new();
        }
        let mut payload = self.dice.pick(&self.payloads).clone();
        payload.truncate(payload.len() - 8);
        let version = payload.split_off(payload.len() - 2);
        for _ in 0..self.dice.below(4) {
            self.dice.damage(&mut payload);
        }
        payload.extend(version);
        let sum = crc64(0, &payload).to_le_bytes();
        payload.extend(sum);
        payload
    }

    /// An argument by its description.
    fn argument(&mut self, described: &Reply, out: &mut Args) {
        let has = |flag: &str| {
            list(field(described, "flags"))
                .iter()
                .any(|one| one.text() == flag)
        };
        if has("optional") && self.dice.once_in(2) {
            return;
        }
        let kind = field(described, "type")
            .map(Reply::text)
            .unwrap_or_default();
        let token = field(described, "token").map(|token| token.text().into_bytes());
        let times = if has("multiple") {
            1 + self.dice.below(4)
        } else {
            1
        };
        for time in 0..times {
            if let Some(token) = &token
                && (time == 0 || has("multiple_token"))
            {
                out.push(token.clone());
            }
            let inner = list(field(described, "arguments"));
            match kind.as_str() {
                "pure-token" => {}
                "oneof" if !inner.is_empty() => {
                    let chosen = self.dice.pick(&inner).clone();
                    self.argument(&chosen, out);
                }
                "block" => inner.iter().for_each(|one| self.argument(one, out)),
                "key" => out.push(self.key()),
                "integer" | "double" | "unix-time" => out.push(self.number()),
                _ => out.push(self.text()),
            }
        }
    }

    fn command(&mut self) -> Args {
        let chosen = self.dice.below(self.commands.len());
        let mut args = self.commands[chosen].name.clone();
        match self.dice.below(5) {
            // Anything at all.
            0 => {
                for _ in 0..self.dice.below(8) {
                    let arg = match self.dice.below(3) {
                        0 => self.key(),
                        1 => self.number(),
                        _ => self.text(),
                    };
                    args.push(arg);
                }
            }
            _ => {
                let described = std::mem::take(&mut self.commands[chosen].arguments);
                described
                    .iter()
                    .for_each(|one| self.argument(one, &mut args));
                self.commands[chosen].arguments = described;
            }
        }
        self.spoil(&mut args);
        if self.dice.once_in(8) {
            let script = self.dice.pick(SCRIPTS).as_bytes().to_vec();
            let head = [b"EVAL".to_vec(), script, b"0".to_vec()];
            args.splice(0..0, head);
        }
        args
    }

    /// Now and then an argument too many, too few, twice, or another one.
    fn spoil(&mut self, args: &mut Args) {
        let at = 1 + self.dice.below(args.len());
        if self.dice.once_in(3) && at < args.len() {
            match self.dice.below(4) {
                0 => drop(args.remove(at)),
                1 => args[at] = self.text(),
                2 => args[at] = self.number(),
                _ => args.insert(at, args[at].clone()),
            }
        }
    }
}

/// Makes the keys of all types, as far as they are missing or something else by now.
fn fill(raw: &mut Raw) {
    let many = |command: &str, key: &str, item: &dyn Fn(usize) -> String| {
        let items: Vec<String> = (0..300).map(item).collect();
        format!("{command} {key} {}", items.join(" "))
    };
    let lines = [
        "SET text hello".to_owned(),
        "SET number 17".to_owned(),
        format!(
            "SET long {}",
            "long ".repeat(2).replace(' ', "x").repeat(2_000)
        ),
        "SETBIT bits 999 1".to_owned(),
        "PFADD hll a b c".to_owned(),
        "RPUSH list a b 1 2 c".to_owned(),
        many("RPUSH", "longlist", &|n| {
            format!("element:{n}:{}", "x".repeat(50))
        }),
        "SADD set a b m1".to_owned(),
        "SADD ints 1 2 3 70000 -5".to_owned(),
        many("SADD", "bigset", &|n| format!("m{n}")),
        "HSET hash f1 1 f2 two".to_owned(),
        many("HSET", "bighash", &|n| format!("f{n} {n}")),
        "HPEXPIRE bighash 600000 FIELDS 2 f1 f2".to_owned(),
        "ZADD zset 1 a 2 b 2 c inf m1".to_owned(),
        many("ZADD", "bigzset", &|n| format!("{n} m{n}")),
        "GEOADD geo 13.36 38.11 a 15.08 37.5 b 2.3 48.8 c".to_owned(),
        many("XADD", "stream *", &|n| format!("f{n} {n}")),
        "XADD stream * a b".to_owned(),
        "XGROUP CREATE stream g 0".to_owned(),
        "XREADGROUP GROUP g c1 COUNT 1 STREAMS stream >".to_owned(),
    ];
    raw.ask("RESET");
    for line in lines {
        raw.ask(&line);
    }
}

fn resident(pid: u32) -> usize {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    let kilobytes = line.and_then(|line| line.split_whitespace().nth(1)?.parse::<usize>().ok());
    kilobytes.unwrap_or(0) * 1024
}

fn shown(recent: &VecDeque<Args>) -> String {
    let mut out = String::new();
    for args in recent {
        let words: Vec<String> = args
            .iter()
            .map(|arg| arg.escape_ascii().to_string())
            .collect();
        let _ = writeln!(out, "  {}", words.join(" "));
    }
    out
}

/// Sends a batch and reads its replies; false when the connection is of no more use.
fn exchange(raw: &mut Raw, batch: &[Args]) -> bool {
    let mut bytes = Vec::new();
    for args in batch {
        let args: Vec<&[u8]> = args.iter().map(Vec::as_slice).collect();
        bytes.extend(frame(&args));
    }
    raw.try_send(&bytes).is_ok() && batch.iter().all(|_| raw.try_read().is_ok())
}

#[test]
fn random_commands_hurt_nobody() {
    let count = asked("OXIDIS_FUZZ_COMMANDS", 6_000);
    let seed = asked("OXIDIS_FUZZ_SEED", 0x9e37_79b9_7f4a_7c15) as u64 | 1;
    let server = Server::start(&["--proto-max-bulk-len", "1mb", "--databases", "4"]);
    let pid = server.pid();
    let mut observer = server.raw();
    observer.set_timeout(LIMIT);
    let mut fuzzer = Fuzzer {
        dice: Dice(seed),
        commands: Vec::new(),
        payloads: Vec::new(),
    };
    gather(observer.ask("COMMAND DOCS").items(), &mut fuzzer.commands);
    assert!(fuzzer.commands.len() > 200);
    let (mut recent, mut sent, mut raw) = (VecDeque::new(), 0, server.raw());
    raw.set_timeout(PATIENCE);
    while sent < count {
        if sent % (50 * BATCH) == 0 {
            fill(&mut observer);
            fuzzer.payloads = dumped(&mut observer);
        }
        if sent % (10_000 * BATCH) == 0 {
            println!("{sent} commands");
        }
        let batch: Vec<Args> = (0..BATCH).map(|_| fuzzer.command()).collect();
        sent += BATCH;
        recent.extend(batch.iter().cloned());
        recent.drain(..recent.len().saturating_sub(4 * BATCH));
        let is_fine = exchange(&mut raw, &batch);
        let since = Instant::now();
        let report = |what: &str| {
            format!(
                "{what}; OXIDIS_FUZZ_SEED={seed}, {sent} commands, {:?}, the last:\n{}",
                since.elapsed(),
                shown(&recent)
            )
        };
        if observer.try_send(b"*1\r\n$4\r\nPING\r\n").is_err() || observer.try_read().is_err() {
            panic!("{}", report("no answer"));
        }
        assert!(!server.log().contains("panicked"), "{}", report("a panic"));
        assert!(resident(pid) < MOST_MEMORY, "{}", report("too much memory"));
        if !is_fine {
            raw = server.raw();
            raw.set_timeout(PATIENCE);
        }
    }
    assert_eq!(server.pid(), pid);
}

fn dumped(raw: &mut Raw) -> Args {
    let dumps = KEYS
        .iter()
        .map(|key| raw.command(&[b"DUMP", key.as_bytes()]));
    let payloads = dumps.filter_map(|reply| match reply {
        Reply::Bulk(payload) => Some(payload),
        _ => None,
    });
    payloads.collect()
}
