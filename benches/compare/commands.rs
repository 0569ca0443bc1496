//! The commands that are measured under load: what is sent, how often, and what has been stored before.

use std::iter;

pub const CLIENTS: usize = 50;
pub const VALUE: &str = "xxx";
/// What `redis-benchmark` replaces by twelve digits below the keyspace.
pub const RANDOM: &str = "__rand_int__";
/// What stands for the digest of the row's script.
pub const DIGEST: &str = "__digest__";
/// The scripts of the rows that call them.
const ONE_CALL: &str = "return redis.call('INCR', KEYS[1])";
const THOUSAND_CALLS: &str = "for i = 1, 1000 do redis.call('INCR', KEYS[1]) end";
const ALL_PIPELINES: &[usize] = &[1, 16, 64];
/// Where collections are measured.
const PIPELINE: &[usize] = &[16];
/// Elements of the collections that are gone through as a whole.
const LARGE: u64 = 100_000;
/// Elements that one command adds while a collection is filled.
const FILL_ELEMENTS: u64 = 100;

/// What is there before a row's command is sent.
pub enum Before {
    /// Nothing.
    Nothing,
    /// Every key that may be asked for, as a string.
    Strings,
    /// A script, loaded.
    Script(&'static str),
    /// What these commands make, given the keyspace and how often the command is sent.
    Filled(fn(u64, u64) -> Commands),
}

/// Commands, as words.
pub type Commands = Box<dyn Iterator<Item = Vec<String>>>;

/// One command under load.
pub struct Row {
    pub name: &'static str,
    pub command: String,
    pub pipelines: &'static [usize],
    pub clients: usize,
    /// How often it is sent, as a share of what is sent of a small command.
    pub share: f64,
    pub before: Before,
}

impl Row {
    fn new(name: &'static str, command: &str) -> Self {
        Self {
            name,
            command: command.to_owned(),
            pipelines: ALL_PIPELINES,
            clients: CLIENTS,
            share: 1.0,
            before: Before::Nothing,
        }
    }

    fn share(self, share: f64) -> Self {
        Self { share, ..self }
    }

    fn after(self, before: Before) -> Self {
        Self { before, ..self }
    }

