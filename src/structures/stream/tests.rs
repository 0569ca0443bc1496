//! Streams against a naive model, and their bytes against those that Redis writes.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::structures::listpack::Item;

type Fields = Vec<(Vec<u8>, Vec<u8>)>;

const LIMITS: NodeLimits = NodeLimits {
    bytes: 4096,
    entries: 4,
};

fn append(stream: &mut Stream, id: Id, fields: &Fields, limits: NodeLimits) {
    let pairs = fields.iter().map(|(field, value)| (&field[..], &value[..]));
    stream.log_mut().append(id, pairs, limits);
}

fn owned(item: Item<'_>) -> Vec<u8> {
    item.as_bytes(&mut itoa::Buffer::new()).to_vec()
}

fn shown(entry: Entry<'_>) -> (Id, Fields) {
    let pairs = entry.pairs();
    let fields = pairs.map(|(field, value)| (owned(field), owned(value)));
    (entry.id, fields.collect())
}

fn field(name: &str, value: &str) -> (Vec<u8>, Vec<u8>) {
    (name.into(), value.into())
}

#[test]
fn a_node_has_the_bytes_of_redis() {
    let mut stream = Stream::default();
    append(&mut stream, Id::new(1, 1), &vec![field("f", "v")], LIMITS);
    append(&mut stream, Id::new(2, 0), &vec![field("g", "300")], LIMITS);
    let (base, node) = stream.log().nodes().iter().next().unwrap();
    assert_eq!(base, Id::new(1, 1));
    let expected: &[u8] = &[
        46, 0, 0, 0, 17, 0, // bytes, elements
        2, 1, 0, 1, 1, 1, 0x81, b'f', 2, 0, 1, // two entries, none deleted, one field, `f`, 0
        2, 1, 0, 1, 0, 1, 0x81, b'v', 2, 4,
        1, // the master's fields, +0-0, `v`, four elements
        0, 1, 1, 1, 0xDF, 0xFF, 2, 1, 1, 0x81, b'g', 2, 0xC1, 0x2C, 2, 6,
        1, // +1-(-1), `g`, 300
        0xFF,
    ];
    assert_eq!(node.bytes(), expected);
    assert!(Node::from_bytes(expected.to_vec()).is_some());
    for end in 0..expected.len() {
        assert!(Node::from_bytes(expected[..end].to_vec()).is_none());
    }
}

#[test]
fn bytes_from_outside_are_looked_at() {
    let mut stream = Stream::default();
    for n in 1..=3 {
        append(&mut stream, Id::new(n, 0), &vec![field("f", "v")], LIMITS);
    }
    let bytes = stream.log().nodes().get(Id::new(1, 0)).unwrap();
    let bytes = bytes.bytes().to_vec();
    let mut accepted = 0;
    for at in 0..bytes.len() {
        for value in [0, 1, 2, 0x7F, 0x80, 0xF0, 0xF4, 0xFF] {
            let mut bytes = bytes.clone();
            bytes[at] = value;
            let Some(node) = Node::from_bytes(bytes) else {
                continue;
            };
            let alive = node.view().alive();
            let nodes = BTreeMap::from([(Id::new(1, 0), node)]);
            let counters = Counters {
                len: alive,
                last_id: Id::MAX,
                ..Counters::default()
            };
            let Some(stream) = Stream::of(nodes, counters, BTreeMap::new()) else {
                continue;
            };
            // Whatever is taken can be walked over.
            accepted += 1;
            let forward = stream.log().range(Id::MIN, Id::MAX).count();
            assert!(forward as u64 <= alive);
            stream.log().range_back(Id::MIN, Id::MAX).for_each(|entry| {
                entry.pairs().count();
            });
        }
    }
    assert!(accepted > 0);
}

#[test]
fn nodes_are_as_big_as_the_limits_say() {
    let nodes = |limits, entries: u64| {
        let mut stream = Stream::default();
        for n in 1..=entries {
            append(
                &mut stream,
                Id::new(n, 0),
                &vec![field("f", "12345678")],
                limits,
            );
        }
        stream.log().nodes().len()
    };
    let limits = |bytes, entries| NodeLimits { bytes, entries };
    assert_eq!(nodes(limits(4096, 100), 100), 1);
    assert_eq!(nodes(limits(4096, 100), 101), 2);
    assert_eq!(nodes(limits(0, 0), 1_000), 1);
    assert_eq!(nodes(limits(1, 0), 10), 10);
}

