//! Which replies may differ from the reference's, how far, and why. Everything else must be equal to the byte.

use std::collections::BTreeMap;

use super::generate::{Args, is_known_key};
use super::wire::Tree;

#[derive(Clone, Copy)]
enum Allowed {
    /// Same items in another order.
    Order,
    /// A cursor, and the same items in another order.
    OrderBehindCursor,
    /// Same pairs in another order, whether they are a map or a flat array.
    OrderOfPairs,
    /// Arrays of equal shape whose columns hold the same values in another order.
    OrderOfColumns,
    /// An integer off by so much; negative ones are exact, they have a meaning.
    Distance(i64),
    /// Another value of the same type; errors are exact.
    Value,
    /// Other values in the same places; the keys of maps are exact.
    Values,
    /// Any key that the test ever names.
    KnownKey,
    /// The same numbers in other digits.
    Digits,
    /// The same numbers in other digits, and other names before the same numbers.
    Places,
    /// The same numbers in other digits, and same pairs in another order behind a cursor.
    DigitsBehindCursor,
    /// Pending entries whose third column is a time.
    IdleTimes,
    /// An encoding that later versions choose.
    LaterEncoding,
    /// The elements of an entry from the eighth on, and the order within sets.
    CommandDetails,
}

/// The accepted differences: the command, with its subcommand where that matters, what is allowed, and the reason.
const ACCEPTED: &[(&str, Allowed, &str)] = &[
    ("KEYS", Allowed::Order, "no order is promised"),
    ("SMEMBERS", Allowed::Order, "no order is promised"),
    ("SINTER", Allowed::Order, "no order is promised"),
    ("SUNION", Allowed::Order, "no order is promised"),
    ("SDIFF", Allowed::Order, "no order is promised"),
    ("SPOP", Allowed::Order, "no order is promised"),
    ("SRANDMEMBER", Allowed::Values, "chance"),
    ("SSCAN", Allowed::OrderBehindCursor, "no order is promised"),
    ("HKEYS", Allowed::Order, "no order is promised"),
    ("HVALS", Allowed::Order, "no order is promised"),
    ("HRANDFIELD", Allowed::Values, "chance"),
    ("HSCAN", Allowed::OrderBehindCursor, "no order is promised"),
    ("HGETALL", Allowed::OrderOfPairs, "no order is promised"),
    ("CONFIG GET", Allowed::OrderOfPairs, "no order is promised"),
    ("PUBSUB CHANNELS", Allowed::Order, "no order is promised"),
    (
        "PUBSUB SHARDCHANNELS",
        Allowed::Order,
        "no order is promised",
    ),
    (
        "UNSUBSCRIBE",
        Allowed::OrderOfColumns,
        "leaving all channels promises no order",
    ),
    (
        "PUNSUBSCRIBE",
        Allowed::OrderOfColumns,
        "leaving all patterns promises no order",
    ),
    (
        "SUNSUBSCRIBE",
        Allowed::OrderOfColumns,
        "leaving all channels promises no order",
    ),
    (
        "PUBLISH",
        Allowed::Order,
        "7.0 sends a message to oneself before the reply, later versions after it",
    ),
    (
        "SCAN",
        Allowed::Value,
        "cursors are the server's own; whole iterations are compared elsewhere",
    ),
    ("RANDOMKEY", Allowed::KnownKey, "chance"),
    (
        "TTL",
        Allowed::Distance(5),
        "the two servers get a command at different times",
    ),
    (
        "PTTL",
        Allowed::Distance(5_000),
        "the two servers get a command at different times",
    ),
    (
        "EXPIRETIME",
        Allowed::Distance(5),
        "the two servers get a command at different times",
    ),
    (
        "PEXPIRETIME",
        Allowed::Distance(5_000),
        "the two servers get a command at different times",
    ),
    (
        "OBJECT IDLETIME",
        Allowed::Value,
        "7.0 shares small integers among keys, and their idle time with them",
    ),
    (
        "OBJECT REFCOUNT",
        Allowed::Value,
        "Redis shares small integers, Oxidis keeps them within the entry",
    ),
    (
        "OBJECT ENCODING",
        Allowed::LaterEncoding,
        "7.2 began to hold small lists and sets in a listpack",
    ),
    (
        "CLIENT ID",
        Allowed::Value,
        "depends on the connections before",
    ),
    (
        "ZADD",
        Allowed::Digits,
        "7.0 prints all 17 digits of a score",
    ),
    (
        "ZINCRBY",
        Allowed::Digits,
        "7.0 prints all 17 digits of a score",
    ),
    (
        "ZSCORE",
        Allowed::Digits,
        "7.0 prints all 17 digits of a score",
    ),
    (
        "ZMSCORE",
        Allowed::Digits,
        "7.0 prints all 17 digits of a score",
    ),
    (
        "ZRANGE",
        Allowed::Digits,
        "7.0 prints all 17 digits of a score",
    ),
    (
        "ZRANGEBYSCORE",
        Allowed::Digits,
        "7.0 prints all 17 digits of a score",
    ),
    (
        "ZREVRANGE",
        Allowed::Digits,
        "7.0 prints all 17 digits of a score",
    ),
    (
        "ZREVRANGEBYSCORE",
        Allowed::Digits,
        "7.0 prints all 17 digits of a score",
    ),
    (
        "ZPOPMIN",
        Allowed::Digits,
        "7.0 prints all 17 digits of a score",
    ),
    (
        "ZPOPMAX",
        Allowed::Digits,
        "7.0 prints all 17 digits of a score",
    ),
    (
        "ZMPOP",
        Allowed::Digits,
        "7.0 prints all 17 digits of a score",
    ),
    (
        "BZPOPMIN",
        Allowed::Digits,
        "7.0 prints all 17 digits of a score",
    ),
    (
        "BZPOPMAX",
        Allowed::Digits,
        "7.0 prints all 17 digits of a score",
    ),
    (
        "BZMPOP",
        Allowed::Digits,
        "7.0 prints all 17 digits of a score",
    ),
    (
        "ZUNION",
        Allowed::Digits,
        "7.0 prints all 17 digits of a score",
    ),
    (
        "ZINTER",
        Allowed::Digits,
        "7.0 prints all 17 digits of a score",
    ),
    (
        "ZDIFF",
        Allowed::Digits,
        "7.0 prints all 17 digits of a score",
    ),
    (
        "GEODIST",
        Allowed::Digits,
        "7.0 rounds the last digit of a distance in another way",
    ),
    (
        "GEOPOS",
        Allowed::Digits,
        "7.0 prints all 17 digits of a coordinate",
    ),
    (
        "GEOSEARCH",
        Allowed::Places,
        "7.0 rounds the last digit of a distance in another way; members at one place have no order",
    ),
    (
        "GEORADIUS",
        Allowed::Places,
        "7.0 rounds the last digit of a distance in another way; members at one place have no order",
    ),
    (
        "GEORADIUS_RO",
        Allowed::Places,
        "7.0 rounds the last digit of a distance in another way; members at one place have no order",
    ),
    (
        "GEORADIUSBYMEMBER",
        Allowed::Places,
        "7.0 rounds the last digit of a distance in another way; members at one place have no order",
    ),
    (
        "GEORADIUSBYMEMBER_RO",
        Allowed::Places,
        "7.0 rounds the last digit of a distance in another way; members at one place have no order",
    ),
    (
        "ZSCAN",
        Allowed::DigitsBehindCursor,
        "no order is promised, and 7.0 prints all 17 digits of a score",
    ),
    ("ZRANDMEMBER", Allowed::Values, "chance"),
    (
        "XPENDING",
        Allowed::IdleTimes,
        "the two servers get a command at different times",
    ),
    ("TIME", Allowed::Values, "the clock"),
    (
        "HELLO",
        Allowed::Values,
        "names the server, its version and the connection",
    ),
    (
        "COMMAND INFO",
        Allowed::CommandDetails,
        "tips and key specifications grow with each version",
    ),
];

