//! Directives of Redis and Valkey that are accepted without effect, so that their configuration
//! files and CONFIG SET work as they are: their values are checked, remembered, shown and written
//! back, and nothing reads them.

use super::directive::Words::Many;
use super::directive::{Directive, Section, Slot};
use super::rule::Rule;
use super::served::{INT, LONG, anything, memory, number, optional_text, text};

const SWITCH: Rule = Rule::Switch;

/// The last section of the example file.
pub(super) const SECTION: Section = Section {
    title: "Accepted for compatibility, without effect",
    directives: ROWS,
};

const fn row(
    name: &'static str,
    rule: Rule,
    initial: &'static [&'static str],
    doc: &'static str,
) -> Directive {
    Directive::new(name, rule, Slot::Remembered, initial).doc(doc)
}

/// The longest host name that Redis announces.
const MAX_HOST_NAME_LENGTH: usize = 255;

fn host_name(name: &str) -> Result<(), &'static str> {
    if name.len() > MAX_HOST_NAME_LENGTH {
        return Err("Hostnames must be less than 256 characters");
    }
    if name
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'.')
    {
        Ok(())
    } else {
        Err("Hostnames may only contain alphanumeric characters, hyphens or dots")
    }
}

fn node_name(name: &str) -> Result<(), &'static str> {
    if name.contains(|character| "!#$%&()*+:;<>?@[]^{|}~".contains(character)) {
        Err("Announced human node name contained invalid character")
    } else {
        Ok(())
    }
}

