//! What happens when people end a run: whatever was started is ended, and whatever was made is removed.

use std::fs;
use std::path::Path;
use std::thread;
use std::time::Duration;

use tokio::runtime::Builder;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::failure::{Doing, Result};
use crate::output::tell;
use crate::{clock, peer, process};

/// The exit code of a program that was interrupted.
const INTERRUPTED: i32 = 130;

/// How often removing is tried again.
const REMOVALS: usize = 100;

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
    // What goes on in other threads until the end may start and make more.
    for _ in 0..REMOVALS {
        // A failure is met by trying again, and told at the end.
        drop(fs::remove_dir_all(home));
        if !home.exists() {
            break;
        }
        process::kill_all();
        clock::pause(Duration::from_millis(20));
    }
    if home.exists() {
        tell(format_args!("{} is left behind", home.display()));
    }
    std::process::exit(INTERRUPTED);
}