#[test]
fn a_node_is_added_to_again_when_those_behind_it_have_gone() {
    let mut stream = Stream::default();
    for n in 1..=9 {
        append(&mut stream, Id::new(n, 0), &vec![field("f", "v")], LIMITS);
    }
    assert_eq!(stream.log().nodes().len(), 3);
    for n in [9, 8, 7, 6, 5] {
        assert!(stream.log_mut().delete(Id::new(n, 0)));
    }
    assert_eq!(stream.log().nodes().len(), 1);
    let limits = NodeLimits {
        entries: 5,
        ..LIMITS
    };
    append(&mut stream, Id::new(10, 0), &vec![field("f", "v")], limits);
    let nodes = stream.log().nodes();
    let entries: Vec<_> = nodes.iter().map(|(_, node)| node.entries()).collect();
    assert_eq!(entries, [5]);
}

#[test]
fn a_copy_stays_as_it_was() {
    let mut stream = Stream::default();
    for n in 1..=100 {
        append(&mut stream, Id::new(n, 0), &vec![field("f", "v")], LIMITS);
    }
    let copy = stream.clone();
    for n in (2..100).step_by(3) {
        stream.log_mut().delete(Id::new(n, 0));
    }
    let trim = Trim {
        to: TrimTo::Length(40),
        is_approximate: false,
        limit: 0,
    };
    stream.trim(trim, References::Keep);
    append(&mut stream, Id::new(200, 0), &vec![field("f", "v")], LIMITS);
    assert_eq!(stream.log().range(Id::MIN, Id::MAX).count(), 41);
    let kept = copy.log().range(Id::MIN, Id::MAX).map(|entry| entry.id.ms);
    assert!(kept.eq(1..=100));
}

#[test]
fn radix_trees_are_counted() {
    let nodes = |ids: &[(u64, u64)]| {
        let mut stream = Stream::default();
        let limits = NodeLimits {
            entries: 1,
            ..LIMITS
        };
        for &(ms, seq) in ids {
            append(
                &mut stream,
                Id::new(ms, seq),
                &vec![field("f", "v")],
                limits,
            );
        }
        stream.log().radix_nodes()
    };
    assert_eq!(nodes(&[]), 1);
    assert_eq!(nodes(&[(1, 0)]), 2);
    // A chain, a branching, and two chains with their ends; then two ends alone.
    assert_eq!(nodes(&[(1, 0), (2, 0)]), 6);
    assert_eq!(nodes(&[(1, 0), (1, 1)]), 4);
}

#[test]
fn what_a_group_has_read_is_counted_as_far_as_it_can_be_told() {
    let mut stream = Stream::default();
    for n in 1..=5 {
        append(&mut stream, Id::new(n, 0), &vec![field("f", "v")], LIMITS);
    }
    let mut group = Group::new(Id::MIN, None);
    let (consumer, _) = group.find_or_make(b"c", 1);
    stream.groups_mut().insert((*b"g").into(), group);
    let lag = |stream: &Stream| stream.group(b"g").unwrap().lag(stream.log().counters());
    assert_eq!(lag(&stream), Some(5));
    assert_eq!(
        stream.deliver(b"g", consumer, (1, 1, true), |_| true, |_, _| {}),
        1
    );
    assert_eq!(stream.group(b"g").unwrap().entries_read, Some(1));
    stream.log_mut().delete(Id::new(3, 0));
    assert_eq!(lag(&stream), None);
    assert_eq!(
        stream.deliver(b"g", consumer, (0, 1, true), |_| true, |_, _| {}),
        3
    );
    assert_eq!(stream.group(b"g").unwrap().entries_read, Some(5));
    assert_eq!(lag(&stream), Some(0));
}

#[test]
fn places_are_numbered_anew_when_consumers_go() {
    let mut group = Group::default();
    let pending = |consumer| Pending {
        delivered_at: 1,
        deliveries: 1,
        consumer,
    };
    let (a, _) = group.find_or_make(b"a", 0);
    let (b, is_new) = group.find_or_make(b"b", 0);
    assert!(is_new && group.find_or_make(b"b", 0) == (b, false));
    group.assign(Id::new(1, 0), pending(a));
    group.assign(Id::new(2, 0), pending(b));
    group.assign(Id::new(2, 0), pending(a));
    assert_eq!(group.remove_consumer(b"a"), Some(2));
    assert_eq!(group.remove_consumer(b"a"), None);
    assert!(group.pending().is_empty() && group.consumer(b).pending().is_empty());
    let (c, _) = group.find_or_make(b"c", 0);
    assert_eq!(c, a);
    let names: Vec<_> = group.consumers().map(|(_, one)| one.name()).collect();
    assert_eq!(names, [b"b", b"c"]);
}

// ---- Against a model

#[derive(Debug, Clone)]
enum Step {
    Add(u64, u64, Fields),
    Delete(usize),
    Trim(Trim),
    Read(u64),
    Acknowledge(usize),
    SetGroup(usize),
    Range(usize, usize),
    Reset,
}

