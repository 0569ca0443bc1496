//! Access control: users, what they may do, and what they were refused.
//!
//! Users are immutable values: whoever changes one puts another in its place. Rules are read by `user` and `selector`, which
//! also say what they amount to; `catalog` is what they know of commands; `store` holds all users. Nothing here knows clients
//! or the table of commands: both are told.

mod catalog;
mod error;
mod file;
mod log;
mod ordered;
mod password;
mod selector;
mod store;
mod user;
mod words;

pub use catalog::{Catalog, Entry};
pub use error::RuleError;
pub use file::{read_file, write_file};
pub use log::{Context, Log, LogEntry};
pub use selector::{Access, Denial, Reason, Selector, Wish};
pub use store::{Acl, Users};
pub use user::{DEFAULT_USER, Defaults, User};
pub use words::{Refused, is_name};
