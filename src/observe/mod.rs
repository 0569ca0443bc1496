//! What an operator sees of the running server: the log, counters, rates, what took long. It knows nothing of commands and
//! clients.

pub mod command_log;
pub mod counter;
pub mod crash;
pub mod graph;
pub mod histogram;
pub mod latency;
pub mod log;
pub mod rates;
pub mod syslog;
pub mod throttle;
