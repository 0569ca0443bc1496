//! What commands ask of the server: applying directives, shutting down, files.

use std::sync::{Arc, Weak};

use super::{Server, apply, files, jobs, migrate, rdb, shutdown};
use crate::config::{Apply, Config};
use crate::engine::transfer::Parcel;
use crate::engine::{Client, Engine, Hooks, Reload, Shutdown};
use crate::persistence::Job;

struct ServerHooks(Weak<Server>);

impl Hooks for ServerHooks {
    fn apply(
        &self,
        _engine: &Engine,
        old: &Config,
        new: &Config,
        changed: &[Apply],
    ) -> Result<(), String> {
        match self.0.upgrade() {
            Some(server) => apply::apply(&server, old, new, changed),
            None => Ok(()),
        }
    }

    fn describe(&self, engine: &Engine, client: &Arc<Client>) -> String {
        crate::commands::describe_client(engine, client)
    }

    fn shut_down(&self, _engine: &Engine, how: Shutdown) {
        if let Some(server) = self.0.upgrade() {
            std::thread::spawn(move || {
                if !shutdown::stop(&server, how) {
                    server.engine.end_shutdown();
                }
            });
        }
    }

    fn in_background(&self, work: Box<dyn FnOnce(&Engine) + Send>) {
        if let Some(server) = self.0.upgrade() {
            std::thread::spawn(move || work(&server.engine));
        }
    }

    fn run_job(&self, engine: &Engine, job: Job) {
        match self.0.upgrade() {
            Some(server) => jobs::run(&server, job),
            None => engine.jobs.end(),
        }
    }

    fn reload_aof(&self, _engine: &Engine) -> Result<(), String> {
        match self.0.upgrade() {
            Some(server) => files::reload(&server).map_err(|error| format!("{error:#}")),
            None => Ok(()),
        }
    }

    fn save(&self, _engine: &Engine) -> Result<(), String> {
        match self.0.upgrade() {
            Some(server) => rdb::save(&server).map_err(|error| format!("{error:#}")),
            None => Ok(()),
        }
    }

    fn reload_snapshot(&self, _engine: &Engine, how: Reload) -> Result<(), String> {
        match self.0.upgrade() {
            Some(server) => rdb::reload(&server, how).map_err(|error| format!("{error:#}")),
            None => Ok(()),
        }
    }

    fn send(&self, parcel: Arc<Parcel>, client: Arc<Client>) {
        if let Some(server) = self.0.upgrade() {
            migrate::send(server, parcel, client);
        }
    }
}

/// Gives the engine its hooks.
pub(super) fn install(server: &Arc<Server>) {
    let hooks = Box::new(ServerHooks(Arc::downgrade(server)));
    // A second installation would be a second server for one engine, which cannot happen.
    let _ = server.engine.hooks.set(hooks);
}
