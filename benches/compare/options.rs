//! The command line, and the servers found on the machine.

use std::env;
use std::path::PathBuf;

use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};

use crate::workload::{self, Workload};

/// What is appended to a server's command that does not say itself where `{port}` goes.
const USUAL_ARGUMENTS: &str = "--port {port} --dir {dir} --save '' --appendonly no";
/// Compared with when they are on the PATH.
const KNOWN_SERVERS: [&str; 2] = ["redis-server", "valkey-server"];

/// A server to start: its argv may hold `{port}` and `{dir}`.
pub struct Program {
    pub name: String,
    pub argv: Vec<String>,
}

pub struct Options {
    pub programs: Vec<Program>,
    /// The name of the server that ratios refer to.
    pub reference: String,
    pub workloads: Vec<Workload>,
    pub rounds: usize,
    pub scale: f64,
    pub keyspace: u64,
    /// CPU lists as `taskset -c` takes them.
    pub server_cpus: Option<String>,
    pub client_cpus: Option<String>,
    pub redis_benchmark: PathBuf,
}

impl Options {
    /// `None` when there is nothing to do: cargo runs benches in test mode without `--bench`.
    pub fn from_command_line() -> Result<Option<Options>, String> {
        let matches = command().get_matches();
        if !matches.get_flag("bench") {
            println!("compare: measures under `cargo bench --bench compare` only");
            return Ok(None);
        }
        let redis_benchmark = on_path("redis-benchmark").ok_or(
            "needs `redis-benchmark` to drive the servers and finds none on the PATH; \
             it comes with the packages redis-tools, redis or valkey (or link valkey-benchmark under that name)",
        )?;
        let server_cpus = matches.get_one::<String>("server-cpus").cloned();
        let client_cpus = matches.get_one::<String>("client-cpus").cloned();
        if (server_cpus.is_some() || client_cpus.is_some()) && on_path("taskset").is_none() {
            return Err("pinning needs `taskset` (package util-linux) on the PATH".to_owned());
        }
        let quick = matches.get_flag("quick");
        let scale = matches
            .get_one("scale")
            .copied()
            .unwrap_or(if quick { 0.2 } else { 1.0 });
        let keyspace =
            matches
                .get_one("keyspace")
                .copied()
                .unwrap_or(if quick { 100_000 } else { 1_000_000 });
        let programs = programs(&matches)?;
        Ok(Some(Options {
            reference: reference(&matches, &programs)?,
            programs,
            workloads: workload::select(matches.get_one::<String>("workloads"), quick, scale)?,
            rounds: matches
                .get_one("rounds")
                .copied()
                .unwrap_or(if quick { 2 } else { 3 }),
            scale,
            keyspace,
            server_cpus,
            client_cpus,
            redis_benchmark,
        }))
    }
}

fn command() -> Command {
    let value = |name: &'static str, shown: &'static str, help: &'static str| {
        Arg::new(name).long(name).value_name(shown).help(help)
    };
    Command::new("compare")
        .about("Oxidis beside other servers: throughput, latency, CPU time per command, memory per key")
        .arg(
            value("server", "NAME=ARGV", "A further server; {port} and {dir} are filled in, the usual flags else added")
                .action(ArgAction::Append),
        )
        .arg(value("oxidis-args", "ARGS", "Arguments for Oxidis, such as \"--io-threads 1\"").allow_hyphen_values(true))
        .arg(value("reference", "NAME", "The server that ratios refer to [default: redis-server, else the first]"))
        .arg(value("rounds", "N", "Measurements of each server and workload").value_parser(value_parser!(usize)))
        .arg(value("scale", "FACTOR", "Multiplies the number of requests and of keys").value_parser(value_parser!(f64)))
        .arg(value("workloads", "A,B", "Names, or parts of names such as get, p16, mem"))
        .arg(value("keyspace", "N", "Distinct random keys").value_parser(value_parser!(u64).range(1..)))
        .arg(value("server-cpus", "LIST", "Pin the servers, as taskset -c does"))
        .arg(value("client-cpus", "LIST", "Pin the load generator"))
        .arg(Arg::new("quick").long("quick").action(ArgAction::SetTrue).help("Fewer workloads, rounds and keys"))
        .arg(Arg::new("bench").long("bench").action(ArgAction::SetTrue).hide(true))
}

fn programs(matches: &ArgMatches) -> Result<Vec<Program>, String> {
    let mut oxidis = vec![env!("CARGO_BIN_EXE_oxidis").to_owned()];
    oxidis.extend(
        matches
            .get_one::<String>("oxidis-args")
            .map(|args| split(args))
            .unwrap_or_default(),
    );
    let mut programs = vec![Program::new("oxidis", oxidis)];
    for name in KNOWN_SERVERS {
        if on_path(name).is_some() {
            programs.push(Program::new(name, vec![name.to_owned()]));
        }
    }
    for server in matches.get_many::<String>("server").unwrap_or_default() {
        let (name, argv) = server
            .split_once('=')
            .ok_or(format!("--server {server}: expected NAME=ARGV"))?;
        let argv = split(argv);
        if argv.is_empty() {
            return Err(format!("--server {server}: no program named"));
        }
        programs.retain(|known| known.name != name);
        programs.push(Program::new(name, argv));
    }
    Ok(programs)
}

fn reference(matches: &ArgMatches, programs: &[Program]) -> Result<String, String> {
    let named = |name: &str| programs.iter().any(|program| program.name == name);
    match matches.get_one::<String>("reference") {
        Some(name) if named(name) => Ok(name.clone()),
        Some(name) => Err(format!("--reference {name}: no such server")),
        None if named(KNOWN_SERVERS[0]) => Ok(KNOWN_SERVERS[0].to_owned()),
        None => Ok(programs.get(1).unwrap_or(&programs[0]).name.clone()),
    }
}

impl Program {
    fn new(name: &str, mut argv: Vec<String>) -> Program {
        if !argv.iter().any(|arg| arg.contains("{port}")) {
            argv.extend(split(USUAL_ARGUMENTS));
        }
        Program {
            name: name.to_owned(),
            argv,
        }
    }
}

fn on_path(program: &str) -> Option<PathBuf> {
    env::split_paths(&env::var_os("PATH")?)
        .map(|folder| folder.join(program))
        .find(|path| path.is_file())
}

/// Words of a command line; quotes of both kinds hold spaces, nothing else is special.
fn split(line: &str) -> Vec<String> {
    let (mut words, mut word, mut quote) = (Vec::new(), None::<String>, None);
    for character in line.chars() {
        match character {
            _ if quote == Some(character) => quote = None,
            '\'' | '"' if quote.is_none() => {
                quote = Some(character);
                word.get_or_insert_default();
            }
            _ if character.is_whitespace() && quote.is_none() => words.extend(word.take()),
            _ => word.get_or_insert_default().push(character),
        }
    }
    words.extend(word);
    words
}
