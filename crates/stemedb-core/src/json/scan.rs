//! The entries of a plain map, found in one pass without an allocation.
//!
//! Nearly every line is plain: no escapes, no lists, no exponents, no tabs, and no maps but some of one entry.
//! What is not, or is no JSON at all, is left to the parser, from which every refusal comes.
//!
//! Invariant: the parser finds the same entries in whatever is plain.

use crate::word;

#[cfg(test)]
mod tests;

/// Gives the name and the JSON text of each entry of the map `text`, in order; none if it is not plain.
///
/// Some entries may have been given before that is known.
pub(super) fn entries<'a>(text: &'a str, mut give: impl FnMut(&'a str, &'a str)) -> Option<()> {
    let mut scanner = Scanner::new(text)?;
    scanner.skip_space();
    scanner.take(b'{')?;
    loop {
        let (name, value) = scanner.entry(Scanner::value)?;
        give(name, value);
        if scanner.take(b',').is_none() {
            break;
        }
    }
    scanner.take(b'}')?;
    scanner.skip_space();
    scanner.is_at_end().then_some(())
}

/// The entry of the map `text`, if it has exactly one and is plain.
pub(super) fn only_entry(text: &str) -> Option<(&str, &str)> {
    let mut scanner = Scanner::new(text)?;
    let entry = scanner.only_entry()?;
    scanner.is_at_end().then_some(entry)
}

/// A place in a text without escapes and control characters; after a `None` it is of no use any more.
#[derive(Debug)]
struct Scanner<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Scanner<'a> {
    fn new(text: &'a str) -> Option<Self> {
        // Of the control characters JSON has four between its tokens; the one that is met is at the end of a line.
        let text = text.strip_suffix('\r').unwrap_or(text);
        let is_special = |byte: &u8| *byte < b' ' || *byte == b'\\';
        // Without a way out in the middle, many bytes are compared at once.
        let specials = text.as_bytes().iter().map(is_special);
        let has_special = specials.fold(false, |any, one| any | one);
        (!has_special).then_some(Self { text, at: 0 })
    }

    /// The next byte; at the end one that has no meaning.
    fn next(&self) -> u8 {
        self.text.as_bytes().get(self.at).copied().unwrap_or(0)
    }

    fn is_at_end(&self) -> bool {
        self.at == self.text.len()
    }

    fn take(&mut self, byte: u8) -> Option<()> {
        let is_there = self.next() == byte;
        self.at += usize::from(is_there);
        is_there.then_some(())
    }

    fn skip_space(&mut self) {
        while self.next() == b' ' {
            self.at += 1;
        }
    }

    /// A name and its value, with the space around them.
    fn entry(&mut self, value: fn(&mut Self) -> Option<()>) -> Option<(&'a str, &'a str)> {
        self.skip_space();
        let begin = self.at;
        self.string()?;
        let name = self.text.get(begin + 1..self.at - 1)?;
        self.skip_space();
        self.take(b':')?;
        self.skip_space();
        let begin = self.at;
        value(self)?;
        let value = self.text.get(begin..self.at)?;
        self.skip_space();
        Some((name, value))
    }

    fn only_entry(&mut self) -> Option<(&'a str, &'a str)> {
        self.take(b'{')?;
        let entry = self.entry(Self::scalar)?;
        self.take(b'}')?;
        Some(entry)
    }

    fn value(&mut self) -> Option<()> {
        match self.next() {
            b'{' => self.only_entry().map(|_| ()),
            _ => self.scalar(),
        }
    }

    /// A value that is no map.
    fn scalar(&mut self) -> Option<()> {
        match self.next() {
            b'"' => self.string(),
            b't' => self.word(b"true"),
            b'f' => self.word(b"false"),
            b'n' => self.word(b"null"),
            _ => self.number(),
        }
    }

    /// A string with its quotes.
    fn string(&mut self) -> Option<()> {
        self.take(b'"')?;
        let rest = self.text.as_bytes().get(self.at..)?;
        let length = word::find(rest, |word| word::equal(word, b'"'))?;
        self.at += length + 1;
        Some(())
    }

    fn word(&mut self, word: &[u8]) -> Option<()> {
        let rest = self.text.as_bytes().get(self.at..)?;
        self.at += word.len();
        rest.starts_with(word).then_some(())
    }

    /// A number without an exponent; whoever follows it tells whether this is its end.
    fn number(&mut self) -> Option<()> {
        // A minus may be there.
        let _: Option<()> = self.take(b'-');
        if self.take(b'0').is_none() {
            self.digits()?;
        }
        self.take(b'.').map_or(Some(()), |()| self.digits())
    }

    /// One digit or more.
    fn digits(&mut self) -> Option<()> {
        let begin = self.at;
        while self.next().is_ascii_digit() {
            self.at += 1;
        }
        (self.at > begin).then_some(())
    }
}
