//! What a server is started with.

use std::ops::RangeInclusive;

use stemedb::limits::LINE_BYTES_MAX;

use crate::limits::BODY_BYTES_MAX_DEFAULT;
use crate::token::TokenError;

/// The limits of a server. Each has a default that suits one machine of moderate size; no time is longer than a day.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Settings {
    /// Bytes of a body of JSON, at least 4 MiB, which is the longest record. Default: 8 MiB.
    pub body_bytes_max: usize,
    /// Bytes of all bodies of JSON together that are read and not yet acknowledged, at least `body_bytes_max`; who comes then waits, but
    /// for one at a time, which is read to its end. The first 64 KiB of every body come from a part of their own, which has them for
    /// `connections_max` bodies or is a quarter of all, so that short ones do not wait for long ones. Default: 256 MiB.
    pub bodies_bytes_max: usize,
    /// Bytes of all long answers together that are not yet taken, at least 1; what comes then waits, for as long as its request may, but
    /// for one at a time. Default: 64 MiB.
    pub answers_bytes_max: usize,
    /// Requests that wait for the intake, at least 1; who comes then waits. Default: 1,024.
    pub queued_requests_max: usize,
    /// Reads that go on at the same time, at least 1; who comes then waits. Default: 32.
    pub reads_max: usize,
    /// Uploads of many lines that go on at the same time, at least 1. Each holds up to 16 MiB of lines that are not acknowledged, which take
    /// more as records and results: up to 40 MiB in all where the lines are short and the client reads no results, and 60 MiB where they are
    /// compressed by zstd. Half of the uploads may be of one token, or of one address without a token. Who comes then is refused.
    /// Default: 16.
    pub uploads_max: usize,
    /// Feeds of changes that are open at the same time, at least 1; half of them as with uploads. Who comes then is refused. Default: 64.
    pub feeds_max: usize,
    /// Seconds after which a feed in which nothing happens says that it lives, at least 1. Default: 15.
    pub heartbeat_seconds: u64,
    /// Seconds that a client may send nothing of a body, or take nothing of a stream, before it is cut off; at least 1. Default: 30.
    pub stall_seconds_max: u64,
    /// Bytes a second that a client sends on average, once those seconds are used up; 0 is no limit. It concerns what the server waits
    /// for: a body of JSON, and each line of an upload once it has begun, so that lines may come as seldom as the client likes, as far as
    /// it may be silent. Default: 1,024.
    pub body_bytes_per_second_min: u64,
    /// Seconds that a request may take from its head to the head of the answer, at least 1. Default: 30.
    pub request_seconds_max: u64,
    /// Seconds that a read waits for a sequence that cannot be read yet; 0 is not to wait. Default: 5.
    pub wait_seconds_max: u64,
    /// Connections at the same time, at least 1; who comes then waits until another one ends, which one does that has sent no whole
    /// request for longest, and a second at least. Default: 1,024.
    pub connections_max: usize,
    /// Of these from one address, or from one network of IPv6, at least 1; who comes then is closed. Behind a proxy all come from its
    /// address. Default: 512.
    pub connections_per_address_max: usize,
    /// Seconds from the first byte of a head to its last, and from the beginning of a connection to the end of its first head.
    /// At least 1. Default: 10.
    pub head_seconds_max: u64,
    /// Seconds that a connection is kept between an answer and the next request, at least 1. Default: 60.
    pub idle_seconds_max: u64,
    /// Seconds for which a client may leave an answer unread, at least 1. Default: 30.
    pub write_stall_seconds_max: u64,
    /// Bytes a second that a client takes of an answer on average, once those seconds are used up; 0 is no limit. It concerns what
    /// waits to be taken, so that a feed in which nothing happens may be silent. Default: 1,024.
    pub answer_bytes_per_second_min: u64,
    /// Seconds that a client may take to agree on TLS, at least 1. Default: 10.
    pub handshake_seconds_max: u64,
    /// Requests a second that one token may send, or one address without a token; 0 is no limit, and the default.
    pub requests_per_second_max: usize,
    /// Seconds that a shutdown waits for requests that were begun; 0 is not to wait. Default: 30.
    pub shutdown_seconds_max: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            body_bytes_max: BODY_BYTES_MAX_DEFAULT,
            bodies_bytes_max: 256 << 20,
            answers_bytes_max: 64 << 20,
            queued_requests_max: 1024,
            reads_max: 32,
            uploads_max: 16,
            feeds_max: 64,
            heartbeat_seconds: 15,
            stall_seconds_max: 30,
            body_bytes_per_second_min: 1024,
            request_seconds_max: 30,
            wait_seconds_max: 5,
            connections_max: 1024,
            connections_per_address_max: 512,
            head_seconds_max: 10,
            idle_seconds_max: 60,
            write_stall_seconds_max: 30,
            answer_bytes_per_second_min: 1024,
            handshake_seconds_max: 10,
            requests_per_second_max: 0,
            shutdown_seconds_max: 30,
        }
    }
}

/// What counts of connections, waiting requests and reads may be: the runtime has no larger queues.
const COUNT_MAX: usize = 1 << 20;
/// Permits are counted in 32 bits.
const BODIES_BYTES_MAX: usize = 1 << 31;

/// A day.
const SECONDS_MAX: usize = 86_400;

