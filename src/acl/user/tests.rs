//! Rules and what they amount to, rights and what they let through.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::acl::catalog::Entry;
use crate::acl::selector::Access;
use crate::resp::args::OwnedArgs;

const DEFAULTS: Defaults = Defaults {
    all_channels: false,
};
const CATEGORIES: &[&str] = &["read", "write", "admin"];

/// get (read), set (write), config (a container) with get and set (admin), select.
fn catalog() -> Catalog {
    let entry = |name: &str, categories, parent, subcommands: &[usize]| Entry {
        name: name.into(),
        categories,
        parent,
        subcommands: subcommands.to_vec(),
    };
    Catalog::new(
        CATEGORIES,
        vec![
            entry("get", 1, None, &[]),
            entry("set", 2, None, &[]),
            entry("config", 0, None, &[3, 4]),
            entry("config|get", 4, Some(2), &[]),
            entry("config|set", 4, Some(2), &[]),
            entry("select", 0, None, &[]),
        ],
    )
}

fn user(rules: &str) -> Result<User, Refused> {
    let words = rules.split(' ').map(str::as_bytes);
    User::new(b"ann", 1, &catalog(), DEFAULTS).with(&catalog(), DEFAULTS, words)
}

fn described(rules: &str) -> String {
    let user = user(rules).unwrap_or_else(|refused| panic!("{rules}: {refused:?}"));
    String::from_utf8_lossy(&user.describe()).into_owned()
}

fn may(user: &User, command: usize, line: &str, keys: &[(usize, Access)]) -> Result<(), Denial> {
    let args = OwnedArgs::copy(line.split(' ').map(str::as_bytes));
    user.check(&Wish {
        command: Some(command),
        args: args.view(),
        name_words: 1 + usize::from(matches!(command, 3 | 4)),
        keys,
        channels: &[],
        are_patterns: false,
    })
}

#[test]
fn descriptions_are_those_of_redis() {
    for (rules, expected) in [
        ("on", "on sanitize-payload resetchannels -@all"),
        (
            "+@all -@write +set",
            "off sanitize-payload resetchannels +@all -@write +set",
        ),
        (
            "+GET +get +GeT",
            "off sanitize-payload resetchannels -@all +get",
        ),
        (
            "+config|get +config",
            "off sanitize-payload resetchannels -@all +config",
        ),
        (
            "+config -config|get +config|get",
            "off sanitize-payload resetchannels -@all +config +config|get",
        ),
        (
            "+@read +@write +@read",
            "off sanitize-payload resetchannels -@all +@write +@read",
        ),
        (
            "+select|1 +select|0 +SELECT|1",
            "off sanitize-payload resetchannels -@all +select|0 +select|1",
        ),
        (
            "+get allcommands",
            "off sanitize-payload resetchannels +@all",
        ),
        (
            "~a %R~b %w~c %rw~d %R~e %W~e",
            "off sanitize-payload ~a %R~b %W~c ~d ~e resetchannels -@all",
        ),
        ("%RW~*", "off sanitize-payload ~* resetchannels -@all"),
        ("allkeys allchannels", "off sanitize-payload ~* &* -@all"),
        ("&a &b &a", "off sanitize-payload resetchannels &a &b -@all"),
        (
            "nopass skip-sanitize-payload",
            "off nopass skip-sanitize-payload resetchannels -@all",
        ),
        (
            "(+get ~a) (allcommands &x)",
            "off sanitize-payload resetchannels -@all (~a resetchannels -@all +get) (resetchannels &x +@all)",
        ),
        (
            "()",
            "off sanitize-payload resetchannels -@all (resetchannels -@all)",
        ),
        (
            "on +get ~x >p (+set) reset",
            "off sanitize-payload resetchannels -@all",
        ),
        (
            "(+get) clearselectors",
            "off sanitize-payload resetchannels -@all",
        ),
        (
            "~a resetkeys ~b",
            "off sanitize-payload ~b resetchannels -@all",
        ),
    ] {
        assert_eq!(described(rules), expected, "{rules}");
    }
}

