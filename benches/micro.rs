//! Micro-benchmarks of the hot path's parts: parsing, finding a key (hit and miss among 10 million), a scope's overhead.
//!
//! Run with `cargo bench --bench micro`. The keyspace takes about 600 MiB and some seconds to fill. Keys are visited in a
//! scattered order, so a find pays for its cache misses as it does under real traffic without pipelining.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use oxidis::keyspace::{AccessClock, Db, Expiry, Key, Keyspace, Moment, Notes, Value};
use oxidis::resp::parser::{Batch, Limits, Parser};

const KEYS: u64 = 10_000_000;

fn name(number: u64) -> String {
    format!("key:{number:012}")
}

/// The next of all numbers below [`KEYS`], in an order without neighbours.
fn scatter(number: &mut u64) -> u64 {
    *number = (*number + 6_700_417) % KEYS;
    *number
}

fn moment() -> Moment {
    Moment {
        now: 1_700_000_000_000,
        access: AccessClock::lru(1_700_000_000_000),
        no_touch: false,
        ignore_expiry: false,
        keeps_expired: false,
    }
}

fn filled() -> Keyspace {
    let keyspace = Keyspace::new(1, 1);
    for number in 0..KEYS {
        let name = name(number);
        let key = Key::new(name.as_bytes());
        let mut notes = Notes::default();
        let mut scope = keyspace.lock_one(key.shard());
        Db::new(&mut scope, &mut notes, 0, moment()).set(
            key,
            Value::Str(b"sixteen bytes ok"),
            Expiry::Clear,
        );
    }
    keyspace
}

fn parsing(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("parse");
    for count in [1u64, 64] {
        let mut input =
            b"*3\r\n$3\r\nSET\r\n$16\r\nkey:000000000000\r\n$3\r\nxxx\r\n".repeat(count as usize);
        let limits = Limits {
            max_bulk: 512 << 20,
            authenticated: true,
        };
        let (mut parser, mut batch) = (Parser::default(), Batch::default());
        group.throughput(Throughput::Elements(count));
        group.bench_function(format!("{count} SET"), |bencher| {
            bencher.iter(|| {
                batch.clear();
                let end = parser.parse(&mut input, 0, 128, limits, &mut batch);
                assert_eq!(end.ok(), Some(input.len()));
            });
        });
    }
}

fn finding(criterion: &mut Criterion) {
    let keyspace = filled();
    let mut group = criterion.benchmark_group("10 million keys");
    let mut number = 0;
    let mut find = |prefix: &str| {
        let name = name(scatter(&mut number)).replace("key:", prefix);
        let key = Key::new(name.as_bytes());
        let mut notes = Notes::default();
        let mut scope = keyspace.lock_one(key.shard());
        Db::new(&mut scope, &mut notes, 0, moment())
            .read(key)
            .is_some()
    };
    group.bench_function("hit", |bencher| bencher.iter(|| assert!(find("key:"))));
    group.bench_function("miss", |bencher| bencher.iter(|| assert!(!find("no:"))));
    let mut shard = 0;
    group.bench_function("a scope of one shard", |bencher| {
        bencher.iter(|| {
            shard = (shard + 389) % oxidis::keyspace::SHARDS;
            drop(black_box(keyspace.lock_one(shard)));
        });
    });
    group.bench_function("a scope of ten shards", |bencher| {
        bencher.iter(|| {
            shard = (shard + 389) % oxidis::keyspace::SHARDS;
            let hashes = (0..10u64).map(|n| (n << 58) ^ (shard as u64) << 54);
            drop(black_box(keyspace.lock_some(hashes)));
        });
    });
}

criterion_group!(benches, parsing, finding);
criterion_main!(benches);
