//! The versions that the server tells: Redis's, for compatibility, and its own.

/// The Redis version whose behaviour is offered; clients choose their features by it.
pub const REDIS_VERSION: &str = "7.4.0";

/// The version of this program.
pub const OXIDIS_VERSION: &str = env!("CARGO_PKG_VERSION");