/// Pairs of what 7.0 says and what later versions say.
const LATER_ENCODINGS: &[(&[u8], &[u8])] = &[
    (b"quicklist", b"listpack"),
    (b"hashtable", b"listpack"),
    // Redis's SORT leaves the sorted set that it has read in another form.
    (b"skiplist", b"listpack"),
];

/// Compares replies and counts the differences that it accepts.
#[derive(Default)]
pub struct Comparison {
    accepted: BTreeMap<&'static str, usize>,
}

impl Comparison {
    /// True when the reply of the server under test is as good as the reference's. `queued` are the commands of the
    /// transaction that an EXEC ran: its elements are compared as their replies.
    pub fn accepts(&mut self, args: &Args, queued: &[Args], ours: &[u8], reference: &[u8]) -> bool {
        ours == reference
            || self.accepts_trees(args, queued, &Tree::parse(ours), &Tree::parse(reference))
    }

    fn accepts_trees(
        &mut self,
        args: &Args,
        queued: &[Args],
        ours: &Tree,
        reference: &Tree,
    ) -> bool {
        if ours == reference || is_left_over_error(args, ours, reference) {
            return true;
        }
        if name(args) == "EXEC" && ours.sign != b'-' {
            let counts_agree =
                ours.items.len() == queued.len() && reference.items.len() == queued.len();
            let mut rows = queued.iter().zip(ours.items.iter().zip(&reference.items));
            return ours.sign == reference.sign
                && counts_agree
                && rows.all(|(args, (ours, reference))| {
                    self.accepts_trees(args, &[], ours, reference)
                });
        }
        let Some((row, allowed, _)) = row(args) else {
            return false;
        };
        let is_accepted =
            ours.sign == reference.sign && ours.sign != b'-' && allowed.accepts(ours, reference);
        *self.accepted.entry(row).or_default() += usize::from(is_accepted);
        is_accepted
    }

