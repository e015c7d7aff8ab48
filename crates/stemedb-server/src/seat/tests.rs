use super::Seats;

#[test]
fn each_network_has_its_own_seats_and_gets_them_back() {
    let seats = Seats::new(2);
    let take = |address: &str| seats.take(address.parse().unwrap());
    let (first, second) = (take("192.0.2.1").unwrap(), take("192.0.2.1").unwrap());
    assert!(take("192.0.2.1").is_none());
    assert!(
        take("::ffff:192.0.2.1").is_none(),
        "the same in other words"
    );
    let other = take("192.0.2.2").unwrap();
    drop(first);
    let third = take("192.0.2.1").unwrap();
    assert!(take("192.0.2.1").is_none());
    drop((second, third, other));
    assert!(seats.lock().is_empty(), "who is gone takes no memory");
}

#[test]
fn half_an_address_of_ipv6_is_chosen_freely_and_counts_for_nothing() {
    let seats = Seats::new(1);
    let take = |address: &str| seats.take(address.parse().unwrap());
    let _first = take("2001:db8::1").unwrap();
    assert!(take("2001:db8::2:2:2:2").is_none());
    assert!(take("2001:db8:0:1::1").is_some());
}
