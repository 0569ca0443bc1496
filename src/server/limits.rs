//! What the operating system allows the process: open files, and how soon it is killed when memory runs out.

use std::fs;
use std::io;

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use parking_lot::Mutex;

use crate::config::{Config, OomScoreAdj};

/// Descriptors that are not clients': files, listeners, the runtimes' own.
const RESERVED: u64 = 32;
/// Descriptors that each worker's runtime needs.
const PER_WORKER: u64 = 4;

/// Makes room for so many clients, as far as the system allows; gives how many there is room for.
pub(super) fn make_room_for(clients: u32, workers: usize) -> u32 {
    let reserved = RESERVED + PER_WORKER * workers as u64;
    let needed = u64::from(clients) + reserved;
    let allowed = raise_open_files(needed).unwrap_or_else(|error| {
        tracing::warn!("The limit on open files cannot be read: {error}");
        needed
    });
    u32::try_from(allowed.saturating_sub(reserved).min(clients.into())).unwrap_or(clients)
}

/// Raises the limit on open files to `needed`, or as far as it goes; returns it.
fn raise_open_files(needed: u64) -> nix::Result<u64> {
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    if soft >= needed {
        return Ok(soft);
    }
    // Beyond the hard limit only a privileged process gets.
    if setrlimit(Resource::RLIMIT_NOFILE, needed, hard.max(needed)).is_ok() {
        return Ok(needed);
    }
    let most = hard.min(needed);
    setrlimit(Resource::RLIMIT_NOFILE, most, hard)?;
    Ok(most)
}

/// Reduces `maxclients` to what there is room for.
pub(super) fn fit_clients(config: &mut Config) {
    let (wanted, workers) = (config.maxclients, config.io_threads);
    let possible = make_room_for(wanted, workers);
    if possible < wanted {
        tracing::warn!(
            "You requested maxclients of {wanted}, but the limit on open files leaves room for {possible}. maxclients has \
             been reduced to {possible}; to have more, raise 'ulimit -n'."
        );
        config.maxclients = possible;
    }
}

/// Tells when the system lets fewer connections wait than is configured.
pub(super) fn check_backlog(wanted: u32) {
    const MOST: &str = "/proc/sys/net/core/somaxconn";
    let most = fs::read_to_string(MOST)
        .ok()
        .and_then(|text| text.trim().parse::<u32>().ok());
    if let Some(most) = most.filter(|most| (1..wanted).contains(most)) {
        tracing::warn!(
            "WARNING: The TCP backlog setting of {wanted} cannot be enforced because {MOST} is set to the lower value of {most}."
        );
    }
}

const OOM_SCORE: &str = "/proc/self/oom_score_adj";

/// The out-of-memory score that was in force before the server set it.
static OWN_SCORE: Mutex<Option<i32>> = Mutex::new(None);

/// Sets the process's out-of-memory score as configured, or back to what it was.
pub(super) fn set_oom_score(config: &Config) -> io::Result<()> {
    let mut own = OWN_SCORE.lock();
    let [primary, ..] = config.oom_score_adj_values.values();
    let score = if config.oom_score_adj == OomScoreAdj::No {
        match own.take() {
            Some(own) => own,
            None => return Ok(()),
        }
    } else {
        let own = match *own {
            Some(own) => own,
            None => *own.insert(read_score()?),
        };
        match config.oom_score_adj {
            OomScoreAdj::Relative => own + primary,
            _ => primary,
        }
    };
    fs::write(OOM_SCORE, score.clamp(-1000, 1000).to_string())
}

fn read_score() -> io::Result<i32> {
    let text = fs::read_to_string(OOM_SCORE)?;
    text.trim()
        .parse()
        .map_err(|_| io::ErrorKind::InvalidData.into())
}
