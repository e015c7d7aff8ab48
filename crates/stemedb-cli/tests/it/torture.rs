//! The real program among killed processes, failing system calls and full disks.

mod backup; // SIGKILL and errors at the N-th system call of a backup
mod check; // what must hold of a database after each life of a process
mod error; // an error at the N-th system call
mod flight; // one long ingest under kills and errors
mod full; // disks that run full; needs root
mod kill; // SIGKILL at the N-th system call, in work and in recovery
mod life; // one process: what it was fed, what it acknowledged, how it ended
mod lock; // two processes, one database
mod mount; // file systems for a test; needs root
mod place; // odd places, and copies of a live database
mod serve; // SIGKILL of the server under load
pub(crate) mod trace; // strace, which makes a system call go wrong
mod work; // what is fed: records of all types, enough for two segments
