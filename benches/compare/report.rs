//! Medians, ratios to the reference, and the Markdown that is printed.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::process::Command;
use std::thread;

use crate::Sample;
use crate::commands::CLIENTS;
use crate::options::{Options, Program};
use crate::server::Failure;
use crate::workload::{Kind, Workload};

/// The machine, the servers and the settings: what a reader needs to weigh the figures.
pub fn header(options: &Options) -> String {
    let file = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let field = |text: &str, name: &str| {
        let line = text
            .lines()
            .find(|line| line.starts_with(name))
            .unwrap_or_default();
        line.split_once(':')
            .map_or("unknown", |(_, value)| value.trim())
            .to_owned()
    };
    let cores = thread::available_parallelism().map_or(0, usize::from);
    let mut text = format!(
        "Machine: {}, {cores} cores, {} of memory, Linux {}, load average at start {}\n\nServers:\n\n",
        field(&file("/proc/cpuinfo"), "model name"),
        memory(&field(&file("/proc/meminfo"), "MemTotal")),
        file("/proc/sys/kernel/osrelease").trim(),
        file("/proc/loadavg").split(' ').next().unwrap_or_default(),
    );
    for program in &options.programs {
        let arguments = program.argv[1..].join(" ");
        writeln!(
            text,
            "- {}: {}, `{arguments}`",
            program.name,
            version(program)
        )
        .expect(STRING);
    }
    let cpus = |cpus: &Option<String>| cpus.clone().unwrap_or("any".to_owned());
    write!(
        text,
        "\nRounds {}, scale {}, {} random keys, {CLIENTS} clients, servers on CPUs {}, redis-benchmark on CPUs {}.\n\
         Medians; × is the ratio to {}; shares are of one core; spread is (max - min) / median of the first column.\n",
        options.rounds,
        options.scale,
        options.keyspace,
        cpus(&options.server_cpus),
        cpus(&options.client_cpus),
        options.reference,
    )
    .expect(STRING);
    text
}

const STRING: &str = "a String takes every write";

/// `/proc/meminfo` counts in KiB, under the name of kB.
fn memory(kibibytes: &str) -> String {
    let number = kibibytes.trim_end_matches(" kB").parse::<f64>();
    number.map_or("unknown".to_owned(), |number| {
        format!("{:.1} GiB", number / f64::from(1 << 20))
    })
}

fn version(program: &Program) -> String {
    let output = Command::new(&program.argv[0]).arg("--version").output();
    let text = output
        .map(|output| String::from_utf8_lossy(&output.stdout).into_owned())
        .unwrap_or_default();
    text.lines().next().unwrap_or("version unknown").to_owned()
}

type Key = (String, String);

/// Collects samples by workload and server, and makes tables of them.
pub struct Report<'a> {
    options: &'a Options,
    samples: BTreeMap<Key, Vec<Sample>>,
    failures: BTreeMap<Key, Failure>,
}

