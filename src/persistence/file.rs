//! The folder of the append-only file, and the file that is being appended to.

use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicI64;

use super::disk::{Disk, DiskFile, RealDisk, replace, sync_folder_of};
use super::manifest::{Manifest, ManifestError, Part};
use crate::base::machine::error_text;
use crate::config::Config;

/// Where the append-only file's parts are.
#[derive(Debug, Clone)]
pub struct Folder {
    path: PathBuf,
    /// The name that every part begins with.
    pub file_name: String,
    /// Where versions before 7 kept everything in one file.
    pub single_file: PathBuf,
    disk: Arc<dyn Disk>,
    /// The highest number that an increment has had: the manifest forgets it when the log is rewritten while it is off.
    last_increment: Arc<AtomicI64>,
}

impl Folder {
    /// The folder that the configuration names.
    pub fn of(config: &Config) -> Self {
        Self {
            path: config.dir.file(&config.appenddirname),
            file_name: config.appendfilename.clone(),
            single_file: config.dir.file(&config.appendfilename),
            disk: Arc::new(RealDisk),
            last_increment: Arc::default(),
        }
    }

    /// The same, knowing what another one knows, where that is the same folder.
    pub fn following(self, other: Option<&Self>) -> Self {
        let known = other.filter(|other| other.path == self.path);
        let last_increment = known.map(|other| other.last_increment.clone());
        Self {
            last_increment: last_increment.unwrap_or_default(),
            ..self
        }
    }

    /// The same on another disk.
    #[cfg(test)]
    pub(super) fn on(config: &Config, disk: Arc<dyn Disk>) -> Self {
        Self {
            disk,
            ..Self::of(config)
        }
    }

    /// The disk that it is on.
    pub fn disk(&self) -> &dyn Disk {
        &*self.disk
    }

    /// Whether it is there.
    pub fn exists(&self) -> bool {
        self.disk.is_folder(&self.path)
    }

    /// Makes it where it is missing.
    pub fn create(&self) -> io::Result<()> {
        match self.disk.create_folder(&self.path) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists && self.exists() => Ok(()),
            Ok(()) => sync_folder_of(&*self.disk, &self.path),
            result => result,
        }
    }

    /// A file in it.
    pub fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// A file in it that is no part yet.
    pub fn temporary(&self, what: &str) -> PathBuf {
        self.path.join(format!("temp-{}.{what}", self.file_name))
    }

    /// The manifest's name.
    pub fn manifest_name(&self) -> String {
        format!("{}.manifest", self.file_name)
    }

    /// Reads the manifest; one that is not there is empty.
    pub fn read_manifest(&self) -> Result<Manifest, ManifestError> {
        let mut text = Vec::new();
        let read = self.disk.read(&self.file(&self.manifest_name()));
        match read.and_then(|mut file| file.read_to_end(&mut text)) {
            Ok(_) => Manifest::parse(&text).map(|mut manifest| {
                manifest.go_on_from(&self.last_increment);
                manifest
            }),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(Manifest::default()),
            Err(error) => Err(ManifestError::Unreadable(error_text(&error))),
        }
    }

    /// Replaces the manifest in one step that survives a crash.
    pub fn write_manifest(&self, manifest: &Manifest) -> io::Result<()> {
        let name = self.manifest_name();
        let temporary = self.file(&format!("temp-{name}"));
        replace(
            &*self.disk,
            &self.file(&name),
            &temporary,
            manifest.text().as_bytes(),
        )
    }

    /// Makes files that are there part of the log: their names are on disk before the manifest that has them is.
    pub fn publish(&self, manifest: &Manifest) -> io::Result<()> {
        self.disk.sync_folder(&self.path)?;
        self.write_manifest(manifest)
    }

    /// Gives a base that is complete its name in the manifest, which becomes valid when it is published.
    pub fn add_base(
        &self,
        manifest: &mut Manifest,
        temporary: &Path,
        is_rdb: bool,
    ) -> io::Result<()> {
        let name = manifest.add_base(&self.file_name, is_rdb);
        self.disk.rename(temporary, &self.file(&name))?;
        tracing::info!("Successfully created the AOF base file {name}");
        Ok(())
    }

    /// Removes a file that was to become part of the log, unless the manifest names it nevertheless: a failure to replace it
    /// may have come after the fact.
    pub fn remove_unless_named(&self, name: &str) {
        let is_free = |manifest: Manifest| manifest.parts().all(|part| part.name != name);
        if self.read_manifest().is_ok_and(is_free) {
            // Left behind, it is overwritten next time.
            let _ = self.disk.remove(&self.file(name));
        }
    }

    /// Removes the files that the manifest calls history, then their lines.
    pub fn remove_history(&self, manifest: &mut Manifest) -> io::Result<()> {
        if manifest.history.is_empty() {
            return Ok(());
        }
        self.remove_files(&std::mem::take(&mut manifest.history));
        self.write_manifest(manifest)
    }

    /// Takes history out of the manifest on the disk; its files are still to be removed.
    pub fn forget_history(&self) -> Result<Vec<Part>, ManifestError> {
        let mut manifest = self.read_manifest()?;
        let history = std::mem::take(&mut manifest.history);
        if !history.is_empty() {
            (self.write_manifest(&manifest))
                .map_err(|error| ManifestError::Unreadable(error_text(&error)))?;
        }
        Ok(history)
    }

    /// Removes files; those that cannot be removed stay.
    pub fn remove_files(&self, parts: &[Part]) {
        for part in parts {
            tracing::info!("Removing the history file {}", part.name);
            match self.disk.remove(&self.file(&part.name)) {
                Err(error) if error.kind() != ErrorKind::NotFound => {
                    tracing::warn!("The history file {} stays: {error}", part.name);
                }
                _ => {}
            }
        }
    }

    /// Moves the single file of an older version into the folder, as its base. After a crash in the middle it is done again.
    pub fn adopt_single_file(&self, manifest: &mut Manifest) -> io::Result<()> {
        self.create()?;
        manifest.adopt_base(self.file_name.clone());
        self.write_manifest(manifest)?;
        self.disk
            .rename(&self.single_file, &self.file(&self.file_name))?;
        self.disk.sync_folder(&self.path)?;
        sync_folder_of(&*self.disk, &self.single_file)?;
        tracing::info!(
            "Successfully migrated an old-style AOF file ({}) into the AOF directory ({}).",
            self.single_file.display(),
            self.path.display()
        );
        Ok(())
    }

    /// Whether the single file of an older version is there and has not been adopted.
    pub fn has_single_file(&self, manifest: &Manifest) -> bool {
        if self.disk.length(&self.single_file).is_err() {
            return false;
        }
        let is_half_adopted = manifest.increments.is_empty()
            && manifest
                .base
                .as_ref()
                .is_some_and(|base| base.name == self.file_name)
            && self.disk.length(&self.file(&self.file_name)).is_err();
        manifest.is_empty() || is_half_adopted
    }
}

