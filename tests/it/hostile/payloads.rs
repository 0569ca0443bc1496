//! Values that somebody else dumped: wrong lengths, counts and links in every encoding, with a good checksum
//! (CVE-2021-32628, 32687 and 41099 intsets, listpacks and ziplists, CVE-2026-25243 RESTORE, CVE-2026-63639 pending entries
//! of two consumers), and HyperLogLogs that somebody else wrote (CVE-2025-32023).
//!
//! `OXIDIS_MUTATIONS` sets how many damaged payloads are sent, beside those that are cut at each place.

use oxidis::base::crc64::crc64;

use super::chance::{Dice, asked};
use super::check_health;
use crate::common::{Raw, Reply, Server};

/// What is done with a value that was taken.
const USES: &[&str] = &[
    "TYPE k",
    "DEBUG OBJECT k",
    "MEMORY USAGE k SAMPLES 0",
    "GETRANGE k 0 -1",
    "APPEND k x",
    "PFCOUNT k",
    "PFADD k a",
    "LRANGE k 0 -1",
    "LINSERT k BEFORE a b",
    "LSET k -1 x",
    "LREM k -2 a",
    "RPOP k",
    "SMEMBERS k",
    "SADD k 70000 x",
    "SREM k 1 a",
    "SRANDMEMBER k -5",
    "HGETALL k",
    "HSET k f1 v f2 v",
    "HINCRBY k f1 1",
    "HDEL k f1 a",
    "HPERSIST k FIELDS 1 a",
    "HRANDFIELD k -5 WITHVALUES",
    "ZRANGE k 0 -1 WITHSCORES",
    "ZADD k 1 a 3 x",
    "ZPOPMIN k",
    "ZRANGEBYLEX k - +",
    "XRANGE k - +",
    "XREVRANGE k + - COUNT 2",
    "XINFO STREAM k FULL",
    "XADD k * a b",
    "XREADGROUP GROUP g c2 STREAMS k >",
    "XAUTOCLAIM k g c2 0 0",
    "XGROUP DELCONSUMER k g c1",
    "XACK k g 1-1",
    "XTRIM k MAXLEN 1",
    "SORT k ALPHA",
    "COPY k copy REPLACE",
    "DUMP k",
    "OBJECT ENCODING k",
    "DEBUG DIGEST",
    "DEL k copy",
];

/// A value with version and checksum behind it.
fn sealed(value: &[u8]) -> Vec<u8> {
    let mut payload = [value, &[11, 0]].concat();
    let sum = crc64(0, &payload).to_le_bytes();
    payload.extend(sum);
    payload
}

/// Restores a value and, if it is taken, does all with it that can be done.
fn try_out(raw: &mut Raw, value: &[u8]) -> bool {
    let reply = raw.command(&[b"RESTORE", b"k", b"0", &sealed(value), b"REPLACE"]);
    if let Reply::Error(text) = reply {
        assert!(
            text.contains("Bad data format") || text.contains("checksum"),
            "{text}"
        );
        return false;
    }
    USES.iter().for_each(|line| raw.tell(line));
    raw.read_many(USES.len());
    true
}

fn server() -> (Server, Raw) {
    let server = Server::start(&["--enable-debug-command", "yes"]);
    let raw = server.raw();
    (server, raw)
}

