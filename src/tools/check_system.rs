//! `oxidis --check-system`: what of the machine's settings would slow the server down, or limit it.

use std::fs;
use std::time::{Duration, Instant};

use nix::sys::resource::{Resource, getrlimit};

use crate::base::machine;
use crate::config::Config;

/// What has been found; why it matters, where something should be done.
type Finding = Result<(), String>;

struct Check {
    name: &'static str,
    look: fn() -> Finding,
}

const CHECKS: &[Check] = &[
    Check {
        name: "clock",
        look: clock,
    },
    Check {
        name: "overcommit",
        look: overcommit,
    },
    Check {
        name: "backlog",
        look: backlog,
    },
    Check {
        name: "open-files",
        look: open_files,
    },
    Check {
        name: "memory",
        look: memory,
    },
];

/// Prints a line per check; gives the process's exit status, 1 if anything should be done.
pub(super) fn run() -> i32 {
    let findings = CHECKS.iter().map(|check| (check.name, (check.look)()));
    let findings: Vec<_> = findings.collect();
    for (name, finding) in &findings {
        match finding {
            Ok(()) => println!("[{name}]...OK"),
            Err(reason) => println!("[{name}]...WARNING:\n{reason}\n"),
        }
    }
    i32::from(findings.iter().any(|(_, finding)| finding.is_err()))
}

/// The clock is read several times per batch of commands.
fn clock() -> Finding {
    const ROUNDS: usize = 20;
    const READS: u32 = 1_000;
    const MOST: Duration = Duration::from_nanos(250);
    const SOURCE: &str = "/sys/devices/system/clocksource/clocksource0/current_clocksource";
    let round = || {
        let begun = Instant::now();
        for _ in 0..READS {
            std::hint::black_box(Instant::now());
        }
        begun.elapsed() / READS
    };
    // In some of them the processor may have been somebody else's.
    let each = std::iter::repeat_with(round)
        .take(ROUNDS)
        .min()
        .unwrap_or_default();
    if each <= MOST {
        return Ok(());
    }
    let source = fs::read_to_string(SOURCE).unwrap_or_default();
    Err(format!(
        "To read the clock takes {} ns (the source is '{}'). A better one, such as tsc, makes commands faster: see \
         available_clocksource beside {SOURCE}.",
        each.as_nanos(),
        source.trim()
    ))
}

fn number(path: &str) -> Option<u64> {
    fs::read_to_string(path).ok()?.trim().parse().ok()
}

/// Snapshots need no second copy of the memory, so that only the strictest setting is in the way: the allocator reserves more
/// addresses than it uses.
fn overcommit() -> Finding {
    const SETTING: &str = "/proc/sys/vm/overcommit_memory";
    match number(SETTING) {
        Some(2) => Err(format!(
            "{SETTING} is 2: memory may be refused though some is free. Set vm.overcommit_memory to 0 or 1."
        )),
        _ => Ok(()),
    }
}

fn backlog() -> Finding {
    const SETTING: &str = "/proc/sys/net/core/somaxconn";
    let wanted = u64::from(Config::default().tcp_backlog);
    match number(SETTING) {
        Some(most) if most < wanted => Err(format!(
            "{SETTING} is {most}: fewer connections may wait than tcp-backlog says by default ({wanted})."
        )),
        _ => Ok(()),
    }
}

fn open_files() -> Finding {
    let wanted = u64::from(Config::default().maxclients);
    match getrlimit(Resource::RLIMIT_NOFILE) {
        Ok((_, most)) if most <= wanted => Err(format!(
            "A process may have {most} files open: too few for the {wanted} clients of maxclients. Raise 'ulimit -n'."
        )),
        _ => Ok(()),
    }
}

/// Where there is swap, pages of the data may end there, and each look at one waits for the disk.
fn memory() -> Finding {
    let swaps = fs::read_to_string("/proc/swaps").unwrap_or_default();
    if swaps.lines().count() <= 1 || number("/proc/sys/vm/swappiness").is_none_or(|it| it <= 1) {
        return Ok(());
    }
    let total = machine::memory_limit().unwrap_or(0) >> 20;
    Err(format!(
        "There is swap space, which vm.swappiness lets the system use early: commands would wait for the disk. Set \
         vm.swappiness to 1, and maxmemory well below the {total} MiB of memory."
    ))
}
