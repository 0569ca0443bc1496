//! The end: signals, SHUTDOWN, and the exit status.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};
use tokio::signal::unix::{SignalKind, signal};

use super::Server;
use crate::base::supervisor;
use crate::engine::{Mail, Shutdown};

/// Where the main thread waits for the end.
#[derive(Default)]
pub(super) struct Exit {
    status: Mutex<Option<i32>>,
    ended: Condvar,
}

impl Exit {
    /// Ends the server with this status; the first caller decides.
    pub fn end(&self, status: i32) {
        self.status.lock().get_or_insert(status);
        self.ended.notify_all();
    }

    /// Whether the end has been decided.
    pub fn is_ending(&self) -> bool {
        self.status.lock().is_some()
    }

    /// Waits for the end.
    pub fn wait(&self) -> i32 {
        let mut status = self.status.lock();
        loop {
            match *status {
                Some(status) => return status,
                None => self.ended.wait(&mut status),
            }
        }
    }
}

/// Waits for SIGTERM or SIGINT and ends the server cleanly; a SIGINT while it ends is the end at once.
pub(super) async fn await_signals(server: Arc<Server>) {
    let (Ok(mut terminate), Ok(mut interrupt)) = (
        signal(SignalKind::terminate()),
        signal(SignalKind::interrupt()),
    ) else {
        return tracing::error!("Signals cannot be caught; only SHUTDOWN ends the server cleanly");
    };
    // Beyond a limit on the size of files a write fails, which is dealt with; the signal itself is not to end the process.
    let _file_too_large = signal(SignalKind::from_raw(libc::SIGXFSZ));
    // The end of the terminal that it was started from is not that of the server.
    let _hang_up = signal(SignalKind::hangup());
    loop {
        let name = tokio::select! {
            _ = terminate.recv() => "SIGTERM",
            _ = interrupt.recv() => "SIGINT",
        };
        if server.engine.is_shutting_down() && name == "SIGINT" {
            tracing::warn!("You insist... exiting now.");
            let engine = &server.engine;
            let temporary = super::jobs::temporary_file(engine, &engine.config.load());
            // There is none unless a snapshot was being saved.
            let _ = std::fs::remove_file(temporary);
            std::process::exit(1);
        }
        tracing::warn!("Received {name} scheduling shutdown...");
        server.engine.ask_for_shutdown();
        tokio::spawn(follow_signal(server.clone(), name));
    }
}

/// Ends the server as a signal has asked for, unless SHUTDOWN ABORT takes that back while signals wait.
async fn follow_signal(server: Arc<Server>, name: &'static str) {
    while server.engine.puts_off_signals.load(Relaxed) && server.engine.is_shutdown_asked_for() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    if server.engine.is_shutdown_asked_for() && server.engine.begin_shutdown() {
        std::thread::spawn(move || {
            let config = server.engine.config.snapshot();
            let flags = match name {
                "SIGINT" => config.shutdown_on_sigint,
                _ => config.shutdown_on_sigterm,
            };
            let how = Shutdown {
                force: flags.force,
                saves: flags.save,
                saves_not: flags.nosave,
            };
            // Who sends a signal hardly asks twice: a log that begins is completed first.
            while !how.force && super::files::may_close(&server).is_err() {
                std::thread::sleep(Duration::from_millis(20));
            }
            if !stop(&server, how) {
                tracing::warn!(
                    "Errors trying to shut down the server. Check the logs for more information."
                );
                server.engine.end_shutdown();
            }
        });
    }
}

/// Ends the server: files are completed first, then the workers close their clients. False when the files could not be
/// completed and that is not to be ignored.
pub(super) fn stop(server: &Server, how: Shutdown) -> bool {
    tracing::warn!("User requested shutdown...");
    supervisor::notify("STOPPING=1\n");
    if let Err(reason) = super::files::may_close(server) {
        tracing::warn!("{reason}, can't exit.");
        // What waits for a script to end may never be complete.
        if !how.force && !server.engine.keyspace.gate().is_stuck() {
            supervisor::notify(&format!("STATUS={reason}, can't exit.\n"));
            return false;
        }
    }
    let is_alone = server.stop_jobs();
    let engine = &server.engine;
    // Writes wait from now on, for ever, unless this fails and the server goes on.
    engine.pause(i64::MAX, true);
    // Whoever passed the gate before the pause has left it when this returns; a script that takes long is not waited for.
    let is_at_rest = engine.keyspace.gate().alone_unless_stuck().is_some();
    if !save_files(server, how, is_at_rest) && !how.force {
        engine.unpause();
        if is_alone {
            engine.jobs.end();
        }
        return false;
    }
    // Before anybody can see by the end of its connection that the server is about to go.
    server.listeners.close();
    engine
        .mailboxes
        .iter()
        .for_each(|mailbox| mailbox.post(Mail::Stop));
    server.exit.end(0);
    true
}

/// Completes the append-only file and saves a snapshot, where there is a need; not with what a script has done by halves.
fn save_files(server: &Server, how: Shutdown, is_at_rest: bool) -> bool {
    let engine = &server.engine;
    if let Err(error) = super::files::complete(server) {
        tracing::error!("The append-only file could not be completed: {error:#}");
        return false;
    }
    let has_rules = !engine.config.load().save.is_empty();
    let saves = (has_rules && !how.saves_not) || how.saves;
    // What is loaded only in part must not replace what is there.
    if !saves || !is_at_rest || engine.is_loading() {
        return true;
    }
    tracing::warn!("Saving the final RDB snapshot before exiting.");
    supervisor::notify("STATUS=Saving the final RDB snapshot\n");
    let saved = super::jobs::save(server, &|| true);
    if let Err(error) = &saved {
        let end = match how.force {
            true => "Exit anyway",
            false => "can't exit",
        };
        tracing::warn!("{error:#}");
        tracing::warn!("Error trying to save the DB, {end}.");
        supervisor::notify(&format!("STATUS=Error trying to save the DB, {end}.\n"));
    }
    saved.is_ok()
}