#[test]
fn made_up_values_are_refused() {
    let (server, mut raw) = server();
    let node = |bytes: &[u8]| [&[bytes.len() as u8], bytes].concat();
    let intset = |width: u32, count: u32, rest: &[u8]| {
        let bytes = [&width.to_le_bytes()[..], &count.to_le_bytes(), rest].concat();
        [&[11u8][..], &node(&bytes)].concat()
    };
    let listpack = |kind: u8, total: u32, count: u16, rest: &[u8]| {
        let bytes = [&total.to_le_bytes()[..], &count.to_le_bytes(), rest].concat();
        [&[kind][..], &node(&bytes)].concat()
    };
    let mut rows: Vec<Vec<u8>> = vec![
        Vec::new(),
        // A text that is longer than what there is, in every form of a length.
        b"\x00\x3fx".to_vec(),
        b"\x00\x7f\xffx".to_vec(),
        b"\x00\x80\xff\xff\xff\xffx".to_vec(),
        b"\x00\x81\xff\xff\xff\xff\xff\xff\xff\xffx".to_vec(),
        // Compressed: lengths that do not fit, a copy from before the beginning.
        b"\x00\xc3\x05\x80\xff\xff\xff\xffabcde".to_vec(),
        b"\x00\xc3\x81\xff\xff\xff\xff\xff\xff\xff\xff\x01a".to_vec(),
        b"\x00\xc3\x03\x08\xe0\xff\xff".to_vec(),
        b"\x00\xc3\x02\x04\x20\x05".to_vec(),
        // Counts of elements that are not there.
        b"\x01\x80\xff\xff\xff\xff\x01a".to_vec(),
        b"\x02\x81\x7f\xff\xff\xff\xff\xff\xff\xff\x01a".to_vec(),
        b"\x03\x81\xff\xff\xff\xff\xff\xff\xff\xff\x01a".to_vec(),
        b"\x04\x81\x80\x00\x00\x00\x00\x00\x00\x00\x01a\x01b".to_vec(),
        b"\x05\x02\x01a\x00\x00\x00\x00\x00\x00\xf8\x7f".to_vec(),
        // Twice the same.
        b"\x02\x02\x01x\x01x".to_vec(),
        b"\x04\x02\x01x\x01a\x01x\x01b".to_vec(),
        // Sets of integers: widths that do not exist, counts times width that wrap around, disorder.
        intset(3, 1, &[0; 8]),
        intset(0, 1, &[0; 8]),
        intset(8, 0x2000_0000, &[]),
        intset(4, 0x4000_0000, &[]),
        intset(2, 0x8000_0000, &[]),
        intset(2, 2, &[2, 0, 1, 0]),
        intset(2, 2, &[1, 0, 1, 0]),
        // Listpacks: wrong totals, wrong counts, elements that lead out, lengths backwards that do not fit.
        listpack(16, 0xffff_ffff, 2, b"\x81a\x02\x81b\x02\xff"),
        listpack(16, 13, 0xffff, b"\x81a\x02\x81b\x02\x00"),
        listpack(16, 13, 4, b"\x81a\x02\x81b\x02\xff"),
        listpack(16, 10, 1, b"\x81a\x02\xff"),
        listpack(17, 13, 2, b"\x81a\x02\x81b\x02\xff"),
        listpack(20, 13, 2, b"\x81a\x02\x81a\x02\xff"),
        listpack(20, 13, 2, b"\xbfa\x02\x81b\x02\xff"),
        listpack(20, 14, 1, b"\xf0\xff\xff\xff\xff\x05\x00\xff"),
        listpack(20, 14, 1, b"\xe0\x01a\xff\xff\xff\xff\xff"),
        listpack(20, 13, 2, b"\x81a\x07\x81b\x02\xff"),
        // Nodes of lists that are of no kind, or empty.
        b"\x12\x01\x03\x01a".to_vec(),
        b"\x12\x00".to_vec(),
        b"\x12\x01\x02\x07\x07\x00\x00\x00\x00\x00\xff".to_vec(),
        // Ziplists: totals, tails and entries that lead out.
        b"\x0a\x0f\xff\xff\xff\xff\x0a\x00\x00\x00\x01\x00\x00\x01a\xff\x00".to_vec(),
        b"\x0a\x0e\x0e\x00\x00\x00\xff\xff\xff\xff\x01\x00\x00\x01a\xff".to_vec(),
        b"\x0a\x0e\x0e\x00\x00\x00\x0a\x00\x00\x00\x01\x00\x00\x3fa\xff".to_vec(),
        b"\x0a\x0e\x0e\x00\x00\x00\x0a\x00\x00\x00\x01\x00\xfe\x01a\xff".to_vec(),
        b"\x0d\x0e\x0e\x00\x00\x00\x0a\x00\x00\x00\x01\x00\x00\x01a\xff".to_vec(),
        // Zipmaps.
        b"\x09\x07\x01\xfe\xff\xff\xff\xff\xff".to_vec(),
        b"\x09\x04\x01\x05a\xff".to_vec(),
        // Modules, streams that are cut off, types that nobody knows.
        b"\x07\x81\x00\x00\x00\x00\x00\x00\x00\x00\x00".to_vec(),
        b"\x06\x00".to_vec(),
        b"\x08\x00".to_vec(),
        b"\x0f\x01\x10".to_vec(),
        b"\x13\x81\xff\xff\xff\xff\xff\xff\xff\xff\x00".to_vec(),
        b"\x15\x00\x81\xff\xff\xff\xff\xff\xff\xff\xff\x00\x00\x00\x00\x00\x00\x00\x00".to_vec(),
        b"\xff".to_vec(),
        b"\x1c\x00".to_vec(),
    ];
    // A stream without entries, one group, an entry that is pending for two consumers at once.
    let consumer =
        |name: &[u8]| [&[1u8][..], name, &[0; 8], &[0; 8], &[1], &[0; 15], &[1]].concat();
    let id = [&[0u8; 15][..], &[1]].concat();
    let head = b"\x15\x00\x00\x01\x01\x00\x00\x00\x00\x01\x01\x01g\x01\x01\x01\x01";
    rows.push(
        [
            &head[..],
            &id,
            &[0; 8],
            &[1],
            &[2],
            &consumer(b"a"),
            &consumer(b"b"),
        ]
        .concat(),
    );
    for (number, row) in rows.iter().enumerate() {
        assert!(
            !try_out(&mut raw, row),
            "row {number} is taken: {}",
            row.escape_ascii()
        );
    }
    check_health(&server, &mut raw);
}

