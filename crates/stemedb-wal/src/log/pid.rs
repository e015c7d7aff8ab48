//! Who holds the lock, written down for whoever is told that it is held.

use std::path::Path;

use crate::directory::PID_FILE;
use crate::vfs::{OpenMode, Vfs, read_full_at, write_all_at};

pub(super) fn read_pid(vfs: &dyn Vfs, directory: &Path) -> Option<u32> {
    let file = vfs.open(&directory.join(PID_FILE), OpenMode::Read).ok()?;
    let mut text = [0; 16];
    let read = read_full_at(file.as_ref(), &mut text, 0).ok()?;
    str::from_utf8(text.get(..read)?).ok()?.trim().parse().ok()
}

/// The process id is information only: where it cannot be written, nobody is told.
pub(super) fn write_pid(vfs: &dyn Vfs, directory: &Path) {
    let path = directory.join(PID_FILE);
    let text = format!("{}\n", std::process::id());
    let opened = vfs
        .open(&path, OpenMode::Write)
        .or_else(|_| vfs.open(&path, OpenMode::CreateNew));
    let written = opened.and_then(|file| {
        file.set_len(0)?;
        write_all_at(file.as_ref(), text.as_bytes(), 0)
    });
    if let Err(error) = written {
        tracing::debug!(path = %path.display(), %error, "the process id was not written down");
    }
}
