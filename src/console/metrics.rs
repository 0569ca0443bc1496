//! The answers of INFO and a few other commands as metrics for Prometheus, under the names that redis_exporter gives them,
//! so that dashboards made for it work.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;

/// What metrics are told from.
#[derive(Debug, Default)]
pub struct Answers {
    /// INFO of all sections.
    pub info: String,
    /// The length of SLOWLOG.
    pub slow_commands: u64,
    /// The number and the microseconds of the last slow command.
    pub last_slow: Option<(u64, u64)>,
    /// Clients that may be connected.
    pub max_clients: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Counter,
    Gauge,
    Summary,
}

use Kind::{Counter, Gauge, Summary};

/// A field of INFO, its metric, and what it is multiplied with.
type Row = (&'static str, &'static str, f64);

const COUNTERS: &[Row] = &[
    (
        "total_connections_received",
        "connections_received_total",
        1.0,
    ),
    ("total_commands_processed", "commands_processed_total", 1.0),
    ("rejected_connections", "rejected_connections_total", 1.0),
    ("total_net_input_bytes", "net_input_bytes_total", 1.0),
    ("total_net_output_bytes", "net_output_bytes_total", 1.0),
    (
        "total_net_repl_input_bytes",
        "net_repl_input_bytes_total",
        1.0,
    ),
    (
        "total_net_repl_output_bytes",
        "net_repl_output_bytes_total",
        1.0,
    ),
    ("expired_subkeys", "expired_subkeys_total", 1.0),
    ("expired_keys", "expired_keys_total", 1.0),
    (
        "expired_time_cap_reached_count",
        "expired_time_cap_reached_total",
        1.0,
    ),
    (
        "expire_cycle_cpu_milliseconds",
        "expire_cycle_cpu_time_ms_total",
        1.0,
    ),
    ("evicted_keys", "evicted_keys_total", 1.0),
    ("evicted_clients", "evicted_clients_total", 1.0),
    ("evicted_scripts", "evicted_scripts_total", 1.0),
    (
        "total_eviction_exceeded_time",
        "eviction_exceeded_time_ms_total",
        1.0,
    ),
    ("keyspace_hits", "keyspace_hits_total", 1.0),
    ("keyspace_misses", "keyspace_misses_total", 1.0),
    ("total_error_replies", "total_error_replies", 1.0),
    ("unexpected_error_replies", "unexpected_error_replies", 1.0),
    ("total_reads_processed", "total_reads_processed", 1.0),
    ("total_writes_processed", "total_writes_processed", 1.0),
    (
        "acl_access_denied_auth",
        "acl_access_denied_auth_total",
        1.0,
    ),
    ("acl_access_denied_cmd", "acl_access_denied_cmd_total", 1.0),
    ("acl_access_denied_key", "acl_access_denied_key_total", 1.0),
    (
        "acl_access_denied_channel",
        "acl_access_denied_channel_total",
        1.0,
    ),
    ("used_cpu_sys", "cpu_sys_seconds_total", 1.0),
    ("used_cpu_user", "cpu_user_seconds_total", 1.0),
    (
        "used_cpu_sys_children",
        "cpu_sys_children_seconds_total",
        1.0,
    ),
    (
        "used_cpu_user_children",
        "cpu_user_children_seconds_total",
        1.0,
    ),
    (
        "used_cpu_sys_main_thread",
        "cpu_sys_main_thread_seconds_total",
        1.0,
    ),
    (
        "used_cpu_user_main_thread",
        "cpu_user_main_thread_seconds_total",
        1.0,
    ),
];

