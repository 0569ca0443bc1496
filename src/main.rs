//! The `oxidis` program: arguments, start, exit code.

use std::io::{self, Write};
use std::process::ExitCode;

use anyhow::Context;
use oxidis::cli::{self, Launch};
use oxidis::config::Config;
use oxidis::observe::log::{Log, Output};

fn main() -> ExitCode {
    match start() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("oxidis: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn start() -> anyhow::Result<()> {
    match cli::parse(std::env::args_os().skip(1), std::env::vars_os())? {
        Launch::Print(text) => Ok(io::stdout().write_all(text.as_bytes())?),
        Launch::Serve(sources) => serve(&Config::load(&sources)?),
    }
}

fn serve(config: &Config) -> anyhow::Result<()> {
    let directory = config.dir.path();
    std::env::set_current_dir(directory)
        .with_context(|| format!("can't enter the directory '{}'", directory.display()))?;
    open_log(config)?;
    for warning in &config.warnings {
        tracing::warn!("{warning}");
    }
    Ok(())
}

fn open_log(config: &Config) -> anyhow::Result<Log> {
    let output = match config.logfile.as_str() {
        "" => Output::Standard,
        file => Output::File(config.dir.file(file)),
    };
    let opened = Log::open(output, config.loglevel);
    opened.with_context(|| format!("can't open the log file '{}'", config.logfile))
}
