//! The directives that the server uses: one row each, in the order of the example file.
//!
//! To add one: a field in `Config`, a row here. Everything else follows from the row.

use super::directive::Apply::{
    AppendOnly, CrashLog, Directory as EnterDirectory, Encodings, Garbage, Hz, KeyEvents, Latency,
    Listeners, LogLevel, Logs, MaxClients, Memory, Metrics, OomScores, Password, Title, Tls,
    Tracking,
};
use super::directive::Words::{Accumulated, Many};
use super::directive::{Directive, Section, Slot};
use super::rule::Rule;
use super::rule::Unit::{self, MemoryOrMachineShare, MemoryOrPercent};
use super::values::{
    AppendFsync, Choice, MaxmemoryPolicy, OomScoreAdj, Permission, PubsubDefault, Supervision,
    TlsAuth, TlsIdentity,
};
use crate::base::machine;
use crate::base::severity::Severity;

/// The greatest values that Redis allows for its C types.
pub(super) const INT: i128 = i32::MAX as i128;
pub(super) const LONG: i128 = i64::MAX as i128;

const OCTAL_MODE: Rule = number_in(0, 0o777, Unit::Octal);

pub(super) const fn number_in(min: i128, max: i128, unit: Unit) -> Rule {
    Rule::Number { min, max, unit }
}

pub(super) const fn number(min: i128, max: i128) -> Rule {
    number_in(min, max, Unit::Plain)
}

pub(super) const fn memory(min: i128, max: i128) -> Rule {
    number_in(min, max, Unit::Memory)
}

const fn choice<T: Choice>() -> Rule {
    T::RULE
}

/// A text, where the empty one is as good as any.
pub(super) const fn text(check: fn(&str) -> Result<(), &'static str>) -> Rule {
    Rule::Text {
        check,
        needless: false,
    }
}

/// A text, where the empty one stands for "not set".
pub(super) const fn optional_text(check: fn(&str) -> Result<(), &'static str>) -> Rule {
    Rule::Text {
        check,
        needless: true,
    }
}

pub(super) fn anything(_: &str) -> Result<(), &'static str> {
    Ok(())
}

fn base_name_of_snapshot(name: &str) -> Result<(), &'static str> {
    no_path(name, "dbfilename can't be a path, just a filename")
}

fn base_name_of_log(name: &str) -> Result<(), &'static str> {
    if name.is_empty() {
        return Err("appendfilename can't be empty");
    }
    no_path(name, "appendfilename can't be a path, just a filename")
}

fn base_name_of_log_directory(name: &str) -> Result<(), &'static str> {
    if name.is_empty() {
        return Err("appenddirname can't be empty");
    }
    no_path(name, "appenddirname can't be a path, just a dirname")
}

fn no_path(name: &str, refusal: &'static str) -> Result<(), &'static str> {
    if name.contains(['/', '\\']) {
        Err(refusal)
    } else {
        Ok(())
    }
}

/// The variables that a title may name in braces.
const TITLE_VARIABLES: [&str; 7] = [
    "title",
    "listen-addr",
    "server-mode",
    "port",
    "tls-port",
    "unixsocket",
    "config-file",
];

fn title_template(template: &str) -> Result<(), &'static str> {
    let named = |part: &str| {
        part.split_once('}')
            .is_some_and(|(name, _)| TITLE_VARIABLES.contains(&name))
    };
    if !template.trim().is_empty() && template.split('{').skip(1).all(named) {
        Ok(())
    } else {
        Err("template format is invalid or contains unknown variables")
    }
}

fn processors() -> String {
    machine::processors().min(128).to_string()
}

fn current_directory() -> String {
    std::env::current_dir().map_or_else(
        |_| "/".to_owned(),
        |path| path.to_string_lossy().into_owned(),
    )
}

/// A row whose value is in the field of this name.
macro_rules! row {
    ($name:literal, $field:ident, $rule:expr, $initial:expr) => {
        Directive::new(
            $name,
            $rule,
            Slot::Field {
                of: |config| &config.$field,
                of_mut: |config| &mut config.$field,
            },
            $initial,
        )
    };
}

