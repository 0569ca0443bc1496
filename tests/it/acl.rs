//! Users: what they are, what they may do, and where that is asked.

use std::fs;

use crate::common::{
    Raw, Reply, Server, array, bulk, check, error, eventually, integer, ok, queued, simple,
};

const WRONGPASS: &str = "WRONGPASS invalid username-password pair or user is disabled.";
const NO_KEY: &str = "NOPERM No permissions to access a key";
const NO_CHANNEL: &str = "NOPERM No permissions to access a channel";

fn no_command(user: &str, command: &str) -> Reply {
    error(&format!(
        "NOPERM User {user} has no permissions to run the '{command}' command"
    ))
}

/// A server with a user who has these rules, besides a password, and two connections: the default user's, and that user's.
fn with_user(rules: &str) -> (Server, Raw, Raw) {
    let server = Server::start(&[]);
    let mut admin = server.raw();
    assert_eq!(
        admin.ask(&format!("ACL SETUSER ann on >secret {rules}")),
        ok()
    );
    let mut ann = server.raw();
    assert_eq!(ann.ask("AUTH ann secret"), ok());
    (server, admin, ann)
}

fn field(reply: Reply, name: &str) -> Reply {
    let items = reply.items();
    let at = items.iter().position(|item| *item == bulk(name));
    items[at.expect(name) + 1].clone()
}

fn newest_entry(admin: &mut Raw) -> Reply {
    admin.ask("ACL LOG 1").items().remove(0)
}

#[test]
fn commands_keys_and_channels() {
    let (_server, mut admin, mut ann) =
        with_user("+@all -debug -client|kill +debug|sleep ~a:* %R~r:* %W~w:* &news:*");
    check(
        &mut ann,
        &[
            ("ACL WHOAMI", bulk("ann")),
            ("SET a:1 x", ok()),
            ("GET r:1", Reply::NullBulk),
            ("SET w:1 x", ok()),
            ("SET r:1 x", error(NO_KEY)),
            ("GET w:1", error(NO_KEY)),
            ("SET w:1 x GET", error(NO_KEY)),
            ("SET b x", error(NO_KEY)),
            ("MSET a:1 1 b 2", error(NO_KEY)),
            ("EXISTS w:1", integer(1)),
            ("COPY r:1 a:2", integer(0)),
            ("COPY a:1 r:1", error(NO_KEY)),
            ("COPY a:1 b DB 1", error(NO_KEY)),
            ("EVAL \"return 1\" 1 b", error(NO_KEY)),
            ("XREAD STREAMS b 0", error(NO_KEY)),
            ("GEORADIUS a:1 0 0 1 m STORE b", error(NO_KEY)),
            ("MSETEX 2 a:1 1 b 2", error(NO_KEY)),
            (
                "DEBUG SLEEP 0",
                error(
                    "ERR DEBUG command not allowed. If the enable-debug-command option is set to \"local\", you can run it from a local connection, otherwise you need to set this option in the configuration file, and then restart the server.",
                ),
            ),
            ("DEBUG OBJECT a:1", no_command("ann", "debug")),
            ("CLIENT KILL x", no_command("ann", "client|kill")),
            ("PUBLISH news:1 x", integer(0)),
            ("PUBLISH other x", error(NO_CHANNEL)),
            ("SPUBLISH other x", error(NO_CHANNEL)),
            ("SUBSCRIBE news:1 other", error(NO_CHANNEL)),
            ("SSUBSCRIBE other", error(NO_CHANNEL)),
            ("PSUBSCRIBE news:1*", error(NO_CHANNEL)),
            (
                "PSUBSCRIBE news:*",
                array([bulk("psubscribe"), bulk("news:*"), integer(1)]),
            ),
            (
                "UNSUBSCRIBE other",
                array([bulk("unsubscribe"), bulk("other"), integer(1)]),
            ),
        ],
    );
    let info = admin.ask("INFO stats").text();
    for (name, count) in [("auth", 0), ("cmd", 2), ("key", 11), ("channel", 5)] {
        let line = format!("acl_access_denied_{name}:{count}\r\n");
        assert!(info.contains(&line), "{line} {info}");
    }
    assert!(
        admin
            .ask("INFO errorstats")
            .text()
            .contains("errorstat_NOPERM:count=18")
    );
}

