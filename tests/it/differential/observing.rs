//! Client-side caching, slow commands and the latency monitor, as far as what they tell does not depend on time.

use super::generate::{Args, Generator};

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

pub fn any(g: &mut Generator) -> Args {
    let call = g.pick(CALLS);
    let mut words = call.split(' ');
    let name = words.next().unwrap_or_default();
    let first = g.word(name);
    let rest = words.map(|word| word.as_bytes().to_vec());
    std::iter::once(first).chain(rest).collect()
}
