//! Users who change or go while their clients wait, listen, queue or run scripts.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use crate::common::{Raw, Reply, Server, array, bulk, error, eventually, integer, ok, queued};

fn log_in(server: &Server) -> Raw {
    let mut raw = server.raw();
    assert_eq!(raw.ask("AUTH ann secret"), ok());
    raw
}

fn make(admin: &mut Raw) {
    let line = "ACL SETUSER ann on >secret +@all ~* &*";
    assert_eq!(admin.ask(line), ok());
}

fn blocked(admin: &mut Raw, count: usize) {
    eventually("they wait", || {
        admin
            .ask("INFO clients")
            .text()
            .contains(&format!("blocked_clients:{count}\r\n"))
    });
}

#[test]
fn who_waits_is_asked_again() {
    let server = Server::start(&[]);
    let mut admin = server.raw();
    make(&mut admin);
    let mut waiting = log_in(&server);
    waiting.tell("BLPOP list 0");
    blocked(&mut admin, 1);
    assert_eq!(admin.ask("ACL SETUSER ann resetkeys ~other"), ok());
    assert_eq!(admin.ask("RPUSH list x"), integer(1));
    assert_eq!(
        waiting.read(),
        error("NOPERM No permissions to access a key")
    );
    assert_eq!(admin.ask("LRANGE list 0 -1"), array([bulk("x")]));
    let stats = admin.ask("INFO commandstats").text();
    assert!(
        stats.contains(
            "cmdstat_blpop:calls=0,usec=0,usec_per_call=0.00,rejected_calls=1,failed_calls=0"
        ),
        "{stats}"
    );
    assert_eq!(waiting.ask("SET other 1"), ok());
}

#[test]
fn whoever_is_no_more_is_closed_wherever_he_is() {
    let server = Server::start(&["--io-threads", "4"]);
    let mut admin = server.raw();
    make(&mut admin);
    let (mut waiting, mut listening) = (log_in(&server), log_in(&server));
    let (mut queueing, mut idle) = (log_in(&server), log_in(&server));
    waiting.tell("BLPOP list 0");
    listening.ask("SUBSCRIBE news");
    assert_eq!(queueing.ask("MULTI"), ok());
    assert_eq!(queueing.ask("SET k 1"), queued());
    blocked(&mut admin, 1);
    assert_eq!(admin.ask("ACL DELUSER ann"), integer(1));
    assert_eq!(admin.ask("RPUSH list x"), integer(1));
    assert_eq!(admin.ask("LLEN list"), integer(1));
    for closed in [&mut waiting, &mut listening, &mut queueing, &mut idle] {
        closed.expect_closed();
    }
    assert_eq!(admin.ask("EXISTS k"), integer(0));
    // One of the same name is another one.
    make(&mut admin);
    assert_eq!(log_in(&server).ask("GET k"), Reply::NullBulk);
}

#[test]
fn who_removes_himself_is_answered() {
    let server = Server::start(&[]);
    let mut admin = server.raw();
    make(&mut admin);
    let mut ann = log_in(&server);
    ann.send("MULTI\r\nACL DELUSER ann\r\nSET k 1\r\nEXEC\r\nSET k 2\r\n");
    assert_eq!(ann.read_many(3).len(), 3);
    let replies = ann.read().items();
    assert_eq!(replies[0], integer(1));
    assert_eq!(replies[1], error("NOAUTH Authentication required."));
    ann.expect_closed();
    assert_eq!(admin.ask("EXISTS k"), integer(0));
}

#[test]
fn a_long_script_ends_with_the_rights_that_it_began_with() {
    let server = Server::start(&["--busy-reply-threshold", "50", "--io-threads", "2"]);
    let mut admin = server.raw();
    make(&mut admin);
    let mut ann = log_in(&server);
    let script =
        "local n = 0; for i = 1, 30000000 do n = n + i end; return redis.call('set', 'k', '1')";
    let line = format!(
        "*3\r\n$4\r\nEVAL\r\n${}\r\n{script}\r\n$1\r\n0\r\n*2\r\n$3\r\nDEL\r\n$1\r\nk\r\n",
        script.len()
    );
    ann.send(line);
    let deadline = Instant::now() + Duration::from_secs(60);
    // While the script runs nobody can be removed; afterwards everybody can.
    while admin.ask("ACL DELUSER ann") != integer(1) {
        assert!(Instant::now() < deadline);
    }
    let _ = ann.try_read();
    assert_eq!(admin.ask("ACL USERS"), array([bulk("default")]));
}

#[test]
fn nobody_keeps_rights_that_were_taken_away() {
    let server = Server::start(&["--io-threads", "4"]);
    let mut admin = server.raw();
    make(&mut admin);
    let ends = Arc::new(AtomicBool::new(false));
    let clients: Vec<_> = (0..4)
        .map(|n| {
            let (mut ann, ends) = (log_in(&server), ends.clone());
            thread::spawn(move || {
                while !ends.load(Relaxed) {
                    ann.send(format!("INCR n{n}\r\nINCR n{n}\r\nEVAL \"return redis.call('incr', 'n{n}')\" 0\r\n").repeat(20));
                    for reply in ann.read_many(60) {
                        let is_known = match &reply {
                            Reply::Integer(_) => true,
                            Reply::Error(text) => text.starts_with("NOPERM"),
                            _ => false,
                        };
                        assert!(is_known, "{reply:?}");
                    }
                }
            })
        })
        .collect();
    let until = Instant::now() + Duration::from_secs(3);
    while Instant::now() < until {
        assert_eq!(admin.ask("ACL SETUSER ann -incr"), ok());
        let before = admin.ask("MGET n0 n1 n2 n3");
        thread::sleep(Duration::from_millis(5));
        assert_eq!(admin.ask("MGET n0 n1 n2 n3"), before);
        assert_eq!(admin.ask("ACL SETUSER ann +@all"), ok());
        thread::sleep(Duration::from_millis(5));
    }
    ends.store(true, Relaxed);
    for client in clients {
        client.join().expect("no other reply");
    }
}
