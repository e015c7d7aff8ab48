//! `serve`: the database over HTTP.

use std::{io, net::SocketAddr, sync::Arc};

use stemedb::{Create, Database};
use stemedb_server::{Settings, serve, service};
use tokio::{net::TcpListener, runtime};

use super::Context;
use crate::{
    args::Serve,
    failure::{Exit, Failure},
    log::{self, LogFilter},
};

mod signals;

/// Runs the command.
pub(super) fn run(context: &mut Context, args: &Serve) -> Result<Exit, Failure> {
    let filter = args.log.clone();
    let filter = filter.unwrap_or_else(|| LogFilter::of(context.settings.talk()));
    log::begin(args.log_format, filter);
    if !args.listen.ip().is_loopback() {
        let text = format!("--listen {}: not a loopback address", args.listen);
        return Err(Failure::new(Exit::Usage, text).advise(
            "whoever reaches it may read and write, and tokens that would tell them apart are not there yet",
        ));
    }
    let runtime = runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::file(Exit::Unavailable, "threads", &error))?;
    let listener = runtime.block_on(TcpListener::bind(args.listen));
    let listener = listener.map_err(|error| cannot_listen(args.listen, &error))?;
    let database = Arc::new(open(context)?);
    let served = runtime.block_on(listen(context, listener, Arc::clone(&database)));
    // Connections that did not end in time hold the database, and end with the runtime.
    drop(runtime);
    let closed = Arc::into_inner(database).map_or(Ok(()), Database::close);
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
    listener: TcpListener,
    database: Arc<Database>,
) -> Result<(), Failure> {
    let failed = |error: io::Error| Failure::file(Exit::Unavailable, "server", &error);
    let address = listener.local_addr().map_err(failed)?;
    let service = service(database, &Settings::default());
    let service = service.map_err(|error| Failure::caused(Exit::Unavailable, "server", &error))?;
    // Before anybody is told of the address: who knows it may stop it.
    let stop = signals::watch(context.settings.talk()).map_err(failed)?;
    context
        .output
        .note(format_args!("listening on http://{address}"));
    serve(listener, service, stop).await.map_err(failed)
}

fn cannot_listen(address: SocketAddr, error: &io::Error) -> Failure {
    let failure = Failure::caused(Exit::Unavailable, &format!("--listen {address}"), error);
    match error.kind() {
        io::ErrorKind::AddrInUse => failure.advise("stop who listens there, or name another port"),
        _ => failure,
    }
}
