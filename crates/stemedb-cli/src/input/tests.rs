use std::io::{self, Cursor, Read, Write as _};

use proptest::prelude::*;
use stemedb::limits::LINE_BYTES_MAX;
use stemedb::ndjson::{Chunk, Content};

use super::{Form, Lines, Pace, decompress};

/// A reader that gives its bytes in pieces of the sizes `steps`, over and over, then perhaps fails.
struct Pieces {
    bytes: Cursor<Vec<u8>>,
    steps: Vec<usize>,
    next: usize,
    failure: Option<io::ErrorKind>,
}

impl Pieces {
    fn new(bytes: &[u8], steps: &[usize]) -> Self {
        let bytes = Cursor::new(bytes.to_vec());
        let steps = steps.to_vec();
        Self {
            bytes,
            steps,
            next: 0,
            failure: None,
        }
    }
}

impl Read for Pieces {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let step = self.steps[self.next % self.steps.len()];
        self.next += 1;
        let room = step.min(buffer.len());
        let read = self.bytes.read(&mut buffer[..room])?;
        match self.failure {
            Some(kind) if read == 0 => Err(kind.into()),
            _ => Ok(read),
        }
    }
}

/// A line as it came out: its number, and its bytes or none if it was too long.
type Line = (u64, Option<Vec<u8>>);

fn lines_of(chunk: &Chunk) -> Vec<Line> {
    match &chunk.content {
        Content::TooLong => vec![(chunk.first_line, None)],
        Content::Lines(_) => chunk
            .lines()
            .map(|(number, line)| {
                let kept = line.len() <= LINE_BYTES_MAX;
                (number, kept.then(|| line.to_vec()))
            })
            .collect(),
    }
}

/// All lines, and the error at the end.
fn split(reader: impl Read) -> (Vec<Line>, Option<io::ErrorKind>) {
    split_at(Pace::AsTheyCome, reader)
}

fn split_at(pace: Pace, reader: impl Read) -> (Vec<Line>, Option<io::ErrorKind>) {
    let mut splitter = Lines::new(reader, pace);
    let mut all = Vec::new();
    loop {
        match splitter.next_chunk() {
            Ok(Some(chunk)) => all.extend(lines_of(&chunk)),
            Ok(None) => return (all, None),
            Err(error) => return (all, Some(error.kind())),
        }
    }
}

/// What [`split`] has to give, in the plainest way.
fn naive(bytes: &[u8]) -> Vec<Line> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let mut all = Vec::new();
    for (at, line) in bytes.split(|byte| *byte == b'\n').enumerate() {
        let number = u64::try_from(at).unwrap() + 1;
        if line.len() > LINE_BYTES_MAX {
            all.push((number, None));
        } else if !line.iter().all(u8::is_ascii_whitespace) {
            all.push((number, Some(line.to_vec())));
        }
    }
    all
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn unpacked(bytes: Vec<u8>) -> (Vec<Line>, Option<io::ErrorKind>) {
    split(decompress(Cursor::new(bytes)).unwrap())
}

proptest! {
    #[test]
    fn lines_do_not_depend_on_the_pieces_in_which_they_come(
        bytes in proptest::collection::vec(prop_oneof![Just(b'\n'), Just(b'\r'), Just(b' '), any::<u8>()], 0..300),
        has_bom in any::<bool>(),
        steps in proptest::collection::vec(1_usize..40, 1..5),
    ) {
        let mut input = if has_bom { b"\xef\xbb\xbf".to_vec() } else { Vec::new() };
        input.extend(bytes);
        for pace in [Pace::AsTheyCome, Pace::ManyAtOnce] {
            let found = split_at(pace, Pieces::new(&input, &steps));
            prop_assert_eq!(found, (naive(&input), None));
        }
    }

    #[test]
    fn compression_changes_nothing(
        parts in proptest::collection::vec("[a-z\n]{0,200}", 0..4),
    ) {
        let plain = parts.concat().into_bytes();
        let members: Vec<u8> = parts.iter().flat_map(|part| gzip(part.as_bytes())).collect();
        let frames: Vec<u8> = parts
            .iter()
            .flat_map(|part| zstd::encode_all(part.as_bytes(), 1).unwrap())
            .collect();
        let expected = (naive(&plain), None);
        prop_assert_eq!(&unpacked(members), &expected);
        prop_assert_eq!(&unpacked(frames), &expected);
        prop_assert_eq!(&unpacked(plain), &expected);
    }
}

