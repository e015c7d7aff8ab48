//! Numbers as hexadecimal digits, without an allocation.

/// The digits of a number, in lower case.
pub(crate) fn hex(number: u64) -> [u8; 16] {
    let mut digits = [b'0'; 16];
    let mut rest = number;
    for digit in digits.iter_mut().rev() {
        let value = u8::try_from(rest & 0xf).unwrap_or(0);
        *digit = if value < 10 { b'0' } else { b'a' - 10 } + value;
        rest >>= 4;
    }
    digits
}

#[cfg(test)]
mod tests {
    use super::hex;

    #[test]
    fn digits_are_those_of_the_standard_library() {
        for number in [0, 1, 9, 10, 15, 16, 0xdead_beef, u64::MAX, u64::MAX >> 1] {
            let expected = format!("{number:016x}");
            assert_eq!(hex(number), expected.as_bytes());
        }
    }
}
