//! INFO server, cpu and modules.

use std::sync::atomic::Ordering::Relaxed;

use nix::sys::resource::{Usage, UsageWho, getrusage};
use nix::sys::time::TimeVal;
use nix::sys::utsname::uname;

use super::{Facts, Section, line};
use crate::base::supervisor::{self, Supervisor};
use crate::base::version::{OXIDIS_VERSION, REDIS_VERSION};
use crate::config::Config;

const SECONDS_PER_DAY: i64 = 24 * 3600;

/// The process.
pub(super) const SERVER: Section = Section::new(
    "server",
    "Server",
    &[
        ("redis_version", |_| REDIS_VERSION.into()),
        ("redis_git_sha1", |_| "00000000".into()),
        ("redis_git_dirty", |_| "0".into()),
        ("redis_build_id", |_| format!("oxidis-{OXIDIS_VERSION}")),
        ("server_name", |_| "oxidis".into()),
        ("oxidis_version", |_| OXIDIS_VERSION.into()),
        ("redis_mode", |facts| mode(&facts.config).into()),
        ("os", |_| system()),
        ("arch_bits", |_| usize::BITS.to_string()),
        ("monotonic_clock", |_| "quanta".into()),
        ("multiplexing_api", |_| MULTIPLEXING.into()),
        ("atomicvar_api", |_| "rust-core".into()),
        ("gcc_version", |_| "0.0.0".into()),
        ("process_id", |facts| facts.engine.identity.pid.to_string()),
        ("process_supervised", |_| {
            supervisor(supervisor::present()).into()
        }),
        ("run_id", |facts| facts.engine.identity.run_id.clone()),
        ("tcp_port", |facts| {
            facts.engine.identity.tcp_port.load(Relaxed).to_string()
        }),
        ("server_time_usec", |_| {
            crate::base::clock::unix_us().to_string()
        }),
        ("uptime_in_seconds", |facts| uptime(facts).to_string()),
        ("uptime_in_days", |facts| {
            (uptime(facts) / SECONDS_PER_DAY).to_string()
        }),
        ("hz", |facts| facts.config.hz.to_string()),
        ("configured_hz", |facts| facts.config.hz.to_string()),
        ("lru_clock", |facts| {
            ((facts.now_ms / 1000) & 0xff_ffff).to_string()
        }),
        ("executable", |facts| {
            facts.engine.identity.executable.clone()
        }),
        ("config_file", |facts| {
            facts.engine.identity.config_file.clone()
        }),
        ("io_threads_active", |facts| {
            u8::from(facts.engine.identity.workers > 1).to_string()
        }),
    ],
)
.with(listeners);

const MULTIPLEXING: &str = if cfg!(any(target_os = "linux", target_os = "android")) {
    "epoll"
} else {
    "kqueue"
};

fn mode(config: &Config) -> &'static str {
    if config.cluster_enabled {
        "cluster"
    } else {
        "standalone"
    }
}

fn system() -> String {
    match uname() {
        Ok(name) => [name.sysname(), name.release(), name.machine()]
            .map(|part| part.to_string_lossy().into_owned())
            .join(" "),
        Err(_) => std::env::consts::OS.to_owned(),
    }
}

fn supervisor(present: Option<Supervisor>) -> &'static str {
    match present {
        Some(Supervisor::Systemd) => "systemd",
        Some(Supervisor::Upstart) => "upstart",
        None => "no",
    }
}

fn uptime(facts: &Facts<'_>) -> i64 {
    (facts.now_ms - facts.engine.identity.started_ms) / 1000
}

/// Where the server listens: a line for TCP, one for TLS, one for the Unix socket.
fn listeners(facts: &Facts<'_>, out: &mut String) {
    let config = &facts.config;
    let mut all = Vec::new();
    let names = config.bind.iter();
    let addresses: String = names.map(|name| format!("bind={name},")).collect();
    if config.port != 0 {
        all.push(format!("name=tcp,{addresses}port={}", config.port));
    }
    if config.tls_port != 0 {
        all.push(format!("name=tls,{addresses}port={}", config.tls_port));
    }
    if !config.unixsocket.is_empty() {
        all.push(format!("name=unix,bind={}", config.unixsocket));
    }
    for (number, listener) in all.iter().enumerate() {
        line(out, format_args!("listener{number}:{listener}"));
    }
}

/// Time on the processors. Every worker is a main thread, so the figures of all threads stand for it.
pub(super) const CPU: Section = Section::new(
    "cpu",
    "CPU",
    &[
        ("used_cpu_sys", |_| {
            spent(UsageWho::RUSAGE_SELF, Usage::system_time)
        }),
        ("used_cpu_user", |_| {
            spent(UsageWho::RUSAGE_SELF, Usage::user_time)
        }),
        ("used_cpu_sys_children", |_| {
            spent(UsageWho::RUSAGE_CHILDREN, Usage::system_time)
        }),
        ("used_cpu_user_children", |_| {
            spent(UsageWho::RUSAGE_CHILDREN, Usage::user_time)
        }),
        ("used_cpu_sys_main_thread", |_| {
            spent(UsageWho::RUSAGE_SELF, Usage::system_time)
        }),
        ("used_cpu_user_main_thread", |_| {
            spent(UsageWho::RUSAGE_SELF, Usage::user_time)
        }),
    ],
);

fn spent(who: UsageWho, of: fn(&Usage) -> TimeVal) -> String {
    let time = getrusage(who).map(|usage| of(&usage));
    time.map_or("0.000000".into(), |time| {
        format!("{}.{:06}", time.tv_sec(), time.tv_usec())
    })
}

/// There are none.
pub(super) const MODULES: Section = Section::new("modules", "Modules", &[]);
