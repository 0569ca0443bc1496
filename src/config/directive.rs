//! A directive: one row of the table, from which parsing, CONFIG GET, SET and REWRITE and the
//! example file derive.

use std::collections::HashMap;
use std::sync::LazyLock;

use super::Config;
use super::accepted;
use super::rule::{Reason, Rule, Setting};
use super::served;

/// The refusal of a value that is no text.
pub(super) const NOT_UTF8: &str = "argument must be valid UTF-8";

/// What the server has to do after a directive was changed at run time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Apply {
    /// Nothing: the new value is read where it is used.
    Nothing,
    /// Bind again to addresses and ports.
    Listeners,
    /// Enter the new working directory.
    Directory,
    /// Write log messages of another gravity.
    LogLevel,
    /// Make room for more clients, or accept fewer.
    MaxClients,
    /// Start or stop the append-only file.
    AppendOnly,
    /// Remove old parts of the append-only file, or keep them from now on.
    Garbage,
    /// Let the password of the default user follow.
    Password,
    /// Run timers at another pace.
    Hz,
    /// Evict keys or clients if the new limit demands it.
    Memory,
    /// Begin or cease to publish classes of keyspace events.
    KeyEvents,
    /// Cut a log that has become too long.
    Logs,
    /// Forget keys that are remembered for client-side caching beyond the new number.
    Tracking,
    /// Read certificates and keys, and shake hands by other rules.
    Tls,
    /// Bear another name in the list of processes.
    Title,
    /// Begin or cease to report crashes.
    CrashLog,
    /// Listen for requests for metrics at another port.
    Metrics,
    /// Begin or cease to measure latency.
    Latency,
    /// Let new values take another encoding.
    Encodings,
    /// Tell the operating system the new out-of-memory scores.
    OomScores,
}

/// When a directive may be changed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Change {
    AtAnyTime,
    /// In the file and on the command line only.
    AtStart,
    /// At run time if `enable-protected-configs` allows it.
    Protected,
}

/// How many words a value has.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Words {
    One,
    /// As many as its grammar wants.
    Many,
    /// As `Many`, and each further line of the file adds to the value.
    Accumulated,
}

/// Where a directive's value is held.
pub(super) enum Slot {
    /// In a field of `Config`.
    Field {
        of: fn(&Config) -> &dyn Setting,
        of_mut: fn(&mut Config) -> &mut dyn Setting,
    },
    /// Among the values that are only remembered.
    Remembered,
}

/// A default value.
pub(super) enum Initial {
    Words(&'static [&'static str]),
    /// Depends on the machine; the second is for the example file.
    Computed(fn() -> String, &'static str),
}

/// One directive of the configuration.
pub struct Directive {
    name: &'static str,
    alias: Option<&'static str>,
    pub(super) rule: Rule,
    slot: Slot,
    initial: Initial,
    pub(super) words: Words,
    change: Change,
    apply: Apply,
    doc: &'static str,
    hidden: bool,
    sensitive: bool,
    refused_while_loading: bool,
    always_written: bool,
    read_anew: bool,
    warning: Option<&'static str>,
}

/// The rows of the table.
impl Directive {
    /// A directive that the server uses.
    pub(super) const fn new(
        name: &'static str,
        rule: Rule,
        slot: Slot,
        initial: &'static [&'static str],
    ) -> Directive {
        Directive {
            name,
            alias: None,
            rule,
            slot,
            initial: Initial::Words(initial),
            words: Words::One,
            change: Change::AtAnyTime,
            apply: Apply::Nothing,
            doc: "",
            hidden: false,
            sensitive: false,
            refused_while_loading: false,
            always_written: false,
            read_anew: false,
            warning: None,
        }
    }

    pub(super) const fn alias(mut self, alias: &'static str) -> Directive {
        self.alias = Some(alias);
        self
    }

    pub(super) const fn doc(mut self, doc: &'static str) -> Directive {
        self.doc = doc;
        self
    }

    pub(super) const fn applies(mut self, apply: Apply) -> Directive {
        self.apply = apply;
        self
    }

    pub(super) const fn at_start(mut self) -> Directive {
        self.change = Change::AtStart;
        self
    }

    pub(super) const fn protected(mut self) -> Directive {
        self.change = Change::Protected;
        self
    }

    pub(super) const fn words(mut self, words: Words) -> Directive {
        self.words = words;
        self
    }

    pub(super) const fn computed(
        mut self,
        value: fn() -> String,
        example: &'static str,
    ) -> Directive {
        self.initial = Initial::Computed(value, example);
        self
    }

    pub(super) const fn hidden(mut self) -> Directive {
        self.hidden = true;
        self
    }

    pub(super) const fn sensitive(mut self) -> Directive {
        self.sensitive = true;
        self
    }

    pub(super) const fn refused_while_loading(mut self) -> Directive {
        self.refused_while_loading = true;
        self
    }

    pub(super) const fn always_written(mut self) -> Directive {
        self.always_written = true;
        self
    }

    /// Names a file that is read again whenever it is set, whether or not to another value.
    pub(super) const fn read_anew(mut self) -> Directive {
        self.read_anew = true;
        self
    }

    pub(super) const fn warning(mut self, warning: &'static str) -> Directive {
        self.warning = Some(warning);
        self
    }
}