#[test]
fn sort_looks_at_other_keys() {
    let (_server, _admin, mut ann) = with_user("+@all ~l (+@all %R~* ~only) (+sort ~s %R~*)");
    let denied = |option: &str| {
        error(&format!(
            "ERR {option} option of SORT denied due to insufficient ACL permissions."
        ))
    };
    check(
        &mut ann,
        &[
            ("RPUSH l 1", integer(1)),
            ("SORT l", array([bulk("1")])),
            ("SORT l BY nosort", array([bulk("1")])),
            ("SORT l BY w_*", array([bulk("1")])),
            ("SORT l STORE other", error(NO_KEY)),
            ("SORT l BY x GET y STORE other", error(NO_KEY)),
            ("SORT l STORE l", integer(1)),
            ("SORT l BY w_* STORE l", denied("BY")),
            ("SORT l GET w_* STORE l", denied("GET")),
            ("SORT l STORE s STORE l", integer(1)),
            ("SORT_RO l BY w_* GET x_*", array([Reply::NullBulk])),
        ],
    );
}

#[test]
fn transactions() {
    let (_server, mut admin, mut ann) = with_user("+@all -config ~a* allchannels");
    check(
        &mut ann,
        &[
            ("MULTI", ok()),
            ("SET b 1", error(NO_KEY)),
            (
                "EXEC",
                error("EXECABORT Transaction discarded because of previous errors."),
            ),
            ("MULTI", ok()),
            ("SET a 1", queued()),
            ("GET a2", queued()),
            ("DEL a", queued()),
            ("PUBLISH x 1", queued()),
        ],
    );
    assert_eq!(field(newest_entry(&mut admin), "context"), bulk("multi"));
    assert_eq!(
        admin.ask("ACL SETUSER ann -set resetkeys ~a resetchannels"),
        ok()
    );
    let no_longer = |reason: &str| {
        error(&format!(
            "NOPERM ACLs rules changed between the moment the transaction was accumulated and the EXEC call. This command \
             is no longer allowed for the following reason: {reason}"
        ))
    };
    let replies = [
        no_longer("no permission to execute the command or subcommand"),
        no_longer("no permission to touch the specified keys"),
        integer(0),
        no_longer("no permission to access one of the channels used as arguments to the command"),
    ];
    assert_eq!(ann.ask("EXEC"), array(replies));
    let entry = newest_entry(&mut admin);
    assert!(
        field(entry, "client-info")
            .text()
            .contains(" cmd=exec user=ann ")
    );
    // An administrator who takes away his own rights in a transaction has lost them for its rest.
    check(
        &mut admin,
        &[
            ("ACL SETUSER bob on nopass +@all ~*", ok()),
            ("AUTH bob x", ok()),
            ("MULTI", ok()),
            ("SET k 1", queued()),
            ("ACL SETUSER bob -get", queued()),
            ("GET k", queued()),
            (
                "EXEC",
                array([
                    ok(),
                    ok(),
                    no_longer("no permission to execute the command or subcommand"),
                ]),
            ),
            ("GET k", no_command("bob", "get")),
        ],
    );
}

