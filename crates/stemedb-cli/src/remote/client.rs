//! One request after the other, over one connection that is kept.

use std::{
    cell::RefCell,
    convert::Infallible,
    fmt::{self, Display, Write as _},
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use hyper::{
    Method, Request,
    body::{Body, Bytes, Frame, Incoming, SizeHint},
    client::conn::http1::{self, SendRequest},
    header::{self, HeaderValue},
};
use hyper_util::rt::TokioIo;
use rustls_pki_types::ServerName;
use tokio::{
    net::TcpStream,
    runtime::{self, Runtime},
    time::{sleep, timeout},
};
use tokio_rustls::TlsConnector;

use super::{
    Answer, ServerUrl, Trouble,
    address::Scheme,
    answer::{SILENCE_SECONDS_MAX, broken, silent},
    tls,
};
use crate::{
    config::Remote,
    failure::{Exit, Failure, chain},
};

/// Seconds until a connection has to stand.
const CONNECT_SECONDS_MAX: u64 = 10;

/// Seconds until a connection that was used has to be ready for the next request.
const READY_SECONDS_MAX: u64 = 1;

const USER_AGENT: &str = concat!("stemedb/", env!("CARGO_PKG_VERSION"));

/// What is asked for: a path, and parameters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Route {
    text: String,
    has_parameters: bool,
}

impl Route {
    /// A path that needs no encoding.
    pub(crate) fn new(path: impl Into<String>) -> Self {
        let text = path.into();
        Self {
            text,
            has_parameters: false,
        }
    }

    /// The same with a parameter.
    pub(crate) fn with(mut self, name: &str, value: impl Display) -> Self {
        self.text.push(if self.has_parameters { '&' } else { '?' });
        self.has_parameters = true;
        self.text.push_str(name);
        self.text.push('=');
        self.text.push_str(&encode(&value.to_string()));
        self
    }

    /// The same with a parameter, if it has a value.
    pub(crate) fn with_some(self, name: &str, value: Option<impl Display>) -> Self {
        match value {
            Some(value) => self.with(name, value),
            None => self,
        }
    }
}

impl Display for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// `text` as a part of a path or a parameter. Dots are encoded too: a part that is `..` leads elsewhere.
pub(super) fn encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len() + 16);
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'~') {
            encoded.push(char::from(byte));
        } else {
            #[expect(clippy::expect_used, reason = "writing to a String cannot fail")]
            write!(encoded, "%{byte:02X}").expect("a String takes any text");
        }
    }
    encoded
}

/// The body of a request.
#[derive(Debug)]
struct Outgoing(Option<Bytes>);

impl Body for Outgoing {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.0.take().map(|bytes| Ok(Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        let length = self.0.as_ref().map_or(0, Bytes::len);
        SizeHint::with_exact(u64::try_from(length).unwrap_or(u64::MAX))
    }
}

type Sender = SendRequest<Outgoing>;

/// Asks one server.
pub(crate) struct Client {
    url: ServerUrl,
    /// The value of the header `authorization`.
    authorization: Option<HeaderValue>,
    tls: Option<TlsConnector>,
    runtime: Runtime,
    /// The connection, unless it broke.
    sender: RefCell<Option<Sender>>,
}

impl Client {
    /// Speaks to nobody yet.
    pub(crate) fn new(url: &ServerUrl, remote: &Remote) -> Result<Self, Failure> {
        let token = remote.token()?;
        if token.is_some() && !url.is_private() {
            let text = format!(
                "{url}: a token is not sent over http to another machine, where it can be read on the way"
            );
            return Err(Failure::new(Exit::Usage, text).advise("use https"));
        }
        let authorization = token.map(|token| token.header()).transpose()?;
        let tls = match url.scheme {
            Scheme::Http => None,
            Scheme::Https => Some(tls::connector(remote.ca.value.as_deref())?),
        };
        let runtime = runtime::Builder::new_current_thread().enable_all().build();
        Ok(Self {
            url: url.clone(),
            authorization,
            tls,
            runtime: runtime
                .map_err(|error| Failure::file(Exit::Unavailable, "threads", &error))?,
            sender: RefCell::new(None),
        })
    }

    /// Where the server is.
    pub(crate) const fn url(&self) -> &ServerUrl {
        &self.url
    }

    /// Reads.
    pub(crate) fn get(&self, route: &Route) -> Result<Answer<'_>, Trouble> {
        self.ask(&Asked {
            method: Method::GET,
            route,
            body: None,
        })
    }