pub(super) const SECTIONS: &[Section] = &[
    Section {
        title: "Network",
        directives: NETWORK,
    },
    Section {
        title: "TLS",
        directives: TLS,
    },
    Section {
        title: "General",
        directives: GENERAL,
    },
    Section {
        title: "Security",
        directives: SECURITY,
    },
    Section {
        title: "Memory",
        directives: MEMORY,
    },
    Section {
        title: "Snapshots",
        directives: SNAPSHOTS,
    },
    Section {
        title: "Append-only file",
        directives: APPEND_ONLY_FILE,
    },
    Section {
        title: "Replication and cluster",
        directives: REPLICATION_AND_CLUSTER,
    },
    Section {
        title: "Scripts and events",
        directives: SCRIPTS_AND_EVENTS,
    },
    Section {
        title: "Logs and latency",
        directives: LOGS_AND_LATENCY,
    },
    Section {
        title: "Encodings",
        directives: ENCODINGS,
    },
];

const NETWORK: &[Directive] = &[
    row!("bind", bind, Rule::Words, &["*", "-::*"])
        .doc("Addresses to listen on. An address with - before it may be missing; * stands for every IPv4 address, ::* for every IPv6 address.")
        .words(Many).applies(Listeners),
    row!("protected-mode", protected_mode, Rule::Switch, &["yes"])
        .doc("Refuse clients from other machines as long as no password is set."),
    row!("port", port, number(0, 65535), &["6379"])
        .doc("TCP port to listen on; 0 for none.")
        .applies(Listeners),
    row!("tcp-backlog", tcp_backlog, number(0, INT), &["511"])
        .doc("How many connections may wait to be accepted. The system's own limit applies too.")
        .at_start(),
    row!("unixsocket", unixsocket, optional_text(anything), &[""])
        .doc("Path of a Unix socket to listen on as well.")
        .at_start(),
    row!("unixsocketperm", unixsocketperm, OCTAL_MODE, &["0"])
        .doc("File permissions of that socket, in octal; 0 leaves them to the umask.")
        .at_start(),
    row!("unixsocketgroup", unixsocketgroup, optional_text(anything), &[""])
        .doc("Group that owns that socket, as a name or a number; by default the server's own.")
        .at_start(),
    row!("timeout", timeout, number(0, INT), &["0"])
        .doc("Seconds after which an idle client is disconnected; 0 for never."),
    row!("tcp-keepalive", tcp_keepalive, number(0, INT), &["300"])
        .doc("Seconds between TCP keepalive probes, which notice dead peers and keep firewalls from forgetting a connection; 0 for none."),
    row!("socket-mark-id", socket_mark_id, number(0, u32::MAX as i128), &["0"])
        .doc("Mark set on listening sockets, for routing and filtering; 0 for none.")
        .at_start(),
    row!("metrics-port", metrics_port, number(0, 65535), &["0"])
        .doc("Port at which Prometheus finds the server's figures, at /metrics over HTTP; 0 for none.")
        .applies(Metrics),
    row!("maxclients", maxclients, number(1, u32::MAX as i128), &["10000"])
        .doc("How many clients may be connected at a time.")
        .applies(MaxClients),
];

