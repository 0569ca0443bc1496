//! INFO commandstats, errorstats and latencystats: what commands were called, how they ended and how long they took.

use super::{Facts, Section, line, safe};
use crate::engine::{CommandCounts, Spec};
use crate::observe::counter::Counter;
use crate::observe::histogram::Distribution;

/// Calls of each command.
pub(super) const COMMANDSTATS: Section = Section::new("commandstats", "Commandstats", &[])
    .on_demand()
    .with(calls);

/// Error replies by their code word.
pub(super) const ERRORSTATS: Section = Section::new("errorstats", "Errorstats", &[]).with(errors);

/// Percentiles of each command's duration.
pub(super) const LATENCYSTATS: Section = Section::new("latencystats", "Latencystats", &[])
    .on_demand()
    .with(latencies);

fn counts<'f>(facts: &'f Facts<'_>, spec: &Spec) -> impl Iterator<Item = &'f CommandCounts> {
    let lanes = facts.engine.stats.lanes.iter();
    let id = spec.id;
    lanes.map(move |lane| &lane.commands[id])
}

fn calls(facts: &Facts<'_>, out: &mut String) {
    for spec in facts.engine.commands.all() {
        let sum = |of: fn(&CommandCounts) -> &Counter| {
            counts(facts, spec)
                .map(|counts| of(counts).get())
                .sum::<u64>()
        };
        let calls = sum(|counts| &counts.calls);
        let rejected = sum(|counts| &counts.rejected);
        let failed = sum(|counts| &counts.failed);
        if calls + rejected + failed == 0 {
            continue;
        }
        let micros = sum(|counts| &counts.nanos) / 1000;
        let each = micros as f64 / calls.max(1) as f64;
        let name = &spec.name;
        line(
            out,
            format_args!(
                "cmdstat_{name}:calls={calls},usec={micros},usec_per_call={each:.2},rejected_calls={rejected},failed_calls={failed}"
            ),
        );
    }
}

fn errors(facts: &Facts<'_>, out: &mut String) {
    let errors = facts.engine.stats.errors.iter();
    let mut errors: Vec<(String, u64)> = errors
        .map(|error| (error.key().clone(), *error.value()))
        .collect();
    errors.sort_unstable();
    for (code, count) in errors {
        line(out, format_args!("errorstat_{}:count={count}", safe(&code)));
    }
}

fn latencies(facts: &Facts<'_>, out: &mut String) {
    if !facts.config.latency_tracking {
        return;
    }
    let percents = facts.config.latency_tracking_info_percentiles.values();
    for spec in facts.engine.commands.all() {
        let histograms = counts(facts, spec).filter_map(|counts| counts.latency.get());
        let latency = Distribution::of(histograms);
        if latency.total() == 0 {
            continue;
        }
        let told: Vec<String> = percents
            .iter()
            .map(|&percent| {
                let micros = latency.percentile(percent) as f64 / 1000.0;
                format!("p{percent}={micros:.3}")
            })
            .collect();
        let (name, told) = (&spec.name, told.join(","));
        line(out, format_args!("latency_percentiles_usec_{name}:{told}"));
    }
}
