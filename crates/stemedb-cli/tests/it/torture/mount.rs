//! File systems for a test, which go away with it; needs root.

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use super::super::support::{Home, Run, say_skipped};

/// A file system that is mounted in a home, until this is dropped.
pub(crate) struct Mount {
    pub(crate) path: PathBuf,
    /// Outside of the mount, and there for as long as it is.
    pub(crate) home: Home,
}

impl Mount {
    /// A file system in memory with these options; none if that cannot be, which is said.
    pub(crate) fn tmpfs(options: &str) -> Option<Self> {
        Self::of(Home::new(), &["-t", "tmpfs", "-o", options, "tmpfs"])
    }

    /// An ext4 of `mib` MiB on a loop device.
    pub(crate) fn ext4(mib: u64) -> Option<Self> {
        let home = Home::new();
        let image = home.path("image");
        std::fs::File::create(&image)
            .unwrap()
            .set_len(mib << 20)
            .unwrap();
        let image = image.display().to_string();
        if !succeeds("mkfs.ext4", &["-q", "-F", &image]) {
            say_skipped("mkfs.ext4 is not installed");
            return None;
        }
        Self::of(home, &["-o", "loop", &image])
    }

    fn of(home: Home, what: &[&str]) -> Option<Self> {
        let path = home.path("mounted");
        std::fs::create_dir(&path).unwrap();
        let at = path.display().to_string();
        if !succeeds("mount", &[what, &[&at]].concat()) {
            say_skipped("this user may not mount, or there is no such device");
            return None;
        }
        Some(Self { path, home })
    }

    /// Changes its options.
    pub(crate) fn remount(&self, options: &str) {
        let options = format!("remount,{options}");
        let at = self.path.display().to_string();
        assert!(succeeds("mount", &["-o", &options, &at]));
    }

    /// Runs the program on the database in it.
    pub(crate) fn run(&self, args: &[&str]) -> Run {
        let database = self.database();
        self.home.run([&["--dir", &database], args].concat())
    }

    /// The database in it.
    pub(crate) fn database(&self) -> String {
        self.path.join("db").display().to_string()
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        unmount(&self.path);
    }
}

fn unmount(path: &Path) {
    let at = path.display().to_string();
    if !succeeds("umount", &[&at]) {
        succeeds("umount", &["-l", &at]);
    }
}

fn succeeds(program: &str, args: &[&str]) -> bool {
    let mut command = Command::new(program);
    command.args(args).stdin(Stdio::null());
    command.stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}
