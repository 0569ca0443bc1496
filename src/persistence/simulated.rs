//! A disk for tests: it fails when it is told to, writes less than it was asked for, and forgets at a power cut what was not
//! forced.
//!
//! Files and their names are kept twice: as programs see them, and as they are on the disk. Names reach the disk in the order
//! in which they changed. What a file has that is not on the disk survives a power cut up to a random place. After a
//! failed sync the system takes what it was about to force for forced, though it is not: so does this one.

use std::collections::BTreeMap;
use std::io::{self, Cursor, ErrorKind};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use super::disk::{Disk, DiskFile, Input};

/// A file's contents.
#[derive(Debug, Default, Clone)]
struct Content {
    seen: Vec<u8>,
    forced: Vec<u8>,
    /// What will never be forced, because a sync of it has failed.
    lost: Vec<Range<usize>>,
    /// What has been written since the last sync.
    fresh: usize,
}

/// A change of names that is not on the disk yet.
#[derive(Debug, Clone)]
enum Change {
    Name(PathBuf, usize),
    Remove(PathBuf),
    Rename(PathBuf, PathBuf),
}

fn change(names: &mut BTreeMap<PathBuf, usize>, change: &Change) {
    match change {
        Change::Name(path, file) => drop(names.insert(path.clone(), *file)),
        Change::Remove(path) => drop(names.remove(path)),
        Change::Rename(from, to) => {
            if let Some(file) = names.remove(from) {
                names.insert(to.clone(), file);
            }
        }
    }
}

/// What goes wrong.
#[derive(Debug, Default, Clone)]
pub(super) struct Troubles {
    /// One of so many writes fails, after some bytes; 0 for none.
    pub full: u32,
    /// One of so many syncs fails; 0 for none.
    pub broken: u32,
    /// One of so many other operations fails; 0 for none.
    pub refused: u32,
    /// Operations until the power is cut.
    pub power: Option<u32>,
    /// How long a sync takes.
    pub slow: Duration,
}

#[derive(Debug, Default)]
struct State {
    contents: Vec<Content>,
    names: BTreeMap<PathBuf, usize>,
    forced_names: BTreeMap<PathBuf, usize>,
    changes: Vec<Change>,
    troubles: Troubles,
    random: u64,
    operations: u32,
}

impl State {
    fn roll(&mut self, below: u32) -> u32 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        (self.random >> 32) as u32 % below.max(1)
    }

    /// Before an operation: fails when the power is gone, or with a chance of one to `chance`.
    fn operate(&mut self, chance: u32, kind: ErrorKind) -> io::Result<()> {
        self.operations += 1;
        if self.is_dark() {
            return Err(io::Error::other("the power is gone"));
        }
        match chance > 0 && self.roll(chance) == 0 {
            true => Err(kind.into()),
            false => Ok(()),
        }
    }

    fn is_dark(&self) -> bool {
        let power = self.troubles.power;
        power.is_some_and(|power| self.operations > power)
    }

    fn note(&mut self, new: Change) {
        change(&mut self.names, &new);
        self.changes.push(new);
    }
}

/// The disk.
#[derive(Debug, Clone, Default)]
pub(super) struct SimulatedDisk(Arc<Mutex<State>>);

#[derive(Debug)]
struct SimulatedFile {
    state: Arc<Mutex<State>>,
    number: usize,
}

impl SimulatedDisk {
    /// An empty disk.
    pub fn new(seed: u64) -> Self {
        let disk = Self::default();
        disk.0.lock().random = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        disk
    }

    /// Has things go wrong from now on.
    pub fn trouble(&self, troubles: Troubles) {
        let mut state = self.0.lock();
        (state.troubles, state.operations) = (troubles, 0);
    }

    /// Whether the power is gone.
    pub fn is_dark(&self) -> bool {
        self.0.lock().is_dark()
    }

    /// The disk as it is found when the power is back.
    pub fn after_power_cut(&self) -> Self {
        let mut state = self.0.lock();
        let mut names = state.forced_names.clone();
        let changes = state.changes.len() as u32;
        let kept = state.roll(changes + 1) as usize;
        state.changes[..kept]
            .iter()
            .for_each(|new| change(&mut names, new));
        let contents = state.contents.clone();
        let contents = contents.into_iter().enumerate().map(|(file, content)| {
            if names.values().all(|named| *named != file) {
                return Content::default();
            }
            let mut bytes = content.forced.clone();
            let same = content.seen.len() >= bytes.len() && content.lost.is_empty();
            if same && content.seen[..bytes.len()] == bytes {
                let more = state.roll((content.seen.len() - bytes.len()) as u32 + 1) as usize;
                bytes = content.seen[..bytes.len() + more].to_vec();
            } else if content.lost.is_empty() && state.roll(2) == 0 {
                bytes = content.seen.clone();
            }
            Content {
                seen: bytes.clone(),
                fresh: bytes.len(),
                forced: bytes,
                lost: Vec::new(),
            }
        });
        let contents = contents.collect();
        let random = state.random;
        Self(Arc::new(Mutex::new(State {
            contents,
            forced_names: names.clone(),
            names,
            random,
            ..State::default()
        })))
    }