#[test]
fn scripts() {
    let (_server, mut admin, mut ann) = with_user("+@all -incr ~a* &c");
    let denied = |what: &str| format!("NOPERM ACL failure in script: {what}");
    let incr = denied("User ann has no permissions to run the 'incr' command");
    for (script, expected) in [
        ("return redis.call('incr', 'a')", &incr),
        (
            "return redis.call('get', 'b')",
            &denied("No permissions to access a key"),
        ),
        (
            "return redis.call('publish', 'd', 'x')",
            &denied("No permissions to access a channel"),
        ),
    ] {
        let reply = ann.command(&[b"EVAL", script.as_bytes(), b"0"]).text();
        assert!(reply.starts_with(expected.as_str()), "{reply}");
    }
    let entry = newest_entry(&mut admin);
    assert_eq!(field(entry.clone(), "context"), bulk("lua"));
    assert_eq!(field(entry.clone(), "object"), bulk("d"));
    assert!(
        field(entry, "client-info")
            .text()
            .contains(" cmd=eval user=ann ")
    );
    let script = b"return {redis.acl_check_cmd('incr', 'a'), redis.acl_check_cmd('set', 'a', '1'), redis.acl_check_cmd('get', 'b')}";
    let reply = ann.command(&[b"EVAL", script, b"0"]);
    assert_eq!(reply, array([Reply::NullBulk, integer(1), Reply::NullBulk]));
    let script = b"return redis.pcall('incr', 'a').err";
    assert_eq!(ann.command(&[b"EVAL", script, b"0"]).text(), incr);
    assert_eq!(ann.ask("SET a 5"), ok());
    assert_eq!(
        ann.command(&[b"EVAL", b"return redis.call('get', 'a')", b"0"]),
        bulk("5")
    );
}

#[test]
fn logging_in() {
    let (server, mut admin, mut ann) = with_user("+@all ~* &* >other");
    check(
        &mut ann,
        &[
            ("AUTH ann other", ok()),
            ("AUTH ann Secret", error(WRONGPASS)),
            ("AUTH nobody secret", error(WRONGPASS)),
            ("ACL WHOAMI", bulk("ann")),
            ("HELLO 2 AUTH ann wrong SETNAME x", error(WRONGPASS)),
            ("CLIENT GETNAME", Reply::NullBulk),
            ("RESET", simple("RESET")),
            ("ACL WHOAMI", bulk("default")),
        ],
    );
    let entry = newest_entry(&mut admin);
    assert_eq!(field(entry.clone(), "reason"), bulk("auth"));
    assert_eq!(field(entry.clone(), "object"), bulk("HELLO"));
    assert_eq!(field(entry, "username"), bulk("ann"));
    check(
        &mut admin,
        &[
            ("ACL SETUSER ann <secret", ok()),
            ("AUTH ann secret", error(WRONGPASS)),
            ("ACL SETUSER ann off", ok()),
            ("AUTH ann other", error(WRONGPASS)),
            ("ACL SETUSER ann on nopass", ok()),
            ("AUTH ann anything", ok()),
            ("AUTH default x", ok()),
            // Whoever knows a hash can set it.
            (
                "ACL SETUSER ann #2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b",
                ok(),
            ),
            ("AUTH ann secret", ok()),
            ("AUTH default x", ok()),
            ("ACL SETUSER default resetpass >p", ok()),
            ("PING", simple("PONG")),
        ],
    );
    let mut stranger = server.raw();
    check(
        &mut stranger,
        &[
            ("PING", error("NOAUTH Authentication required.")),
            ("ACL WHOAMI", error("NOAUTH Authentication required.")),
            ("AUTH p", ok()),
            ("PING", simple("PONG")),
        ],
    );
    assert_eq!(admin.ask("ACL SETUSER default off"), ok());
    let mut stranger = server.raw();
    check(
        &mut stranger,
        &[
            ("PING", error("NOAUTH Authentication required.")),
            ("AUTH p", error(WRONGPASS)),
            ("AUTH ann secret", ok()),
            ("PING", simple("PONG")),
        ],
    );
}

