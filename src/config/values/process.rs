//! What concerns the process as the operating system sees it: what a signal does, and the
//! out-of-memory scores.

use crate::config::rule::{Reason, Rule, Setting, not_among};

/// How the server shuts down when a signal asks for it; none of them set is the default behaviour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ShutdownFlags {
    /// Save a snapshot even if no save rule is set.
    pub save: bool,
    /// Save no snapshot even if save rules are set.
    pub nosave: bool,
    /// Do not wait for replicas.
    pub now: bool,
    /// Go on even if saving fails.
    pub force: bool,
}

impl ShutdownFlags {
    const NAMES: &'static [&'static str] = &["default", "save", "nosave", "now", "force"];
}

/// Any of the flags.
impl Setting for ShutdownFlags {
    fn read(&mut self, words: &[&str], _: &Rule) -> Result<(), Reason> {
        let mut flags = ShutdownFlags::default();
        if words.is_empty() {
            return Err(not_among(Self::NAMES));
        }
        for word in words {
            match word.to_ascii_lowercase().as_str() {
                "default" => {}
                "save" => flags.save = true,
                "nosave" => flags.nosave = true,
                "now" => flags.now = true,
                "force" => flags.force = true,
                _ => return Err(not_among(Self::NAMES)),
            }
        }
        if flags.save && flags.nosave {
            return Err("shutdown options SAVE and NOSAVE can't be used simultaneously".into());
        }
        *self = flags;
        Ok(())
    }

    fn shown(&self, _: &Rule) -> String {
        let flags = [
            (self.save, "save"),
            (self.nosave, "nosave"),
            (self.now, "now"),
            (self.force, "force"),
        ];
        let names: Vec<&str> = flags
            .into_iter()
            .filter_map(|(set, name)| set.then_some(name))
            .collect();
        if names.is_empty() {
            "default".to_owned()
        } else {
            names.join(" ")
        }
    }
}

/// The out-of-memory scores of a primary, a replica and a background process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OomScores([i32; 3]);

impl OomScores {
    /// The scores, each from -2,000 to 2,000.
    pub fn values(self) -> [i32; 3] {
        self.0
    }
}

impl Setting for OomScores {
    fn read(&mut self, words: &[&str], _: &Rule) -> Result<(), Reason> {
        let &[primary, replica, background] = words else {
            return Err("wrong number of arguments".into());
        };
        let mut scores = [0; 3];
        for (score, word) in scores.iter_mut().zip([primary, replica, background]) {
            let given = word
                .parse()
                .ok()
                .filter(|given| (-2000..=2000).contains(given));
            *score = given
                .ok_or("Invalid oom-score-adj-values, elements must be between -2000 and 2000.")?;
        }
        self.0 = scores;
        Ok(())
    }

    fn shown(&self, _: &Rule) -> String {
        self.0.map(|score| score.to_string()).join(" ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shutdown_flags_are_shown_in_their_own_order() {
        let mut flags = ShutdownFlags::default();
        assert_eq!(flags.shown(&Rule::Own), "default");
        assert_eq!(
            flags.read(&["FORCE", "now", "nosave", "default"], &Rule::Own),
            Ok(())
        );
        assert_eq!(flags.shown(&Rule::Own), "nosave now force");
        assert!(flags.read(&["save", "nosave"], &Rule::Own).is_err());
        assert!(flags.read(&[], &Rule::Own).is_err());
        let refusal = flags.read(&["later"], &Rule::Own).expect_err("a refusal");
        assert_eq!(
            refusal,
            "argument(s) must be one of the following: default, save, nosave, now, force"
        );
    }

    #[test]
    fn scores_are_three() {
        let mut scores = OomScores::default();
        assert_eq!(scores.read(&["0", "200", "-800"], &Rule::Own), Ok(()));
        assert_eq!(
            (scores.values(), scores.shown(&Rule::Own).as_str()),
            ([0, 200, -800], "0 200 -800")
        );
        assert_eq!(
            scores.read(&["1", "2"], &Rule::Own),
            Err("wrong number of arguments".into())
        );
        assert!(scores.read(&["1", "2", "2001"], &Rule::Own).is_err());
    }
}
