//! Tests of the ingestor: what the specification names, against every store, and what may go wrong on the way.

#[cfg(test)]
mod announced; // records of which the worker is told what they are
#[cfg(test)]
mod apply; // from records to a batch, as a function of its arguments
#[cfg(test)]
mod damage; // payloads that are flipped, cut, misaligned or made up
#[cfg(test)]
mod faulty; // a store that blocks, fails or panics when it is told to
#[cfg(test)]
mod isolation; // readers during a load: never half a batch
#[cfg(test)]
mod lifecycle; // start, stop, drop, panic, back-pressure, and who hears of them
#[cfg(test)]
mod mismatch; // a store that is ahead of its journal, or was built from another
#[cfg(test)]
mod model; // random groups and restarts against a model
#[cfg(test)]
mod overlap; // one batch prepared while the one before it is applied
#[cfg(test)]
mod payload; // golden bytes and round trips
#[cfg(test)]
mod quarantine; // what cannot be applied, and that the stream goes on
#[cfg(test)]
mod recovery; // crashes, replay, duplicates counted once
#[cfg(test)]
mod settings; // settings out of their limits
#[cfg(test)]
mod specification; // the tests that the specification names
#[cfg(test)]
mod support; // journal, store and ingestor of one test, and made-up records