const GAUGES: &[Row] = &[
    ("uptime_in_seconds", "uptime_in_seconds", 1.0),
    ("process_id", "process_id", 1.0),
    ("connected_clients", "connected_clients", 1.0),
    ("blocked_clients", "blocked_clients", 1.0),
    ("maxclients", "max_clients", 1.0),
    ("tracking_clients", "tracking_clients", 1.0),
    ("pubsub_clients", "pubsub_clients", 1.0),
    ("watching_clients", "watching_clients", 1.0),
    ("clients_in_timeout_table", "clients_in_timeout_table", 1.0),
    ("total_watched_keys", "total_watched_keys", 1.0),
    ("total_blocking_keys", "total_blocking_keys", 1.0),
    (
        "client_recent_max_output_buffer",
        "client_recent_max_output_buffer_bytes",
        1.0,
    ),
    (
        "client_recent_max_input_buffer",
        "client_recent_max_input_buffer_bytes",
        1.0,
    ),
    ("used_memory", "memory_used_bytes", 1.0),
    ("used_memory_rss", "memory_used_rss_bytes", 1.0),
    ("used_memory_peak", "memory_used_peak_bytes", 1.0),
    ("used_memory_overhead", "memory_used_overhead_bytes", 1.0),
    ("used_memory_startup", "memory_used_startup_bytes", 1.0),
    ("used_memory_dataset", "memory_used_dataset_bytes", 1.0),
    ("used_memory_lua", "memory_used_lua_bytes", 1.0),
    ("used_memory_scripts", "memory_used_scripts_bytes", 1.0),
    ("number_of_cached_scripts", "number_of_cached_scripts", 1.0),
    ("number_of_functions", "number_of_functions", 1.0),
    ("number_of_libraries", "number_of_libraries", 1.0),
    ("maxmemory", "memory_max_bytes", 1.0),
    ("total_system_memory", "total_system_memory_bytes", 1.0),
    ("allocator_active", "allocator_active_bytes", 1.0),
    ("allocator_allocated", "allocator_allocated_bytes", 1.0),
    ("allocator_resident", "allocator_resident_bytes", 1.0),
    ("allocator_frag_ratio", "allocator_frag_ratio", 1.0),
    ("allocator_frag_bytes", "allocator_frag_bytes", 1.0),
    ("allocator_rss_ratio", "allocator_rss_ratio", 1.0),
    ("allocator_rss_bytes", "allocator_rss_bytes", 1.0),
    ("mem_fragmentation_ratio", "mem_fragmentation_ratio", 1.0),
    ("mem_fragmentation_bytes", "mem_fragmentation_bytes", 1.0),
    ("mem_clients_normal", "mem_clients_normal", 1.0),
    ("mem_clients_slaves", "mem_clients_slaves", 1.0),
    (
        "mem_not_counted_for_evict",
        "mem_not_counted_for_eviction_bytes",
        1.0,
    ),
    ("lazyfree_pending_objects", "lazyfree_pending_objects", 1.0),
    ("active_defrag_running", "active_defrag_running", 1.0),
    ("loading", "loading_dump_file", 1.0),
    (
        "rdb_changes_since_last_save",
        "rdb_changes_since_last_save",
        1.0,
    ),
    ("rdb_bgsave_in_progress", "rdb_bgsave_in_progress", 1.0),
    ("rdb_last_save_time", "rdb_last_save_timestamp_seconds", 1.0),
    ("rdb_last_bgsave_status", "rdb_last_bgsave_status", 1.0),
    (
        "rdb_last_bgsave_time_sec",
        "rdb_last_bgsave_duration_sec",
        1.0,
    ),
    (
        "rdb_current_bgsave_time_sec",
        "rdb_current_bgsave_duration_sec",
        1.0,
    ),
    ("rdb_last_cow_size", "rdb_last_cow_size_bytes", 1.0),
    ("aof_enabled", "aof_enabled", 1.0),
    ("aof_rewrite_in_progress", "aof_rewrite_in_progress", 1.0),
    ("aof_rewrite_scheduled", "aof_rewrite_scheduled", 1.0),
    (
        "aof_last_rewrite_time_sec",
        "aof_last_rewrite_duration_sec",
        1.0,
    ),
    (
        "aof_current_rewrite_time_sec",
        "aof_current_rewrite_duration_sec",
        1.0,
    ),
    (
        "aof_last_bgrewrite_status",
        "aof_last_bgrewrite_status",
        1.0,
    ),
    ("aof_last_write_status", "aof_last_write_status", 1.0),
    ("aof_last_cow_size", "aof_last_cow_size_bytes", 1.0),
    ("aof_current_size", "aof_current_size_bytes", 1.0),
    ("aof_base_size", "aof_base_size_bytes", 1.0),
    ("aof_pending_rewrite", "aof_pending_rewrite", 1.0),
    ("aof_buffer_length", "aof_buffer_length", 1.0),
    ("aof_pending_bio_fsync", "aof_pending_bio_fsync", 1.0),
    ("aof_delayed_fsync", "aof_delayed_fsync", 1.0),
    (
        "instantaneous_ops_per_sec",
        "instantaneous_ops_per_sec",
        1.0,
    ),
    ("instantaneous_input_kbps", "instantaneous_input_kbps", 1.0),
    (
        "instantaneous_output_kbps",
        "instantaneous_output_kbps",
        1.0,
    ),
    ("expired_stale_perc", "expired_stale_percentage", 1.0),
    ("pubsub_channels", "pubsub_channels", 1.0),
    ("pubsub_patterns", "pubsub_patterns", 1.0),
    ("pubsubshard_channels", "pubsubshard_channels", 1.0),
    ("latest_fork_usec", "latest_fork_usec", 1.0),
    ("latest_fork_usec", "latest_fork_seconds", 0.000_001),
    ("tracking_total_keys", "tracking_total_keys", 1.0),
    ("tracking_total_items", "tracking_total_items", 1.0),
    ("tracking_total_prefixes", "tracking_total_prefixes", 1.0),
    ("connected_slaves", "connected_slaves", 1.0),
    ("repl_backlog_size", "replication_backlog_bytes", 1.0),
    ("repl_backlog_active", "repl_backlog_is_active", 1.0),
    (
        "repl_backlog_first_byte_offset",
        "repl_backlog_first_byte_offset",
        1.0,
    ),
    ("repl_backlog_histlen", "repl_backlog_history_bytes", 1.0),
    ("master_repl_offset", "master_repl_offset", 1.0),
    ("second_repl_offset", "second_repl_offset", 1.0),
    (
        "slave_expires_tracked_keys",
        "slave_expires_tracked_keys",
        1.0,
    ),
    ("sync_full", "replica_resyncs_full", 1.0),
    ("sync_partial_ok", "replica_partial_resync_accepted", 1.0),
    ("sync_partial_err", "replica_partial_resync_denied", 1.0),
    ("cluster_enabled", "cluster_enabled", 1.0),
];

