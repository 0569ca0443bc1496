//! Rules: random ones mean the same to a real `redis-server`, and hostile ones cost little.

use std::time::{Duration, Instant};

use crate::common::{Raw, Reply, Server, array, bulk, check, error, ok, simple};

/// Rounds of a few rules each.
const ROUNDS: usize = 400;

/// Rules that are not about single commands or categories.
const RULES: &[&str] = &[
    "+@all",
    "-@all",
    "allcommands",
    "nocommands",
    "+select|0",
    "+select|1",
    "+debug|object",
    "+SELECT|5",
    "~a*",
    "%R~b*",
    "%W~c*",
    "%RW~d",
    "%r~a*",
    "~*",
    "allkeys",
    "resetkeys",
    "%W~b*",
    "~[a-c]?",
    "&a*",
    "&b",
    "&*",
    "allchannels",
    "resetchannels",
    "on",
    "off",
    "nopass",
    "resetpass",
    ">p1",
    ">p2",
    "<p1",
    "sanitize-payload",
    "skip-sanitize-payload",
    "reset",
    "clearselectors",
    "#xx",
    "+nosuch",
    "-get|a",
    "+get|a|b",
    "+config|",
    "+config|nosuch",
    "+config|get|x",
    "%X~a",
    "%RR~a",
    "foo",
    "(",
    ")",
    "(a",
    "b)",
    "+@nosuch",
    "((+get))",
    "+",
    "-",
    "+@",
    "-@",
    "~",
    "&",
    "+|",
    "+get|",
    "",
    "+get|x",
];

/// Calls that are tried as the user of whom the rules speak.
const CALLS: &[&str] = &[
    "get abc",
    "set c1 x",
    "set c1 x get",
    "select 0",
    "select 5",
    "config get x",
    "client kill x",
    "publish b m",
    "psubscribe a*",
    "subscribe a1 b",
    "spublish a1 x",
    "copy a1 c1",
    "getset d 1",
    "eval x 1 b1",
    "eval_ro x 1 b1",
    "sort a1 store c2",
    "georadius a 1 1 1 m STORE c1",
    "xread streams b1 0",
    "zunionstore c1 2 a1 b1",
    "exists c1",
    "object encoding a",
    "bitfield b1 get u4 0",
    "bitfield b1 set u4 0 1",
    "lmove b1 c1 left left",
    "xreadgroup group g c streams b1 0",
    "mset a1 1 c1 2",
    "del c1",
    "touch b1",
    "rename a1 c1",
    "getex b1 persist",
    "sintercard 2 a1 b1",
    "debug object a1",
];

struct Pair {
    ours: Raw,
    theirs: Raw,
    /// Of the generator of rules (Knuth's MMIX).
    state: u64,
    /// Commands and categories that both know.
    names: Vec<String>,
    categories: Vec<String>,
}

fn texts(reply: Reply) -> Vec<String> {
    reply.items().iter().map(Reply::text).collect()
}

fn field(user: &[Reply], name: &str) -> Reply {
    let at = user.iter().position(|item| *item == bulk(name));
    user[at.expect(name) + 1].clone()
}

impl Pair {
    fn below(&mut self, bound: usize) -> usize {
        let next = self.state.wrapping_mul(6_364_136_223_846_793_005);
        self.state = next.wrapping_add(1_442_695_040_888_963_407);
        (self.state >> 33) as usize % bound
    }

    fn rule(&mut self, is_nested: bool) -> String {
        let sign = ["+", "-"][self.below(2)];
        match self.below(20) {
            0..8 => {
                let at = self.below(self.names.len());
                format!("{sign}{}", self.names[at])
            }
            8..13 => {
                let at = self.below(self.categories.len());
                format!("{sign}@{}", self.categories[at])
            }
            13 if !is_nested => {
                let rules: Vec<_> = (0..self.below(5)).map(|_| self.rule(true)).collect();
                let rules: Vec<_> = rules
                    .into_iter()
                    .filter(|rule| !rule.contains(['(', ')']))
                    .collect();
                format!("({})", rules.join(" "))
            }
            _ => RULES[self.below(RULES.len())].into(),
        }
    }

    fn both(&mut self, words: &[&[u8]]) -> (Reply, Reply) {
        (self.ours.command(words), self.theirs.command(words))
    }

