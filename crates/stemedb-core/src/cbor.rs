//! RFC 8949 core deterministic encoding, as far as records need it.
//!
//! Pure: values in, bytes at the end of a buffer out.
//! Heads are the shortest, floats the shortest that keep the value; the order of map keys is the caller's.

#[cfg(test)]
mod tests;

const UNSIGNED: u8 = 0;
const BYTES: u8 = 2;
const TEXT: u8 = 3;
const MAP: u8 = 5;
const FALSE: u8 = 0xf4;
const TRUE: u8 = 0xf5;
const HALF: u8 = 0xf9;
const SINGLE: u8 = 0xfa;
const DOUBLE: u8 = 0xfb;

// How many bytes of argument follow a head that does not hold it itself.
const ONE_BYTE: u8 = 0x18;
const TWO_BYTES: u8 = 0x19;
const FOUR_BYTES: u8 = 0x1a;
const EIGHT_BYTES: u8 = 0x1b;

/// The bits of a double's fraction.
const FRACTION_BITS: u32 = f64::MANTISSA_DIGITS - 1;

pub(crate) fn unsigned(out: &mut Vec<u8>, value: u64) {
    head(out, UNSIGNED, value);
}

pub(crate) fn bytes(out: &mut Vec<u8>, value: &[u8]) {
    head(out, BYTES, value.len() as u64);
    out.extend_from_slice(value);
}

pub(crate) fn text(out: &mut Vec<u8>, value: &str) {
    head(out, TEXT, value.len() as u64);
    out.extend_from_slice(value.as_bytes());
}

pub(crate) fn boolean(out: &mut Vec<u8>, value: bool) {
    out.push(if value { TRUE } else { FALSE });
}

/// Begins a map of `entries` pairs, which the caller writes in the order of their encoded keys.
pub(crate) fn map(out: &mut Vec<u8>, entries: u64) {
    head(out, MAP, entries);
}

/// Writes a finite double that is not -0.0.
pub(crate) fn float(out: &mut Vec<u8>, value: f64) {
    debug_assert!(value.is_finite(), "numbers of a record are finite");
    debug_assert!(
        value != 0.0 || value.is_sign_positive(),
        "numbers of a record are not -0.0"
    );
    if let Some(half) = narrow(value, 5, 10) {
        out.push(HALF);
        out.extend_from_slice(&half.to_be_bytes()[6..]);
    } else if let Some(single) = narrow(value, 8, 23) {
        out.push(SINGLE);
        out.extend_from_slice(&single.to_be_bytes()[4..]);
    } else {
        out.push(DOUBLE);
        out.extend_from_slice(&value.to_be_bytes());
    }
}

/// A major type with its argument in the fewest bytes.
#[inline]
fn head(out: &mut Vec<u8>, major: u8, argument: u64) {
    let major = major << 5;
    let bytes = argument.to_be_bytes();
    match argument {
        0..=23 => out.push(major | bytes[7]),
        24..=0xff => out.extend_from_slice(&[major | ONE_BYTE, bytes[7]]),
        0x100..=0xffff => {
            out.push(major | TWO_BYTES);
            out.extend_from_slice(&bytes[6..]);
        }
        0x1_0000..=0xffff_ffff => {
            out.push(major | FOUR_BYTES);
            out.extend_from_slice(&bytes[4..]);
        }
        _ => {
            out.push(major | EIGHT_BYTES);
            out.extend_from_slice(&bytes);
        }
    }
}

/// The bits of `value` as an IEEE 754 float with so many bits of exponent and fraction, if that keeps it.
fn narrow(value: f64, exponent_bits: u32, fraction_bits: u32) -> Option<u64> {
    let bits = value.to_bits();
    let sign = (bits >> 63) << (exponent_bits + fraction_bits);
    let fraction = bits & ((1 << FRACTION_BITS) - 1);
    let biased = (bits >> FRACTION_BITS) & 0x7ff;
    if biased == 0 {
        // Zero stays zero; a subnormal double is smaller than anything that a single holds.
        return (fraction == 0).then_some(sign);
    }
    // Counted so that 1 is the smallest normal number of the narrow form and what is below is subnormal.
    let bias = (1 << (exponent_bits - 1)) - 1;
    let exponent = biased.cast_signed() - 0x3ff + bias;
    if exponent > 2 * bias {
        return None;
    }
    let dropped = FRACTION_BITS - fraction_bits;
    let (significand, dropped) = match u32::try_from(1 - exponent) {
        Ok(deeper @ 1..) => ((1 << FRACTION_BITS) | fraction, dropped + deeper),
        _ => (
            (exponent.cast_unsigned() << FRACTION_BITS) | fraction,
            dropped,
        ),
    };
    // The significand is not zero, so this also bounds the shift.
    (significand.trailing_zeros() >= dropped).then(|| sign | (significand >> dropped))
}
