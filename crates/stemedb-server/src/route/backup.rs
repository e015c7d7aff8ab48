//! The journal for a backup that somebody keeps elsewhere: what there is of it, and its bytes.
//!
//! Whoever makes the backup verifies what it gets, so that nothing is verified here.

use std::ops::ControlFlow;
use std::sync::Arc;

use axum::{
    Extension,
    body::Body,
    extract::{Request, State},
    http::{HeaderValue, Method, StatusCode, header},
    response::Response,
};
use tokio::sync::OwnedSemaphorePermit;
use tracing::Instrument as _;

use super::json;
use crate::auth::Caller;
use crate::courtesy::{Turns, among_others};
use crate::limits::{BACKUPS_MAX, SEGMENT_PIECE_BYTES};
use crate::outlet::{Outlet, outlet};
use crate::problem::{Asked, Problem};
use crate::query::{NoQuery, PathNumber, Query, bad};
use crate::read::block;
use crate::state::Shared;
use crate::token::Scope;
use crate::visit::Visit;
use crate::wire::{Code, Segments};

/// The parameters of the bytes of a segment.
const BYTES: [&str; 2] = ["offset", "bytes"];

/// `GET /v1/backup`.
pub(super) async fn segments(
    State(shared): State<Arc<Shared>>,
    NoQuery: NoQuery,
) -> Result<Response, Problem> {
    let segments = shared.database.segments();
    json(StatusCode::OK, &Segments::from(segments))
}

/// `GET /v1/backup/segments/{number}`.
pub(super) async fn bytes(
    State(shared): State<Arc<Shared>>,
    PathNumber(number): PathNumber,
    Extension(visit): Extension<Visit>,
    request: Request,
) -> Result<Response, Problem> {
    let query = Query::of(request.uri(), &BYTES)?;
    let offset = query.count("offset")?.unwrap_or(0);
    let segments = shared.database.segments().segments;
    let segment = segments.iter().find(|segment| segment.number == number);
    let Some(segment) = segment else {
        let detail = format!("there is no segment {number}");
        return Err(Problem::new(Code::RecordNotFound, detail));
    };
    let Some(rest) = segment.bytes.checked_sub(offset) else {
        let durable = segment.bytes;
        let detail = format!("offset: {offset} is behind the {durable} bytes that are durable");
        return Err(bad(detail));
    };
    let length = query.count("bytes")?.unwrap_or(rest).min(rest);
    let (outlet, body) = outlet(shared.settings.stall_seconds_max);
    // Who asks for the head alone is given no bytes, and nothing is read for it.
    if request.method() != Method::HEAD {
        let Ok(place) = Arc::clone(&shared.backups).try_acquire_owned() else {
            let detail = format!("{BACKUPS_MAX} backups are read already");
            return Err(Problem::new(Code::Unavailable, detail));
        };
        let copy = Copy {
            shared,
            caller: visit.caller,
            outlet,
            number,
            offset,
            rest: length,
            _place: place,
        };
        tokio::spawn(among_others(copy.run()).in_current_span());
    }
    Ok(respond(body, length))
}

/// An answer of `length` bytes.
fn respond(body: Body, length: u64) -> Response {
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    let kind = HeaderValue::from_static("application/octet-stream");
    headers.insert(header::CONTENT_TYPE, kind);
    headers.insert(header::CONTENT_LENGTH, length.into());
    response
}

/// Bytes of a segment on their way.
struct Copy {
    shared: Arc<Shared>,
    caller: Caller,
    outlet: Outlet,
    number: u64,
    /// Where the next ones lie.
    offset: u64,
    /// How many are still to go.
    rest: u64,
    /// Its place among the backups.
    _place: OwnedSemaphorePermit,
}

impl Copy {
    /// Goes on until all of it is taken, or nobody takes it.
    async fn run(mut self) {
        loop {
            match self.step().await {
                ControlFlow::Continue(()) => {}
                ControlFlow::Break(true) => return self.outlet.finish(),
                // What was promised cannot be given: the answer is shorter than its head says.
                ControlFlow::Break(false) => return,
            }
        }
    }

    /// Hands in a piece; breaks at the end, and says whether that is the right one.
    async fn step(&mut self) -> ControlFlow<bool> {
        if self.rest == 0 {
            return ControlFlow::Break(true);
        }
        if let Err(problem) = self.shared.gate.check(&self.caller, Scope::Admin) {
            self.shared.metrics.add_problem(problem.code);
            return ControlFlow::Break(false);
        }
        let wanted = SEGMENT_PIECE_BYTES.min(usize::try_from(self.rest).unwrap_or(usize::MAX));
        let database = Arc::clone(&self.shared.database);
        let (number, offset) = (self.number, self.offset);
        let read = move || {
            let mut piece = vec![0; wanted];
            let read = database.read_segment(number, offset, &mut piece);
            let read = read.map_err(|error| Problem::of(&error, Asked::Read))?;
            piece.truncate(read);
            Ok(piece)
        };
        let Ok(piece) = block(&self.shared.reads, Turns::Usual, read).await else {
            return ControlFlow::Break(false);
        };
        let read = piece.len() as u64;
        if read == 0 || self.outlet.send(piece).await.is_err() {
            return ControlFlow::Break(false);
        }
        self.offset += read;
        self.rest -= read;
        ControlFlow::Continue(())
    }
}