/// The file that records are appended to.
#[derive(Debug)]
pub struct LogFile {
    file: Arc<dyn DiskFile>,
    size: u64,
}

/// Why bytes were not appended, and how many of them could not be taken back.
#[derive(Debug)]
pub struct Stuck {
    /// What the operating system says.
    pub error: io::Error,
    /// Bytes that are in the file nevertheless.
    pub bytes: usize,
}

impl LogFile {
    /// Opens a file for appending, made where it is missing.
    pub fn open(disk: &dyn Disk, path: &Path) -> io::Result<Self> {
        let file = disk.append(path)?;
        let size = file.length()?;
        Ok(Self { file, size })
    }

    /// An empty file, whatever was there.
    pub fn create(disk: &dyn Disk, path: &Path) -> io::Result<Self> {
        let file = disk.append(path)?;
        file.cut(0)?;
        Ok(Self { file, size: 0 })
    }

    /// Its length.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The file, for another thread to sync.
    pub fn handle(&self) -> Arc<dyn DiskFile> {
        self.file.clone()
    }

    /// Forces what was written to the disk.
    pub fn sync(&self) -> io::Result<()> {
        self.file.sync()
    }

    /// Appends all bytes, or takes back what was appended of them.
    pub fn append(&mut self, bytes: &[u8]) -> Result<(), Stuck> {
        let mut written = 0;
        while written < bytes.len() {
            match self.file.append(&bytes[written..]) {
                Ok(0) => return Err(self.take_back(written, ErrorKind::WriteZero.into())),
                Ok(count) => written += count,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(self.take_back(written, error)),
            }
        }
        self.size += bytes.len() as u64;
        Ok(())
    }

    /// Cuts off the last bytes: they are to be written again. False when they cannot be cut off.
    pub fn cut_back(&mut self, bytes: usize) -> bool {
        let size = self.size - bytes as u64;
        let is_cut = self.file.cut(size).is_ok();
        if is_cut {
            self.size = size;
        }
        is_cut
    }

    fn take_back(&mut self, written: usize, error: io::Error) -> Stuck {
        self.size += written as u64;
        let is_clean = written == 0 || self.cut_back(written);
        Stuck {
            error,
            bytes: if is_clean { 0 } else { written },
        }
    }
}
