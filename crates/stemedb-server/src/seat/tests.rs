use super::{Full, Places, Seats};
use crate::rate::Client;

fn at(address: &str) -> Client {
    Client::at(address.parse().unwrap())
}

#[test]
fn each_network_has_its_own_seats_and_gets_them_back() {
    let seats = Seats::new(2);
    let take = |address: &str| seats.take(at(address));
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
    let take = |address: &str| seats.take(at(address));
    let _first = take("2001:db8::1").unwrap();
    assert!(take("2001:db8::2:2:2:2").is_none());
    assert!(take("2001:db8:0:1::1").is_some());
}

#[test]
fn one_client_has_half_of_the_places_and_a_place_is_whole_or_none() {
    let places = Places::new(3);
    let token = || Client::Token("t".to_owned());
    let (first, _second) = (places.take(token()).unwrap(), places.take(token()).unwrap());
    assert_eq!(places.take(token()).unwrap_err(), Full::OfClient(2));
    let _third = places.take(at("192.0.2.1")).unwrap();
    assert_eq!(places.take(at("192.0.2.1")).unwrap_err(), Full::All(3));
    assert_eq!(places.take(Client::Crowd).unwrap_err(), Full::All(3));
    drop(first);
    // Where all were taken nothing was counted for the client.
    let _fourth = places.take(at("192.0.2.1")).unwrap();
}

#[test]
fn where_clients_cannot_be_told_apart_they_have_all_places_together() {
    let places = Places::new(2);
    let taken = [places.take(Client::Crowd), places.take(Client::Crowd)];
    assert!(taken.iter().all(Result::is_ok));
}