fn text() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        prop::sample::select(vec![
            b"a".to_vec(),
            b"b".to_vec(),
            b"7".to_vec(),
            Vec::new()
        ]),
        any::<i64>().prop_map(|number| number.to_string().into_bytes()),
        prop::collection::vec(any::<u8>(), 0..200),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let fields = prop_oneof![
        (text(), text()).prop_map(|(a, b)| vec![(b"a".to_vec(), a), (b"b".to_vec(), b)]),
        prop::collection::vec((text(), text()), 1..4),
    ];
    let to = prop_oneof![
        (0u64..30).prop_map(TrimTo::Length),
        (0u64..200, 0u64..3).prop_map(|(ms, seq)| TrimTo::Id(Id::new(ms, seq))),
    ];
    prop_oneof![
        12 => (0u64..4, 0u64..4, fields).prop_map(|(ms, seq, fields)| Step::Add(ms, seq, fields)),
        3 => any::<usize>().prop_map(Step::Delete),
        1 => (to, any::<bool>(), prop::sample::select(vec![0, 0, 3, 20])).prop_map(
            |(to, is_approximate, limit)| Step::Trim(Trim { to, is_approximate, limit })
        ),
        4 => (0u64..4).prop_map(Step::Read),
        2 => any::<usize>().prop_map(Step::Acknowledge),
        1 => any::<usize>().prop_map(Step::SetGroup),
        2 => (any::<usize>(), any::<usize>()).prop_map(|(from, to)| Step::Range(from, to)),
        1 => Just(Step::Reset),
    ]
}

#[derive(Default)]
struct Model {
    entries: BTreeMap<Id, Fields>,
    last: Id,
    read: Id,
    pending: Vec<Id>,
}

impl Model {
    /// Some id that is there, or was, or is near one.
    fn some_id(&self, pick: usize) -> Id {
        let known: Vec<Id> = self.entries.keys().chain(&self.pending).copied().collect();
        let id = known
            .get(pick % known.len().max(1))
            .copied()
            .unwrap_or(self.last);
        if pick.is_multiple_of(7) {
            id.next().unwrap()
        } else {
            id
        }
    }

    fn trim(&mut self, removed: u64) {
        (0..removed).for_each(|_| drop(self.entries.pop_first()));
    }
}

fn check(stream: &Stream, model: &Model) {
    let log = stream.log();
    let forward: Vec<_> = log.range(Id::MIN, Id::MAX).map(shown).collect();
    let expected: Vec<_> = model.entries.clone().into_iter().collect();
    assert_eq!(forward, expected);
    let mut backward: Vec<_> = log.range_back(Id::MIN, Id::MAX).map(shown).collect();
    backward.reverse();
    assert_eq!(backward, expected);
    let counters = log.counters();
    assert_eq!(counters.len, expected.len() as u64);
    let first = model.entries.keys().next().copied();
    assert_eq!(counters.first_id, first.unwrap_or_default());
    assert_eq!(
        log.last_entry_id(),
        model.entries.keys().next_back().copied()
    );
    for (base, node) in log.nodes().iter() {
        let copy = Node::from_bytes(node.bytes().to_vec()).expect("a sound node");
        assert_eq!(copy.view().alive(), node.alive());
        assert!(node.entries() <= LIMITS.entries as u64 && !base.is_zero());
    }
}

fn apply(stream: &mut Stream, model: &mut Model, step: Step) {
    match step {
        Step::Add(ms, seq, fields) => {
            let id = match ms {
                0 => Id::new(model.last.ms, model.last.seq + 1 + seq),
                _ => Id::new(model.last.ms + ms, seq),
            };
            append(stream, id, &fields, LIMITS);
            model.entries.insert(id, fields);
            model.last = id;
        }
        Step::Delete(pick) => {
            let id = model.some_id(pick);
            let is_there = model.entries.remove(&id).is_some();
            assert_eq!(stream.log_mut().delete(id), is_there);
        }
        Step::Trim(trim) => trim_both(stream, model, trim),
        Step::Read(count) => {
            let behind = model.entries.range(model.read.next().unwrap()..);
            let most = if count == 0 {
                usize::MAX
            } else {
                count as usize
            };
            let expected: Vec<Id> = behind.map(|(id, _)| *id).take(most).collect();
            let mut given = Vec::new();
            stream.deliver(
                b"g",
                0,
                (count, 1, true),
                |_| true,
                |entry, _| given.push(entry.id),
            );
            assert_eq!(given, expected);
            model.read = expected.last().copied().unwrap_or(model.read);
            model.pending.extend(expected);
            model.pending.sort();
            model.pending.dedup();
        }
        Step::Acknowledge(pick) => {
            let id = model.some_id(pick);
            let (_, group) = stream.group_mut(b"g").unwrap();
            let was_pending = model.pending.contains(&id);
            assert_eq!(group.acknowledge(id).is_some(), was_pending);
            model.pending.retain(|one| *one != id);
        }
        Step::SetGroup(pick) => {
            model.read = model.some_id(pick);
            stream.group_mut(b"g").unwrap().1.last_id = model.read;
        }
        Step::Range(from, to) => {
            let (from, to) = (model.some_id(from), model.some_id(to));
            let mut expected: Vec<Id> = model.entries.keys().copied().collect();
            expected.retain(|id| (from..=to).contains(id));
            let log = stream.log();
            let forward: Vec<Id> = log.range(from, to).map(|entry| entry.id).collect();
            assert_eq!(forward, expected);
            let backward = log.range_back(from, to).map(|entry| entry.id);
            assert!(backward.eq(expected.into_iter().rev()));
            assert_eq!(log.get(from).is_some(), model.entries.contains_key(&from));
        }
        Step::Reset => reset(stream, model),
    }
}

