//! A stream as the commands that make it.

use super::Show;
use crate::resp::args::OwnedArgs;
use crate::structures::listpack::Item;
use crate::structures::stream::{Consumer, Entry, Group, Id, Producers, Stream};

/// Shows the commands that make a stream. Entries that are pending though they have been deleted are lost, as in Redis.
pub(super) fn show_stream(show: &mut Show<'_>, key: &[u8], stream: &Stream) {
    let (log, counters) = (stream.log(), stream.log().counters());
    if log.is_empty() {
        // The way to an empty stream.
        show(&[b"XADD", key, b"MAXLEN", b"0", b"0-1", b"x", b"y"]);
    }
    for entry in log.range(Id::MIN, Id::MAX) {
        add(show, key, &entry);
    }
    show(&[
        b"XSETID",
        key,
        &counters.last_id.text(),
        b"ENTRIESADDED",
        counters.entries_added.to_string().as_bytes(),
        b"MAXDELETEDID",
        &counters.max_deleted_id.text(),
    ]);
    for (name, group) in stream.groups() {
        add_group(show, key, name, group);
    }
    if let Some(producers) = stream.producers() {
        add_producers(show, key, stream, producers);
    }
}

/// How names of entries are remembered, and which are.
fn add_producers(show: &mut Show<'_>, key: &[u8], stream: &Stream, producers: &Producers) {
    let (seconds, most) = (producers.seconds.to_string(), producers.most.to_string());
    show(&[
        b"XCFGSET",
        key,
        b"IDMP-DURATION",
        seconds.as_bytes(),
        b"IDMP-MAXSIZE",
        most.as_bytes(),
    ]);
    let all = producers.all();
    for (producer, name, id) in all.filter(|(_, _, id)| stream.log().get(*id).is_some()) {
        show(&[b"XIDMPRECORD", key, producer, name, &id.text()]);
    }
}

fn add(show: &mut Show<'_>, key: &[u8], entry: &Entry<'_>) {
    let mut words = OwnedArgs::copy([&b"XADD"[..], key, &entry.id.text()]);
    let mut buffer = itoa::Buffer::new();
    let mut push = |item: Item<'_>| words.push(item.as_bytes(&mut buffer));
    for (field, value) in entry.pairs() {
        push(field);
        push(value);
    }
    let words: Vec<&[u8]> = words.view().iter().collect();
    show(&words);
}

fn add_group(show: &mut Show<'_>, key: &[u8], name: &[u8], group: &Group) {
    let read = group.entries_read.map_or(-1, u64::cast_signed);
    show(&[
        b"XGROUP",
        b"CREATE",
        key,
        name,
        &group.last_id.text(),
        b"ENTRIESREAD",
        read.to_string().as_bytes(),
    ]);
    for (_, consumer) in group.consumers() {
        if consumer.pending().is_empty() {
            show(&[b"XGROUP", b"CREATECONSUMER", key, name, consumer.name()]);
        }
        add_pending(show, [key, name], group, consumer);
    }
    for (id, pending) in group.released() {
        show(&[
            b"XNACK",
            key,
            name,
            b"FAIL",
            b"IDS",
            b"1",
            &id.text(),
            b"RETRYCOUNT",
            pending.deliveries.to_string().as_bytes(),
            b"FORCE",
        ]);
    }
}

fn add_pending(show: &mut Show<'_>, [key, name]: [&[u8]; 2], group: &Group, consumer: &Consumer) {
    for (id, ()) in consumer.pending().iter() {
        let Some(pending) = group.pending().get(id) else {
            continue;
        };
        show(&[
            b"XCLAIM",
            key,
            name,
            consumer.name(),
            b"0",
            &id.text(),
            b"TIME",
            pending.delivered_at.to_string().as_bytes(),
            b"RETRYCOUNT",
            pending.deliveries.to_string().as_bytes(),
            b"JUSTID",
            b"FORCE",
        ]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::write_command;
    use crate::structures::stream::{NodeLimits, Pending};
    use crate::structures::{Object, Structure};

    fn encoded(stream: Stream) -> String {
        let mut bytes = Vec::new();
        let mut show = |command: &[&[u8]]| {
            write_command(&mut bytes, command.iter().copied());
        };
        show_stream(&mut show, b"s", &stream);
        String::from_utf8(bytes).expect("text")
    }

    fn words(text: &str) -> String {
        let lines = text.split("\r\n");
        let words = lines.filter(|line| !line.starts_with(['*', '$']));
        words.collect::<Vec<_>>().join(" ").trim_end().to_owned()
    }

    #[test]
    fn a_stream_becomes_commands() {
        let mut stream = Stream::default();
        let limits = NodeLimits {
            bytes: 4096,
            entries: 100,
        };
        for n in 1..=3 {
            let pairs: [(&[u8], &[u8]); 1] = [(b"n", b"7")];
            stream
                .log_mut()
                .append(Id::new(n, 0), pairs.into_iter(), limits);
        }
        stream.log_mut().delete(Id::new(2, 0));
        let mut group = Group::new(Id::new(1, 0), Some(1));
        let (alice, _) = group.find_or_make(b"alice", 5);
        group.find_or_make(b"bob", 5);
        let pending = Pending {
            delivered_at: 9,
            deliveries: 4,
            consumer: alice,
        };
        group.assign(Id::new(1, 0), pending);
        stream.groups_mut().insert((*b"g").into(), group);
        assert_eq!(
            words(&encoded(stream)),
            "XADD s 1-0 n 7 XADD s 3-0 n 7 XSETID s 3-0 ENTRIESADDED 3 MAXDELETEDID 2-0 \
             XGROUP CREATE s g 1-0 ENTRIESREAD 1 \
             XCLAIM s g alice 0 1-0 TIME 9 RETRYCOUNT 4 JUSTID FORCE XGROUP CREATECONSUMER s g bob"
        );
    }

    #[test]
    fn an_empty_stream_becomes_commands() {
        assert!(matches!(Stream::default().into_object(), Object::Stream(_)));
        assert_eq!(
            words(&encoded(Stream::default())),
            "XADD s MAXLEN 0 0-1 x y XSETID s 0-0 ENTRIESADDED 0 MAXDELETEDID 0-0"
        );
    }
}
