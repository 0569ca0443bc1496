//! Client-side caching, slow commands and the latency monitor, as far as what they tell does not depend on time.

use crate::common::Server;

const CALLS: &[&str] = &[
    "CLIENT TRACKING",
    "CLIENT TRACKING maybe",
    "CLIENT TRACKING OFF",
    "CLIENT TRACKING ON FOO",
    "CLIENT TRACKING ON BCAST OPTIN",
    "CLIENT TRACKING ON OPTOUT OPTIN",
    "CLIENT TRACKING ON PREFIX a",
    "CLIENT TRACKING ON PREFIX",
    "CLIENT TRACKING ON REDIRECT x",
    "CLIENT TRACKING ON REDIRECT 0",
    "CLIENT TRACKING ON REDIRECT 99999999",
    "CLIENT TRACKING ON BCAST PREFIX a PREFIX ab",
    "CLIENT CACHING YES",
    "CLIENT CACHING NO",
    "CLIENT CACHING",
    "CLIENT GETREDIR",
    "CLIENT GETREDIR x",
    "CLIENT TRACKINGINFO",
    "SLOWLOG",
    "SLOWLOG FOO",
    "SLOWLOG GET 0",
    "SLOWLOG GET -2",
    "SLOWLOG GET x",
    "SLOWLOG GET 1 2",
    "SLOWLOG LEN x",
    "SLOWLOG RESET",
    "LATENCY",
    "LATENCY FOO",
    "LATENCY GRAPH nothing",
    "LATENCY GRAPH",
    "LATENCY HISTORY nothing",
    "LATENCY HISTORY",
    "LATENCY HISTOGRAM nothing",
    "LATENCY LATEST",
    "LATENCY LATEST x",
    "LATENCY RESET",
    "LATENCY RESET nothing",
    "MONITOR x",
];

/// Each once, in both protocols. They are not mixed with the random commands: some begin to track keys, and would be answered
/// with messages from then on.
#[test]
fn questions_are_answered_as_by_redis() {
    let Some(reference) = Server::redis(&[]) else {
        return;
    };
    let server = Server::start(&[]);
    for protocol in ["HELLO 2", "HELLO 3"] {
        let (mut raw, mut expected) = (server.raw(), reference.raw());
        raw.ask(protocol);
        expected.ask(protocol);
        for call in CALLS {
            assert_eq!(raw.ask(call), expected.ask(call), "{call} after {protocol}");
        }
    }
}