const TLS: &[Directive] = &[
    row!("tls-port", tls_port, number(0, 65535), &["0"])
        .doc("TCP port to listen on for encrypted connections, besides port or, if that is 0, instead; 0 for none.")
        .applies(Listeners),
    row!("tls-cert-file", tls_cert_file, optional_text(anything), &[""])
        .doc("File (PEM) of the server's certificate, and behind it those that vouch for it. Set again at run time, it is read anew.")
        .applies(Tls).read_anew(),
    row!("tls-key-file", tls_key_file, optional_text(anything), &[""])
        .doc("File (PEM) of the certificate's private key.")
        .applies(Tls).read_anew(),
    row!("tls-key-file-pass", tls_key_file_pass, optional_text(anything), &[""])
        .doc("Password of the private key, if it is encrypted (PKCS #8).")
        .applies(Tls).sensitive(),
    row!("tls-ca-cert-file", tls_ca_cert_file, optional_text(anything), &[""])
        .doc("File (PEM) of the authorities that clients' certificates must come from.")
        .applies(Tls).read_anew(),
    row!("tls-ca-cert-dir", tls_ca_cert_dir, optional_text(anything), &[""])
        .doc("Directory of such files.")
        .applies(Tls).read_anew(),
    row!("tls-auth-clients", tls_auth_clients, choice::<TlsAuth>(), &["yes"])
        .doc("Whether clients must show a certificate: yes, no, or optional, where one that is shown must be good.")
        .applies(Tls),
    row!("tls-auth-clients-user", tls_auth_clients_user, choice::<TlsIdentity>(), &["off"])
        .doc("What in a client's certificate is the name of the user that it is from the start, without AUTH: CN, the common name; URI, the first address among the other names that is a user's; or off."),
    row!("tls-protocols", tls_protocols, optional_text(anything), &[""])
        .doc("Protocols that may be spoken: TLSv1.2, TLSv1.3 or, empty, both. Older ones are not supported.")
        .applies(Tls),
    row!("tls-ciphers", tls_ciphers, optional_text(anything), &[""])
        .doc("Cipher suites of TLS 1.2 by OpenSSL's names, divided by colons; empty for all. Only ECDHE with AES-GCM or ChaCha20 is supported.")
        .applies(Tls),
    row!("tls-ciphersuites", tls_ciphersuites, optional_text(anything), &[""])
        .doc("Cipher suites of TLS 1.3, divided by colons; empty for all.")
        .applies(Tls),
    row!("tls-prefer-server-ciphers", tls_prefer_server_ciphers, Rule::Switch, &["no"])
        .doc("Choose among the suites that both sides have by the server's order and not by the client's.")
        .applies(Tls),
    row!("tls-session-caching", tls_session_caching, Rule::Switch, &["yes"])
        .doc("Let clients that come again take up their session, which saves most of the handshake.")
        .applies(Tls),
    row!("tls-session-cache-size", tls_session_cache_size, number(0, INT), &["20480"])
        .doc("How many sessions are kept; 0 for any number.")
        .applies(Tls),
    row!("tls-session-cache-timeout", tls_session_cache_timeout, number(0, INT), &["300"])
        .doc("Seconds for which they are kept; 0 for any time.")
        .applies(Tls),
];

