//! What commands have learned since they came, and when: `history` in COMMAND DOCS.

/// A version, and what it brought.
type Change = (&'static str, &'static str);

const SEVERAL_VALUES: Change = ("2.4.0", "Several values at once.");
const FRACTIONS: Change = ("6.0.0", "The timeout may have a fraction.");
const CONDITIONS: Change = ("7.0.0", "NX, XX, GT and LT.");
const UNIT: Change = ("7.0.0", "BIT and BYTE.");
const UPPERCASE: Change = ("7.0.0", "Units in capitals.");
const NEAREST: &[Change] = &[("6.2.0", "COUNT with ANY."), UPPERCASE];
const FLUSH_MODES: &[Change] = &[("4.0.0", "ASYNC."), ("6.2.0", "SYNC.")];
const COUNT: Change = ("6.2.0", "A count.");
const SCORE: Change = ("7.2.0", "WITHSCORE.");
const OPEN_RANGES: Change = ("6.2.0", "Ranges that leave their ends out.");
const MISSING: Change = ("2.8.0", "-2 for a key that does not exist.");
const RESTORING: &[Change] = &[
    ("3.0.0", "REPLACE."),
    ("5.0.0", "ABSTTL."),
    ("5.0.0", "IDLETIME and FREQ."),
];

#[rustfmt::skip]
const CHANGES: &[(&str, &[Change])] = &[
    ("acl|getuser", &[("6.2.0", "Patterns of channels."), ("7.0.0", "Selectors; patterns as rules in one text.")]),
    ("acl|log", &[("7.2.0", "The entry's number, and when it was made and last changed.")]),
    ("acl|setuser", &[("6.2.0", "Patterns of channels."), ("7.0.0", "Selectors; keys that may only be read or written.")]),
    ("auth", &[("6.0.0", "A user's name.")]),
    ("bgsave", &[("3.2.2", "SCHEDULE.")]),
    ("bitcount", &[UNIT]),
    ("bitpos", &[UNIT]),
    ("blpop", &[FRACTIONS]),
    ("brpop", &[FRACTIONS]),
    ("brpoplpush", &[FRACTIONS]),
    ("bzpopmax", &[FRACTIONS]),
    ("bzpopmin", &[FRACTIONS]),
    ("client|kill", &[("2.8.12", "Filters, ID among them."), ("3.2.0", "TYPE master."), ("5.0.0", "TYPE replica for slave."), ("6.2.0", "LADDR."), ("7.4.0", "MAXAGE.")]),
    ("client|list", &[("2.8.12", "Field id."), ("5.0.0", "TYPE."), ("6.0.0", "Field user."), ("6.2.0", "ID; fields argv-mem, tot-mem, laddr and redir."), ("7.0.0", "Fields resp, multi-mem, rbs and rbp."), ("7.0.3", "Field ssub.")]),
    ("client|pause", &[("6.2.0", "WRITE and ALL.")]),
    ("command|info", &[("7.0.0", "All commands where none is named.")]),
    ("config|get", &[("7.0.0", "Several patterns.")]),
    ("config|set", &[("7.0.0", "Several directives.")]),
    ("exists", &[("3.0.3", "Several keys.")]),
    ("expire", &[CONDITIONS]),
    ("expireat", &[CONDITIONS]),
    ("flushall", FLUSH_MODES),
    ("flushdb", FLUSH_MODES),
    ("geoadd", &[("6.2.0", "CH, NX and XX.")]),
    ("georadius", NEAREST),
    ("georadius_ro", NEAREST),
    ("georadiusbymember", NEAREST),
    ("georadiusbymember_ro", NEAREST),
    ("geosearch", &[UPPERCASE]),
    ("geosearchstore", &[UPPERCASE]),
    ("hdel", &[SEVERAL_VALUES]),
    ("hello", &[("6.2.0", "The version may be left out.")]),
    ("hset", &[("4.0.0", "Several fields at once.")]),
    ("info", &[("7.0.0", "Several sections.")]),
    ("lpop", &[COUNT]),
    ("lpush", &[SEVERAL_VALUES]),
    ("lpushx", &[("4.0.0", "Several values at once.")]),
    ("migrate", &[("3.0.0", "COPY and REPLACE."), ("3.0.6", "KEYS."), ("4.0.7", "AUTH."), ("6.0.0", "AUTH2.")]),
    ("pexpire", &[CONDITIONS]),
    ("pexpireat", &[CONDITIONS]),
    ("pttl", &[MISSING]),
    ("renamenx", &[("3.2.0", "No error where both names are the same.")]),
    ("restore", RESTORING),
    ("restore-asking", RESTORING),
    ("rpop", &[COUNT]),
    ("rpush", &[SEVERAL_VALUES]),
    ("rpushx", &[("4.0.0", "Several values at once.")]),
    ("sadd", &[SEVERAL_VALUES]),
    ("scan", &[("6.0.0", "TYPE.")]),
    ("script|flush", &[("6.2.0", "ASYNC and SYNC.")]),
    ("set", &[("2.6.12", "EX, PX, NX and XX."), ("6.0.0", "KEEPTTL."), ("6.2.0", "GET, EXAT and PXAT."), ("7.0.0", "NX together with GET.")]),
    ("shutdown", &[("7.0.0", "NOW, FORCE and ABORT.")]),
    ("slowlog|get", &[("4.0.0", "The client's address and name.")]),
    ("spop", &[("3.2.0", "A count.")]),
    ("srandmember", &[("2.6.0", "A count.")]),
    ("srem", &[SEVERAL_VALUES]),
    ("ttl", &[MISSING]),
    ("xadd", &[("6.2.0", "NOMKSTREAM, MINID and LIMIT."), ("7.0.0", "Ids of which only the time is given.")]),
    ("xautoclaim", &[("7.0.0", "The ids that were pending though their entries are deleted.")]),
    ("xgroup|create", &[("7.0.0", "ENTRIESREAD.")]),
    ("xgroup|setid", &[("7.0.0", "ENTRIESREAD.")]),
    ("xinfo|consumers", &[("7.2.0", "Field inactive; idle counts from the last attempt.")]),
    ("xinfo|groups", &[("7.0.0", "Fields entries-read and lag.")]),
    ("xinfo|stream", &[("6.0.0", "FULL."), ("7.0.0", "Fields max-deleted-entry-id, entries-added, recorded-first-entry-id, entries-read and lag."), ("7.2.0", "Field active-time; seen-time is that of the last attempt.")]),
    ("xpending", &[("6.2.0", "IDLE; ranges that leave their ends out.")]),
    ("xrange", &[OPEN_RANGES]),
    ("xrevrange", &[OPEN_RANGES]),
    ("xsetid", &[("7.0.0", "ENTRIESADDED and MAXDELETEDID.")]),
    ("xtrim", &[("6.2.0", "MINID and LIMIT.")]),
    ("zadd", &[SEVERAL_VALUES, ("3.0.2", "XX, NX, CH and INCR."), ("6.2.0", "GT and LT.")]),
    ("zrange", &[("6.2.0", "REV, BYSCORE, BYLEX and LIMIT.")]),
    ("zrangebyscore", &[("2.0.0", "WITHSCORES.")]),
    ("zrank", &[SCORE]),
    ("zrem", &[SEVERAL_VALUES]),
    ("zrevrangebyscore", &[("2.1.6", "Ranges that leave their ends out.")]),
    ("zrevrank", &[SCORE]),
];

/// What has changed in a command, in order; its full name is given in small letters.
pub(super) fn of(name: &str) -> &'static [Change] {
    let found = CHANGES.binary_search_by_key(&name, |(name, _)| name);
    found.map_or(&[], |at| CHANGES[at].1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::CommandTable;

    #[test]
    fn every_row_is_of_a_command_and_in_order() {
        let names = CHANGES.iter().map(|(name, _)| *name);
        assert!(names.clone().is_sorted());
        let table = CommandTable::new(crate::commands::FAMILIES);
        let known = |name: &str| table.all().iter().any(|spec| spec.name == name);
        let unknown: Vec<&str> = names.filter(|name| !known(name)).collect();
        assert!(unknown.is_empty(), "{unknown:?}");
        let versions = |changes: &[Change]| {
            let numbers = |version: &str| -> Vec<u32> {
                (version.split('.'))
                    .map(|part| part.parse().expect("a number"))
                    .collect()
            };
            changes
                .iter()
                .map(|(version, _)| numbers(version))
                .is_sorted()
        };
        assert!(CHANGES.iter().all(|(_, changes)| versions(changes)));
    }
}
