//! What the server does when CONFIG SET has changed a directive.

use std::sync::Arc;

use super::{Server, files, limits, rewrite, title};
use crate::base::alloc;
use crate::base::machine::error_text;
use crate::config::{Apply, Config};
use crate::observe::{crash, log};

/// Acts on what has changed between two configurations; an error is the end of CONFIG SET's reply. Called with the old and
/// the new configuration exchanged, it takes back what it did.
pub(super) fn apply(
    server: &Arc<Server>,
    old: &Config,
    new: &Config,
    changed: &[Apply],
) -> Result<(), String> {
    changed.iter().try_for_each(|action| match action {
        Apply::Listeners => listen(server, old, new),
        Apply::Tls => read_tls(server, new),
        Apply::Title => {
            title::show(new);
            Ok(())
        }
        Apply::CrashLog => {
            crash::set_enabled(new.crash_log_enabled);
            Ok(())
        }
        Apply::Directory => {
            std::env::set_current_dir(new.dir.path()).map_err(|error| error_text(&error))
        }
        Apply::AppendOnly => files::switch(server, new),
        Apply::Garbage => {
            if !new.aof_disable_auto_gc {
                rewrite::collect_garbage(server);
            }
            Ok(())
        }
        Apply::LogLevel => {
            log::set_least(new.loglevel);
            Ok(())
        }
        Apply::Metrics => server.metrics.rebind(server, new).map_err(|error| {
            tracing::warn!("{error:#}");
            "Unable to listen on this port. Check server logs.".to_owned()
        }),
        Apply::Logs => {
            server.engine.shorten_logs(new);
            Ok(())
        }
        Apply::Tracking => {
            server.engine.check_remembered(new);
            Ok(())
        }
        Apply::Password => {
            let defaults = crate::engine::defaults(new);
            server.engine.acl.set_password(&new.requirepass, defaults);
            Ok(())
        }
        Apply::Memory => {
            server.engine.set_memory_limits(new);
            warn_of_too_little(old, new);
            Ok(())
        }
        Apply::MaxClients => make_room(server, new.maxclients),
        Apply::OomScores => limits::set_oom_score(new).map_err(|error| {
            tracing::warn!("Unable to write oom_score_adj: {error}");
            "Failed to set current oom_score_adj. Check server logs.".into()
        }),
        // Whoever needs these reads them in the configuration.
        _ => Ok(()),
    })
}

/// Tells when there is more data than may be now.
fn warn_of_too_little(old: &Config, new: &Config) {
    let (limit, used) = (new.maxmemory.bytes_of_machine(), alloc::used() as u64);
    if old.maxmemory != new.maxmemory && (1..used).contains(&limit) {
        tracing::warn!(
            "WARNING: maxmemory is {limit} bytes now, less than the {used} in use: keys are evicted or writes refused, as \
             maxmemory-policy says"
        );
    }
}

fn read_tls(server: &Server, new: &Config) -> Result<(), String> {
    server.tls.configure(new).map_err(|error| {
        tracing::warn!("{error:#}");
        "Unable to update TLS configuration. Check server logs.".to_owned()
    })
}

fn listen(server: &Arc<Server>, old: &Config, new: &Config) -> Result<(), String> {
    if old.tls_port == 0 && new.tls_port != 0 {
        read_tls(server, new)?;
    }
    let done = server.listeners.rebind(server, new);
    done.map_err(|error| {
        tracing::warn!("{error:#}");
        if (old.port, old.tls_port) == (new.port, new.tls_port) {
            "Failed to bind to specified addresses.".into()
        } else {
            "Unable to listen on this port. Check server logs.".to_owned()
        }
    })?;
    let port = &server.engine.identity.tcp_port;
    let shown = if new.port != 0 {
        new.port
    } else {
        new.tls_port
    };
    port.store(shown.into(), std::sync::atomic::Ordering::Relaxed);
    title::show(new);
    Ok(())
}

fn make_room(server: &Server, clients: u32) -> Result<(), String> {
    let possible = limits::make_room_for(clients, server.engine.identity.workers);
    if possible >= clients {
        return Ok(());
    }
    Err(format!(
        "The operating system is not able to handle the specified number of clients, try with {possible}"
    ))
}
