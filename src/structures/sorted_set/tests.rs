//! Sorted sets against a naive model: a list that is sorted anew for each question.

use proptest::prelude::*;

use super::*;

const LIMITS: Limits = Limits {
    entries: 12,
    value: 20,
};

type Model = Vec<(f64, Vec<u8>)>;

fn contents(set: &SortedSet) -> Model {
    let bytes = |item: Item<'_>| item.as_bytes(&mut itoa::Buffer::new()).to_vec();
    let up: Model = set
        .iter()
        .map(|(member, score)| (score, bytes(member)))
        .collect();
    let mut down: Model = set
        .entries(0..set.len(), Direction::Down)
        .map(|(member, score)| (score, bytes(member)))
        .collect();
    down.reverse();
    assert_eq!(up, down);
    up
}

fn sort(model: &mut Model) {
    model.sort_by(|a, b| a.partial_cmp(b).unwrap());
}

#[test]
fn conversion_follows_the_limits() {
    let limits = Limits {
        entries: 2,
        value: 3,
    };
    let mut set = SortedSet::default();
    set.set(b"abc", 1.0, limits);
    set.set(b"12", -0.5, limits);
    set.set(b"abc", 2.0, limits);
    assert_eq!(set.encoding(), "listpack");
    let mut long = set.clone();
    long.remove(b"abc");
    long.set(b"abcd", 1.0, limits);
    set.set(b"x", f64::INFINITY, limits);
    assert_eq!((set.encoding(), long.encoding()), ("skiplist", "skiplist"));
    let expected = [
        (-0.5, b"12".to_vec()),
        (2.0, b"abc".to_vec()),
        (f64::INFINITY, b"x".to_vec()),
    ];
    assert_eq!(contents(&set), expected);
    assert_eq!(SortedSet::for_members(3, 1, limits).encoding(), "skiplist");
    assert_eq!(SortedSet::for_members(2, 4, limits).encoding(), "skiplist");
    assert_eq!(SortedSet::for_members(2, 3, limits).encoding(), "listpack");
}

#[test]
fn listpacks_from_outside_are_checked() {
    let of = |items: &[&[u8]]| SortedSet::from_listpack(items.iter().copied().collect());
    assert!(of(&[b"a", b"1", b"b", b"1", b"0", b"1.5"]).is_some());
    for bad in [
        &[&b"a"[..]][..],
        &[b"a", b"x"],
        &[b"a", b"nan"],
        &[b"b", b"1", b"a", b"1"],
        &[b"a", b"2", b"b", b"1"],
        &[b"a", b"1", b"a", b"2"],
    ] {
        assert!(of(bad).is_none(), "{bad:?}");
    }
}

#[test]
fn members_take_little_memory() {
    let mut set = SortedSet::default();
    let count = 50_000;
    for n in 0..count {
        let member = format!("member:{:09}", n * 7_919 % 100_003);
        set.set(member.as_bytes(), f64::from(n * 31 % 65_537), LIMITS);
    }
    let bytes = set.allocated() as f64 / f64::from(count);
    assert!(bytes < 56.0, "{bytes} bytes per member of 16 bytes");
}

#[test]
fn gathered_members_are_sorted_and_packed_where_they_fit() {
    let mut few = Gathering::default();
    few.add(b"b", 1.0, |a, b| a + b);
    few.add(b"a", 3.0, |a, b| a + b);
    few.add(b"b", 1.5, |a, b| a + b);
    few.add(b"c", 1.5, |a, b| a + b);
    few.remove(b"c");
    let set = SortedSet::of_gathered(few, LIMITS);
    assert_eq!(set.encoding(), "listpack");
    assert_eq!(contents(&set), [(2.5, b"b".to_vec()), (3.0, b"a".to_vec())]);
}

fn member() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        "[a-c]{0,3}".prop_map(String::into_bytes),
        (-20i64..200).prop_map(|n| n.to_string().into_bytes()),
        Just(vec![b'x'; 25]),
    ]
}