    fn filled(self, fill: fn(u64, u64) -> Commands) -> Self {
        self.after(Before::Filled(fill))
    }
}

/// A command that touches few elements of a collection.
fn small(name: &'static str, command: &str) -> Row {
    Row {
        pipelines: PIPELINE,
        share: 0.5,
        ..Row::new(name, command)
    }
}

/// A command that goes through collections of 100,000 elements; from one client, since each takes milliseconds.
fn heavy(name: &'static str, command: &str, fill: fn(u64, u64) -> Commands) -> Row {
    Row {
        clients: 1,
        ..small(name, command).share(0.000_05).filled(fill)
    }
}

pub fn rows() -> Vec<Row> {
    let mut rows = strings_and_scripts();
    rows.extend(elements());
    rows.extend(ranges());
    rows.extend(heavy_ones());
    rows
}

fn strings_and_scripts() -> Vec<Row> {
    let key = format!("key:{RANDOM}");
    let mset = format!("MSET{}", format!(" {key} {VALUE}").repeat(10));
    let evalsha = format!("EVALSHA {DIGEST} 1 counter:{RANDOM}");
    vec![
        Row::new("ping", "PING"),
        Row::new("set", &format!("SET {key} {VALUE}")),
        Row::new("get", &format!("GET {key}")).after(Before::Strings),
        Row::new("incr", &format!("INCR counter:{RANDOM}")),
        Row::new("mset", &mset).share(0.2),
        Row::new("evalsha_incr", &evalsha)
            .share(0.5)
            .after(Before::Script(ONE_CALL)),
        Row::new("evalsha_loop", &evalsha)
            .share(0.002)
            .after(Before::Script(THOUSAND_CALLS)),
    ]
}

fn elements() -> Vec<Row> {
    let element = format!("element:{RANDOM}");
    vec![
        small("lpush", &format!("LPUSH list {VALUE}")),
        small("rpop", "RPOP list")
            .filled(|_, sent| adding(&["RPUSH", "list"], sent, |_| vec![VALUE.to_owned()])),
        small("sadd", &format!("SADD set {element}")),
        small("spop", "SPOP set")
            .filled(|_, sent| adding(&["SADD", "set"], sent, |n| vec![member(n)])),
        small("hset", &format!("HSET hash {element} {VALUE}")),
        small("hget", &format!("HGET hash {element}")).filled(|keyspace, _| {
            adding(&["HSET", "hash"], keyspace, |n| {
                vec![member(n), VALUE.to_owned()]
            })
        }),
        small("zadd", &format!("ZADD zset {RANDOM} {element}")),
        small("xadd", &format!("XADD stream * field value:{RANDOM}")),
        small(
            "xreadgroup",
            "XREADGROUP GROUP group consumer COUNT 1 STREAMS stream >",
        )
        .share(0.3)
        .filled(|_, sent| stream(sent)),
        small("pfadd", &format!("PFADD sketch {element}")),
        // Random numbers are sent with zeros in front, which make no offset.
        small("setbit", "SETBIT bits 777777 1"),
    ]
}

fn ranges() -> Vec<Row> {
    vec![
        small("hgetall", "HGETALL user").share(0.2).filled(|_, _| {
            adding(&["HSET", "user"], 10, |n| {
                vec![format!("field{n}"), format!("value{n}")]
            })
        }),
        small("lrange", "LRANGE list 0 99")
            .share(0.05)
            .filled(|_, _| adding(&["RPUSH", "list"], 10_000, |n| vec![member(n)])),
        small("zrange", "ZRANGE zset 0 99")
            .share(0.05)
            .filled(|_, _| scored("zset", 0)),
        small("zrangebyscore", "ZRANGEBYSCORE zset 500 599")
            .share(0.05)
            .filled(|_, _| scored("zset", 0)),
        small("bitcount", "BITCOUNT bits")
            .share(0.005)
            .filled(|_, _| {
                let bits = "Z".repeat(1 << 20);
                Box::new(iter::once(vec!["SET".to_owned(), "bits".to_owned(), bits]))
            }),
        small(
            "geosearch",
            "GEOSEARCH places FROMLONLAT 10 45 BYRADIUS 500 km",
        )
        .share(0.005)
        .filled(|_, _| places()),
    ]
}

fn heavy_ones() -> Vec<Row> {
    vec![
        heavy("sinter", "SINTER set:1 set:2", |_, _| {
            Box::new(members("set:1", 0).chain(members("set:2", LARGE / 2)))
        }),
        heavy(
            "zunionstore",
            "ZUNIONSTORE union 2 zset:1 zset:2",
            |_, _| Box::new(scored("zset:1", 0).chain(scored("zset:2", LARGE / 2))),
        ),
        heavy("sort", "SORT numbers", |_, _| {
            adding(&["RPUSH", "numbers"], LARGE, |n| {
                vec![scattered(n, 1_000_000_000).to_string()]
            })
        }),
    ]
}

/// Commands that add `count` elements to a collection, many with each.
fn adding(begin: &[&str], count: u64, element: impl Fn(u64) -> Vec<String> + 'static) -> Commands {
    let begin: Vec<String> = begin.iter().map(|&word| word.to_owned()).collect();
    let starts = (0..count).step_by(FILL_ELEMENTS as usize);
    Box::new(starts.map(move |start| {
        let elements = (start..count.min(start + FILL_ELEMENTS)).flat_map(&element);
        begin.iter().cloned().chain(elements).collect()
    }))
}

/// A member as `redis-benchmark` names it.
fn member(number: u64) -> String {
    format!("element:{number:012}")
}

/// A large set, the members of which are numbered from `first` on.
fn members(key: &str, first: u64) -> Commands {
    adding(&["SADD", key], LARGE, move |n| vec![member(first + n)])
}

/// A large sorted set, the members of which are numbered from `first` on. Scores are few and far from being in order.
fn scored(key: &str, first: u64) -> Commands {
    adding(&["ZADD", key], LARGE, move |n| {
        vec![(n * 7 % 100_003).to_string(), member(first + n)]
    })
}

/// A stream with a group that has not read it.
fn stream(entries: u64) -> Commands {
    let words = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect();
    let create = words(&["XGROUP", "CREATE", "stream", "group", "0", "MKSTREAM"]);
    let entry = words(&["XADD", "stream", "*", "field", VALUE]);
    Box::new(iter::once(create).chain(iter::repeat_n(entry, entries as usize)))
}

/// Places all over the world.
fn places() -> Commands {
    adding(&["GEOADD", "places"], LARGE, |n| {
        let degrees = |seed, most: f64| {
            scattered(2 * n + seed, 1 << 30) as f64 / (1u64 << 29) as f64 * most - most
        };
        let (longitude, latitude) = (degrees(0, 180.0), degrees(1, 85.0));
        vec![longitude.to_string(), latitude.to_string(), member(n)]
    })
}

/// A number below `below` that seems to be chosen at random: steps of the golden section, mixed.
fn scattered(number: u64, below: u64) -> u64 {
    let mixed = (number + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (((mixed ^ (mixed >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9)) >> 20) % below
}
