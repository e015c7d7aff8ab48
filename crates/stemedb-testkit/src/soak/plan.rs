//! What is done to one life of a child, and when: decided by the seed.

use std::time::Duration;

use stemedb_testkit::disk::Random;

use super::disk::Room;

/// Something that is done to a child.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Act {
    /// It is stopped where it is.
    Stop,
    /// It goes on.
    Continue,
    /// The disk is filled but for so many bytes.
    Fill(u64),
    /// The disk has room again.
    Free,
    /// SIGKILL.
    Kill,
    /// SIGTERM, which ends it as well.
    Terminate,
    /// It is told to end in order.
    End,
}

/// A life.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    /// What is done, in order, each at a time after the start.
    pub(crate) acts: Vec<(Duration, Act)>,
    /// Bytes that a file may have.
    pub(crate) file_bytes_max: Option<u64>,
}

impl Plan {
    /// Plans a life.
    pub(crate) fn new(room: Room, random: &mut Random) -> Self {
        let mut file_bytes_max = None;
        let mut length = match random.below(4) {
            0 => random.below(400),
            _ => random.below(6000),
        };
        let mut acts = Vec::new();
        if random.one_in(5) {
            let at = random.below(length + 1);
            let pause = random.below(1500);
            acts.push((at, Act::Stop));
            acts.push((at + pause, Act::Continue));
            length += pause;
        }
        if random.one_in(4) {
            match room {
                Room::CanBeFilled => {
                    let at = random.below(length + 1);
                    let time = random.below(3000);
                    acts.push((at, Act::Fill(random.below(4 << 20))));
                    // Often the disk is still full when the child dies.
                    if random.one_in(2) {
                        acts.push((at + time, Act::Free));
                        length = length.max(at + time + 500);
                    }
                }
                Room::FilesAreLimited => file_bytes_max = Some(random.below(8 << 20)),
            }
        }
        let end = match random.below(20) {
            0..15 => Act::Kill,
            15..17 => Act::Terminate,
            _ => Act::End,
        };
        acts.push((length, end));
        // Stable, so that a pause ends before the life does.
        acts.sort_by_key(|(at, _)| *at);
        let acts = acts.into_iter();
        Self {
            acts: acts
                .map(|(at, act)| (Duration::from_millis(at), act))
                .collect(),
            file_bytes_max,
        }
    }
}

#[cfg(test)]
mod tests {
    use stemedb_testkit::disk::Random;

    use super::{Act, Plan, Room};

    #[test]
    fn each_life_ends_once_and_last_and_all_acts_occur() {
        let mut random = Random::new(5);
        let mut seen = [0; 7];
        for _ in 0..500 {
            let plan = Plan::new(Room::CanBeFilled, &mut random);
            let ends = |act: &Act| matches!(act, Act::Kill | Act::Terminate | Act::End);
            assert!(ends(&plan.acts.last().unwrap().1), "{plan:?}");
            assert_eq!(plan.acts.iter().filter(|(_, act)| ends(act)).count(), 1);
            for (_, act) in plan.acts {
                seen[match act {
                    Act::Stop => 0,
                    Act::Continue => 1,
                    Act::Fill(_) => 2,
                    Act::Free => 3,
                    Act::Kill => 4,
                    Act::Terminate => 5,
                    Act::End => 6,
                }] += 1;
            }
        }
        assert!(seen.iter().all(|count| *count > 20), "{seen:?}");
        assert_eq!(seen[0], seen[1]);
    }
}
