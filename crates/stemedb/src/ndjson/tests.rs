use stemedb_core::limits::LINE_BYTES_MAX;

use super::{Chunk, ChunkLimit, Content, Splitter};

const CHUNK_BYTES: usize = 512 << 10;
const CHUNK_LINES_MAX: usize = 8192;
const LIMIT: ChunkLimit = ChunkLimit {
    bytes: CHUNK_BYTES,
    lines: CHUNK_LINES_MAX,
};

/// Chunks of what comes in pieces of `piece` bytes.
fn chunks(text: &[u8], piece: usize) -> Vec<Chunk> {
    chunks_of(LIMIT, text, piece)
}

fn chunks_of(limit: ChunkLimit, text: &[u8], piece: usize) -> Vec<Chunk> {
    let mut splitter = Splitter::new(limit);
    let mut chunks = Vec::new();
    let mut rest = text;
    while !splitter.has_ended() {
        while !splitter.is_full() && !splitter.has_ended() {
            let read = splitter.fill(|room| {
                let length = piece.min(rest.len()).min(room.len());
                room[..length].copy_from_slice(&rest[..length]);
                Ok(length)
            });
            match read.unwrap() {
                0 => splitter.end(),
                read => rest = &rest[read..],
            }
        }
        chunks.extend(std::iter::from_fn(|| splitter.cut()));
        assert!(splitter.held_bytes() <= LINE_BYTES_MAX + 2 * CHUNK_BYTES);
    }
    assert!(splitter.cut().is_none());
    chunks
}

fn lines(chunks: &[Chunk]) -> Vec<(u64, Vec<u8>)> {
    let mut lines = Vec::new();
    for chunk in chunks {
        match &chunk.content {
            Content::TooLong => lines.push((chunk.first_line, b"too long".to_vec())),
            Content::Lines(_) => {
                lines.extend(chunk.lines().map(|(number, line)| (number, line.to_vec())));
            }
        }
    }
    lines
}

#[test]
fn lines_keep_their_numbers_however_they_come() {
    let text = b"\xef\xbb\xbfone\n\n  \r\nfour\nfive";
    let expected = [
        (1, b"one".to_vec()),
        (4, b"four".to_vec()),
        (5, b"five".to_vec()),
    ];
    for piece in 1..text.len() {
        assert_eq!(lines(&chunks(text, piece)), expected);
        for (bytes, most) in [(1, 1), (1, 9), (4, 1), (5, 2)] {
            let limit = ChunkLimit { bytes, lines: most };
            let chunks = chunks_of(limit, text, piece);
            assert_eq!(lines(&chunks), expected, "{limit:?}");
            assert!(chunks.iter().all(|chunk| chunk.lines().count() <= most));
        }
    }
    assert!(chunks(b"", 1).is_empty());
}

#[test]
fn a_line_that_is_too_long_is_passed_over_in_bounded_memory() {
    let longest = vec![b'a'; LINE_BYTES_MAX];
    let mut text = longest.clone();
    text.extend(b"\nb\n");
    text.extend(vec![b'c'; 10 * LINE_BYTES_MAX]);
    text.extend(b"\nd\n");
    text.extend(vec![b'e'; LINE_BYTES_MAX + CHUNK_BYTES + 1]);
    for piece in [1000, CHUNK_BYTES, usize::MAX] {
        let lines = lines(&chunks(&text, piece));
        let numbers: Vec<_> = lines.iter().map(|(number, _)| *number).collect();
        assert_eq!(numbers, [1, 2, 3, 4, 5]);
        assert!(lines[0].1 == longest);
        assert_eq!((&lines[1].1[..], &lines[3].1[..]), (&b"b"[..], &b"d"[..]));
        assert_eq!(
            (&lines[2].1[..], &lines[4].1[..]),
            (&b"too long"[..], &b"too long"[..])
        );
    }
}

#[test]
fn a_chunk_has_a_limit_of_lines() {
    let numbers = 1..=3 * CHUNK_LINES_MAX;
    let text: Vec<_> = numbers.map(|number| format!("{number}\n")).collect();
    let text = text.concat();
    let chunks = chunks(text.as_bytes(), usize::MAX);
    assert!(
        chunks
            .iter()
            .all(|chunk| chunk.lines().count() <= CHUNK_LINES_MAX)
    );
    let lines = lines(&chunks);
    assert_eq!(lines.len(), 3 * CHUNK_LINES_MAX);
    assert!(
        lines
            .iter()
            .all(|(number, line)| number.to_string().as_bytes() == line)
    );
}

#[test]
fn every_line_that_is_not_blank_is_a_record_or_says_why_not() {
    let epoch = br#"{"type":"epoch","name":"2026","agent":"desk"}"#;
    let mut longest = epoch.to_vec();
    longest.resize(LINE_BYTES_MAX + 1, b' ');
    let mut text = [&epoch[..], b"\n\n{}\n"].concat();
    text.extend(&longest[..LINE_BYTES_MAX]);
    text.push(b'\n');
    text.extend(&longest);
    text.extend(b"\n");
    text.extend(&longest);
    let chunks = chunks(&text, usize::MAX);
    let mut refused = 0;
    let prepared = chunks
        .iter()
        .flat_map(|chunk| chunk.prepare_or(|| refused += 1));
    let prepared: Vec<_> = prepared.collect();
    assert_eq!(refused, 3);
    let told: Vec<_> = prepared
        .into_iter()
        .map(|(number, record)| (number, record.map_err(|error| error.to_string()).err()))
        .collect();
    let too_long = Some("the line is longer than 4194304 bytes".to_owned());
    assert_eq!(told[0], (1, None));
    assert!(told[1].0 == 3 && told[1].1.is_some(), "{told:?}");
    assert_eq!(told[2..], [(4, None), (5, too_long.clone()), (6, too_long)]);
}
