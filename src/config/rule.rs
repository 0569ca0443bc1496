//! What a directive's value may be: the rule of its row in the table, and how plain values follow
//! it.

use std::borrow::Cow;

use super::words;

/// Why a value was refused: Redis's own words where it has them.
pub(super) type Reason = Cow<'static, str>;

/// How a number is written.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Unit {
    /// Digits only.
    Plain,
    /// Bytes, with an optional unit such as `kb` (1,024) or `k` (1,000).
    Memory,
    /// Bytes or a percentage; the percentage is held as a negative number and shown as it was
    /// given.
    MemoryOrPercent,
    /// Bytes or a percentage of what the machine offers; shown in bytes, kept as given in the file.
    MemoryOrMachineShare,
    /// File permissions.
    Octal,
}

/// The values that a directive takes.
pub(super) enum Rule {
    /// `yes` or `no`.
    Switch,
    /// A number between two bounds, both included.
    Number { min: i128, max: i128, unit: Unit },
    /// A number that is a hint: what lies outside these bounds is moved to the nearer one.
    Hint { min: i128, max: i128 },
    /// Any text that passes the check. `needless` says that an empty one stands for "not set" and
    /// is never written to the file.
    Text {
        check: fn(&str) -> Result<(), &'static str>,
        needless: bool,
    },
    /// One of these words, in either case.
    Choice(&'static [&'static str]),
    /// Any words.
    Words,
    /// The type of the field decides.
    Own,
}

/// A value in `Config` that a directive sets.
pub(super) trait Setting {
    /// Takes the words given; `self` is unchanged if they are refused.
    fn read(&mut self, words: &[&str], rule: &Rule) -> Result<(), Reason>;

    /// The value as CONFIG GET shows it.
    fn shown(&self, rule: &Rule) -> String;

    /// The value as lines of a configuration file hold it (after the directive's name): none, one
    /// or several.
    fn written(&self, rule: &Rule) -> Vec<String> {
        vec![self.shown(rule)]
    }
}

impl Rule {
    /// Checks words for a directive whose value is only remembered; its canonical form.
    pub(super) fn canonical(&self, words: &[&str]) -> Result<String, Reason> {
        self.plain(words).map(|value| value.shown(self))
    }

    /// The lines that a configuration file holds for a value in its canonical form.
    pub(super) fn written(&self, canonical: &str) -> Vec<String> {
        self.plain(&[canonical]).map_or_else(
            |_| vec![words::quote(canonical)],
            |value| value.written(self),
        )
    }

    fn plain(&self, words: &[&str]) -> Result<Box<dyn Setting>, Reason> {
        let mut value: Box<dyn Setting> = match self {
            Rule::Switch => Box::new(false),
            Rule::Number { .. } | Rule::Hint { .. } => Box::new(0i128),
            Rule::Words => Box::new(Vec::<String>::new()),
            Rule::Text { .. } | Rule::Choice(_) | Rule::Own => Box::new(String::new()),
        };
        value.read(words, self)?;
        Ok(value)
    }

    /// The number that a word stands for, within the rule's bounds.
    pub(super) fn number(&self, word: &str) -> Result<i128, Reason> {
        match *self {
            Rule::Number { min, max, unit } => {
                let number = parse_number(word, unit)?;
                if number < 0 && matches!(unit, Unit::MemoryOrPercent | Unit::MemoryOrMachineShare)
                {
                    return within_percent(number);
                }
                if (min..=max).contains(&number) {
                    Ok(number)
                } else {
                    Err(out_of_bounds(min, max, unit))
                }
            }
            Rule::Hint { min, max } => {
                let number = Rule::Number {
                    min: 0,
                    max: i32::MAX as i128,
                    unit: Unit::Plain,
                }
                .number(word)?;
                Ok(number.clamp(min, max))
            }
            _ => parse_number(word, Unit::Plain),
        }
    }

    /// The word among the rule's choices that is meant.
    pub(super) fn choice(&self, word: &str) -> Result<&'static str, Reason> {
        let names = if let Rule::Choice(names) = self {
            *names
        } else {
            &[]
        };
        names
            .iter()
            .find(|name| name.eq_ignore_ascii_case(word))
            .copied()
            .ok_or_else(|| not_among(names))
    }

    fn unit(&self) -> Unit {
        if let Rule::Number { unit, .. } = self {
            *unit
        } else {
            Unit::Plain
        }
    }
}

/// The refusal of a word that is none of the choices.
pub(super) fn not_among(names: &[&str]) -> Reason {
    format!(
        "argument(s) must be one of the following: {}",
        names.join(", ")
    )
    .into()
}

fn out_of_bounds(min: i128, max: i128, unit: Unit) -> Reason {
    match unit {
        Unit::Octal => format!("argument must be between {min:o} and {max:o} inclusive").into(),
        _ => format!("argument must be between {min} and {max} inclusive").into(),
    }
}

fn within_percent(negated: i128) -> Result<i128, Reason> {
    if negated >= -100 {
        Ok(negated)
    } else {
        Err("percentage argument must be less or equal to 100".into())
    }
}

