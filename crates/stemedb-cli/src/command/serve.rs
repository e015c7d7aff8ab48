//! `serve`: the database over HTTP.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use stemedb::{Create, Database};
use stemedb_server::{
    Listener, Settings, StartError, Tls, TlsError, runtime, serve, service, token::TokenFile,
};
use tokio::net::TcpListener;

use super::Context;
use crate::{
    args::Serve,
    failure::{Exit, Failure},
    log::{self, LogFilter},
};

mod manager;
mod signals;

/// How long reads may go on for which nobody waits any more. Nothing that was acknowledged depends on them.
const STOP_SECONDS_MAX: Duration = Duration::from_secs(5);

/// How to serve.
struct Plan {
    listen: SocketAddr,
    tls: Option<Tls>,
    settings: Settings,
}

impl Plan {
    /// What the command line and the settings say, if it is safe.
    fn new(context: &Context, args: &Serve) -> Result<Self, Failure> {
        let given = &context.settings.serve;
        let listen = args.listen.unwrap_or(given.listen.value);
        let tls_cert = args.tls_cert.clone().or(given.tls_cert.value.clone());
        let tls_key = args.tls_key.clone().or(given.tls_key.value.clone());
        let tls = match (tls_cert, tls_key) {
            (None, None) => None,
            (Some(certificate), Some(key)) => {
                let tls = Tls::load(certificate, key);
                Some(tls.map_err(|error| cannot_use(&error))?)
            }
            _ => {
                return Err(Failure::new(
                    Exit::Usage,
                    "--tls-cert and --tls-key: name both, or none",
                ));
            }
        };
        let is_insecure = args.insecure_http || given.insecure_http.value;
        if !listen.ip().to_canonical().is_loopback() {
            check_public(context, listen, tls.is_some() || is_insecure)?;
        }
        let mut settings = Settings::default();
        settings.connections_max = count(given.connections_max.value);
        settings.connections_per_address_max = count(given.connections_per_address_max.value);
        settings.requests_per_second_max = count(given.requests_per_second_max.value);
        let plan = Self {
            listen,
            tls,
            settings,
        };
        Ok(plan)
    }
}

/// A number that is too large is so for the server, which says what is allowed.
fn count(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

/// Refuses an address that others can reach as long as anybody could do anything there, or listen in.
fn check_public(context: &Context, listen: SocketAddr, is_private: bool) -> Result<(), Failure> {
    let refuse = |why, advice| {
        let text = format!("--listen {listen}: others than this machine can reach it, and {why}");
        Err(Failure::new(Exit::Usage, text).advise(advice))
    };
    let tokens = TokenFile::of(context.dir()).list();
    let tokens = tokens.map_err(|error| super::token::failure(&error))?;
    if tokens.is_none_or(|tokens| tokens.is_empty()) {
        return refuse(
            "there is no token",
            "make one with `stemedb token create`, or listen on a loopback address",
        );
    }
    if !is_private {
        return refuse(
            "without TLS tokens and records can be read on the way",
            "give --tls-cert and --tls-key, or --insecure-http behind a proxy that has them",
        );
    }
    Ok(())
}

fn cannot_use(error: &TlsError) -> Failure {
    Failure::caused(Exit::Usage, "TLS", error)
        .advise("give the certificate with --tls-cert and its key with --tls-key, both in PEM")
}

/// Runs the command.
pub(super) fn run(context: &mut Context, args: &Serve) -> Result<Exit, Failure> {
    let filter = args.log.clone();
    let filter = filter.unwrap_or_else(|| LogFilter::of(context.settings.talk()));
    log::begin(args.log_format, filter);
    let plan = Plan::new(context, args)?;
    let runtime = runtime();
    let runtime = runtime.map_err(|error| Failure::file(Exit::Unavailable, "threads", &error))?;
    let listener = runtime.block_on(TcpListener::bind(plan.listen));
    let listener = listener.map_err(|error| cannot_listen(plan.listen, &error))?;
    let database = Arc::new(open(context)?);
    let served = runtime.block_on(listen(context, plan, (listener, Arc::clone(&database))));
    // Connections that did not end in time end with the runtime; reads that did not hold the database, and end with the process.
    runtime.shutdown_timeout(STOP_SECONDS_MAX);
    let Some(database) = Arc::into_inner(database) else {
        let note =
            "something was still being read; the next start applies what the store is behind";
        context.output.note(note);
        return served.map(|()| Exit::Fine);
    };
    let closed = database.close();
    served?;
    closed?;
    Ok(Exit::Fine)
}

/// Opens the database, or creates it.
fn open(context: &Context) -> Result<Database, Failure> {
    let builder = context.builder().create(Create::IfMissing);
    let database = builder.open(context.dir())?;
    if database.was_created() {
        let note = format!("created a database in {}", context.dir().display());
        context.output.note(note);
    }
    Ok(database)
}

/// Answers until a signal comes.
async fn listen(
    context: &Context,
    plan: Plan,
    (listener, database): (TcpListener, Arc<Database>),
) -> Result<(), Failure> {
    let failed = |error: io::Error| Failure::file(Exit::Unavailable, "server", &error);
    let address = listener.local_addr().map_err(failed)?;
    let service = service(database, &plan.settings);
    let service = service.map_err(|error| cannot_start(&error))?;
    // Before anybody is told of the address: who knows it may stop it.
    let stop = signals::watch(context.settings.talk()).map_err(failed)?;
    let scheme = if plan.tls.is_some() { "https" } else { "http" };
    let listening = format_args!("listening on {scheme}://{address}");
    context.output.note(listening);
    let listener = match plan.tls {
        Some(tls) => Listener::tls(listener, tls),
        None => listener.into(),
    };
    manager::tell(manager::State::Ready);
    let stop = async {
        stop.await;
        manager::tell(manager::State::Stopping);
    };
    serve(listener, service, stop).await.map_err(failed)
}

fn cannot_start(error: &StartError) -> Failure {
    match error {
        StartError::Tokens(error) => super::token::failure(error),
        StartError::Setting { .. } => Failure::caused(Exit::Configuration, "server", error),
        _ => Failure::caused(Exit::Unavailable, "server", error),
    }
}

fn cannot_listen(address: SocketAddr, error: &io::Error) -> Failure {
    let failure = Failure::caused(Exit::Unavailable, &format!("--listen {address}"), error);
    match error.kind() {
        io::ErrorKind::AddrInUse => failure.advise("stop who listens there, or name another port"),
        _ => failure,
    }
}
