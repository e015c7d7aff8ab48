//! Carrying out what recovery decided.

use std::path::Path;

use super::{Plan, RecoveryReport, Rewrite, Torn};
use crate::Error;
use crate::directory::{segment_path, torn_path};
use crate::error::IoContext;
use crate::vfs::{OpenMode, Vfs, write_all_at};

impl Plan {
    /// Does what was decided. Each step leaves a directory that recovers to the same journal.
    pub(super) fn carry_out(
        self,
        vfs: &dyn Vfs,
        directory: &Path,
    ) -> Result<RecoveryReport, Error> {
        let mut report = RecoveryReport::default();
        for (number, end) in self.finish_seals {
            finish_seal(vfs, &segment_path(directory, number), end)?;
            report.seals_finished.push(number);
        }
        if let Some((number, bytes)) = self.drop_segment {
            report.torn = keep_torn(vfs, directory, number, &bytes)?;
            let path = segment_path(directory, number);
            vfs.remove(&path).context("remove", &path)?;
            vfs.sync_directory(directory).context("sync", directory)?;
        }
        if let Some(rewrite) = self.rewrite {
            if let Some(torn) = keep_torn(vfs, directory, rewrite.number, &rewrite.dropped)? {
                report.torn = Some(Torn {
                    offset: rewrite.kept.len() as u64,
                    ..torn
                });
            }
            replace_segment(vfs, directory, &rewrite)?;
            report.rewritten = true;
        }
        Ok(report)
    }
}

fn finish_seal(vfs: &dyn Vfs, path: &Path, end: u64) -> Result<(), Error> {
    let file = vfs.open(path, OpenMode::Write).context("open", path)?;
    file.set_len(end).context("cut", path)?;
    file.sync_data().context("sync", path)
}

// Durability:
// 1. The kept groups are written to a file of their own and synced: what an earlier, failed fsync left in the page cache alone is now
//    on the device, or this fails.
// 2. The rename puts the whole file in place; a crash before it leaves a leftover, which is removed.
// 3. The directory is synced before anything that was kept is published.
fn replace_segment(vfs: &dyn Vfs, directory: &Path, rewrite: &Rewrite) -> Result<(), Error> {
    let aside = directory.join(format!("recover-{:016x}.tmp", rewrite.number));
    write_new(vfs, &aside, &rewrite.kept)?;
    let path = segment_path(directory, rewrite.number);
    vfs.rename(&aside, &path).context("rename", &aside)?;
    vfs.sync_directory(directory).context("sync", directory)
}

/// Keeps what is dropped, zeros at its end left out; it is durable before the original goes.
fn keep_torn(
    vfs: &dyn Vfs,
    directory: &Path,
    segment: u64,
    dropped: &[u8],
) -> Result<Option<Torn>, Error> {
    let length = dropped
        .iter()
        .rposition(|byte| *byte != 0)
        .map_or(0, |at| at + 1);
    if length == 0 {
        return Ok(None);
    }
    let path = torn_path(vfs, directory, segment)?;
    let aside = directory.join(format!("recover-{segment:016x}-torn.tmp"));
    write_new(vfs, &aside, dropped.get(..length).unwrap_or(dropped))?;
    vfs.rename(&aside, &path).context("rename", &aside)?;
    vfs.sync_directory(directory).context("sync", directory)?;
    Ok(Some(Torn {
        segment,
        offset: 0,
        bytes: length as u64,
        kept: Some(path),
    }))
}

/// Writes a new file and syncs it.
pub(crate) fn write_new(vfs: &dyn Vfs, path: &Path, bytes: &[u8]) -> Result<(), Error> {
    let file = vfs
        .open(path, OpenMode::CreateNew)
        .context("create", path)?;
    write_all_at(file.as_ref(), bytes, 0).context("write", path)?;
    file.sync_data().context("sync", path)
}
