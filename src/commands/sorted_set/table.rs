//! The family's commands.

use super::{add, combine, pop, random, range, read, remove, scan, wait};
use crate::engine::{Begin, Command, Find, Group, KeySpec, flags::*, one_key};

/// Read.
const READ: &[KeySpec] = &[one_key(1, &["RO", "access"])];
/// Members are taken out.
const REMOVED: &[KeySpec] = &[one_key(1, &["RW", "delete"])];
/// Members are taken out and given.
const POPPED: &[KeySpec] = &[one_key(1, &["RW", "access", "delete"])];
/// The destination of a result.
const STORED: KeySpec = one_key(1, &["OW", "update"]);

/// As many keys as an argument says, behind it.
const fn counted(at: usize, flags: &'static [&'static str]) -> KeySpec {
    KeySpec {
        begin: Begin::Index(at),
        find: Find::Count {
            at: 0,
            first: 1,
            step: 1,
        },
        flags,
    }
}

/// All keys but for the timeout behind them.
const WAITED_FOR: &[KeySpec] = &[KeySpec {
    begin: Begin::Index(1),
    find: Find::Range {
        last: -2,
        step: 1,
        limit: 0,
    },
    flags: &["RW", "access", "delete"],
}];
const INPUTS: &[KeySpec] = &[counted(1, &["RO", "access"])];
const STORED_FROM_INPUTS: &[KeySpec] = &[STORED, counted(2, &["RO", "access"])];

const fn command(
    name: &'static str,
    syntax: &'static str,
    handler: crate::engine::Handler,
) -> Command {
    Command::new(name, Group::SortedSet, syntax, handler)
}

