//! Who a request is from, and whether that may ask for it.
//!
//! Where there is a file of tokens, or others than this machine can reach the server, a request needs a token.
//! Otherwise whoever reaches it may do anything, but for pages of the web: a browser on this machine reaches it too, and says with
//! `host` and `origin` for whom.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::{
    extract::Request,
    http::{HeaderMap, HeaderName, Method, Uri, Version, header, uri::Authority},
};
use tokio::time::{Instant, sleep};

use crate::connection::Peer;
use crate::limits::{CALLER_LOOK_SECONDS, LOOK_MS};
use crate::problem::Problem;
use crate::stamp::Stamp;
use crate::token::{Scope, Token, TokenError, TokenFile, Tokens, now_ms};
use crate::wire::Code;

#[cfg(test)]
mod tests;

/// Who asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Caller {
    /// Whoever reaches a server that only this machine reaches.
    Anyone,
    /// Whoever has this token.
    Bearer(Token),
    /// Somebody without a token, or with one that is none.
    Nobody(&'static str),
    /// Nobody can tell: the tokens cannot be read.
    Unknown,
}

/// Knows the tokens, as they are now.
#[derive(Debug)]
pub(crate) struct Gate {
    file: TokenFile,
    /// Whether a token is needed whatever the file says. It is never taken back: that the file is gone opens nothing.
    is_closed: AtomicBool,
    seen: std::sync::Mutex<Seen>,
}

/// The file as it was when it was last looked at.
#[derive(Debug)]
struct Seen {
    at: Instant,
    stamp: Option<Stamp>,
    /// `None` where what lies there cannot be read.
    tokens: Option<Arc<Tokens>>,
}

impl Gate {
    /// Reads the tokens for the first time.
    pub(crate) fn new(file: TokenFile) -> Result<Self, TokenError> {
        let stamp = Stamp::of(file.path()).ok().flatten();
        let tokens = file.read()?;
        let seen = Seen {
            at: Instant::now(),
            stamp,
            tokens: Some(Arc::new(tokens.clone().unwrap_or_default())),
        };
        Ok(Self {
            file,
            is_closed: AtomicBool::new(tokens.is_some()),
            seen: std::sync::Mutex::new(seen),
        })
    }

    /// From now on every request needs a token.
    pub(crate) fn close(&self) {
        // Ordering: nothing else is told by it.
        self.is_closed.store(true, Ordering::Relaxed);
    }

    /// Who sends a request with these headers.
    pub(crate) fn caller(&self, headers: &HeaderMap) -> Caller {
        let tokens = self.tokens();
        if !self.is_closed.load(Ordering::Relaxed) {
            return Caller::Anyone;
        }
        let Some(tokens) = tokens else {
            return Caller::Unknown;
        };
        let Some(given) = headers.get(header::AUTHORIZATION) else {
            return Caller::Nobody("send a token: -H 'authorization: Bearer stdb_...'");
        };
        let token = given.to_str().ok().and_then(bearer);
        let found = token.and_then(|token| tokens.find(token, now_ms()));
        found.cloned().map_or(
            Caller::Nobody("the token is none of this server, or has ended"),
            Caller::Bearer,
        )
    }

    /// Whether who was let in may still ask for what needs `scope`: a stream goes on for longer than some tokens.
    pub(crate) fn check(&self, caller: &Caller, scope: Scope) -> Result<(), Problem> {
        let tokens = self.tokens();
        let is_over = || Problem::new(Code::Unauthenticated, "the token was revoked, or has ended");
        match caller {
            Caller::Anyone if self.is_closed.load(Ordering::Relaxed) => Err(Problem::new(
                Code::Unauthenticated,
                "this server needs a token now",
            )),
            Caller::Anyone => Ok(()),
            Caller::Bearer(token) => {
                let tokens = tokens.ok_or_else(unreadable)?;
                let now = tokens.by_id(&token.id, now_ms());
                let is_allowed = now.is_some_and(|token| token.allows(scope));
                is_allowed.then_some(()).ok_or_else(is_over)
            }
            Caller::Nobody(_) | Caller::Unknown => Err(is_over()),
        }
    }

    /// Returns when who was let in may ask no longer, within a second or two.
    pub(crate) async fn ended(&self, caller: &Caller, scope: Scope) -> Problem {
        loop {
            sleep(Duration::from_secs(CALLER_LOOK_SECONDS)).await;
            if let Err(problem) = self.check(caller, scope) {
                return problem;
            }
        }
    }

    /// The tokens of the last second. To look at a file takes some microseconds, so that it is done where it is asked for.
    fn tokens(&self) -> Option<Arc<Tokens>> {
        let mut seen = self.seen.lock().unwrap_or_else(|poisoned| {
            // What is in it is replaced as a whole.
            poisoned.into_inner()
        });
        if seen.at.elapsed().as_millis() >= LOOK_MS {
            seen.at = Instant::now();
            self.look(&mut seen);
        }
        seen.tokens.clone()
    }