#[test]
fn a_password_is_the_default_users() {
    let server = Server::start(&["--requirepass", "first"]);
    let mut raw = server.raw();
    let hash = |password: &str| match password {
        "first" => "a7937b64b8caa58f03721bb6bacf5c78cb235febe0e70b1b84cd99541461a08e",
        _ => "16367aacb67a4a017c8da8ab95682ccb390863780f7114dda0a0e0c55644c7c4",
    };
    let passwords = |raw: &mut Raw| field(raw.ask("ACL GETUSER default"), "passwords");
    assert_eq!(raw.ask("AUTH first"), ok());
    assert_eq!(passwords(&mut raw), array([bulk(hash("first"))]));
    assert_eq!(raw.ask("CONFIG SET requirepass second"), ok());
    assert_eq!(passwords(&mut raw), array([bulk(hash("second"))]));
    assert_eq!(
        raw.ask("CONFIG GET requirepass"),
        array([bulk("requirepass"), bulk("second")])
    );
    assert_eq!(raw.ask("CONFIG SET requirepass \"\""), ok());
    assert_eq!(passwords(&mut raw), array([]));
    assert_eq!(server.raw().ask("PING"), simple("PONG"));
}

#[test]
fn what_was_refused() {
    let (_server, mut admin, mut ann) = with_user("+@all -@dangerous ~a");
    for _ in 0..3 {
        assert_eq!(ann.ask("GET b"), error(NO_KEY));
    }
    assert_eq!(ann.ask("KEYS *"), no_command("ann", "keys"));
    let entries = admin.ask("ACL LOG").items();
    assert_eq!(entries.len(), 2);
    let told = |entry: &Reply, name: &str| field(entry.clone(), name);
    for (entry, reason, object, count, id) in [
        (&entries[0], "command", "keys", 1, 1),
        (&entries[1], "key", "b", 3, 0),
    ] {
        assert_eq!(told(entry, "reason"), bulk(reason));
        assert_eq!(told(entry, "object"), bulk(object));
        assert_eq!(told(entry, "count"), integer(count));
        assert_eq!(told(entry, "entry-id"), integer(id));
        assert_eq!(told(entry, "context"), bulk("toplevel"));
        assert_eq!(told(entry, "username"), bulk("ann"));
        assert!(
            told(entry, "client-info")
                .text()
                .contains(&format!(" cmd={} user=ann ", ["get", "keys"][id as usize]))
        );
    }
    check(
        &mut admin,
        &[
            ("CONFIG SET acllog-max-len 1", ok()),
            ("ACL LOG RESET", ok()),
            ("ACL LOG 5", array([])),
            (
                "ACL LOG x",
                error("ERR value is not an integer or out of range"),
            ),
            ("ACL LOG -1", array([])),
        ],
    );
    for key in ["b", "c", "d"] {
        ann.ask(&format!("GET {key}"));
    }
    assert_eq!(admin.ask("ACL LOG").items().len(), 1);
    assert_eq!(admin.ask("CONFIG SET acllog-max-len 0"), ok());
    // What there is stays until there is more.
    assert_eq!(admin.ask("ACL LOG").items().len(), 1);
    ann.ask("GET e");
    assert_eq!(admin.ask("ACL LOG"), array([]));
}

#[test]
fn secrets_are_not_logged() {
    let server = Server::start(&["--slowlog-log-slower-than", "0"]);
    let (mut raw, mut monitor) = (server.raw(), server.raw());
    assert_eq!(monitor.ask("MONITOR"), ok());
    raw.ask("ACL SETUSER ann on >topsecret");
    raw.ask("AUTH ann topsecret");
    raw.ask("HELLO 2 AUTH ann topsecret");
    raw.ask("SET end 1");
    raw.ask("AUTH default x");
    assert_eq!(raw.ask("SET end 1"), ok());
    let mut shown = String::new();
    while !shown.contains("end") {
        shown += &monitor.read().text();
    }
    let slow = format!("{:?}", raw.ask("SLOWLOG GET 10"));
    assert!(
        slow.contains("SETUSER") && slow.contains("(redacted)"),
        "{slow}"
    );
    for text in [shown, slow, server.log()] {
        assert!(!text.contains("topsecret"), "{text}");
    }
}

