//! What an operator sees of the running server. It knows nothing of commands and clients.

pub mod log;
