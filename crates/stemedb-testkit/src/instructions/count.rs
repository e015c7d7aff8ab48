//! Counts the instructions of a process.

use std::env;
use std::ffi::OsStr;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::failure::{Doing, Failure};

/// The program that counts.
const COUNTER: &str = "valgrind";

/// How many instructions the workload `name` executes, all threads together; its profile stays in `place`.
///
/// # Errors
///
/// If the counter is not installed, the workload fails, or no count comes of it.
pub(super) fn instructions(name: &str, operations: u64, place: &Path) -> Result<u64, Failure> {
    let program = env::current_exe().doing("find", Path::new("this program"))?;
    let profile = place.join("callgrind.out");
    let output = Command::new(COUNTER)
        .arg("--tool=callgrind")
        .arg(format!("--callgrind-out-file={}", profile.display()))
        .arg(program)
        .args(["instructions-child", name, &operations.to_string()])
        .arg(place)
        .stdin(Stdio::null())
        .output()
        .doing("run", Path::new(COUNTER))?;
    if !output.status.success() {
        return Err(failed(&String::from_utf8_lossy(&output.stderr)));
    }
    let text = fs::read_to_string(&profile).doing("read", &profile)?;
    total(&text).ok_or_else(|| failed("its profile holds no total"))
}

/// What counts, and what is counted: the same code gives other counts with other ones.
///
/// # Errors
///
/// If one of them is not installed.
pub(super) fn tools() -> Result<String, Failure> {
    let compiler = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let version = |program: &OsStr| {
        let output = Command::new(program).arg("--version").output();
        let output = output.doing("run", Path::new(program))?;
        Ok::<_, Failure>(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    let (compiler, counter) = (version(&compiler)?, version(COUNTER.as_ref())?);
    Ok(format!("{compiler}, {counter}, {}", env::consts::ARCH))
}

fn failed(said: &str) -> Failure {
    Failure::Program {
        program: COUNTER.to_owned(),
        said: said.to_owned(),
    }
}

/// What a profile says of the whole process.
fn total(profile: &str) -> Option<u64> {
    let mut lines = profile.lines().rev();
    let total = lines.find_map(|line| line.strip_prefix("totals:"))?;
    total.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::total;

    #[test]
    fn the_total_of_a_profile_is_found() {
        let profile = "# callgrind format\nevents: Ir\nfn=(1) main\n16 400\n\ntotals: 123456\n";
        assert_eq!(total(profile), Some(123_456));
        assert_eq!(total("# callgrind format\nevents: Ir\n"), None);
        assert_eq!(total("totals: many\n"), None);
    }
}
