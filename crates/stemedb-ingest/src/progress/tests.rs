use super::{Health, Progress, WAITERS_UNSEEN_MAX};

fn following() -> Progress {
    let progress = Progress::default();
    progress.set_health(Health::Following);
    progress.publish(1);
    progress
}

#[test]
fn whoever_stopped_waiting_is_forgotten() {
    let progress = following();
    let kept: Vec<_> = (0..100).map(|_| progress.wait_applied(9)).collect();
    for sequence in 0..100_000 {
        drop(progress.wait_applied(1000 + sequence));
        assert!(progress.state().waiters.len() <= 2 * kept.len() + WAITERS_UNSEEN_MAX);
    }
    progress.publish(9);
    for waiter in kept {
        waiter.wait().unwrap();
    }
}

#[test]
fn nobody_is_awaited_for_who_stopped_waiting() {
    let progress = following();
    let waiter = progress.wait_applied(5);
    assert!(progress.is_awaited(4, 5) && !progress.is_awaited(5, 9));
    drop(waiter);
    assert!(!progress.is_awaited(4, 5));
}
