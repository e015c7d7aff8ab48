//! The types of shuttle, and what it leaves out: waits that end by time, and asking whether a thread has ended.

use std::sync::{Arc, LockResult, PoisonError};
use std::time::Duration;

pub use ::shuttle::sync::atomic::AtomicBool;
use ::shuttle::sync::atomic::Ordering;
pub use ::shuttle::sync::{Mutex, MutexGuard};

/// From here on a wait counts as one without end, so that a wake-up that is lost shows as a deadlock.
const ENDLESS: Duration = Duration::from_secs(1);

/// A condition whose timed waits end at any moment that the scheduler likes.
#[derive(Debug, Default)]
pub struct Condvar(Arc<::shuttle::sync::Condvar>);

/// Whether a timed wait ended because its time was over.
#[derive(Clone, Copy, Debug)]
pub struct WaitTimeoutResult(bool);

impl WaitTimeoutResult {
    /// Whether the time was over.
    #[must_use]
    pub fn timed_out(&self) -> bool {
        self.0
    }
}

impl Condvar {
    /// A condition that nobody waits for.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Waits for a notification.
    ///
    /// # Errors
    ///
    /// Where the mutex is poisoned.
    pub fn wait<'a, T>(&self, guard: MutexGuard<'a, T>) -> LockResult<MutexGuard<'a, T>> {
        self.0.wait(guard)
    }

    /// Waits for a notification, or for the end of the time, which a thread of its own brings, whenever the scheduler runs it.
    ///
    /// # Errors
    ///
    /// Where the mutex is poisoned.
    pub fn wait_timeout<'a, T>(
        &self,
        guard: MutexGuard<'a, T>,
        timeout: Duration,
    ) -> LockResult<(MutexGuard<'a, T>, WaitTimeoutResult)> {
        let is_over = Arc::new(AtomicBool::new(false));
        let has_ended = Arc::new(AtomicBool::new(false));
        if timeout < ENDLESS {
            let (condition, is_over) = (Arc::clone(&self.0), Arc::clone(&is_over));
            let has_ended = Arc::clone(&has_ended);
            ::shuttle::thread::spawn(move || {
                // A timer that outlived its wait must wake nobody: it would hide that somebody else did not.
                // Its first call may come before the wait has begun, and then reaches nobody.
                while !has_ended.load(Ordering::SeqCst) {
                    is_over.store(true, Ordering::SeqCst);
                    condition.notify_all();
                    ::shuttle::thread::yield_now();
                }
            });
        }
        let guard = self.0.wait(guard);
        has_ended.store(true, Ordering::SeqCst);
        let result = WaitTimeoutResult(is_over.load(Ordering::SeqCst));
        match guard {
            Ok(guard) => Ok((guard, result)),
            Err(poisoned) => Err(PoisonError::new((poisoned.into_inner(), result))),
        }
    }

    /// Wakes one who waits.
    pub fn notify_one(&self) {
        self.0.notify_one();
    }

    /// Wakes all who wait.
    pub fn notify_all(&self) {
        self.0.notify_all();
    }
}

/// Threads that can be asked whether they have ended.
pub mod thread {
    use std::io;
    use std::sync::Arc;

    use ::shuttle::sync::atomic::{AtomicBool, Ordering};
    pub use ::shuttle::thread::{Thread, current, park};

    /// A thread in the making.
    #[derive(Debug, Default)]
    pub struct Builder(::shuttle::thread::Builder);

    impl Builder {
        /// A thread without a name.
        #[must_use]
        pub fn new() -> Self {
            Self::default()
        }

        /// Names the thread.
        #[must_use]
        pub fn name(self, name: String) -> Self {
            Self(self.0.name(name))
        }

        /// Starts the thread.
        ///
        /// # Errors
        ///
        /// None.
        pub fn spawn<T: Send + 'static>(
            self,
            work: impl FnOnce() -> T + Send + 'static,
        ) -> io::Result<JoinHandle<T>> {
            let has_ended = Arc::new(AtomicBool::new(false));
            let end = Arc::clone(&has_ended);
            let inner = self.0.spawn(move || {
                let result = work();
                end.store(true, Ordering::Release);
                result
            })?;
            Ok(JoinHandle { inner, has_ended })
        }
    }

    /// A thread that was started.
    #[derive(Debug)]
    pub struct JoinHandle<T> {
        inner: ::shuttle::thread::JoinHandle<T>,
        has_ended: Arc<AtomicBool>,
    }

    impl<T> JoinHandle<T> {
        /// Waits for the end of the thread.
        ///
        /// # Errors
        ///
        /// What the thread panicked with.
        pub fn join(self) -> std::thread::Result<T> {
            self.inner.join()
        }

        /// Whether the thread has ended.
        #[must_use]
        pub fn is_finished(&self) -> bool {
            self.has_ended.load(Ordering::Acquire)
        }

        /// The thread itself.
        #[must_use]
        pub fn thread(&self) -> &Thread {
            self.inner.thread()
        }
    }
}

/// Channels for one value, under the names of the crate `oneshot`.
pub mod oneshot {
    use std::pin::Pin;
    use std::task::{Context, Poll};
    use std::time::Duration;

    use ::shuttle::sync::mpsc;
    pub use ::shuttle::sync::mpsc::{RecvError, RecvTimeoutError};

    /// The value, which nobody received.
    #[derive(Debug)]
    pub struct SendError<T>(Option<T>);

    impl<T> SendError<T> {
        /// The value.
        #[must_use]
        pub fn into_inner(self) -> Option<T> {
            self.0
        }
    }

    /// The end that sends.
    #[derive(Debug)]
    pub struct Sender<T>(mpsc::Sender<T>);

    /// The end that receives.
    #[derive(Debug)]
    pub struct Receiver<T>(mpsc::Receiver<T>);

    /// A channel for one value.
    #[must_use]
    pub fn channel<T>() -> (Sender<T>, Receiver<T>) {
        let (sender, receiver) = mpsc::channel();
        (Sender(sender), Receiver(receiver))
    }

    impl<T> Sender<T> {
        /// Sends the value.
        ///
        /// # Errors
        ///
        /// Where nobody receives.
        pub fn send(self, value: T) -> Result<(), SendError<T>> {
            self.0.send(value).map_err(|error| SendError(Some(error.0)))
        }
    }

    impl<T> Receiver<T> {
        /// Waits for the value.
        ///
        /// # Errors
        ///
        /// Where the sender is gone.
        pub fn recv(self) -> Result<T, RecvError> {
            self.0.recv()
        }

        /// Waits for the value; the time is never over.
        ///
        /// # Errors
        ///
        /// Where the sender is gone.
        pub fn recv_timeout(&self, timeout: Duration) -> Result<T, RecvTimeoutError> {
            self.0.recv_timeout(timeout)
        }
    }

    /// Blocks the thread instead of the task: that is enough for threads that have one task each.
    impl<T> Future for Receiver<T> {
        type Output = Result<T, RecvError>;

        fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Self::Output> {
            Poll::Ready(self.0.recv())
        }
    }
}
