//! `latency-tracking-info-percentiles`: which percentiles INFO tells of each command's latency.

use crate::config::rule::{Reason, Rule, Setting};

/// Percentiles, each from 0 to 100.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Percentiles(Vec<f64>);

impl Percentiles {
    /// The percentiles in the order given.
    pub fn values(&self) -> &[f64] {
        &self.0
    }
}

fn parse(word: &&str) -> Result<f64, Reason> {
    let percentile: f64 = word
        .parse()
        .map_err(|_| "Invalid latency-tracking-info-percentiles parameters")?;
    if (0.0..=100.0).contains(&percentile) {
        Ok(percentile)
    } else {
        Err("latency-tracking-info-percentiles parameters should sit between [0.0,100.0]".into())
    }
}

/// One empty word stands for none.
impl Setting for Percentiles {
    fn read(&mut self, words: &[&str], _: &Rule) -> Result<(), Reason> {
        let words = if *words == [""] { &[] } else { words };
        self.0 = words.iter().map(parse).collect::<Result<_, _>>()?;
        Ok(())
    }

    fn shown(&self, _: &Rule) -> String {
        let print = |value: &f64| {
            let digits = format!("{value:.6}");
            digits
                .trim_end_matches('0')
                .trim_end_matches('.')
                .to_owned()
        };
        self.0.iter().map(print).collect::<Vec<_>>().join(" ")
    }

    fn written(&self, rule: &Rule) -> Vec<String> {
        if self.0.is_empty() {
            vec!["\"\"".to_owned()]
        } else {
            vec![self.shown(rule)]
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_shown_without_needless_zeros() {
        let mut percentiles = Percentiles::default();
        assert_eq!(
            percentiles.read(
                &["50", "99.90", "0", "100", "33.3333333", "5e-1"],
                &Rule::Own
            ),
            Ok(())
        );
        assert_eq!(percentiles.shown(&Rule::Own), "50 99.9 0 100 33.333333 0.5");
        for word in ["x", "101", "-1", "nan", "inf"] {
            assert!(percentiles.read(&[word], &Rule::Own).is_err(), "{word}");
        }
        assert_eq!(percentiles.read(&[""], &Rule::Own), Ok(()));
        assert_eq!(percentiles.written(&Rule::Own), ["\"\""]);
    }
}
