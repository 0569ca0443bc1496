//! Running what is loaded from a file, and telling how far it has come.

use std::sync::Arc;

use super::{Server, rdb};
use crate::engine::{Client, Lane, Login, Session};
use crate::persistence::rdb::{Listener, load as load_snapshot};
use crate::persistence::{BadSnapshot, Input, Player, Refusal};
use crate::resp::args::Args;
use crate::resp::reply::Reply;

/// Errors that are logged one by one.
const ERRORS_SHOWN: u64 = 10;

/// Runs commands from a file.
pub(super) struct Replay<'s> {
    server: &'s Server,
    lane: Lane,
    session: Session,
    reply: Reply,
    errors: u64,
    progress: rdb::Progress<'s>,
}

impl<'s> Replay<'s> {
    /// A player on the background lane.
    pub fn new(server: &'s Server) -> Self {
        let lane = server.engine.background_lane();
        let client = Client::new(u64::MAX, lane, String::new(), String::new(), -1);
        Self {
            server,
            lane: Lane::new(lane),
            session: Session::new(Arc::new(client), Login::of_server()),
            reply: Reply::new(),
            errors: 0,
            progress: rdb::Progress::new(server, rdb::Purpose::AofBase),
        }
    }

    /// Says what went wrong without stopping the loading.
    pub fn report(&self) {
        if self.errors > 0 {
            tracing::warn!("{} commands of the append-only file failed", self.errors);
        }
    }
}

impl Player for Replay<'_> {
    fn run(&mut self, database: usize, args: Args<'_>) -> Result<(), Refusal> {
        let engine = &self.server.engine;
        if database >= engine.keyspace.databases() {
            let reason = format!("there is no database {database}; see the directive 'databases'");
            return Err(Refusal::Because(reason));
        }
        if self.session.database != database {
            self.session.select(database);
        }
        self.reply.clear();
        let Err(error) = engine.replay(&mut self.lane, &mut self.session, args, &mut self.reply)
        else {
            return Ok(());
        };
        let Some(spec) = engine.commands.resolve_replayed(args) else {
            return Err(Refusal::UnknownCommand);
        };
        if !spec.accepts(args.len()) {
            return Err(Refusal::Because(error.to_string()));
        }
        // The command failed when it was logged, too.
        self.errors += 1;
        if self.errors <= ERRORS_SHOWN {
            tracing::warn!("'{}' of the append-only file failed: {error}", spec.name);
        }
        Ok(())
    }

    fn snapshot(&mut self, input: &mut dyn Input) -> Result<u64, BadSnapshot> {
        let engine = &self.server.engine;
        let options = rdb::options(engine, &engine.config.load(), rdb::Purpose::AofBase);
        match load_snapshot(input, &engine.keyspace, options, &mut self.progress) {
            Ok(loaded) => {
                rdb::note_loaded(engine, &loaded);
                Ok(loaded.bytes)
            }
            Err(fault) => Err(BadSnapshot {
                offset: fault.offset,
                reason: fault.problem.to_string(),
            }),
        }
    }

    fn progress(&mut self, bytes: u64) -> bool {
        self.progress.progress(bytes)
    }
}
