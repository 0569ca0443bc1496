//! `save`: after how many seconds and changes a snapshot is due.

use crate::config::rule::{Reason, Rule, Setting};

/// A snapshot is due when this many seconds have passed since the last one and this many changes
/// were made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SaveRule {
    /// Seconds since the last snapshot; at least 1.
    pub seconds: u64,
    /// Changes since then.
    pub changes: u64,
}

impl SaveRule {
    fn parse(pair: &[&str]) -> Option<SaveRule> {
        let &[seconds, changes] = pair else {
            return None;
        };
        let rule = SaveRule {
            seconds: seconds.parse().ok()?,
            changes: changes.parse().ok()?,
        };
        let bounded = rule.seconds <= i64::MAX as u64 && rule.changes <= i32::MAX as u64;
        (rule.seconds >= 1 && bounded).then_some(rule)
    }

    fn words(self) -> String {
        format!("{} {}", self.seconds, self.changes)
    }
}

/// Pairs of seconds and changes; one empty word stands for no rule at all.
impl Setting for Vec<SaveRule> {
    fn read(&mut self, words: &[&str], _: &Rule) -> Result<(), Reason> {
        let words = if *words == [""] { &[] } else { words };
        let rules: Option<Vec<SaveRule>> = words.chunks(2).map(SaveRule::parse).collect();
        *self = rules.ok_or("Invalid save parameters")?;
        Ok(())
    }

    fn shown(&self, _: &Rule) -> String {
        self.iter()
            .map(|rule| rule.words())
            .collect::<Vec<_>>()
            .join(" ")
    }

    fn written(&self, _: &Rule) -> Vec<String> {
        if self.is_empty() {
            vec!["\"\"".to_owned()]
        } else {
            self.iter().map(|rule| rule.words()).collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_make_rules() {
        let mut rules: Vec<SaveRule> = Vec::new();
        assert_eq!(rules.read(&["3600", "1", "300", "0"], &Rule::Own), Ok(()));
        assert_eq!(rules.shown(&Rule::Own), "3600 1 300 0");
        assert_eq!(rules.written(&Rule::Own), ["3600 1", "300 0"]);
        for words in [
            &["60"][..],
            &["0", "1"],
            &["-1", "1"],
            &["60", "-1"],
            &["x", "1"],
            &["60", "1", ""],
        ] {
            assert_eq!(
                rules.read(words, &Rule::Own),
                Err("Invalid save parameters".into()),
                "{words:?}"
            );
        }
        assert_eq!(rules.len(), 2, "a refused value changes nothing");
        assert_eq!(rules.read(&[""], &Rule::Own), Ok(()));
        assert_eq!(
            (rules.shown(&Rule::Own), rules.written(&Rule::Own)),
            (String::new(), vec!["\"\"".to_owned()])
        );
    }
}
