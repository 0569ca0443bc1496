//! What COMMAND tells, and the filters of CLIENT LIST and CLIENT KILL.

use crate::common::{Raw, Reply, Server, array, bulk, check, error, integer, ok, simple};

fn named(pairs: Vec<(Reply, Reply)>, name: &str) -> Option<Reply> {
    let mut pairs = pairs.into_iter();
    pairs.find_map(|(key, value)| (key.text() == name).then_some(value))
}

fn resp3(server: &Server) -> Raw {
    let mut raw = server.raw();
    raw.ask("HELLO 3");
    raw
}

#[test]
fn count_list_and_info_agree() {
    let server = Server::start(&[]);
    let mut raw = server.raw();
    let count = raw.ask("COMMAND COUNT").number() as usize;
    let all = raw.ask("COMMAND").items();
    assert_eq!(all.len(), count);
    assert_eq!(raw.ask("COMMAND INFO").items().len(), count);
    let names: Vec<String> = raw
        .ask("COMMAND LIST")
        .items()
        .iter()
        .map(Reply::text)
        .collect();
    let (subcommands, commands): (Vec<_>, Vec<_>) =
        names.iter().partition(|name| name.contains('|'));
    assert_eq!(commands.len(), count);
    assert!(subcommands.contains(&&"client|kill".to_owned()));
    let mut sorted = names.clone();
    sorted.sort();
    sorted.dedup();
    assert_eq!(sorted.len(), names.len());
}

#[test]
fn lists_of_some_commands() {
    let server = Server::start(&[]);
    check(
        &mut server.raw(),
        &[
            (
                "COMMAND LIST FILTERBY PATTERN *SUBSCRIBE",
                array(
                    [
                        "subscribe",
                        "unsubscribe",
                        "psubscribe",
                        "punsubscribe",
                        "ssubscribe",
                        "sunsubscribe",
                    ]
                    .map(bulk),
                ),
            ),
            (
                "COMMAND LIST FILTERBY ACLCAT Transaction",
                array(["multi", "exec", "discard", "watch", "unwatch"].map(bulk)),
            ),
            ("COMMAND LIST FILTERBY ACLCAT nosuch", array([])),
            ("COMMAND LIST FILTERBY MODULE json", array([])),
            ("COMMAND LIST FILTERBY NOSUCH x", error("ERR syntax error")),
            ("COMMAND LIST NOSUCH", error("ERR syntax error")),
        ],
    );
}

#[test]
fn information_in_both_protocols() {
    let server = Server::start(&[]);
    let words = |words: &[&str]| words.iter().map(|word| simple(word)).collect::<Vec<_>>();
    let flags = words(&["noscript", "loading", "stale", "fast", "allow_busy"]);
    let categories = words(&["@fast", "@transaction"]);
    let old = server.raw().ask("COMMAND INFO watch NOSUCH").items();
    assert_eq!(old[1], Reply::NullBulk);
    let old = old[0].clone().items();
    assert_eq!(old[..2], [bulk("watch"), integer(-2)]);
    assert_eq!(old[2], Reply::Array(flags.clone()));
    assert_eq!(old[3..6], [integer(1), integer(-1), integer(1)]);
    assert_eq!(old[6], Reply::Array(categories.clone()));
    assert_eq!((&old[7], &old[9]), (&array([]), &array([])));
    let new = resp3(&server).ask("COMMAND INFO watch NOSUCH").items();
    assert_eq!(new[1], Reply::Null);
    let new = new[0].clone().items();
    assert_eq!(new[2], Reply::Set(flags));
    assert_eq!(new[6], Reply::Set(categories));
    let spec = new[8].clone().items().remove(0).pairs();
    let begin = named(spec.clone(), "begin_search")
        .expect("a begin")
        .pairs();
    assert_eq!(named(begin, "type"), Some(bulk("index")));
    assert_eq!(named(spec, "flags"), Some(Reply::Set(words(&["RO"]))));
    // A subcommand is found by its full name, which is no command.
    assert_eq!(
        server.raw().ask("COMMAND INFO client|kill").items().len(),
        1
    );
    let refused = server.raw().ask("client|id");
    assert_eq!(
        refused,
        error("ERR unknown command 'client|id', with args beginning with: ")
    );
}