/// What a metric's single figure is called in a command's line of INFO, and what it is multiplied with.
const OF_COMMANDS: &[Row] = &[
    ("calls", "commands_total", 1.0),
    ("usec", "commands_duration_seconds_total", 0.000_001),
    ("rejected_calls", "commands_rejected_calls_total", 1.0),
    ("failed_calls", "commands_failed_calls_total", 1.0),
];

const OF_DATABASES: &[Row] = &[
    ("keys", "db_keys", 1.0),
    ("expires", "db_keys_expiring", 1.0),
    ("avg_ttl", "db_avg_ttl_seconds", 0.001),
    ("subexpiry", "db_keys_with_expiring_items", 1.0),
];

/// Facts that `instance_info` has as labels.
const INSTANCE: &[&str] = &[
    "role",
    "redis_version",
    "redis_build_id",
    "redis_mode",
    "os",
    "maxmemory_policy",
    "tcp_port",
    "run_id",
    "process_id",
    "master_replid",
];

/// Metrics in the order of their names, each with its lines: what stands behind the name, and the value.
#[derive(Default)]
struct Page(BTreeMap<String, (Option<Kind>, Vec<String>)>);

impl Page {
    fn add(&mut self, kind: Kind, name: &str, labels: &str, value: f64) {
        self.line(kind, name, &format!("{labels} {value}"));
    }

    fn line(&mut self, kind: Kind, name: &str, rest: &str) {
        let (known, lines) = self.0.entry(name.to_owned()).or_default();
        *known = Some(kind);
        lines.push(rest.to_owned());
    }