    pub fn summary(&self) -> String {
        let rows = ACCEPTED.iter().filter_map(|(row, _, reason)| {
            let count = self.accepted.get(row).filter(|count| **count > 0)?;
            Some(format!("  {row}: {count} ({reason})"))
        });
        rows.collect::<Vec<_>>().join("\n")
    }
}

fn row(args: &Args) -> Option<&'static (&'static str, Allowed, &'static str)> {
    if let Some(passed_on) = passed_on(args) {
        return row(&passed_on);
    }
    let find = |name: &str| ACCEPTED.iter().find(|(row, _, _)| *row == name);
    let container = || Some(format!("{} {}", name(args), upper(args.get(1)?)));
    find(&name(args)).or_else(|| find(&container()?))
}

/// Redis's SORT asks whether a number was too large, but not whether it was this one: one that was read before, by a script
/// for instance, makes it refuse good ones.
fn is_left_over_error(args: &Args, ours: &Tree, reference: &Tree) -> bool {
    ours.sign == b'*' && is_left_over_refusal(args, reference)
}

fn is_left_over_refusal(args: &Args, reference: &Tree) -> bool {
    const REFUSAL: &[u8] = b"ERR One or more scores can't be converted into double";
    matches!(&*name(args), "SORT" | "SORT_RO")
        && (reference.sign, &*reference.text) == (b'-', REFUSAL)
}

/// Whether one server has stored what the other has refused for such a left-over error: from then on they hold different data.
pub fn has_led_apart(args: &Args, ours: &[u8], reference: &[u8]) -> bool {
    Tree::parse(ours).sign == b':' && is_left_over_refusal(args, &Tree::parse(reference))
}

/// The command whose reply a script passes on: named in a comment with which the script begins.
fn passed_on(args: &Args) -> Option<Args> {
    let script = args.get(1).filter(|_| name(args).starts_with("EVAL"))?;
    let line = script
        .strip_prefix(b"--")?
        .split(|byte| *byte == b'\n')
        .next()?;
    let words = line.split(|byte| *byte == b' ').map(<[u8]>::to_vec);
    Some(words.collect())
}

/// Whether the command's reply must be equal to the byte.
pub fn is_exact(args: &Args) -> bool {
    row(args).is_none()
}

/// The command's name, with its subcommand where replies are told apart by it.
pub fn full_name(args: &Args) -> String {
    match row(args) {
        Some((row, _, _)) => (*row).to_owned(),
        None => "exact".to_owned(),
    }
}

