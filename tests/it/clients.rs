//! The Node clients: runs every flow of `tests/clients/flows` with each library and protocol, and the programs of
//! `tests/clients/programs`, each on a fresh server.
//!
//! By hand: `cd tests/clients && npm ci && node run.mjs redis6 6379 pubsub`, `node run-programs.mjs 6379 bullmq`.
//! And redis-py's cache: `python3 -m venv target/python && target/python/bin/pip install redis` has its test run.

use std::io::Write;
use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

use crate::common::{Server, installed, run};

const LIMIT_INSTALL: Duration = Duration::from_secs(300);
const LIMIT_FLOWS: Duration = Duration::from_secs(300);

#[test]
fn node_redis_4() {
    flows("redis4");
}

#[test]
fn node_redis_5() {
    flows("redis5");
}

#[test]
fn node_redis_5_over_resp3() {
    flows("redis5@3");
}

#[test]
fn node_redis_6() {
    flows("redis6");
}

#[test]
fn node_redis_6_over_resp2() {
    flows("redis6@2");
}

#[test]
fn ioredis_5() {
    flows("ioredis5");
}

#[test]
fn ioredis_6() {
    flows("ioredis6");
}

#[test]
fn ioredis_6_over_resp2() {
    flows("ioredis6@2");
}

#[test]
fn program_bullmq() {
    program("bullmq", 16);
}

#[test]
fn program_bull() {
    program("bull", 8);
}

#[test]
fn program_redlock() {
    program("redlock", 4);
}

#[test]
fn program_rate_limit() {
    program("rate-limit", 5);
}

#[test]
fn program_sessions() {
    program("sessions", 3);
}

#[test]
fn program_scripts() {
    program("scripts", 6);
}

/// The exit status of the script where the library is missing, or too old to have a cache.
const NO_LIBRARY: i32 = 64;

/// A Python with redis-py: what `.ci/run` has made, or the machine's, which may lack the library.
fn python() -> PathBuf {
    let own = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("target/python/bin/python3");
    match own.exists() {
        true => own,
        false => "python3".into(),
    }
}

#[test]
fn redis_py_caches() {
    let program = python();
    if program.is_relative() && !installed("python3") {
        return;
    }
    let server = Server::start(&[]);
    let mut python = Command::new(program);
    python
        .current_dir(folder())
        .args(["caching.py", &server.port().to_string()]);
    let output = run(&mut python, b"", LIMIT_FLOWS);
    if output.status.code() == Some(NO_LIBRARY) {
        // Past the test runner's capture, so that it is seen although the test passes.
        let _ = writeln!(std::io::stderr(), "skipped: redis-py is not installed");
        return;
    }
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{complaint}");
}

#[track_caller]
fn flows(client: &str) {
    node(51, |port| {
        vec!["run.mjs".into(), client.into(), port.to_string()]
    });
}

/// Runs the flows of one program that lives on scripts.
#[track_caller]
fn program(name: &str, flows: usize) {
    node(flows, |port| {
        vec!["run-programs.mjs".into(), port.to_string(), name.into()]
    });
}

/// Runs a script of Node against a fresh server; at least so many flows must pass, and none fail.
#[track_caller]
fn node(least: usize, arguments: impl FnOnce(u16) -> Vec<String>) {
    if !installed("node") || !installed("npm") {
        return;
    }
    install();
    let server = Server::start(&[]);
    let mut node = Command::new("node");
    node.current_dir(folder()).args(arguments(server.port()));
    let output = run(&mut node, b"", LIMIT_FLOWS);
    let printed = String::from_utf8_lossy(&output.stdout);
    println!("{printed}{}", String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "flows fail");
    let passed = printed.lines().filter(|line| line.starts_with("ok "));
    assert!(passed.count() >= least, "all flows have run");
}

pub fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/clients")
}

/// Installs the libraries once, unless they are there since the lock file was written.
pub fn install() {
    static INSTALLED: OnceLock<()> = OnceLock::new();
    INSTALLED.get_or_init(|| {
        let changed = |name: &str| {
            folder()
                .join(name)
                .metadata()
                .and_then(|file| file.modified())
                .ok()
        };
        if changed("node_modules/.package-lock.json") > changed("package-lock.json") {
            return;
        }
        let output = run(
            Command::new("npm").arg("ci").current_dir(folder()),
            b"",
            LIMIT_INSTALL,
        );
        assert!(
            output.status.success(),
            "npm ci: {}",
            String::from_utf8_lossy(&output.stderr)
        );
    });
}
