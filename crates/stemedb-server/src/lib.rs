//! StemeDB over HTTP.
//!
//! ```text
//!   POST --> read, check, name --> intake (one thread) --> Database::submit --> 201, once it is durable
//!   GET  --> a fresh View on the blocking pool ---------------------------> JSON, in bounded pages
//! ```
//!
//! # What it guarantees
//!
//! - **An answer of 201 or 200 is an acknowledgement**: it waited for what its `durability` says.
//! - **A retry is harmless.** The id is the hash of what the record says, so that the same request again is answered with the same id and
//!   sequence. A failure after which the outcome is unknown says so.
//! - **Every error is a problem**: [`application/problem+json`](wire::Problem) with a stable [`code`](wire::Code), whoever refused the request.
//! - **Memory is bounded**: by the bytes of bodies that are read and not yet acknowledged, by the bytes of a page, and for each stream
//!   by a few pieces of it: a client that does not read is not read from either.
//! - **A stream says that it has ended**, by its last line; where that is missing, something is missing before it.
//! - **Nobody is waited for without end**: silence in a head, between requests, in a handshake or before an unread answer ends a connection.
//! - **Nothing is open by mistake**: whatever others than this machine can reach needs a [`token`], and so does everything once there is one.
//! - **Nothing of the machine is told**: details name what is wrong with a request, and no path of the server.
//!
//! # What it does not do
//!
//! - It keeps nothing: all state is the database's, and a server that is killed has lost no record that it acknowledged.
//! - It speaks HTTP/1.1 and no HTTP/2, and gives no body to its refusal of a head that is no HTTP.
//! - It asks for no token at `/healthz/`, and tells whoever asks which routes and methods there are.
//! - It never opens or closes the database: whoever gave it does.
//!
//! # Example
//!
//! ```
//! use std::sync::Arc;
//! use stemedb::{Create, Database};
//! use stemedb_server::{Settings, serve, service};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let parent = tempfile::tempdir()?;
//! # let directory = parent.path().join("data");
//! # let stop = std::future::ready(());
//! let database = Database::builder().create(Create::IfMissing).open(&directory)?;
//! let database = Arc::new(database);
//! let service = service(Arc::clone(&database), &Settings::default())?;
//! let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
//! serve(listener, service, stop).await?; // until `stop` is done, and what was begun is answered
//! if let Some(database) = Arc::into_inner(database) {
//!     database.close()?;
//! }
//! # Ok(())
//! # }
//! ```

mod allowance;
mod auth;
mod body;
mod connection;
mod courtesy;
mod crowd;
mod guard;
mod held;
mod hex;
mod inlet;
mod intake;
mod limits;
mod metric;
mod openapi;
mod outlet;
mod page;
mod problem;
mod query;
mod rate;
mod read;
mod request_id;
mod room;
mod route;
mod runtime;
mod seat;
mod server;
mod settings;
mod shutdown;
mod stamp;
mod state;
mod tls;
pub mod token;
mod total;
mod trace;
mod visit;
pub mod wire;

pub use runtime::runtime;
pub use server::{Listener, serve};
pub use settings::{Settings, StartError};
pub use shutdown::Shutdown;
pub use state::{Service, service};
pub use tls::{Tls, TlsError};