const GENERAL: &[Directive] = &[
    row!("daemonize", daemonize, Rule::Switch, &["no"])
        .doc("Run in the background.")
        .at_start(),
    row!("supervised", supervised, choice::<Supervision>(), &["no"])
        .doc("Which supervisor to tell when the server is ready.")
        .at_start(),
    row!("pidfile", pidfile, optional_text(anything), &[""])
        .doc("File that holds the process id while the server runs. A daemon without one uses /var/run/redis.pid.")
        .at_start(),
    row!("loglevel", loglevel, choice::<Severity>(), &["notice"])
        .doc("The least grave messages that are logged.")
        .applies(LogLevel),
    row!("logfile", logfile, text(anything), &[""])
        .doc("File to append log messages to; empty for standard output.")
        .at_start(),
    row!("disable-thp", disable_thp, Rule::Switch, &["yes"])
        .doc("Do without the system's transparent huge pages. With them many keys are found a little faster, but memory is taken and given back by 2 MB at a time.")
        .at_start(),
    row!("databases", databases, number(1, INT), &["16"])
        .doc("How many databases there are.")
        .at_start(),
    row!("io-threads", io_threads, number(1, 128), &[])
        .doc("How many worker threads serve clients; by default one per processor. All of them share one keyspace.")
        .at_start().computed(processors, "4"),
    row!("hz", hz, Rule::Hint { min: 1, max: 500 }, &["10"])
        .doc("How many times per second background work is looked at.")
        .applies(Hz),
    row!("set-proc-title", set_proc_title, Rule::Switch, &["yes"])
        .doc("Show in the list of processes where the server listens.")
        .at_start(),
    row!("proc-title-template", proc_title_template, text(title_template), &["{title} {listen-addr} {server-mode}"])
        .doc("What is shown there. In braces: title, listen-addr, server-mode, port, tls-port, unixsocket, config-file.")
        .applies(Title),
    row!("syslog-enabled", syslog_enabled, Rule::Switch, &["no"])
        .doc("Send log messages to the system's log as well.")
        .at_start(),
    row!("syslog-ident", syslog_ident, text(anything), &["redis"])
        .doc("The name that they bear there.")
        .at_start(),
    row!("syslog-facility", syslog_facility, Rule::Choice(&["user", "local0", "local1", "local2", "local3", "local4", "local5", "local6", "local7"]), &["local0"])
        .doc("The facility that they belong to there.")
        .at_start(),
    row!("crash-log-enabled", crash_log_enabled, Rule::Switch, &["yes"])
        .doc("Log a report when a command fails unexpectedly, or the process is ended by a fault.")
        .applies(CrashLog),
    row!("shutdown-on-sigint", shutdown_on_sigint, Rule::Own, &["default"])
        .doc("How to shut down on SIGINT: default, or any of save, nosave, now, force.")
        .words(Many),
    row!("shutdown-on-sigterm", shutdown_on_sigterm, Rule::Own, &["default"])
        .doc("How to shut down on SIGTERM: default, or any of save, nosave, now, force.")
        .words(Many),
    row!("oom-score-adj", oom_score_adj, choice::<OomScoreAdj>(), &["no"])
        .doc("Whether to set the process's out-of-memory score: no, yes or relative to the score at the start, or absolute.")
        .applies(OomScores),
    row!("oom-score-adj-values", oom_score_adj_values, Rule::Own, &["0", "200", "800"])
        .doc("Out-of-memory scores of a primary, a replica and a background process, applied if oom-score-adj is on.")
        .words(Many).applies(OomScores),
];

const SECURITY: &[Directive] = &[
    row!("requirepass", requirepass, optional_text(anything), &[""])
        .doc("Password that clients have to give with AUTH.")
        .sensitive()
        .applies(Password),
    row!("aclfile", aclfile, text(anything), &[""])
        .doc("File that defines users. Users can then not be defined in this file.")
        .at_start(),
    row!("acllog-max-len", acllog_max_len, number(0, LONG), &["128"])
        .doc("How many refused commands and logins ACL LOG remembers.")
        .applies(Logs),
    row!(
        "acl-pubsub-default",
        acl_pubsub_default,
        choice::<PubsubDefault>(),
        &["resetchannels"]
    )
    .doc("Channels that a new user may use: allchannels or resetchannels (none)."),
    row!(
        "enable-protected-configs",
        enable_protected_configs,
        choice::<Permission>(),
        &["no"]
    )
    .doc("Who may change protected directives, such as dir, with CONFIG SET.")
    .at_start(),
    row!(
        "enable-debug-command",
        enable_debug_command,
        choice::<Permission>(),
        &["no"]
    )
    .doc("Who may use DEBUG.")
    .at_start(),
    row!(
        "enable-module-command",
        enable_module_command,
        choice::<Permission>(),
        &["no"]
    )
    .doc("Who may use MODULE.")
    .at_start(),
];