#[test]
fn documentation_has_the_tree_of_arguments() {
    let server = Server::start(&[]);
    let mut raw = resp3(&server);
    let docs = raw.ask("COMMAND DOCS client|pause NOSUCH").pairs();
    assert_eq!(docs.len(), 1);
    let docs = named(docs, "client|pause").expect("the subcommand").pairs();
    assert_eq!(named(docs.clone(), "group"), Some(bulk("connection")));
    assert_eq!(named(docs.clone(), "since"), Some(bulk("3.0.0")));
    let arguments = named(docs, "arguments").expect("arguments").items();
    let timeout = arguments[0].clone().pairs();
    assert_eq!(named(timeout.clone(), "name"), Some(bulk("timeout")));
    assert_eq!(named(timeout.clone(), "type"), Some(bulk("integer")));
    assert_eq!(named(timeout, "flags"), None);
    let mode = arguments[1].clone().pairs();
    assert_eq!(named(mode.clone(), "type"), Some(bulk("oneof")));
    assert_eq!(
        named(mode.clone(), "flags"),
        Some(Reply::Set(vec![simple("optional")]))
    );
    let choices = named(mode, "arguments").expect("choices").items();
    let write = choices[0].clone().pairs();
    assert_eq!(named(write.clone(), "type"), Some(bulk("pure-token")));
    assert_eq!(named(write, "token"), Some(bulk("WRITE")));
    let flags_of = |raw: &mut Raw, name: &str| {
        let docs = raw.ask(&format!("COMMAND DOCS {name}")).pairs();
        let docs = named(docs, name).expect("the command").pairs();
        (named(docs.clone(), "doc_flags"), named(docs, "replaced_by"))
    };
    assert_eq!(
        flags_of(&mut raw, "substr"),
        (
            Some(Reply::Set(vec![simple("deprecated")])),
            Some(bulk("`GETRANGE`"))
        )
    );
    assert_eq!(
        flags_of(&mut raw, "debug"),
        (Some(Reply::Set(vec![simple("syscmd")])), None)
    );
    assert_eq!(flags_of(&mut raw, "get"), (None, None));
    let all = raw.ask("COMMAND DOCS").pairs();
    assert_eq!(all.len(), raw.ask("COMMAND COUNT").number() as usize);
}

#[test]
fn keys_of_calls() {
    let server = Server::start(&[]);
    let with_flags = |key: &str, flags: &[&str]| {
        array([
            bulk(key),
            Reply::Array(flags.iter().map(|flag| simple(flag)).collect()),
        ])
    };
    check(
        &mut server.raw(),
        &[
            ("COMMAND GETKEYS get a", array([bulk("a")])),
            (
                "COMMAND GETKEYS MSET a 1 b 2",
                array([bulk("a"), bulk("b")]),
            ),
            (
                "COMMAND GETKEYSANDFLAGS set a 1",
                array([with_flags("a", &["OW", "update"])]),
            ),
            (
                "COMMAND GETKEYSANDFLAGS set a 1 GET",
                array([with_flags("a", &["RW", "access", "update"])]),
            ),
            (
                "COMMAND GETKEYS PING",
                error("ERR The command has no key arguments"),
            ),
            (
                "COMMAND GETKEYS SUBSCRIBE a",
                error("ERR The command has no key arguments"),
            ),
            (
                "COMMAND GETKEYS NOSUCH a",
                error("ERR Invalid command specified"),
            ),
            (
                "COMMAND GETKEYS MSET a",
                error("ERR Invalid number of arguments specified for command"),
            ),
        ],
    );
}

