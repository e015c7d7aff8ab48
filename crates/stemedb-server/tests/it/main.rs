//! The server as its clients see it: requests go to the routes without a port, and through a listener where connections matter.
#![expect(
    clippy::disallowed_methods,
    reason = "tests write files as people do who run a server"
)]

#[cfg(test)]
mod auth; // what is let in, by route and by scope
#[cfg(test)]
mod backup; // a backup that is made from elsewhere
#[cfg(test)]
mod bulk; // uploads of many lines
#[cfg(test)]
mod change; // the feed of changes
#[cfg(test)]
mod connection; // connections that take their time, and too many of them
#[cfg(test)]
mod exposition; // a strict reader of what a scrape is answered with
#[cfg(test)]
mod hang; // a disk whose sync hangs
#[cfg(test)]
mod health; // whether it lives, serves, and where the database stands
#[cfg(test)]
mod list; // pages of subjects, assertions, votes and epochs
#[cfg(test)]
mod metric; // what a scrape says, and what is documented
#[cfg(test)]
mod pace; // bodies that come slowly
#[cfg(test)]
mod problem; // every refusal is a problem with its code
#[cfg(test)]
mod quarantine; // what could not be applied
#[cfg(test)]
mod raw; // heads that nobody should send
#[cfg(test)]
mod record; // storing records, and reading them by their ids
#[cfg(test)]
mod shutdown; // what is in flight when the server ends
#[cfg(test)]
mod stream; // uploads and feeds through a listener
#[cfg(test)]
mod support; // a database and its service in a directory of their own
#[cfg(test)]
mod tls; // who agrees on TLS, and who does not
#[cfg(test)]
mod trace; // the trace that a request is part of
#[cfg(test)]
mod wire; // what goes over a connection, byte by byte
