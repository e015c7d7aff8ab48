//! The disk under the database: a small file system of its own, which can be filled, or a directory where that cannot be had.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::failure::{Doing, Failure};
use crate::output::say;

const IMAGE_BYTES: u64 = 1 << 30;

/// How a child is starved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Room {
    /// The file system is filled.
    CanBeFilled,
    /// Files get a limit of size, since the file system is not ours.
    FilesAreLimited,
}

/// Where the database is.
#[derive(Debug)]
pub(crate) struct Disk {
    root: PathBuf,
    room: Room,
}

impl Disk {
    /// Mounts an ext4 of its own, which takes the rights of an administrator; else takes a plain directory, and says so.
    pub(crate) fn create(directory: &Path) -> Result<Self, Failure> {
        let root = directory.join("disk");
        fs::create_dir_all(&root).doing("create", &root)?;
        let room = match mount(directory, &root) {
            Ok(()) => Room::CanBeFilled,
            Err(failure) => {
                say(format_args!(
                    "no file system of its own ({failure}): files are limited in size instead of the disk"
                ));
                Room::FilesAreLimited
            }
        };
        Ok(Self { root, room })
    }

    /// How a child is starved here.
    pub(crate) const fn room(&self) -> Room {
        self.room
    }

    /// Where the database is.
    pub(crate) fn database(&self) -> PathBuf {
        self.root.join("database")
    }

    /// Takes all room but for `left` bytes.
    pub(crate) fn fill(&self, left: u64) -> Result<(), Failure> {
        let root = self.root.display().to_string();
        let answer = run("df", &["--output=avail", "--block-size=1", &root])?;
        let free = answer
            .lines()
            .nth(1)
            .and_then(|line| line.trim().parse().ok());
        let free: u64 = free.ok_or_else(|| Failure::Program {
            program: "df".to_owned(),
            said: answer.clone(),
        })?;
        let bytes = free.saturating_sub(left).max(1).to_string();
        // The child writes at the same time, so that this may come too late for the whole of it.
        let ballast = self.ballast().display().to_string();
        match run("fallocate", &["--length", &bytes, &ballast]) {
            Ok(_) | Err(Failure::Program { .. }) => Ok(()),
            Err(failure) => Err(failure),
        }
    }

    /// Gives the room back.
    pub(crate) fn free(&self) -> Result<(), Failure> {
        let ballast = self.ballast();
        if ballast.exists() {
            fs::remove_file(&ballast).doing("remove", &ballast)?;
        }
        Ok(())
    }

    /// Removes the database.
    pub(crate) fn retire(&self) -> Result<(), Failure> {
        let database = self.database();
        if database.exists() {
            fs::remove_dir_all(&database).doing("remove", &database)?;
        }
        Ok(())
    }

    fn ballast(&self) -> PathBuf {
        self.root.join("ballast")
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        if self.room == Room::CanBeFilled {
            let root = self.root.display().to_string();
            if let Err(failure) = run("umount", &[&root]) {
                say(format_args!("{root} is still mounted: {failure}"));
            }
        }
    }
}

fn mount(directory: &Path, root: &Path) -> Result<(), Failure> {
    let image = directory.join("disk.img");
    let file = fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .open(&image);
    file.and_then(|file| file.set_len(IMAGE_BYTES))
        .doing("create", &image)?;
    let (image, root) = (image.display().to_string(), root.display().to_string());
    run("mkfs.ext4", &["-q", "-m", "0", "-F", &image])?;
    run("mount", &["-o", "loop", &image, &root])?;
    Ok(())
}

/// Runs a program to its end and gives what it said.
pub(super) fn run(program: &str, arguments: &[&str]) -> Result<String, Failure> {
    let output = Command::new(program).args(arguments).output();
    let output = output.doing("run", Path::new(program))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    Err(Failure::Program {
        program: program.to_owned(),
        said: String::from_utf8_lossy(&output.stderr).trim().to_owned(),
    })
}
