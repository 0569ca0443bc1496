//! The file system, as far as the files that keep the data need it: one place for all access, so that tests can put a disk
//! underneath that fails, tears what is written and loses what was not forced.

use std::fmt::Debug;
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read, Seek, Write};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

/// Files and folders.
pub trait Disk: Debug + Send + Sync {
    /// Makes a folder.
    fn create_folder(&self, path: &Path) -> io::Result<()>;
    /// Whether there is such a folder.
    fn is_folder(&self, path: &Path) -> bool;
    /// A file's length.
    fn length(&self, path: &Path) -> io::Result<u64>;
    /// Opens a file to be read.
    fn read(&self, path: &Path) -> io::Result<Box<dyn Input>>;
    /// Opens an empty file to be written, whatever was there.
    fn create(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>>;
    /// Opens a file to be written at its end; makes it where it is missing.
    fn append(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>>;
    /// Gives a file another name, replacing what had it.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Removes a file.
    fn remove(&self, path: &Path) -> io::Result<()>;
    /// Forces a folder's list of names to the disk.
    fn sync_folder(&self, path: &Path) -> io::Result<()>;
}

/// A file that is read.
pub trait Input: Read + Seek + Send {}

impl<R: Read + Seek + Send> Input for R {}

/// A file that is written at its end.
pub trait DiskFile: Debug + Send + Sync {
    /// Writes some of the bytes, at least one; tells how many.
    fn append(&self, bytes: &[u8]) -> io::Result<usize>;
    /// Writes over the beginning of a file that was opened empty.
    fn replace_start(&self, bytes: &[u8]) -> io::Result<()>;
    /// Forces what was written to the disk.
    fn sync(&self) -> io::Result<()>;
    /// Cuts the file off at a length.
    fn cut(&self, length: u64) -> io::Result<()>;
    /// Its length.
    fn length(&self) -> io::Result<u64>;
}

/// Writes all bytes.
pub fn append_all(file: &dyn DiskFile, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match file.append(bytes) {
            Ok(0) => return Err(ErrorKind::WriteZero.into()),
            Ok(count) => bytes = &bytes[count..],
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Replaces a file in one step that survives a crash, by way of a file of another name.
pub fn replace(disk: &dyn Disk, path: &Path, temporary: &Path, bytes: &[u8]) -> io::Result<()> {
    let written = disk
        .create(temporary)
        .and_then(|file| append_all(&*file, bytes).and_then(|()| file.sync()))
        .and_then(|()| disk.rename(temporary, path));
    if written.is_err() {
        // It may not have been made at all.
        let _ = disk.remove(temporary);
    }
    written?;
    sync_folder_of(disk, path)
}

/// Forces the list of names of a file's folder to the disk.
pub fn sync_folder_of(disk: &dyn Disk, path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|path| !path.as_os_str().is_empty());
    disk.sync_folder(folder.unwrap_or(Path::new(".")))
}

/// The operating system's.
#[derive(Debug, Clone, Copy)]
pub struct RealDisk;

impl Disk for RealDisk {
    fn create_folder(&self, path: &Path) -> io::Result<()> {
        fs::create_dir(path)
    }

    fn is_folder(&self, path: &Path) -> bool {
        path.is_dir()
    }

    fn length(&self, path: &Path) -> io::Result<u64> {
        let metadata = path.metadata()?;
        match metadata.is_file() {
            true => Ok(metadata.len()),
            false => Err(ErrorKind::IsADirectory.into()),
        }
    }

    fn read(&self, path: &Path) -> io::Result<Box<dyn Input>> {
        Ok(Box::new(File::open(path)?))
    }

    fn create(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        Ok(Arc::new(File::create(path)?))
    }

    fn append(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        let file = OpenOptions::new().append(true).create(true).open(path)?;
        Ok(Arc::new(file))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn sync_folder(&self, path: &Path) -> io::Result<()> {
        File::open(path)?.sync_all()
    }
}

impl DiskFile for File {
    fn append(&self, bytes: &[u8]) -> io::Result<usize> {
        (&*self).write(bytes)
    }

    fn replace_start(&self, bytes: &[u8]) -> io::Result<()> {
        self.write_all_at(bytes, 0)
    }

    fn sync(&self) -> io::Result<()> {
        self.sync_data()
    }

    fn cut(&self, length: u64) -> io::Result<()> {
        self.set_len(length)
    }

    fn length(&self) -> io::Result<u64> {
        Ok(self.metadata()?.len())
    }
}
