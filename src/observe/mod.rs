//! What an operator sees of the running server: the log, counters, rates. It knows nothing of commands and clients.

pub mod counter;
pub mod histogram;
pub mod log;
pub mod rates;
