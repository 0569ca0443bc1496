//! A big value to bytes, slice by slice: whoever keeps it need not be held up for longer than a slice takes. It may change
//! meanwhile: then it keeps what it was, or shares what it was with a copy.

use super::kind;
use super::write::{Writer, write_field, write_run, write_scored};
use crate::base::deadline::Deadlines;
use crate::structures::hash::{self, Field, Hash, Seen};
use crate::structures::list::Runs;
use crate::structures::listpack::Item;
use crate::structures::set::{self, Set};
use crate::structures::sorted_set::Direction;
use crate::structures::{Object, ObjectRef};

/// Values with fewer elements are written at once.
pub(super) const BIG: usize = 512;

/// Where writing goes on.
#[derive(Debug)]
enum Place {
    /// A cursor into a table.
    Table(u64),
    /// The value keeps what has not been written.
    Owed,
    /// Elements, or runs of elements, that have been written.
    Done(usize),
    /// What a list was that has not been written.
    Runs(Runs),
}

/// A value that has been written in part.
#[derive(Debug)]
pub struct Sliced {
    place: Place,
    /// The moment that those of a hash's fields are told relative to, where fields expire.
    first: Option<i64>,
}

impl Sliced {
    /// Begins a value, behind its type and its key; gives the type. `None`, with nothing written, for one that is written at
    /// once.
    pub fn begin(writer: &mut Writer, key: &[u8], object: ObjectRef<'_>) -> Option<(Self, u8)> {
        let mut first = None;
        let (kind, count, place) = match object {
            ObjectRef::Hash(hash @ hash::View::Table(_)) => {
                // To find the very first takes a look at all fields; none is before this one.
                let deadline = hash.next_deadline().filter(|_| hash.has_expiring());
                first = deadline.map(Deadlines::beginning);
                let kind = first.map_or(kind::HASH, |_| kind::HASH_EXPIRING);
                (kind, hash.len(Seen::ALL), Place::Table(0))
            }
            ObjectRef::Set(set @ set::View::Table(_)) => (kind::SET, set.len(), Place::Table(0)),
            ObjectRef::SortedSet(set) if set.as_listpack().is_none() => {
                (kind::SORTED_SET_2, set.len(), Place::Done(0))
            }
            ObjectRef::List(list) if list.len() >= BIG => {
                writer.raw(&[kind::QUICKLIST_2]);
                writer.string(key);
                writer.length(list.runs().len() as u64);
                let place = Place::Done(0);
                return Some((Self { place, first }, kind::QUICKLIST_2));
            }
            _ => return None,
        };
        if count < BIG {
            return None;
        }
        writer.raw(&[kind]);
        writer.string(key);
        if let Some(first) = first {
            writer.raw(&first.to_le_bytes());
        }
        writer.length(count as u64);
        Some((Self { place, first }, kind))
    }

    /// Writes about so many elements more; true at the end. The value must be the one that was begun.
    pub fn go_on(&mut self, writer: &mut Writer, object: &mut Object, count: usize) -> bool {
        let first = self.first;
        match (&mut self.place, object) {
            (Place::Owed, Object::Hash(Hash::Table(fields))) => fields.pay(count, |field| {
                write_field(writer, first, Field::from(field));
            }),
            (Place::Owed, Object::Set(Set::Table(members))) => members.pay(count, |member| {
                writer.item(Item::Str(member.key()));
            }),
            (Place::Owed, Object::SortedSet(set)) => set.pay(count, |member, score| {
                write_scored(writer, Item::Str(member), score);
            }),
            (Place::Owed, _) => true,
            (_, object) => self.write(writer, object.view(), count),
        }
    }

    /// The value is about to change: sees to it that what has not been written can still be.
    pub fn preserve(&mut self, object: &mut Object) {
        match (&self.place, object) {
            (Place::Owed | Place::Runs(_), _) => {}
            (Place::Table(cursor), Object::Hash(Hash::Table(fields))) => {
                fields.owe(*cursor);
                self.place = Place::Owed;
            }
            (Place::Table(cursor), Object::Set(Set::Table(members))) => {
                members.owe(*cursor);
                self.place = Place::Owed;
            }
            (Place::Done(done), Object::SortedSet(set)) => {
                set.owe(*done);
                self.place = Place::Owed;
            }
            (Place::Done(done), Object::List(list)) => {
                self.place = Place::Runs(list.share_from(*done));
            }
            (Place::Table(_) | Place::Done(_), _) => {}
        }
    }

    fn write(&mut self, writer: &mut Writer, object: ObjectRef<'_>, count: usize) -> bool {
        let first = self.first;
        match (&mut self.place, object) {
            (Place::Table(cursor), ObjectRef::Hash(hash)) => scan(cursor, count, |at, left| {
                hash.scan(at, Seen::ALL, |field| {
                    write_field(writer, first, field);
                    *left = left.saturating_sub(1);
                })
            }),
            (Place::Table(cursor), ObjectRef::Set(set)) => scan(cursor, count, |at, left| {
                set.scan(at, |member| {
                    writer.item(member);
                    *left = left.saturating_sub(1);
                })
            }),
            (Place::Done(done), object) => write_next(writer, done, object, count),
            (Place::Runs(runs), _) => write_shared(writer, runs, count),
            _ => true,
        }
    }
}

/// Writes elements that have an order; true at the end.
fn write_next(writer: &mut Writer, done: &mut usize, object: ObjectRef<'_>, count: usize) -> bool {
    match object {
        ObjectRef::SortedSet(set) => {
            // From the greatest on: see [`super::write`].
            let end = set.len().saturating_sub(*done);
            let start = end.saturating_sub(count);
            for (member, score) in set.entries(start..end, Direction::Down) {
                write_scored(writer, member, score);
            }
            *done += end - start;
            start == 0
        }
        ObjectRef::List(list) => {
            let (mut left, all) = (count, list.runs().len());
            for (count, entries) in list.runs_from(*done) {
                write_run(writer, count, &entries);
                *done += 1;
                left = left.saturating_sub(count);
                if left == 0 {
                    break;
                }
            }
            *done == all
        }
        _ => true,
    }
}

/// Writes what a list was; true at the end.
fn write_shared(writer: &mut Writer, runs: &mut Runs, mut left: usize) -> bool {
    while left > 0 {
        let written = runs.show_next(|count, entries| {
            write_run(writer, count, entries);
            count
        });
        left = left.saturating_sub(written.unwrap_or(left));
    }
    runs.is_at_end()
}

/// Goes on in a table; true at its end.
fn scan(
    cursor: &mut u64,
    mut left: usize,
    mut step: impl FnMut(u64, &mut usize) -> Option<u64>,
) -> bool {
    while left > 0 {
        match step(*cursor, &mut left) {
            Some(next) => *cursor = next,
            None => return true,
        }
    }
    false
}
