use stemedb::{Durability, Receipt, RecordId, Sequence, Status};

use super::{Tally, Unknown};
use crate::route::bulk::check::Line;
use crate::wire::{BulkLine, BulkResult, Fate};

fn receipt(sequence: u64, status: Status) -> Receipt {
    Receipt {
        id: RecordId::from_bytes([7; 32]),
        sequence: Sequence::new(sequence).unwrap(),
        durability: Durability::Sync,
        status,
    }
}

fn failure() -> stemedb::Error {
    stemedb::Database::open("/nowhere/at/all").unwrap_err()
}

fn line(number: u64, refusal: Option<&str>) -> Line {
    let refusal = refusal.map(Into::into);
    Line { number, refusal }
}

#[test]
fn results_end_before_the_first_line_of_which_nothing_is_known() {
    let mut tally = Tally::default();
    let lines = vec![
        line(1, None),
        line(3, Some("why")),
        line(4, None),
        line(5, None),
        line(6, None),
    ];
    let receipts = vec![
        Ok(receipt(8, Status::Stored)),
        Ok(receipt(2, Status::AlreadyStored)),
        Err(failure()),
        Ok(receipt(9, Status::Stored)),
    ];
    let (text, unknown) = tally.report(lines, receipts);
    assert!(matches!(unknown, Some(Unknown::Failed(_))));
    let text = String::from_utf8(text).unwrap();
    let id = RecordId::from_bytes([7; 32]);
    let expected = [
        (1, Fate::Stored { id, sequence: 8 }),
        (
            3,
            Fate::Rejected {
                detail: "why".to_owned(),
            },
        ),
        (4, Fate::Duplicate { id, sequence: 2 }),
    ];
    let read: Vec<BulkLine> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let expected = expected.map(|(line, fate)| BulkLine::Result(BulkResult { line, fate }));
    assert_eq!(read, expected);
    let end = tally.end(9, None);
    assert_eq!(
        (end.lines, end.stored, end.duplicates, end.rejected),
        (3, 1, 1, 1)
    );
    let id = "07".repeat(32);
    let first = format!(r#"{{"line":1,"status":"stored","id":"{id}","sequence":8}}"#);
    assert_eq!(text.lines().next(), Some(first.as_str()));
}

#[test]
fn a_receipt_that_is_missing_is_noticed() {
    let (text, unknown) = Tally::default().report(vec![line(1, None)], Vec::new());
    assert!(text.is_empty());
    assert!(matches!(unknown, Some(Unknown::NoReceipt)));
}
