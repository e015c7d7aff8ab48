//! The one handle through which this program speaks.

use std::fmt::Display;
use std::io::{self, Write};

/// Writes a line of the answer to standard output.
pub(crate) fn say(line: impl Display) {
    let mut stdout = io::stdout().lock();
    let written = writeln!(stdout, "{line}").and_then(|()| stdout.flush());
    if written.is_err() {
        // There is nowhere left to say it; the exit code still tells.
    }
}

/// Tells people how far it is.
pub(crate) fn tell(line: impl Display) {
    let mut stderr = io::stderr().lock();
    if writeln!(stderr, "{line}").is_err() {
        // Nobody watches.
    }
}