const MEMORY: &[Directive] = &[
    row!("maxmemory", maxmemory, number_in(0, u64::MAX as i128, MemoryOrMachineShare), &["0"])
        .doc("How much memory the data may take; beyond it keys are evicted or writes fail. A percentage is of the memory that the container or the machine has; 0 for no limit.")
        .applies(Memory),
    row!("maxmemory-policy", maxmemory_policy, choice::<MaxmemoryPolicy>(), &["noeviction"])
        .doc("Which keys make room when the limit is reached.")
        .applies(Memory),
    row!("maxmemory-samples", maxmemory_samples, number(1, INT), &["5"])
        .doc("How many keys are compared to find one to evict. More is more exact, and slower."),
    row!("maxmemory-eviction-tenacity", maxmemory_eviction_tenacity, number(0, 100), &["10"])
        .doc("How much time eviction may take before a command runs, beyond what it takes to make up for the client's own data: up to 10 in steps of 50 microseconds, then longer, with 100 until the limit is kept."),
    row!("activedefrag", activedefrag, Rule::Switch, &["no"])
        .doc("Move values together wherever memory is fragmented, so that pages become free. Near maxmemory this is done in any case."),
    row!("active-defrag-ignore-bytes", active_defrag_ignore_bytes, memory(1, LONG), &["100mb"])
        .doc("How much must be lost to fragmentation for that."),
    row!("active-defrag-threshold-lower", active_defrag_threshold_lower, number(0, 1000), &["10"])
        .doc("And how much of what is in use it must be, in percent."),
    row!("lfu-log-factor", lfu_log_factor, number(0, INT), &["10"])
        .doc("How slowly the counter of a key's uses grows, for the lfu policies."),
    row!("lfu-decay-time", lfu_decay_time, number(0, INT), &["1"])
        .doc("Minutes after which that counter goes down by one; 0 for never."),
    row!("maxmemory-clients", maxmemory_clients, number_in(0, i64::MAX as i128, MemoryOrPercent), &["0"])
        .doc("How much memory all clients together may take before the largest are disconnected. A percentage is of maxmemory; 0 for no limit.")
        .applies(Memory),
    row!("client-query-buffer-limit", client_query_buffer_limit, memory(1 << 20, LONG), &["1gb"])
        .doc("How much of a client's commands may wait to be run."),
    row!("client-output-buffer-limit", client_output_buffer_limit, Rule::Own, &["normal", "0", "0", "0", "replica", "256mb", "64mb", "60", "pubsub", "32mb", "8mb", "60"])
        .doc("How much may wait to be sent to a client: class, hard limit, soft limit, seconds for which the soft limit may be exceeded.")
        .words(Many),
    row!("proto-max-bulk-len", proto_max_bulk_len, memory(1 << 20, LONG), &["512mb"])
        .doc("The largest argument, and the largest string, in bytes."),
    row!("lazyfree-lazy-eviction", lazyfree_lazy_eviction, Rule::Switch, &["no"])
        .doc("Have evictions stand in the log as UNLINK instead of DEL. What takes long to free is freed in the background in any case."),
    row!("import-mode", import_mode, Rule::Switch, &["no"])
        .doc("Leave keys past their time where they are while data is brought from elsewhere: clients that have sent CLIENT IMPORT-SOURCE ON see them, others do not."),
    row!("tracking-table-max-keys", tracking_table_max_keys, number(0, LONG), &["1000000"])
        .doc("How many keys are remembered for client-side caching; 0 for no limit.")
        .applies(Tracking),
];

const SNAPSHOTS: &[Directive] = &[
    row!("save", save, Rule::Own, &["3600", "1", "300", "100", "60", "10000"])
        .doc("Take a snapshot after so many seconds if there were at least so many changes. Several lines, or several pairs, add up; an empty value switches snapshots off.")
        .words(Accumulated).always_written(),
    row!("stop-writes-on-bgsave-error", stop_writes_on_bgsave_error, Rule::Switch, &["yes"])
        .doc("Refuse writes when the last snapshot failed."),
    row!("rdbcompression", rdbcompression, Rule::Switch, &["yes"])
        .doc("Compress strings in snapshots."),
    row!("rdbchecksum", rdbchecksum, Rule::Switch, &["yes"])
        .doc("End a snapshot with a checksum, and check it when loading.")
        .at_start(),
    row!("dbfilename", dbfilename, text(base_name_of_snapshot), &["dump.rdb"])
        .doc("Name of the snapshot file.")
        .protected(),
    row!("key-load-delay", key_load_delay, number(i32::MIN as i128, INT), &["0"])
        .doc("Microseconds to wait after each key that is loaded; below zero, a microsecond after so many keys. For tests.")
        .hidden(),
    row!("rdb-key-save-delay", rdb_key_save_delay, number(i32::MIN as i128, INT), &["0"])
        .doc("Microseconds to wait after each key that is copied to a file; below zero, a microsecond after so many keys. For tests.")
        .hidden(),
    row!("dir", dir, Rule::Own, &[])
        .doc("Working directory: snapshots, the append-only file and relative paths are in it.")
        .protected().refused_while_loading().always_written().applies(EnterDirectory).computed(current_directory, "./"),
];

