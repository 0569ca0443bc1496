//! How grave a log message is, in Redis's steps: what `loglevel` is set to and what a message
//! carries.

/// The steps of `loglevel`, ascending; a message is written when its own step is at or above the
/// one set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Severity {
    /// Details for developing the server.
    Debug,
    /// Rare events that are seldom useful.
    Verbose,
    /// What an operator wants to see in production.
    #[default]
    Notice,
    /// What needs attention.
    Warning,
    /// No message is this grave: nothing is written.
    Nothing,
}

impl Severity {
    /// Every step, ascending.
    pub const ALL: [Severity; 5] = [
        Severity::Debug,
        Severity::Verbose,
        Severity::Notice,
        Severity::Warning,
        Severity::Nothing,
    ];
}
