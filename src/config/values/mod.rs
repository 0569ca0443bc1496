//! The values of configuration that are more than a number or a text: one file per kind, its
//! grammar and its printing.

mod amount;
mod choices;
mod client_limits;
mod directory;
mod key_events;
mod percentiles;
mod primary;
mod process;
mod save;

pub use amount::Amount;
pub(super) use choices::Choice;
pub use choices::{
    AppendFsync, MaxmemoryPolicy, OomScoreAdj, Permission, PubsubDefault, Supervision, TlsAuth,
    TlsIdentity,
};
pub use client_limits::{ClientLimit, ClientLimits};
pub use directory::Directory;
pub use key_events::KeyEvents;
pub use percentiles::Percentiles;
pub use primary::Primary;
pub use process::{OomScores, ShutdownFlags};
pub use save::SaveRule;
