//! A connection whose script takes long: its batch is put aside between two steps of the script, so that the worker can see
//! to its other clients.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::Context;
use std::thread;

use bytes::BytesMut;

use super::{Connection, WORKBENCH, Workbench};
use crate::base::aside::{self, Aside};
use crate::config::Config;
use crate::engine::{BatchEnd, Lane};
use crate::resp::parser::Batch;
use crate::resp::reply::Reply;

/// How a batch has ended.
type Outcome = thread::Result<BatchEnd>;

/// A batch in progress, for as long as it is put aside.
pub(super) struct Suspended {
    aside: Aside,
    /// Where the outcome will be.
    outcome: Box<Option<Outcome>>,
    /// Where the batch ends in its input, and the last journal record before it.
    end: usize,
    record: u64,
    /// What it uses, once the connection has let go of it.
    holdings: Option<Holdings>,
}

/// What a batch works with. It must not be touched until the batch has ended, so it stays with it, and the worker gets
/// another workbench.
struct Holdings {
    bench: Box<Workbench>,
    input: Input,
}

/// Where a batch's bytes are.
pub(super) enum Input {
    /// So many at the beginning of the workbench's buffer.
    OnBench(usize),
    /// Here.
    Own(BytesMut),
}

impl Connection {
    /// Runs a batch that may have to be put aside; `None` when it has been.
    pub(super) fn run_with_scripts(
        &mut self,
        input: &[u8],
        lane: &mut Lane,
        config: &Config,
        batch: &Batch,
        reply: &mut Reply,
        end: usize,
    ) -> Option<Outcome> {
        let record = self.server.engine.last_record(lane.index);
        let mut outcome: Box<Option<Outcome>> = Box::new(None);
        let slot = &raw mut *outcome;
        let (engine, session) = (&self.server.engine, &mut self.session);
        // It takes its references along: this frame is left when it is put aside.
        let work = move || {
            let result = catch_unwind(AssertUnwindSafe(|| {
                engine.run_batch(lane, config, session, input, batch, reply)
            }));
            // SAFETY: the box outlives the work, which alone writes to it.
            unsafe { *slot = Some(result) };
        };
        // SAFETY: a batch that is put aside keeps what it uses: `release_bench` sees to workbench and input before anybody
        // else comes to them, and both stay where they are in memory. The session is a part of this connection, which its
        // task does not move; `poll` lets nobody near it before the batch has ended. The engine is held by the server.
        let aside = unsafe { aside::run(work) };
        match aside {
            None => Some(
                outcome
                    .take()
                    .expect("work that has ended leaves its outcome"),
            ),
            Some(aside) => {
                self.suspended = Some(Suspended {
                    aside,
                    outcome,
                    end,
                    record,
                    holdings: None,
                });
                None
            }
        }
    }

    /// Has a batch that was put aside keep what it uses. Called as soon as nobody else borrows the workbench.
    pub(super) fn release_bench(&mut self, input: Input) {
        let Some(suspended) = &mut self.suspended else {
            return;
        };
        WORKBENCH.with_borrow_mut(|bench| {
            let Some(used) = bench else { return };
            let fresh = Box::new(Workbench::new(&self.server, used.lane.index));
            let bench = std::mem::replace(used, fresh);
            suspended.holdings = Some(Holdings { bench, input });
        });
    }

    /// Goes on with a batch that was put aside. True when it has ended.
    pub(super) fn go_on(&mut self, context: &mut Context<'_>) -> io::Result<bool> {
        let Some(mut suspended) = self.suspended.take() else {
            return Ok(true);
        };
        if let Some(aside) = suspended.aside.go_on() {
            suspended.aside = aside;
            self.suspended = Some(suspended);
            // Unlike waking oneself, this lets the worker look at its sockets before it comes back here.
            let _ = pin!(tokio::task::yield_now()).poll(context);
            return Ok(false);
        }
        let outcome = suspended.outcome.take();
        let (Some(holdings), Some(outcome)) = (suspended.holdings, outcome) else {
            return Err(io::ErrorKind::Other.into());
        };
        let Holdings { mut bench, input } = holdings;
        let Workbench {
            lane,
            input: read,
            batch,
            reply,
            ..
        } = &mut *bench;
        let input = match &input {
            Input::OnBench(len) => &read[..*len],
            Input::Own(bytes) => bytes,
        };
        let done = self.end_batch(
            input,
            lane,
            batch,
            reply,
            suspended.end,
            suspended.record,
            outcome,
        );
        self.send(reply, lane, context)?;
        self.parser.restart();
        if !self.is_ending {
            self.pending.extend_from_slice(&input[done..]);
            self.pending
                .extend_from_slice(&std::mem::take(&mut self.unread));
            if !self.is_stopped() && !self.pending.is_empty() {
                self.run_pending(context)?;
            }
        }
        Ok(self.suspended.is_none())
    }
}
