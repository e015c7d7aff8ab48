//! The directory of a store: whether it is ours, and how much it takes.

use std::{
    fs::{self, Metadata},
    io,
    path::Path,
    sync::Arc,
};

use crate::{
    error::{Error, Result},
    store::StoreKind,
};

/// Creates the directory, or checks that it is empty or has one of our names in it.
pub(crate) fn prepare(path: &Path, kind: StoreKind, ours: &[&str]) -> Result<()> {
    let refused = |source| Error::Io {
        path: path.to_owned(),
        source: Arc::new(source),
    };
    fs::create_dir_all(path).map_err(refused)?;
    let mut is_empty = true;
    for entry in fs::read_dir(path).map_err(refused)? {
        let name = entry.map_err(refused)?.file_name();
        if ours.iter().any(|ours| name == *ours) {
            return Ok(());
        }
        is_empty = false;
    }
    if is_empty {
        Ok(())
    } else {
        Err(Error::NotAStore {
            path: path.to_owned(),
            kind,
        })
    }
}

/// Returns the bytes that everything below `path` takes on the disk.
pub(crate) fn bytes(path: &Path) -> Result<u64> {
    let mut sum = 0_u64;
    walk(path, &mut |_, metadata| {
        sum = sum.saturating_add(allocated(metadata));
        Ok(())
    })
    .map_err(|source| Error::Io {
        path: path.to_owned(),
        source: Arc::new(source),
    })?;
    Ok(sum)
}

/// Visits everything below `path`, a directory after what is in it. What vanishes meanwhile is left out.
pub(crate) fn walk(
    path: &Path,
    visit: &mut impl FnMut(&Path, &Metadata) -> io::Result<()>,
) -> io::Result<()> {
    let mut found = vec![path.to_owned()];
    let mut next = 0;
    while let Some(path) = found.get(next).cloned() {
        next += 1;
        if !path.is_dir() {
            continue;
        }
        for entry in fs::read_dir(&path)? {
            found.push(entry?.path());
        }
    }
    for path in found.iter().rev() {
        match fs::symlink_metadata(path) {
            Ok(metadata) => visit(path, &metadata)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Files are made longer than what is written to them: count what the file system has given them.
#[cfg(unix)]
fn allocated(metadata: &Metadata) -> u64 {
    use std::os::unix::fs::MetadataExt;
    const BLOCK_BYTES: u64 = 512;
    metadata.blocks().saturating_mul(BLOCK_BYTES)
}

#[cfg(not(unix))]
fn allocated(metadata: &Metadata) -> u64 {
    metadata.len()
}
