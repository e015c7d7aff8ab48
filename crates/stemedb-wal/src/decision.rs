//! What recovery does about what it observed: the decision table, without a single file operation.
//!
//! `docs/DURABILITY.md` holds the same table in prose; the test enumerates every combination.

#[cfg(test)]
mod tests;

/// Which segment was looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Position {
    /// The only one: creation named it after its header and first group were durable.
    First,
    /// The last of several: its name proves the last group of its predecessor, and nothing of itself.
    Last,
    /// Any other: the header of its successor names its last group.
    Sealed,
}

/// The segment's header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Header {
    Sound,
    Bad,
}

/// What is behind the segment's last group (in a sealed one, behind the group that its successor names).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Behind {
    /// The file ends there: it was sealed, closed, or rewritten by recovery.
    Nothing,
    /// Zeros: it was open for writing.
    Zeros,
    /// Anything else, or the named group is not there.
    Damage,
}

/// Whether something says that what is damaged had been acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Witness {
    /// Nothing does.
    None,
    /// A later group in the same file: its `durable_upto` covers the damaged one.
    Group,
    /// The cursor of a store lies beyond the groups that can be kept.
    Store,
}

/// What is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// Taken as it is.
    Accept,
    /// An unfinished seal: the zeros are cut off.
    FinishSeal,
    /// The kept groups are copied aside, synced and renamed over the segment.
    Rewrite,
    /// The same, and what follows them is kept in a `.torn` file.
    RewriteAndKeepTorn,
    /// The segment never got its first group: it goes, kept as `.torn` if it holds anything, and its predecessor is the last one again.
    DropSegment,
    /// Acknowledged bytes are damaged.
    RefuseCorruption,
    /// A store has applied what the journal does not hold.
    RefuseStoreAhead,
}

/// The table. The first row that matches holds; the rows are disjoint.
#[expect(
    clippy::match_same_arms,
    reason = "a row stands for its argument, not for its action"
)]
pub(crate) fn decide(
    position: Position,
    header: Header,
    behind: Behind,
    witness: Witness,
) -> Action {
    match (position, header, behind, witness) {
        // A sealed segment was durable as a whole before its successor was named.
        (Position::Sealed, Header::Bad, _, _)
        | (Position::Sealed, Header::Sound, Behind::Damage, _) => Action::RefuseCorruption,
        (Position::Sealed, Header::Sound, Behind::Zeros, _) => Action::FinishSeal,
        (Position::Sealed, Header::Sound, Behind::Nothing, _) => Action::Accept,

        // The first segment gets its name after its header is durable.
        (Position::First, Header::Bad, _, _) => Action::RefuseCorruption,

        // In the last segment a bad header is a bad first group.
        (Position::Last, Header::Bad, _, Witness::Group)
        | (Position::First | Position::Last, Header::Sound, Behind::Damage, Witness::Group) => {
            Action::RefuseCorruption
        }
        (Position::Last, Header::Bad, _, Witness::Store)
        | (Position::First | Position::Last, Header::Sound, _, Witness::Store) => {
            Action::RefuseStoreAhead
        }
        (Position::Last, Header::Bad, _, Witness::None) => Action::DropSegment,

        // Behind nothing and behind zeros there can be no group to bear witness.
        (Position::First | Position::Last, Header::Sound, Behind::Nothing, _) => Action::Accept,
        (Position::First | Position::Last, Header::Sound, Behind::Zeros, _) => Action::Rewrite,
        (Position::First | Position::Last, Header::Sound, Behind::Damage, Witness::None) => {
            Action::RewriteAndKeepTorn
        }
    }
}
