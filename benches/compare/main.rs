//! Oxidis beside other servers on this machine: throughput, latency, CPU time per command, memory per key.
//!
//!     cargo bench --bench compare -- --rounds 5 --server-cpus 0 --client-cpus 1
//!     cargo bench --bench compare -- --quick --workloads get,mem --server "keydb=keydb-server --server-threads 2"
//!
//! Starts Oxidis, each `--server`, and `redis-server` and `valkey-server` where they are on the PATH; a fresh process
//! for each measurement, the servers in turn within each round (A B A B …), medians quoted. The workloads: PING, SET,
//! GET, INCR, MSET of 10 keys, and EVALSHA of scripts that call INCR once and 1,000 times, from 50 clients of
//! `redis-benchmark`, 1, 16 and 64 commands in flight per client, random keys out of a million (GET finds all of them),
//! values of 3 bytes, persistence off; commands on collections, 16 in flight, those that go through 200,000 elements from
//! one client; and the memory that a million small keys take. On a small machine trust the CPU time before the throughput: the generator shares the
//! cores, and "load %" near 100 says that it was the limit.
//!
//! `commands.rs` says what is sent, `workload.rs` sends it, `server.rs` runs the processes, `report.rs` prints. Linux only: reads `/proc`.

mod commands;
mod options;
mod report;
mod server;
mod workload;

use std::process::ExitCode;

use options::Options;
use report::Report;
use server::{Failure, Server};
use workload::{Kind, Workload};

fn main() -> ExitCode {
    let options = match Options::from_command_line() {
        Ok(Some(options)) => options,
        Ok(None) => return ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("compare: {why}");
            return ExitCode::FAILURE;
        }
    };
    print!("{}", report::header(&options));
    let mut report = Report::new(&options);
    for workload in &options.workloads {
        measure_in_turn(&options, workload, &mut report);
    }
    print!("{}", report.finish());
    ExitCode::SUCCESS
}

/// All rounds of one workload. A server that fails once is left out of the workload's further rounds.
fn measure_in_turn(options: &Options, workload: &Workload, report: &mut Report) {
    for round in 1..=options.rounds {
        for program in &options.programs {
            if report.has_failed(workload, program) {
                continue;
            }
            eprintln!("{}, round {round}, {}", workload.name, program.name);
            let sample = Server::start(program, options)
                .and_then(|server| measure(&server, workload, options));
            report.add(workload, program, sample);
        }
    }
}

/// What one run gave. Times are in the unit of the name; shares are percent of one core.
#[derive(Clone, Copy, Default)]
struct Sample {
    requests_per_second: f64,
    p50_ms: f64,
    p99_ms: f64,
    /// The server's, user and system, all threads, per command (per key in a memory workload).
    cpu_us: f64,
    server_percent: f64,
    load_percent: f64,
    bytes_per_key: f64,
}

fn measure(server: &Server, workload: &Workload, options: &Options) -> Result<Sample, Failure> {
    match &workload.kind {
        Kind::Load(load) => workload::drive(server, load, options),
        Kind::Memory(keys) => workload::fill(server, *keys),
    }
}
