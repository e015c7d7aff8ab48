//! Integration tests of the test kit, and of the repository itself.

/// The oracle of every harness.
#[cfg(test)]
mod oracle;
/// The whole database on a simulated disk, through crashes.
#[cfg(test)]
mod simulation;
/// A short soak, by the program itself.
#[cfg(test)]
mod soak;
/// What holds for every file of the repository and no compiler checks.
#[cfg(test)]
mod tidy;