    fn open(&self, path: &Path, empties: bool) -> io::Result<Arc<dyn DiskFile>> {
        let mut state = self.0.lock();
        let chance = state.troubles.refused;
        state.operate(chance, ErrorKind::PermissionDenied)?;
        let number = match state.names.get(path) {
            Some(number) => *number,
            None => {
                state.contents.push(Content::default());
                let number = state.contents.len() - 1;
                state.note(Change::Name(path.into(), number));
                number
            }
        };
        if empties {
            state.contents[number].seen.clear();
            state.contents[number].lost.clear();
            state.contents[number].fresh = 0;
        }
        Ok(Arc::new(SimulatedFile {
            state: self.0.clone(),
            number,
        }))
    }
}

impl Disk for SimulatedDisk {
    fn create_folder(&self, _: &Path) -> io::Result<()> {
        Ok(())
    }

    fn is_folder(&self, _: &Path) -> bool {
        true
    }

    fn length(&self, path: &Path) -> io::Result<u64> {
        let state = self.0.lock();
        let number = state.names.get(path).ok_or(ErrorKind::NotFound)?;
        Ok(state.contents[*number].seen.len() as u64)
    }

    fn read(&self, path: &Path) -> io::Result<Box<dyn Input>> {
        let state = self.0.lock();
        let number = state.names.get(path).ok_or(ErrorKind::NotFound)?;
        Ok(Box::new(Cursor::new(state.contents[*number].seen.clone())))
    }

    fn create(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        self.open(path, true)
    }

    fn append(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        self.open(path, false)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut state = self.0.lock();
        let chance = state.troubles.refused;
        state.operate(chance, ErrorKind::PermissionDenied)?;
        if !state.names.contains_key(from) {
            return Err(ErrorKind::NotFound.into());
        }
        state.note(Change::Rename(from.into(), to.into()));
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut state = self.0.lock();
        let chance = state.troubles.refused;
        state.operate(chance, ErrorKind::PermissionDenied)?;
        if !state.names.contains_key(path) {
            return Err(ErrorKind::NotFound.into());
        }
        state.note(Change::Remove(path.into()));
        Ok(())
    }

    fn sync_folder(&self, _: &Path) -> io::Result<()> {
        let mut state = self.0.lock();
        let chance = state.troubles.broken;
        state.operate(chance, ErrorKind::Other)?;
        state.forced_names = state.names.clone();
        state.changes.clear();
        Ok(())
    }
}

impl DiskFile for SimulatedFile {
    fn append(&self, bytes: &[u8]) -> io::Result<usize> {
        let mut state = self.state.lock();
        let chance = state.troubles.full;
        if chance > 0 && state.roll(chance) == 0 {
            // Some of it fits; the next write says that there is no more room.
            let count = state.roll(bytes.len() as u32) as usize;
            state.operate(u32::from(count == 0), ErrorKind::StorageFull)?;
            state.contents[self.number].seen.extend(&bytes[..count]);
            return Ok(count);
        }
        state.operate(0, ErrorKind::StorageFull)?;
        state.contents[self.number].seen.extend(bytes);
        Ok(bytes.len())
    }

    fn replace_start(&self, bytes: &[u8]) -> io::Result<()> {
        let mut state = self.state.lock();
        state.operate(0, ErrorKind::StorageFull)?;
        state.contents[self.number].seen[..bytes.len()].copy_from_slice(bytes);
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        let (slow, to) = {
            let state = self.state.lock();
            let content = &state.contents[self.number];
            (state.troubles.slow, content.seen.len())
        };
        std::thread::sleep(slow);
        let mut state = self.state.lock();
        let chance = state.troubles.broken;
        let result = state.operate(chance, ErrorKind::Other);
        let content = &mut state.contents[self.number];
        // What comes while a slow sync is under way is not forced by it.
        let to = match slow.is_zero() {
            true => content.seen.len(),
            false => to.min(content.seen.len()),
        };
        let from = content.fresh.min(to);
        content.fresh = to;
        if let Err(error) = result {
            if from < to {
                content.lost.push(from..to);
            }
            return Err(error);
        }
        content.forced = content.seen[..to].to_vec();
        for range in content.lost.iter().filter(|range| range.end <= to) {
            content.forced[range.clone()].fill(0);
        }
        Ok(())
    }

    fn cut(&self, length: u64) -> io::Result<()> {
        let mut state = self.state.lock();
        let chance = state.troubles.refused;
        state.operate(chance, ErrorKind::PermissionDenied)?;
        let (content, length) = (&mut state.contents[self.number], length as usize);
        content.seen.truncate(length);
        content.fresh = content.fresh.min(length);
        content.lost.retain(|range| range.start < length);
        content
            .lost
            .iter_mut()
            .for_each(|range| range.end = range.end.min(length));
        Ok(())
    }

    fn length(&self) -> io::Result<u64> {
        Ok(self.state.lock().contents[self.number].seen.len() as u64)
    }
}