pub fn name(args: &Args) -> String {
    args.first().map(|name| upper(name)).unwrap_or_default()
}

fn upper(arg: &[u8]) -> String {
    String::from_utf8_lossy(arg).to_uppercase()
}

impl Allowed {
    /// Compares replies of the same type.
    fn accepts(self, ours: &Tree, reference: &Tree) -> bool {
        match self {
            Allowed::Order => sorted(&ours.items) == sorted(&reference.items),
            Allowed::OrderBehindCursor => match (&ours.items[..], &reference.items[..]) {
                ([one, ours], [other, reference]) => {
                    one == other && sorted(&ours.items) == sorted(&reference.items)
                }
                _ => false,
            },
            Allowed::OrderOfPairs => sorted_pairs(ours) == sorted_pairs(reference),
            Allowed::OrderOfColumns => {
                let (ours, reference) = (columns(ours), columns(reference));
                !ours.is_empty() && ours == reference
            }
            Allowed::Distance(limit) => match (ours.integer(), reference.integer()) {
                (Some(ours), Some(reference)) if ours >= 0 && reference >= 0 => {
                    ours.abs_diff(reference) <= limit as u64
                }
                _ => false,
            },
            Allowed::Digits => same_numbers(ours, reference),
            Allowed::Places => {
                let mut rows = ours.items.iter().zip(&reference.items);
                ours.items.len() == reference.items.len()
                    && rows.all(|(ours, reference)| same_place(ours, reference))
            }
            Allowed::DigitsBehindCursor => match (&ours.items[..], &reference.items[..]) {
                ([one, ours], [other, reference]) => {
                    let (ours, reference) = (sorted_pairs(ours), sorted_pairs(reference));
                    let same = |(a, b): (&&[Tree], &&[Tree])| {
                        a.len() == b.len() && a.iter().zip(*b).all(|(a, b)| same_numbers(a, b))
                    };
                    one == other
                        && ours.len() == reference.len()
                        && ours.iter().zip(&reference).all(same)
                }
                _ => false,
            },
            Allowed::Value => true,
            Allowed::Values => same_places(ours, reference),
            Allowed::IdleTimes => without_times(ours) == without_times(reference),
            Allowed::KnownKey => is_known_key(&ours.text),
            Allowed::LaterEncoding => LATER_ENCODINGS
                .iter()
                .any(|(old, new)| reference.text == *old && ours.text == *new),
            Allowed::CommandDetails => command_heads(ours) == command_heads(reference),
        }
    }
}

fn same_numbers(ours: &Tree, reference: &Tree) -> bool {
    let number = |tree: &Tree| std::str::from_utf8(&tree.text).ok()?.parse::<f64>().ok();
    let is_near = |a: f64, b: f64| a == b || (a - b).abs() < 1.5e-4;
    let same_text = ours.text == reference.text
        || (matches!(ours.sign, b'$' | b',')
            && number(ours)
                .zip(number(reference))
                .is_some_and(|(a, b)| is_near(a, b)));
    ours.sign == reference.sign
        && ours.items.len() == reference.items.len()
        && same_text
        && ours
            .items
            .iter()
            .zip(&reference.items)
            .all(|(a, b)| same_numbers(a, b))
}

/// Rows whose numbers are the same, whatever the name before them; what is no row must be the same itself.
fn same_place(ours: &Tree, reference: &Tree) -> bool {
    match (&ours.items[..], &reference.items[..]) {
        ([_, ours @ ..], [_, reference @ ..]) if !ours.is_empty() => {
            let mut cells = ours.iter().zip(reference);
            ours.len() == reference.len() && cells.all(|(a, b)| same_numbers(a, b))
        }
        _ => same_numbers(ours, reference),
    }
}

fn sorted(items: &[Tree]) -> Vec<&Tree> {
    let mut items: Vec<&Tree> = items.iter().collect();
    items.sort();
    items
}

fn sorted_pairs(tree: &Tree) -> Vec<&[Tree]> {
    let mut pairs: Vec<&[Tree]> = tree.items.chunks(2).collect();
    pairs.sort();
    pairs
}

