use std::time::Duration;

use futures_util::FutureExt as _;
use tokio::time::{Instant, advance};

use super::{Crowd, Member, Wait};

const SECOND: Duration = Duration::from_secs(1);

fn is_to_go(member: &Member) -> bool {
    member.standing().leave().now_or_never().is_some()
}

#[tokio::test(start_paused = true)]
async fn who_has_waited_longest_goes_first_and_nobody_goes_who_is_answered() {
    let crowd = Crowd::default();
    let [idle, answered, half, young] = [(); 4].map(|()| crowd.enter());
    idle.standing().wait(Wait::Request, Instant::now());
    answered.standing().answer();
    advance(SECOND / 2).await;
    half.standing().wait(Wait::Rest, Instant::now());
    assert!(!crowd.make_room(), "all are young");
    advance(SECOND).await;
    young.standing().wait(Wait::Rest, Instant::now());
    // Nobody has heard anything of the one, and the other may send a request at any time.
    assert!(crowd.make_room());
    assert_eq!([&idle, &half].map(is_to_go), [false, true]);
    assert!(crowd.make_room());
    assert!(is_to_go(&idle));
    assert!(!crowd.make_room(), "one is answered, the other is young");
    assert_eq!([&answered, &young].map(is_to_go), [false, false]);
    drop((idle, half));
    advance(SECOND).await;
    assert!(crowd.make_room());
    assert!(is_to_go(&young));
}

#[tokio::test(start_paused = true)]
async fn who_was_told_to_go_and_has_a_request_stays() {
    let crowd = Crowd::default();
    let member = crowd.enter();
    advance(SECOND).await;
    assert!(crowd.make_room());
    member.standing().wait(Wait::Rest, Instant::now());
    assert!(!is_to_go(&member));
    assert!(!crowd.make_room());
    advance(SECOND).await;
    let leave = member.standing();
    let leave = tokio::spawn(async move { leave.leave().await });
    tokio::task::yield_now().await;
    assert!(crowd.make_room());
    leave.await.unwrap();
    drop(member);
    assert!(!crowd.make_room());
}
