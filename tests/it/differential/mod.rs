//! The differential test: the same seeded random commands go to the server under test and to the machine's
//! `redis-server`, and every reply is compared byte for byte, in RESP2 and in RESP3.
//!
//! `generate` makes commands, a family per file (`strings`, `keys` …); `compare` holds what may differ and why; `pair`
//! sends and reads. A new family is a file with a table of commands and a row in `FAMILIES`.
//!
//! `OXIDIS_DIFFERENTIAL_COMMANDS` sets how many commands are sent, `OXIDIS_DIFFERENTIAL_SCRIPTS` how many of them where
//! scripts are the matter, `OXIDIS_DIFFERENTIAL_SEED` which. Without a
//! `redis-server` the test is skipped with a word, but not where `CI` is set. Run the test itself against Redis with
//! `OXIDIS_TEST_SERVER=redis-server`: it must find no difference.

mod bitmaps;
mod carry;
mod compare;
mod config_values;
mod connection;
mod dump;
mod errors;
mod expiry;
mod generate;
mod geo;
mod hashes;
mod hyperloglogs;
mod introspection;
mod keys;
mod lists;
mod lua_values;
mod observing;
mod pair;
mod pubsub;
mod scripts;
mod sets;
mod sorted_sets;
mod streams;
mod strings;
mod transactions;
mod types;
mod wire;

use std::collections::BTreeMap;
use std::env;
use std::fmt::Debug;
use std::str::FromStr;

use generate::{Family, Generator};
use pair::Pair;

use super::common::Server;

const COMMANDS: usize = 30_000;
const SCRIPT_COMMANDS: usize = 10_000;
const SEED: u64 = 20_110_225;
const CHUNK_STEPS: usize = 150;
/// The whole keyspace is compared each time so many commands were sent.
const COMMANDS_PER_DUMP: usize = 2_500;
/// After a difference both servers are emptied and the test goes on, so that one run shows more than one.
const MAX_DIFFERENCES: usize = 12;
/// All scripts are forgotten each time so many chunks were sent: 7.4 began to forget those of EVAL when there are more than 500.
const CHUNKS_PER_FLUSH: usize = 3;
/// A command that always differs does not hide the others before so many times.
const MAX_INTERRUPTIONS: usize = 100;

type Families = &'static [(usize, Family)];

/// The commands that each family sends, with their weights: single commands, and sequences of them.
const FAMILIES: Families = &[
    (40, Family::Single(strings::any)),
    (10, Family::Single(bitmaps::any)),
    (6, Family::Single(hyperloglogs::any)),
    (24, Family::Single(keys::any)),
    (24, Family::Single(lists::any)),
    (16, Family::Single(expiry::any)),
    (16, Family::Single(hashes::any)),
    (16, Family::Single(sets::any)),
    (24, Family::Single(sorted_sets::any)),
    (12, Family::Single(geo::any)),
    (14, Family::Single(streams::any)),
    (5, Family::Sequence(streams::consuming)),
    (3, Family::Single(types::any)),
    (3, Family::Single(connection::any)),
    (2, Family::Single(introspection::any)),
    (4, Family::Single(errors::any)),
    (12, Family::Single(scripts::any)),
    (3, Family::Single(strings::big)),
    (5, Family::Single(dump::any)),
    (5, Family::Sequence(dump::carrying)),
    (3, Family::Sequence(transactions::transaction)),
    (1, Family::Sequence(pubsub::subscription)),
    (1, Family::Sequence(keys::iteration)),
    (1, Family::Sequence(keys::random_key)),
];

/// What is sent where scripts are the matter: them, and what gives them something to work on.
const SCRIPTS: Families = &[
    (80, Family::Single(scripts::any)),
    (2, Family::Single(strings::any)),
    (1, Family::Single(lists::any)),
    (1, Family::Single(hashes::any)),
    (1, Family::Single(sets::any)),
    (1, Family::Single(sorted_sets::any)),
    (1, Family::Single(streams::any)),
    (2, Family::Single(keys::any)),
    (3, Family::Sequence(transactions::of_scripts)),
];

#[test]
fn replies_equal_those_of_redis_in_resp2() {
    compare_replies(FAMILIES, "OXIDIS_DIFFERENTIAL_COMMANDS", COMMANDS, 2);
}

#[test]
fn replies_equal_those_of_redis_in_resp3() {
    compare_replies(FAMILIES, "OXIDIS_DIFFERENTIAL_COMMANDS", COMMANDS, 3);
}

#[test]
fn scripts_equal_those_of_redis_in_resp2() {
    compare_replies(SCRIPTS, "OXIDIS_DIFFERENTIAL_SCRIPTS", SCRIPT_COMMANDS, 2);
}

#[test]
fn scripts_equal_those_of_redis_in_resp3() {
    compare_replies(SCRIPTS, "OXIDIS_DIFFERENTIAL_SCRIPTS", SCRIPT_COMMANDS, 3);
}

/// `variable` overrides how many commands both protocols are compared in together.
fn compare_replies(families: Families, variable: &str, usual: usize, protocol: u8) {
    let Some(reference) = Server::redis(&[]) else {
        assert!(
            env::var_os("CI").is_none(),
            "the differential test needs a redis-server on the PATH"
        );
        println!("skipped: there is no redis-server on the PATH to compare with");
        return;
    };
    let commands = from_environment(variable, usual) / 2;
    let seed = from_environment("OXIDIS_DIFFERENTIAL_SEED", SEED);
    let mut pair = Pair::new(Server::start(&[]), reference, protocol);
    let common = pair.common_commands(generate::OPTIONAL);
    let mut generator = Generator::new(seed, protocol, common);
    let differences = run(&mut pair, &mut generator, families, commands);
    println!("{}", pair.summary());
    let texts: Vec<String> = differences.into_values().collect();
    assert!(
        texts.is_empty(),
        "OXIDIS_DIFFERENTIAL_SEED={seed}, RESP{protocol}: {} commands differ, each shown once:\n\n{}",
        texts.len(),
        texts.join("\n")
    );
}

/// The first difference of each command.
fn run(
    pair: &mut Pair,
    generator: &mut Generator,
    families: Families,
    commands: usize,
) -> BTreeMap<String, String> {
    let mut differences = BTreeMap::new();
    let (mut next_dump, mut interruptions) = (COMMANDS_PER_DUMP, 0);
    let mut chunks = 0;
    while pair.sent() < commands
        && interruptions < MAX_INTERRUPTIONS
        && differences.len() < MAX_DIFFERENCES
    {
        if chunks % CHUNKS_PER_FLUSH == 0 {
            generator.send(vec![b"SCRIPT".to_vec(), b"FLUSH".to_vec()]);
        }
        chunks += 1;
        let steps = generator.chunk(families, CHUNK_STEPS);
        let mut result = pair.run(&steps);
        if result.is_ok() && (pair.sent() >= next_dump || pair.sent() >= commands) {
            next_dump = pair.sent() + COMMANDS_PER_DUMP;
            result = pair.compare_keyspaces();
        }
        if let Err(difference) = result {
            differences
                .entry(difference.command)
                .or_insert(difference.text);
            interruptions += 1;
            pair.start_over();
        }
    }
    differences
}

fn from_environment<T: FromStr<Err: Debug>>(name: &str, default: T) -> T {
    match env::var(name) {
        Ok(text) => text
            .parse()
            .unwrap_or_else(|error| panic!("{name}={text}: {error:?}")),
        Err(_) => default,
    }
}