fn parse_number(word: &str, unit: Unit) -> Result<i128, Reason> {
    let number = match unit {
        Unit::Plain => parse_plain(word),
        Unit::Memory => parse_memory(word).map(i128::from),
        Unit::MemoryOrPercent | Unit::MemoryOrMachineShare => match word.strip_suffix('%') {
            Some(percent) => parse_plain(percent)
                .filter(|&percent| percent >= 0)
                .map(|percent| -percent),
            None => parse_memory(word).map(i128::from),
        },
        Unit::Octal => i64::from_str_radix(word, 8).ok().map(i128::from),
    };
    number.ok_or(Cow::Borrowed(match unit {
        Unit::Plain => "argument couldn't be parsed into an integer",
        Unit::Memory | Unit::MemoryOrMachineShare => "argument must be a memory value",
        Unit::MemoryOrPercent => "argument must be a memory or percent value",
        Unit::Octal => "argument couldn't be parsed as an octal number",
    }))
}

/// A 64-bit integer in its one canonical spelling: no `+`, no leading zeros, no blanks.
fn parse_plain(word: &str) -> Option<i128> {
    let number: i64 = word.parse().ok()?;
    (number.to_string() == word).then_some(i128::from(number))
}

/// A number of bytes with an optional unit. As in Redis, no digits stand for 0 and too many for the largest number.
pub fn parse_memory(word: &str) -> Option<u64> {
    let digits = word.bytes().take_while(u8::is_ascii_digit).count();
    let multiplier: u64 = match word[digits..].to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "k" => 1_000,
        "kb" => 1 << 10,
        "m" => 1_000_000,
        "mb" => 1 << 20,
        "g" => 1_000_000_000,
        "gb" => 1 << 30,
        _ => return None,
    };
    let number = match &word[..digits] {
        "" => 0,
        digits => digits.parse::<u64>().unwrap_or(u64::MAX),
    };
    match multiplier {
        1 => Some(number),
        _ => number.checked_mul(multiplier),
    }
}

/// A number of bytes in the largest unit that divides it.
pub(super) fn print_memory(bytes: u64) -> String {
    [("gb", 1 << 30), ("mb", 1 << 20), ("kb", 1 << 10)]
        .into_iter()
        .find(|&(_, size)| bytes != 0 && bytes.is_multiple_of(size))
        .map_or_else(
            || bytes.to_string(),
            |(unit, size)| format!("{}{unit}", bytes / size),
        )
}

/// Where a word count was not checked by the table: the one word of a value, or nothing.
pub(super) fn only<'a>(words: &[&'a str]) -> &'a str {
    words.first().copied().unwrap_or_default()
}

impl Setting for bool {
    fn read(&mut self, words: &[&str], _: &Rule) -> Result<(), Reason> {
        *self = match only(words) {
            word if word.eq_ignore_ascii_case("yes") => true,
            word if word.eq_ignore_ascii_case("no") => false,
            _ => return Err("argument must be 'yes' or 'no'".into()),
        };
        Ok(())
    }

    fn shown(&self, _: &Rule) -> String {
        if *self { "yes" } else { "no" }.to_owned()
    }
}

impl Setting for String {
    fn read(&mut self, words: &[&str], rule: &Rule) -> Result<(), Reason> {
        let word = only(words);
        *self = match rule {
            Rule::Choice(_) => rule.choice(word)?.to_owned(),
            Rule::Text { check, .. } => check(word).map(|()| word.to_owned())?,
            _ => word.to_owned(),
        };
        Ok(())
    }

    fn shown(&self, _: &Rule) -> String {
        self.clone()
    }

    fn written(&self, rule: &Rule) -> Vec<String> {
        match rule {
            Rule::Choice(_) => vec![self.clone()],
            Rule::Text { needless: true, .. } if self.is_empty() => Vec::new(),
            _ => vec![words::quote(self)],
        }
    }
}

macro_rules! number_settings {
    ($($number:ty),*) => {$(
        impl Setting for $number {
            fn read(&mut self, words: &[&str], rule: &Rule) -> Result<(), Reason> {
                let number = rule.number(only(words))?;
                let (min, max) = (<$number>::MIN as i128, <$number>::MAX as i128);
                *self = <$number>::try_from(number).map_err(|_| out_of_bounds(min, max, Unit::Plain))?;
                Ok(())
            }

            fn shown(&self, rule: &Rule) -> String {
                match rule.unit() {
                    Unit::Octal => format!("{self:o}"),
                    _ => self.to_string(),
                }
            }

            fn written(&self, rule: &Rule) -> Vec<String> {
                match (rule.unit(), u64::try_from(*self)) {
                    (Unit::Memory, Ok(bytes)) => vec![print_memory(bytes)],
                    _ => vec![self.shown(rule)],
                }
            }
        }
    )*};
}

number_settings!(u8, u16, u32, i32, u64, i64, usize, i128);

