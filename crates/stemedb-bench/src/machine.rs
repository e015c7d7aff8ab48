//! On what a run was made.

use std::path::Path;

use serde::Serialize;

use crate::file;

/// What figures depend on.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Machine {
    /// The processor, by its own name.
    pub(crate) processor: String,
    pub(crate) cores: usize,
    pub(crate) memory_gb: u64,
    pub(crate) kernel: String,
    /// The file system on which everything lies.
    pub(crate) disk: String,
}

impl Machine {
    /// The machine, and the file system of a directory.
    pub(crate) fn here(directory: &Path) -> Self {
        let cpu = file::text("/proc/cpuinfo").unwrap_or_default();
        let memory = file::text("/proc/meminfo").unwrap_or_default();
        let kib = field(&memory, "MemTotal").and_then(|kib| kib.split(' ').next()?.parse().ok());
        Self {
            processor: field(&cpu, "model name").unwrap_or("unknown").to_owned(),
            cores: cores(),
            memory_gb: kib.map_or(0, |kib: u64| kib / 1_000_000),
            kernel: file::text("/proc/sys/kernel/osrelease")
                .map_or_else(|_| "unknown".to_owned(), |text| text.trim().to_owned()),
            disk: file_system(directory),
        }
    }
}

/// How many threads run at once.
pub(crate) fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// The value of the first line `name : value`.
pub(crate) fn field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    text.lines().find_map(|line| {
        let (key, value) = line.split_once(':')?;
        (key.trim() == name).then(|| value.trim())
    })
}

/// The kind and the device of the file system that holds a directory.
fn file_system(directory: &Path) -> String {
    let mounts = file::text("/proc/mounts").unwrap_or_default();
    let place = directory
        .canonicalize()
        .unwrap_or_else(|_| directory.to_owned());
    let holder = mounts
        .lines()
        .filter_map(|line| {
            let mut words = line.split(' ');
            Some((words.next()?, words.next()?, words.next()?))
        })
        .filter(|(_, at, _)| place.starts_with(at))
        .max_by_key(|(_, at, _)| at.len());
    holder.map_or_else(
        || "unknown".to_owned(),
        |(device, _, kind)| format!("{kind} on {device}"),
    )
}

/// A quantity of memory of a process, in MB.
///
/// `name` is that of a line of its status: `VmHWM` is the most that it ever had, `VmRSS` what it has.
pub(crate) fn memory_mb(process: u32, name: &str) -> Option<f64> {
    let status = file::text(format!("/proc/{process}/status")).ok()?;
    let kib: f64 = field(&status, name)?.split(' ').next()?.parse().ok()?;
    Some(kib * 1024.0 / 1e6)
}
