//! Directives that take one of a few words: an enum each, and the words in the order of its
//! variants.

use crate::base::severity::Severity;
use crate::config::rule::{Reason, Rule, Setting, not_among, only};

/// An enum whose variants are a directive's words.
pub(in crate::config) trait Choice: Copy + PartialEq + Sized + 'static {
    /// Word and variant, in the order in which an error lists them.
    const CHOICES: &'static [(&'static str, Self)];
    /// The words alone.
    const NAMES: &'static [&'static str];

    /// The rule of a directive that takes this choice.
    const RULE: Rule = Rule::Choice(Self::NAMES);
}

impl<T: Choice> Setting for T {
    fn read(&mut self, words: &[&str], _: &Rule) -> Result<(), Reason> {
        let chosen = T::CHOICES
            .iter()
            .find(|(name, _)| name.eq_ignore_ascii_case(only(words)));
        *self = chosen.ok_or_else(|| not_among(T::NAMES))?.1;
        Ok(())
    }

    fn shown(&self, _: &Rule) -> String {
        T::CHOICES
            .iter()
            .find(|(_, choice)| choice == self)
            .map_or_else(String::new, |(name, _)| (*name).to_owned())
    }
}

/// Gives an enum its words, so that each is spelled once.
macro_rules! choices {
    ($type:ty: $($name:literal => $variant:ident),+ $(,)?) => {
        impl Choice for $type {
            const CHOICES: &'static [(&'static str, Self)] = &[$(($name, <$type>::$variant)),+];
            const NAMES: &'static [&'static str] = &[$($name),+];
        }
    };
}

choices!(Severity:
    "debug" => Debug, "verbose" => Verbose, "notice" => Notice, "warning" => Warning, "nothing" => Nothing);

/// Which keys may be evicted when memory is short, and which of them go first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MaxmemoryPolicy {
    /// Keys with a time to live, the longest unused first.
    VolatileLru,
    /// Keys with a time to live, the least often used first.
    VolatileLfu,
    /// Keys with a time to live, any of them.
    VolatileRandom,
    /// Keys with a time to live, the soonest to expire first.
    VolatileTtl,
    /// Any key, the longest unused first.
    AllkeysLru,
    /// Any key, the least often used first.
    AllkeysLfu,
    /// Any key at random.
    AllkeysRandom,
    /// None: commands that need memory fail.
    #[default]
    NoEviction,
}

choices!(MaxmemoryPolicy:
    "volatile-lru" => VolatileLru, "volatile-lfu" => VolatileLfu, "volatile-random" => VolatileRandom,
    "volatile-ttl" => VolatileTtl, "allkeys-lru" => AllkeysLru, "allkeys-lfu" => AllkeysLfu,
    "allkeys-random" => AllkeysRandom, "noeviction" => NoEviction);

impl MaxmemoryPolicy {
    /// Whether it looks at when keys were last used.
    pub fn is_lru(self) -> bool {
        matches!(self, Self::VolatileLru | Self::AllkeysLru)
    }

    /// Whether it counts how often keys are used.
    pub fn is_lfu(self) -> bool {
        matches!(self, Self::VolatileLfu | Self::AllkeysLfu)
    }

    /// The word for it, as INFO and CONFIG GET tell it.
    pub fn name(self) -> &'static str {
        Self::CHOICES
            .iter()
            .find(|(_, policy)| *policy == self)
            .map_or("noeviction", |(name, _)| name)
    }
}

/// When the append-only file is forced to disk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AppendFsync {
    /// Once per second, in the background.
    #[default]
    EverySecond,
    /// Before the reply to each write.
    Always,
    /// When the operating system sees fit.
    No,
}

choices!(AppendFsync: "everysec" => EverySecond, "always" => Always, "no" => No);

/// Who may use a dangerous command or directive.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Permission {
    /// Nobody.
    #[default]
    No,
    /// Every client.
    Yes,
    /// Clients on this machine.
    Local,
}

choices!(Permission: "no" => No, "yes" => Yes, "local" => Local);

/// Which supervisor started the server and wants to be told when it is ready.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Supervision {
    /// upstart.
    Upstart,
    /// systemd, through its notification socket.
    Systemd,
    /// Found out from the environment.
    Auto,
    /// None.
    #[default]
    No,
}

choices!(Supervision: "upstart" => Upstart, "systemd" => Systemd, "auto" => Auto, "no" => No);

/// Whether clients have to show a certificate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TlsAuth {
    /// They are not asked for one.
    No,
    /// Whoever has none that is good is refused.
    #[default]
    Yes,
    /// They need not have one, but one that is shown must be good.
    Optional,
}

choices!(TlsAuth: "no" => No, "yes" => Yes, "optional" => Optional);

/// What in a client's certificate is the name of its user.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TlsIdentity {
    /// Nothing.
    #[default]
    Off,
    /// The subject's common name.
    CommonName,
    /// An address among the subject's other names.
    Uri,
}

choices!(TlsIdentity: "off" => Off, "CN" => CommonName, "URI" => Uri);

/// The channels of a user for whom none are named.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PubsubDefault {
    /// All.
    AllChannels,
    /// None.
    #[default]
    ResetChannels,
}

choices!(PubsubDefault: "allchannels" => AllChannels, "resetchannels" => ResetChannels);

/// Whether and how the process's out-of-memory score is set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OomScoreAdj {
    /// Left as it is.
    #[default]
    No,
    /// Added to the score that the process was started with.
    Relative,
    /// Set as configured.
    Absolute,
}

choices!(OomScoreAdj: "no" => No, "yes" => Relative, "relative" => Relative, "absolute" => Absolute);
