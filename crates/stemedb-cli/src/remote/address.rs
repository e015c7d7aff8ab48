//! Where a server is.

use std::{fmt, net::IpAddr, str::FromStr};

use hyper::Uri;

/// How a server is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scheme {
    /// Anybody on the way can read it.
    Http,
    /// Over TLS.
    Https,
}

/// The URL of a server, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ServerUrl {
    pub(super) scheme: Scheme,
    /// The name or address, without brackets.
    pub(super) host: String,
    pub(super) port: u16,
    /// The host and perhaps the port, as they were written.
    pub(super) authority: String,
    /// What stands before every path, without a slash at its end.
    pub(super) prefix: String,
}

impl ServerUrl {
    /// Whether nobody else than this machine can hear what is said.
    pub(crate) fn is_private(&self) -> bool {
        self.scheme == Scheme::Https || self.is_loopback()
    }

    fn is_loopback(&self) -> bool {
        let address: Option<IpAddr> = self.host.parse().ok();
        address.map_or(self.host.eq_ignore_ascii_case("localhost"), |address| {
            address.to_canonical().is_loopback()
        })
    }
}

impl fmt::Display for ServerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = match self.scheme {
            Scheme::Http => "http",
            Scheme::Https => "https",
        };
        write!(f, "{scheme}://{}{}", self.authority, self.prefix)
    }
}

impl FromStr for ServerUrl {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const FORM: &str = "use http://HOST:PORT or https://HOST:PORT";
        let uri: Uri = text.parse().ok().ok_or(FORM)?;
        let (scheme, port) = match uri.scheme_str() {
            Some("http") => (Scheme::Http, 80),
            Some("https") => (Scheme::Https, 443),
            _ => return Err(FORM),
        };
        let authority = uri.authority().ok_or(FORM)?;
        if authority.as_str().contains('@') {
            return Err("leave out the user: a token goes into a file, see --token-file");
        }
        if uri.query().is_some() || text.contains('#') {
            return Err("leave out what stands behind the path");
        }
        let host = authority.host();
        let bare = host
            .strip_prefix('[')
            .and_then(|host| host.strip_suffix(']'));
        if bare.unwrap_or(host).is_empty() {
            return Err(FORM);
        }
        let behind = authority.as_str().strip_prefix(host).unwrap_or_default();
        if authority.port_u16().is_none() && !behind.is_empty() {
            return Err("the port is no number up to 65535");
        }
        Ok(Self {
            scheme,
            host: bare.unwrap_or(host).to_owned(),
            port: authority.port_u16().unwrap_or(port),
            authority: authority.as_str().to_owned(),
            prefix: uri.path().trim_end_matches('/').to_owned(),
        })
    }
}
