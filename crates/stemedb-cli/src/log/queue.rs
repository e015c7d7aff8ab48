//! Lines on their way to standard error: whoever logs never waits for whoever reads.

use std::{
    collections::VecDeque,
    io::{self, Write},
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::Duration,
};

/// Lines that wait to be written; those that come then are dropped, and counted.
const LINES_MAX: usize = 1024;

/// Lines, and one thread that writes them.
#[derive(Debug, Default)]
pub(super) struct Queue {
    state: Mutex<State>,
    /// There are lines.
    filled: Condvar,
    /// All lines are written.
    emptied: Condvar,
}

#[derive(Debug, Default)]
struct State {
    lines: VecDeque<Vec<u8>>,
    is_writing: bool,
    dropped: u64,
}

impl Queue {
    /// Writes lines to `out` for as long as the process lives; `tell_dropped` says how many were dropped so far, once there is room again.
    pub(super) fn start(
        &'static self,
        mut out: impl Write + Send + 'static,
        tell_dropped: fn(u64),
    ) -> io::Result<()> {
        let write = move || {
            let mut told = 0;
            loop {
                let (line, dropped) = self.next();
                // Where standard error is gone there is nowhere to say so.
                let _is_written = out.write_all(&line).is_ok();
                self.done();
                if dropped > told {
                    told = dropped;
                    tell_dropped(dropped);
                }
            }
        };
        let thread = thread::Builder::new().name("stemedb-stderr".to_owned());
        thread.spawn(write).map(drop)
    }

    /// Takes a line, if there is room for it.
    pub(super) fn push(&self, line: Vec<u8>) {
        let mut state = self.state();
        if state.lines.len() >= LINES_MAX {
            state.dropped += 1;
            return;
        }
        state.lines.push_back(line);
        self.filled.notify_one();
    }

    /// Waits until all lines are written, but not for long: who reads them may have stopped.
    pub(super) fn flush(&self, limit: Duration) {
        let waits = |state: &mut State| state.is_writing || !state.lines.is_empty();
        let state = self.state();
        drop(self.emptied.wait_timeout_while(state, limit, waits));
    }

    fn next(&self) -> (Vec<u8>, u64) {
        let mut state = self.state();
        loop {
            if let Some(line) = state.lines.pop_front() {
                state.is_writing = true;
                return (line, state.dropped);
            }
            let woken = self.filled.wait(state);
            state = woken.unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn done(&self) {
        let mut state = self.state();
        state.is_writing = false;
        if state.lines.is_empty() {
            self.emptied.notify_all();
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Lines are whole whatever happened.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Where one event is written.
#[derive(Debug)]
pub(super) struct Line(pub(super) &'static Queue);

impl Write for Line {
    /// The formatter hands over an event as a whole.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.push(bytes.to_vec());
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::{
        io::{self, Write},
        sync::{
            atomic::{AtomicU64, Ordering},
            mpsc::{Receiver, Sender, channel},
        },
        time::Duration,
    };

    use super::{LINES_MAX, Queue};

    /// A reader that takes a line whenever it is told to.
    struct Slow {
        turns: Receiver<()>,
        lines: Sender<Vec<u8>>,
    }

    impl Write for Slow {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.turns.recv().map_err(io::Error::other)?;
            self.lines.send(bytes.to_vec()).map_err(io::Error::other)?;
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    static TOLD: AtomicU64 = AtomicU64::new(0);

    #[test]
    fn lines_are_written_in_order_and_dropped_where_nobody_reads() {
        let queue: &'static Queue = Box::leak(Box::default());
        let ((turn, turns), (lines, written)) = (channel(), channel());
        let reader = Slow { turns, lines };
        let tell = |dropped| TOLD.store(dropped, Ordering::SeqCst);
        queue.start(reader, tell).unwrap();
        let count = LINES_MAX + 100;
        for number in 0..count {
            queue.push(number.to_string().into_bytes());
        }
        queue.flush(Duration::from_millis(1));
        for _ in 0..count {
            turn.send(()).unwrap();
        }
        queue.flush(Duration::from_mins(1));
        let written: Vec<_> = written.try_iter().collect();
        // One more than waited was on its way, unless the thread had not begun.
        assert!([LINES_MAX, LINES_MAX + 1].contains(&written.len()));
        for (number, line) in written.iter().enumerate() {
            assert_eq!(*line, number.to_string().into_bytes());
        }
        // The last line may be written before it is told.
        queue.push(b"x".to_vec());
        turn.send(()).unwrap();
        queue.flush(Duration::from_mins(1));
        assert_eq!(TOLD.load(Ordering::SeqCst), (count - written.len()) as u64);
    }
}