#[test]
fn every_container_explains_itself() {
    let server = Server::start(&[]);
    let mut raw = server.raw();
    let names = raw.ask("COMMAND LIST FILTERBY PATTERN *|help").items();
    assert!(names.len() >= 4, "{names:?}");
    for name in names {
        let name = name.text();
        let container = name.split('|').next().expect("a name").to_uppercase();
        // The first two must be allowed first; a server that is no cluster says only that, as Redis does.
        if matches!(container.as_str(), "DEBUG" | "MODULE" | "CLUSTER") {
            continue;
        }
        let lines = raw.ask(&format!("{container} HELP")).items();
        let title = format!("{container} <subcommand> [<arg> [value] [opt] ...]. Subcommands are:");
        assert_eq!(lines[0], simple(&title));
        assert!(lines.contains(&simple("HELP")), "{lines:?}");
    }
}

#[test]
fn a_server_of_its_own_is_no_cluster() {
    let server = Server::start(&[]);
    let no_cluster = || error("ERR This instance has cluster support disabled");
    check(
        &mut server.raw(),
        &[
            ("READONLY", no_cluster()),
            ("READWRITE", no_cluster()),
            ("ASKING", no_cluster()),
            ("CLUSTER INFO", no_cluster()),
            ("CLUSTER HELP", no_cluster()),
            ("CLUSTER KEYSLOT key", no_cluster()),
            (
                "CLUSTER KEYSLOT",
                error("ERR wrong number of arguments for 'cluster|keyslot' command"),
            ),
            (
                "CLUSTER nosuch",
                error("ERR unknown subcommand 'nosuch'. Try CLUSTER HELP."),
            ),
            (
                "COMMAND LIST FILTERBY PATTERN read*",
                array(["readonly", "readwrite"].map(bulk)),
            ),
        ],
    );
}

#[test]
fn filters_of_valkey() {
    let server = Server::start(&[]);
    let (mut raw, mut other) = (server.raw(), server.raw());
    let own = raw.ask("CLIENT ID").number();
    let id = other.ask("CLIENT ID").number();
    check(
        &mut other,
        &[
            ("CLIENT SETNAME worker", ok()),
            ("CLIENT SETINFO LIB-NAME lib", ok()),
            ("CLIENT SETINFO lib-ver 1.0", ok()),
            ("SELECT 2", ok()),
            ("CLIENT NO-TOUCH ON", ok()),
        ],
    );
    let mut ids = |filter: &str| -> Vec<i64> {
        let text = raw.ask(&format!("CLIENT LIST {filter}")).text();
        let id = |line: &str| {
            line.split([' ', '='])
                .nth(1)
                .map(|id| id.parse().expect("an id"))
        };
        text.lines().filter_map(id).collect()
    };
    for filter in [
        "NAME worker",
        "LIB-NAME lib",
        "LIB-VER 1.0",
        "DB 2",
        "FLAGS T",
        "SKIPME yes",
        &format!("NOT-ID {own}"),
        "IP 127.0.0.1 DB 2",
        "USER default NOT-DB 0",
        &format!("ID {id} NAME worker"),
    ] {
        assert_eq!(ids(filter), [id], "{filter}");
    }
    for filter in [
        "NAME nobody",
        "NOT-TYPE normal",
        "MAXAGE 1000",
        "IDLE 1000",
        "IP 127.0.0.2",
    ] {
        assert_eq!(ids(filter), [], "{filter}");
    }
    assert_eq!(ids(&format!("ID {id} {own} {id}")), [id, own, id]);
    check(
        &mut raw,
        &[
            (
                "CLIENT LIST DB 99",
                error("ERR DB number should be between 0 and 15"),
            ),
            (
                "CLIENT LIST MAXAGE 0",
                error("ERR maxage should be greater than 0"),
            ),
            ("CLIENT LIST MAXAGE", error("ERR syntax error")),
            (
                "CLIENT SETINFO NOSUCH x",
                error("ERR Unrecognized option 'NOSUCH'"),
            ),
            (
                "CLIENT SETINFO LIB-NAME \"a b\"",
                error("ERR LIB-NAME cannot contain spaces, newlines or special characters."),
            ),
            ("CLIENT KILL NAME worker SKIPME no", integer(1)),
        ],
    );
    other.expect_closed();
}