/// The way to give ids a second time.
fn reset(stream: &mut Stream, model: &mut Model) {
    let everything = Trim {
        to: TrimTo::Length(0),
        is_approximate: false,
        limit: 0,
    };
    stream.trim(everything, References::Keep);
    model.entries.clear();
    model.last = Id::MIN;
    stream.set_last_id(Id::MIN, None, None);
}

fn trim_both(stream: &mut Stream, model: &mut Model, trim: Trim) {
    let before = stream.log().len();
    let removed = stream.trim(trim, References::Keep);
    assert_eq!(stream.log().len(), before - removed);
    model.trim(removed);
    let kept_too_many = match trim.to {
        TrimTo::Length(length) => stream.log().len() > length,
        TrimTo::Id(id) => model.entries.range(..id).next().is_some(),
    };
    if !trim.is_approximate && trim.limit == 0 {
        assert!(!kept_too_many);
    }
    if trim.limit > 0 {
        assert!(removed <= trim.limit);
    }
    let removed_too_many = match trim.to {
        TrimTo::Length(length) => removed > 0 && stream.log().len() < length,
        TrimTo::Id(_) => false,
    };
    assert!(!removed_too_many);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_stream_is_like_a_map(steps in prop::collection::vec(step(), 1..120)) {
        let (mut stream, mut model) = (Stream::default(), Model::default());
        let mut group = Group::default();
        group.find_or_make(b"c", 0);
        stream.groups_mut().insert((*b"g").into(), group);
        for step in steps {
            apply(&mut stream, &mut model, step);
            check(&stream, &model);
            let group = stream.group(b"g").unwrap();
            assert!(group.pending().iter().map(|(id, _)| id).eq(model.pending.iter().copied()));
            assert!(group.consumer(0).pending().iter().map(|(id, ())| id).eq(model.pending.iter().copied()));
        }
    }

    #[test]
    fn references_decide_what_a_trim_removes(
        read in prop::collection::vec(0u64..6, 0..4),
        acknowledged in prop::collection::vec(1u64..20, 0..20),
        length in 0u64..20,
    ) {
        let mut stream = Stream::default();
        for (n, ahead) in read.iter().enumerate() {
            let mut group = Group::default();
            group.find_or_make(b"c", 0);
            stream.groups_mut().insert(n.to_string().into_bytes().into(), group);
            let _ = ahead;
        }
        for n in 1..20 {
            append(&mut stream, Id::new(n, 0), &vec![field("f", "v")], LIMITS);
        }
        for (n, ahead) in read.iter().enumerate() {
            stream.deliver(n.to_string().as_bytes(), 0, (ahead * 4, 1, true), |_| true, |_, _| {});
        }
        for id in &acknowledged {
            stream.forget(Id::new(*id, 0));
        }
        let trim = Trim { to: TrimTo::Length(length), is_approximate: false, limit: 0 };
        let kept: Vec<Id> = (1..20)
            .map(|n| Id::new(n, 0))
            .filter(|id| stream.is_referenced(*id))
            .collect();
        let mut other = stream.clone();
        stream.trim(trim, References::Acknowledged);
        assert!(kept.iter().all(|id| stream.log().get(*id).is_some()));
        assert_eq!(stream.log().len(), length.max(kept.len() as u64).min(19));
        other.trim(trim, References::Delete);
        assert_eq!(other.log().len(), length.min(19));
        let mut pending = other.groups().values().flat_map(|group| group.pending().iter());
        assert!(pending.all(|(id, _)| other.log().get(id).is_some()));
    }
}