impl Directive {
    /// Its name.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Its other, usually older name.
    pub fn alias_name(&self) -> Option<&'static str> {
        self.alias
    }

    /// What the server has to do when it changed.
    pub fn apply(&self) -> Apply {
        self.apply
    }

    /// What it is for, in a sentence or two.
    pub fn description(&self) -> &'static str {
        self.doc
    }

    /// Whether a pattern leaves it out in CONFIG GET.
    pub fn is_hidden(&self) -> bool {
        self.hidden
    }

    /// Whether its value is a secret, to be kept out of logs and error texts.
    pub fn is_sensitive(&self) -> bool {
        self.sensitive
    }

    /// Whether it cannot be changed at run time.
    pub fn is_immutable(&self) -> bool {
        self.change == Change::AtStart
    }

    /// Whether it can be changed at run time only if `enable-protected-configs` allows it.
    pub fn is_protected(&self) -> bool {
        self.change == Change::Protected
    }

    /// Whether a change must be refused while data is being loaded.
    pub fn is_refused_while_loading(&self) -> bool {
        self.refused_while_loading
    }

    /// Whether setting it counts as a change in any case.
    pub(super) fn is_read_anew(&self) -> bool {
        self.read_anew
    }

    /// Whether CONFIG REWRITE writes it although it has its default value.
    pub(super) fn is_always_written(&self) -> bool {
        self.always_written
    }

    /// What to tell the operator who sets it.
    pub(super) fn warning_when_set(&self) -> Option<&'static str> {
        self.warning
    }

    /// Finds a directive by name or alias, in either case.
    pub fn by_name(name: &str) -> Option<&'static Directive> {
        BY_NAME.get(name.to_ascii_lowercase().as_str()).copied()
    }

    /// The name or alias that `name` spells.
    pub(super) fn spelled(&self, name: &[u8]) -> &'static str {
        let is_alias = |alias: &&str| alias.as_bytes().eq_ignore_ascii_case(name);
        self.alias.filter(is_alias).unwrap_or(self.name)
    }

    /// Sets the value; the configuration is unchanged if it is refused.
    pub(super) fn set(&self, config: &mut Config, words: &[&str]) -> Result<(), Reason> {
        if self.words == Words::One && words.len() != 1 {
            return Err("wrong number of arguments".into());
        }
        match self.slot {
            Slot::Field { of_mut, .. } => of_mut(config).read(words, &self.rule),
            Slot::Remembered => {
                let value = self.rule.canonical(words)?;
                config.remembered.insert(self.name, value);
                Ok(())
            }
        }
    }

    /// Sets the default value.
    pub(super) fn reset(&self, config: &mut Config) {
        let accepted = match self.initial {
            Initial::Words(words) => self.set(config, words),
            Initial::Computed(value, _) => self.set(config, &[&value()]),
        };
        debug_assert!(
            accepted.is_ok(),
            "the default of {} is refused: {accepted:?}",
            self.name
        );
    }

    /// The value as CONFIG GET shows it.
    pub fn shown(&self, config: &Config) -> String {
        match self.slot {
            Slot::Field { of, .. } => of(config).shown(&self.rule),
            Slot::Remembered => config
                .remembered
                .get(self.name)
                .cloned()
                .unwrap_or_default(),
        }
    }

    /// The values of the lines that stand for it in a configuration file.
    pub(super) fn written(&self, config: &Config) -> Vec<String> {
        match self.slot {
            Slot::Field { of, .. } => of(config).written(&self.rule),
            Slot::Remembered => self.rule.written(&self.shown(config)),
        }
    }

    /// The values of the lines that stand for its default in the example file, the same on every
    /// machine.
    pub(super) fn example(&self) -> Vec<String> {
        match self.initial {
            Initial::Computed(_, example) => vec![example.to_owned()],
            Initial::Words([""]) => vec!["\"\"".to_owned()],
            Initial::Words(words) => {
                let lines = self.written(Config::initial());
                if lines.is_empty() {
                    vec![words.join(" ")]
                } else {
                    lines
                }
            }
        }
    }
}

