//! Configuration: `redis.conf`, the environment and the command line, CONFIG GET, SET and REWRITE.
//!
//! One table (`served.rs`, and `accepted.rs` for what Redis has and this server does not need)
//! declares every directive; parsing, printing, rewriting and the example file derive from it. The
//! values that the server uses are typed fields of [`Config`]. Nothing here acts on a change:
//! whoever changes the configuration looks at [`Directive::apply`]. Start at `directive.rs`.

mod accepted;
mod change;
mod directive;
mod example;
mod load;
mod rewrite;
mod rule;
mod served;
mod store;
mod values;
pub mod words;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::LazyLock;

use crate::base::severity::Severity;

pub use change::{Caller, SetError};
pub use directive::{Apply, Directive, all as directives};
pub use example::example_file;
pub use load::{ConfigError, Sources};
pub use rewrite::{Extent, replace_file};
pub use rule::parse_memory;
pub use store::{ConfigCache, ConfigStore};
pub use values::{
    Amount, AppendFsync, ClientLimit, ClientLimits, Directory, KeyEvents, MaxmemoryPolicy,
    OomScoreAdj, OomScores, Percentiles, Permission, Primary, PubsubDefault, SaveRule,
    ShutdownFlags, Supervision, TlsAuth, TlsIdentity,
};
pub use words::{quote, split as split_words};

