//! Tests of the program, from outside: its arguments, what it prints, its exit codes, and what a kill leaves.
#![expect(
    clippy::disallowed_methods,
    reason = "tests look at files from outside, wait for processes, and kill them"
)]

#[cfg(test)]
mod backup; // backups, and databases that are restored from them
#[cfg(test)]
mod failure; // every failure has one line, its exit code, and changes nothing
#[cfg(test)]
mod fault; // a failing fsync; needs strace
#[cfg(test)]
mod first_minute; // what a newcomer types first
#[cfg(test)]
mod ingest; // counts, results, rejects, and inputs of all forms
#[cfg(test)]
mod kill; // kill -9 at random moments
#[cfg(test)]
mod outlet; // results and rejects never cost a file that is needed
#[cfg(test)]
mod query; // looking at records
#[cfg(test)]
mod readme; // what the README prints
#[cfg(test)]
mod real_data; // every set of real data against figures that an independent program counted
#[cfg(test)]
mod remote; // every command by way of a server: the same output, and what goes wrong on the way
#[cfg(test)]
mod serve; // the server as a process: signals, a kill, and where it listens
#[cfg(test)]
mod support; // runs the program in a directory of its own
#[cfg(test)]
mod token; // tokens of a server, made and revoked beside it
#[cfg(test)]
mod tool; // keys, verify, rebuild, quarantine and the bytes on disk
#[cfg(test)]
mod torture; // killed processes, failing system calls, full disks; needs strace
#[cfg(test)]
mod watch; // the server as whoever operates it sees it: logs, metrics, readiness