#[rustfmt::skip]
const ROWS: &[Directive] = &[
    row("io-threads-do-reads", SWITCH, &["no"], "Worker threads always read, parse and execute.").at_start(),
    row("dynamic-hz", SWITCH, &["yes"], "Timers do not depend on the number of clients."),
    row("always-show-logo", SWITCH, &["no"], "There is no logo.").at_start(),
    row("active-expire-effort", number(1, 10), &["1"], "Keys are removed within 100 ms of their time in any case."),
    row("lazyfree-lazy-expire", SWITCH, &["no"], "What takes long to free is always freed in the background."),
    row("lazyfree-lazy-server-del", SWITCH, &["no"], "See lazyfree-lazy-expire."),
    row("lazyfree-lazy-user-del", SWITCH, &["no"], "See lazyfree-lazy-expire."),
    row("lazyfree-lazy-user-flush", SWITCH, &["no"], "See lazyfree-lazy-expire."),
    row("activerehashing", SWITCH, &["yes"], "Tables grow and shrink in small steps, whenever they are changed."),
    row("sanitize-dump-payload", Rule::Choice(&["no", "yes", "clients"]), &["no"], "Serialised values are always checked in full."),
    row("jemalloc-bg-thread", SWITCH, &["yes"], "The allocator is not jemalloc."),
    row("active-defrag-threshold-upper", number(0, 1000), &["100"], "Defragmentation takes the same small part of the time whenever there is reason for it."),
    row("active-defrag-cycle-min", number(1, 99), &["1"], "See active-defrag-threshold-upper."),
    row("active-defrag-cycle-max", number(1, 99), &["25"], "See active-defrag-threshold-upper."),
    row("active-defrag-cycle-us", number(0, 100000), &["500"], "See active-defrag-threshold-upper."),
    row("active-defrag-max-scan-fields", number(1, LONG), &["1000"], "See active-defrag-threshold-upper."),
    row("max-new-connections-per-cycle", number(1, 1000), &["10"], "New connections are spread over all workers."),
    row("max-new-tls-connections-per-cycle", number(1, 1000), &["1"], "New connections are spread over all workers."),
    row("server-cpulist", optional_text(anything), &[""], "Processors are left to the operating system, or to taskset.").alias("server_cpulist").at_start().hidden(),
    row("bio-cpulist", optional_text(anything), &[""], "See server-cpulist.").alias("bio_cpulist").at_start().hidden(),
    row("aof-rewrite-cpulist", optional_text(anything), &[""], "See server-cpulist.").alias("aof_rewrite_cpulist").at_start().hidden(),
    row("bgsave-cpulist", optional_text(anything), &[""], "See server-cpulist.").alias("bgsave_cpulist").at_start().hidden(),
    row("events-per-io-thread", number(0, INT), &["2"], "Workers are all used at any load.").hidden(),
    row("prefetch-batch-max-size", number(0, 128), &["16"], "The commands of a batch are always prefetched."),
    row("min-io-threads-avoid-copy-reply", number(0, INT), &["7"], "Large values are never copied into replies.").hidden(),
    row("lookahead", number(1, INT), &["16"], "How many commands are parsed ahead is fixed."),
    row("key-memory-histograms", SWITCH, &["no"], "Histograms of key sizes are not kept.").at_start().hidden(),
    row("hide-user-data-from-log", SWITCH, &["no"], "User data is not written to the log."),
    row("log-format", Rule::Choice(&["legacy", "logfmt"]), &["legacy"], "Messages are written in the legacy format."),
    row("log-timestamp-format", Rule::Choice(&["legacy", "iso8601", "milliseconds"]), &["legacy"], "Times are written in the legacy format."),
    row("crash-memcheck-enabled", SWITCH, &["yes"], "Memory is not tested after a crash."),
    row("use-exit-on-panic", SWITCH, &["no"], "For tests of Redis.").hidden(),
    row("watchdog-period", number(0, INT), &["0"], "For tests of Redis.").hidden(),
    row("ignore-warnings", text(anything), &[""], "No warning stops the server at its start."),
    row("locale-collate", text(anything), &[""], "Text is sorted by its bytes, as in the locale C."),
    row("enable-debug-assert", SWITCH, &["no"], "For tests of Valkey.").hidden().at_start(),
    row("client-default-resp", number(2, 3), &["2"], "For tests of Redis.").hidden().at_start(),
    row("req-res-logfile", optional_text(anything), &[""], "For tests of Redis.").hidden().at_start(),
    row("availability-zone", text(anything), &[""], "Clients are told of no availability zone."),
    row("extended-redis-compatibility", SWITCH, &["no"], "The server always answers as Redis."),
    row("lua-enable-insecure-api", SWITCH, &["no"], "Scripts run in the sandbox that Redis gives them.").alias("lua-enable-deprecated-api"),
    row("hash-seed", text(anything), &[""], "Tables are seeded at random.").at_start().hidden().sensitive(),
    row("bind-source-addr", optional_text(anything), &[""], "Only replicas and the cluster's bus would use it; MIGRATE's connections leave from where the system chooses, as in Redis."),
    row("mptcp", SWITCH, &["no"], "Listening sockets use plain TCP.").at_start().hidden(),
    row("repl-mptcp", SWITCH, &["no"], "Outgoing connections use plain TCP."),
    row("rdma-port", number(0, 65535), &["0"], "RDMA is not available."),
    row("rdma-bind", Rule::Words, &[""], "RDMA is not available.").words(Many),
    row("rdma-rx-size", memory(65536, 16 << 20), &["1mb"], "RDMA is not available.").at_start().hidden(),
    row("rdma-completion-vector", number(-1, 1024), &["-1"], "RDMA is not available.").at_start().hidden(),
    row("rdb-save-incremental-fsync", SWITCH, &["yes"], "Files are always written to disk in portions."),
    row("aof-rewrite-incremental-fsync", SWITCH, &["yes"], "Files are always written to disk in portions."),
    row("rdb-del-sync-files", SWITCH, &["no"], "No file is left behind by a synchronisation."),
    row("rdb-version-check", Rule::Choice(&["strict", "relaxed"]), &["strict"], "Snapshots of a later version are refused."),
    row("loading-process-events-interval-bytes", number(1024, INT), &["2097152"], "For tests of Redis.").hidden(),
    row("propagation-error-behavior", Rule::Choice(&["ignore", "panic", "panic-on-replicas"]), &["ignore"], "Errors of replayed commands are logged."),
    row("tls-client-cert-file", optional_text(anything), &[""], "Certificate for connections to other servers."),
    row("tls-client-key-file", optional_text(anything), &[""], "Its private key."),
    row("tls-client-key-file-pass", optional_text(anything), &[""], "Password of that key.").sensitive(),
    row("tls-dh-params-file", optional_text(anything), &[""], "Only key exchanges on elliptic curves are used."),
    row("tls-auto-reload-interval", number(0, INT), &["0"], "Certificates are read anew when CONFIG SET names their file."),
    row("tls-replication", SWITCH, &["no"], "Use TLS with replicas."),
    row("tls-cluster", SWITCH, &["no"], "Use TLS on the cluster bus."),
    row("masterauth", optional_text(anything), &[""], "Password for the server that is followed.").alias("primaryauth").sensitive(),
    row("masteruser", optional_text(anything), &[""], "User for the server that is followed.").alias("primaryuser").sensitive(),
    row("replica-serve-stale-data", SWITCH, &["yes"], "Answer clients while the link to the primary is down.").alias("slave-serve-stale-data"),
    row("replica-read-only", SWITCH, &["yes"], "Refuse writes on a replica.").alias("slave-read-only"),
    row("replica-ignore-maxmemory", SWITCH, &["yes"], "Leave eviction to the primary.").alias("slave-ignore-maxmemory"),
    row("replica-lazy-flush", SWITCH, &["no"], "Free the old data in the background before a full synchronisation.").alias("slave-lazy-flush"),
    row("replica-priority", number(0, INT), &["100"], "Rank of a replica when a new primary is chosen.").alias("slave-priority"),
    row("replica-announce-ip", optional_text(anything), &[""], "Address that a replica tells its primary.").alias("slave-announce-ip"),
    row("replica-announce-port", number(0, 65535), &["0"], "Port that a replica tells its primary.").alias("slave-announce-port"),
    row("replica-announced", SWITCH, &["yes"], "Tell Sentinel of this replica."),
    row("replica-ignore-disk-write-errors", SWITCH, &["no"], "Go on when a replica cannot write to disk."),
    row("replica-full-sync-buffer-limit", memory(0, LONG), &["0"], "Memory for changes that arrive during a full synchronisation."),
    row("dual-channel-replication-enabled", SWITCH, &["no"], "Send snapshot and changes on two connections."),
    row("min-replicas-to-write", number(0, INT), &["0"], "Replicas that must be connected for writes to be accepted.").alias("min-slaves-to-write"),
    row("min-replicas-max-lag", number(0, INT), &["10"], "Seconds of silence after which a replica no longer counts.").alias("min-slaves-max-lag"),
    row("shutdown-timeout", number(0, INT), &["10"], "Seconds to wait at the end for replicas that are behind."),
    row("repl-backlog-size", memory(1, LONG), &["1mb"], "Changes kept for replicas that were cut off."),
    row("repl-backlog-ttl", number(0, LONG), &["3600"], "Seconds for which they are kept without replicas."),
    row("repl-timeout", number(1, INT), &["60"], "Seconds after which a silent link is given up."),
    row("repl-ping-replica-period", number(1, INT), &["10"], "Seconds between two signs of life.").alias("repl-ping-slave-period"),
    row("repl-disable-tcp-nodelay", SWITCH, &["no"], "Collect changes into larger packets."),
    row("repl-diskless-sync", SWITCH, &["yes"], "Send a snapshot without writing it to disk first."),
    row("repl-diskless-sync-delay", number(0, INT), &["5"], "Seconds to wait for more replicas before that."),
    row("repl-diskless-sync-max-replicas", number(0, INT), &["0"], "Replicas after which not to wait any longer."),
    row("repl-diskless-load", Rule::Choice(&["disabled", "on-empty-db", "flush-before-load", "swapdb"]), &["disabled"], "Load a snapshot without writing it to disk first.").refused_while_loading(),
    row("cluster-config-file", text(anything), &["nodes.conf"], "File in which a cluster node keeps its view.").at_start(),
    row("cluster-port", number(0, 65535), &["0"], "Port of the cluster bus.").at_start(),
    row("cluster-node-timeout", number(0, LONG), &["15000"], "Milliseconds after which a node counts as failed."),
    row("cluster-ping-interval", number(0, LONG), &["1000"], "Milliseconds between two pings of nodes.").hidden(),
    row("cluster-announce-ip", optional_text(anything), &[""], "Address told to other nodes."),
    row("cluster-announce-port", number(0, 65535), &["0"], "Port told to other nodes."),
    row("cluster-announce-tls-port", number(0, 65535), &["0"], "TLS port told to other nodes."),
    row("cluster-announce-bus-port", number(0, 65535), &["0"], "Bus port told to other nodes."),
    row("cluster-announce-client-ipv4", optional_text(anything), &[""], "Address told to clients that come by IPv4."),
    row("cluster-announce-client-ipv6", optional_text(anything), &[""], "Address told to clients that come by IPv6."),
    row("cluster-announce-client-port", number(0, 65535), &["0"], "Port told to clients."),
    row("cluster-announce-client-tls-port", number(0, 65535), &["0"], "TLS port told to clients."),
    row("cluster-announce-hostname", optional_text(host_name), &[""], "Host name told to clients."),
    row("cluster-announce-human-nodename", optional_text(node_name), &[""], "Name of the node in logs."),
    row("cluster-preferred-endpoint-type", Rule::Choice(&["ip", "hostname", "unknown-endpoint"]), &["ip"], "What a redirection names."),
    row("cluster-require-full-coverage", SWITCH, &["yes"], "Answer only if every slot is served."),
    row("cluster-allow-reads-when-down", SWITCH, &["no"], "Answer reads although the cluster is down."),
    row("cluster-allow-pubsubshard-when-down", SWITCH, &["yes"], "Serve sharded channels although the cluster is down."),
    row("cluster-allow-replica-migration", SWITCH, &["yes"], "Let replicas move to primaries without any."),
    row("cluster-migration-barrier", number(0, INT), &["1"], "Replicas that a primary keeps in any case."),
    row("cluster-replica-validity-factor", number(0, INT), &["10"], "How old a replica's data may be for it to take over.").alias("cluster-slave-validity-factor"),
    row("cluster-replica-no-failover", SWITCH, &["no"], "Never take over.").alias("cluster-slave-no-failover"),
    row("cluster-link-sendbuf-limit", memory(0, u64::MAX as i128), &["0"], "The most that may wait for another node."),
    row("cluster-databases", number(1, INT), &["1"], "Databases of a cluster node.").at_start().hidden(),
    row("cluster-slot-stats-enabled", SWITCH, &["no"], "Count the use of each slot."),
    row("cluster-compatibility-sample-ratio", number(0, 100), &["0"], "Percentage of commands that are checked for use in a cluster."),
    row("cluster-blacklist-ttl", number(0, INT), &["60"], "Seconds for which a forgotten node stays forgotten."),
    row("cluster-manual-failover-timeout", number(1, INT), &["5000"], "Milliseconds for a failover by hand."),
    row("cluster-slot-migration-log-max-len", number(0, LONG), &["1000"], "Slot migrations that are remembered."),
    row("slot-migration-max-failover-repl-bytes", number(-1, LONG), &["0"], "Changes that may be missing when a slot moves."),
];
