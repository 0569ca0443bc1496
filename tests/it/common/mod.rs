//! The harness: servers on free ports with a directory of their own, and connections to them.
//!
//! `Server::start` runs the `oxidis` binary, or the program that `OXIDIS_TEST_SERVER` names: a way to check the tests
//! themselves against `redis-server`. Every wait has a limit, so no test hangs. Start with `Server`, then `Raw`.

mod programs;
mod raw;
mod reply;
mod server;

pub use programs::{installed, run};
pub use raw::{Raw, check, frame};
pub use reply::{Reply, array, bulk, error, integer, ok, queued, simple};
pub use server::Server;

use std::time::{Duration, Instant};

/// Polls until the condition holds; fails the test when it does not within ten seconds.
#[track_caller]
pub fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !condition() {
        assert!(
            Instant::now() < deadline,
            "still not true after 30 s: {what}"
        );
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Does something until one try has taken less than `limit`: for what must be done before a time to live that begins in it
/// runs out, on a machine that may stand still for a while.
pub fn within<R>(limit: Duration, mut attempt: impl FnMut() -> R) -> R {
    loop {
        let begun = Instant::now();
        let done = attempt();
        if begun.elapsed() < limit {
            return done;
        }
    }
}

#[test]
fn a_server_restarts_in_its_directory() {
    let mut server = Server::start(&["--appendonly", "yes"]);
    let mut raw = server.raw();
    check(
        &mut raw,
        &[("SET key \"a b\\x00\"", ok()), ("GET key", bulk(b"a b\0"))],
    );
    server.restart();
    check(&mut server.raw(), &[("GET key", bulk(b"a b\0"))]);
    assert!(server.dir().join("server.log").exists());
    server.stop();
    server.restart();
    server.kill();
}

#[test]
fn redis_is_optional() {
    if let Some(server) = Server::redis(&["--databases", "2"]) {
        assert_eq!(
            server.raw().ask("SELECT 2"),
            error("ERR DB index is out of range")
        );
    }
}

#[test]
fn every_type_of_reply_is_read() {
    let Some(server) = Server::redis(&["--enable-debug-command", "yes"]) else {
        return;
    };
    let mut raw = server.raw();
    raw.ask("HELLO 3");
    check(
        &mut raw,
        &[
            ("DEBUG PROTOCOL string", bulk("Hello World")),
            ("DEBUG PROTOCOL integer", integer(12345)),
            (
                "DEBUG PROTOCOL double",
                Reply::Double("3.141".parse().expect("a number")),
            ),
            ("DEBUG PROTOCOL null", Reply::Null),
            ("DEBUG PROTOCOL array", array([0, 1, 2].map(integer))),
            (
                "DEBUG PROTOCOL set",
                Reply::Set([0, 1, 2].map(integer).to_vec()),
            ),
            (
                "DEBUG PROTOCOL map",
                Reply::Map(
                    [0, 1, 2]
                        .map(|key| (integer(key), Reply::Bool(key == 1)))
                        .to_vec(),
                ),
            ),
            ("DEBUG PROTOCOL true", Reply::Bool(true)),
            (
                "DEBUG PROTOCOL verbatim",
                Reply::Verbatim("txt".to_string(), b"This is a verbatim\nstring".to_vec()),
            ),
            (
                "DEBUG PROTOCOL bignum",
                Reply::BigNumber("1234567999999999999999999999999999999".to_string()),
            ),
            (
                "DEBUG PROTOCOL push",
                Reply::Push(vec![bulk("server-cpu-usage"), integer(42)]),
            ),
        ],
    );
    // After a push and after an attribute comes the reply itself.
    assert_eq!(raw.read(), bulk("Some real reply following the push reply"));
    let popularity = array([bulk("key:123"), integer(90)]);
    let attribute = Reply::Attribute(vec![(bulk("key-popularity"), popularity)]);
    check(&mut raw, &[("DEBUG PROTOCOL attrib", attribute)]);
    assert_eq!(raw.read(), bulk("Some real reply following the attribute"));
}
