//! The entries of a plain map, found in one pass without an allocation.
//!
//! Nearly every line is plain: no escapes, no lists, no exponents, and no maps but some of one entry.
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
    let mut scanner = Scanner { text, at: 0 };
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
    (scanner.at == text.len()).then_some(())
}

/// The entry of the map `text`, if it has exactly one and is plain.
pub(super) fn only_entry(text: &str) -> Option<(&str, &str)> {
    let mut scanner = Scanner { text, at: 0 };
    let entry = scanner.only_entry()?;
    (scanner.at == text.len()).then_some(entry)
}

/// A place in a text; where something is not as it should be, it is of no use any more.
#[derive(Debug)]
struct Scanner<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Scanner<'a> {
    /// The next byte; at the end one that has no meaning.
    fn next(&self) -> u8 {
        self.text.as_bytes().get(self.at).copied().unwrap_or(0)
    }

    fn take(&mut self, byte: u8) -> Option<()> {
        let is_there = self.next() == byte;
        self.at += usize::from(is_there);
        is_there.then_some(())
    }

    fn skip_space(&mut self) {
        while matches!(self.next(), b' ' | b'\t' | b'\n' | b'\r') {
            self.at += 1;
        }
    }

    /// A name and its value, with the space around them.
    fn entry(
        &mut self,
        value: impl FnOnce(&mut Self) -> Option<&'a str>,
    ) -> Option<(&'a str, &'a str)> {
        self.skip_space();
        let name = self.string()?;
        self.skip_space();
        self.take(b':')?;
        self.skip_space();
        let value = value(self)?;
        self.skip_space();
        Some((name, value))
    }

    fn only_entry(&mut self) -> Option<(&'a str, &'a str)> {
        self.take(b'{')?;
        let entry = self.entry(Self::scalar)?;
        self.take(b'}')?;
        Some(entry)
    }

    /// A value as it stands.
    fn value(&mut self) -> Option<&'a str> {
        if self.next() != b'{' {
            return self.scalar();
        }
        let begin = self.at;
        self.only_entry()?;
        self.text.get(begin..self.at)
    }

    /// A value as it stands that is no map.
    fn scalar(&mut self) -> Option<&'a str> {
        let begin = self.at;
        match self.next() {
            b'"' => {
                self.string()?;
            }
            b't' => self.word("true")?,
            b'f' => self.word("false")?,
            b'n' => self.word("null")?,
            _ => self.number()?,
        }
        self.text.get(begin..self.at)
    }

    /// What stands between two quotes.
    fn string(&mut self) -> Option<&'a str> {
        self.take(b'"')?;
        let rest = self.text.get(self.at..)?;
        let is_special =
            |word| word::equal(word, b'"') | word::equal(word, b'\\') | word::less(word, b' ');
        let length = word::find(rest.as_bytes(), is_special)?;
        self.at += length;
        self.take(b'"')?;
        rest.get(..length)
    }

    fn word(&mut self, word: &str) -> Option<()> {
        let rest = self.text.get(self.at..)?;
        self.at += word.len();
        rest.starts_with(word).then_some(())
    }

    /// A number without an exponent; whoever follows it tells whether this is its end.
    fn number(&mut self) -> Option<()> {
        // None of these is needed but the digits.
        let _ = self.take(b'-');
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
