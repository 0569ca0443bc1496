//! A new base for the log: what its parts say, said shortly. While the base is written the log goes on in a new increment, so
//! that base and increment together are everything; then the manifest names just these two.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::{Acquire, Release};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::Duration;

use anyhow::Context;
use thiserror::Error;

use super::file::{Folder, LogFile};
use super::manifest::Manifest;
use super::writer::{Order, Switch};
use crate::journal::Journal;

/// How often it is looked, during a wait, whether the work is still wanted.
const LOOK: Duration = Duration::from_millis(20);

/// How a writer is told to go over to another file.
#[derive(Clone)]
pub struct Helm {
    /// Where its orders go.
    pub orders: Sender<Order>,
    /// See [`super::writer::Wiring::switch_at`].
    pub switch_at: Arc<AtomicU64>,
}

/// What a rewrite asks of those who have the data.
pub trait Source {
    /// Writes all data of one moment to a file that is on disk when this returns; gives its size. `meanwhile` is done at that
    /// moment, when no record can be appended.
    fn write(&self, path: &Path, meanwhile: &dyn Fn()) -> anyhow::Result<u64>;
    /// Whether it writes a snapshot, and not commands.
    fn is_rdb(&self) -> bool;
    /// Whether the new base is still wanted.
    fn is_wanted(&self) -> bool;
}

/// What a rewrite has made: the manifest in force, and the base's size.
pub struct Rewritten {
    /// It still names the files that are no longer needed.
    pub manifest: Manifest,
    /// Bytes of the base.
    pub size: u64,
}

impl Folder {
    /// Gives a log that goes on a new base.
    pub fn rewrite(
        &self,
        helm: &Helm,
        journal: &Journal,
        source: &dyn Source,
    ) -> anyhow::Result<Rewritten> {
        let mut manifest = self.read_manifest()?;
        let increment = manifest.add_increment(&self.file_name);
        let base = self.temporary("base");
        let switched = self.order_switch(helm, &manifest, &increment)?;
        let written = source.write(&base, &|| helm.name(journal));
        if written.is_err() {
            helm.call_off(journal);
        }
        let has_switched = await_switch(source, &switched);
        if matches!(
            has_switched,
            Err(Unswitched::Failed(_) | Unswitched::CalledOff)
        ) {
            self.remove_unless_named(&increment);
        }
        if written.is_err() || has_switched.is_err() {
            // It may not have been made at all.
            let _ = self.disk().remove(&base);
        }
        let size = written?;
        has_switched?;
        self.add_base(&mut manifest, &base, source.is_rdb())?;
        manifest.retire_increments();
        self.publish(&manifest)?;
        Ok(Rewritten { manifest, size })
    }

    /// Makes a base of data that nobody logs.
    pub fn rewrite_alone(&self, source: &dyn Source) -> anyhow::Result<Rewritten> {
        self.create()?;
        let mut manifest = self.read_manifest()?;
        let base = self.temporary("base");
        let size = source.write(&base, &|| {}).inspect_err(|_| {
            let _ = self.disk().remove(&base);
        })?;
        self.add_base(&mut manifest, &base, source.is_rdb())?;
        manifest.retire_all();
        self.publish(&manifest)?;
        Ok(Rewritten { manifest, size })
    }

    /// Makes base and increment of a log that begins; they become valid together.
    pub fn begin(
        &self,
        source: &dyn Source,
        opens: &dyn Fn(),
        starts: impl FnOnce(LogFile) -> io::Result<()>,
    ) -> anyhow::Result<Rewritten> {
        self.create()?;
        let mut manifest = self.read_manifest()?;
        let (base, increment) = (self.temporary("base"), self.temporary("incr"));
        starts(LogFile::create(self.disk(), &increment)?)?;
        let size = source.write(&base, opens)?;
        self.add_base(&mut manifest, &base, source.is_rdb())?;
        let name = manifest.add_increment(&self.file_name);
        self.disk().rename(&increment, &self.file(&name))?;
        tracing::info!("Successfully created the AOF incr file {name}");
        manifest.retire_increments();
        self.publish(&manifest)?;
        Ok(Rewritten { manifest, size })
    }

    /// Opens the increment to go on with after loading. Where there is nothing yet, the data becomes the base; then its size is
    /// given, too.
    pub fn open(
        &self,
        manifest: &mut Manifest,
        source: &dyn Source,
    ) -> anyhow::Result<(LogFile, Option<u64>)> {
        let mut base = None;
        if manifest.is_empty() {
            let name = manifest.add_base(&self.file_name, source.is_rdb());
            let size = source.write(&self.file(&name), &|| {});
            base = Some(size.with_context(|| format!("Can't write the AOF base file {name}"))?);
            tracing::info!("Creating AOF base file {name} on server start");
        }
        let (name, verb) = match manifest.increments.last() {
            Some(last) => (last.name.clone(), "Opening"),
            None => (manifest.add_increment(&self.file_name), "Creating"),
        };
        let file = LogFile::open(self.disk(), &self.file(&name))
            .with_context(|| format!("Can't open the append-only file {name}"))?;
        tracing::info!("{verb} AOF incr file {name} on server start");
        (self.publish(manifest))
            .and_then(|()| self.remove_history(manifest))
            .context("Can't write the AOF manifest file")?;
        Ok((file, base))
    }

    /// Has the writer go over to a new increment at a record that is still to be named.
    fn order_switch(
        &self,
        helm: &Helm,
        manifest: &Manifest,
        increment: &str,
    ) -> io::Result<Receiver<io::Result<()>>> {
        if helm.switch_at.load(Acquire) != u64::MAX {
            return Err(io::Error::other(
                "the log is still about to go over to the file before",
            ));
        }
        let file = LogFile::create(self.disk(), &self.file(increment))?;
        let (done, switched) = channel();
        let (own, manifest) = (self.clone(), manifest.clone());
        let switch = Switch {
            file,
            publish: Box::new(move || own.publish(&manifest)),
            done,
        };
        let sent = helm.orders.send(Order::Switch(switch));
        sent.map_err(|_| io::Error::other("the writer has ended"))?;
        Ok(switched)
    }
}

impl Helm {
    /// Names the next record as the first of the new increment. No record can be appended meanwhile.
    fn name(&self, journal: &Journal) {
        self.switch_at.store(journal.next_number(), Release);
        journal.ring();
    }

    /// Forgets about the switch if no record was named.
    fn call_off(&self, journal: &Journal) {
        if self.switch_at.load(Acquire) == u64::MAX {
            // A writer that has ended will not go over.
            let _ = self.orders.send(Order::CallOff);
            journal.ring();
        }
    }
}

/// Why the log does not go on in the new file.
#[derive(Debug, Error)]
enum Unswitched {
    #[error("the log could not go on in a new file: {0}")]
    Failed(#[from] io::Error),
    /// It still may: the file must stay.
    #[error("no longer wanted")]
    Unwanted,
    #[error("called off")]
    CalledOff,
}

/// Waits until the log goes on in the new file.
fn await_switch(
    source: &dyn Source,
    switched: &Receiver<io::Result<()>>,
) -> Result<(), Unswitched> {
    loop {
        match switched.recv_timeout(LOOK) {
            Ok(result) => return Ok(result?),
            Err(RecvTimeoutError::Disconnected) => return Err(Unswitched::CalledOff),
            Err(RecvTimeoutError::Timeout) if source.is_wanted() => {}
            Err(RecvTimeoutError::Timeout) => return Err(Unswitched::Unwanted),
        }
    }
}
