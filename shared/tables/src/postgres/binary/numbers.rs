//! Integers and `numeric`, printed as the server prints them.

/// `numeric` stores digits of base 10,000, each of which is four decimal digits.
const WIDTH: usize = 4;

// Values of the sign field (`numeric_send` in numeric.c).
const POSITIVE: u16 = 0x0000;
const NEGATIVE: u16 = 0x4000;
const NAN: u16 = 0xc000;
const INFINITY: u16 = 0xd000;
const MINUS_INFINITY: u16 = 0xf000;

pub(super) fn write_integer(out: &mut Vec<u8>, value: i64) {
    if value < 0 {
        out.push(b'-');
    }
    write_unsigned(out, value.unsigned_abs());
}

pub(super) fn write_unsigned(out: &mut Vec<u8>, value: u64) {
    write_padded(out, value, 1);
}

/// Pads to at least `width` digits, at most 20.
pub(super) fn write_padded(out: &mut Vec<u8>, mut value: u64, width: usize) {
    let mut digits = [b'0'; 20];
    let mut at = digits.len();
    while value > 0 {
        at -= 1;
        digits[at] = b'0' + (value % 10) as u8;
        value /= 10;
    }
    out.extend_from_slice(&digits[at.min(digits.len() - width)..]);
}

/// Header of two-byte fields: number of digits, weight of the first digit (its power of 10,000), sign, and number of decimal
/// digits after the point; then the digits. `None` for anything else.
pub(super) fn write_numeric(out: &mut Vec<u8>, value: &[u8]) -> Option<()> {
    let (head, digits) = value.as_chunks::<2>().0.split_at_checked(4)?;
    let [count, weight, sign, scale] = [head[0], head[1], head[2], head[3]].map(u16::from_be_bytes);
    match sign {
        POSITIVE => {}
        NEGATIVE => out.push(b'-'),
        NAN => return text(out, br#""NaN""#),
        INFINITY => return text(out, br#""Infinity""#),
        MINUS_INFINITY => return text(out, br#""-Infinity""#),
        _ => return None,
    }
    if digits.len() != usize::from(count) || !value.len().is_multiple_of(2) {
        return None;
    }
    // No server sends these; they would not be JSON numbers.
    if digits.iter().any(|digit| u16::from_be_bytes(*digit) > 9_999) {
        return None;
    }
    let weight = i32::from(weight.cast_signed());
    let digit = |place: i32| {
        let at = usize::try_from(place).ok().and_then(|place| digits.get(place));
        at.map_or(0, |digit| u64::from(u16::from_be_bytes(*digit)))
    };
    if weight > 0 && digit(0) == 0 {
        return None;
    }
    write_unsigned(out, if weight < 0 { 0 } else { digit(0) });
    for place in 1..=weight {
        write_padded(out, digit(place), WIDTH);
    }
    if scale > 0 {
        out.push(b'.');
        let end = out.len() + usize::from(scale);
        let mut place = weight + 1;
        while out.len() < end {
            write_padded(out, digit(place), WIDTH);
            place += 1;
        }
        out.truncate(end);
    }
    Some(())
}

fn text(out: &mut Vec<u8>, text: &[u8]) -> Option<()> {
    out.extend_from_slice(text);
    Some(())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn numeric(head: [u16; 4], digits: &[u16]) -> Option<String> {
        let bytes: Vec<u8> = head.iter().chain(digits).flat_map(|word| word.to_be_bytes()).collect();
        let mut out = Vec::new();
        write_numeric(&mut out, &bytes)?;
        Some(String::from_utf8(out).unwrap())
    }

    #[test]
    fn numerics_keep_every_digit() {
        let minus = |weight: i16| weight.cast_unsigned();
        for (head, digits, expected) in [
            ([0, 0, POSITIVE, 0], vec![], "0"),
            ([0, 0, POSITIVE, 2], vec![], "0.00"),
            ([2, 1, NEGATIVE, 0], vec![1, 23], "-10023"),
            ([2, 0, POSITIVE, 3], vec![7, 1_020], "7.102"),
            ([1, minus(-1), POSITIVE, 4], vec![5], "0.0005"),
            ([1, minus(-2), NEGATIVE, 6], vec![1_200], "-0.000012"),
            ([1, 3, POSITIVE, 1], vec![12], "12000000000000.0"),
            ([0, 0, NAN, 0], vec![], "\"NaN\""),
            ([0, 0, MINUS_INFINITY, 0], vec![], "\"-Infinity\""),
        ] {
            assert_eq!(numeric(head, &digits).unwrap(), expected);
        }
        assert_eq!(numeric([2, 0, POSITIVE, 0], &[1]), None);
        assert_eq!(numeric([0, 0, 1, 0], &[]), None);
        // Found by fuzzing: leading zeros, and digits of another base.
        assert_eq!(numeric([2, 1, POSITIVE, 0], &[0, 128]), None);
        assert_eq!(numeric([0, 1, POSITIVE, 0], &[]), None);
        assert_eq!(numeric([1, 0, POSITIVE, 0], &[10_000]), None);
    }

    #[test]
    fn integers_have_no_leading_zeros() {
        for value in [0, 7, -7, 10, i64::MAX, i64::MIN] {
            let mut out = Vec::new();
            write_integer(&mut out, value);
            assert_eq!(String::from_utf8(out).unwrap(), value.to_string());
        }
    }
}
