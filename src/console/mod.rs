//! What other programs than Redis's clients see of the server: for now figures for Prometheus. It knows only what commands
//! answer.

pub mod metrics;
mod names;
