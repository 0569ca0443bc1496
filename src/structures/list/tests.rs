//! Against a vector of byte strings, with small limits, so that nodes split and merge often.

use proptest::prelude::*;

use super::{End, Limit, List};

fn element() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        4 => (0u8..6).prop_map(|digit| vec![b'a' + digit]),
        3 => (0u8..6).prop_map(|digit| vec![b'a' + digit; 700]),
        2 => any::<i64>().prop_map(|value| value.to_string().into_bytes()),
        2 => (0usize..300).prop_map(|len| vec![b'x'; len]),
        1 => (4000usize..9000).prop_map(|len| vec![b'y'; len]),
    ]
}

fn end() -> impl Strategy<Value = End> {
    prop_oneof![Just(End::Head), Just(End::Tail)]
}

fn contents<'a>(
    items: impl Iterator<Item = crate::structures::listpack::Item<'a>>,
) -> Vec<Vec<u8>> {
    let mut buffer = itoa::Buffer::new();
    items
        .map(|item| item.as_bytes(&mut buffer).to_vec())
        .collect()
}

fn agree(list: &List, model: &[Vec<u8>]) {
    assert_eq!(list.len(), model.len());
    assert_eq!(contents(list.iter()), model);
    let mut backwards = match model.len().checked_sub(1) {
        Some(last) => contents(list.iter_from(last, End::Tail)),
        None => Vec::new(),
    };
    backwards.reverse();
    assert_eq!(backwards, model);
    for (run, (count, entries)) in list.runs().enumerate() {
        assert!(count > 0 || model.is_empty(), "node {run} is empty");
        assert_eq!(super::validate(&entries), Some(count));
    }
}

fn remove_matching(model: &mut Vec<Vec<u8>>, wanted: &[u8], most: usize, from: End) -> usize {
    let matching = |(_, element): &(usize, &Vec<u8>)| *element == wanted;
    let mut places: Vec<usize> = match from {
        End::Head => model
            .iter()
            .enumerate()
            .filter(matching)
            .map(|(at, _)| at)
            .take(most)
            .collect(),
        End::Tail => model
            .iter()
            .enumerate()
            .rev()
            .filter(matching)
            .map(|(at, _)| at)
            .take(most)
            .collect(),
    };
    places.sort_unstable();
    places.iter().rev().for_each(|&at| drop(model.remove(at)));
    places.len()
}

type Step = (u8, End, any_index::Index, usize, Vec<u8>);

mod any_index {
    pub use proptest::sample::Index;
}

