//! A disk that takes no more: writes to every type are refused, nobody who waits is served, and nothing is lost when it heals.

use std::process::Command;
use std::time::Duration;

use crate::common::{Raw, Reply, Server, check, eventually, ok};

const REFUSAL: &str = "MISCONF Errors writing to the AOF file: File too large";

/// Values of every type.
const VALUES: &[&str] = &[
    "SET string text",
    "SETBIT bits 5 1",
    "PFADD hll a b",
    "HSET hash a 1 b 2",
    "RPUSH list a b c d",
    "SADD set 1 2 3",
    "SADD words a b c",
    "ZADD zset 1 a 2 b 3 c",
    "GEOADD geo 13 38 x 15 37 y",
    "XADD stream 1-1 f v",
    "XGROUP CREATE stream group 0",
];

const WRITES: &[&str] = &[
    "APPEND string x",
    "SETBIT bits 6 1",
    "BITOP NOT other bits",
    "BITFIELD bits SET u8 0 1",
    "PFADD hll c",
    "PFMERGE hll2 hll",
    "HSET hash c 3",
    "HINCRBY hash a 1",
    "HDEL hash a",
    "HEXPIRE hash 100 FIELDS 1 b",
    "LPUSH list x",
    "RPOP list",
    "LMOVE list other LEFT LEFT",
    "BLPOP list 0",
    "BLMPOP 0 1 list LEFT",
    "SADD set 4",
    "SPOP words",
    "SMOVE words set b",
    "SUNIONSTORE other set words",
    "ZADD zset 4 d",
    "ZPOPMIN zset",
    "BZPOPMAX zset 0",
    "ZUNIONSTORE other 1 zset",
    "ZRANGESTORE other zset 0 -1",
    "GEOSEARCHSTORE other geo FROMMEMBER x BYRADIUS 9999 km",
    "XADD stream 2-1 f v",
    "XREADGROUP GROUP group me STREAMS stream >",
    "XACK stream group 1-1",
    "XTRIM stream MAXLEN 0",
    "XGROUP CREATECONSUMER stream group me",
    "SORT list ALPHA STORE other",
    "COPY list other",
    "RENAME list other",
    "DEL list",
    "EXPIRE zset 100",
];

const READS: &[&str] = &[
    "GET string",
    "BITCOUNT bits",
    "PFCOUNT hll",
    "HGETALL hash",
    "LRANGE list 0 -1",
    "SMEMBERS set",
    "ZRANGE zset 0 -1",
    "GEOPOS geo x",
    "XRANGE stream - +",
    "SORT_RO list ALPHA",
    "DUMP zset",
];

fn limit_files(server: &Server, limit: &str) -> bool {
    let mut prlimit = Command::new("prlimit");
    prlimit.args([
        "--pid",
        &server.pid().to_string(),
        &format!("--fsize={limit}:"),
    ]);
    prlimit.status().is_ok_and(|status| status.success())
}

fn waits(server: &Server, line: &str, count: usize) -> Raw {
    let mut raw = server.raw();
    raw.tell(line);
    let mut other = server.raw();
    eventually("it waits", || {
        let info = other.ask("INFO clients").text();
        info.contains(&format!("blocked_clients:{count}\r\n"))
    });
    raw
}

#[test]
fn writes_to_every_type_are_refused_until_the_disk_takes_them() {
    let mut server = Server::start(&["--appendonly", "yes", "--logfile", "/dev/null"]);
    let mut raw = server.raw();
    for line in VALUES {
        let reply = raw.ask(line);
        assert!(!matches!(reply, Reply::Error(_)), "{line}: {reply:?}");
    }
    raw.ask("XADD claimed 1-1 f v");
    raw.ask("XGROUP CREATE claimed group 0");
    raw.ask("XREADGROUP GROUP group alice STREAMS claimed >");
    let mut list = waits(&server, "BLPOP empty 0", 1);
    let claim = "XREADGROUP GROUP group bob BLOCK 0 CLAIM 600 STREAMS claimed >";
    let mut claims = waits(&server, claim, 2);
    if !limit_files(&server, "20000") {
        return;
    }
    raw.command(&[b"SET", b"filler", &vec![b'x'; 30_000]]);
    eventually("trouble is noticed", || {
        raw.ask("SET later 1") == Reply::Error(REFUSAL.into())
    });
    let before = raw.ask("DEBUG DIGEST");
    for line in WRITES {
        assert_eq!(raw.ask(line), Reply::Error(REFUSAL.into()), "{line}");
    }
    for line in READS {
        let reply = raw.ask(line);
        assert!(!matches!(reply, Reply::Error(_)), "{line}: {reply:?}");
    }
    let refused = Reply::Error(REFUSAL.into());
    let aborted = "EXECABORT Transaction discarded because of previous errors.";
    check(
        &mut raw,
        &[
            ("RPUSH empty x", refused.clone()),
            ("MULTI", ok()),
            ("RPUSH empty x", refused),
            ("EXEC", Reply::Error(aborted.into())),
        ],
    );
    list.expect_silence(Duration::from_millis(20));
    claims.expect_silence(Duration::from_millis(700));
    assert_eq!(raw.ask("DEBUG DIGEST"), before);
    assert!(limit_files(&server, "unlimited"));
    eventually("writes are accepted again", || {
        raw.ask("SET later 1") == ok()
    });
    assert!(!claims.read().is_null());
    raw.ask("RPUSH empty x");
    assert!(!list.read().is_null());
    for line in WRITES {
        let reply = raw.ask(line);
        assert!(
            !matches!(&reply, Reply::Error(text) if text.starts_with("MISCONF")),
            "{line}: {reply:?}"
        );
    }
    let digest = raw.ask("DEBUG DIGEST");
    server.restart();
    assert_eq!(server.raw().ask("DEBUG DIGEST"), digest);
}