    fn look(&self, seen: &mut Seen) {
        // Taken before the file is read: what changes meanwhile is seen the next time.
        let stamp = Stamp::of(self.file.path());
        if stamp.as_ref().ok() == Some(&seen.stamp) && seen.tokens.is_some() {
            return;
        }
        // Where there is no telling what lies there, reading it says why.
        seen.stamp = stamp.unwrap_or_default();
        seen.tokens = match self.file.read() {
            Ok(Some(tokens)) => {
                self.close();
                Some(Arc::new(tokens))
            }
            // Without a file there is no token; whether that opens the server is not for the file to say.
            Ok(None) => Some(Arc::default()),
            Err(error) => {
                self.close();
                let error = stemedb::error_chain(&error);
                tracing::error!(error, "every request is refused: the tokens cannot be read");
                None
            }
        };
    }
}

/// The token of a field `authorization`.
fn bearer(field: &str) -> Option<&str> {
    let (scheme, token) = field.split_once(' ')?;
    scheme
        .eq_ignore_ascii_case("bearer")
        .then(|| token.trim_matches(' '))
}

/// Refuses what a caller may not ask for.
pub(crate) fn admit(caller: &Caller, scope: Scope, request: &Request) -> Result<(), Problem> {
    match caller {
        Caller::Anyone => check_origin(request.method(), request.uri(), request.headers()),
        Caller::Bearer(token) if token.allows(scope) => Ok(()),
        Caller::Bearer(token) => {
            let scopes: Vec<_> = token.scopes.iter().map(|scope| scope.name()).collect();
            let scopes = scopes.join(", ");
            let detail = format!("this needs a token with the scope {scope}, yours has {scopes}");
            Err(Problem::new(Code::Forbidden, detail))
        }
        Caller::Nobody(why) => Err(Problem::new(Code::Unauthenticated, *why)),
        Caller::Unknown => Err(unreadable()),
    }
}

fn unreadable() -> Problem {
    let detail = "the tokens of this server cannot be read, so that nobody is let in; see its log";
    Problem::new(Code::Unavailable, detail)
}

/// Refuses what a browser sends in the name of another site: a name of theirs may lead here, and their forms and scripts as well.
fn check_origin(method: &Method, uri: &Uri, headers: &HeaderMap) -> Result<(), Problem> {
    let host = headers.get(header::HOST).map(|host| host.to_str());
    let host = host.transpose().unwrap_or(Some(""));
    let authority = uri.authority().map(Authority::as_str);
    if let Some(foreign) = [host, authority]
        .into_iter()
        .flatten()
        .find(|host| !is_local(host))
    {
        let shown: String = foreign.chars().take(80).collect();
        let detail = format!(
            "host \"{shown}\": without tokens this server answers to localhost and loopback addresses only"
        );
        return Err(Problem::new(Code::Misdirected, detail));
    }
    let Some(origin) = headers.get(header::ORIGIN) else {
        return Ok(());
    };
    let site = origin
        .to_str()
        .ok()
        .and_then(|origin| origin.split_once("://"));
    let is_own = site.is_some_and(|(_, site)| authority.or(host) == Some(site));
    if is_own || matches!(*method, Method::GET | Method::HEAD) {
        return Ok(());
    }
    let detail = "pages of other sites store nothing here; without tokens, send no `origin`";
    Err(Problem::new(Code::CrossOrigin, detail))
}

/// Whether a host, with or without a port, is this machine by its name.
fn is_local(host: &str) -> bool {
    let Ok(authority) = host.parse::<Authority>() else {
        return false;
    };
    if authority.as_str().contains('@') {
        return false;
    }
    let name = authority.host();
    let address = name
        .strip_prefix('[')
        .and_then(|name| name.strip_suffix(']'));
    if let Ok(address) = address.unwrap_or(name).parse::<IpAddr>() {
        return address.to_canonical().is_loopback();
    }
    let name = name.to_ascii_lowercase();
    name == "localhost" || name.ends_with(".localhost")
}

/// Refuses a head that two programs may read in two ways.
pub(crate) fn check_head(request: &Request) -> Result<(), Problem> {
    let count = |name: &HeaderName| request.headers().get_all(name).iter().count();
    for name in [
        header::HOST,
        header::AUTHORIZATION,
        header::ORIGIN,
        header::CONTENT_TYPE,
    ] {
        if count(&name) > 1 {
            return Err(Problem::new(
                Code::BadHeader,
                format!("{name}: given twice"),
            ));
        }
    }
    // Bodies are taken as they are but for chunks: what is compressed says so by `content-encoding`.
    let mut codings = request.headers().get_all(header::TRANSFER_ENCODING).iter();
    if codings.any(|coding| !coding.as_bytes().eq_ignore_ascii_case(b"chunked")) {
        let detail = "transfer-encoding: only \"chunked\" is known";
        return Err(Problem::new(Code::BadHeader, detail));
    }
    let came_by_wire = request.extensions().get::<Peer>().is_some();
    if came_by_wire && request.version() == Version::HTTP_11 && count(&header::HOST) == 0 {
        return Err(Problem::new(Code::BadHeader, "host: missing"));
    }
    Ok(())
}
