//! Streams that are shared with whoever writes them while they change: what is written is what they were.

use proptest::prelude::*;

use super::cursor::Reader;
use super::kind::STREAM_2;
use super::samples::{NOW, stream};
use super::write::Writer;
use crate::structures::Object;
use crate::structures::stream::{Group, Id, NOBODY, NodeLimits, Pending, References, Stream};

const ENTRIES: usize = 1000;
const GROUPS: [&[u8]; 4] = [b"", b"group", b"other", b"third"];
const CONSUMERS: [&[u8]; 4] = [b"", b"one", b"three", b"two"];

#[derive(Debug, Clone)]
enum Step {
    Add(usize),
    /// Entries from one on, so many, are deleted, and may be pending further on.
    Delete(usize, usize, References),
    Read(usize, usize, usize),
    Acknowledge(usize, usize, usize),
    /// Entries become a consumer's.
    Claim(usize, usize, usize, usize),
    /// Entries become nobody's.
    Release(usize, usize, usize),
    LoseConsumer(usize, usize),
    Destroy(usize),
}

fn step() -> impl Strategy<Value = Step> {
    let (group, consumer) = (0..GROUPS.len(), 0..CONSUMERS.len());
    let (entry, count) = (0..ENTRIES, prop_oneof![3 => 1usize..10, 1 => 1usize..800]);
    let references = prop::sample::select(vec![References::Keep, References::Delete]);
    let some = (group.clone(), entry.clone(), count.clone());
    prop_oneof![
        1 => count.clone().prop_map(Step::Add),
        1 => (entry, count.clone(), references).prop_map(|(e, n, r)| Step::Delete(e, n, r)),
        2 => (group.clone(), consumer.clone(), count).prop_map(|(g, c, n)| Step::Read(g, c, n)),
        3 => some.clone().prop_map(|(g, e, n)| Step::Acknowledge(g, e, n)),
        3 => (some.clone(), consumer.clone()).prop_map(|((g, e, n), c)| Step::Claim(g, e, n, c)),
        1 => some.prop_map(|(g, e, n)| Step::Release(g, e, n)),
        1 => (group.clone(), consumer).prop_map(|(g, c)| Step::LoseConsumer(g, c)),
        1 => group.prop_map(Step::Destroy),
    ]
}

fn id(entry: usize) -> Id {
    Id::new(1000 + entry as u64, entry as u64)
}

fn pending(consumer: u32) -> Pending {
    Pending {
        delivered_at: NOW,
        deliveries: 1,
        consumer,
    }
}

fn claim(stream: &mut Stream, group: usize, entries: std::ops::Range<usize>, consumer: usize) {
    let Some((_, group)) = stream.group_mut(GROUPS[group]) else {
        return;
    };
    let (consumer, _) = group.find_or_make(CONSUMERS[consumer], NOW);
    entries.for_each(|entry| group.assign(id(entry), pending(consumer)));
}

fn release(stream: &mut Stream, group: usize, entries: std::ops::Range<usize>) {
    if let Some((_, group)) = stream.group_mut(GROUPS[group]) {
        entries.for_each(|entry| group.assign(id(entry), pending(NOBODY)));
    }
}

fn apply(stream: &mut Stream, step: &Step) {
    match *step {
        Step::Add(count) => {
            let limits = NodeLimits {
                bytes: 4096,
                entries: 100,
            };
            for _ in 0..count {
                let last = stream.log().counters().last_id;
                let pairs = [(&b"field"[..], &b"new"[..])].into_iter();
                let next = Id::new(last.ms + 1, 0);
                stream.log_mut().append(next, pairs, limits);
            }
        }
        Step::Delete(first, count, references) => {
            for entry in first..first + count {
                stream.log_mut().delete(id(entry));
                if references == References::Delete {
                    stream.forget(id(entry));
                }
            }
        }
        Step::Read(group, consumer, count) => {
            claim(stream, group, 0..0, consumer);
            let name = GROUPS[group];
            let consumer = stream
                .group(name)
                .and_then(|group| group.find(CONSUMERS[consumer]));
            let Some(consumer) = consumer else { return };
            let how = (count as u64, NOW, true);
            stream.deliver(name, consumer, how, |_| true, |_, _| {});
        }
        Step::Acknowledge(group, first, count) => {
            if let Some((_, group)) = stream.group_mut(GROUPS[group]) {
                for entry in first..first + count {
                    group.acknowledge(id(entry));
                }
            }
        }
        Step::Claim(group, first, count, consumer) => {
            claim(stream, group, first..first + count, consumer);
        }
        Step::Release(group, first, count) => release(stream, group, first..first + count),
        Step::LoseConsumer(group, consumer) => {
            if let Some((_, group)) = stream.group_mut(GROUPS[group]) {
                group.remove_consumer(CONSUMERS[consumer]);
            }
        }
        Step::Destroy(group) => drop(stream.groups_mut().remove(GROUPS[group])),
    }
}

/// A stream whose groups have read so many of its entries.
fn read_stream(entries: usize, read: &[usize]) -> Stream {
    let Object::Stream(mut stream) = stream(entries) else {
        unreachable!("it was made as one");
    };
    for (number, (name, read)) in GROUPS.iter().zip(read).enumerate() {
        let group = Group::new(id(read / 2), Some(*read as u64));
        stream.groups_mut().insert((*name).into(), group);
        for consumer in 1..CONSUMERS.len() {
            let entries = (0..*read).filter(|entry| entry % CONSUMERS.len() == consumer);
            entries.for_each(|entry| claim(&mut stream, number, entry..entry + 1, consumer));
        }
    }
    stream
}

/// A group's name, how many consumers it has, and what is pending: how often it was given, and to whom.
type InGroup<'a> = (&'a [u8], usize, Vec<(Id, i64, &'a [u8])>);

/// All that is pending. Nobody is a consumer without a name.
fn all_pending(stream: &Stream) -> Vec<InGroup<'_>> {
    let groups = stream.groups().iter().map(|(name, group)| {
        let is_new = group.find(b"").is_none() && group.released().next().is_some();
        let pending = group.pending().iter();
        let pending = pending.map(|(id, one)| (id, one.deliveries, group.owner_name(one)));
        (
            &**name,
            group.consumers().len() + usize::from(is_new),
            pending.collect(),
        )
    });
    groups.collect()
}

fn bytes(stream: &Stream) -> Vec<u8> {
    let mut writer = Writer::rough(false);
    super::stream::write(&mut writer, stream);
    writer.into_bytes()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn what_is_shared_is_written_as_it_was(
        entries in prop_oneof![Just(ENTRIES), 0usize..3],
        read in prop::collection::vec(prop_oneof![Just(0), 0..ENTRIES], 0..GROUPS.len()),
        before in prop::collection::vec(step(), 0..12),
        after in prop::collection::vec(step(), 1..60),
    ) {
        let mut stream = read_stream(entries, &read);
        before.iter().for_each(|step| apply(&mut stream, step));
        let expected = bytes(&stream);
        let copy = super::stream::read(&mut Reader::new(&expected), STREAM_2).expect("a sound stream");
        prop_assert!(all_pending(&copy) == all_pending(&stream));
        let shared = stream.clone();
        after.iter().for_each(|step| apply(&mut stream, step));
        prop_assert!(bytes(&shared) == expected);
    }
}