/// One value of each encoding, as this server dumps it.
fn seeds(raw: &mut Raw) -> Vec<Vec<u8>> {
    let words = |count: usize| {
        let words: Vec<String> = (0..count).map(|n| format!("w{n} {n}")).collect();
        words.join(" ")
    };
    let pairs = |count: usize| {
        let pairs: Vec<String> = (0..count).map(|n| format!("{n} w{n}")).collect();
        pairs.join(" ")
    };
    let lines = [
        "SET a hello".to_owned(),
        "SET b 17".to_owned(),
        format!("SET c {}", "compress".repeat(20)),
        "PFADD d a b c".to_owned(),
        format!("RPUSH e {}", words(10)),
        format!("RPUSH f {}", "x".repeat(9_000)),
        "SADD g 1 2 70000".to_owned(),
        "SADD h a b 3".to_owned(),
        format!("SADD i {}", words(150)),
        "HSET j a 1 b 2".to_owned(),
        format!("HSET l {}", words(150)),
        "HSET m a 1 b 2 c 3".to_owned(),
        "HPEXPIRE m 9999999 FIELDS 1 a".to_owned(),
        format!("HSET n {}", words(150)),
        "HPEXPIRE n 9999999 FIELDS 1 w1".to_owned(),
        format!("ZADD o {}", pairs(5)),
        format!("ZADD p {}", pairs(150)),
        "XADD q 1-1 a b".to_owned(),
        "XADD q 1-2 a c".to_owned(),
        "XADD q 2-1 x y z 1".to_owned(),
        "XDEL q 1-2".to_owned(),
        "XGROUP CREATE q g 0".to_owned(),
        "XREADGROUP GROUP g c1 COUNT 1 STREAMS q >".to_owned(),
        "XREADGROUP GROUP g c2 STREAMS q >".to_owned(),
    ];
    for line in lines {
        let reply = raw.ask(&line);
        assert!(!matches!(reply, Reply::Error(_)), "{line}: {reply:?}");
    }
    let dumps = [
        "a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "l", "m", "n", "o", "p", "q",
    ];
    let dumps = dumps
        .iter()
        .map(|key| match raw.ask(&format!("DUMP {key}")) {
            Reply::Bulk(payload) => payload[..payload.len() - 10].to_vec(),
            other => panic!("{key}: {other:?}"),
        });
    dumps.collect()
}

#[test]
fn damaged_values_are_refused_or_of_use() {
    let (server, mut raw) = server();
    let seeds = seeds(&mut raw);
    raw.ask("FLUSHALL");
    for seed in &seeds {
        assert!(try_out(&mut raw, seed), "{}", seed.escape_ascii());
        for end in (0..seed.len()).step_by(1 + seed.len() / 60) {
            try_out(&mut raw, &seed[..end]);
        }
    }
    let mut dice = Dice(0x2545_f491_4f6c_dd1d);
    for _ in 0..asked("OXIDIS_MUTATIONS", 1_500) {
        let mut value = dice.pick(&seeds).clone();
        for _ in 0..=dice.below(3) {
            dice.damage(&mut value);
        }
        try_out(&mut raw, &value);
    }
    check_health(&server, &mut raw);
}

/// Runs of zeros that lead beyond the last register, registers that are cut off, numbers that are none.
#[test]
fn made_up_hyperloglogs_do_no_harm() {
    let (server, mut raw) = server();
    let head = |encoding: u8| {
        [
            b"HYLL",
            &[encoding, 0, 0, 0][..],
            &[0, 0, 0, 0, 0, 0, 0, 0x80],
        ]
        .concat()
    };
    let bodies: Vec<Vec<u8>> = vec![
        Vec::new(),
        vec![0x7f, 0xff],
        vec![0x7f, 0xff, 0x7f, 0xff],
        [0x7f, 0xff].repeat(70_000),
        vec![0x40],
        vec![0x3f; 1000],
        vec![0xff; 20_000],
        vec![0x80; 16_384],
        [vec![0x7f, 0xfe], vec![0xff, 0x84]].concat(),
        vec![0xff; 12_288],
        vec![0xff; 12_287],
        vec![0x00; 12_289],
    ];
    for encoding in [0, 1, 2, 255] {
        for body in &bodies {
            let value = [&head(encoding)[..], body].concat();
            for command in [
                &[&b"PFCOUNT"[..], b"k"][..],
                &[b"PFADD", b"k", b"a", b"b", b"c"],
                &[b"PFMERGE", b"target", b"k", b"good"],
                &[b"PFMERGE", b"k", b"good"],
                &[b"PFCOUNT", b"k", b"good", b"target"],
                &[b"PFDEBUG", b"GETREG", b"k"],
                &[b"PFDEBUG", b"DECODE", b"k"],
                &[b"PFDEBUG", b"TODENSE", b"k"],
                &[b"PFCOUNT", b"k"],
            ] {
                raw.command(&[b"SET", b"k", &value]);
                raw.ask("PFADD good x y z");
                raw.command(command);
                raw.ask("PFCOUNT target");
            }
        }
    }
    check_health(&server, &mut raw);
}
