//! Tests of the threads of StemeDB, one interleaving at a time.

#![cfg(shuttle)]

#[cfg(test)]
mod disk; // a disk in memory, on which every operation is a point of switching
#[cfg(test)]
mod follow; // readers: never past what is durable, never a hole, never a wait without end
#[cfg(test)]
mod group_commit; // appends: answered once, durable when they are, in order
#[cfg(test)]
mod schedule; // how interleavings are chosen, and repeated
#[cfg(test)]
mod story; // a journal on such a disk, and what must hold of it