fn columns(tree: &Tree) -> Vec<Vec<&Tree>> {
    let width = tree
        .items
        .iter()
        .map(|row| row.items.len())
        .max()
        .unwrap_or(0);
    let column = |number: usize| {
        let mut cells: Vec<&Tree> = tree
            .items
            .iter()
            .filter_map(|row| row.items.get(number))
            .collect();
        cells.sort();
        cells
    };
    (0..width).map(column).collect()
}

fn same_places(ours: &Tree, reference: &Tree) -> bool {
    let mut pairs = ours.items.iter().zip(&reference.items).enumerate();
    ours.sign == reference.sign
        && ours.items.len() == reference.items.len()
        && pairs.all(|(index, (a, b))| match (ours.sign, index % 2) {
            (b'%', 0) => a == b,
            _ => same_places(a, b),
        })
}

/// The cells of XPENDING's rows but the idle time; what is no such row as it is.
fn without_times(tree: &Tree) -> Vec<Vec<&Tree>> {
    let cells = |entry: &'_ Tree| entry.items.len() == 4;
    let rows = tree.items.iter().map(|entry| match cells(entry) {
        true => [0, 1, 3].map(|at| &entry.items[at]).to_vec(),
        false => vec![entry],
    });
    rows.collect()
}

/// Name, arity, flags, first key, last key, step and categories of each entry.
fn command_heads(tree: &Tree) -> Vec<Vec<Tree>> {
    let head = |entry: &Tree| {
        let mut head: Vec<Tree> = entry.items.iter().take(7).cloned().collect();
        head.iter_mut().for_each(|part| part.items.sort());
        head
    };
    tree.items.iter().map(head).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accepts(command: &str, ours: &str, reference: &str) -> bool {
        let args = command.split(' ').map(|word| word.as_bytes().to_vec());
        let queued = [vec![b"INCR".to_vec()], vec![b"TTL".to_vec()]];
        Comparison::default().accepts(
            &args.collect(),
            &queued,
            ours.as_bytes(),
            reference.as_bytes(),
        )
    }

    #[test]
    fn differences_are_accepted_where_the_table_says_so_and_nowhere_else() {
        for (command, ours, reference, expected) in [
            ("GET k", "+a\r\n", "+a\r\n", true),
            ("GET k", "$1\r\na\r\n", "+a\r\n", false),
            ("GET k", "$-1\r\n", "*-1\r\n", false),
            ("KEYS *", "*2\r\n+a\r\n+b\r\n", "*2\r\n+b\r\n+a\r\n", true),
            ("KEYS *", "*2\r\n+a\r\n+b\r\n", "*1\r\n+a\r\n", false),
            ("pTTL k", ":1000\r\n", ":5000\r\n", true),
            ("TTL k", ":-1\r\n", ":1\r\n", false),
            ("TTL k", "-ERR a\r\n", "-ERR b\r\n", false),
            ("RANDOMKEY", "+k1\r\n", "+k2\r\n", true),
            ("RANDOMKEY", "$-1\r\n", "$1\r\na\r\n", false),
            ("OBJECT ENCODING k", "+listpack\r\n", "+quicklist\r\n", true),
            ("OBJECT ENCODING k", "+raw\r\n", "+embstr\r\n", false),
            ("HELLO", "%1\r\n+id\r\n:1\r\n", "%1\r\n+id\r\n:2\r\n", true),
            ("HELLO", "%1\r\n+id\r\n:1\r\n", "%1\r\n+nr\r\n:1\r\n", false),
            ("EXEC", "*2\r\n:1\r\n:10\r\n", "*2\r\n:1\r\n:11\r\n", true),
            ("EXEC", "*2\r\n:1\r\n:10\r\n", "*2\r\n:2\r\n:10\r\n", false),
            (
                "UNSUBSCRIBE",
                "*2\r\n+a\r\n:0\r\n",
                "*2\r\n+b\r\n:0\r\n",
                false,
            ),
        ] {
            assert_eq!(
                accepts(command, ours, reference),
                expected,
                "{command}: {ours:?}, {reference:?}"
            );
        }
    }
}
