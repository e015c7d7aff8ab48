//! A copy of the repository that may be changed.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::failure::{Doing, Failure};

/// The files of the repository in a directory, and where they came from.
#[derive(Debug)]
pub(crate) struct Tree {
    original: PathBuf,
    copy: PathBuf,
    build: PathBuf,
}

impl Tree {
    /// Copies every tracked file; what is the same already is left alone, so that little is built anew.
    ///
    /// # Errors
    ///
    /// Where files cannot be listed, read or written.
    pub(crate) fn copy(root: &Path, directory: &Path) -> Result<Self, Failure> {
        let tree = Self {
            original: root.to_owned(),
            copy: directory.join("tree"),
            build: directory.join("build"),
        };
        let files = tracked(root)?;
        for file in &files {
            tree.copy_one(file)?;
        }
        tree.remove_others(&files)?;
        Ok(tree)
    }

    /// The repository itself, to look at.
    #[cfg(test)]
    pub(crate) fn original(root: &Path) -> Self {
        Self {
            original: root.to_owned(),
            copy: root.to_owned(),
            build: root.to_owned(),
        }
    }

    /// Where the copy is.
    pub(crate) fn path(&self) -> &Path {
        &self.copy
    }

    /// Where it is built.
    pub(crate) fn build(&self) -> &Path {
        &self.build
    }

    /// The text of a file of the copy.
    ///
    /// # Errors
    ///
    /// Where it cannot be read.
    pub(crate) fn read(&self, file: &str) -> Result<String, Failure> {
        let path = self.copy.join(file);
        fs::read_to_string(&path).doing("read", &path)
    }

    /// Replaces a file of the copy.
    ///
    /// # Errors
    ///
    /// Where it cannot be written.
    pub(crate) fn write(&self, file: &str, text: &str) -> Result<(), Failure> {
        let path = self.copy.join(file);
        let open = fs::OpenOptions::new()
            .write(true)
            .truncate(true)
            .open(&path);
        open.and_then(|mut open| open.write_all(text.as_bytes()))
            .doing("write", &path)
    }

    fn copy_one(&self, file: &str) -> Result<(), Failure> {
        let (from, to) = (self.original.join(file), self.copy.join(file));
        if let Some(parent) = to.parent() {
            fs::create_dir_all(parent).doing("create", parent)?;
        }
        let kind = fs::symlink_metadata(&from).doing("look at", &from)?;
        if kind.is_symlink() {
            return copy_link(&from, &to).doing("link", &to);
        }
        if is_same(&from, &to) {
            return Ok(());
        }
        // Without the time of the original, which cargo may have seen already.
        let bytes = fs::read_to_string(&from);
        match bytes {
            Ok(text) => fs::OpenOptions::new()
                .write(true)
                .create(true)
                .truncate(true)
                .open(&to)
                .and_then(|mut open| open.write_all(text.as_bytes()))
                .doing("write", &to),
            Err(_) => fs::copy(&from, &to).map(drop).doing("copy", &from),
        }
    }

    /// Removes sources that the repository no longer has.
    fn remove_others(&self, files: &[String]) -> Result<(), Failure> {
        let files: BTreeSet<PathBuf> = files.iter().map(|file| self.copy.join(file)).collect();
        let mut pending = vec![self.copy.join("crates")];
        while let Some(directory) = pending.pop() {
            for entry in fs::read_dir(&directory).doing("list", &directory)? {
                let path = entry.doing("list", &directory)?.path();
                let kind = fs::symlink_metadata(&path).doing("look at", &path)?;
                if kind.is_dir() {
                    pending.push(path);
                } else if !files.contains(&path) {
                    fs::remove_file(&path).doing("remove", &path)?;
                }
            }
        }
        Ok(())
    }
}

/// The tracked files that are there.
fn tracked(root: &Path) -> Result<Vec<String>, Failure> {
    let output = Command::new("git")
        .args(["ls-files", "-z"])
        .current_dir(root)
        .output();
    let output = output.doing("run git in", root)?;
    if !output.status.success() {
        return Err(Failure::Program {
            program: "git".to_owned(),
            said: String::from_utf8_lossy(&output.stderr).trim().to_owned(),
        });
    }
    let names = String::from_utf8_lossy(&output.stdout).into_owned();
    let names = names.split('\0').filter(|name| !name.is_empty());
    Ok(names
        .filter(|name| root.join(name).symlink_metadata().is_ok())
        .map(str::to_owned)
        .collect())
}

fn copy_link(from: &Path, to: &Path) -> std::io::Result<()> {
    if to.symlink_metadata().is_ok() {
        fs::remove_file(to)?;
    }
    std::os::unix::fs::symlink(fs::read_link(from)?, to)
}

fn is_same(one: &Path, other: &Path) -> bool {
    if let (Ok(one), Ok(other)) = (fs::read_to_string(one), fs::read_to_string(other)) {
        return one == other;
    }
    // What is no text is data, and does not change under one name.
    let bytes = |path: &Path| path.metadata().map(|metadata| metadata.len()).ok();
    bytes(one).is_some() && bytes(one) == bytes(other)
}
