use futures_util::FutureExt as _;

use super::{Held, Memory};

#[test]
fn bodies_that_want_what_the_others_hold_come_to_their_end_one_by_one() {
    let memory = Memory::new(10);
    let (mut first, mut second, mut third) = (Held::default(), Held::default(), Held::default());
    let grows = |held: &mut Held, bytes| memory.grow(held, bytes).now_or_never().is_some();
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
