//! Whether scripts need more than the locks of the keys that they declare.

use super::Engine;
use super::command::{Begin, Find, flags};
use super::table::{Locks, Spec};
use crate::resp::args::{Args, OwnedArgs};
use crate::scripting::reach::{Called, Word};

/// Commands of a script that take longer than fast ones.
const MOST_SLOW: usize = 16;
/// Words that may follow and are not known: so many are tried. Keys stand at regular places, so more would show nothing new.
const MOST_REST: usize = 6;

impl Engine {
    /// Whether commands as a script calls them touch only keys that the script declares, and are over soon.
    pub fn keep_to_their_keys(&self, calls: &[Called]) -> bool {
        let mut slow = 0;
        calls.iter().all(|called| {
            let Some(spec) = self.spec_of(called) else {
                return false;
            };
            let is_fast = spec.has(flags::FAST) || spec.has(flags::BRIEF);
            slow += usize::from(!is_fast);
            let is_brief = (is_fast || !called.is_repeated)
                && (!called.is_repeated_often || moves_little(spec, called));
            slow <= MOST_SLOW && is_brief && keeps_to_its_keys(spec, called)
        })
    }

    /// The command that is called, if that does not depend on anything.
    fn spec_of(&self, called: &Called) -> Option<&Spec> {
        let text = |at: usize| match called.words.get(at) {
            Some(Word::Text(text)) => Some(&**text),
            _ => None,
        };
        let spec = self.commands.find(text(0)?)?;
        match spec.subcommands.is_empty() {
            true => Some(spec).filter(|spec| spec.parent.is_none()),
            false => self.commands.subcommand(spec, text(1)?),
        }
    }
}

/// Whether a call neither gives nor takes a text that may be long, so that thousands of them are over soon. What needs
/// memory and is fast does not give what is there but where it takes its place.
fn moves_little(spec: &Spec, called: &Called) -> bool {
    let is_short = |word: &Word| !matches!(word, Word::Other);
    spec.has(flags::DENYOOM) && called.rest.is_none() && called.words.iter().all(is_short)
}

/// Whether a call touches only what the script has locked, whatever is not known of its words.
fn keeps_to_its_keys(spec: &Spec, called: &Called) -> bool {
    if spec.has(flags::NOSCRIPT) || spec.runs_script() || !are_where_they_seem(spec, called) {
        return false;
    }
    let rest = match called.rest {
        Some(_) => MOST_REST,
        None => 0,
    };
    (0..=rest).all(|rest| {
        let words = called
            .words
            .iter()
            .chain(called.rest.iter().cycle().take(rest));
        let words: Vec<&Word> = words.collect();
        // Any other number of words is an error.
        !spec.accepts(words.len()) || keys_are_keys(spec, &words)
    })
}

/// Whether the places of a command's keys depend on nothing but the number of its words, or on words that are known.
fn are_where_they_seem(spec: &Spec, called: &Called) -> bool {
    spec.command
        .keys
        .iter()
        .all(|key| match (key.begin, key.find) {
            (Begin::Index(_), Find::Range { .. }) => true,
            (Begin::Index(begin), Find::Count { at, .. }) => {
                matches!(called.words.get(begin + at), Some(Word::Text(_)))
            }
            _ => false,
        })
}

fn keys_are_keys(spec: &Spec, words: &[&Word]) -> bool {
    let is_key = |at: usize| matches!(words.get(at), Some(Word::Key));
    match spec.locks {
        // What looks at all of the data would see what others do meanwhile.
        Locks::Nothing => spec.has(flags::FAST) && !spec.has(flags::READONLY),
        Locks::One(at) => is_key(at),
        Locks::Keys => {
            let words = words.iter().map(|word| match word {
                Word::Text(text) => &**text,
                Word::Key | Word::Other => b"?",
            });
            let args = OwnedArgs::copy(words);
            all_keys(spec, args.view(), is_key)
        }
        Locks::Everything | Locks::Walk | Locks::Transaction => false,
    }
}

fn all_keys(spec: &Spec, args: Args<'_>, is_key: impl Fn(usize) -> bool) -> bool {
    let mut are_keys = true;
    let make_sense = spec.for_each_key(args, |at, _| are_keys &= is_key(at));
    make_sense && are_keys
}
