//! Tests of the journal through its public interface.

#[cfg(test)]
mod append; // appending, reopening, reading back
#[cfg(test)]
mod backup; // backups and restores of a journal that is in use
#[cfg(test)]
mod creation; // directories that are made, found made, or in the way
#[cfg(test)]
mod damage; // a small journal, damaged at every byte
#[cfg(test)]
mod exhaustive; // every state that a power loss can leave, at every operation
#[cfg(test)]
mod extent; // lengths, sizes and numbers at their limits, and how much is read
#[cfg(test)]
mod failure; // operations that fail, one at a time
#[cfg(test)]
mod golden; // bytes that were written once
#[cfg(test)]
mod hooked; // a simulated disk with a hook in front of it
#[cfg(test)]
mod meters; // what is counted of groups and fsyncs
#[cfg(test)]
mod misread; // reads that are short, or zeros
#[cfg(test)]
mod refusal; // segments missing, swapped, foreign; stores that do not fit
#[cfg(test)]
mod simulation; // random work, faults and power losses on a simulated disk
#[cfg(test)]
mod snapshot; // snapshots of a journal that is in use
#[cfg(test)]
mod spare; // spares that cannot be made
#[cfg(test)]
mod story; // the words in which the tests of damage are written
#[cfg(test)]
mod tail; // what a crash can leave behind the last group
#[cfg(test)]
mod threads; // many writers, readers that follow, back-pressure, failures with a log thread
#[cfg(test)]
mod trickle; // a byte at a time, interrupted calls, slow syncs, clocks that jump, slow readers
#[cfg(test)]
mod unreadable; // sectors that the disk cannot read, bits that it reads wrongly once
#[cfg(test)]
mod walk; // walking over whatever is broken, and salvaging it
#[cfg(test)]
mod warning; // what recovery says aloud