/// Declares the configuration, and the value in which nothing is set yet: the table fills it with
/// the defaults.
macro_rules! config {
    ($($(#[$doc:meta])* $field:ident: $type:ty,)+) => {
        /// The whole configuration at one moment. The fields bear the names of their directives,
        /// which describe them in the table; sizes are in bytes and empty texts stand for "not
        /// set".
        #[derive(Clone, Debug)]
        pub struct Config {
            $($(#[$doc])* pub $field: $type,)+
            /// The values of directives that are accepted without effect.
            remembered: BTreeMap<&'static str, String>,
        }

        impl Config {
            fn blank() -> Config {
                Config { $($field: Default::default(),)+ remembered: BTreeMap::new() }
            }
        }
    };
}

config! {
    // Network
    /// Addresses to listen on.
    bind: Vec<String>,
    /// Refuse clients from other machines as long as neither a password nor an address to bind to
    /// is configured.
    protected_mode: bool,
    /// TCP port to listen on.
    port: u16,
    /// How many connections may wait to be accepted.
    tcp_backlog: u32,
    /// Path of a Unix socket to listen on as well.
    unixsocket: String,
    /// File permissions of that socket, in octal.
    unixsocketperm: u32,
    unixsocketgroup: String,
    /// Seconds after which an idle client is disconnected.
    timeout: u32,
    /// Seconds between TCP keepalive probes, which notice dead peers and keep firewalls from
    /// forgetting a connection.
    tcp_keepalive: u32,
    /// Mark set on listening sockets, for routing and filtering.
    socket_mark_id: u32,
    /// Port for metrics.
    metrics_port: u16,
    /// How many clients may be connected at a time.
    maxclients: u32,

    // TLS
    /// TCP port to listen on for encrypted connections.
    tls_port: u16,
    /// File of the server's certificate and those that vouch for it.
    tls_cert_file: String,
    /// File of the private key.
    tls_key_file: String,
    /// Password of that file.
    tls_key_file_pass: String,
    /// File of the authorities that vouch for clients.
    tls_ca_cert_file: String,
    /// Directory of such files.
    tls_ca_cert_dir: String,
    /// Whether clients have to show a certificate.
    tls_auth_clients: TlsAuth,
    /// Whether certificates say which user a client is.
    tls_auth_clients_user: TlsIdentity,
    /// Protocols that may be spoken.
    tls_protocols: String,
    /// Cipher suites of TLS 1.2.
    tls_ciphers: String,
    /// Cipher suites of TLS 1.3.
    tls_ciphersuites: String,
    /// Choose the suite that the server likes best.
    tls_prefer_server_ciphers: bool,
    /// Let clients take up their sessions again.
    tls_session_caching: bool,
    /// How many sessions are kept.
    tls_session_cache_size: u32,
    /// Seconds for which they are kept.
    tls_session_cache_timeout: u32,

    // General
    /// Run in the background.
    daemonize: bool,
    /// Do without transparent huge pages.
    disable_thp: bool,
    /// Which supervisor to tell when the server is ready.
    supervised: Supervision,
    /// File that holds the process id while the server runs.
    pidfile: String,
    /// The least grave messages that are logged.
    loglevel: Severity,
    /// File to append log messages to.
    logfile: String,
    /// How many databases there are.
    databases: usize,
    /// How many worker threads serve clients.
    io_threads: usize,
    /// How many times per second background work is looked at.
    hz: u32,
    /// Show what the server does in the list of processes.
    set_proc_title: bool,
    /// What is shown there.
    proc_title_template: String,
    /// Send log messages to the system's log, too.
    syslog_enabled: bool,
    /// The program's name there.
    syslog_ident: String,
    /// The facility there.
    syslog_facility: String,
    /// Log a report when the server crashes.
    crash_log_enabled: bool,
    /// How to shut down on SIGINT: default, or any of save, nosave, now, force.
    shutdown_on_sigint: ShutdownFlags,
    /// How to shut down on SIGTERM: default, or any of save, nosave, now, force.
    shutdown_on_sigterm: ShutdownFlags,
    /// Whether to set the process's out-of-memory score.
    oom_score_adj: OomScoreAdj,
    /// Out-of-memory scores of a primary, a replica and a background process, applied if
    /// oom-score-adj is on.
    oom_score_adj_values: OomScores,

    // Security
    /// Password that clients have to give with AUTH.
    requirepass: String,
    /// File that defines users.
    aclfile: String,
    /// How many refused commands and logins ACL LOG remembers.
    acllog_max_len: usize,
    /// Channels that a new user may use.
    acl_pubsub_default: PubsubDefault,
    /// Who may change protected directives, such as dir, with CONFIG SET.
    enable_protected_configs: Permission,
    /// Who may use DEBUG.
    enable_debug_command: Permission,
    /// Who may use MODULE.
    enable_module_command: Permission,

    // Memory
    /// How much memory the data may take.
    maxmemory: Amount,
    /// Which keys make room when the limit is reached.
    maxmemory_policy: MaxmemoryPolicy,
    /// How many keys are compared to find one to evict.
    maxmemory_samples: usize,
    /// How much time eviction may take at a time.
    maxmemory_eviction_tenacity: u32,
    /// Whether entries are moved together wherever memory is fragmented.
    activedefrag: bool,
    /// Bytes that must be lost to fragmentation for that.
    active_defrag_ignore_bytes: u64,
    /// And what part they must be of those in use, in percent.
    active_defrag_threshold_lower: u32,
    /// How slowly the counter of a key's uses grows, for the lfu policies.
    lfu_log_factor: u32,
    /// Minutes after which that counter goes down by one.
    lfu_decay_time: u32,
    /// How much memory all clients together may take before the largest are disconnected.
    maxmemory_clients: Amount,
    /// How much of a client's commands may wait to be run.
    client_query_buffer_limit: usize,
    /// How much may wait to be sent to a client: class, hard limit, soft limit, seconds for which
    /// the soft limit may be exceeded.
    client_output_buffer_limit: ClientLimits,
    /// The largest argument, and the largest string, in bytes.
    proto_max_bulk_len: usize,
    /// Free what is evicted in the background.
    lazyfree_lazy_eviction: bool,
    /// Whether data is being imported.
    import_mode: bool,
    /// How many keys are remembered for client-side caching.
    tracking_table_max_keys: usize,

    // Snapshots
    /// Take a snapshot after so many seconds if there were at least so many changes.
    save: Vec<SaveRule>,
    /// Refuse writes when the last snapshot failed.
    stop_writes_on_bgsave_error: bool,
    /// Compress strings in snapshots.
    rdbcompression: bool,
    /// End a snapshot with a checksum, and check it when loading.
    rdbchecksum: bool,
    /// Name of the snapshot file.
    dbfilename: String,
    /// Microseconds to wait after each key that is loaded, for tests; below zero, a microsecond after so many keys.
    key_load_delay: i32,
    /// Microseconds to wait after each key that is copied to a file, for tests; below zero, a microsecond after so many keys.
    rdb_key_save_delay: i32,
    /// Working directory: snapshots, the append-only file and relative paths are in it.
    dir: Directory,

    // Append-only file
    /// Write each change to a log, so that nothing is lost but what appendfsync allows.
    appendonly: bool,
    /// First part of the names of the log's files.
    appendfilename: String,
    /// Directory of the log's files, within dir.
    appenddirname: String,
    /// When the log is forced to disk: always before the reply, everysec, or no, when the system
    /// sees fit.
    appendfsync: AppendFsync,
    /// Do not force the log to disk while it is rewritten or a snapshot is written.
    no_appendfsync_on_rewrite: bool,
    /// Rewrite the log when it has grown by so many percent since the last rewrite.
    auto_aof_rewrite_percentage: u32,
    /// The size below which the log is not rewritten by itself.
    auto_aof_rewrite_min_size: u64,
    /// Start even though the log's end is cut off, as after a crash.
    aof_load_truncated: bool,
    /// Begin a rewritten log with a snapshot, which is smaller and faster to load.
    aof_use_rdb_preamble: bool,
    /// Note the time in the log, so that data can be restored to a point in time.
    aof_timestamp_enabled: bool,
    /// Keep the parts of the log that a rewrite has made needless, for tests.
    aof_disable_auto_gc: bool,

    // Replication and cluster
    /// Follow this server: host and port.
    replicaof: Option<Primary>,
    /// Run as a node of a cluster.
    cluster_enabled: bool,

    // Scripts and events
    /// Milliseconds after which a running script makes the server answer BUSY.
    busy_reply_threshold: u64,
    /// Events that are published when keys change: K for keyspace channels, E for keyevent
    /// channels, and any of g$lshzxetdnm, or A for g$lshzxetd.
    notify_keyspace_events: KeyEvents,

    // Logs and latency
    /// Microseconds that a command may take before SLOWLOG remembers it.
    slowlog_log_slower_than: i64,
    /// How many slow commands are remembered.
    slowlog_max_len: usize,
    /// Bytes that a command may come with before COMMANDLOG remembers it.
    commandlog_request_larger_than: i64,
    /// How many large commands are remembered.
    commandlog_large_request_max_len: usize,
    /// Bytes that a reply may have before COMMANDLOG remembers its command.
    commandlog_reply_larger_than: i64,
    /// How many commands with large replies are remembered.
    commandlog_large_reply_max_len: usize,
    /// Milliseconds that an operation may take before LATENCY remembers it.
    latency_monitor_threshold: u64,
    /// Keep a distribution of each command's latency.
    latency_tracking: bool,
    /// Percentiles of latency that INFO tells.
    latency_tracking_info_percentiles: Percentiles,

    // Encodings
    /// The most fields of a hash in the compact encoding.
    hash_max_listpack_entries: usize,
    /// The longest field or value of such a hash, in bytes.
    hash_max_listpack_value: usize,
    /// The size of a list's nodes: a number of elements, or -1 to -5 for 4, 8, 16, 32 or 64
    /// kilobytes.
    list_max_listpack_size: i32,
    /// How many nodes at each end of a list stay uncompressed.
    list_compress_depth: u32,
    /// The most members of a set of integers in the compact encoding.
    set_max_intset_entries: usize,
    /// The most members of another set in the compact encoding.
    set_max_listpack_entries: usize,
    /// The longest member of such a set, in bytes.
    set_max_listpack_value: usize,
    /// The most members of a sorted set in the compact encoding.
    zset_max_listpack_entries: usize,
    /// The longest member of such a sorted set, in bytes.
    zset_max_listpack_value: usize,
    /// The size at which a HyperLogLog turns from sparse to dense.
    hll_sparse_max_bytes: usize,
    /// The most bytes in a node of a stream.
    stream_node_max_bytes: usize,
    /// The most entries in a node of a stream.
    stream_node_max_entries: usize,

    /// The absolute path of the configuration file, if there is one.
    file: Option<PathBuf>,
    /// Users defined in the file: the words after `user`. CONFIG REWRITE writes them; the access
    /// control list keeps them true.
    users: Vec<Vec<Vec<u8>>>,
    /// Commands to call otherwise: the name and the new name, empty to remove the command.
    renamed_commands: Vec<(String, String)>,
    /// What the operator should be told once the log is open.
    warnings: Vec<String>,
}

impl Default for Config {
    fn default() -> Self {
        Config::initial().clone()
    }
}

impl Config {
    /// The configuration before anything is set.
    fn initial() -> &'static Config {
        static INITIAL: LazyLock<Config> = LazyLock::new(|| {
            let mut config = Config::blank();
            directive::all().for_each(|directive| directive.reset(&mut config));
            config
        });
        &INITIAL
    }
}
