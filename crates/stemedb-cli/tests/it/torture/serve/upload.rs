//! A client that uploads lines without end; where it is broken off it goes on behind the last result.

use std::{
    io::{self, BufRead as _, BufReader, Write as _},
    net::TcpStream,
};

use serde_json::Value;

use super::{
    load::{Load, Posted, Told},
    wire::{Chunks, connect, read_head},
};

/// Lines that are sent before their results are read.
const PIECE: usize = 64;

const HEAD: &[u8] = b"POST /v1/records HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/x-ndjson\r\ntransfer-encoding: chunked\r\n\r\n";

/// Uploads until the load is over; gives what it was told.
pub(super) fn upload(load: &Load) -> Vec<Told> {
    let mut told = Vec::new();
    let mut sent_upto = 0;
    while !load.is_over() {
        load.insist(|| match go_on(load, &mut told, &mut sent_upto) {
            // Nothing is in doubt any more, and there is nobody to go on with.
            Err(_) if load.is_over() && told.len() == sent_upto => Ok(()),
            gone => gone,
        });
    }
    told
}

/// One connection, from the first line that has no result.
fn go_on(load: &Load, told: &mut Vec<Told>, sent_upto: &mut usize) -> io::Result<()> {
    let mut stream = connect(load.address)?;
    let mut sink = stream.get_ref().try_clone()?;
    sink.write_all(HEAD)?;
    let (status, _) = read_head(&mut stream)?;
    if status != 200 {
        return Err(io::Error::other(format!("an upload was answered {status}")));
    }
    let mut results = BufReader::new(Chunks::of(stream));
    let begun = told.len();
    while !load.is_over() || told.len() < *sent_upto {
        let first = told.len();
        let lines: Vec<_> = (first..first + PIECE)
            .map(|number| Posted::claim("upload", number))
            .collect();
        let again = *sent_upto;
        *sent_upto = first + PIECE;
        send(&mut sink, &lines)?;
        for (number, line) in (first..).zip(&lines) {
            let mut result = read(&mut results, line, number - begun + 1)?;
            result.attempts += usize::from(number < again);
            told.push(result);
            load.count(1);
        }
    }
    sink.write_all(b"0\r\n\r\n")?;
    let mut end = String::new();
    results.read_line(&mut end)?;
    let end: Value = serde_json::from_str(&end)?;
    assert_eq!((&end["end"], &end["rejected"]), (&true.into(), &0.into()));
    assert_eq!(end["lines"], told.len() - begun);
    Ok(())
}

fn send(sink: &mut TcpStream, lines: &[Posted]) -> io::Result<()> {
    let text: String = lines.iter().map(|line| line.body.clone() + "\n").collect();
    write!(sink, "{:x}\r\n{text}\r\n", text.len())
}

fn read(results: &mut BufReader<Chunks>, line: &Posted, number: usize) -> io::Result<Told> {
    let mut text = String::new();
    results.read_line(&mut text)?;
    let Some(text) = text.strip_suffix('\n') else {
        return Err(io::ErrorKind::UnexpectedEof.into());
    };
    let result: Value = serde_json::from_str(text).unwrap();
    if !result["problem"].is_null() {
        return Err(io::Error::other(text.to_owned()));
    }
    assert_eq!(result["line"], number, "{text}");
    assert_eq!(result["id"], line.id.to_string(), "{text}");
    let is_new = result["status"] == "stored";
    assert!(is_new || result["status"] == "duplicate", "{text}");
    Ok(Told {
        id: line.id,
        sequence: result["sequence"].as_u64().unwrap(),
        is_new,
        attempts: 1,
    })
}
