//! The `oxidis` program: arguments, start, exit code.

use std::io::{self, Write};

use anyhow::Context;
use oxidis::cli::{self, Launch};
use oxidis::config::Config;
use oxidis::observe::log::{self, Output};
use oxidis::server;

fn main() {
    let status = start().unwrap_or_else(|error| {
        eprintln!("oxidis: {error:#}");
        1
    });
    std::process::exit(status);
}

fn start() -> anyhow::Result<i32> {
    match cli::parse(std::env::args_os().skip(1), std::env::vars_os())? {
        Launch::Print(text) => io::stdout()
            .write_all(text.as_bytes())
            .map(|()| 0)
            .map_err(Into::into),
        Launch::Serve(sources) => serve(Config::load(&sources)?),
    }
}

fn serve(config: Config) -> anyhow::Result<i32> {
    let directory = config.dir.path();
    std::env::set_current_dir(directory)
        .with_context(|| format!("can't enter the directory '{}'", directory.display()))?;
    open_log(&config)?;
    for warning in &config.warnings {
        tracing::warn!("{warning}");
    }
    server::run(config)
}

fn open_log(config: &Config) -> anyhow::Result<()> {
    let output = match config.logfile.as_str() {
        "" => Output::Standard,
        file => Output::File(config.dir.file(file)),
    };
    log::open(output, config.loglevel)
        .with_context(|| format!("can't open the log file '{}'", config.logfile))
}