#[test]
fn nonsense_is_refused() {
    for (rules, error) in [
        ("+nothing", RuleError::Unknown),
        ("-get|x", RuleError::Unknown),
        ("+get|a|b", RuleError::Unknown),
        ("+@nothing", RuleError::Unknown),
        ("+config|nothing", RuleError::Unknown),
        ("+config|", RuleError::Syntax),
        ("+get|", RuleError::Syntax),
        ("+config|get|x", RuleError::FirstArgumentOfSubcommand),
        ("nonsense", RuleError::Syntax),
        ("%~a", RuleError::Syntax),
        ("%", RuleError::Syntax),
        ("%RW", RuleError::Syntax),
        ("%RR~a", RuleError::Syntax),
        ("%X~a", RuleError::Syntax),
        ("((+get))", RuleError::Syntax),
        ("(on)", RuleError::Syntax),
        ("(\"+get)", RuleError::Syntax),
        (")", RuleError::Syntax),
        ("allkeys ~a", RuleError::KeysAfterAll),
        ("allchannels &a", RuleError::ChannelsAfterAll),
        ("<p", RuleError::NoSuchPassword),
        ("#12", RuleError::BadHash),
        ("!12", RuleError::BadHash),
    ] {
        let last = rules.split(' ').next_back().unwrap_or_default();
        let refused = Refused::Rule(last.as_bytes().to_vec(), error);
        assert_eq!(user(rules).err(), Some(refused), "{rules}");
    }
    assert!(matches!(user("(+get").err(), Some(Refused::Unmatched(_))));
}

#[test]
fn one_selector_must_allow_everything() {
    let ann = user("+get ~a* %W~w (+set ~s) (+select|0 +@all -@read)").expect("a user");
    let read = &[(1, Access::READ)][..];
    let write = &[(1, Access::WRITE)][..];
    let denied = |reason, at| Err(Denial { reason, at });
    assert_eq!(may(&ann, 0, "get abc", read), Ok(()));
    assert_eq!(may(&ann, 0, "get b", read), denied(Reason::Key, 1));
    assert_eq!(may(&ann, 0, "get w", write), Ok(()));
    assert_eq!(may(&ann, 0, "get w", read), denied(Reason::Key, 1));
    assert_eq!(may(&ann, 1, "set s", write), Ok(()));
    assert_eq!(may(&ann, 1, "set a", write), denied(Reason::Key, 1));
    assert_eq!(may(&ann, 3, "config get", &[]), Ok(()));
    let bob = user("+select|0 +config|set").expect("a user");
    assert_eq!(may(&bob, 5, "select 0", &[]), Ok(()));
    assert_eq!(may(&bob, 5, "select 1", &[]), denied(Reason::Command, 0));
    assert_eq!(may(&bob, 5, "select", &[]), denied(Reason::Command, 0));
    assert_eq!(may(&bob, 3, "config get", &[]), denied(Reason::Command, 0));
    assert_eq!(may(&bob, 4, "config set", &[]), Ok(()));
}

#[test]
fn only_who_may_do_everything_is_unrestricted() {
    for (rules, expected) in [
        ("+@all ~* &*", true),
        ("(+@all ~* &*)", true),
        ("+@all ~* &* -get", false),
        ("+@all ~* &* -get +get", false),
        ("+@all ~*", false),
        ("+@all &*", false),
        ("~* &*", false),
    ] {
        let user = user(rules).expect(rules);
        assert_eq!(user.is_unrestricted(), expected, "{rules}");
    }
}

#[test]
fn channels_are_kept_or_lost() {
    for (old, new, expected) in [
        ("&a", "&a &b", true),
        ("&a &b", "&a", false),
        ("&a", "allchannels", true),
        ("allchannels", "&a", false),
        ("&a (&b)", "&b (&a)", true),
        ("on", "off", true),
        ("allchannels", "(allchannels)", true),
    ] {
        let (old, new) = (user(old).expect(old), user(new).expect(new));
        assert_eq!(old.keeps_channels_as(&new), expected);
    }
}

