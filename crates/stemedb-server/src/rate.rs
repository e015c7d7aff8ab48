//! How often one client may ask.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Mutex;
use std::time::Duration;

use tokio::time::Instant;

use crate::auth::Caller;
use crate::connection::Peer;
use crate::limits::RATE_CLIENTS_MAX;

#[cfg(test)]
mod tests;

/// Whose requests are counted together.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Client {
    Token(String),
    Address(IpAddr),
    /// Whoever comes from nowhere, or when the others fill the memory for them.
    Crowd,
}

impl Client {
    /// Who asks from an address.
    pub(crate) fn at(address: IpAddr) -> Self {
        Self::Address(network(address))
    }

    /// Who sends a request: a token, wherever it is used, or else an address.
    pub(crate) fn of(caller: &Caller, peer: Option<Peer>) -> Self {
        match (caller, peer) {
            (Caller::Bearer(token), _) => Self::Token(token.id.clone()),
            (_, Some(Peer(peer))) => Self::at(peer.ip()),
            (_, None) => Self::Crowd,
        }
    }
}

/// The address of a client as far as it cannot choose it: of one by IPv6 half belongs to its network.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => {
            let half = address.to_bits() >> 64 << 64;
            IpAddr::V6(Ipv6Addr::from_bits(half))
        }
    }
}

/// So many requests a second for each client, and as many at once after a second of silence.
#[derive(Debug)]
pub(crate) struct Rate {
    /// What one request takes of a second; none where there is no limit.
    share: Option<Duration>,
    /// Until when the requests of each client are paid for.
    paid_until: Mutex<HashMap<Client, Instant>>,
}

impl Rate {
    pub(crate) fn new(requests_per_second_max: usize) -> Self {
        let requests = u32::try_from(requests_per_second_max).unwrap_or(u32::MAX);
        Self {
            share: Duration::from_secs(1).checked_div(requests),
            paid_until: Mutex::default(),
        }
    }

    /// Whether a client may ask now, which is counted.
    pub(crate) fn allows(&self, caller: &Caller, peer: Option<Peer>) -> bool {
        let Some(share) = self.share else {
            return true;
        };
        let now = Instant::now();
        let client = Client::of(caller, peer);
        let mut paid_until = match self.paid_until.lock() {
            Ok(paid_until) => paid_until,
            // Times are whole whatever happened.
            Err(poisoned) => poisoned.into_inner(),
        };
        if paid_until.len() >= RATE_CLIENTS_MAX && !paid_until.contains_key(&client) {
            paid_until.retain(|_, until| *until > now);
        }
        let is_full = paid_until.len() >= RATE_CLIENTS_MAX && !paid_until.contains_key(&client);
        let client = if is_full { Client::Crowd } else { client };
        let until = paid_until.entry(client).or_insert(now);
        let next = (*until).max(now) + share;
        let is_allowed = next <= now + Duration::from_secs(1);
        if is_allowed {
            *until = next;
        }
        is_allowed
    }
}
