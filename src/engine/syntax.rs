//! The notation of syntax lines, `key value [NX | XX] [EX seconds | PX milliseconds]`, read into a tree: what COMMAND DOCS
//! tells of a command's arguments, and how many words it takes.
//!
//! Lower-case words are arguments, others are literal tokens; `[ ]` is optional, `< >` groups, `|` separates alternatives,
//! `...` repeats: `[value ...]` what stands before it, `value [value ...]` the words before the brackets.

/// What an argument is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind<'s> {
    /// A literal word.
    Token,
    /// A word that the caller chooses.
    Value,
    /// One of several.
    OneOf(Vec<Argument<'s>>),
    /// Several in a row.
    Block(Vec<Argument<'s>>),
}

/// An argument of a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Argument<'s> {
    /// Its name; empty for groups, which take theirs from what they hold.
    pub name: &'s str,
    /// What it is.
    pub kind: Kind<'s>,
    /// The literal word before it, or that it is.
    pub token: Option<&'s str>,
    /// Whether it may be missing.
    pub is_optional: bool,
    /// Whether it may be repeated.
    pub is_multiple: bool,
    /// Whether a repetition repeats the token too.
    pub repeats_token: bool,
}

impl<'s> Argument<'s> {
    fn new(name: &'s str, kind: Kind<'s>, token: Option<&'s str>) -> Self {
        Self {
            name,
            kind,
            token,
            is_optional: false,
            is_multiple: false,
            repeats_token: false,
        }
    }

    /// Several arguments as one.
    fn of_sequence(mut sequence: Vec<Self>, token: Option<&'s str>) -> Self {
        match sequence.len() {
            1 if token.is_none() || sequence[0].token.is_none() => {
                let only = sequence.remove(0);
                Self {
                    token: token.or(only.token),
                    ..only
                }
            }
            _ => Self::new("", Kind::Block(sequence), token),
        }
    }

    /// The fewest words that it takes, and whether it may take more.
    fn words(&self) -> (i32, bool) {
        let (own, is_open) = match &self.kind {
            Kind::Token => (0, false),
            Kind::Value => (1, false),
            Kind::Block(items) => words_of(items),
            Kind::OneOf(choices) => {
                let words = || choices.iter().map(Self::words);
                let least = words().map(|(words, _)| words).min().unwrap_or(0);
                (least, words().any(|choice| choice != (least, false)))
            }
        };
        match self.is_optional {
            true => (0, true),
            false => {
                let words = own + i32::from(self.token.is_some());
                (words, is_open || self.is_multiple)
            }
        }
    }
}

fn words_of(items: &[Argument<'_>]) -> (i32, bool) {
    let words = items.iter().map(Argument::words);
    words.fold((0, false), |(sum, any), (words, is_open)| {
        (sum + words, any || is_open)
    })
}

/// Counts the words that a syntax line asks for behind a name of some words: positive when their number is fixed.
pub fn arity(syntax: &str, words_of_name: i32) -> i32 {
    let (words, is_open) = words_of(&parse(syntax));
    let words = words + words_of_name;
    if is_open { -words } else { words }
}

/// Reads a syntax line.
pub fn parse(syntax: &str) -> Vec<Argument<'_>> {
    let (choices, _) = choices(&mut Lexer { rest: syntax });
    match &choices[..] {
        [sequence] => arguments(sequence),
        _ => vec![one_of(&choices)],
    }
}

/// What stands in a line, before its meaning.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Item<'s> {
    Word(&'s str),
    /// `< >`, and whether it ends with `...`.
    Group(Vec<Vec<Item<'s>>>, bool),
    /// `[ ]`, and whether it ends with `...`.
    Optional(Vec<Vec<Item<'s>>>, bool),
    /// `x [x ...]`
    Repeated(Vec<Item<'s>>),
}

struct Lexer<'s> {
    rest: &'s str,
}

impl<'s> Iterator for Lexer<'s> {
    type Item = &'s str;

    /// The next bracket, bar or word.
    fn next(&mut self) -> Option<&'s str> {
        const SIGNS: [char; 5] = ['[', ']', '<', '>', '|'];
        self.rest = self.rest.trim_start();
        let first = self.rest.chars().next()?;
        let len = match SIGNS.contains(&first) {
            true => 1,
            false => self
                .rest
                .find(|c| c == ' ' || SIGNS.contains(&c))
                .unwrap_or(self.rest.len()),
        };
        let (word, rest) = self.rest.split_at(len);
        self.rest = rest;
        Some(word)
    }
}

/// Alternatives up to the closing bracket, and whether they end with `...`.
fn choices<'s>(lexer: &mut Lexer<'s>) -> (Vec<Vec<Item<'s>>>, bool) {
    let (mut all, mut current, mut repeats) = (Vec::new(), Vec::new(), false);
    while let Some(word) = lexer.next() {
        match word {
            "]" | ">" => break,
            "|" => all.push(std::mem::take(&mut current)),
            "..." => repeats = true,
            "<" => {
                let (inner, repeats) = choices(lexer);
                current.push(Item::Group(inner, repeats));
            }
            "[" => {
                let (inner, repeats) = choices(lexer);
                match &inner[..] {
                    [repeated] if repeats && current.ends_with(repeated) => {
                        current.truncate(current.len() - repeated.len());
                        current.push(Item::Repeated(repeated.clone()));
                    }
                    _ => current.push(Item::Optional(inner, repeats)),
                }
            }
            word => current.push(Item::Word(word)),
        }
    }
    all.push(current);
    (all, repeats)
}

fn is_token(word: &str) -> bool {
    !word.chars().any(|c| c.is_ascii_lowercase())
}

