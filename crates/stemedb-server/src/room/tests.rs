use axum::body::{Body, to_bytes};
use axum::response::Response;
use futures_util::FutureExt as _;

use super::{OfProgram, Room};
use crate::limits::ANSWERS_WAITING_MAX;
use crate::wire::Code;

const LONG: usize = 100 << 10;

fn answer(bytes: usize) -> Response {
    Response::new(Body::from(vec![b'a'; bytes]))
}

#[tokio::test]
async fn an_answer_holds_its_room_until_its_bytes_are_gone() {
    let room = Room::new(LONG + LONG / 2);
    let inside = room.admit(answer(LONG)).await.unwrap();
    // The body is read to its end and gone, as when it is queued.
    let queued = to_bytes(inside.into_body(), usize::MAX).await.unwrap();
    assert_eq!(queued.len(), LONG);
    let _beyond = room.admit(answer(LONG)).await.unwrap();
    let mut third = Box::pin(room.admit(answer(LONG)));
    assert!((&mut third).now_or_never().is_none());
    assert!(room.admit(answer(1000)).now_or_never().is_some());
    let mut of_program = answer(LONG);
    of_program.extensions_mut().insert(OfProgram);
    assert!(room.admit(of_program).now_or_never().is_some());
    drop(queued);
    assert!(third.now_or_never().unwrap().is_ok());
}

#[tokio::test]
async fn only_so_many_answers_are_made_and_wait() {
    let room = Room::new(1);
    let beyond = room.admit(answer(LONG)).await.unwrap();
    let wait = || Box::pin(room.admit(answer(LONG)));
    let mut waiting: Vec<_> = (0..ANSWERS_WAITING_MAX).map(|_| wait()).collect();
    for answer in &mut waiting {
        assert!(answer.now_or_never().is_none());
    }
    let refused = room.admit(answer(LONG)).now_or_never().unwrap();
    assert_eq!(refused.unwrap_err().code, Code::Unavailable);
    drop(beyond);
    for answer in waiting {
        assert!(answer.now_or_never().unwrap().is_ok());
    }
}
