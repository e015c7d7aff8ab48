//! The lines that a child writes to its parent, each in one write, so that a kill cuts at most the last one.

use std::fmt;
use std::str::FromStr;

use stemedb::{RecordId, Sequence};

/// What an acknowledgement waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Level {
    /// The fsync.
    Sync,
    /// The write.
    Interval,
}

/// What a child counts of its doings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Done {
    /// Opened the database.
    Open,
    /// Closed it.
    Close,
    /// Let go of it without closing.
    Drop,
    /// Built the store anew, as the refusal to open it had asked.
    Rebuild,
    /// Checked what it read.
    Read,
}

/// One line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Line {
    /// A record is about to be handed in.
    Submit {
        /// Its number.
        number: u64,
        /// Its id.
        id: RecordId,
    },
    /// A record was acknowledged.
    Acknowledge {
        /// Where it is.
        sequence: Sequence,
        /// Its id.
        id: RecordId,
        /// What the acknowledgement waited for.
        level: Level,
    },
    /// Something was done.
    Done(Done),
    /// A call failed; whether it may, the parent knows.
    Error(String),
    /// A thread panicked; whether it may, the parent knows.
    Panic(String),
    /// A read was wrong.
    Violation(String),
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Submit { number, id } => write!(f, "s {number} {id}"),
            Self::Acknowledge {
                sequence,
                id,
                level,
            } => {
                let level = match level {
                    Level::Sync => 'S',
                    Level::Interval => 'I',
                };
                write!(f, "a {sequence} {id} {level}")
            }
            Self::Done(done) => write!(
                f,
                "d {}",
                match done {
                    Done::Open => "open",
                    Done::Close => "close",
                    Done::Drop => "drop",
                    Done::Rebuild => "rebuild",
                    Done::Read => "read",
                }
            ),
            Self::Error(text) => write!(f, "e {}", text.escape_debug()),
            Self::Panic(text) => write!(f, "p {}", text.escape_debug()),
            Self::Violation(text) => write!(f, "v {}", text.escape_debug()),
        }
    }
}

/// A line that a child does not write.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Garbled;

impl FromStr for Line {
    type Err = Garbled;

    fn from_str(text: &str) -> Result<Self, Garbled> {
        let (kind, rest) = text.split_once(' ').ok_or(Garbled)?;
        let mut words = rest.split(' ');
        let mut word = || words.next().ok_or(Garbled);
        let line = match kind {
            "s" => Self::Submit {
                number: parse(word()?)?,
                id: parse(word()?)?,
            },
            "a" => Self::Acknowledge {
                sequence: Sequence::new(parse(word()?)?).ok_or(Garbled)?,
                id: parse(word()?)?,
                level: match word()? {
                    "S" => Level::Sync,
                    "I" => Level::Interval,
                    _ => return Err(Garbled),
                },
            },
            "d" => Self::Done(match word()? {
                "open" => Done::Open,
                "close" => Done::Close,
                "drop" => Done::Drop,
                "rebuild" => Done::Rebuild,
                "read" => Done::Read,
                _ => return Err(Garbled),
            }),
            "e" => return Ok(Self::Error(rest.to_owned())),
            "p" => return Ok(Self::Panic(rest.to_owned())),
            "v" => return Ok(Self::Violation(rest.to_owned())),
            _ => return Err(Garbled),
        };
        words.next().map_or(Ok(line), |_| Err(Garbled))
    }
}

fn parse<T: FromStr>(word: &str) -> Result<T, Garbled> {
    word.parse().or(Err(Garbled))
}

#[cfg(test)]
mod tests {
    use stemedb::{RecordId, Sequence};

    use super::{Done, Garbled, Level, Line};

    #[test]
    fn lines_are_read_as_they_were_written() {
        let id = RecordId::from_bytes([171; 32]);
        let sequence = Sequence::new(17).unwrap();
        let level = Level::Interval;
        for line in [
            Line::Submit { number: 5, id },
            Line::Acknowledge {
                sequence,
                id,
                level,
            },
            Line::Done(Done::Drop),
            Line::Done(Done::Rebuild),
            Line::Error("Closed: no".to_owned()),
        ] {
            assert_eq!(line.to_string().parse(), Ok(line));
        }
        for cut in ["s 5", "a 1 ab S", "d", "d x", "x 1", "s 5 ", ""] {
            assert_eq!(cut.parse::<Line>(), Err(Garbled), "{cut}");
        }
    }
}
