use futures_util::FutureExt as _;

use super::{Bodies, Held, Memory, Share};
use crate::Settings;
use crate::limits::BODY_BYTES_RESERVED;

#[test]
fn bodies_that_want_what_the_others_hold_come_to_their_end_one_by_one() {
    let memory = Memory::new(10);
    let (mut first, mut second, mut third) = (Share::default(), Share::default(), Share::default());
    let grows = |held: &mut Share, bytes| memory.grow(held, bytes).now_or_never().is_some();
    assert!(grows(&mut first, 4) && grows(&mut first, 1) && grows(&mut second, 5));
    // Nothing is left: one goes over it, as far as it likes, and the others wait.
    assert!(grows(&mut first, 5) && grows(&mut first, 100));
    assert!(!grows(&mut second, 1) && !grows(&mut third, 1));
    drop(first);
    assert!(grows(&mut second, 5) && grows(&mut second, 1));
    assert!(!grows(&mut third, 1));
    drop(second);
    assert!(grows(&mut third, 10));
    assert_eq!(memory.bytes.available_permits(), 0);
    drop(third);
    assert_eq!(memory.bytes.available_permits(), 10);
    assert_eq!(memory.beyond.available_permits(), 1);
}

/// Bodies with the memory of four long ones, each of 1 MiB.
fn bodies(connections_max: usize) -> Bodies {
    Bodies::new(&Settings {
        bodies_bytes_max: 4 << 20,
        connections_max,
        ..Settings::default()
    })
}

#[test]
fn a_short_body_does_not_wait_for_long_ones_and_gives_its_share_back() {
    let bodies = bodies(100);
    let grows = |held: &mut Held, bytes| bodies.grow(held, bytes).now_or_never().is_some();
    let mut long: Vec<Held> = Vec::new();
    let is_held = (0..10).map(|_| {
        let mut held = Held::default();
        let is_held = grows(&mut held, 10) && grows(&mut held, 1 << 20);
        long.push(held);
        is_held
    });
    let whole = is_held.filter(|is_held| *is_held).count();
    assert_eq!(whole, 4, "three, and one beyond what there is");
    for _ in 0..2 {
        let mut short = Held::default();
        assert!(grows(&mut short, 1) && grows(&mut short, BODY_BYTES_RESERVED));
        assert!(!grows(&mut short, 1 << 20), "it is long now");
    }
    drop(long);
    assert_eq!(bodies.held_bytes(), 0);
    assert_eq!(bodies.bytes_max(), 4 << 20);
}

#[test]
fn what_is_reserved_is_enough_for_every_connection_and_a_quarter_at_most() {
    let first = |connections_max| bodies(connections_max).first.bytes_max();
    assert_eq!(first(2), 2 * BODY_BYTES_RESERVED);
    assert_eq!(first(1 << 20), 1 << 20);
}
