//! Files: written whole or not at all, read no further than they go.

use super::CheckpointError;
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};
use std::process;
use std::sync::atomic::{AtomicU64, Ordering};

/// Names that are tried for the temporary file: those of earlier ones that were killed may be taken.
const NAMES: usize = 1000;

/// What was tried with which file, where it fails.
fn failed(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> CheckpointError {
    move |error| CheckpointError::Io { action, path: path.to_path_buf(), error }
}

/// Puts `bytes` at `path`: into a temporary file of the same folder, synced, with the mode of the file that was there, then renamed
/// over it. Whatever happens on the way, there is the old file or the new one, whole.
pub(super) fn replace(path: &Path, bytes: &[u8]) -> Result<(), CheckpointError> {
    // A link stays one: what it points to is replaced.
    let target = if path.is_symlink() {
        fs::canonicalize(path).map_err(failed("follow the link", path))?
    } else {
        path.to_path_buf()
    };
    let old = match fs::metadata(&target) {
        Ok(old) if old.is_file() => Some(old),
        Ok(_) => {
            return Err(failed("replace", path)(io::Error::new(ErrorKind::InvalidInput, "it is not a regular file")));
        }
        Err(error) if error.kind() == ErrorKind::NotFound => None,
        Err(error) => return Err(failed("look at", path)(error)),
    };
    let folder = match target.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let (mut file, temporary) = create_in(folder)?;
    let written = (|| {
        file.write_all(bytes)?;
        if let Some(old) = old {
            file.set_permissions(old.permissions())?;
        }
        file.sync_all()
    })();
    drop(file);
    let result = written
        .map_err(failed("write", &temporary.0))
        .and_then(|()| fs::rename(&temporary.0, &target).map_err(failed("replace", path)));
    if result.is_ok() {
        // It has another name now.
        temporary.keep();
    }
    result?;
    sync_folder(folder).map_err(failed("sync the folder", folder))
}

/// A file that goes when it is dropped.
struct Temporary(PathBuf);

impl Temporary {
    fn keep(mut self) {
        self.0 = PathBuf::new();
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        if !self.0.as_os_str().is_empty() {
            // There is no more to be done about one that cannot be removed.
            let _ = fs::remove_file(&self.0);
        }
    }
}

fn create_in(folder: &Path) -> Result<(File, Temporary), CheckpointError> {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let mut tries = 0;
    loop {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = folder.join(format!(".checkpoint-{}-{number}.tmp", process::id()));
        match OpenOptions::new().write(true).create_new(true).open(&path) {
            Ok(file) => return Ok((file, Temporary(path))),
            Err(error) if error.kind() == ErrorKind::AlreadyExists && tries < NAMES => tries += 1,
            Err(error) => return Err(failed("create", &path)(error)),
        }
    }
}

/// Makes the new name last. Only Unix syncs folders, and there not every file system.
fn sync_folder(folder: &Path) -> io::Result<()> {
    if cfg!(not(unix)) {
        return Ok(());
    }
    match File::open(folder)?.sync_all() {
        Err(error) if error.kind() == ErrorKind::InvalidInput => Ok(()),
        other => other,
    }
}

/// All bytes of a regular file whose beginning `accepts` them: the first bytes and the length of the file are looked at before the rest
/// is read.
pub(super) fn read(
    path: &Path,
    accepts: impl FnOnce(&[u8], u64) -> Result<(), CheckpointError>,
) -> Result<Vec<u8>, CheckpointError> {
    // Opening a pipe would wait for its other end.
    let is_file = fs::metadata(path).map_err(failed("read", path))?.is_file();
    if !is_file {
        return Err(failed("read", path)(io::Error::new(ErrorKind::InvalidInput, "it is not a regular file")));
    }
    let mut file = File::open(path).map_err(failed("read", path))?;
    let len = file.metadata().map_err(failed("read", path))?.len();
    let mut bytes = Vec::new();
    (&mut file).take(super::tensors::START as u64).read_to_end(&mut bytes).map_err(failed("read", path))?;
    accepts(&bytes, len)?;
    let rest = usize::try_from(len.saturating_sub(bytes.len() as u64)).unwrap_or(usize::MAX);
    bytes.try_reserve_exact(rest).map_err(|_| failed("read", path)(ErrorKind::OutOfMemory.into()))?;
    file.take(rest as u64).read_to_end(&mut bytes).map_err(failed("read", path))?;
    Ok(bytes)
}
