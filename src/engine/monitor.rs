//! MONITOR: clients that are shown every command as it runs.

use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use bytes::Bytes;
use parking_lot::RwLock;

use super::client::{Client, flag};
use super::command::flags;
use super::mailbox::Mail;
use super::session::Session;
use super::table::Spec;
use super::{Engine, watch};
use crate::base::clock::unix_us;
use crate::config::quote;
use crate::resp::args::Args;

/// The clients that watch.
#[derive(Debug, Default)]
pub struct Monitors(RwLock<Vec<Arc<Client>>>);

impl Engine {
    /// Shows a client every command from now on. False when it is shown them already.
    pub fn start_monitor(&self, session: &Session) -> bool {
        let client = &session.client;
        if client.has_flag(flag::MONITOR) {
            return false;
        }
        client.set_flag(flag::MONITOR, true);
        self.monitors.0.write().push(client.clone());
        self.watch(watch::MONITOR, true);
        true
    }

    /// Shows a client no commands any longer.
    pub fn stop_monitor(&self, session: &Session) {
        let client = &session.client;
        if !client.has_flag(flag::MONITOR) {
            return;
        }
        client.set_flag(flag::MONITOR, false);
        let mut monitors = self.monitors.0.write();
        monitors.retain(|known| known.id != client.id);
        self.watch(watch::MONITOR, !monitors.is_empty());
    }

    /// Shows a command. Called under the command's locks, so that commands that touch the same keys are shown in their order.
    #[cold]
    pub(super) fn show(&self, session: &Session, spec: &Spec, args: Args<'_>) {
        if spec.has(flags::ADMIN) {
            return;
        }
        let client = &session.client;
        let now = unix_us();
        let mut line = format!(
            "+{}.{:06} [{} ",
            now / 1_000_000,
            now % 1_000_000,
            session.database
        );
        // A String takes every text.
        let _ = match client.has_flag(flag::UNIX_SOCKET) {
            _ if session.is_script => write!(line, "lua]"),
            true => write!(line, "unix:{}]", self.config.load().unixsocket),
            false => write!(line, "{}]", client.address),
        };
        for arg in spec.shown(args) {
            line.push(' ');
            line += &quote(arg);
        }
        line += "\r\n";
        let line = Bytes::from(line);
        for monitor in self.monitors.0.read().iter() {
            if !monitor.is_killed.load(Relaxed) {
                self.mailboxes[monitor.worker].post(Mail::Push(monitor.id, line.clone()));
            }
        }
    }
}