fn apply(list: &mut List, model: &mut Vec<Vec<u8>>, limit: Limit, step: Step) {
    let (kind, end, index, count, bytes) = step;
    let at = if model.is_empty() {
        0
    } else {
        index.index(model.len())
    };
    match kind {
        0..=3 => {
            list.grow(limit, bytes.len(), 1);
            list.push(end, &bytes, limit);
            match end {
                End::Head => model.insert(0, bytes),
                End::Tail => model.push(bytes),
            }
        }
        4 | 5 => {
            let expected = match end {
                End::Head => model.first(),
                End::Tail => model.last(),
            };
            assert_eq!(list.end(end).is_some(), expected.is_some());
            if let (Some(item), Some(expected)) = (list.end(end), expected) {
                assert!(item.is(expected));
                list.pop(end);
                model.remove(if end == End::Head { 0 } else { model.len() - 1 });
            }
        }
        6 => {
            list.grow(limit, bytes.len(), 1);
            list.insert(at, &bytes, limit);
            model.insert(at, bytes);
        }
        7 if !model.is_empty() => {
            list.grow(limit, bytes.len(), 1);
            assert!(list.set(at, &bytes, limit));
            model[at] = bytes;
        }
        8 => {
            list.remove_range(at, count);
            model.drain(at..(at + count).min(model.len()));
            list.shrink(limit);
        }
        _ => {
            let most = if count == 0 { usize::MAX } else { count };
            let removed = list.remove_matching(&bytes, most, end);
            assert_eq!(removed, remove_matching(model, &bytes, most, end));
            list.shrink(limit);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn behaves_like_a_vector(
        setting in prop_oneof![Just(-1i64), Just(-2), Just(1), Just(4), Just(32)],
        depth in 0u32..3,
        steps in proptest::collection::vec((0u8..10, end(), any::<any_index::Index>(), 0usize..12, element()), 1..120),
    ) {
        let limit = Limit::of(setting).compressing(depth);
        let (mut list, mut model) = (List::default(), Vec::new());
        for step in steps {
            apply(&mut list, &mut model, limit, step);
            agree(&list, &model);
        }
        for (at, bytes) in model.iter().enumerate() {
            prop_assert!(list.get(at).expect("within").is(bytes));
            prop_assert_eq!(contents(list.iter_from(at, End::Head)), &model[at..]);
            for count in [0, 1, 7, model.len()] {
                let mut shown = Vec::new();
                list.show(at, count, |item| shown.push(item));
                prop_assert_eq!(contents(shown.into_iter()), &model[at..model.len().min(at + count)]);
            }
        }
        prop_assert!(list.get(model.len()).is_none());
        agree(&list.clone(), &model);
        let mut copy = List::default();
        prop_assert!(list.runs().all(|(_, entries)| copy.add_run(&entries, limit)));
        agree(&copy, &model);
    }

    #[test]
    fn what_is_shared_is_shown_as_it_was_whatever_changes(
        setting in prop_oneof![Just(-1i64), Just(-2), Just(1), Just(4), Just(32)],
        depth in 0u32..3,
        rounds in proptest::collection::vec((0usize..5, proptest::collection::vec(
            (0u8..12, end(), any::<any_index::Index>(), 0usize..12, element()), 1..60,
        )), 1..4),
    ) {
        let limit = Limit::of(setting).compressing(depth);
        let (mut list, mut model) = (List::default(), Vec::new());
        for (first, steps) in rounds {
            let runs = list.runs_from(first).map(|(count, entries)| (count, entries.to_vec()));
            let expected: Vec<_> = runs.collect();
            let (mut shared, mut seen) = (list.share_from(first), Vec::new());
            for step in steps {
                if step.0 > 9 {
                    seen.extend(shared.show_next(|count, entries| (count, entries.to_vec())));
                } else {
                    apply(&mut list, &mut model, limit, step);
                    list.forget_read();
                    agree(&list, &model);
                }
            }
            while let Some(run) = shared.show_next(|count, entries| (count, entries.to_vec())) {
                seen.push(run);
            }
            prop_assert!(shared.is_at_end());
            prop_assert_eq!(seen, expected);
        }
    }
}

#[test]
fn sharing_copies_no_elements() {
    let (mut list, limit) = (List::default(), Limit::of(-2));
    for number in 0..100_000 {
        let element = format!("element-{number:08}");
        list.grow(limit, element.len(), 1);
        list.push(End::Tail, element.as_bytes(), limit);
    }
    let before = list.allocated();
    let (first, second) = (list.share_from(0), list.share_from(0));
    assert!(list.allocated() < before + before / 64);
    drop((first, second));
    // Whoever is alone with its nodes takes them back.
    (0..50_000).for_each(|_| list.pop(End::Head));
    let each = list.allocated() as f64 / list.len() as f64;
    assert!(each < 17.0, "{each}");
    assert_eq!(list.iter().count(), 50_000);
}

#[test]
fn numbers_from_outside_are_found() {
    // The string 5, which Redis itself would store as a number.
    let (mut list, limit) = (List::default(), Limit::of(-2));
    assert!(list.add_run(&[0x81, b'5', 2, 7, 1], limit));
    assert_eq!(list.remove_matching(b"5", 9, End::Head), 1);
    assert_eq!(contents(list.iter()), [b"7"]);
    assert!(!list.add_run(&[0x82, b'5', 2], limit));
    assert_eq!(list.len(), 1);
}

#[test]
fn a_queue_keeps_its_allocation() {
    let (mut list, limit) = (List::default(), Limit::of(-2));
    for round in 0..10_000 {
        let (into, out) = if round < 5000 {
            (End::Head, End::Tail)
        } else {
            (End::Tail, End::Head)
        };
        list.push(into, b"an element of a queue", limit);
        if list.len() > 10 {
            list.pop(out);
        }
    }
    assert_eq!((list.len(), list.encoding()), (10, "listpack"));
    assert!(list.allocated() < 1024, "{}", list.allocated());
}

#[test]
fn big_lists_waste_little() {
    let limit = Limit::of(-2);
    for end in [End::Head, End::Tail] {
        let mut list = List::default();
        for number in 0..100_000 {
            let element = format!("element-{number:08}");
            list.grow(limit, element.len(), 1);
            list.push(end, element.as_bytes(), limit);
        }
        assert_eq!(list.encoding(), "quicklist");
        let each = list.allocated() as f64 / list.len() as f64;
        assert!(each < 16.3, "{each}");
        let mut copy = List::default();
        assert!(
            list.runs()
                .all(|(_, entries)| copy.add_run(&entries, limit))
        );
        assert_eq!(contents(copy.iter()), contents(list.iter()));
        let each = copy.allocated() as f64 / copy.len() as f64;
        assert!(each < 16.3, "{each} once loaded");
    }
}

#[test]
fn runs_of_elements_of_one_length_may_be_interrupted() {
    let limit = Limit::of(-2);
    let (mut list, mut model) = (List::default(), Vec::new());
    for number in 0..5000 {
        let element = match number % 611 {
            610 => vec![b'z'; number % 90],
            _ => format!("element-{number:08}").into_bytes(),
        };
        list.grow(limit, element.len(), 1);
        list.push(End::Tail, &element, limit);
        model.push(element);
    }
    for at in (0..5000).step_by(97) {
        let element = vec![b'y'; if at % 2 == 0 { 16 } else { at % 40 }];
        assert!(list.set(at, &element, limit));
        list.insert(at, &element, limit);
        model[at] = element.clone();
        model.insert(at, element);
    }
    agree(&list, &model);
    for (at, element) in model.iter().enumerate() {
        assert!(list.get(at).expect("within").is(element));
    }
    let sizes = list.runs().map(|(_, entries)| entries.len());
    assert!(sizes.max() < Some(9300));
}

#[test]
fn encodings_change_where_those_of_redis_do() {
    let limit = Limit::of(3);
    let mut list = List::default();
    for (count, encoding) in [
        (1, "listpack"),
        (2, "listpack"),
        (3, "listpack"),
        (4, "quicklist"),
    ] {
        list.grow(limit, 1, 1);
        list.push(End::Tail, b"x", limit);
        assert_eq!((list.len(), list.encoding()), (count, encoding));
    }
    for (count, encoding) in [(3, "quicklist"), (2, "quicklist"), (1, "listpack")] {
        list.pop(End::Tail);
        list.shrink(limit);
        assert_eq!((list.len(), list.encoding()), (count, encoding));
    }
}

#[test]
fn all_but_the_ends_of_a_list_are_compressed() {
    let limit = Limit::of(-2).compressing(1);
    let mut list = List::default();
    let element = |number: usize| format!("element-{number:08}").into_bytes();
    for number in 0..20_000 {
        list.grow(limit, 16, 1);
        list.push(End::Tail, &element(number), limit);
    }
    let (used, kept, any) = list.packing();
    assert!(any && kept * 2 < used, "{kept} of {used}");
    let each = list.allocated() as f64 / list.len() as f64;
    assert!(each < 10.0, "{each}");
    assert!(list.get(10_000).expect("within").is(&element(10_000)));
    assert_eq!(list.iter().count(), 20_000);
    assert!(list.allocated() > used, "what was read is kept unpacked");
    list.forget_read();
    assert!(list.allocated() < used);
    for number in 0..20_000 {
        assert!(list.end(End::Head).expect("not empty").is(&element(number)));
        list.pop(End::Head);
    }
    assert!(list.is_empty());
}
