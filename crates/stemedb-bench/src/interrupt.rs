//! What happens when people end a run: whatever was started is ended, and whatever was made is removed.

use std::fs;
use std::path::Path;
use std::thread;

use tokio::runtime::Builder;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::failure::{Doing, Result};
use crate::output::tell;
use crate::{peer, process};

/// The exit code of a program that was interrupted.
const INTERRUPTED: i32 = 130;

/// Listens for the signals that end a program, on a thread of its own.
///
/// # Errors
///
/// If it cannot listen.
pub(crate) fn listen(home: &Path) -> Result<()> {
    let home = home.to_owned();
    let runtime = Builder::new_current_thread()
        .enable_io()
        .build()
        .doing("listen for signals")?;
    let (mut interrupted, mut terminated) = {
        let _inside = runtime.enter();
        let listen = |kind| signal(kind).doing("listen for signals");
        (
            listen(SignalKind::interrupt())?,
            listen(SignalKind::terminate())?,
        )
    };
    let wait = move || {
        runtime.block_on(either(&mut interrupted, &mut terminated));
        end(&home);
    };
    let thread = thread::Builder::new()
        .name("signals".to_owned())
        .spawn(wait);
    thread.doing("listen for signals").map(drop)
}

async fn either(one: &mut Signal, other: &mut Signal) {
    std::future::poll_fn(|context| {
        let one = one.poll_recv(context);
        let other = other.poll_recv(context);
        if one.is_ready() || other.is_ready() {
            std::task::Poll::Ready(())
        } else {
            std::task::Poll::Pending
        }
    })
    .await;
}

#[expect(
    clippy::exit,
    reason = "the program is to end here and now, whatever its threads do"
)]
fn end(home: &Path) {
    tell("interrupted: cleaning up");
    process::kill_all();
    peer::stop(&home.join(peer::DIRECTORY));
    if let Err(error) = fs::remove_dir_all(home) {
        tell(format_args!("{} is left behind: {error}", home.display()));
    }
    std::process::exit(INTERRUPTED);
}
