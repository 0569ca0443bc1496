//! LATENCY: what took long, and how long commands take.

use std::fmt::Write as _;

use super::super::help::help;
use crate::base::clock::unix_ms;
use crate::config::Config;
use crate::engine::{Call, Command, CommandError, CommandResult, Group, Spec, flags::*};
use crate::observe::graph;
use crate::observe::latency::{Series, event};

fn history(call: &mut Call) -> CommandResult {
    let found = call.engine.latency.of(call.args.at(2));
    let samples = found.map(|(_, series)| series.samples).unwrap_or_default();
    call.reply.array(samples.len());
    for sample in samples {
        call.reply.array(2);
        call.reply.integer(sample.time);
        call.reply.integer(sample.latency as i64);
    }
    Ok(())
}

fn latest(call: &mut Call) -> CommandResult {
    let events = call.engine.latency.all();
    call.reply.array(events.len());
    for (name, series) in events {
        let last = series.samples.last();
        call.reply.array(4);
        call.reply.bulk(name.as_bytes());
        call.reply.integer(last.map_or(0, |last| last.time));
        call.reply
            .integer(last.map_or(0, |last| last.latency as i64));
        call.reply.integer(series.worst as i64);
    }
    Ok(())
}

fn reset(call: &mut Call) -> CommandResult {
    let count = call.engine.latency.reset(call.args.from(2));
    call.reply.count(count);
    Ok(())
}

fn draw(call: &mut Call) -> CommandResult {
    let word = call.args.at(2);
    let Some((name, series)) = call.engine.latency.of(word) else {
        return Err(CommandError::quoting(
            "ERR No samples available for event '",
            word,
            "'",
        ));
    };
    let graph = graph::draw(name, &series, unix_ms() / 1000);
    call.reply.verbatim("txt", graph.as_bytes());
    Ok(())
}

/// Which event some advice is for, whether it applies, and what it is.
type Advice = (&'static str, fn(&Config) -> bool, &'static str);

/// What LATENCY DOCTOR has to say.
const ADVICE: &[Advice] = &[
    (
        event::COMMAND,
        |config| config.slowlog_log_slower_than < 0,
        "Slow commands are not remembered. CONFIG SET slowlog-log-slower-than to the microseconds that you would call slow, and \
         SLOWLOG GET will show them.",
    ),
    (
        event::COMMAND,
        |config| config.slowlog_log_slower_than / 1000 > config.latency_monitor_threshold as i64,
        "The slow log begins later than the latency monitor, so it misses some of these commands: lower slowlog-log-slower-than.",
    ),
    (
        event::COMMAND,
        |config| config.slowlog_log_slower_than >= 0,
        "SLOWLOG GET shows which commands took long. Those that look at many elements take time in proportion; ask for less at \
         a time, or use the SCAN commands.",
    ),
    (
        event::FAST_COMMAND,
        |_| true,
        "Commands that do next to nothing took long, so the server did not get its processor: look for other load on the \
         machine, for neighbours of a virtual machine, for memory that is swapped. redis-cli --intrinsic-latency measures \
         the machine alone.",
    ),
    (
        event::EXPIRE_CYCLE,
        |_| true,
        "Many keys ran out at the same time. Give them times to live that differ a little.",
    ),
    (
        event::AOF_WRITE,
        |_| true,
        "The append-only file is written slowly. Put it on a local disk, and keep other programs from using that disk.",
    ),
    (
        event::AOF_FSYNC_ALWAYS,
        |_| true,
        "appendfsync always waits for the disk before each reply. Take a faster disk, or everysec if a second's writes may be \
         lost.",
    ),
];

/// The doctor's report.
fn diagnose(events: &[(&str, Series)], config: &Config, now: i64) -> String {
    if events.is_empty() && config.latency_monitor_threshold == 0 {
        return "Nothing is known, Dave: the latency monitor is off. CONFIG SET latency-monitor-threshold to the milliseconds \
                that you would call long switches it on.\n"
            .into();
    }
    if events.is_empty() {
        return "All is quiet, Dave: nothing has taken long since the latency monitor was switched on.\n".into();
    }
    let mut report = String::from("Some things took long, Dave:\n\n");
    for (number, (name, series)) in events.iter().enumerate() {
        let summary = series.summary(now);
        // A String takes every text.
        let _ = writeln!(
            report,
            "{}. {name}: {} latency spikes (average {}ms, mean deviation {}ms, period {:.2} sec). Worst all time event {}ms.",
            number + 1,
            series.samples.len(),
            summary.average,
            summary.deviation,
            summary.period,
            series.worst
        );
    }
    let is_told = |(name, applies, _): &&Advice| {
        events.iter().any(|(event, _)| event == name) && applies(config)
    };
    let advice: String = ADVICE
        .iter()
        .filter(is_told)
        .map(|(_, _, text)| format!("- {text}\n"))
        .collect();
    if !advice.is_empty() {
        report += "\nWhat may help:\n\n";
        report += &advice;
    }
    report
}