const APPEND_ONLY_FILE: &[Directive] = &[
    row!("appendonly", appendonly, Rule::Switch, &["no"])
        .doc("Write each change to a log, so that nothing is lost but what appendfsync allows.")
        .refused_while_loading().applies(AppendOnly),
    row!("appendfilename", appendfilename, text(base_name_of_log), &["appendonly.aof"])
        .doc("First part of the names of the log's files.")
        .at_start(),
    row!("appenddirname", appenddirname, text(base_name_of_log_directory), &["appendonlydir"])
        .doc("Directory of the log's files, within dir.")
        .at_start(),
    row!("appendfsync", appendfsync, choice::<AppendFsync>(), &["everysec"])
        .doc("When the log is forced to disk: always before the reply, everysec, or no, when the system sees fit."),
    row!("no-appendfsync-on-rewrite", no_appendfsync_on_rewrite, Rule::Switch, &["no"])
        .doc("Do not force the log to disk while it is rewritten or a snapshot is written."),
    row!("auto-aof-rewrite-percentage", auto_aof_rewrite_percentage, number(0, INT), &["100"])
        .doc("Rewrite the log when it has grown by so many percent since the last rewrite; 0 for never."),
    row!("auto-aof-rewrite-min-size", auto_aof_rewrite_min_size, memory(0, LONG), &["64mb"])
        .doc("The size below which the log is not rewritten by itself."),
    row!("aof-load-truncated", aof_load_truncated, Rule::Switch, &["yes"])
        .doc("Start even though the log's end is cut off, as after a crash."),
    row!("aof-use-rdb-preamble", aof_use_rdb_preamble, Rule::Switch, &["yes"])
        .doc("Begin a rewritten log with a snapshot, which is smaller and faster to load."),
    row!("aof-timestamp-enabled", aof_timestamp_enabled, Rule::Switch, &["no"])
        .doc("Note the time in the log, so that data can be restored to a point in time."),
    row!("aof-disable-auto-gc", aof_disable_auto_gc, Rule::Switch, &["no"])
        .doc("Keep the parts of the log that a rewrite has made needless. For tests.")
        .hidden()
        .applies(Garbage),
];

const REPLICATION_AND_CLUSTER: &[Directive] = &[
    row!("replicaof", replicaof, Rule::Own, &["no", "one"])
        .doc("Follow this server: host and port.")
        .alias("slaveof")
        .words(Many)
        .at_start()
        .warning("replication is not available: the server starts as a primary"),
    row!("cluster-enabled", cluster_enabled, Rule::Switch, &["no"])
        .doc("Run as a node of a cluster.")
        .at_start(),
];

const SCRIPTS_AND_EVENTS: &[Directive] = &[
    row!("busy-reply-threshold", busy_reply_threshold, number(0, LONG), &["5000"])
        .doc("Milliseconds after which a running script makes the server answer BUSY.")
        .alias("lua-time-limit"),
    row!("notify-keyspace-events", notify_keyspace_events, Rule::Own, &[""])
        .doc("Events that are published when keys change: K for keyspace channels, E for keyevent channels, and any of g$lshzxetdnm, or A for g$lshzxetd.")
        .applies(KeyEvents),
];

