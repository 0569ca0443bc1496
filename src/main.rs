//! The `oxidis` program: arguments, start, exit code.

use std::ffi::OsString;
use std::io::{self, Write};
use std::path::PathBuf;

use anyhow::Context;
use oxidis::cli::{self, Launch};
use oxidis::config::Config;
use oxidis::observe::log::{self, Output};
use oxidis::server;
use oxidis::tools;

fn main() {
    let status = start().unwrap_or_else(|error| {
        eprintln!("oxidis: {error:#}");
        1
    });
    std::process::exit(status);
}

fn start() -> anyhow::Result<i32> {
    let mut words = std::env::args_os();
    let program = words.next();
    let words: Vec<OsString> = words.collect();
    if let Some((tool, name, arguments)) = cli::tool(program.as_deref(), &words) {
        return Ok(tools::run(tool, &name, arguments));
    }
    match cli::parse(words, std::env::vars_os())? {
        Launch::Print(text) => io::stdout()
            .write_all(text.as_bytes())
            .map(|()| 0)
            .map_err(Into::into),
        Launch::Serve(sources) => serve(Config::load(&sources)?),
    }
}

fn serve(config: Config) -> anyhow::Result<i32> {
    // Before there is any other thread: only this one goes on in the background.
    if config.daemonize {
        nix::unistd::daemon(true, false).context("can't run in the background")?;
    }
    let directory = config.dir.path();
    std::env::set_current_dir(directory)
        .with_context(|| format!("can't enter the directory '{}'", directory.display()))?;
    open_log(&config)?;
    for warning in &config.warnings {
        tracing::warn!("{warning}");
    }
    let file = pid_file(&config);
    if let Some(path) = &file
        && let Err(error) = std::fs::write(path, format!("{}\n", std::process::id()))
    {
        tracing::warn!("Failed to write PID file '{}': {error}", path.display());
    }
    let status = server::run(config);
    if let Some(path) = &file {
        // It may be gone already, or belong to somebody else.
        let _ = std::fs::remove_file(path);
    }
    status
}

/// Where the process id is left: where asked for, and by a daemon in any case.
fn pid_file(config: &Config) -> Option<PathBuf> {
    match config.pidfile.as_str() {
        "" => config.daemonize.then(|| "/var/run/redis.pid".into()),
        file => Some(config.dir.file(file)),
    }
}

fn open_log(config: &Config) -> anyhow::Result<()> {
    let output = match config.logfile.as_str() {
        "" => Output::Standard,
        file => Output::File(config.dir.file(file)),
    };
    log::open(output, config.loglevel)
        .with_context(|| format!("can't open the log file '{}'", config.logfile))
}
