//! The answers of INFO and a few other commands as metrics for Prometheus, under the names that redis_exporter gives them,
//! so that dashboards made for it work.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;

use super::names;

/// How long a command took: its name, its calls, and up to each bound in microseconds, how many.
pub type Durations = (String, u64, Vec<(u64, u64)>);

/// What metrics are told from.
#[derive(Debug, Default)]
pub struct Answers {
    /// INFO of all sections.
    pub info: String,
    /// The number and the microseconds of the last slow command.
    pub last_slow: Option<(u64, u64)>,
    /// How many databases there are.
    pub databases: usize,
    /// Figures that have no labels, with their names.
    pub figures: Vec<(&'static str, f64)>,
    /// What may wait for clients of each class: class, bytes beyond which they are closed, bytes that they may not have
    /// waiting for longer than so many seconds.
    pub output_limits: Vec<(&'static str, [u64; 3])>,
    /// What took long, as LATENCY LATEST tells it: the event, Unix seconds, milliseconds.
    pub spikes: Vec<(&'static str, i64, u64)>,
    /// How long commands took, as LATENCY HISTOGRAM tells it.
    pub durations: Vec<Durations>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Counter,
    Gauge,
    Histogram,
    Summary,
}

use Kind::{Counter, Gauge, Histogram, Summary};

/// A figure's name, its metric, and what it is multiplied with.
type Row = (&'static str, &'static str, f64);

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
                Some(Histogram) => "histogram",
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
    let counters = names::counters().map(|row| (Counter, row));
    let gauges = names::gauges().map(|row| (Gauge, row));
    for (kind, (field, name)) in counters.chain(gauges) {
        if let Some(value) = by_name.get(field).and_then(|text| figure(text)) {
            page.add(kind, name, "", value);
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
    // Nothing stands between the server and this page.
    let no_error = braced("err", "");
    page.add(Gauge, "exporter_last_scrape_error", &no_error, 0.0);
    for (name, value) in &answers.figures {
        page.add(Gauge, name, "", *value);
    }
    let (id, micros) = answers.last_slow.unwrap_or_default();
    page.add(Gauge, "slowlog_last_id", "", id as f64);
    let seconds = micros as f64 / 1e6;
    page.add(Gauge, "last_slow_execution_duration_seconds", "", seconds);
    beyond_info(&mut page, answers, &by_name);
    page.write()
}

/// What INFO does not tell.
fn beyond_info(page: &mut Page, answers: &Answers, by_name: &HashMap<&str, &str>) {
    for index in 0..answers.databases {
        let name = format!("db{index}");
        if !by_name.contains_key(name.as_str()) {
            let labels = braced("db", &name);
            page.add(Gauge, "db_keys", &labels, 0.0);
            page.add(Gauge, "db_keys_expiring", &labels, 0.0);
        }
    }
    for (class, [hard, soft, seconds]) in &answers.output_limits {
        for (limit, metric, value) in [
            ("hard", "bytes", hard),
            ("soft", "bytes", soft),
            ("soft", "overcome_seconds", seconds),
        ] {
            let labels = format!("{{{},{}}}", label("class", class), label("limit", limit));
            let metric = format!("config_client_output_buffer_limit_{metric}");
            page.add(Gauge, &metric, &labels, *value as f64);
        }
    }
    for (event, time, millis) in &answers.spikes {
        let labels = braced("event_name", event);
        page.add(Gauge, "latency_spike_last", &labels, *time as f64);
        let seconds = *millis as f64 / 1e3;
        page.add(Gauge, "latency_spike_duration_seconds", &labels, seconds);
    }
    for (command, calls, steps) in &answers.durations {
        histogram(page, command, *calls, steps, by_name);
    }
}

/// The histogram of a command's latencies, and what they sum up to.
fn histogram(
    page: &mut Page,
    command: &str,
    calls: u64,
    steps: &[(u64, u64)],
    by_name: &HashMap<&str, &str>,
) {
    const NAME: &str = "commands_latencies_usec";
    let own = label("cmd", command);
    let steps = steps
        .iter()
        .map(|(bound, count)| (bound.to_string(), count));
    for (bound, count) in steps.chain([("+Inf".into(), &calls)]) {
        let rest = format!("_bucket{{{own},{}}} {count}", label("le", &bound));
        page.line(Histogram, NAME, &rest);
    }
    let stats = by_name.get(format!("cmdstat_{command}").as_str());
    let sum = stats.into_iter().flat_map(|stats| pairs(stats));
    let sum = sum.filter(|(name, _)| *name == "usec").map(|(_, sum)| sum);
    page.line(
        Histogram,
        NAME,
        &format!("_sum{{{own}}} {}", sum.sum::<f64>()),
    );
    page.line(Histogram, NAME, &format!("_count{{{own}}} {calls}"));
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
            last_slow: Some((9, 12_000)),
            databases: 2,
            figures: vec![("slowlog_length", 4.0), ("config_maxclients", 10_000.0)],
            output_limits: vec![("pubsub", [3, 2, 1])],
            spikes: vec![("command", 1_700_000_000, 250)],
            durations: vec![("config|get".into(), 2, vec![(16, 1), (33, 2)])],
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
            "redis_db_keys{db=\"db1\"} 0",
            "redis_config_client_output_buffer_limit_bytes{class=\"pubsub\",limit=\"hard\"} 3",
            "redis_config_client_output_buffer_limit_bytes{class=\"pubsub\",limit=\"soft\"} 2",
            "redis_config_client_output_buffer_limit_overcome_seconds{class=\"pubsub\",limit=\"soft\"} 1",
            "redis_latency_spike_last{event_name=\"command\"} 1700000000",
            "redis_latency_spike_duration_seconds{event_name=\"command\"} 0.25",
            "# TYPE redis_commands_latencies_usec histogram",
            "redis_commands_latencies_usec_bucket{cmd=\"config|get\",le=\"33\"} 2",
            "redis_commands_latencies_usec_bucket{cmd=\"config|get\",le=\"+Inf\"} 2",
            "redis_commands_latencies_usec_sum{cmd=\"config|get\"} 3000000",
            "redis_commands_latencies_usec_count{cmd=\"config|get\"} 2",
            "redis_exporter_last_scrape_error{err=\"\"} 0",
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
