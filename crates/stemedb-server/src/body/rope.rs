//! A body as it comes.

use crate::courtesy::let_others_run;
use crate::limits::SCANNED_BYTES;

/// The bytes of a body, in pieces of memory that stay where they are when more comes.
///
/// To move megabytes takes milliseconds, in which a thread that speaks HTTP answers nobody else.
#[derive(Debug, Default)]
pub(crate) struct Rope {
    segments: Vec<Vec<u8>>,
    length: usize,
    capacity: usize,
}

impl Rope {
    pub(crate) const fn len(&self) -> usize {
        self.length
    }

    /// For how many bytes there is memory.
    pub(super) const fn capacity(&self) -> usize {
        self.capacity
    }

    /// Takes memory for so many bytes in all.
    pub(super) fn grow(&mut self, capacity: usize) {
        let more = capacity.saturating_sub(self.capacity);
        self.segments.push(Vec::with_capacity(more));
        self.capacity += more;
    }

    /// Adds bytes, for which there is memory.
    pub(super) fn extend(&mut self, bytes: &[u8]) {
        let mut rest = bytes;
        for segment in &mut self.segments {
            let room = segment.capacity() - segment.len();
            let (here, later) = rest.split_at(room.min(rest.len()));
            segment.extend_from_slice(here);
            rest = later;
        }
        assert!(rest.is_empty(), "memory is taken before bytes are added");
        self.length += bytes.len();
    }

    /// All of it in one piece, for which a long one is moved bit by bit.
    pub(crate) fn join(mut self) -> Vec<u8> {
        if self.segments.len() <= 1 {
            return self.segments.pop().unwrap_or_default();
        }
        let mut joined = Vec::with_capacity(self.length);
        for segment in self.segments {
            for part in segment.chunks(SCANNED_BYTES) {
                joined.extend_from_slice(part);
                let_others_run();
            }
        }
        joined
    }
}

#[cfg(test)]
mod tests {
    use super::{Rope, SCANNED_BYTES};
    use crate::courtesy::lets_others_run;

    #[test]
    fn what_comes_is_joined_as_it_came_and_does_not_move_before() {
        assert_eq!(Rope::default().join(), b"");
        let mut rope = Rope::default();
        rope.grow(4);
        rope.extend(b"abc");
        let first = rope.segments[0].as_ptr();
        assert_eq!((rope.len(), rope.capacity()), (3, 4));
        rope.grow(9);
        // Into what is left of the first piece, and on into the second.
        rope.extend(b"defgh");
        rope.extend(b"");
        rope.extend(b"i");
        assert_eq!((rope.len(), rope.capacity()), (9, 9));
        assert_eq!(rope.segments, [&b"abcd"[..], b"efghi"]);
        assert_eq!(rope.segments[0].as_ptr(), first);
        assert_eq!(rope.join(), b"abcdefghi");

        let mut one = Rope::default();
        one.grow(3);
        one.extend(b"abc");
        let first = one.segments[0].as_ptr();
        let whole = one.join();
        assert_eq!(
            (&whole[..], whole.as_ptr()),
            (&b"abc"[..], first),
            "one piece stays where it is"
        );
    }

    #[test]
    fn joining_what_is_long_lets_others_run() {
        let bytes = [7, 8, 9].map(|byte| vec![byte; SCANNED_BYTES]).concat();
        let mut rope = Rope::default();
        rope.grow(1);
        rope.grow(bytes.len());
        rope.extend(&bytes);
        assert!(lets_others_run(|| assert!(rope.join() == bytes)));
    }
}
