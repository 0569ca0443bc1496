//! EXEC: the commands of a transaction, run one after the other under all their locks.

use super::{Request, Round};
use crate::engine::error::CommandError;
use crate::engine::session::Session;
use crate::engine::table::Spec;
use crate::engine::timing::{Notable, Timer};
use crate::engine::transaction::Transaction;
use crate::keyspace::{Key, Scope};
use crate::resp::reply::Reply;

impl<'e> Round<'_, 'e> {
    /// EXEC: runs the queue under all its locks.
    pub(super) fn transaction(
        &mut self,
        session: &mut Session,
        request: &Request<'_>,
        spec: &'e Spec,
        reply: &mut Reply,
    ) -> Result<(), CommandError> {
        let Some(transaction) = session.end_transaction() else {
            let mut nothing = self.engine.keyspace.nothing();
            return self.work(&mut nothing, session, request, spec, reply, false);
        };
        if transaction.is_aborted {
            self.engine.unwatch_all(session);
            return Err(CommandError::ExecAbort);
        }
        let keyspace = &self.engine.keyspace;
        let watched: Vec<u64> = session
            .watch
            .iter()
            .flat_map(|watch| watch.keys.keys())
            .map(|watched| Key::new(&watched.key).hash)
            .collect();
        if transaction.needs_everything(self.engine) {
            self.passage = None;
            let Some(alone) = keyspace.gate().alone_unless_stuck() else {
                return Err(self.busy_error());
            };
            let mut scope = keyspace.everything(&alone);
            self.exec(&mut scope, session, &transaction, reply);
            drop(scope);
            self.engine.unwatch_all(session);
            self.serve_ready();
            drop(alone);
            self.passage = keyspace.gate().pass_unless_stuck(self.lane);
            self.note_changes(session);
        } else {
            let hashes = || transaction.hashes().chain(watched.iter().copied());
            let mut scope = keyspace.lock_some(hashes());
            if scope.owes() {
                scope = self.serve_first(scope, hashes);
            }
            self.exec(&mut scope, session, &transaction, reply);
        }
        self.engine.unwatch_all(session);
        Ok(())
    }

    fn exec(
        &mut self,
        scope: &mut Scope<'e>,
        session: &mut Session,
        transaction: &Transaction,
        reply: &mut Reply,
    ) {
        if session.is_watch_broken() || has_lost_watched(scope, session, self.moment.now) {
            return reply.null_array();
        }
        session.time = None;
        let stats = &self.engine.stats.lanes[self.lane];
        let mut timer = Timer::start(stats, self.stopwatch, self.wishes, self.stopwatch.ticks());
        reply.array(transaction.commands.len());
        for (index, queued) in transaction.commands.iter().enumerate() {
            let spec = &self.engine.commands.all()[queued.spec];
            let request = Request {
                args: queued.args.view(),
                keys: &queued.keys,
                parsed: None,
            };
            if !timer.goes_on(queued.spec, index)
                && let Some(notable) = timer.begins(Some(spec), queued.spec, index)
            {
                self.note_slow_queued(session, transaction, &notable);
            }
            let replied = reply.len();
            // Rights may have changed since the command was queued, and data may be loaded by now.
            let may = self.engine.check_queued(session, spec, request.args);
            match may.and_then(|()| self.engine.check_loading(session, spec)) {
                Ok(()) => self.run_queued(scope, session, &request, spec, reply),
                Err(error) => self.refuse_queued(spec, &error, reply),
            }
            reply.set_resp3(session.is_resp3);
            timer.ends(true);
            let sizes = (request.args.bytes(), reply.len() - replied);
            if sizes.0 >= self.wishes.request || sizes.1 >= self.wishes.reply {
                self.note_large(session, Some(spec), request.args, sizes);
            }
        }
        if let Some(notable) = timer.finish(transaction.commands.len()) {
            self.note_slow_queued(session, transaction, &notable);
        }
        self.commit(scope);
    }

    fn run_queued(
        &mut self,
        scope: &mut Scope<'e>,
        session: &mut Session,
        request: &Request<'_>,
        spec: &'e Spec,
        reply: &mut Reply,
    ) {
        let mark = reply.mark();
        if let Err(error) = self.work(scope, session, request, spec, reply, true) {
            self.count_failure(spec, &error);
            reply.cut_back(mark);
            reply.error(&error.line());
        }
    }

    /// Remembers a run of commands of a transaction that took long, by the one that came with most.
    #[cold]
    fn note_slow_queued(
        &self,
        session: &Session,
        transaction: &Transaction,
        notable: &Notable<'e>,
    ) {
        let run = &transaction.commands[notable.run.clone()];
        if let Some(queued) = run.iter().max_by_key(|queued| queued.args.view().bytes()) {
            let Notable { spec, nanos, .. } = *notable;
            let (client, args) = (&session.client, queued.args.view());
            self.engine.note_slow(client, spec, nanos, args);
        }
    }
}

/// Whether a key that was there when it was watched has expired since, which no command did.
fn has_lost_watched(scope: &mut Scope<'_>, session: &Session, now: i64) -> bool {
    let mut keys = session.watch.iter().flat_map(|watch| &watch.keys);
    keys.any(|(watched, existed)| {
        *existed && !scope.is_alive(watched.database, Key::new(&watched.key), now)
    })
}
