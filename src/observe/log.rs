//! The log: events of `tracing`, written as Redis writes its messages, to standard output or a file.
//!
//! Events map to Redis's steps: errors and warnings to warning, INFO to notice, DEBUG and TRACE to
//! debug. An event of any level whose target is [`VERBOSE`] maps to verbose.

use std::fmt::{self, Write as _};
use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU8, Ordering};

use jiff::Zoned;
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::subscriber::Interest;
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;

use super::syslog::Syslog;
use crate::base::severity::Severity;

/// The target of events between debug and notice: `info!(target: VERBOSE, "...")`.
pub const VERBOSE: &str = "verbose";

/// The letter of a server that is nobody's replica.
const PRIMARY: char = 'M';

/// Where messages go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Standard output.
    Standard,
    /// Appended to this file. It is opened for each message, so that it can be moved away.
    File(PathBuf),
}

/// The least severity that is written: the process has one log.
static LEAST: AtomicU8 = AtomicU8::new(Severity::Notice as u8);

/// Opens the log of the process; the system's log gets every message, too. Fails if the file cannot be written or a log is open already.
pub fn open(output: Output, least: Severity, syslog: Option<Syslog>) -> io::Result<()> {
    if let Output::File(path) = &output {
        append_to(path)?;
    }
    set_least(least);
    let layer = LogLayer {
        output,
        process: std::process::id(),
        syslog,
    };
    tracing_subscriber::registry()
        .with(layer)
        .try_init()
        .map_err(io::Error::other)
}

/// Writes from now on only messages of at least this severity.
pub fn set_least(least: Severity) {
    LEAST.store(least as u8, Ordering::Relaxed);
    tracing::callsite::rebuild_interest_cache();
}

fn append_to(path: &PathBuf) -> io::Result<File> {
    OpenOptions::new().append(true).create(true).open(path)
}

struct LogLayer {
    output: Output,
    process: u32,
    syslog: Option<Syslog>,
}

fn is_written(severity: Severity) -> bool {
    severity as u8 >= LEAST.load(Ordering::Relaxed)
}

impl<S: Subscriber + for<'span> LookupSpan<'span>> Layer<S> for LogLayer {
    // Decided once per place in the code, and again when the least severity changes: an event that is not
    // written costs one load.
    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        if is_written(severity_of(metadata)) {
            Interest::always()
        } else {
            Interest::never()
        }
    }

    fn enabled(&self, metadata: &Metadata<'_>, _: Context<'_, S>) -> bool {
        is_written(severity_of(metadata))
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        let threshold = LEAST.load(Ordering::Relaxed);
        Some(
            match Severity::ALL
                .into_iter()
                .find(|step| *step as u8 == threshold)
            {
                Some(Severity::Debug | Severity::Verbose) => LevelFilter::TRACE,
                Some(Severity::Notice) => LevelFilter::INFO,
                Some(Severity::Warning) => LevelFilter::WARN,
                Some(Severity::Nothing) | None => LevelFilter::OFF,
            },
        )
    }

    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut message = Message::default();
        event.record(&mut message);
        let (time, severity) = (Zoned::now(), severity_of(event.metadata()));
        let line = line(self.process, &time, severity, &message);
        // There is nowhere to tell that the log itself cannot be written.
        let _ = match &self.output {
            Output::Standard => io::stdout().lock().write_all(line.as_bytes()),
            Output::File(path) => {
                append_to(path).and_then(|mut file| file.write_all(line.as_bytes()))
            }
        };
        if let Some(syslog) = &self.syslog {
            let text = format!("{}{}", message.text, message.fields);
            syslog.send(self.process, &time, severity, &text);
        }
    }
}

fn severity_of(metadata: &Metadata<'_>) -> Severity {
    match *metadata.level() {
        _ if metadata.target() == VERBOSE => Severity::Verbose,
        Level::ERROR | Level::WARN => Severity::Warning,
        Level::INFO => Severity::Notice,
        _ => Severity::Debug,
    }
}

/// A line as Redis writes it: process and role, local time, a sign for the gravity, the message.
fn line(process: u32, time: &Zoned, severity: Severity, message: &Message) -> String {
    let sign = match severity {
        Severity::Debug => '.',
        Severity::Verbose => '-',
        Severity::Notice => '*',
        Severity::Warning | Severity::Nothing => '#',
    };
    let time = time.strftime("%d %b %Y %H:%M:%S%.3f");
    format!(
        "{process}:{PRIMARY} {time} {sign} {}{}\n",
        message.text, message.fields
    )
}

/// An event's message, and its other fields behind it.
#[derive(Default)]
struct Message {
    text: String,
    fields: String,
}

impl Visit for Message {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.record_debug(field, &format_args!("{value}"));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let written = match field.name() {
            "message" => write!(self.text, "{value:?}"),
            name => write!(self.fields, " {name}={value:?}"),
        };
        debug_assert!(written.is_ok(), "a String takes every text");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::date;
    use jiff::tz::TimeZone;
    use std::fs;
    use tracing::{debug, error, info, trace, warn};

    #[test]
    fn lines_look_like_those_of_redis() {
        let time = date(2026, 11, 2)
            .at(1, 2, 3, 45_999_999)
            .to_zoned(TimeZone::UTC)
            .expect("a time");
        let message = Message {
            text: "Ready".to_owned(),
            fields: " port=6379".to_owned(),
        };
        let expected = "42:M 02 Nov 2026 01:02:03.045 * Ready port=6379\n";
        assert_eq!(line(42, &time, Severity::Notice, &message), expected);
    }

    /// What is written of one event of each kind at each step of the least severity.
    #[test]
    fn the_least_severity_changes_at_run_time() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("server.log");
        let layer = LogLayer {
            output: Output::File(path.clone()),
            process: 1,
            syslog: None,
        };
        let events = || {
            trace!("a");
            debug!(size = 3, name = "x", "b {}", 1);
            info!(target: VERBOSE, "c");
            info!("d");
            warn!("e");
            error!("f");
        };
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
            for least in Severity::ALL {
                set_least(least);
                events();
            }
        });
        let text = fs::read_to_string(&path).expect("the log");
        let tails: Vec<&str> = text
            .lines()
            .map(|line| &line[line.len().min(29)..])
            .collect();
        let expected = [
            ". a",
            ". b 1 size=3 name=x",
            "- c",
            "* d",
            "# e",
            "# f",
            "- c",
            "* d",
            "# e",
            "# f",
            "* d",
            "# e",
            "# f",
            "# e",
            "# f",
        ];
        assert_eq!(tails, expected);
    }

    #[test]
    fn a_log_that_cannot_be_written_is_refused() {
        let refused = open(
            Output::File("/nonexistent/server.log".into()),
            Severity::Notice,
            None,
        );
        assert!(refused.is_err());
    }
}
