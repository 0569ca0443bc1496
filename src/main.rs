//! The `oxidis` program: arguments, start, exit code.

use std::ffi::OsString;
use std::io::{self, Write};
use std::path::PathBuf;

use anyhow::Context;
use oxidis::base::machine;
use oxidis::base::supervisor::{self, Supervisor};
use oxidis::base::title;
use oxidis::cli::{self, Launch};
use oxidis::config::Config;
use oxidis::config::Supervision;
use oxidis::observe::crash;
use oxidis::observe::log::{self, Output};
use oxidis::observe::syslog::{self, Syslog};
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
        Launch::Serve(sources) => {
            // Before the configuration can be known: what little memory there is by then would stay as it came.
            machine::allow_huge_pages(false);
            let config = Config::load(&sources)?;
            machine::allow_huge_pages(!config.disable_thp);
            serve(config)
        }
    }
}

fn serve(config: Config) -> anyhow::Result<i32> {
    let supervised = supervise(&config);
    // Before there is any other thread: only this one goes on in the background. Who is supervised stays with its supervisor.
    if config.daemonize && supervised != Ok(true) {
        nix::unistd::daemon(true, false).context("can't run in the background")?;
    }
    let directory = config.dir.path();
    std::env::set_current_dir(directory)
        .with_context(|| format!("can't enter the directory '{}'", directory.display()))?;
    open_log(&config)?;
    make_room_for_title(&config);
    match supervised {
        Err(reason) => tracing::warn!("{reason}"),
        Ok(true) => tracing::info!(
            "Supervised. Please make sure you set appropriate values for TimeoutStartSec and TimeoutStopSec in your service unit."
        ),
        Ok(false) => {}
    }
    for warning in &config.warnings {
        tracing::warn!("{warning}");
    }
    let file = pid_file(&config);
    if let Some(path) = &file
        && let Err(error) = std::fs::write(path, format!("{}\n", std::process::id()))
    {
        tracing::warn!("Failed to write PID file '{}': {error}", path.display());
    }
    let is_log_shown = config.logfile.is_empty();
    let status = server::run(config);
    if let Err(error) = &status {
        // Nobody reads what a daemon has to say elsewhere.
        tracing::error!("{error:#}");
    }
    if let Some(path) = &file {
        // It may be gone already, or belong to somebody else.
        let _ = std::fs::remove_file(path);
    }
    if is_log_shown {
        return Ok(status.unwrap_or(1));
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
    let syslog = config.syslog_enabled.then(|| {
        Syslog::new(
            &config.syslog_ident,
            &config.syslog_facility,
            syslog::SOCKET,
        )
    });
    let file = match &output {
        Output::Standard => None,
        Output::File(path) => Some(path.clone()),
    };
    log::open(output, config.loglevel, syslog)
        .with_context(|| format!("can't open the log file '{}'", config.logfile))?;
    crash::set_enabled(config.crash_log_enabled);
    crash::install(file.as_deref());
    Ok(())
}

/// Begins to tell the supervisor, where there is one; an error says why it cannot be told.
fn supervise(config: &Config) -> Result<bool, String> {
    let supervisor = match config.supervised {
        Supervision::No => None,
        Supervision::Auto => supervisor::detect(),
        Supervision::Upstart => Some(Supervisor::Upstart),
        Supervision::Systemd => Some(Supervisor::Systemd),
    };
    supervisor.map_or(Ok(false), |supervisor| {
        supervisor::begin(supervisor).map(|()| true)
    })
}

fn make_room_for_title(config: &Config) {
    if config.set_proc_title {
        // SAFETY: no thread has been started yet, and the arguments have been copied by `main`.
        if let Err(error) = unsafe { title::prepare() } {
            tracing::debug!("The process's title stays as it is: {error}");
        }
    }
}
