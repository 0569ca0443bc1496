//! Commands that wait, and what others leave for a connection meanwhile.

use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::atomic::Ordering::Relaxed;
use std::task::Context;
use std::time::Duration;

use tokio::time::Sleep;

use super::{Connection, NOT_NOW, with_lane};
use crate::base::clock::unix_ms;
use crate::engine::{Ended, Parked, Progress, Served, Unblock, flag};
use crate::resp::reply::Reply;
use crate::server::signals::Inbox;

/// A parked command with its alarm clock.
pub(super) struct Waiting {
    pub parked: Box<dyn Parked>,
    pub alarm: Option<Pin<Box<Sleep>>>,
}

impl Connection {
    pub(super) fn park(&mut self, parked: Box<dyn Parked>) {
        let alarm = parked.deadline().map(|deadline| {
            let left = u64::try_from(deadline.saturating_sub(unix_ms())).unwrap_or(0);
            Box::pin(tokio::time::sleep(Duration::from_millis(left)))
        });
        if parked.is_blocked() {
            self.server.engine.clients.blocked.fetch_add(1, Relaxed);
            self.session.client.set_flag(flag::BLOCKED, true);
        }
        self.waiting = Some(Waiting { parked, alarm });
    }

    /// Looks at a parked command again.
    pub(super) fn poll_waiting(&mut self, context: &mut Context<'_>) -> Progress {
        let Some(waiting) = &mut self.waiting else {
            return Progress::Done;
        };
        let engine = &self.server.engine;
        let session = &mut self.session;
        let mut reply = Reply::new();
        reply.set_resp3(session.is_resp3);
        let is_late = waiting
            .alarm
            .as_mut()
            .is_some_and(|alarm| alarm.as_mut().poll(context).is_ready());
        if is_late {
            waiting.alarm = None;
        }
        let progress = if is_late {
            match waiting.parked.end_wait(engine) {
                Ended::Yes => {}
                Ended::Served => return Progress::Waiting,
                Ended::NotNow => {
                    let mut alarm = Box::pin(tokio::time::sleep(NOT_NOW));
                    // It is polled here so that it rings.
                    if alarm.as_mut().poll(context).is_pending() {
                        waiting.alarm = Some(alarm);
                    }
                    return Progress::Waiting;
                }
            }
            waiting
                .parked
                .unblock(engine, session, Unblock::Timeout, &mut reply);
            Progress::Done
        } else {
            let lane = session.client.worker;
            let record = engine.last_record(lane);
            let progress =
                with_lane(|lane| engine.resume(lane, &mut *waiting.parked, session, &mut reply));
            self.note_record(lane, record);
            progress.unwrap_or(Progress::Waiting)
        };
        match progress {
            Progress::Waiting => {}
            // Unlike waking oneself, this lets the worker look at its sockets before it comes back here.
            Progress::Busy => drop(pin!(tokio::task::yield_now()).poll(context)),
            Progress::Done => self.end_waiting(&mut reply),
        }
        progress
    }

    pub(super) fn end_waiting(&mut self, reply: &mut Reply) {
        if self
            .waiting
            .take()
            .is_some_and(|waiting| waiting.parked.is_blocked())
        {
            self.server.engine.clients.blocked.fetch_sub(1, Relaxed);
            self.session.client.set_flag(flag::BLOCKED, false);
        }
        if self.session.is_reply_unwanted() {
            reply.clear();
        }
        self.outbox.take_over(reply, 0);
    }

    /// Takes what others have left for this connection.
    pub(super) fn open_letterbox(&mut self) {
        let Inbox {
            pushes,
            underway: _underway,
            unblock,
            served,
            before_served,
            is_over,
            ..
        } = self.signals.take();
        self.is_over |= is_over;
        self.is_ending |= is_over;
        let mut pushes = pushes.into_iter();
        if let Some(served) = served {
            let before = pushes.by_ref().take(before_served);
            before.for_each(|push| self.outbox.push(push));
            self.take_served(*served);
        }
        pushes.for_each(|push| self.outbox.push(push));
        if let (Some(how), Some(waiting)) = (unblock, &mut self.waiting)
            && waiting.parked.is_blocked()
            && waiting.parked.end_wait(&self.server.engine) == Ended::Yes
        {
            let mut reply = Reply::new();
            reply.set_resp3(self.session.is_resp3);
            waiting
                .parked
                .unblock(&self.server.engine, &mut self.session, how, &mut reply);
            self.end_waiting(&mut reply);
        }
    }

    /// The end of a wait for keys: somebody else has run the command and left its reply here.
    pub(super) fn take_served(&mut self, served: Served) {
        let engine = &self.server.engine;
        self.session.last_record = self.session.last_record.max(Some(served.record));
        if engine.journal.is_open() {
            self.held_until = self.held_until.max(served.record);
        }
        let mut reply = Reply::new();
        served.reply.iter().for_each(|piece| reply.raw(piece));
        self.end_waiting(&mut reply);
    }
}
