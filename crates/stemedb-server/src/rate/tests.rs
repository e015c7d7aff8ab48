use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use tokio::time::advance;

use super::Rate;
use crate::auth::Caller;
use crate::connection::Peer;
use crate::limits::RATE_CLIENTS_MAX;

const NOBODY: Caller = Caller::Nobody("");

fn peer(number: u32) -> Peer {
    Peer(SocketAddr::from((Ipv4Addr::from_bits(number), 1)))
}

fn allowed(rate: &Rate, peer: Peer, of: usize) -> usize {
    (0..of).filter(|_| rate.allows(&NOBODY, Some(peer))).count()
}

#[tokio::test(start_paused = true)]
async fn a_client_has_its_requests_a_second_whoever_else_asks() {
    let rate = Rate::new(10);
    assert_eq!(allowed(&rate, peer(1), 100), 10);
    assert_eq!(allowed(&rate, peer(2), 100), 10);
    advance(Duration::from_millis(100)).await;
    assert_eq!(allowed(&rate, peer(1), 100), 1);
    advance(Duration::from_millis(500)).await;
    assert_eq!(allowed(&rate, peer(1), 100), 5);
    advance(Duration::from_secs(100)).await;
    assert_eq!(allowed(&rate, peer(1), 100), 10);
}

#[tokio::test(start_paused = true)]
async fn without_a_limit_there_is_none() {
    let rate = Rate::new(0);
    assert_eq!(allowed(&rate, peer(1), 1000), 1000);
    assert!(rate.paid_until.lock().unwrap().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_network_by_ipv6_is_one_client() {
    let rate = Rate::new(1);
    let ask = |address: &str| rate.allows(&NOBODY, Some(Peer(address.parse().unwrap())));
    assert!(ask("[2001:db8::1]:1"));
    assert!(!ask("[2001:db8::ffff:2]:9"));
    assert!(ask("[2001:db8:0:1::1]:1"));
}

#[tokio::test(start_paused = true)]
async fn memory_for_clients_is_bounded_and_comes_back() {
    let rate = Rate::new(1);
    let clients_max = u32::try_from(RATE_CLIENTS_MAX).unwrap();
    for number in 0..clients_max {
        assert!(rate.allows(&NOBODY, Some(peer(number))));
    }
    assert!(rate.allows(&NOBODY, Some(peer(clients_max))));
    assert!(!rate.allows(&NOBODY, Some(peer(clients_max + 1))));
    assert!(rate.paid_until.lock().unwrap().len() <= RATE_CLIENTS_MAX + 1);
    advance(Duration::from_secs(1)).await;
    for number in 0..10 {
        assert!(rate.allows(&NOBODY, Some(peer(clients_max + number))));
    }
    assert_eq!(rate.paid_until.lock().unwrap().len(), 10);
}
