//! Writing a file so that its path leads to the old content or to the new one, whole, whatever happens meanwhile.
//!
//! The content goes to a file of another name in the same folder, is made durable, and takes the path's place in one
//! step; then the folder is made durable too. A process that is killed before that step leaves the other file behind;
//! the next save to the same path removes it. A lock tells such remains from the work of another process.

use super::fail;
use retrograd_tensor::{Error, ErrorKind};
use std::ffi::{OsStr, OsString};
use std::fs::{self, File, TryLockError};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

/// How many names are tried: the next one if other saves take the file for remains.
const ATTEMPTS: usize = 100;

/// Writes the file at `path` through `write`; folders that are missing are made.
pub(crate) fn replace(
    op: &'static str,
    path: &Path,
    write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> Result<(), Error> {
    write_and_rename(path, write).map_err(|e| {
        fail(op, path, ErrorKind::Io, &format!("cannot be written: {e}; what was there before stays"))
    })
}

fn write_and_rename(path: &Path, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
    let no_file = || io::Error::new(io::ErrorKind::InvalidInput, "the path names no file");
    let name = path.file_name().ok_or_else(no_file)?;
    let folder = match path.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    };
    fs::create_dir_all(folder)?;
    remove_remains(folder, name);
    let (temporary, file) = create(folder, name)?;
    let written = write_through(&file, write).and_then(|()| fs::rename(&temporary, path));
    if written.is_err() {
        // The error that counts is the first one.
        let _ = fs::remove_file(&temporary);
    }
    written?;
    sync_folder(folder)
}

fn write_through(file: &File, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
    let mut buffered = BufWriter::new(file);
    write(&mut buffered)?;
    buffered.flush()?;
    file.sync_all()
}

/// A new file beside `name`, locked as long as it is open. Its name, of process, thread and time, is nobody else's and
/// never used again: what is renamed in the end is what was written.
fn create(folder: &Path, name: &OsStr) -> io::Result<(PathBuf, File)> {
    for _ in 0..ATTEMPTS {
        let mut temporary = prefix(name);
        let (thread, time) = (std::thread::current().id(), UNIX_EPOCH.elapsed().unwrap_or_default());
        temporary.push(format!("{}-{thread:?}-{}", std::process::id(), time.as_nanos()));
        let path = folder.join(temporary);
        let file = match File::options().write(true).create_new(true).open(&path) {
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => continue,
            opened => opened?,
        };
        // Another save may take a file without a lock for remains, so the lock counts only if the file is still
        // there. Where a file system has no locks, remains are never removed, and nothing else is lost.
        if !matches!(file.try_lock(), Err(TryLockError::WouldBlock)) && path.exists() {
            return Ok((path, file));
        }
    }
    Err(io::Error::new(io::ErrorKind::AlreadyExists, "too many saves to this path at once"))
}

/// How the names begin under which `name` is written: hidden, and telling whose they are.
fn prefix(name: &OsStr) -> OsString {
    let mut prefix = OsString::from(".");
    prefix.push(name);
    prefix.push(".saving-");
    prefix
}

/// Removes what killed processes have left of `name`; what cannot be removed stays.
fn remove_remains(folder: &Path, name: &OsStr) {
    let prefix = prefix(name);
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let is_one = entry.file_name().as_encoded_bytes().starts_with(prefix.as_encoded_bytes());
        if !is_one {
            continue;
        }
        // The lock is held until the file is gone, so that nobody takes it for their own meanwhile.
        if let Ok(file) = File::open(entry.path())
            && file.try_lock().is_ok()
        {
            let _ = fs::remove_file(entry.path());
        }
    }
}

#[cfg(unix)]
fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// Elsewhere a folder cannot be opened as a file; the rename is durable when the system says so.
#[cfg(not(unix))]
fn sync_folder(_: &Path) -> io::Result<()> {
    Ok(())
}
