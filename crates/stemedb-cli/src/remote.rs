//! A database that a server has: the same questions, asked over HTTP.
//!
//! ```text
//!   Server --> Client --> one connection at a time (plain or TLS), used again
//!     |          |
//!   view       Answer: bounded, or line by line --> wire types --> those of the library
//! ```
//!
//! What a server says is material to judge: nothing of it is taken unread, without a bound, or printed as it is.

mod address;
mod answer;
mod client;
mod convert;
mod copy;
mod pager;
mod patience;
mod tls;
mod trouble;
mod view;

#[cfg(test)]
mod tests;

pub(crate) use address::ServerUrl;
pub(crate) use answer::Answer;
pub(crate) use client::{Client, Route};
pub(crate) use patience::{Patience, wait_applied};
pub(crate) use trouble::Trouble;
pub(crate) use view::{Server, ServerView, stats};