/// Whether an item is a value, or a repeated one: what may belong to the token before it.
fn is_value(item: &Item<'_>) -> bool {
    match item {
        Item::Word(word) => !is_token(word),
        Item::Repeated(items) => items.iter().all(is_value),
        _ => false,
    }
}

fn arguments<'s>(items: &[Item<'s>]) -> Vec<Argument<'s>> {
    let (mut all, mut at) = (Vec::new(), 0);
    while at < items.len() {
        let (argument, used) = match &items[at] {
            Item::Word(token) if is_token(token) => with_token(token, &items[at + 1..]),
            item => (argument(item), 1),
        };
        all.push(argument);
        at += used;
    }
    all
}

/// A token with what belongs to it: the values behind it, or one group.
fn with_token<'s>(token: &'s str, rest: &[Item<'s>]) -> (Argument<'s>, usize) {
    let values = rest.iter().take_while(|item| is_value(item)).count();
    match rest.first() {
        _ if values > 0 => {
            let values: Vec<_> = rest[..values].iter().map(argument).collect();
            let used = 1 + values.len();
            (Argument::of_sequence(values, Some(token)), used)
        }
        Some(group @ Item::Group(..)) => {
            let group = Argument::of_sequence(vec![argument(group)], Some(token));
            (group, 2)
        }
        _ => (Argument::new(token, Kind::Token, Some(token)), 1),
    }
}

fn argument<'s>(item: &Item<'s>) -> Argument<'s> {
    match item {
        Item::Word(word) => Argument::new(word, Kind::Value, None),
        Item::Repeated(items) => {
            let unit = Argument::of_sequence(arguments(items), None);
            Argument {
                is_multiple: true,
                repeats_token: unit.token.is_some(),
                ..unit
            }
        }
        Item::Group(choices, repeats) => {
            let group = one_of(choices);
            Argument {
                is_multiple: group.is_multiple || *repeats,
                ..group
            }
        }
        Item::Optional(choices, repeats) => {
            let group = one_of(choices);
            Argument {
                is_optional: true,
                is_multiple: group.is_multiple || *repeats,
                ..group
            }
        }
    }
}

fn one_of<'s>(choices: &[Vec<Item<'s>>]) -> Argument<'s> {
    let mut sequences = choices.iter().map(|items| arguments(items));
    match choices.len() {
        1 => Argument::of_sequence(sequences.next().unwrap_or_default(), None),
        _ => {
            let choices = sequences.map(|sequence| Argument::of_sequence(sequence, None));
            Argument::new("", Kind::OneOf(choices.collect()), None)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A short form of the tree: `?` optional, `*` multiple, `**` with its token, `TOKEN:` before what it introduces.
    fn shown(arguments: &[Argument<'_>]) -> String {
        let one = |argument: &Argument<'_>| {
            let list = |items: &[Argument<'_>], between: &str| {
                let items: Vec<_> = items
                    .iter()
                    .map(|item| shown(std::slice::from_ref(item)))
                    .collect();
                format!("({})", items.join(between))
            };
            let mut text = match (&argument.kind, argument.token) {
                (Kind::Token, _) | (Kind::Value, None) => argument.name.to_owned(),
                (Kind::Value, Some(token)) => format!("{token}:{}", argument.name),
                (Kind::OneOf(choices), token) => {
                    token.map_or(String::new(), |token| format!("{token}:")) + &list(choices, "|")
                }
                (Kind::Block(items), token) => {
                    token.map_or(String::new(), |token| format!("{token}:")) + &list(items, " ")
                }
            };
            for (is_so, sign) in [
                (argument.is_optional, "?"),
                (argument.is_multiple, "*"),
                (argument.repeats_token, "*"),
            ] {
                text += if is_so { sign } else { "" };
            }
            text
        };
        arguments.iter().map(one).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn lines_become_trees() {
        for (line, tree) in [
            ("", ""),
            ("key", "key"),
            ("key [key ...]", "key*"),
            ("[key [key ...]]", "key?*"),
            ("[value ...]", "value?*"),
            ("key value [key value ...]", "(key value)*"),
            ("[NX | XX] [GET]", "(NX|XX)? GET?"),
            ("[EX seconds | KEEPTTL]", "(EX:seconds|KEEPTTL)?"),
            ("[AUTH username password]", "AUTH:(username password)?"),
            ("[GET pattern [GET pattern ...]]", "GET:pattern?**"),
            ("[ID id [id ...]]", "ID:id?*"),
            ("STREAMS key [key ...] id [id ...]", "STREAMS:(key* id*)"),
            ("<ON | OFF>", "(ON|OFF)"),
            (
                "[FILTERBY <MODULE name | ACLCAT category>]",
                "FILTERBY:(MODULE:name|ACLCAT:category)?",
            ),
            (
                "<* | id> field value [field value ...]",
                "(*|id) (field value)*",
            ),
            ("[COUNT count [ANY]]", "(COUNT:count ANY?)?"),
            (
                "<MAXLEN | MINID> [= | ~] threshold",
                "(MAXLEN|MINID) (=|~)? threshold",
            ),
        ] {
            assert_eq!(shown(&parse(line)), tree, "{line}");
        }
    }

    #[test]
    fn words_are_counted() {
        for (line, words) in [
            ("", 1),
            ("key", 2),
            ("key [key ...]", -2),
            ("[message]", -1),
            ("[username] password", -2),
            (
                "key value [NX | XX] [GET] [EX seconds | PX milliseconds]",
                -3,
            ),
            ("key value [key value ...]", -3),
            ("<ON | OFF>", 2),
            ("<LIB-NAME libname | LIB-VER libver>", 3),
            ("<YES | NO x>", -2),
            ("key <BEFORE | AFTER> pivot element", 5),
        ] {
            assert_eq!(arity(line, 1), words, "{line}");
        }
    }
}
