//! Hit ratios of a cache that is too small: Oxidis and `redis-server` (where it is on the PATH) beside an exact LRU and an
//! exact LFU of as many keys.
//!
//!     cargo bench --bench hit_ratio -- --seconds 60 --rate 20000 --memory 8mb --keys 200000
//!
//! A client asks for keys by a Zipf distribution (exponent 1, other with `--skew`) and stores what is missing, values of 64
//! bytes. All servers get the same requests at the same pace, since their clocks of last use tick in seconds. The first
//! half of the time fills the cache and is not counted. The exact caches hold as many keys as the server did at the end, so
//! the last column compares choices, not how much memory a key takes; Oxidis holds more keys in the same memory.

use std::collections::{BTreeSet, HashMap};
use std::io::{self, BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// Requests sent at once.
const BATCH: usize = 20;
const POLICIES: [&str; 2] = ["allkeys-lru", "allkeys-lfu"];

struct Options {
    seconds: u64,
    rate: u64,
    keys: u64,
    skew: f64,
    memory: String,
    samples: String,
}

impl Options {
    fn from_command_line() -> Self {
        let words: Vec<String> = std::env::args().collect();
        let value = |name: &str, default: &str| {
            let at = words.iter().position(|word| word == name);
            let given = at.and_then(|at| words.get(at + 1));
            given.map_or(default.to_owned(), String::clone)
        };
        let number = |name: &str, default: &str| value(name, default).parse().unwrap_or(1);
        Self {
            seconds: number("--seconds", "60"),
            rate: number("--rate", "20000"),
            keys: number("--keys", "200000"),
            skew: value("--skew", "1").parse().unwrap_or(1.0),
            memory: value("--memory", "8mb"),
            samples: value("--samples", "5"),
        }
    }
}

/// Keys by a Zipf distribution, the same for everybody: ranks by a table of sums, numbers by a fixed generator.
struct Requests {
    sums: Vec<f64>,
    state: u64,
}

impl Requests {
    fn new(options: &Options) -> Self {
        let mut sum = 0.0;
        let sums = (1..=options.keys).map(|rank| {
            sum += (rank as f64).powf(-options.skew);
            sum
        });
        Self {
            sums: sums.collect(),
            state: 7,
        }
    }
}

impl Iterator for Requests {
    type Item = u64;

    fn next(&mut self) -> Option<u64> {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.state ^ (self.state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let unit = ((mixed ^ (mixed >> 31)) >> 11) as f64 / (1u64 << 53) as f64;
        let wanted = unit * self.sums.last()?;
        Some(self.sums.partition_point(|&sum| sum < wanted) as u64)
    }
}

struct Server {
    process: Child,
    port: u16,
}

impl Server {
    fn start(program: &str, policy: &str, options: &Options) -> io::Result<Self> {
        let port = TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port();
        let process = Command::new(program)
            .args(["--port", &port.to_string(), "--save", "", "--dir", "/tmp"])
            .args(["--maxmemory", &options.memory, "--maxmemory-policy", policy])
            .args(["--maxmemory-samples", &options.samples])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()?;
        let server = Self { process, port };
        for _ in 0..300 {
            if TcpStream::connect(("127.0.0.1", port)).is_ok() {
                return Ok(server);
            }
            thread::sleep(Duration::from_millis(10));
        }
        Err(io::ErrorKind::TimedOut.into())
    }

    /// The share of requests that were found in the second half of the time, and the keys that were there at the end.
    fn measure(&self, options: &Options) -> io::Result<(f64, u64)> {
        let stream = TcpStream::connect(("127.0.0.1", self.port))?;
        stream.set_nodelay(true)?;
        let (mut writer, mut reader) = (stream.try_clone()?, BufReader::new(stream));
        let mut requests = Requests::new(options);
        let total = options.seconds * options.rate;
        let (mut hits, mut asked) = (0u64, 0u64);
        let started = Instant::now();
        let mut sent = 0;
        while sent < total {
            let due = Duration::from_secs_f64(sent as f64 / options.rate as f64);
            thread::sleep(due.saturating_sub(started.elapsed()));
            let keys: Vec<u64> = requests.by_ref().take(BATCH).collect();
            let asks: String = keys
                .iter()
                .map(|key| format!("GET key:{key:08}\r\n"))
                .collect();
            writer.write_all(asks.as_bytes())?;
            let mut missing = String::new();
            let mut missed = 0;
            for key in &keys {
                if read_bulk(&mut reader)?.is_none() {
                    missing += &format!("SET key:{key:08} {:x<64}\r\n", key);
                    missed += 1;
                }
            }
            writer.write_all(missing.as_bytes())?;
            for _ in 0..missed {
                reader.read_line(&mut String::new())?;
            }
            if sent >= total / 2 {
                asked += keys.len() as u64;
                hits += (keys.len() - missed) as u64;
            }
            sent += keys.len() as u64;
        }
        writer.write_all(b"DBSIZE\r\n")?;
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let keys = line.trim_start_matches(':').trim().parse().unwrap_or(0);
        Ok((hits as f64 / asked.max(1) as f64, keys))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It has nothing to lose.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn read_bulk(reader: &mut impl BufRead) -> io::Result<Option<Vec<u8>>> {
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let Ok(len) = line.trim_start_matches('$').trim().parse::<usize>() else {
        return Ok(None);
    };
    let mut value = vec![0; len + 2];
    reader.read_exact(&mut value)?;
    Ok(Some(value))
}

/// A cache that always drops the key of least worth: the longest unused, or the least often used of all times.
fn exact(options: &Options, capacity: u64, by_frequency: bool) -> f64 {
    let (mut order, mut places) = (BTreeSet::new(), HashMap::new());
    let mut uses: HashMap<u64, u64> = HashMap::new();
    let total = options.seconds * options.rate;
    let mut hits = 0u64;
    for (time, key) in Requests::new(options).take(total as usize).enumerate() {
        let count = uses.entry(key).or_default();
        *count += 1;
        let worth = (if by_frequency { *count } else { 0 }, time, key);
        match places.insert(key, worth) {
            Some(old) => {
                order.remove(&old);
                hits += u64::from(time as u64 >= total / 2);
            }
            None if order.len() as u64 >= capacity => {
                if let Some((_, _, least)) = order.pop_first() {
                    places.remove(&least);
                }
            }
            None => {}
        }
        order.insert(worth);
    }
    hits as f64 / (total - total / 2) as f64
}

fn main() {
    let options = Options::from_command_line();
    println!(
        "{} requests for {} keys, skew {}, maxmemory {}, samples {}",
        options.seconds * options.rate,
        options.keys,
        options.skew,
        options.memory,
        options.samples
    );
    println!(
        "{:<10} {:<12} {:>8} {:>9} {:>9} {:>9}",
        "server", "policy", "keys", "hits", "exact", "share"
    );
    let programs = [
        ("oxidis", env!("CARGO_BIN_EXE_oxidis")),
        ("redis", "redis-server"),
    ];
    let runs = programs
        .iter()
        .flat_map(|program| POLICIES.map(|policy| (*program, policy)));
    thread::scope(|scope| {
        for ((name, program), policy) in runs {
            let options = &options;
            scope.spawn(move || {
                let measured = Server::start(program, policy, options)
                    .and_then(|server| server.measure(options));
                match measured {
                    Ok((hits, keys)) => {
                        let best = exact(options, keys, policy.ends_with("lfu"));
                        println!(
                            "{name:<10} {policy:<12} {keys:>8} {:>8.2}% {:>8.2}% {:>8.3}",
                            hits * 100.0,
                            best * 100.0,
                            hits / best
                        );
                    }
                    Err(error) => println!("{name:<10} {policy:<12} {error}"),
                }
            });
        }
    });
}
