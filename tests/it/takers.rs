//! Who waits is served before anybody else can take the element, however many try on all workers.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::thread;

use crate::common::{Raw, Reply, Server, array, bulk, eventually, frame, integer};

/// Commands that would take what is pushed. None of them finds anything: somebody waits before each push.
const TAKERS: &[&str] = &[
    "LPOP list",
    "LMPOP 2 other list LEFT",
    "RPOPLPUSH list stolen",
    "MULTI|RPOP list|EXEC",
];

/// Ways to make the list, all of them with the element `x`.
const PUSHES: &[&str] = &[
    "RPUSH list x",
    "MULTI|LPUSH list x|SET another y|EXEC",
    "EVAL redis.call('rpush','list','x') 0",
    "RPUSH source x|RENAME source list",
    "RPUSH source x|COPY source list|DEL source",
    "RPUSH source x|SORT source ALPHA STORE list|DEL source",
    "RPUSH source x|LMOVE source list LEFT RIGHT",
];

const WAITS: &[&str] = &[
    "BLPOP list 0",
    "BLMOVE list got LEFT LEFT 0",
    "BLPOP nothing list 0",
    "BRPOPLPUSH list got 0",
];

fn wait_for_blocked(raw: &mut Raw, count: usize) {
    eventually("clients are blocked", || {
        let info = raw.ask("INFO clients").text();
        info.contains(&format!("blocked_clients:{count}\r\n"))
    });
}

/// Sends commands together; gives the last reply.
fn at_once(raw: &mut Raw, lines: &str) -> Reply {
    let frames = lines.split('|').flat_map(|line| {
        let words: Vec<&[u8]> = line.split(' ').map(str::as_bytes).collect();
        frame(&words)
    });
    raw.send(frames.collect::<Vec<u8>>());
    let mut replies = raw.read_many(lines.split('|').count());
    replies.pop().expect("a reply")
}

#[test]
fn a_push_belongs_to_whoever_waits() {
    const ROUNDS: usize = 280;
    let server = Server::start(&["--io-threads", "4"]);
    let (is_over, stolen) = (AtomicBool::new(false), AtomicUsize::new(0));
    thread::scope(|scope| {
        let mut raw = server.raw();
        let mut waiters: Vec<Raw> = (0..4).map(|_| server.raw()).collect();
        let mut pushers: Vec<Raw> = (0..4).map(|_| server.raw()).collect();
        let (is_over, stolen) = (&is_over, &stolen);
        for line in TAKERS {
            let mut taker = server.raw();
            scope.spawn(move || {
                while !is_over.load(SeqCst) {
                    let reply = at_once(&mut taker, line);
                    let is_nothing = reply.is_null() || reply == array([Reply::NullBulk]);
                    stolen.fetch_add(usize::from(!is_nothing), SeqCst);
                }
            });
        }
        for round in 0..ROUNDS {
            let wait = WAITS[round / 3 % WAITS.len()];
            let waiter = &mut waiters[round % 4];
            waiter.tell(wait);
            wait_for_blocked(&mut raw, 1);
            at_once(&mut pushers[round / 4 % 4], PUSHES[round % PUSHES.len()]);
            let expected = match wait.starts_with("BLPOP") {
                true => array([bulk("list"), bulk("x")]),
                false => bulk("x"),
            };
            assert_eq!(waiter.read(), expected, "{wait}");
            raw.ask("DEL got");
        }
        is_over.store(true, SeqCst);
    });
    assert_eq!(stolen.load(SeqCst), 0);
}

#[test]
fn an_older_waiter_of_one_key_comes_before_a_younger_one_of_two() {
    let server = Server::start(&["--io-threads", "4"]);
    let mut raw = server.raw();
    let (mut older, mut younger) = (server.raw(), server.raw());
    let mut pushers: Vec<Raw> = (0..4).map(|_| server.raw()).collect();
    for round in 0..300 {
        older.tell("BLPOP b 0");
        wait_for_blocked(&mut raw, 1);
        younger.tell("BLPOP b a 0");
        wait_for_blocked(&mut raw, 2);
        // Two workers, neither of which waits for the other.
        let (first, second) = (round % 4, (round + 1 + round / 4 % 3) % 4);
        pushers[first].tell("RPUSH a x");
        pushers[second].tell("RPUSH b y");
        assert_eq!(older.read(), array([bulk("b"), bulk("y")]));
        assert_eq!(younger.read(), array([bulk("a"), bulk("x")]));
        for pusher in [first, second] {
            assert_eq!(pushers[pusher].read(), integer(1));
        }
    }
}
