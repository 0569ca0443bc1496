//! The end: signals, SHUTDOWN, and the exit status.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};
use tokio::signal::unix::{SignalKind, signal};

use super::Server;
use crate::engine::Mail;

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
    loop {
        let name = tokio::select! {
            _ = terminate.recv() => "SIGTERM",
            _ = interrupt.recv() => "SIGINT",
        };
        if server.engine.is_shutting_down() && name == "SIGINT" {
            tracing::warn!("You insist... exiting now.");
            std::process::exit(1);
        }
        tracing::warn!("Received {name} scheduling shutdown...");
        server.engine.ask_for_shutdown();
        tokio::spawn(follow_signal(server.clone()));
    }
}

/// Ends the server as a signal has asked for, unless SHUTDOWN ABORT takes that back while signals wait.
async fn follow_signal(server: Arc<Server>) {
    while server.engine.puts_off_signals.load(Relaxed) && server.engine.is_shutdown_asked_for() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    if server.engine.is_shutdown_asked_for() && server.engine.begin_shutdown() {
        std::thread::spawn(move || stop(&server, true));
    }
}

/// Ends the server: files are completed first, then the workers close their clients. False when the files could not be
/// completed and `force` was not asked for.
pub(super) fn stop(server: &Server, force: bool) -> bool {
    tracing::warn!("User requested shutdown...");
    if let Err(error) = super::files::close(server, force) {
        tracing::error!("The append-only file could not be completed: {error:#}");
        if !force {
            return false;
        }
    }
    server
        .engine
        .mailboxes
        .iter()
        .for_each(|mailbox| mailbox.post(Mail::Stop));
    server.exit.end(0);
    true
}