    /// Asks for something to be done, with a body of a type.
    pub(crate) fn post(
        &self,
        route: &Route,
        body: Option<(&'static str, Bytes)>,
    ) -> Result<Answer<'_>, Trouble> {
        self.ask(&Asked {
            method: Method::POST,
            route,
            body,
        })
    }

    fn ask(&self, asked: &Asked<'_>) -> Result<Answer<'_>, Trouble> {
        let response = self.runtime.block_on(self.exchange(asked))?;
        Answer::of(&self.runtime, response)
    }

    /// Sends a request, once more where a connection that had been kept turns out to be gone: every request may be repeated.
    async fn exchange(&self, asked: &Asked<'_>) -> Result<hyper::Response<Incoming>, Trouble> {
        if let Some(sender) = self.kept().await
            && let Ok(response) = self.send(sender, asked).await?
        {
            return Ok(response);
        }
        let sender = self.connect().await?;
        let response = self.send(sender, asked).await?;
        response.map_err(|error| broken(&error))
    }

    /// The connection of the request before, if it can be used again.
    async fn kept(&self) -> Option<Sender> {
        let mut sender = self.sender.borrow_mut().take()?;
        let limit = Duration::from_secs(READY_SECONDS_MAX);
        let ready = timeout(limit, sender.ready()).await;
        matches!(ready, Ok(Ok(()))).then_some(sender)
    }

    async fn send(
        &self,
        mut sender: Sender,
        asked: &Asked<'_>,
    ) -> Result<hyper::Result<hyper::Response<Incoming>>, Trouble> {
        let request = self.request(asked)?;
        let limit = Duration::from_secs(SILENCE_SECONDS_MAX);
        let response = timeout(limit, sender.send_request(request)).await;
        let response = response.ok().ok_or_else(silent)?;
        if response.is_ok() {
            *self.sender.borrow_mut() = Some(sender);
        }
        Ok(response)
    }

    fn request(&self, asked: &Asked<'_>) -> Result<Request<Outgoing>, Trouble> {
        let mut request = Request::builder()
            .method(asked.method.clone())
            .uri(format!("{}{}", self.url.prefix, asked.route))
            .header(header::HOST, &self.url.authority)
            .header(header::USER_AGENT, USER_AGENT);
        if let Some(authorization) = &self.authorization {
            request = request.header(header::AUTHORIZATION, authorization);
        }
        let mut body = None;
        if let Some((kind, bytes)) = &asked.body {
            request = request.header(header::CONTENT_TYPE, *kind);
            body = Some(bytes.clone());
        }
        let request = request.body(Outgoing(body));
        request.map_err(|error| Trouble::Strange(format!("it cannot be asked: {}", chain(&error))))
    }

    async fn connect(&self) -> Result<Sender, Trouble> {
        let limit = Duration::from_secs(CONNECT_SECONDS_MAX);
        let slow = |_| Trouble::Lost(format!("no connection within {CONNECT_SECONDS_MAX} s"));
        let address = (self.url.host.as_str(), self.url.port);
        let stream = timeout(limit, TcpStream::connect(address)).await;
        let stream = stream.map_err(slow)?.map_err(|error| {
            let text = chain(&error);
            Trouble::Lost(format!(
                "cannot connect: {text}; is `stemedb serve` running there?"
            ))
        })?;
        stream.set_nodelay(true).map_err(|error| broken(&error))?;
        let Some(tls) = &self.tls else {
            return converse(stream).await;
        };
        let name = ServerName::try_from(self.url.host.clone());
        let name = name.map_err(|error| Trouble::Strange(format!("no name for TLS: {error}")))?;
        let secured = timeout(limit, tls.connect(name, stream)).await;
        let stream = secured.map_err(slow)?.map_err(|error| {
            let text = chain(&error);
            Trouble::Lost(format!(
                "no TLS: {text}; --ca names a certificate authority of your own"
            ))
        })?;
        converse(stream).await
    }

    /// Waits, as long as the connection needs no hand.
    pub(crate) fn pause(&self, duration: Duration) {
        self.runtime.block_on(async { sleep(duration).await });
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Client({})", self.url)
    }
}

/// A request.
struct Asked<'a> {
    method: Method,
    route: &'a Route,
    body: Option<(&'static str, Bytes)>,
}

/// Begins to speak HTTP over `stream`; a task of the runtime carries the bytes while somebody waits.
async fn converse<S>(stream: S) -> Result<Sender, Trouble>
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Send + Unpin + 'static,
{
    let begun = http1::handshake(TokioIo::new(stream)).await;
    let (sender, connection) = begun.map_err(|error| broken(&error))?;
    // Whoever waits for an answer learns why it ended.
    tokio::spawn(async move { drop(connection.await) });
    Ok(sender)
}
