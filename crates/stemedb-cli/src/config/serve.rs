//! The settings of `serve`.

use std::{ffi::OsString, net::SocketAddr, path::PathBuf, str::FromStr};

use super::{Origin, Setting, boolean, pick};
use crate::failure::{Exit, Failure};

/// The address to listen on, if nobody names another.
const LISTEN_DEFAULT: &str = "127.0.0.1:8642";

/// The settings of `serve`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Serve {
    /// The address to listen on.
    pub(crate) listen: Setting<SocketAddr>,
    /// The file of the certificate.
    pub(crate) tls_cert: Setting<Option<PathBuf>>,
    /// The file of its key.
    pub(crate) tls_key: Setting<Option<PathBuf>>,
    /// Whether others than this machine may be answered without TLS.
    pub(crate) insecure_http: Setting<bool>,
    /// Connections at the same time.
    pub(crate) connections_max: Setting<u64>,
    /// Of these from one address.
    pub(crate) connections_per_address_max: Setting<u64>,
    /// Requests a second of one client; 0 is no limit.
    pub(crate) requests_per_second_max: Setting<u64>,
}

/// What the settings file says of them.
#[derive(Debug, Default)]
pub(super) struct Written {
    pub(super) listen: Option<String>,
    pub(super) tls_cert: Option<PathBuf>,
    pub(super) tls_key: Option<PathBuf>,
    pub(super) insecure_http: Option<bool>,
    pub(super) connections_max: Option<u64>,
    pub(super) connections_per_address_max: Option<u64>,
    pub(super) requests_per_second_max: Option<u64>,
}

/// Gathers them; flags of `serve` come later, and win.
pub(super) fn merge(
    variable: impl Fn(&'static str) -> Option<OsString>,
    written: Written,
    (file, from_file): (&str, &impl Fn() -> Origin),
) -> Result<Serve, Failure> {
    let number = |name, written, default| {
        let value = variable(name).map(|value| parse(name, &value.to_string_lossy(), "a number"));
        let picked = pick(None, (name, value.transpose()?), written, from_file);
        Ok::<_, Failure>(picked.or(default))
    };
    let path = |name, written: Option<PathBuf>| {
        let value = variable(name).map(|value| Some(PathBuf::from(value)));
        pick(None, (name, value), written.map(Some), from_file).or(None)
    };
    let address =
        |place: &str, text: &str| parse(place, text, "an address and a port, as 127.0.0.1:8642");
    let listen =
        variable("STEMEDB_LISTEN").map(|text| address("STEMEDB_LISTEN", &text.to_string_lossy()));
    let listen_written = written.listen.map(|text| address(file, &text));
    let listen = pick(
        None,
        ("STEMEDB_LISTEN", listen.transpose()?),
        listen_written.transpose()?,
        from_file,
    );
    let insecure = "STEMEDB_INSECURE_HTTP";
    let insecure_set = variable(insecure).map(|value| boolean(insecure, &value));
    let insecure_set = (insecure, insecure_set.transpose()?);
    Ok(Serve {
        listen: listen.or(address("default", LISTEN_DEFAULT)?),
        tls_cert: path("STEMEDB_TLS_CERT", written.tls_cert),
        tls_key: path("STEMEDB_TLS_KEY", written.tls_key),
        insecure_http: pick(None, insecure_set, written.insecure_http, from_file).or(false),
        connections_max: number("STEMEDB_CONNECTIONS_MAX", written.connections_max, 1024)?,
        connections_per_address_max: number(
            "STEMEDB_CONNECTIONS_PER_ADDRESS_MAX",
            written.connections_per_address_max,
            512,
        )?,
        requests_per_second_max: number(
            "STEMEDB_REQUESTS_PER_SECOND_MAX",
            written.requests_per_second_max,
            0,
        )?,
    })
}

fn parse<T: FromStr>(place: &str, text: &str, wanted: &str) -> Result<T, Failure> {
    text.parse().ok().ok_or_else(|| {
        let text = format!("{place} is \"{text}\"; use {wanted}");
        Failure::new(Exit::Configuration, text)
    })
}
