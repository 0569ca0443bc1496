//! Damaged values and files are refused, or loaded as something sound.

use super::samples::{
    NOW, filled, hash, keyspace, loaded, options, preamble, put, put_object, written,
};
use super::*;
use crate::config::Config;
use crate::keyspace::{Cursor, Expiry, Keyspace, Value, ValueRef};

/// Numbers of chance that are the same every time.
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % end.max(1)
    }

    /// Damages bytes in one of many ways.
    fn damage(&mut self, bytes: &mut Vec<u8>) {
        const TELLING: [u8; 12] = [
            0, 1, 0x3f, 0x40, 0x7f, 0x80, 0x81, 0xc0, 0xc3, 0xfe, 0xff, 0xf0,
        ];
        if bytes.is_empty() {
            return;
        }
        let at = self.below(bytes.len());
        match self.below(8) {
            0 => bytes[at] ^= 1 << self.below(8),
            1 => bytes[at] = self.below(256) as u8,
            2 => bytes[at] = TELLING[self.below(TELLING.len())],
            3 => bytes.truncate(at),
            4 => bytes.insert(at, TELLING[self.below(TELLING.len())]),
            5 => drop(bytes.remove(at)),
            6 => {
                let end = (at + self.below(20)).min(bytes.len());
                let part = bytes[at..end].to_vec();
                let to = self.below(bytes.len());
                bytes.splice(to..to, part);
            }
            _ => {
                let end = (at + self.below(9)).min(bytes.len());
                bytes[at..end].fill(TELLING[self.below(TELLING.len())]);
            }
        }
    }
}

/// How many damaged inputs are tried; `OXIDIS_MUTATIONS` may ask for more.
fn rounds() -> usize {
    let asked = std::env::var("OXIDIS_MUTATIONS").ok();
    asked.and_then(|count| count.parse().ok()).unwrap_or(4_000)
}

#[test]
fn damaged_values_are_refused_or_sound() {
    let original = filled();
    let expiring: Vec<Vec<u8>> = (0..6).map(|n| format!("field {n}").into_bytes()).collect();
    put_object(&original, "expiring", hash(&expiring, true));
    let mut seeds: Vec<Vec<u8>> = contents_dumped(&original, true);
    seeds.extend(contents_dumped(&original, false));
    seeds.extend(old_values());
    seeds.retain(|seed| seed.len() < 5_000);
    let (limits, mut dice) = (Limits::of(&Config::default()), Dice(0x9e37_79b9_7f4a_7c15));
    for _ in 0..rounds() {
        let mut bytes = seeds[dice.below(seeds.len())].clone();
        bytes.truncate(bytes.len() - FOOTER);
        for _ in 0..=dice.below(3) {
            dice.damage(&mut bytes);
        }
        let value = read(&mut Reader::new(&bytes), Dialect::Redis, &limits);
        let Ok(Restored::Object(object)) = value else {
            continue;
        };
        // Compressed text becomes at most some ninety times as long.
        let most = bytes.len() * 300 + 100_000;
        assert!(object.allocated() <= most, "{}", bytes.escape_ascii());
        let again = dump(ValueRef::Object(object.view()), true);
        let (dialect, value) = checked(&again, true).expect("a checksum that was just made");
        let copy = read(&mut Reader::new(value), dialect, &limits);
        assert!(copy.is_ok(), "{} gives {copy:?}", bytes.escape_ascii());
    }
}

/// What only old versions wrote, each with room for a footer.
fn old_values() -> Vec<Vec<u8>> {
    const PAIR: &[u8] = b"\x0f\x0f\x00\x00\x00\x0c\x00\x00\x00\x02\x00\x00\x01a\x03\xf6\xff";
    const ZIPMAP: &[u8] = b"\x09\x01\x01a\x02\x01bc_\xff";
    let mut values: Vec<Vec<u8>> = [10, 12, 13]
        .iter()
        .map(|kind| [&[*kind], PAIR].concat())
        .collect();
    values.push([&[9], ZIPMAP].concat());
    values.push([&[14, 2], PAIR, PAIR].concat());
    values.push(b"\x03\x02\x01a\x035.5\x01b\xff".to_vec());
    values.push(b"\x01\x02\x01a\xc0\x05".to_vec());
    for value in &mut values {
        value.extend([0; FOOTER]);
    }
    values
}

fn contents_dumped(keyspace: &Keyspace, packs: bool) -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    let mut cursor = Some(Cursor::START);
    while let Some(at) = cursor {
        let mut scope = keyspace.nothing();
        cursor = scope.scan(0, at, 100, i64::MIN, |entry| {
            all.push(dump(entry.value(), packs))
        });
    }
    all
}

#[test]
fn damaged_files_are_refused_or_loaded() {
    let original = keyspace();
    for (n, value) in contents_dumped(&filled(), true).into_iter().enumerate() {
        let (dialect, bytes) = checked(&value, true).expect("a checksum that was just made");
        let limits = Limits::of(&Config::default());
        let read = read(&mut Reader::new(bytes), dialect, &limits);
        if let Ok(Restored::Object(object)) = read
            && bytes.len() < 1_000
        {
            put_object(&original, &format!("key {n}"), object);
        }
    }
    put(
        &original,
        1,
        b"text",
        Value::Str(b"some text"),
        Expiry::At(NOW + 1000),
    );
    let seed = written(&original, preamble(true), true);
    let mut dice = Dice(0x2545_f491_4f6c_dd1d);
    for round in 0..rounds() / 4 {
        let mut bytes = seed.clone();
        for _ in 0..=dice.below(3) {
            dice.damage(&mut bytes);
        }
        let checked = check(&bytes[..], &Config::default(), NOW, &mut |_| {});
        if let Some(fault) = &checked.fault {
            assert!(fault.offset <= bytes.len() as u64, "{fault:?}");
        }
        if round % 20 == 0 {
            let unchecked = Options {
                sums: false,
                ..options()
            };
            let (_, result, _) = loaded(&bytes, unchecked);
            if let Err(fault) = result {
                assert!(fault.offset <= bytes.len() as u64, "{fault:?}");
            }
        }
    }
}
