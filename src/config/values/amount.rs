//! An amount of memory, in bytes or as a share of what there is.

use crate::base::machine;
use crate::config::rule::{Reason, Rule, Setting, Unit, only, print_memory};

/// An amount of memory as it was configured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Amount {
    /// So many bytes; 0 usually means no limit.
    Bytes(u64),
    /// So many percent of a whole that the directive's description names.
    Percent(u8),
}

impl Default for Amount {
    fn default() -> Self {
        Amount::Bytes(0)
    }
}

impl Amount {
    /// The amount in bytes, where percentages are of `whole`.
    pub fn bytes_of(self, whole: u64) -> u64 {
        match self {
            Amount::Bytes(bytes) => bytes,
            Amount::Percent(percent) => (u128::from(whole) * u128::from(percent) / 100) as u64,
        }
    }

    /// The amount in bytes, where percentages are of the memory of the container or machine.
    pub fn bytes_of_machine(self) -> u64 {
        self.bytes_of(machine::memory_limit().unwrap_or(0))
    }
}

impl Setting for Amount {
    fn read(&mut self, words: &[&str], rule: &Rule) -> Result<(), Reason> {
        let number = rule.number(only(words))?;
        *self = u64::try_from(number).map_or(
            Amount::Percent(number.unsigned_abs().min(100) as u8),
            Amount::Bytes,
        );
        Ok(())
    }

    fn shown(&self, rule: &Rule) -> String {
        match (self, rule) {
            (
                Amount::Percent(_),
                Rule::Number {
                    unit: Unit::MemoryOrMachineShare,
                    ..
                },
            ) => self.bytes_of_machine().to_string(),
            (Amount::Percent(percent), _) => format!("{percent}%"),
            (Amount::Bytes(bytes), _) => bytes.to_string(),
        }
    }

    fn written(&self, _: &Rule) -> Vec<String> {
        vec![match self {
            Amount::Bytes(bytes) => print_memory(*bytes),
            Amount::Percent(percent) => format!("{percent}%"),
        }]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentages_are_shown_by_the_directives_rule() {
        let clients = Rule::Number {
            min: 0,
            max: i64::MAX as i128,
            unit: Unit::MemoryOrPercent,
        };
        let keyspace = Rule::Number {
            min: 0,
            max: u64::MAX as i128,
            unit: Unit::MemoryOrMachineShare,
        };
        let mut amount = Amount::default();
        assert_eq!(amount.read(&["50%"], &clients), Ok(()));
        assert_eq!(amount, Amount::Percent(50));
        assert_eq!(amount.bytes_of(1_001), 500);
        assert_eq!(amount.shown(&clients), "50%");
        assert_eq!(
            amount.shown(&keyspace),
            amount.bytes_of_machine().to_string()
        );
        assert_eq!(amount.written(&keyspace), ["50%"]);
        assert_eq!(amount.read(&["2gb"], &keyspace), Ok(()));
        assert_eq!(
            (amount.shown(&keyspace), amount.written(&keyspace)),
            ("2147483648".into(), vec!["2gb".into()])
        );
    }
}
