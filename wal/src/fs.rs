//! The few calls that the log makes on a file system, and the real one.
//!
//! A trait so that tests can fail each call, cut the power, or fill the disk; see [`Log::open_on`](crate::Log::open_on).

use std::any::Any;
use std::fmt::Debug;
use std::fs::{self, TryLockError};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

/// Held as long as it lives, let go when dropped.
pub type Lock = Box<dyn Any + Send + Sync>;

/// Directories and the files in them.
pub trait FileSystem: Debug + Send + Sync {
    /// Creates one directory, whose parent must exist.
    fn create_dir(&self, directory: &Path) -> io::Result<()>;
    /// The name and length of every entry; names that are not UTF-8 may be left out.
    fn list(&self, directory: &Path) -> io::Result<Vec<(String, u64)>>;
    /// Creates a file to write to; an existing one is an error.
    fn create(&self, path: &Path) -> io::Result<Arc<dyn File>>;
    /// Opens an existing file to read from, and to sync.
    fn open(&self, path: &Path) -> io::Result<Arc<dyn File>>;
    /// Removes a file.
    fn remove(&self, path: &Path) -> io::Result<()>;
    /// Makes created and removed entries of a directory durable.
    fn sync_dir(&self, directory: &Path) -> io::Result<()>;
    /// Locks a file, creating it if need be; `None` when another holds it.
    fn lock(&self, path: &Path) -> io::Result<Option<Lock>>;
}

/// One open file. Reads and writes name their offset, so several threads may share it.
#[allow(clippy::len_without_is_empty)]
pub trait File: Debug + Send + Sync {
    /// The file's length in bytes.
    fn len(&self) -> io::Result<u64>;
    /// Reads some bytes; 0 at the end.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize>;
    /// Writes some bytes, extending the file as needed.
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize>;
    /// Cuts the file off.
    fn set_len(&self, length: u64) -> io::Result<()>;
    /// Makes what was written durable. An error is final: a second call proves nothing.
    fn sync(&self) -> io::Result<()>;
}

/// The operating system's; Unix only.
#[derive(Debug, Clone, Copy, Default)]
pub struct StdFileSystem;

impl FileSystem for StdFileSystem {
    fn create_dir(&self, directory: &Path) -> io::Result<()> {
        fs::create_dir(directory)
    }

    fn list(&self, directory: &Path) -> io::Result<Vec<(String, u64)>> {
        let mut entries = Vec::new();
        for entry in fs::read_dir(directory)? {
            let entry = entry?;
            let length = match entry.metadata() {
                Ok(metadata) => metadata.len(),
                // Removed since: a reader takes no lock.
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(error),
            };
            if let Ok(name) = entry.file_name().into_string() {
                entries.push((name, length));
            }
        }
        Ok(entries)
    }

    fn create(&self, path: &Path) -> io::Result<Arc<dyn File>> {
        Ok(Arc::new(fs::File::options().write(true).create_new(true).open(path)?))
    }

    fn open(&self, path: &Path) -> io::Result<Arc<dyn File>> {
        Ok(Arc::new(fs::File::open(path)?))
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn sync_dir(&self, directory: &Path) -> io::Result<()> {
        fs::File::open(directory)?.sync_all()
    }

    fn lock(&self, path: &Path) -> io::Result<Option<Lock>> {
        let file = fs::File::options().write(true).create(true).truncate(false).open(path)?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Box::new(file))),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }
}

impl File for fs::File {
    fn len(&self) -> io::Result<u64> {
        Ok(self.metadata()?.len())
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        FileExt::read_at(self, buffer, offset)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        FileExt::write_at(self, bytes, offset)
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        self.set_len(length)
    }

    fn sync(&self) -> io::Result<()> {
        // The length is part of the data's way back, so fdatasync writes it too.
        self.sync_data()
    }
}

/// Reads until `buffer` is full or the file ends; how much was read.
pub(crate) fn read_full(file: &dyn File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match file.read_at(&mut buffer[filled..], offset + filled as u64) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

/// Writes all of `bytes`, or fails after some of them.
pub(crate) fn write_full(file: &dyn File, bytes: &[u8], offset: u64) -> io::Result<()> {
    let mut written = 0;
    while written < bytes.len() {
        match file.write_at(&bytes[written..], offset + written as u64) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(count) => written += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Creates `directory` with its parents, each entry durable.
pub(crate) fn create_dir_all(fs: &dyn FileSystem, directory: &Path) -> io::Result<()> {
    let parent = match directory.parent() {
        Some(parent) if parent.as_os_str().is_empty() => Path::new("."),
        Some(parent) => parent,
        None => return Ok(()),
    };
    let created = match fs.create_dir(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            create_dir_all(fs, parent)?;
            fs.create_dir(directory)
        }
        other => other,
    };
    match created {
        Ok(()) => fs.sync_dir(parent),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            // A process that died right after creating it may have left it unsynced. Only tried: the parent may be one
            // that we must not read, or a read-only mount.
            let _ = fs.sync_dir(parent);
            Ok(())
        }
        Err(error) => Err(error),
    }
}