/// The family.
pub const COMMANDS: &[Command] = &[
    command("ZADD", "key [NX | XX] [GT | LT] [CH] [INCR] score member [score member ...]", add::zadd)
        .elements(3, 2)
        .keys(&[one_key(1, &["RW", "update"])])
        .flags(WRITE | DENYOOM | FAST)
        .docs("1.2.0", "O(log(N)) for each member, N being the members of the set", "Adds members to a sorted set, or gives them other scores."),
    command("ZINCRBY", "key increment member", add::zincrby)
        .elements(3, 2)
        .keys(&[one_key(1, &["RW", "access", "update"])])
        .flags(WRITE | DENYOOM | FAST)
        .docs("1.2.0", "O(log(N)), N being the members of the set", "Adds to the score of a member; one that is missing counts as 0."),
    command("ZREM", "key member [member ...]", remove::zrem)
        .elements(2, 1)
        .keys(REMOVED)
        .flags(WRITE | FAST)
        .docs("1.2.0", "O(M*log(N)), N being the members of the set and M those removed", "Removes members from a sorted set."),
    command("ZREMRANGEBYLEX", "key min max", remove::zremrangebylex)
        .keys(REMOVED)
        .flags(WRITE)
        .docs("2.8.9", "O(log(N)+M*log(N)), N being the members of the set and M those removed", "Removes the members between two, all scores being equal."),
    command("ZREMRANGEBYRANK", "key start stop", remove::zremrangebyrank)
        .keys(REMOVED)
        .flags(WRITE)
        .docs("2.0.0", "O(log(N)+M*log(N)), N being the members of the set and M those removed", "Removes the members between two ranks."),
    command("ZREMRANGEBYSCORE", "key min max", remove::zremrangebyscore)
        .keys(REMOVED)
        .flags(WRITE)
        .docs("1.2.0", "O(log(N)+M*log(N)), N being the members of the set and M those removed", "Removes the members whose scores lie between two."),
    command("ZSCORE", "key member", read::zscore)
        .elements(2, 1)
        .keys(READ)
        .flags(READONLY | FAST)
        .docs("1.2.0", "O(1)", "Gives the score of a member."),
    command("ZMSCORE", "key member [member ...]", read::zmscore)
        .elements(2, 1)
        .keys(READ)
        .flags(READONLY | FAST)
        .docs("6.2.0", "O(N) in the number of members asked for", "Gives the scores of several members."),
    command("ZCARD", "key", read::zcard)
        .keys(&[one_key(1, &["RO"])])
        .flags(READONLY | FAST)
        .docs("1.2.0", "O(1)", "Tells how many members a sorted set has."),
    command("ZCOUNT", "key min max", read::zcount)
        .keys(READ)
        .flags(READONLY | FAST)
        .docs("2.0.0", "O(log(N)), N being the members of the set", "Counts the members whose scores lie between two."),
    command("ZLEXCOUNT", "key min max", read::zlexcount)
        .keys(READ)
        .flags(READONLY | FAST)
        .docs("2.8.9", "O(log(N)), N being the members of the set", "Counts the members between two, all scores being equal."),
    command("ZRANK", "key member [WITHSCORE]", read::zrank)
        .elements(2, 2)
        .keys(READ)
        .flags(READONLY | FAST)
        .docs("2.0.0", "O(log(N)), N being the members of the set", "Tells how many members stand before one, the lowest score first."),
    command("ZREVRANK", "key member [WITHSCORE]", read::zrevrank)
        .elements(2, 2)
        .keys(READ)
        .flags(READONLY | FAST)
        .docs("2.0.0", "O(log(N)), N being the members of the set", "Tells how many members stand before one, the highest score first."),
    command("ZRANGE", "key start stop [BYSCORE | BYLEX] [REV] [LIMIT offset count] [WITHSCORES]", range::zrange)
        .keys(READ)
        .flags(READONLY)
        .docs("1.2.0", "O(log(N)+M), N being the members of the set and M those given", "Gives the members between two ranks, scores or members."),
    command("ZRANGEBYSCORE", "key min max [WITHSCORES] [LIMIT offset count]", range::zrangebyscore)
        .keys(READ)
        .flags(READONLY)
        .deprecated("6.2.0", "`ZRANGE` with the `BYSCORE` argument")
        .docs("1.0.5", "O(log(N)+M), N being the members of the set and M those given", "Gives the members whose scores lie between two."),
    command("ZRANGEBYLEX", "key min max [LIMIT offset count]", range::zrangebylex)
        .keys(READ)
        .flags(READONLY)
        .deprecated("6.2.0", "`ZRANGE` with the `BYLEX` argument")
        .docs("2.8.9", "O(log(N)+M), N being the members of the set and M those given", "Gives the members between two, all scores being equal."),
    command("ZREVRANGE", "key start stop [WITHSCORES]", range::zrevrange)
        .keys(READ)
        .flags(READONLY)
        .deprecated("6.2.0", "`ZRANGE` with the `REV` argument")
        .docs("1.2.0", "O(log(N)+M), N being the members of the set and M those given", "Gives the members between two ranks, the highest score first."),
    command("ZREVRANGEBYSCORE", "key max min [WITHSCORES] [LIMIT offset count]", range::zrevrangebyscore)
        .keys(READ)
        .flags(READONLY)
        .deprecated("6.2.0", "`ZRANGE` with the `REV` and `BYSCORE` arguments")
        .docs("2.2.0", "O(log(N)+M), N being the members of the set and M those given", "Gives the members whose scores lie between two, the highest first."),
    command("ZREVRANGEBYLEX", "key max min [LIMIT offset count]", range::zrevrangebylex)
        .keys(READ)
        .flags(READONLY)
        .deprecated("6.2.0", "`ZRANGE` with the `REV` and `BYLEX` arguments")
        .docs("2.8.9", "O(log(N)+M), N being the members of the set and M those given", "Gives the members between two from the highest on, all scores being equal."),
    command("ZRANGESTORE", "dst src min max [BYSCORE | BYLEX] [REV] [LIMIT offset count]", range::zrangestore)
        .keys(&[STORED, one_key(2, &["RO", "access"])])
        .flags(WRITE | DENYOOM)
        .docs("6.2.0", "O(log(N)+M), N being the members of the set and M those stored", "Stores the members between two ranks, scores or members at another key."),
    command("ZPOPMIN", "key [count]", pop::zpopmin)
        .keys(POPPED)
        .flags(WRITE | FAST)
        .docs("5.0.0", "O(log(N)*M), N being the members of the set and M those removed", "Removes the members with the lowest scores and gives them."),
    command("ZPOPMAX", "key [count]", pop::zpopmax)
        .keys(POPPED)
        .flags(WRITE | FAST)
        .docs("5.0.0", "O(log(N)*M), N being the members of the set and M those removed", "Removes the members with the highest scores and gives them."),
    command("ZMPOP", "numkeys key [key ...] <MIN | MAX> [COUNT count]", pop::zmpop)
        .keys(&[counted(1, &["RW", "access", "delete"])])
        .flags(WRITE | MOVABLE_KEYS)
        .docs("7.0.0", "O(K)+O(M*log(N)), K being the keys, N the members of the set and M those removed", "Removes members from the first sorted set that is there and gives them."),
    command("BZPOPMIN", "key [key ...] timeout", wait::bzpopmin)
        .keys(WAITED_FOR)
        .flags(WRITE | BLOCKING | FAST)
        .docs("5.0.0", "O(log(N)), N being the members of the set", "Removes the member with the lowest score and gives it; waits for one if there is none."),
    command("BZPOPMAX", "key [key ...] timeout", wait::bzpopmax)
        .keys(WAITED_FOR)
        .flags(WRITE | BLOCKING | FAST)
        .docs("5.0.0", "O(log(N)), N being the members of the set", "Removes the member with the highest score and gives it; waits for one if there is none."),
    command("BZMPOP", "timeout numkeys key [key ...] <MIN | MAX> [COUNT count]", wait::bzmpop)
        .keys(&[counted(2, &["RW", "access", "delete"])])
        .flags(WRITE | BLOCKING | MOVABLE_KEYS)
        .docs("7.0.0", "O(K)+O(M*log(N)), K being the keys, N the members of the set and M those removed", "Removes members from the first sorted set that is there; waits for one if there is none."),
    command("ZRANDMEMBER", "key [count [WITHSCORES]]", random::zrandmember)
        .keys(READ)
        .flags(READONLY)
        .tips(&["nondeterministic_output"])
        .docs("6.2.0", "O(N*log(M)), N being the members given and M those of the set", "Gives members by chance."),
    command("ZUNION", "numkeys key [key ...] [WEIGHTS weight [weight ...]] [AGGREGATE <SUM | MIN | MAX | COUNT>] [WITHSCORES]", combine::zunion)
        .keys(INPUTS)
        .flags(READONLY | MOVABLE_KEYS)
        .docs("6.2.0", "O(N)+O(M*log(M)), N being the members of all inputs and M those of the result", "Gives the members that are in any of the inputs."),
    command("ZUNIONSTORE", "destination numkeys key [key ...] [WEIGHTS weight [weight ...]] [AGGREGATE <SUM | MIN | MAX | COUNT>]", combine::zunionstore)
        .keys(STORED_FROM_INPUTS)
        .flags(WRITE | DENYOOM | MOVABLE_KEYS)
        .docs("2.0.0", "O(N)+O(M*log(M)), N being the members of all inputs and M those of the result", "Stores the members that are in any of the inputs."),
    command("ZINTER", "numkeys key [key ...] [WEIGHTS weight [weight ...]] [AGGREGATE <SUM | MIN | MAX | COUNT>] [WITHSCORES]", combine::zinter)
        .keys(INPUTS)
        .flags(READONLY | MOVABLE_KEYS)
        .docs("6.2.0", "O(N*K)+O(M*log(M)), N being the members of the smallest of K inputs and M those of the result", "Gives the members that are in all of the inputs."),
    command("ZINTERSTORE", "destination numkeys key [key ...] [WEIGHTS weight [weight ...]] [AGGREGATE <SUM | MIN | MAX | COUNT>]", combine::zinterstore)
        .keys(STORED_FROM_INPUTS)
        .flags(WRITE | DENYOOM | MOVABLE_KEYS)
        .docs("2.0.0", "O(N*K)+O(M*log(M)), N being the members of the smallest of K inputs and M those of the result", "Stores the members that are in all of the inputs."),
    command("ZINTERCARD", "numkeys key [key ...] [LIMIT limit]", combine::zintercard)
        .keys(INPUTS)
        .flags(READONLY | MOVABLE_KEYS)
        .docs("7.0.0", "O(N*K), N being the members of the smallest of K inputs", "Counts the members that are in all of the inputs."),
    command("ZDIFF", "numkeys key [key ...] [WITHSCORES]", combine::zdiff)
        .keys(INPUTS)
        .flags(READONLY | MOVABLE_KEYS)
        .docs("6.2.0", "O(L+K*log(K)), L being the members of all inputs and K those of the result", "Gives the members of the first input that no other has."),
    command("ZDIFFSTORE", "destination numkeys key [key ...]", combine::zdiffstore)
        .keys(STORED_FROM_INPUTS)
        .flags(WRITE | DENYOOM | MOVABLE_KEYS)
        .docs("6.2.0", "O(L+K*log(K)), L being the members of all inputs and K those of the result", "Stores the members of the first input that no other has."),
    command("ZSCAN", "key cursor [MATCH pattern] [COUNT count] [NOSCORES]", scan::zscan)
        .keys(READ)
        .flags(READONLY)
        .tips(&["nondeterministic_output"])
        .docs("2.8.0", "O(1) for each call, O(N) for all members", "Walks over the members of a sorted set, a little at a time."),
];