/// Several words; an empty one alone stands for none. On the right when shown, joined by blanks.
impl Setting for Vec<String> {
    fn read(&mut self, words: &[&str], _: &Rule) -> Result<(), Reason> {
        *self = words
            .iter()
            .filter(|word| !word.is_empty())
            .map(|&word| word.to_owned())
            .collect();
        Ok(())
    }

    fn shown(&self, _: &Rule) -> String {
        self.join(" ")
    }

    fn written(&self, rule: &Rule) -> Vec<String> {
        if self.is_empty() {
            vec!["\"\"".to_owned()]
        } else {
            vec![self.shown(rule)]
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MEMORY: Rule = Rule::Number {
        min: 0,
        max: u64::MAX as i128,
        unit: Unit::Memory,
    };

    fn refusal<T: std::fmt::Debug>(result: Result<T, Reason>) -> String {
        result.expect_err("a refusal").into_owned()
    }

    #[test]
    fn memory_has_units() {
        let cases = [
            ("1", 1),
            ("1b", 1),
            ("1k", 1_000),
            ("1kb", 1_024),
            ("1m", 1_000_000),
            ("1MB", 1 << 20),
        ];
        let more = [("1g", 1_000_000_000), ("3Gb", 3 << 30), ("", 0), ("kb", 0)];
        for (word, bytes) in [&cases[..], &more].concat() {
            assert_eq!(MEMORY.number(word), Ok(bytes), "{word}");
        }
        for word in ["-1", "1.5gb", "1tb", "1 kb", "99999999999gb", "+1"] {
            assert_eq!(
                refusal(MEMORY.number(word)),
                "argument must be a memory value",
                "{word}"
            );
        }
        assert_eq!(print_memory(0), "0");
        assert_eq!(print_memory(1_500), "1500");
        assert_eq!(print_memory(3 << 30), "3gb");
        assert_eq!(print_memory(1_536 << 20), "1536mb");
    }

    #[test]
    fn percentages_are_negative_numbers() {
        let rule = Rule::Number {
            min: 0,
            max: i64::MAX as i128,
            unit: Unit::MemoryOrPercent,
        };
        assert_eq!(rule.number("75%"), Ok(-75));
        assert_eq!(rule.number("1kb"), Ok(1_024));
        assert_eq!(
            refusal(rule.number("101%")),
            "percentage argument must be less or equal to 100"
        );
        assert_eq!(
            refusal(rule.number("-5%")),
            "argument must be a memory or percent value"
        );
    }

    #[test]
    fn plain_numbers_are_canonical() {
        let rule = Rule::Number {
            min: -5,
            max: 10,
            unit: Unit::Plain,
        };
        assert_eq!(rule.number("-5"), Ok(-5));
        assert_eq!(
            refusal(rule.number("11")),
            "argument must be between -5 and 10 inclusive"
        );
        for word in ["", "01", "+1", "-0", " 1", "1k", "x", "9223372036854775808"] {
            assert_eq!(
                refusal(rule.number(word)),
                "argument couldn't be parsed into an integer",
                "{word}"
            );
        }
    }

    #[test]
    fn octal_numbers() {
        let rule = Rule::Number {
            min: 0,
            max: 0o777,
            unit: Unit::Octal,
        };
        let mut mode = 0u32;
        assert_eq!(mode.read(&["0700"], &rule), Ok(()));
        assert_eq!((mode, mode.shown(&rule)), (0o700, "700".to_owned()));
        assert_eq!(
            refusal(rule.number("8")),
            "argument couldn't be parsed as an octal number"
        );
        assert_eq!(
            refusal(rule.number("1000")),
            "argument must be between 0 and 777 inclusive"
        );
    }

    #[test]
    fn hints_are_moved_into_their_bounds() {
        let rule = Rule::Hint { min: 1, max: 500 };
        assert_eq!(
            (rule.number("0"), rule.number("9999"), rule.number("50")),
            (Ok(1), Ok(500), Ok(50))
        );
        assert!(rule.number("-1").is_err());
    }

    #[test]
    fn switches_and_choices_ignore_case() {
        let mut switch = false;
        assert_eq!(switch.read(&["YES"], &Rule::Switch), Ok(()));
        assert!(switch);
        assert_eq!(
            refusal(switch.read(&["true"], &Rule::Switch)),
            "argument must be 'yes' or 'no'"
        );
        let rule = Rule::Choice(&["debug", "notice"]);
        assert_eq!(rule.canonical(&["Notice"]), Ok("notice".to_owned()));
        assert_eq!(
            refusal(rule.canonical(&["x"])),
            "argument(s) must be one of the following: debug, notice"
        );
    }

    #[test]
    fn remembered_values_are_written_as_typed_ones_are() {
        assert_eq!(MEMORY.written("1048576"), ["1mb"]);
        assert_eq!(
            Rule::Text {
                check: |_| Ok(()),
                needless: true
            }
            .written(""),
            Vec::<String>::new()
        );
        assert_eq!(
            Rule::Text {
                check: |_| Ok(()),
                needless: false
            }
            .written("a b"),
            ["\"a b\""]
        );
    }
}
