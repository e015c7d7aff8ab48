//! How values look to people.

use std::borrow::Cow;

use stemedb::{Object, RecordId};

#[cfg(test)]
mod tests;

/// Digits of an id that people are shown; enough to tell the records of a page apart.
const SHORT_ID_DIGITS: usize = 12;

/// `text` with everything escaped that would steer a terminal: control characters of all kinds and
/// those that change the direction of what follows.
pub(crate) fn printable(text: &str) -> Cow<'_, str> {
    if !text.contains(steers_terminal) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        if steers_terminal(character) {
            shown.extend(character.escape_default());
        } else {
            shown.push(character);
        }
    }
    Cow::Owned(shown)
}

fn steers_terminal(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

/// [`printable`], cut to `max` characters.
pub(crate) fn shortened(text: &str, max: usize) -> String {
    let shown = printable(text);
    if shown.chars().nth(max).is_none() {
        return shown.into_owned();
    }
    let kept = shown.chars().take(max.saturating_sub(3));
    kept.chain("...".chars()).collect()
}

/// What an assertion states: text in quotes, references behind an arrow.
pub(crate) fn object(object: &Object) -> String {
    match object {
        Object::Text(text) => format!("\"{}\"", printable(text)),
        Object::Number(number) => number.to_string(),
        Object::Boolean(boolean) => boolean.to_string(),
        Object::Reference(reference) => format!("-> {}", printable(reference.as_str())),
    }
}

/// The first digits of `id`.
pub(crate) fn short_id(id: RecordId) -> String {
    format!("{id:.SHORT_ID_DIGITS$}")
}

/// `number` with its thousands set apart.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut shown = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            shown.push(',');
        }
        shown.push(digit);
    }
    shown
}

/// `count` things, in the number that fits.
pub(crate) fn counted(count: u64, one: &str, many: &str) -> String {
    let noun = if count == 1 { one } else { many };
    format!("{} {noun}", grouped(count))
}

/// `ms` since the Unix epoch as RFC 3339 in UTC with milliseconds.
pub(crate) fn time(ms: u64) -> String {
    let time = i64::try_from(ms)
        .ok()
        .and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok());
    match time {
        Some(time) => format!("{time:.3}"),
        // Beyond the year 9999 there is no RFC 3339.
        None => format!("{ms} ms after 1970"),
    }
}

/// `part` per second over `elapsed_ms`.
pub(crate) fn rate(part: u64, elapsed_ms: u64) -> u64 {
    part.saturating_mul(1000) / elapsed_ms.max(1)
}

/// `bytes` as lower-case hex digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    let mut digits = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        let pair = [byte >> 4, byte & 15].map(u32::from);
        digits.extend(
            pair.into_iter()
                .filter_map(|digit| char::from_digit(digit, 16)),
        );
    }
    digits
}
