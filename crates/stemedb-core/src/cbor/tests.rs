use super::*;

fn encoded(write: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut out = Vec::new();
    write(&mut out);
    out
}

/// The value of a half, by the definition in RFC 8949 appendix D.
fn half_to_double(half: u16) -> f64 {
    let exponent = i32::from(half >> 10) & 0x1f;
    let fraction = f64::from(half & 0x3ff);
    let magnitude = match exponent {
        0 => fraction * 2f64.powi(-24),
        31 if fraction == 0.0 => f64::INFINITY,
        31 => f64::NAN,
        _ => (fraction + 1024.0) * 2f64.powi(exponent - 25),
    };
    if half & 0x8000 == 0 {
        magnitude
    } else {
        -magnitude
    }
}

#[test]
fn every_half_is_written_as_itself() {
    let mut finite = 0;
    for half in 0..=u16::MAX {
        let value = half_to_double(half);
        if !value.is_finite() || half == 0x8000 {
            continue;
        }
        finite += 1;
        let [high, low] = half.to_be_bytes();
        assert_eq!(
            encoded(|out| float(out, value)),
            [HALF, high, low],
            "{half:#06x} = {value}"
        );
    }
    assert_eq!(finite, 65_536 - 2 * 1024 - 1);
}

#[test]
fn between_two_halves_no_half_is_written() {
    for half in 0..0x7bff_u16 {
        let between = f64::midpoint(half_to_double(half), half_to_double(half + 1));
        let bytes = encoded(|out| float(out, between));
        assert_eq!(bytes[0], SINGLE, "{between}");
        assert_eq!(encoded(|out| float(out, -between))[0], SINGLE, "{between}");
    }
}

#[test]
fn every_single_that_is_no_half_is_written_as_itself() {
    // A stride that is prime to 2^32 reaches all exponents and many fractions; the edges come on top.
    let strided = (0..1 << 21).map(|step: u32| step.wrapping_mul(0x9e37_79b1));
    let edges = (0..=0xff_u32).flat_map(|exponent| {
        [0, 1, 0x1000, 0x2000, 0x40_0000, 0x7f_ffff].map(|fraction| exponent << 23 | fraction)
    });
    for bits in strided.chain(edges) {
        let single = f32::from_bits(bits);
        if !single.is_finite() || bits == 0x8000_0000 {
            continue;
        }
        let bytes = encoded(|out| float(out, f64::from(single)));
        match bytes[0] {
            HALF => {
                let half = u16::from_be_bytes([bytes[1], bytes[2]]);
                assert_eq!(half_to_double(half).to_bits(), f64::from(single).to_bits());
            }
            SINGLE => assert_eq!(bytes[1..], bits.to_be_bytes()),
            other => panic!("{single} begins with {other:#x}"),
        }
    }
}

#[test]
fn doubles_beyond_a_single_are_written_whole() {
    let largest = f64::from(f32::MAX);
    let smallest = f64::from(f32::from_bits(1));
    for value in [
        0.1,
        1e300,
        -1e-300,
        largest.next_up(),
        smallest / 2.0,
        smallest * 1.5,
        5e-324,
    ] {
        let bytes = encoded(|out| float(out, value));
        assert_eq!(
            (bytes[0], &bytes[1..]),
            (DOUBLE, &value.to_be_bytes()[..]),
            "{value}"
        );
    }
}

#[test]
fn heads_are_the_shortest() {
    // RFC 8949 appendix A.
    let cases: [(u64, &[u8]); 10] = [
        (0, &[0x00]),
        (23, &[0x17]),
        (24, &[0x18, 24]),
        (0xff, &[0x18, 0xff]),
        (0x100, &[0x19, 1, 0]),
        (0xffff, &[0x19, 0xff, 0xff]),
        (0x1_0000, &[0x1a, 0, 1, 0, 0]),
        (0xffff_ffff, &[0x1a, 0xff, 0xff, 0xff, 0xff]),
        (0x1_0000_0000, &[0x1b, 0, 0, 0, 1, 0, 0, 0, 0]),
        (
            u64::MAX,
            &[0x1b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
        ),
    ];
    for (value, expected) in cases {
        assert_eq!(encoded(|out| unsigned(out, value)), expected, "{value}");
    }
    assert_eq!(encoded(|out| text(out, "IETF")), *b"\x64IETF");
    assert_eq!(encoded(|out| bytes(out, &[1, 2])), [0x42, 1, 2]);
    assert_eq!(encoded(|out| map(out, 2)), [0xa2]);
    assert_eq!(
        encoded(|out| [true, false].into_iter().for_each(|it| boolean(out, it))),
        [0xf5, 0xf4]
    );
}