#[test]
fn questions() {
    let (server, mut admin, _ann) = with_user("+get ~a");
    check(
        &mut admin,
        &[
            ("ACL USERS", array([bulk("ann"), bulk("default")])),
            ("ACL GETUSER nobody", Reply::NullBulk),
            ("ACL DRYRUN ann GET a", ok()),
            (
                "ACL DRYRUN ann GET b",
                bulk("User ann has no permissions to access the 'b' key"),
            ),
            (
                "ACL DRYRUN ann SET a 1",
                bulk("User ann has no permissions to run the 'set' command"),
            ),
            ("ACL DRYRUN default PUBLISH a 1", ok()),
            (
                "ACL DRYRUN nobody GET a",
                error("ERR User 'nobody' not found"),
            ),
            (
                "ACL DRYRUN ann NOSUCH a",
                error("ERR Command 'NOSUCH' not found"),
            ),
            (
                "ACL DRYRUN ann GET",
                error("ERR wrong number of arguments for 'get' command"),
            ),
            ("ACL CAT nosuch", error("ERR Unknown category 'nosuch'")),
            (
                "ACL GENPASS 0",
                error(
                    "ERR ACL GENPASS argument must be the number of bits for the output password, a positive number up to 4096",
                ),
            ),
            (
                "ACL GENPASS x",
                error("ERR value is not an integer or out of range"),
            ),
            (
                "ACL LOAD",
                error(
                    "ERR This Redis instance is not configured to use an ACL file. You may want to specify users via the ACL SETUSER command and then issue a CONFIG REWRITE (assuming you have a Redis configuration file set) in order to store users in the Redis configuration.",
                ),
            ),
            (
                "ACL DELUSER default",
                error("ERR The 'default' user cannot be removed"),
            ),
            (
                "ACL SETUSER \"a b\"",
                error("ERR Usernames can't contain spaces or null characters"),
            ),
            (
                "CLIENT KILL USER nobody",
                error("ERR No such user 'nobody'"),
            ),
            ("CLIENT KILL USER ann", integer(1)),
            ("ACL DELUSER ann nobody", integer(1)),
            ("ACL USERS", array([bulk("default")])),
        ],
    );
    for (words, digits) in [
        ("ACL GENPASS", 64),
        ("ACL GENPASS 5", 2),
        ("ACL GENPASS 4096", 1024),
    ] {
        let (one, other) = (admin.ask(words).text(), admin.ask(words).text());
        assert!(
            one.len() == digits && (digits < 64 || one != other),
            "{one}"
        );
    }
    assert!(admin.ask("ACL CAT").items().contains(&bulk("sortedset")));
    assert!(
        admin
            .ask("ACL CAT sortedset")
            .items()
            .contains(&bulk("zadd"))
    );
    let mut resp3 = server.raw();
    resp3.ask("HELLO 3");
    assert_eq!(resp3.ask("ACL GETUSER default").pairs().len(), 6);
}

#[test]
fn a_file_of_users() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("users.acl");
    fs::write(
        &path,
        "user ann on >secret ~a* +@all\nuser bob on nopass +get ~b (+set ~c)\n",
    )
    .expect("a file");
    let server = Server::start(&["--aclfile", path.to_str().expect("a path")]);
    let (mut admin, mut ann) = (server.raw(), server.raw());
    assert_eq!(ann.ask("AUTH ann secret"), ok());
    assert_eq!(ann.ask("GET b"), error(NO_KEY));
    assert_eq!(admin.ask("ACL SETUSER eve on >x +ping"), ok());
    assert_eq!(admin.ask("ACL SAVE"), ok());
    let saved = fs::read_to_string(&path).expect("a file");
    let lines: Vec<&str> = saved.lines().collect();
    assert_eq!(lines.len(), 4);
    assert_eq!(
        lines[1],
        "user bob on nopass sanitize-payload ~b resetchannels -@all +get (~c resetchannels -@all +set)"
    );
    assert_eq!(
        lines[2],
        "user default on nopass sanitize-payload ~* &* +@all"
    );
    // What is wrong with a file is told, and nothing changes.
    fs::write(&path, "user ann\nuser ann on\nnonsense\n").expect("a file");
    let refused = admin.ask("ACL LOAD").text();
    assert!(
        refused.contains("Duplicate user 'ann' found on line 2")
            && refused.contains(":3 should start"),
        "{refused}"
    );
    assert_eq!(ann.ask("GET a"), Reply::NullBulk);
    fs::write(&path, "user zoe on nopass +@all\n").expect("a file");
    assert_eq!(admin.ask("ACL LOAD"), ok());
    ann.expect_closed();
    check(
        &mut admin,
        &[
            ("ACL USERS", array([bulk("default"), bulk("zoe")])),
            ("SET k 1", ok()),
            ("AUTH zoe x", ok()),
            ("SET k 1", error(NO_KEY)),
            ("ACL LOAD", ok()),
        ],
    );
    admin.expect_closed();
}