#[test]
fn a_line_at_the_limit_is_kept_and_one_beyond_is_not() {
    for (excess, bom) in [
        (0, ""),
        (1, ""),
        (0, "\u{feff}"),
        (1, "\u{feff}"),
        (3 << 20, ""),
    ] {
        let long = "x".repeat(LINE_BYTES_MAX + excess);
        for input in [
            format!("{bom}{long}"),
            format!("{bom}{long}\nb\n"),
            format!("{bom}a\n\n{long}\nb"),
        ] {
            for pace in [Pace::AsTheyCome, Pace::ManyAtOnce] {
                let found = split_at(pace, Pieces::new(input.as_bytes(), &[1 << 20, 7, 100_000]));
                assert!(
                    found == (naive(input.as_bytes()), None),
                    "{excess} beyond the limit, {pace:?}"
                );
            }
        }
    }
}

/// Gives the letter x for ever, and says how far it was read.
struct Endless(u64);

impl Read for Endless {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        buffer.fill(b'x');
        self.0 += u64::try_from(buffer.len()).unwrap();
        Ok(buffer.len())
    }
}

#[test]
fn a_line_without_end_is_not_held() {
    for pace in [Pace::AsTheyCome, Pace::ManyAtOnce] {
        let mut splitter = Lines::new(Endless(0).take(200 << 20), pace);
        let chunk = splitter.next_chunk().unwrap().unwrap();
        assert_eq!(chunk.content, Content::TooLong);
        let held = splitter.held();
        assert!(held < 3 * LINE_BYTES_MAX, "{held} bytes");
        assert_eq!(splitter.next_chunk().unwrap(), None);
    }
}

#[test]
fn complete_lines_before_an_error_come_first_and_the_torn_one_not_at_all() {
    for pace in [Pace::AsTheyCome, Pace::ManyAtOnce] {
        let mut reader = Pieces::new(b"one\ntwo\nthr", &[5]);
        reader.failure = Some(io::ErrorKind::UnexpectedEof);
        let expected = vec![(1, Some(b"one".to_vec())), (2, Some(b"two".to_vec()))];
        assert_eq!(
            split_at(pace, reader),
            (expected, Some(io::ErrorKind::UnexpectedEof))
        );
    }
}

#[test]
fn a_damaged_archive_is_an_error_wherever_it_is_damaged() {
    let plain = b"one\ntwo\n".repeat(1000);
    for packed in [gzip(&plain), zstd::encode_all(&plain[..], 1).unwrap()] {
        for end in MAGIC..packed.len() {
            let (_, error) = unpacked(packed[..end].to_vec());
            assert!(error.is_some(), "cut to {end} of {} bytes", packed.len());
        }
    }
    let mut wrong = gzip(&plain);
    let crc = wrong.len() - 8;
    wrong[crc] ^= 1;
    let (lines, error) = unpacked(wrong);
    assert_eq!((lines.len(), error.is_some()), (2000, true));
}

const MAGIC: usize = super::MAGIC_BYTES;

#[test]
fn the_form_is_told_by_the_first_bytes() {
    assert_eq!(Form::of(b""), Form::Plain);
    assert_eq!(Form::of(b"{"), Form::Plain);
    assert_eq!(Form::of(&gzip(b"")), Form::Gzip);
    assert_eq!(Form::of(b"\x28\xb5\x2f\xfd"), Form::Zstd);
    assert_eq!(Form::of(b"\x50\x2a\x4d\x18"), Form::Zstd);
}

#[test]
fn lines_are_passed_on_before_a_stream_ends_and_many_at_once_from_a_file() {
    let first = |pace| {
        let mut splitter = Lines::new(Pieces::new(b"one\ntwo\n", &[4]), pace);
        let chunk = splitter.next_chunk().unwrap().unwrap();
        (lines_of(&chunk).len(), splitter.next_line())
    };
    assert_eq!(first(Pace::AsTheyCome), (1, 2));
    assert_eq!(first(Pace::ManyAtOnce), (2, 3));
}

#[test]
fn a_file_is_cut_into_chunks_of_the_size_of_a_read() {
    let text = b"0123456789abcde\n".repeat(100_000);
    let mut splitter = Lines::new(Pieces::new(&text, &[1000]), Pace::ManyAtOnce);
    let mut sizes = Vec::new();
    while let Some(chunk) = splitter.next_chunk().unwrap() {
        sizes.push(lines_of(&chunk).len());
    }
    let full = super::split::CHUNK_BYTES / 16;
    assert_eq!(sizes, [full, full, full, 100_000 - 3 * full]);
}