    /// Gives a user some rules; both servers must agree on what they mean.
    fn round(&mut self) {
        let rules: Vec<String> = (0..self.below(6)).map(|_| self.rule(false)).collect();
        let mut words: Vec<&[u8]> = vec![b"ACL", b"SETUSER", b"u"];
        words.extend(rules.iter().map(|rule| rule.as_bytes()));
        let (ours, theirs) = self.both(&words);
        assert_eq!(ours, theirs, "{rules:?}");
        let (ours, theirs) = self.both(&[b"ACL", b"GETUSER", b"u"]);
        let (true, true) = (
            matches!(ours, Reply::Array(_)),
            matches!(theirs, Reply::Array(_)),
        ) else {
            return assert_eq!(ours, theirs);
        };
        let (ours, theirs) = (ours.items(), theirs.items());
        for name in ["passwords", "keys", "channels"] {
            assert_eq!(field(&ours, name), field(&theirs, name), "{rules:?}");
        }
        self.compare_commands(&theirs);
        for call in CALLS {
            let mut words: Vec<&[u8]> = vec![b"ACL", b"DRYRUN", b"u"];
            words.extend(call.split(' ').map(str::as_bytes));
            let (ours, theirs) = self.both(&words);
            // 7.0 does not name the user.
            let ours = ours.text().replace("User u has", "This user has");
            assert_eq!(ours, theirs.text(), "{call} after {rules:?}");
        }
    }

    /// Redis 7.0 describes what is allowed, later ones and we what was said: our words must mean to it what it has.
    fn compare_commands(&mut self, theirs: &[Reply]) {
        let list = texts(self.ours.ask("ACL LIST"));
        let line = list.iter().find(|line| line.starts_with("user u "));
        let line = line.expect("the user").clone();
        let mut words: Vec<&[u8]> = vec![b"ACL", b"SETUSER", b"copy", b"reset"];
        words.extend(line.split(' ').skip(2).map(str::as_bytes));
        assert_eq!(self.theirs.command(&words), ok(), "{line}");
        let copy = self.theirs.ask("ACL GETUSER copy").items();
        // In which order Redis tells a command's subcommands is chance.
        let words = |user: &[Reply]| {
            let commands = field(user, "commands").text();
            let mut words: Vec<String> = commands.split(' ').map(str::to_owned).collect();
            words.sort();
            words
        };
        assert_eq!(words(&copy), words(theirs), "{line}");
        for name in ["keys", "channels", "passwords", "selectors"] {
            assert_eq!(field(&copy, name), field(theirs, name), "{line}");
        }
    }
}

#[test]
fn rules_mean_what_they_mean_to_redis() {
    let Some(redis) = Server::redis(&[]) else {
        return;
    };
    let server = Server::start(&[]);
    let (mut ours, mut theirs) = (server.raw(), redis.raw());
    let categories = texts(theirs.ask("ACL CAT"));
    let mut names = Vec::new();
    for category in &categories {
        let line = format!("ACL CAT {category}");
        let known = texts(theirs.ask(&line));
        // WAIT has become a blocking command since.
        let shared = texts(ours.ask(&line));
        names.extend(
            known
                .into_iter()
                .filter(|name| shared.contains(name) && name != "wait"),
        );
    }
    names.sort();
    names.dedup();
    let mut pair = Pair {
        ours,
        theirs,
        state: 7,
        names,
        categories,
    };
    for round in 0..ROUNDS {
        if round % 20 == 0 {
            pair.both(&[b"ACL", b"DELUSER", b"u"]);
        }
        pair.round();
    }
}

