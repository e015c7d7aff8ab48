//! Where threads meet: the one place from which this crate takes locks, conditions, threads and channels for one value.
//!
//! They are those of the standard library and of `oneshot`. Built with `--cfg shuttle` they are those of shuttle, under whose
//! scheduler interleavings are tried one by one; these tests stand in `stemedb-shuttle`.

#[cfg(shuttle)]
mod shuttle;

#[cfg(shuttle)]
pub use self::shuttle::{
    AtomicBool, Condvar, Mutex, MutexGuard, WaitTimeoutResult, oneshot, thread,
};
/// For counts: nobody waits for them or decides by them, so that their interleavings are not worth trying.
pub(crate) use std::sync::atomic::AtomicU64;

#[cfg(not(shuttle))]
pub(crate) use ::oneshot;
#[cfg(not(shuttle))]
pub(crate) use std::{
    sync::{Condvar, Mutex, MutexGuard, atomic::AtomicBool},
    thread,
};