static BY_NAME: LazyLock<HashMap<&'static str, &'static Directive>> = LazyLock::new(|| {
    let names = |row: &'static Directive| {
        [Some(row.name), row.alias]
            .into_iter()
            .flatten()
            .map(move |name| (name, row))
    };
    all().flat_map(names).collect()
});

/// Directives that belong together.
pub(super) struct Section {
    pub(super) title: &'static str,
    pub(super) directives: &'static [Directive],
}

/// The table, in the order of the example file.
pub(super) fn sections() -> impl Iterator<Item = &'static Section> {
    served::SECTIONS.iter().chain([&accepted::SECTION])
}

/// Every directive.
pub fn all() -> impl Iterator<Item = &'static Directive> {
    sections().flat_map(|section| section.directives)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Names and aliases of the directives of Redis 7.2.
    const REDIS_7_2: &str = "\
        acl-pubsub-default aclfile acllog-max-len active-defrag-cycle-max \
        active-defrag-cycle-min active-defrag-ignore-bytes active-defrag-max-scan-fields \
        active-defrag-threshold-lower active-defrag-threshold-upper active-expire-effort \
        activedefrag activerehashing always-show-logo aof-disable-auto-gc aof-load-truncated \
        aof-rewrite-incremental-fsync aof-timestamp-enabled aof-use-rdb-preamble \
        aof_rewrite_cpulist appenddirname appendfilename appendfsync appendonly \
        auto-aof-rewrite-min-size auto-aof-rewrite-percentage bgsave_cpulist bind \
        bind-source-addr bio_cpulist busy-reply-threshold client-default-resp \
        client-output-buffer-limit client-query-buffer-limit cluster-allow-pubsubshard-when-down \
        cluster-allow-reads-when-down cluster-allow-replica-migration cluster-announce-bus-port \
        cluster-announce-hostname cluster-announce-human-nodename cluster-announce-ip \
        cluster-announce-port cluster-announce-tls-port cluster-config-file cluster-enabled \
        cluster-link-sendbuf-limit cluster-migration-barrier cluster-node-timeout \
        cluster-ping-interval cluster-port cluster-preferred-endpoint-type \
        cluster-replica-no-failover cluster-replica-validity-factor \
        cluster-require-full-coverage cluster-slave-no-failover cluster-slave-validity-factor \
        crash-log-enabled crash-memcheck-enabled daemonize databases dbfilename dir disable-thp \
        dynamic-hz enable-debug-command enable-module-command enable-protected-configs \
        hash-max-listpack-entries hash-max-listpack-value hash-max-ziplist-entries \
        hash-max-ziplist-value hll-sparse-max-bytes hz ignore-warnings io-threads \
        io-threads-do-reads jemalloc-bg-thread key-load-delay latency-monitor-threshold \
        latency-tracking latency-tracking-info-percentiles lazyfree-lazy-eviction \
        lazyfree-lazy-expire lazyfree-lazy-server-del lazyfree-lazy-user-del \
        lazyfree-lazy-user-flush lfu-decay-time lfu-log-factor list-compress-depth \
        list-max-listpack-size list-max-ziplist-size loading-process-events-interval-bytes \
        locale-collate logfile loglevel lua-time-limit masterauth masteruser maxclients \
        maxmemory maxmemory-clients maxmemory-eviction-tenacity maxmemory-policy \
        maxmemory-samples min-replicas-max-lag min-replicas-to-write min-slaves-max-lag \
        min-slaves-to-write no-appendfsync-on-rewrite notify-keyspace-events oom-score-adj \
        oom-score-adj-values pidfile port proc-title-template propagation-error-behavior \
        protected-mode proto-max-bulk-len rdb-del-sync-files rdb-key-save-delay \
        rdb-save-incremental-fsync rdbchecksum rdbcompression repl-backlog-size repl-backlog-ttl \
        repl-disable-tcp-nodelay repl-diskless-load repl-diskless-sync repl-diskless-sync-delay \
        repl-diskless-sync-max-replicas repl-ping-replica-period repl-ping-slave-period \
        repl-timeout replica-announce-ip replica-announce-port replica-announced \
        replica-ignore-disk-write-errors replica-ignore-maxmemory replica-lazy-flush \
        replica-priority replica-read-only replica-serve-stale-data replicaof req-res-logfile \
        requirepass sanitize-dump-payload save server_cpulist set-max-intset-entries \
        set-max-listpack-entries set-max-listpack-value set-proc-title shutdown-on-sigint \
        shutdown-on-sigterm shutdown-timeout slave-announce-ip slave-announce-port \
        slave-ignore-maxmemory slave-lazy-flush slave-priority slave-read-only \
        slave-serve-stale-data slaveof slowlog-log-slower-than slowlog-max-len socket-mark-id \
        stop-writes-on-bgsave-error stream-node-max-bytes stream-node-max-entries supervised \
        syslog-enabled syslog-facility syslog-ident tcp-backlog tcp-keepalive timeout \
        tls-auth-clients tls-ca-cert-dir tls-ca-cert-file tls-cert-file tls-ciphers \
        tls-ciphersuites tls-client-cert-file tls-client-key-file tls-client-key-file-pass \
        tls-cluster tls-dh-params-file tls-key-file tls-key-file-pass tls-port \
        tls-prefer-server-ciphers tls-protocols tls-replication tls-session-cache-size \
        tls-session-cache-timeout tls-session-caching tracking-table-max-keys unixsocket \
        unixsocketperm use-exit-on-panic watchdog-period zset-max-listpack-entries \
        zset-max-listpack-value zset-max-ziplist-entries zset-max-ziplist-value";

    fn names() -> impl Iterator<Item = &'static str> {
        all()
            .flat_map(|directive| [Some(directive.name), directive.alias])
            .flatten()
    }

    #[test]
    fn every_directive_of_redis_is_known() {
        let missing: Vec<&str> = REDIS_7_2
            .split_ascii_whitespace()
            .filter(|name| {
                Directive::by_name(name).is_none_or(|found| found.spelled(name.as_bytes()) != *name)
            })
            .collect();
        assert!(missing.is_empty(), "{missing:?}");
    }

    #[test]
    fn names_are_unique_and_plain() {
        let mut seen = std::collections::HashSet::new();
        for name in names() {
            assert!(seen.insert(name), "{name} is declared twice");
            let is_plain = |byte: u8| byte.is_ascii_lowercase() || b"-_0123456789".contains(&byte);
            assert!(name.bytes().all(is_plain), "{name}");
        }
    }

    #[test]
    fn every_row_is_complete() {
        let mut config = Config::blank();
        for directive in all() {
            let accepted = match directive.initial {
                Initial::Words(words) => directive.set(&mut config, words),
                Initial::Computed(value, example) => directive
                    .set(&mut config, &[&value()])
                    .and_then(|()| directive.set(&mut config, &[example])),
            };
            assert_eq!(accepted, Ok(()), "the default of {}", directive.name);
            assert!(
                directive.doc.ends_with('.'),
                "the description of {}",
                directive.name
            );
        }
    }

    #[test]
    fn a_value_that_is_shown_can_be_set() {
        let initial = Config::default();
        for directive in all().filter(|directive| directive.name != "replicaof") {
            let shown = directive.shown(&initial);
            let words: Vec<&str> = match directive.words {
                Words::One => vec![&shown],
                Words::Many | Words::Accumulated => shown.split(' ').collect(),
            };
            let mut config = Config::blank();
            assert_eq!(
                directive.set(&mut config, &words),
                Ok(()),
                "{}",
                directive.name
            );
            assert_eq!(directive.shown(&config), shown, "{}", directive.name);
        }
    }
}