fn score() -> impl Strategy<Value = f64> {
    prop_oneof![
        (-5i32..5).prop_map(f64::from),
        (-9i32..9).prop_map(|n| f64::from(n) / 4.0),
        Just(f64::INFINITY),
        Just(f64::NEG_INFINITY),
        Just(1e300),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]
    #[test]
    fn agrees_with_a_sorted_list(
        steps in prop::collection::vec((0u8..6, member(), score(), any::<bool>()), 0..400),
        entries in prop_oneof![Just(0usize), Just(12), Just(1_000)],
    ) {
        let limits = Limits { entries, ..LIMITS };
        let (mut set, mut model) = (SortedSet::default(), Model::new());
        for (action, member, score, flag) in steps {
            let known = model.iter().position(|(_, known)| *known == member);
            match action {
                0..=2 => {
                    let change = set.set(&member, score, limits);
                    let expected = Change::from(known.map(|at| model[at].0), score);
                    prop_assert_eq!(change, expected);
                    known.map(|at| model.remove(at));
                    model.push((score, member));
                    sort(&mut model);
                }
                3 => {
                    prop_assert_eq!(set.remove(&member), known.map(|at| model.remove(at).0));
                }
                4 => {
                    prop_assert_eq!(set.rank(&member), known.map(|at| (at, model[at].0)));
                    prop_assert_eq!(set.score(&member), known.map(|at| model[at].0));
                    let range = ScoreRange { min: score, max: score + 2.0, without_min: flag, without_max: !flag };
                    let expected: Vec<_> = model.iter().filter(|(score, _)| range.holds(*score)).collect();
                    let ranks = set.ranks_by_score(&range);
                    prop_assert!(model[ranks].iter().eq(expected));
                }
                _ if flag && !model.is_empty() => {
                    let start = member.len() % model.len();
                    let end = (start + 2).min(model.len());
                    set.remove_ranks(start..end);
                    model.drain(start..end);
                }
                _ => {}
            }
        }
        prop_assert_eq!(contents(&set), model.clone());
        prop_assert_eq!(contents(&set.clone()), model);
    }

    #[test]
    fn what_is_owed_is_shown_as_it_was_whatever_changes(
        before in prop::collection::vec((member(), score()), 0..300),
        shown in 0usize..300,
        steps in prop::collection::vec((0u8..7, member(), score(), 0usize..40), 0..300),
    ) {
        let limits = Limits { entries: 0, ..LIMITS };
        let mut set = SortedSet::default();
        for (member, score) in before {
            set.set(&member, score, limits);
        }
        let (expected, shown) = (contents(&set), shown.min(set.len()));
        let mut seen = expected[set.len() - shown..].to_vec();
        set.owe(shown);
        let mut model = expected.clone();
        for (action, member, score, count) in steps {
            let known = model.iter().position(|(_, known)| *known == member);
            match action {
                0..=2 => {
                    set.set(&member, score, limits);
                    known.map(|at| model.remove(at));
                    model.push((score, member));
                    sort(&mut model);
                }
                3 | 4 => prop_assert_eq!(set.remove(&member), known.map(|at| model.remove(at).0)),
                5 => {
                    let start = member.len() % (model.len() + 1);
                    // Now and then all there is.
                    let end = if count == 0 { model.len() } else { (start + count / 4).min(model.len()) };
                    set.remove_ranks(start..end);
                    model.drain(start..end);
                }
                _ => {
                    if set.pay(count, |member, score| seen.push((score, member.to_vec()))) {
                        set.forgive();
                    }
                }
            }
        }
        prop_assert_eq!(contents(&set), model.clone());
        prop_assert!(!set.clone().is_owing());
        while !set.pay(7, |member, score| seen.push((score, member.to_vec()))) {}
        set.forgive();
        prop_assert!(!set.is_owing());
        sort(&mut seen);
        prop_assert_eq!(seen, expected);
        prop_assert_eq!(contents(&set), model);
    }

    #[test]
    fn ranges_of_members_agree_with_a_filter(
        members in prop::collection::btree_set(member(), 0..40),
        (min, max) in (member(), member()),
        kinds in (0u8..4, 0u8..4),
        entries in prop_oneof![Just(0usize), Just(1_000)],
    ) {
        let bound = |kind, member| match kind {
            0 => LexBound::Lowest,
            1 => LexBound::With(member),
            2 => LexBound::Without(member),
            _ => LexBound::Highest,
        };
        let range = LexRange { min: bound(kinds.0, &min[..]), max: bound(kinds.1, &max[..]) };
        let mut set = SortedSet::default();
        for member in &members {
            set.set(member, 7.0, Limits { entries, ..LIMITS });
        }
        let expected: Vec<&Vec<u8>> = members.iter().filter(|member| !range.is_above(member) && range.reaches(member)).collect();
        let all = contents(&set);
        for direction in [Direction::Up, Direction::Down] {
            let found: Vec<&Vec<u8>> = all[set.ranks_by_lex(&range, direction)].iter().map(|(_, member)| member).collect();
            prop_assert_eq!(&found, &expected);
        }
    }
}
