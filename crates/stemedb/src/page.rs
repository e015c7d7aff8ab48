//! Pages: where a listing begins, and the cursor by which it goes on.

use std::fmt;
use std::str::FromStr;

use stemedb_core::Sequence;

use crate::Error;
use crate::error::Cause;

/// Where a listing begins, and as of when.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// Only what had arrived by this sequence; it must be applied already.
    pub as_of: Option<Sequence>,
    /// Only what comes after the item that had this cursor.
    pub after: Option<PageCursor>,
}

/// One item of a listing, and the cursor that continues after it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed<T> {
    /// The item.
    pub value: T,
    /// Goes on after it, in the same listing, now or later.
    pub cursor: PageCursor,
}

/// Items one after the other, read as they are asked for.
pub type Listing<T> = Box<dyn Iterator<Item = Result<Listed<T>, Error>> + Send>;

/// A place in a listing. Its text is for handing it back, and says nothing.
///
/// Parsing what is no such text is [`Invalid`](crate::ErrorKind::Invalid), and so is handing it to a listing that did not give it out.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct PageCursor(Vec<u8>);

impl PageCursor {
    pub(crate) fn after(key: Vec<u8>) -> Self {
        Self(key)
    }

    /// The key after which the listing with this prefix goes on.
    pub(crate) fn key_in(&self, prefix: &[u8]) -> Result<&[u8], Error> {
        if self.0.starts_with(prefix) {
            Ok(&self.0)
        } else {
            Err(Cause::PageCursor.into())
        }
    }
}

impl fmt::Display for PageCursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for PageCursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PageCursor({self})")
    }
}

impl FromStr for PageCursor {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let (pairs, rest) = text.as_bytes().as_chunks::<2>();
        let digit = |digit: u8| char::from(digit).to_digit(16);
        let byte = |[high, low]: &[u8; 2]| u8::try_from(digit(*high)? * 16 + digit(*low)?).ok();
        let bytes: Option<Vec<u8>> = pairs.iter().map(byte).collect();
        match bytes {
            Some(bytes) if rest.is_empty() && !bytes.is_empty() => Ok(Self(bytes)),
            _ => Err(Cause::PageCursor.into()),
        }
    }
}