const LOGS_AND_LATENCY: &[Directive] = &[
    row!("slowlog-log-slower-than", slowlog_log_slower_than, number(-1, LONG), &["10000"])
        .doc("Microseconds that a command may take before SLOWLOG remembers it; 0 for every command, -1 for none.")
        .alias("commandlog-execution-slower-than"),
    row!("slowlog-max-len", slowlog_max_len, number(0, LONG), &["128"])
        .doc("How many slow commands are remembered.")
        .alias("commandlog-slow-execution-max-len").applies(Logs),
    row!("commandlog-request-larger-than", commandlog_request_larger_than, number(-1, LONG), &["1048576"])
        .doc("Bytes that a command may come with before COMMANDLOG remembers it; -1 for any number."),
    row!("commandlog-large-request-max-len", commandlog_large_request_max_len, number(0, LONG), &["128"])
        .doc("How many large commands are remembered.")
        .applies(Logs),
    row!("commandlog-reply-larger-than", commandlog_reply_larger_than, number(-1, LONG), &["1048576"])
        .doc("Bytes that a reply may have before COMMANDLOG remembers its command; -1 for any number."),
    row!("commandlog-large-reply-max-len", commandlog_large_reply_max_len, number(0, LONG), &["128"])
        .doc("How many commands with large replies are remembered.")
        .applies(Logs),
    row!("latency-monitor-threshold", latency_monitor_threshold, number(0, LONG), &["0"])
        .doc("Milliseconds that an operation may take before LATENCY remembers it; 0 for none.")
        .applies(Latency),
    row!("latency-tracking", latency_tracking, Rule::Switch, &["yes"])
        .doc("Keep a distribution of each command's latency.")
        .applies(Latency),
    row!("latency-tracking-info-percentiles", latency_tracking_info_percentiles, Rule::Own, &["50", "99", "99.9"])
        .doc("Percentiles of latency that INFO tells.")
        .words(Many).always_written(),
];

const ENCODINGS: &[Directive] = &[
    row!("hash-max-listpack-entries", hash_max_listpack_entries, number(0, LONG), &["512"])
        .doc("The most fields of a hash in the compact encoding.")
        .alias("hash-max-ziplist-entries").applies(Encodings),
    row!("hash-max-listpack-value", hash_max_listpack_value, memory(0, LONG), &["64"])
        .doc("The longest field or value of such a hash, in bytes.")
        .alias("hash-max-ziplist-value").applies(Encodings),
    row!("list-max-listpack-size", list_max_listpack_size, number(i32::MIN as i128, INT), &["-2"])
        .doc("The size of a list's nodes: a number of elements, or -1 to -5 for 4, 8, 16, 32 or 64 kilobytes.")
        .alias("list-max-ziplist-size").applies(Encodings),
    row!("list-compress-depth", list_compress_depth, number(0, INT), &["0"])
        .doc("How many nodes at each end of a list stay uncompressed; 0 to compress none.")
        .applies(Encodings),
    row!("set-max-intset-entries", set_max_intset_entries, number(0, LONG), &["512"])
        .doc("The most members of a set of integers in the compact encoding.")
        .applies(Encodings),
    row!("set-max-listpack-entries", set_max_listpack_entries, number(0, LONG), &["128"])
        .doc("The most members of another set in the compact encoding.")
        .applies(Encodings),
    row!("set-max-listpack-value", set_max_listpack_value, number(0, LONG), &["64"])
        .doc("The longest member of such a set, in bytes.")
        .applies(Encodings),
    row!("zset-max-listpack-entries", zset_max_listpack_entries, number(0, LONG), &["128"])
        .doc("The most members of a sorted set in the compact encoding.")
        .alias("zset-max-ziplist-entries").applies(Encodings),
    row!("zset-max-listpack-value", zset_max_listpack_value, memory(0, LONG), &["64"])
        .doc("The longest member of such a sorted set, in bytes.")
        .alias("zset-max-ziplist-value").applies(Encodings),
    row!("hll-sparse-max-bytes", hll_sparse_max_bytes, memory(0, LONG), &["3000"])
        .doc("The size at which a HyperLogLog turns from sparse to dense.")
        .applies(Encodings),
    row!("stream-node-max-bytes", stream_node_max_bytes, memory(0, LONG), &["4096"])
        .doc("The most bytes in a node of a stream; 0 for no limit.")
        .applies(Encodings),
    row!("stream-node-max-entries", stream_node_max_entries, number(0, LONG), &["100"])
        .doc("The most entries in a node of a stream; 0 for no limit.")
        .applies(Encodings),
];
