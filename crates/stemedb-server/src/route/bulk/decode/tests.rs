use std::io::{BufRead as _, Write as _};

use axum::body::Bytes;
use flate2::{Compression, write::GzEncoder};
use stemedb::limits::LINE_BYTES_MAX;
use stemedb::ndjson::Content;

use super::{Cutter, Encoding, Pieces, Step};
use crate::courtesy::lets_others_run;
use crate::limits::{CHUNK_BYTES, DECODED_BYTES};

const ENCODINGS: [Encoding; 3] = [Encoding::Identity, Encoding::Gzip, Encoding::Zstd];

fn encode(text: &[u8], encoding: Encoding) -> Vec<u8> {
    match encoding {
        Encoding::Identity => text.to_vec(),
        Encoding::Gzip => {
            let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
            encoder.write_all(text).unwrap();
            encoder.finish().unwrap()
        }
        Encoding::Zstd => {
            let mut encoder = zstd::Encoder::new(Vec::new(), 1).unwrap();
            encoder.include_checksum(true).unwrap();
            encoder.write_all(text).unwrap();
            encoder.finish().unwrap()
        }
    }
}

/// The lines of a body in pieces, and whether it came to its end.
fn decode(body: &[u8], encoding: Encoding, piece: usize) -> (Vec<Vec<u8>>, bool) {
    let mut cutter = Cutter::new(encoding).unwrap();
    let mut lines = Vec::new();
    let mut pieces = body.chunks(piece);
    loop {
        match cutter.step() {
            Ok(Step::Chunk(chunk)) => match &chunk.content {
                Content::TooLong => lines.push(b"too long".to_vec()),
                Content::Lines(text) => {
                    assert!(text.len() <= LINE_BYTES_MAX + 2 * CHUNK_BYTES);
                    lines.extend(chunk.lines().map(|(_, line)| line.to_vec()));
                }
            },
            Ok(Step::Working) => {}
            Ok(Step::Hungry) => match pieces.next() {
                Some(piece) => cutter.feed([Bytes::copy_from_slice(piece), Bytes::new()]),
                None => cutter.end(),
            },
            Ok(Step::Ended) => return (lines, true),
            Err(_) => return (lines, false),
        }
    }
}

#[test]
fn every_encoding_gives_the_same_lines_in_pieces_of_any_size() {
    let text: Vec<_> = (0..500).map(|number| format!("line {number}\n")).collect();
    let text = text.concat();
    let expected: Vec<_> = text.lines().map(|line| line.as_bytes().to_vec()).collect();
    for encoding in ENCODINGS {
        // Streams may stand one behind the other.
        let (first, second) = text.as_bytes().split_at(2000);
        let mut body = encode(first, encoding);
        body.extend(encode(second, encoding));
        for piece in [1, 7, 100, usize::MAX] {
            assert_eq!(decode(&body, encoding, piece), (expected.clone(), true));
        }
    }
}

#[test]
fn what_was_cut_off_is_told_from_what_is_whole() {
    let text = b"one\ntwo\nthree\n";
    for encoding in [Encoding::Gzip, Encoding::Zstd] {
        let body = encode(text, encoding);
        for length in 1..body.len() {
            let (lines, is_whole) = decode(&body[..length], encoding, 5);
            assert!(!is_whole, "{length} of {} bytes", body.len());
            assert!(lines.len() <= 3);
        }
        let mut bad = body;
        let middle = bad.len() / 2;
        bad[middle] ^= 0x55;
        assert!(!decode(&bad, encoding, 5).1);
        assert!(!decode(b"{\"not\":\"compressed\"}\n", encoding, 5).1);
    }
}

#[test]
fn a_body_that_expands_a_thousandfold_takes_no_more_memory() {
    let mut text = vec![b'a'; 64 << 20];
    text.extend(b"\nsmall\n");
    text.extend(vec![b'\n'; 8 << 20]);
    text.extend(b"last");
    for encoding in [Encoding::Gzip, Encoding::Zstd] {
        let body = encode(&text, encoding);
        assert!(body.len() < text.len() / 100);
        let (lines, is_whole) = decode(&body, encoding, usize::MAX);
        assert!(is_whole);
        assert_eq!(lines, [&b"too long"[..], b"small", b"last"]);
    }
}

#[test]
fn a_window_that_is_larger_than_http_allows_is_refused() {
    let mut encoder = zstd::Encoder::new(Vec::new(), 1).unwrap();
    encoder.window_log(27).unwrap();
    encoder.write_all(&vec![b'\n'; 1000]).unwrap();
    let body = encoder.finish().unwrap();
    assert!(!decode(&body, Encoding::Zstd, usize::MAX).1);
}

#[test]
fn what_is_decompressed_lets_others_run_between_parts_of_it() {
    let mut cutter = Cutter::new(Encoding::Zstd).unwrap();
    cutter.feed([Bytes::from(encode(&vec![0; DECODED_BYTES], Encoding::Zstd))]);
    assert!(lets_others_run(|| drop(cutter.step())));
    // Also where it comes to nothing, as frames do that are to be skipped.
    let long = Bytes::from(vec![0; 2 * DECODED_BYTES + 1]);
    let mut pieces = Pieces::default();
    pieces.pieces.push_back(long);
    for expected in [DECODED_BYTES, DECODED_BYTES, 1] {
        let mut read = 0;
        assert!(lets_others_run(|| read = pieces.fill_buf().unwrap().len()));
        assert_eq!(read, expected);
        pieces.consume(read);
    }
}
