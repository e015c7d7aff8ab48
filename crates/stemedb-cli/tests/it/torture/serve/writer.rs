//! A client that posts one record after the other, and each until it is acknowledged.

use std::io;

use serde_json::Value;
use stemedb::RecordId;

use super::{
    load::{Load, Posted, Told},
    wire::Wire,
};

/// Posts until the load is over; gives what it was told.
pub(super) fn write(load: &Load, number: usize) -> Vec<Told> {
    let agent = format!("client:{number}");
    let mut wire = Wire::to(load.address);
    let mut told: Vec<Told> = Vec::new();
    let mut claimed = None;
    while !load.is_over() {
        let turn = told.len();
        let posted = match (turn % 8, claimed) {
            (3, _) => Posted::claim("everybody", load.common()),
            (5, Some(claim)) => Posted::vote(&agent, turn, claim),
            _ => Posted::claim(&agent, turn),
        };
        if posted.path == "/v1/assertions" {
            claimed = Some(posted.id);
        }
        let (mut answer, attempts) = load.insist(|| post(&mut wire, &posted));
        answer.attempts = attempts;
        load.count(1);
        told.push(answer);
    }
    told
}

/// Posts it once. A refusal because the server ends, or is not ready, is no answer.
fn post(wire: &mut Wire, posted: &Posted) -> io::Result<Told> {
    let (status, body) = wire.post(posted.path, &posted.body)?;
    if status == 503 {
        return Err(io::Error::other(body));
    }
    let receipt: Value = serde_json::from_str(&body).unwrap();
    let is_new = match status {
        201 => true,
        200 => false,
        _ => panic!("{status}: {body}"),
    };
    let expected = if is_new { "stored" } else { "already_stored" };
    assert_eq!(receipt["status"], expected, "{body}");
    assert_eq!(receipt["durability"], "sync", "{body}");
    let id: RecordId = receipt["id"].as_str().unwrap().parse().unwrap();
    assert_eq!(id, posted.id, "a receipt for another record");
    let sequence = receipt["sequence"].as_u64().unwrap();
    Ok(Told {
        id,
        sequence,
        is_new,
        attempts: 1,
    })
}
