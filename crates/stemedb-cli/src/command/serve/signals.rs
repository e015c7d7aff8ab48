//! Signals: the first one ends the server in order, the second one at once.

use std::{io, process, thread};

use tokio::{runtime, signal, sync::oneshot};

use crate::{
    failure::Exit,
    log,
    output::{Talk, say},
};

/// Watches for signals from now until the process ends; the future is done at the first one.
///
/// A thread of its own does that, so that the second one is heard also when the server is gone and the database is being closed.
pub(super) fn watch(talk: Talk) -> io::Result<impl Future<Output = ()> + Send + 'static> {
    let runtime = runtime::Builder::new_current_thread().enable_io().build()?;
    let mut signals = {
        let _entered = runtime.enter();
        Signals::new()?
    };
    let (told, stop) = oneshot::channel();
    let watch = async move {
        signals.next().await;
        if talk == Talk::Normal {
            say("stopping; a second signal stops at once");
        }
        if told.send(()).is_err() {
            // The server has ended already.
        }
        signals.next().await;
        stop_at_once();
    };
    let thread = thread::Builder::new().name("stemedb-signals".to_owned());
    thread.spawn(move || runtime.block_on(watch))?;
    Ok(async move { drop(stop.await) })
}

/// Ends the process: what was acknowledged is durable, and opening the database again sorts out the rest.
#[expect(clippy::exit, reason = "a second signal asks for just that")]
fn stop_at_once() {
    say("error: stopped before everything was answered");
    log::end();
    process::exit(i32::from(Exit::Unavailable.code()));
}

/// The signals that ask a program to end.
#[cfg(unix)]
struct Signals {
    interrupt: signal::unix::Signal,
    terminate: signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    fn new() -> io::Result<Self> {
        use signal::unix::{SignalKind, signal};
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    /// Returns when the next one comes.
    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

/// The signal that asks a program to end.
#[cfg(not(unix))]
struct Signals;

#[cfg(not(unix))]
impl Signals {
    fn new() -> io::Result<Self> {
        Ok(Self)
    }

    async fn next(&mut self) {
        // Where it cannot be waited for there is nobody to send one.
        if signal::ctrl_c().await.is_err() {
            std::future::pending().await
        }
    }
}
