//! What is measured: the list of workloads, and how one run of each is made.

use std::process::{Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use sha1::{Digest, Sha1};

use crate::Sample;
use crate::commands::{Before, DIGEST, RANDOM, Row, VALUE, rows};
use crate::options::Options;
use crate::server::{Client, Failure, Server, children_seconds, encode, pinned};

/// How often a small command is sent, by commands in flight.
const REQUESTS: [(usize, f64); 3] = [(1, 150_000.0), (16, 1_000_000.0), (64, 2_000_000.0)];
const MEMORY_KEYS: f64 = 1_000_000.0;
/// Commands per round trip while a server is filled.
const FILL_BATCH: usize = 1_000;
/// Between the end of a fill and the reading of the memory: background work of the server ends meanwhile.
const SETTLE: Duration = Duration::from_secs(1);
const RUN_LIMIT: Duration = Duration::from_secs(300);
const POLL: Duration = Duration::from_millis(5);
/// Far enough that nothing expires during a run.
const EXPIRY_SECONDS: &str = "100000";

pub struct Workload {
    pub name: String,
    pub kind: Kind,
}

pub enum Kind {
    /// `redis-benchmark` sends one command with random keys.
    Load(Load),
    /// Keys are stored once and the memory that they take is read.
    Memory(Keys),
}

pub struct Load {
    command: Vec<String>,
    pipeline: usize,
    clients: usize,
    requests: u64,
    before: Before,
}

#[derive(Clone, Copy)]
pub struct Keys {
    count: u64,
    value_bytes: usize,
    expiry: Expiry,
}

#[derive(Clone, Copy, PartialEq)]
pub enum Expiry {
    Never,
    Set,
}

/// The workloads that the option names: each name is a workload's, or a part of one between underscores.
pub fn select(names: Option<&String>, quick: bool, scale: f64) -> Result<Vec<Workload>, String> {
    let mut workloads = all(scale);
    let names = match names {
        Some(names) => names.as_str(),
        None if quick => "ping_p1,set_p1,get_p1,set_p16,get_p16,get_p64,mem_16",
        None => return Ok(workloads),
    };
    let names: Vec<&str> = names.split(',').map(str::trim).collect();
    let means = |name: &str, workload: &Workload| {
        workload.name == name
            || (!name.contains('_') && workload.name.split('_').any(|part| part == name))
    };
    if let Some(unknown) = names
        .iter()
        .find(|name| !workloads.iter().any(|workload| means(name, workload)))
    {
        let known: Vec<&str> = workloads
            .iter()
            .map(|workload| workload.name.as_str())
            .collect();
        return Err(format!(
            "no workload `{unknown}`; there are {}",
            known.join(" ")
        ));
    }
    workloads.retain(|workload| names.iter().any(|name| means(name, workload)));
    Ok(workloads)
}

fn all(scale: f64) -> Vec<Workload> {
    let mut workloads: Vec<Workload> = REQUESTS
        .into_iter()
        .flat_map(|(pipeline, requests)| {
            let rows = rows().into_iter();
            let rows = rows.filter(move |row| row.pipelines.contains(&pipeline));
            rows.map(move |row| under_load(row, pipeline, requests * scale))
        })
        .collect();
    for (name, value_bytes, expiry) in [
        ("mem_16", 16, Expiry::Never),
        ("mem_100", 100, Expiry::Never),
        ("mem_16_expiry", 16, Expiry::Set),
    ] {
        let keys = Keys {
            count: (MEMORY_KEYS * scale).max(1_000.0) as u64,
            value_bytes,
            expiry,
        };
        workloads.push(Workload {
            name: name.to_owned(),
            kind: Kind::Memory(keys),
        });
    }
    workloads
}

fn under_load(row: Row, pipeline: usize, requests: f64) -> Workload {
    let requests = (requests * row.share).max(row.clients as f64 * 20.0);
    Workload {
        name: format!("{}_p{pipeline}", row.name),
        kind: Kind::Load(Load {
            command: row.command.split(' ').map(str::to_owned).collect(),
            pipeline,
            clients: row.clients,
            // What is sent beyond a multiple can make `redis-benchmark` believe that it has lost its clients.
            requests: (requests as u64).next_multiple_of(pipeline as u64),
            before: row.before,
        }),
    }
}

/// One run of the load generator.
pub fn drive(server: &Server, load: &Load, options: &Options) -> Result<Sample, Failure> {
    let mut client = server.connect()?;
    prepare(&mut client, load, options)?;
    let digest = match load.before {
        Before::Script(script) => digest(script),
        _ => String::new(),
    };
    let command: Vec<String> = load
        .command
        .iter()
        .map(|arg| arg.replace(DIGEST, &digest))
        .collect();
    // The generator would not notice that each of its commands is refused.
    let once: Vec<String> = command
        .iter()
        .map(|arg| arg.replace(RANDOM, "000000000000"))
        .collect();
    client.command(&once.iter().map(String::as_str).collect::<Vec<_>>())?;

    let (server_before, load_before, began) =
        (server.cpu_seconds()?, children_seconds()?, Instant::now());
    let text = run_generator(server.port, load, &command, options)?;
    let wall = began.elapsed().as_secs_f64();
    let (server_cpu, load_cpu) = (
        server.cpu_seconds()? - server_before,
        children_seconds()? - load_before,
    );
    let (requests_per_second, p50_ms, p99_ms) = summary(&text)?;
    Ok(Sample {
        requests_per_second,
        p50_ms,
        p99_ms,
        cpu_us: server_cpu * 1e6 / load.requests as f64,
        server_percent: 100.0 * server_cpu / wall,
        load_percent: 100.0 * load_cpu / wall,
        bytes_per_key: 0.0,
    })
}

/// Stores what the command needs.
fn prepare(client: &mut Client, load: &Load, options: &Options) -> Result<(), Failure> {
    match load.before {
        Before::Nothing => Ok(()),
        Before::Strings => {
            let keys = Keys {
                count: options.keyspace,
                value_bytes: VALUE.len(),
                expiry: Expiry::Never,
            };
            store(client, keys)
        }
        Before::Script(script) => client.command(&["SCRIPT", "LOAD", script]),
        // The command is sent once before it is measured.
        Before::Filled(fill) => send_all(client, fill(options.keyspace, load.requests + 1)),
    }
}

/// The digest that EVALSHA finds a script by.
fn digest(script: &str) -> String {
    Sha1::digest(script)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

fn run_generator(
    port: u16,
    load: &Load,
    words: &[String],
    options: &Options,
) -> Result<String, Failure> {
    let mut command = pinned(&options.redis_benchmark, options.client_cpus.as_deref());
    command.args(["-h", "127.0.0.1", "-p", &port.to_string(), "--csv"]);
    command.args([
        "-c",
        &load.clients.to_string(),
        "-P",
        &load.pipeline.to_string(),
    ]);
    command.args([
        "-n",
        &load.requests.to_string(),
        "-r",
        &options.keyspace.to_string(),
    ]);
    command
        .args(words)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn()?;
    let deadline = Instant::now() + RUN_LIMIT;
    // Its output in this form is a few lines, which the pipe holds until it ends.
    while child.try_wait()?.is_none() {
        if Instant::now() > deadline {
            child.kill()?;
            child.wait()?;
            return Err(Failure(
                "redis-benchmark ran into its time limit".to_owned(),
            ));
        }
        thread::sleep(POLL);
    }
    let Output {
        status,
        stdout,
        stderr,
    } = child.wait_with_output()?;
    if status.success() {
        return Ok(String::from_utf8_lossy(&stdout).into_owned());
    }
    let why = String::from_utf8_lossy(&stderr)
        .lines()
        .last()
        .unwrap_or_default()
        .to_owned();
    Err(Failure(format!("redis-benchmark: {why}")))
}

/// Requests per second, p50 and p99 from the line of figures: name, rps, avg, min, p50, p95, p99, max.
fn summary(text: &str) -> Result<(f64, f64, f64), Failure> {
    let line = text.lines().last().unwrap_or_default();
    let figures: Vec<f64> = line
        .rsplit(',')
        .filter_map(|field| field.trim_matches('"').parse().ok())
        .collect();
    match figures[..] {
        [
            _max,
            p99,
            _p95,
            p50,
            _min,
            _average,
            requests_per_second,
            ..,
        ] => Ok((requests_per_second, p50, p99)),
        _ => Err(Failure(format!("redis-benchmark gave no figures: {line}"))),
    }
}

/// One run of a memory workload.
pub fn fill(server: &Server, keys: Keys) -> Result<Sample, Failure> {
    let (memory_before, cpu_before) = (server.resident_bytes()?, server.cpu_seconds()?);
    store(&mut server.connect()?, keys)?;
    let cpu = server.cpu_seconds()? - cpu_before;
    thread::sleep(SETTLE);
    let count = keys.count as f64;
    Ok(Sample {
        bytes_per_key: (server.resident_bytes()? - memory_before) / count,
        cpu_us: cpu * 1e6 / count,
        ..Sample::default()
    })
}

/// Stores every key of the space once, named as `redis-benchmark` names them.
fn store(client: &mut Client, keys: Keys) -> Result<(), Failure> {
    let value = "x".repeat(keys.value_bytes);
    let words = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect();
    send_all(
        client,
        (0..keys.count).map(|number| {
            let key = format!("key:{number:012}");
            match keys.expiry {
                Expiry::Never => words(&["SET", &key, &value]),
                Expiry::Set => words(&["SET", &key, &value, "EX", EXPIRY_SECONDS]),
            }
        }),
    )
}

/// Sends commands, many at once.
fn send_all(
    client: &mut Client,
    commands: impl Iterator<Item = Vec<String>>,
) -> Result<(), Failure> {
    let (mut frames, mut waiting) = (Vec::new(), 0);
    for words in commands {
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        encode(&mut frames, &words);
        waiting += 1;
        if waiting == FILL_BATCH {
            client.batch(&frames, waiting)?;
            frames.clear();
            waiting = 0;
        }
    }
    client.batch(&frames, waiting)
}