fn doctor(call: &mut Call) -> CommandResult {
    let events = call.engine.latency.all();
    let config = call.engine.config.load();
    let report = diagnose(&events, &config, unix_ms() / 1000);
    call.reply.verbatim("txt", report.as_bytes());
    Ok(())
}

/// The commands that are asked for, subcommands included, or all.
fn chosen<'e>(call: &Call<'_, 'e>) -> Vec<&'e Spec> {
    let commands = &call.engine.commands;
    if call.args.len() == 2 {
        return commands.all().iter().collect();
    }
    let named = call.args.from(2).filter_map(|name| commands.find(name));
    let with_subcommands = named.flat_map(|spec| {
        let subcommands = spec.subcommands.iter().map(|&id| &commands.all()[id]);
        std::iter::once(spec).chain(subcommands)
    });
    with_subcommands.collect()
}

fn histogram(call: &mut Call) -> CommandResult {
    let chosen = chosen(call).into_iter();
    let told: Vec<_> = chosen
        .filter_map(|spec| Some((spec, call.engine.stats.durations(spec.id)?)))
        .collect();
    call.reply.map(told.len());
    for (spec, durations) in told {
        call.reply.bulk(spec.name.as_bytes());
        call.reply.map(2);
        call.reply.bulk(b"calls");
        call.reply.integer(durations.total() as i64);
        call.reply.bulk(b"histogram_usec");
        let steps = durations.steps();
        call.reply.map(steps.len());
        for (bound, count) in steps {
            call.reply.integer(bound as i64);
            call.reply.integer(count as i64);
        }
    }
    Ok(())
}

const OPERATORS: u32 = ADMIN | NOSCRIPT | LOADING | STALE;
const TIPS: &[&str] = &[
    "nondeterministic_output",
    "request_policy:all_nodes",
    "response_policy:special",
];

const fn about(
    name: &'static str,
    syntax: &'static str,
    handler: crate::engine::Handler,
) -> Command {
    Command::new(name, Group::Server, syntax, handler)
        .flags(OPERATORS)
        .tips(TIPS)
}

const SUBCOMMANDS: &[Command] = &[
    about("DOCTOR", "", doctor).docs("2.8.13", "O(1)", "Says what took long, and what may help."),
    about("GRAPH", "event", draw).docs("2.8.13", "O(1)", "Draws how long an event took."),
    Command::new("HELP", Group::Server, "", help)
        .flags(LOADING | STALE)
        .docs("2.8.13", "O(1)", "Explains the subcommands."),
    about("HISTOGRAM", "[command [command ...]]", histogram).docs(
        "7.0.0",
        "O(N) in the number of commands",
        "Tells how long the calls of commands took.",
    ),
    about("HISTORY", "event", history).docs(
        "2.8.13",
        "O(1)",
        "Tells when an event took long, and how long.",
    ),
    about("LATEST", "", latest).docs(
        "2.8.13",
        "O(1)",
        "Tells of each event when it took long last.",
    ),
    Command::new("RESET", Group::Server, "[event [event ...]]", reset)
        .flags(OPERATORS)
        .tips(&[
            "nondeterministic_output",
            "request_policy:all_nodes",
            "response_policy:agg_sum",
        ])
        .docs("2.8.13", "O(1)", "Forgets what took long, all or by event."),
];

/// LATENCY.
pub(super) const LATENCY: Command = Command::container("LATENCY", Group::Server, SUBCOMMANDS).docs(
    "2.8.13",
    "Depends on subcommand.",
    "Groups the commands about what takes long.",
);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::latency::Sample;

    #[test]
    fn the_doctor_knows_what_took_long() {
        let off = Config::default();
        assert!(diagnose(&[], &off, 0).contains("off"));
        let (on, _) = off
            .with(&[(b"latency-monitor-threshold", b"5")])
            .expect("a good value");
        assert!(diagnose(&[], &on, 0).contains("quiet"));
        let series = Series {
            samples: vec![Sample {
                time: 1,
                latency: 9,
            }],
            worst: 30,
        };
        let report = diagnose(&[(event::COMMAND, series)], &on, 3);
        let line = "1. command: 1 latency spikes (average 9ms, mean deviation 0ms, period 2.00 sec). Worst all time event 30ms.";
        assert!(report.contains(line), "{report}");
        assert!(report.contains("SLOWLOG GET") && !report.contains("appendfsync"));
    }
}
