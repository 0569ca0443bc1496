//! Commands that arrive while a script takes long: the gate is closed for everybody, but some need not pass it.

use super::{Flow, Request, Round};
use crate::engine::checks::{self, Verdict};
use crate::engine::command::flags;
use crate::engine::error::CommandError;
use crate::engine::session::Session;
use crate::engine::table::{Locks, Spec};
use crate::engine::{busy, condition};
use crate::resp::reply::Reply;

impl<'e> Round<'_, 'e> {
    /// One command of a worker that has no passage through the gate.
    #[cold]
    pub(super) fn run_outside(
        &mut self,
        session: &mut Session,
        request: &Request<'_>,
        spec: Option<&'e Spec>,
        reply: &mut Reply,
    ) -> Flow {
        self.passage = self.engine.keyspace.gate().pass_unless_stuck(self.lane);
        if !self.engine.knows_user(session) && !self.engine.renew_login(session) {
            return Flow::Close;
        }
        if self.passage.is_some() {
            return self.run(session, request, spec, reply);
        }
        let Some(known) = spec else {
            let error = checks::unknown_command(self.engine, request.args);
            return self.refuse(session, None, error, reply);
        };
        match self.check_outside(session, request, known) {
            Err(error) => self.refuse(session, spec, error, reply),
            Ok(Verdict::Postpone) => Flow::Postponed,
            Ok(Verdict::Queue) => {
                session.queue(self.engine, known, request.args, request.keys);
                let mark = reply.mark();
                reply.simple("QUEUED");
                self.end(session, spec, reply, mark)
            }
            Ok(Verdict::Run) => {
                self.has_run = true;
                let mark = reply.mark();
                let mut nothing = self.engine.keyspace.nothing();
                let result = self.work(&mut nothing, session, request, known, reply, false);
                if let Err(error) = result {
                    self.count_failure(known, &error);
                    reply.cut_back(mark);
                    reply.error(&error.line());
                }
                self.end(session, spec, reply, mark)
            }
        }
    }

    fn check_outside(
        &self,
        session: &Session,
        request: &Request<'_>,
        spec: &Spec,
    ) -> Result<Verdict, CommandError> {
        if !spec.accepts(request.args.len()) {
            return Err(checks::wrong_arity(spec));
        }
        let verdict = match session.state | (self.engine.conditions() & !condition::PAUSED) {
            0 => Verdict::Run,
            _ => checks::run(self.engine, self.config, session, spec, request.args)?,
        };
        // Who watches keys would have to lock their shards to forget them.
        let needs_keys = spec.locks != Locks::Nothing || session.watch.is_some();
        if !spec.has(flags::ALLOW_BUSY) || needs_keys {
            return Err(self.busy_error());
        }
        Ok(verdict)
    }

    /// What those are told who have to wait for the end of a script.
    pub(super) fn busy_error(&self) -> CommandError {
        if self.engine.is_loading() {
            return CommandError::Loading;
        }
        let error = self.engine.busy.error();
        error.unwrap_or_else(|| busy::too_slow(false))
    }
}