#[test]
fn hostile_rules_cost_little() {
    let server = Server::start(&[]);
    let mut raw = server.raw();
    raw.set_timeout(Duration::from_secs(60));
    let start = Instant::now();
    let many: Vec<String> = (0..100_000)
        .map(|n| match n % 3 {
            0 => format!("~key:{n}:*"),
            1 => format!("+select|{n}"),
            _ => format!("&channel:{n}"),
        })
        .collect();
    let mut words: Vec<&[u8]> = vec![
        b"ACL",
        b"SETUSER",
        b"many",
        b"on",
        b"nopass",
        b"+get",
        b"+acl|whoami",
    ];
    words.extend(many.iter().map(|rule| rule.as_bytes()));
    assert_eq!(raw.command(&words), ok());
    assert_eq!(raw.ask("ACL LIST").items().len(), 2);
    let selector = format!("({})", many.join(" "));
    let selectors = vec![b"(+get)".as_slice(); 100_000];
    let words: [&[u8]; 4] = [b"ACL", b"SETUSER", b"one", selector.as_bytes()];
    assert_eq!(raw.command(&words), ok());
    assert_eq!(
        raw.command(
            &[
                &[b"ACL".as_slice(), b"SETUSER", b"two"],
                &selectors[..20_000]
            ]
            .concat()
        ),
        ok()
    );
    for nested in [
        "(".repeat(1_000_000),
        "(".repeat(500_000) + &")".repeat(500_000),
    ] {
        let reply = raw.command(&[b"ACL", b"SETUSER", b"nested", nested.as_bytes()]);
        assert!(reply.text().starts_with("ERR "), "{:.100}", reply.text());
    }
    let stars = format!("~{}b", "*a".repeat(5_000));
    assert_eq!(
        raw.command(&[
            b"ACL",
            b"SETUSER",
            b"stars",
            b"on",
            b"nopass",
            b"+get",
            stars.as_bytes()
        ]),
        ok()
    );
    check(&mut raw, &[("AUTH stars x", ok())]);
    let key = "a".repeat(20_000);
    let denied = error("NOPERM No permissions to access a key");
    assert_eq!(raw.command(&[b"GET", key.as_bytes()]), denied);
    check(
        &mut raw,
        &[
            ("AUTH many x", ok()),
            ("GET nokey", denied),
            ("GET key:99999:x", Reply::NullBulk),
            ("SELECT 1", ok()),
            (
                "PING",
                error("NOPERM User many has no permissions to run the 'ping' command"),
            ),
            ("RESET", simple("RESET")),
        ],
    );
    let elapsed = start.elapsed();
    assert!(elapsed < Duration::from_secs(40), "{elapsed:?}");
}

#[test]
fn names_of_any_kind() {
    let server = Server::start(&[]);
    let mut raw = server.raw();
    let name = b"\xff\"(~\\".as_slice();
    assert_eq!(
        raw.command(&[b"ACL", b"SETUSER", name, b"on", b"nopass", b"+@all"]),
        ok()
    );
    assert_eq!(raw.command(&[b"AUTH", name, b"x"]), ok());
    assert_eq!(raw.ask("ACL WHOAMI"), bulk(name));
    assert_eq!(
        raw.command(&[b"CLIENT", b"LIST", b"USER", name])
            .text()
            .lines()
            .count(),
        1
    );
    for wrong in [&b"a b"[..], b"a\0b", b"a\nb", b"a\rb", b"a\x0bb"] {
        let refused = error("ERR Usernames can't contain spaces or null characters");
        assert_eq!(raw.command(&[b"ACL", b"SETUSER", wrong]), refused);
    }
    // What is quoted in an error cannot end its line.
    let reply = raw.command(&[b"ACL", b"SETUSER", b"u", b"+\r\n+OK"]);
    assert_eq!(
        reply,
        error(
            "ERR Error in ACL SETUSER modifier '+  +OK': Unknown command or category name in ACL"
        )
    );
    let reply = raw.command(&[b"ACL", b"DRYRUN", b"default", b"no\r\nsuch"]);
    assert_eq!(reply, error("ERR Command 'no  such' not found"));
    assert_eq!(raw.ask("PING"), simple("PONG"));
}

#[test]
fn broadcasts_tell_nobody_of_keys_that_he_may_not_read() {
    let server = Server::start(&[]);
    let mut admin = server.raw();
    let rules = "on nopass +@all resetkeys ~own:* %R~read:* %W~write:* (+get ~more:*)";
    assert_eq!(admin.ask(&format!("ACL SETUSER ann {rules}")), ok());
    let tracking = |options: &str| {
        let mut raw = server.raw();
        raw.ask("HELLO 3 AUTH ann x");
        let line = format!("CLIENT TRACKING ON BCAST{options}");
        assert_eq!(raw.ask(&line), ok());
        raw
    };
    let (mut all, mut some) = (tracking(""), tracking(" NOLOOP PREFIX secret: PREFIX own:"));
    admin.ask("MSET secret:1 1 own:1 1 read:1 1 write:1 1 more:1 1");
    let told = |keys: &[&str]| {
        let keys = array(keys.iter().map(bulk));
        Reply::Push(vec![bulk("invalidate"), keys])
    };
    assert_eq!(all.read(), told(&["more:1", "own:1", "read:1"]));
    assert_eq!(some.read(), told(&["own:1"]));
    // Rights are those of now.
    assert_eq!(admin.ask("ACL SETUSER ann resetkeys ~secret:*"), ok());
    admin.ask("MSET secret:2 1 own:2 1");
    assert_eq!(all.read(), told(&["secret:2"]));
    assert_eq!(some.read(), told(&["secret:2"]));
    admin.ask("SET own:3 1");
    for raw in [&mut all, &mut some] {
        assert_eq!(raw.ask("PING"), simple("PONG"));
    }
}