impl<'a> Report<'a> {
    pub fn new(options: &'a Options) -> Report<'a> {
        Report {
            options,
            samples: BTreeMap::new(),
            failures: BTreeMap::new(),
        }
    }

    pub fn add(&mut self, workload: &Workload, program: &Program, sample: Result<Sample, Failure>) {
        let key = (workload.name.clone(), program.name.clone());
        match sample {
            Ok(sample) => self.samples.entry(key).or_default().push(sample),
            Err(failure) => drop(self.failures.insert(key, failure)),
        }
    }

    pub fn has_failed(&self, workload: &Workload, program: &Program) -> bool {
        self.failures
            .contains_key(&(workload.name.clone(), program.name.clone()))
    }

    pub fn finish(&self) -> String {
        let is_load = |workload: &&Workload| matches!(workload.kind, Kind::Load(_));
        let (loads, memory): (Vec<_>, Vec<_>) = self.options.workloads.iter().partition(is_load);
        let mut text = String::new();
        if !loads.is_empty() {
            text += "\n| workload | server | requests/s | × | p50 ms | p99 ms | CPU µs/command | × | server % | load % | spread |\n";
            text += &format!("|---|---{}|\n", "|---:".repeat(9));
            self.rows(&mut text, &loads, load_cells);
            text += &self.overview(&loads);
        }
        if !memory.is_empty() {
            text += "\n| workload | server | bytes/key | × | CPU µs/key | × | spread |\n";
            text += &format!("|---|---{}|\n", "|---:".repeat(5));
            self.rows(&mut text, &memory, memory_cells);
        }
        text
    }

    fn rows(
        &self,
        text: &mut String,
        workloads: &[&Workload],
        cells: fn(&Summary, Option<&Summary>) -> Vec<String>,
    ) {
        for workload in workloads {
            let reference = self.summary(workload, &self.options.reference);
            for program in &self.options.programs {
                let cells = match (
                    self.summary(workload, &program.name),
                    self.failure(workload, program),
                ) {
                    (_, Some(Failure(why))) => vec![why.replace(['\r', '\n', '|'], " ")],
                    (Some(summary), None) => cells(&summary, reference.as_ref()),
                    (None, None) => continue,
                };
                writeln!(
                    text,
                    "| {} | {} | {} |",
                    workload.name,
                    program.name,
                    cells.join(" | ")
                )
                .expect(STRING);
            }
        }
    }

    /// Geometric means of the ratios, over the workloads that both servers ran.
    fn overview(&self, workloads: &[&Workload]) -> String {
        let mut text = "\n| geometric mean of × | workloads | requests/s | CPU/command |\n|---|---:|---:|---:|\n".to_owned();
        for program in &self.options.programs {
            let (mut count, mut rate, mut cpu) = (0.0, 0.0, 0.0);
            for workload in workloads
                .iter()
                .filter(|workload| !self.has_failed(workload, program))
            {
                let pair = (
                    self.summary(workload, &program.name),
                    self.summary(workload, &self.options.reference),
                );
                let (Some(own), Some(reference)) = pair else {
                    continue;
                };
                count += 1.0;
                rate +=
                    (own.median.requests_per_second / reference.median.requests_per_second).ln();
                cpu += (own.median.cpu_us.max(1e-3) / reference.median.cpu_us.max(1e-3)).ln();
            }
            if count > 0.0 {
                let (rate, cpu) = ((rate / count).exp(), (cpu / count).exp());
                writeln!(
                    text,
                    "| {} | {count} | {rate:.2} | {cpu:.2} |",
                    program.name
                )
                .expect(STRING);
            }
        }
        text
    }

    fn summary(&self, workload: &Workload, server: &str) -> Option<Summary> {
        self.samples
            .get(&(workload.name.clone(), server.to_owned()))
            .map(|samples| Summary::of(samples))
    }

    fn failure(&self, workload: &Workload, program: &Program) -> Option<&Failure> {
        self.failures
            .get(&(workload.name.clone(), program.name.clone()))
    }
}

struct Summary {
    median: Sample,
    /// (max - min) / median of throughput or memory, in percent.
    spread_percent: f64,
}

impl Summary {
    fn of(samples: &[Sample]) -> Summary {
        let median_of = |field: fn(&Sample) -> f64| {
            let mut values: Vec<f64> = samples.iter().map(field).collect();
            values.sort_by(f64::total_cmp);
            let middle = values.len() / 2;
            if values.len() % 2 == 1 {
                values[middle]
            } else {
                (values[middle - 1] + values[middle]) / 2.0
            }
        };
        // One of the two is zero throughout.
        let first = |sample: &Sample| sample.requests_per_second + sample.bytes_per_key;
        let least = samples.iter().map(first).fold(f64::INFINITY, f64::min);
        let most = samples.iter().map(first).fold(0.0, f64::max);
        let median = Sample {
            requests_per_second: median_of(|sample| sample.requests_per_second),
            p50_ms: median_of(|sample| sample.p50_ms),
            p99_ms: median_of(|sample| sample.p99_ms),
            cpu_us: median_of(|sample| sample.cpu_us),
            server_percent: median_of(|sample| sample.server_percent),
            load_percent: median_of(|sample| sample.load_percent),
            bytes_per_key: median_of(|sample| sample.bytes_per_key),
        };
        Summary {
            spread_percent: 100.0 * (most - least) / first(&median).max(1e-9),
            median,
        }
    }
}

fn load_cells(summary: &Summary, reference: Option<&Summary>) -> Vec<String> {
    let own = summary.median;
    vec![
        format!("{:.0}", own.requests_per_second),
        ratio(summary, reference, |sample| sample.requests_per_second),
        format!("{:.2}", own.p50_ms),
        format!("{:.2}", own.p99_ms),
        format!("{:.3}", own.cpu_us),
        ratio(summary, reference, |sample| sample.cpu_us),
        format!("{:.0}", own.server_percent),
        format!("{:.0}", own.load_percent),
        format!("{:.0}%", summary.spread_percent),
    ]
}

fn memory_cells(summary: &Summary, reference: Option<&Summary>) -> Vec<String> {
    vec![
        format!("{:.1}", summary.median.bytes_per_key),
        ratio(summary, reference, |sample| sample.bytes_per_key),
        format!("{:.2}", summary.median.cpu_us),
        ratio(summary, reference, |sample| sample.cpu_us),
        format!("{:.0}%", summary.spread_percent),
    ]
}

fn ratio(summary: &Summary, reference: Option<&Summary>, field: fn(&Sample) -> f64) -> String {
    match reference.map(|reference| field(&reference.median)) {
        Some(base) if base > 0.0 => format!("{:.2}", field(&summary.median) / base),
        _ => "-".to_owned(),
    }
}
