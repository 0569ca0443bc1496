//! WAIT and WAITAOF: until what a client wrote is safe. There are no replicas, so none ever acknowledges anything.

use std::sync::atomic::Ordering::SeqCst;

use crate::base::clock::unix_ms;
use crate::base::numbers::parse_i64;
use crate::engine::{
    Call, CommandError, CommandResult, Engine, Parked, Progress, Session, Unblock,
};
use crate::resp::reply::Reply;

pub(super) fn wait(call: &mut Call) -> CommandResult {
    let replicas = call.integer(1)?;
    let deadline = deadline(call, 2)?;
    if replicas <= 0 || call.is_nested {
        call.reply.integer(0);
        return Ok(());
    }
    call.park(WaitForReplicas { deadline });
    Ok(())
}

/// When a wait ends whose milliseconds are an argument; 0 waits for ever.
fn deadline(call: &Call, at: usize) -> Result<Option<i64>, CommandError> {
    let timeout = parse_i64(call.args.at(at))
        .ok_or_else(|| CommandError::text("ERR timeout is not an integer or out of range"))?;
    if timeout < 0 {
        return Err(CommandError::text("ERR timeout is negative"));
    }
    // Not the command's own time: that stands still while a batch runs.
    let until = unix_ms().checked_add(timeout);
    let until = until.ok_or_else(|| CommandError::text("ERR timeout is out of range"))?;
    Ok((timeout > 0).then_some(until))
}

/// WAIT for replicas that do not exist.
struct WaitForReplicas {
    deadline: Option<i64>,
}

impl Parked for WaitForReplicas {
    fn resume(&mut self, _: &Engine, _: &mut Session, _: &mut Reply) -> Progress {
        Progress::Waiting
    }

    fn deadline(&self) -> Option<i64> {
        self.deadline
    }

    fn unblock(&mut self, _: &Engine, _: &mut Session, how: Unblock, reply: &mut Reply) {
        match how {
            Unblock::Timeout => reply.integer(0),
            Unblock::Error => reply.error(UNBLOCKED),
        }
    }
}

const UNBLOCKED: &[u8] = b"UNBLOCKED client unblocked via CLIENT UNBLOCK";

pub(super) fn wait_for_file(call: &mut Call) -> CommandResult {
    let local = call.integer(1)?;
    if !(0..=1).contains(&local) {
        return Err(CommandError::text(
            "ERR value is out of range, value must between 0 and 1",
        ));
    }
    let replicas = call.integer(2)?;
    if replicas < 0 {
        return Err(CommandError::NotPositive);
    }
    let wait = WaitForFile {
        needs_local: local == 1,
        needs_replicas: replicas > 0,
        deadline: deadline(call, 3)?,
    };
    if wait.needs_local && !call.config.appendonly {
        return Err(CommandError::text(NO_FILE));
    }
    if call.is_nested {
        report(call.engine, call.session, call.reply);
    } else {
        // Looked at when the batch has ended: only then it is known what the client wrote in it.
        call.park(wait);
    }
    Ok(())
}

const NO_FILE: &str = "ERR WAITAOF cannot be used when numlocal is set but appendonly is disabled.";

/// WAITAOF under way.
struct WaitForFile {
    needs_local: bool,
    needs_replicas: bool,
    deadline: Option<i64>,
}

/// Whether all that a client wrote is on disk. A log that has been switched on counts when its first base is complete.
fn is_durable(engine: &Engine, session: &Session) -> bool {
    let synced = engine.synced.load(SeqCst);
    let is_synced = |last| last <= synced && !engine.aof.is_starting.load(SeqCst);
    engine.config.load().appendonly && session.last_record.is_none_or(is_synced)
}

fn report(engine: &Engine, session: &Session, reply: &mut Reply) {
    reply.array(2);
    reply.count(usize::from(is_durable(engine, session)));
    reply.integer(0);
}

impl Parked for WaitForFile {
    fn resume(&mut self, engine: &Engine, session: &mut Session, reply: &mut Reply) -> Progress {
        if self.needs_local && !engine.config.load().appendonly {
            reply.error(NO_FILE.as_bytes());
            return Progress::Done;
        }
        if self.needs_replicas || (self.needs_local && !is_durable(engine, session)) {
            return Progress::Waiting;
        }
        report(engine, session, reply);
        Progress::Done
    }

    fn waits_for_disk(&self) -> bool {
        true
    }

    fn deadline(&self) -> Option<i64> {
        self.deadline
    }

    fn unblock(&mut self, engine: &Engine, session: &mut Session, how: Unblock, reply: &mut Reply) {
        match how {
            Unblock::Timeout => report(engine, session, reply),
            Unblock::Error => reply.error(UNBLOCKED),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::config::Config;
    use crate::engine::{Client, Login};

    /// What WAITAOF says to a client whose last record has this number, when all records below `synced` are on disk.
    fn look(needs_replicas: bool, last_record: Option<u64>, synced: u64) -> (Progress, Vec<u8>) {
        let mut config = Config::default();
        config.appendonly = true;
        let engine = Engine::new(config, &[]);
        engine.synced.store(synced, SeqCst);
        let client = Client::new(1, 0, String::new(), String::new(), 0);
        let mut session = Session::new(Arc::new(client), Login::of_server());
        session.last_record = last_record;
        let (mut reply, mut wait) = (
            Reply::new(),
            WaitForFile {
                needs_local: true,
                needs_replicas,
                deadline: None,
            },
        );
        let progress = wait.resume(&engine, &mut session, &mut reply);
        if progress == Progress::Waiting {
            wait.unblock(&engine, &mut session, Unblock::Timeout, &mut reply);
        }
        (progress, reply.plain().unwrap_or_default().to_vec())
    }

    #[test]
    fn a_file_is_waited_for_until_it_holds_the_last_record() {
        let (late, done) = (
            b"*2\r\n:0\r\n:0\r\n".to_vec(),
            b"*2\r\n:1\r\n:0\r\n".to_vec(),
        );
        assert_eq!(look(false, Some(5), 4), (Progress::Waiting, late));
        assert_eq!(look(false, Some(5), 5), (Progress::Done, done.clone()));
        assert_eq!(look(false, None, 0), (Progress::Done, done.clone()));
        assert_eq!(look(true, Some(5), 9), (Progress::Waiting, done));
    }
}