#[test]
fn very_many_rules_take_no_time_to_speak_of() {
    let rules: Vec<String> = (0..100_000)
        .map(|n| match n % 4 {
            0 => format!("+select|{n}"),
            1 => format!("~key:{n}:*"),
            2 => format!("&channel:{n}"),
            _ => format!(">password{n}"),
        })
        .collect();
    let words = rules.iter().map(String::as_bytes);
    let many = User::new(b"ann", 1, &catalog(), DEFAULTS)
        .with(&catalog(), DEFAULTS, words)
        .expect("a user");
    let text = many.describe();
    let again = User::new(b"ann", 1, &catalog(), DEFAULTS)
        .with(&catalog(), DEFAULTS, text.split(|&byte| byte == b' '))
        .expect("the same user");
    assert_eq!(again.describe(), text);
    let stars = format!("~{}b", "*a".repeat(1000));
    let greedy = user(&format!("+get {stars}")).expect("a user");
    let line = format!("get {}", "a".repeat(100_000));
    assert!(may(&greedy, 0, &line, &[(1, Access::READ)]).is_err());
}

const RULES: &[&str] = &[
    "+get",
    "-get",
    "+set",
    "-set",
    "+config",
    "-config",
    "+config|get",
    "-config|get",
    "+config|set",
    "-config|set",
    "+select",
    "-select",
    "+select|0",
    "+select|1",
    "+@all",
    "-@all",
    "+@read",
    "-@read",
    "+@write",
    "-@write",
    "+@admin",
    "-@admin",
    "~a*",
    "%R~b*",
    "%W~b*",
    "resetkeys",
    "&c*",
    "resetchannels",
    "on",
    "off",
    "(+get ~x)",
    "(+@all -set &d)",
    "clearselectors",
    ">p",
    "nopass",
    "resetpass",
];

proptest! {
    /// What a user is described by makes such a user, and the rules mean what they say one after the other.
    #[test]
    fn descriptions_make_the_same_user(chosen in prop::collection::vec(0..RULES.len(), 0..40)) {
        let (mut bits, mut words, mut rules) = (BTreeSet::new(), BTreeSet::new(), Vec::new());
        for rule in chosen.iter().map(|&at| RULES[at]) {
            rules.push(rule);
            let set: &[usize] = match &rule[1..] {
                "get" | "@read" => &[0],
                "set" | "@write" => &[1],
                "config" => &[2, 3, 4],
                "config|get" => &[3],
                "config|set" => &[4],
                "@admin" => &[3, 4],
                "select" => &[5],
                "@all" => &[0, 1, 2, 3, 4, 5],
                "select|0" | "select|1" => {
                    words.insert(&rule[8..]);
                    continue;
                }
                _ => continue,
            };
            if set.contains(&5) {
                words.clear();
            }
            for command in set {
                match rule.starts_with('+') {
                    true => bits.insert(*command),
                    false => bits.remove(command),
                };
            }
        }
        let Ok(ann) = user(&format!("x {}", rules.join(" ")).replace("x ", "off ")) else {
            return Err(TestCaseError::fail("refused"));
        };
        let text = String::from_utf8_lossy(&ann.describe()).into_owned();
        prop_assert_eq!(described(&text), text.clone());
        let again = user(&text).expect("the same user");
        for user in [&ann, &again] {
            let mut root = user.clone();
            root.selectors.clear();
            for command in 0..6 {
                prop_assert_eq!(may(&root, command, "x", &[]).is_ok(), bits.contains(&command), "{}", text);
            }
            for word in ["0", "1", "2"] {
                let line = format!("select {word}");
                let expected = bits.contains(&5) || words.contains(word);
                prop_assert_eq!(may(&root, 5, &line, &[]).is_ok(), expected, "{}", text);
            }
        }
    }

    #[test]
    fn no_rule_panics(rule in prop::collection::vec(any::<u8>(), 0..20), sign in prop::sample::select(b"+-~%&()<>#!@x".to_vec())) {
        let rule = [&[sign][..], &rule].concat();
        let words = [&rule[..]].into_iter();
        let _ = User::new(b"ann", 1, &catalog(), DEFAULTS).with(&catalog(), DEFAULTS, words);
    }
}