    fn write(self) -> String {
        let mut out = String::new();
        for (name, (kind, lines)) in self.0 {
            let kind = match kind {
                Some(Counter) => "counter",
                Some(Summary) => "summary",
                _ => "gauge",
            };
            // A String takes every text.
            let _ = writeln!(out, "# TYPE redis_{name} {kind}");
            for line in lines {
                let _ = writeln!(out, "redis_{name}{line}");
            }
        }
        out
    }
}

/// A label, quoted.
fn label(name: &str, value: &str) -> String {
    let value = value.replace('\\', r"\\").replace('"', "\\\"");
    format!("{name}=\"{}\"", value.replace(['\r', '\n'], " "))
}

fn braced(name: &str, value: &str) -> String {
    format!("{{{}}}", label(name, value))
}

/// A figure, or a word that stands for one.
fn figure(text: &str) -> Option<f64> {
    match text {
        "ok" | "true" => Some(1.0),
        "err" | "fail" | "false" => Some(0.0),
        text => text.trim_end_matches('%').parse().ok(),
    }
}

/// `name=figure` pairs between commas.
fn pairs(text: &str) -> impl Iterator<Item = (&str, f64)> {
    let words = text.split(',').filter_map(|pair| pair.split_once('='));
    words.filter_map(|(name, value)| Some((name, figure(value)?)))
}

/// The page of all metrics.
pub fn render(answers: &Answers) -> String {
    let fields = answers.info.lines().filter_map(|line| line.split_once(':'));
    let fields: Vec<(&str, &str)> = fields.collect();
    let by_name: HashMap<&str, &str> = fields.iter().copied().collect();
    let mut page = Page::default();
    for (kind, rows) in [(Counter, COUNTERS), (Gauge, GAUGES)] {
        for (field, name, factor) in rows {
            if let Some(value) = by_name.get(field).and_then(|text| figure(text)) {
                page.add(kind, name, "", value * factor);
            }
        }
    }
    for (field, value) in &fields {
        special(&mut page, field, value, &by_name);
    }
    let facts = INSTANCE.iter().map(|name| {
        let value = by_name.get(name).copied().unwrap_or_default();
        label(name, value)
    });
    let facts = facts.collect::<Vec<_>>().join(",");
    page.add(Gauge, "instance_info", &format!("{{{facts}}}"), 1.0);
    page.add(Gauge, "up", "", 1.0);
    page.add(Gauge, "slowlog_length", "", answers.slow_commands as f64);
    let (id, micros) = answers.last_slow.unwrap_or_default();
    page.add(Gauge, "slowlog_last_id", "", id as f64);
    let seconds = micros as f64 / 1e6;
    page.add(Gauge, "last_slow_execution_duration_seconds", "", seconds);
    let limits = [
        ("config_maxclients", answers.max_clients as f64),
        (
            "config_maxmemory",
            by_name
                .get("maxmemory")
                .and_then(|text| figure(text))
                .unwrap_or(0.0),
        ),
    ];
    for (name, value) in limits {
        page.add(Gauge, name, "", value);
    }
    page.write()
}

/// Fields that are named after a command, an error or a database, and the time of the start.
fn special(page: &mut Page, field: &str, value: &str, by_name: &HashMap<&str, &str>) {
    if let Some(command) = field.strip_prefix("cmdstat_") {
        let labels = braced("cmd", command);
        for (name, figure) in pairs(value) {
            if let Some((_, metric, factor)) = OF_COMMANDS.iter().find(|row| row.0 == name) {
                page.add(Counter, metric, &labels, figure * factor);
            }
        }
    } else if let Some(command) = field.strip_prefix("latency_percentiles_usec_") {
        percentiles(page, command, value, by_name);
    } else if let Some(error) = field.strip_prefix("errorstat_") {
        for (_, count) in pairs(value) {
            page.add(Counter, "errors_total", &braced("err", error), count);
        }
    } else if is_database(field) {
        let labels = braced("db", field);
        for (name, figure) in pairs(value) {
            if let Some((_, metric, factor)) = OF_DATABASES.iter().find(|row| row.0 == name) {
                page.add(Gauge, metric, &labels, figure * factor);
            }
        }
    } else if field == "server_time_usec" {
        let uptime = by_name
            .get("uptime_in_seconds")
            .and_then(|text| figure(text));
        if let (Some(now), Some(uptime)) = (figure(value), uptime) {
            page.add(
                Gauge,
                "start_time_seconds",
                "",
                (now / 1e6 - uptime).floor(),
            );
        }
    }
}