/// Seconds as they are compared with a limit.
fn count(seconds: u64) -> usize {
    usize::try_from(seconds).unwrap_or(usize::MAX)
}

/// A setting: its name, its value, and what it may be.
type Row = (&'static str, usize, RangeInclusive<usize>);

impl Settings {
    pub(crate) fn check(&self) -> Result<(), StartError> {
        for (name, value, allowed) in self.amounts().into_iter().chain(self.times()) {
            if !allowed.contains(&value) {
                return Err(StartError::Setting {
                    name,
                    value,
                    min: *allowed.start(),
                    max: *allowed.end(),
                });
            }
        }
        Ok(())
    }

    fn amounts(&self) -> [Row; 10] {
        let row = |name, value, least| (name, value, least..=COUNT_MAX);
        let bytes = |name, value, least| (name, value, least..=BODIES_BYTES_MAX);
        let of_one = self.connections_per_address_max;
        [
            bytes("body_bytes_max", self.body_bytes_max, LINE_BYTES_MAX),
            bytes(
                "bodies_bytes_max",
                self.bodies_bytes_max,
                self.body_bytes_max,
            ),
            bytes("answers_bytes_max", self.answers_bytes_max, 1),
            row("queued_requests_max", self.queued_requests_max, 1),
            row("reads_max", self.reads_max, 1),
            row("uploads_max", self.uploads_max, 1),
            row("feeds_max", self.feeds_max, 1),
            row("requests_per_second_max", self.requests_per_second_max, 0),
            row("connections_max", self.connections_max, 1),
            row("connections_per_address_max", of_one, 1),
        ]
    }

    /// Seconds; 0 only where not to wait at all makes sense.
    fn times(&self) -> [Row; 9] {
        let row = |name, seconds, least| (name, count(seconds), least..=SECONDS_MAX);
        [
            row("heartbeat_seconds", self.heartbeat_seconds, 1),
            row("stall_seconds_max", self.stall_seconds_max, 1),
            row("request_seconds_max", self.request_seconds_max, 1),
            row("wait_seconds_max", self.wait_seconds_max, 0),
            row("head_seconds_max", self.head_seconds_max, 1),
            row("idle_seconds_max", self.idle_seconds_max, 1),
            row("write_stall_seconds_max", self.write_stall_seconds_max, 1),
            row("handshake_seconds_max", self.handshake_seconds_max, 1),
            row("shutdown_seconds_max", self.shutdown_seconds_max, 0),
        ]
    }
}

/// Why a server cannot start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// A setting is outside its limits.
    #[error("{name}: {value} is outside {min}..={max}")]
    Setting {
        /// The setting.
        name: &'static str,
        /// What it was set to.
        value: usize,
        /// The least that is allowed.
        min: usize,
        /// The most that is allowed.
        max: usize,
    },
    /// There is no runtime of tokio here to answer requests on.
    #[error("no tokio runtime")]
    Runtime(#[source] tokio::runtime::TryCurrentError),
    /// A thread could not be started.
    #[error("cannot start a thread")]
    Thread(#[source] std::io::Error),
    /// The tokens cannot be read.
    #[error("the tokens cannot be read")]
    Tokens(#[source] TokenError),
    /// The operating system gave no random bytes.
    #[error("no random bytes")]
    Random(#[source] getrandom::Error),
    /// The database does not answer.
    #[error("the database does not answer")]
    Database(#[source] stemedb::Error),
}

#[cfg(test)]
mod tests {
    use super::Settings;

    #[test]
    fn a_setting_outside_its_limits_is_named() {
        assert!(Settings::default().check().is_ok());
        let none = Settings {
            reads_max: 0,
            ..Settings::default()
        };
        let refused = none.check().unwrap_err().to_string();
        assert_eq!(refused, "reads_max: 0 is outside 1..=1048576");
        let small = Settings {
            bodies_bytes_max: 8 << 10,
            ..Settings::default()
        };
        assert!(small.check().is_err());
        let silent = Settings {
            heartbeat_seconds: 0,
            ..Settings::default()
        };
        assert!(silent.check().is_err());
    }

    type Set = fn(&mut Settings, u64);

    const TIMES: [(Set, u64); 9] = [
        (|to, seconds| to.heartbeat_seconds = seconds, 1),
        (|to, seconds| to.stall_seconds_max = seconds, 1),
        (|to, seconds| to.request_seconds_max = seconds, 1),
        (|to, seconds| to.wait_seconds_max = seconds, 0),
        (|to, seconds| to.head_seconds_max = seconds, 1),
        (|to, seconds| to.idle_seconds_max = seconds, 1),
        (|to, seconds| to.write_stall_seconds_max = seconds, 1),
        (|to, seconds| to.handshake_seconds_max = seconds, 1),
        (|to, seconds| to.shutdown_seconds_max = seconds, 0),
    ];

    #[test]
    fn no_time_is_longer_than_a_day_and_none_is_nothing_where_that_ends_all() {
        for (place, (set, least)) in TIMES.into_iter().enumerate() {
            let check = |seconds| {
                let mut settings = Settings::default();
                set(&mut settings, seconds);
                settings.check().is_ok()
            };
            assert_eq!(check(0), least == 0, "{place}");
            assert!(check(least) && check(86_400), "{place}");
            assert!(!check(86_401) && !check(u64::MAX), "{place}");
        }
    }
}
