//! `client-output-buffer-limit`: how much may wait to be sent to a client of each class.

use crate::config::rule::{Reason, Rule, Setting, parse_memory, print_memory};

/// A client is closed when more than `hard_bytes` wait for it, or more than `soft_bytes` for
/// `soft_seconds`; 0 is no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ClientLimit {
    /// Closes the client at once.
    pub hard_bytes: u64,
    /// Closes the client when exceeded for `soft_seconds`.
    pub soft_bytes: u64,
    /// How long `soft_bytes` may be exceeded.
    pub soft_seconds: u64,
}

/// The limits of each class of clients.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ClientLimits {
    /// Clients that send commands.
    pub normal: ClientLimit,
    /// Replicas.
    pub replica: ClientLimit,
    /// Clients in subscriber mode.
    pub pubsub: ClientLimit,
}

impl ClientLimits {
    fn class(&mut self, name: &str) -> Option<&mut ClientLimit> {
        match name.to_ascii_lowercase().as_str() {
            "normal" => Some(&mut self.normal),
            "replica" | "slave" => Some(&mut self.replica),
            "pubsub" => Some(&mut self.pubsub),
            _ => None,
        }
    }
}

impl ClientLimit {
    fn parse(hard: &str, soft: &str, seconds: &str) -> Option<ClientLimit> {
        let soft_seconds = seconds
            .parse()
            .ok()
            .filter(|&seconds: &u64| seconds <= i32::MAX as u64)?;
        Some(ClientLimit {
            hard_bytes: parse_memory(hard)?,
            soft_bytes: parse_memory(soft)?,
            soft_seconds,
        })
    }
}

/// Groups of class, hard limit, soft limit and seconds; classes that are not named keep theirs.
impl Setting for ClientLimits {
    fn read(&mut self, words: &[&str], _: &Rule) -> Result<(), Reason> {
        let mut limits = *self;
        let words = if *words == [""] { &[] } else { words };
        for group in words.chunks(4) {
            let &[class, hard, soft, seconds] = group else {
                return Err("Wrong number of arguments in buffer limit configuration.".into());
            };
            let limit = limits
                .class(class)
                .ok_or("Invalid client class specified in buffer limit configuration.")?;
            *limit = ClientLimit::parse(hard, soft, seconds).ok_or(
                "Error in hard, soft or soft_seconds setting in buffer limit configuration.",
            )?;
        }
        *self = limits;
        Ok(())
    }

    // CONFIG GET keeps the old word for a replica, the file does not: as in Redis.
    fn shown(&self, _: &Rule) -> String {
        [
            ("normal", self.normal),
            ("slave", self.replica),
            ("pubsub", self.pubsub),
        ]
        .map(|(class, limit)| {
            format!(
                "{class} {} {} {}",
                limit.hard_bytes, limit.soft_bytes, limit.soft_seconds
            )
        })
        .join(" ")
    }

    fn written(&self, _: &Rule) -> Vec<String> {
        [
            ("normal", self.normal),
            ("replica", self.replica),
            ("pubsub", self.pubsub),
        ]
        .into_iter()
        .map(|(class, limit)| {
            let [hard, soft] = [limit.hard_bytes, limit.soft_bytes].map(print_memory);
            format!("{class} {hard} {soft} {}", limit.soft_seconds)
        })
        .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_are_set_one_by_one() {
        let mut limits = ClientLimits::default();
        assert_eq!(
            limits.read(&["slave", "256mb", "64mb", "60"], &Rule::Own),
            Ok(())
        );
        assert_eq!(
            limits.read(
                &["PUBSUB", "1kb", "0", "5", "normal", "1", "2", "3"],
                &Rule::Own
            ),
            Ok(())
        );
        assert_eq!(
            limits.shown(&Rule::Own),
            "normal 1 2 3 slave 268435456 67108864 60 pubsub 1024 0 5"
        );
        assert_eq!(
            limits.written(&Rule::Own),
            ["normal 1 2 3", "replica 256mb 64mb 60", "pubsub 1kb 0 5"]
        );
    }

    #[test]
    fn one_error_refuses_all() {
        let mut limits = ClientLimits::default();
        for words in [
            &["normal", "1", "1"][..],
            &["normal", "1", "1", "1", "master", "1", "1", "1"],
            &["normal", "x", "1", "1"],
            &["normal", "1", "1", "-1"],
            &["normal", ""],
        ] {
            assert!(limits.read(words, &Rule::Own).is_err(), "{words:?}");
        }
        assert_eq!(limits, ClientLimits::default());
    }
}