/// The summary of a command's latencies: percentiles from one field, count and sum from another.
fn percentiles(page: &mut Page, command: &str, value: &str, by_name: &HashMap<&str, &str>) {
    const NAME: &str = "latency_percentiles_usec";
    let own = label("cmd", command);
    for (percent, micros) in pairs(value) {
        if let Ok(percent) = percent.trim_start_matches('p').parse::<f64>() {
            let quantile = label("quantile", &(percent / 100.0).to_string());
            page.line(Summary, NAME, &format!("{{{own},{quantile}}} {micros}"));
        }
    }
    let stats = by_name.get(format!("cmdstat_{command}").as_str());
    for (name, figure) in stats.into_iter().flat_map(|stats| pairs(stats)) {
        let suffix = match name {
            "usec" => "_sum",
            "calls" => "_count",
            _ => continue,
        };
        page.line(Summary, NAME, &format!("{suffix}{{{own}}} {figure}"));
    }
}

fn is_database(field: &str) -> bool {
    let number = field.strip_prefix("db");
    number.is_some_and(|number| !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_become_metrics() {
        let info = "# Server\r\nredis_version:7.2.4\r\nserver_time_usec:1700000100000000\r\nuptime_in_seconds:100\r\n\
            used_memory:1024\r\nmaxmemory:0\r\nkeyspace_hits:7\r\nrdb_last_bgsave_status:ok\r\n\
            cmdstat_config|get:calls=2,usec=3000000,usec_per_call=1.00,rejected_calls=1,failed_calls=0\r\n\
            latency_percentiles_usec_config|get:p50=1.5,p99.9=20\r\nerrorstat_ERR:count=3\r\n\
            db0:keys=5,expires=2,avg_ttl=1500,subexpiry=0\r\n";
        let answers = Answers {
            info: info.into(),
            slow_commands: 4,
            last_slow: Some((9, 12_000)),
            max_clients: 10_000,
        };
        let page = render(&answers);
        for line in [
            "# TYPE redis_keyspace_hits_total counter",
            "redis_keyspace_hits_total 7",
            "# TYPE redis_memory_used_bytes gauge",
            "redis_memory_used_bytes 1024",
            "redis_start_time_seconds 1700000000",
            "redis_rdb_last_bgsave_status 1",
            "redis_commands_total{cmd=\"config|get\"} 2",
            "redis_commands_duration_seconds_total{cmd=\"config|get\"} 3",
            "redis_commands_rejected_calls_total{cmd=\"config|get\"} 1",
            "# TYPE redis_latency_percentiles_usec summary",
            "redis_latency_percentiles_usec{cmd=\"config|get\",quantile=\"0.5\"} 1.5",
            "redis_latency_percentiles_usec_count{cmd=\"config|get\"} 2",
            "redis_errors_total{err=\"ERR\"} 3",
            "redis_db_keys{db=\"db0\"} 5",
            "redis_db_avg_ttl_seconds{db=\"db0\"} 1.5",
            "redis_slowlog_length 4",
            "redis_last_slow_execution_duration_seconds 0.012",
            "redis_config_maxclients 10000",
            "redis_up 1",
        ] {
            assert!(page.lines().any(|told| told == line), "{line} in\n{page}");
        }
        assert!(page.contains("redis_instance_info{role=\"\",redis_version=\"7.2.4\""));
    }

    #[test]
    fn labels_are_quoted() {
        assert_eq!(label("err", "a\"b\\c\nd"), r#"err="a\"b\\c d""#);
    }
}