#[test]
fn users_in_the_configuration() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("redis.conf");
    let text = "user ann on >secret +@all ~a*\nuser bob on nopass -@all +replicaof +cluster|nodes\nacl-pubsub-default allchannels\n";
    fs::write(&path, text).expect("a file");
    let mut server = Server::start_with_file(&path, &[]);
    let mut raw = server.raw();
    assert_eq!(
        raw.command(&[
            b"ACL",
            b"SETUSER",
            b"eve",
            b"on",
            b"nopass",
            b"~\"\xffx",
            b"+get"
        ]),
        ok()
    );
    assert_eq!(raw.ask("CONFIG REWRITE"), ok());
    let text = fs::read_to_string(&path).expect("a file");
    assert!(
        text.contains("user bob on nopass sanitize-payload &* -@all +replicaof +cluster|nodes\n"),
        "{text}"
    );
    let before = raw.ask("ACL LIST");
    drop(raw);
    server.restart();
    let mut raw = server.raw();
    assert_eq!(raw.ask("ACL LIST"), before);
    assert_eq!(raw.ask("AUTH eve x"), ok());
    assert_eq!(raw.command(&[b"GET", b"\"\xffx"]), Reply::NullBulk);
    assert_eq!(raw.ask("GET x"), error(NO_KEY));
}

#[test]
fn listeners_who_lose_channels_are_closed() {
    let (server, mut admin, mut ann) = with_user("+@all &a &b*");
    let mut kept = server.raw();
    kept.ask("AUTH ann secret");
    kept.ask("SUBSCRIBE a");
    ann.ask("SUBSCRIBE b1");
    assert_eq!(admin.ask("ACL SETUSER ann &c"), ok());
    assert_eq!(admin.ask("ACL SETUSER ann resetchannels &a"), ok());
    let users = |admin: &mut Raw| admin.ask("CLIENT LIST USER ann").text().lines().count();
    assert_eq!(users(&mut admin), 1);
    ann.expect_closed();
    assert_eq!(admin.ask("PUBLISH a x"), integer(1));
    assert_eq!(kept.read_many(1).len(), 1);
    assert_eq!(admin.ask("ACL DELUSER ann"), integer(1));
    kept.expect_closed();
    eventually("nobody is left", || admin.ask("PUBLISH a x") == integer(0));
}

#[test]
fn failed_logins_are_in_the_log_and_cannot_fill_it() {
    let server = Server::start(&[]);
    let mut raw = server.raw();
    raw.ask("ACL SETUSER ann on >secret");
    let id = raw.ask("CLIENT ID").number();
    for _ in 0..50 {
        assert_eq!(raw.ask("AUTH ann wrong"), error(WRONGPASS));
    }
    raw.command(&[b"AUTH", b"a\nb\"", b"wrong"]);
    let log = server.log();
    let told: Vec<&str> = log
        .lines()
        .filter(|line| line.contains("Failed login"))
        .collect();
    assert_eq!(told.len(), 10, "{log}");
    let line = format!("Failed login: id={id} addr=127.0.0.1:");
    assert!(
        told[0].contains(&line) && told[0].ends_with(" user=\"ann\""),
        "{}",
        told[0]
    );
    assert!(!log.contains("wrong") && !log.contains("secret"));
}
