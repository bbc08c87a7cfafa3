//! Letters and digits only: a double click selects all of them, and no shell, URL or file name changes them.

use zeroize::Zeroize;

use crate::random;

const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// The largest multiple of 62 that fits in a byte. Bytes from here on are drawn again; otherwise some
/// characters would be more frequent than others.
const UNIFORM_BELOW: u8 = 248;

/// Whether every character of `text` is an ASCII letter or digit.
pub(crate) fn is_base62(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

/// Appends `count` random characters, of 5.95 bits each.
pub(crate) fn push_random(text: &mut String, count: usize) {
    let mut drawn = [0; 32];
    let mut missing = count;
    while missing > 0 {
        random::fill(&mut drawn);
        for &byte in drawn.iter().filter(|byte| **byte < UNIFORM_BELOW).take(missing) {
            text.push(digit(u64::from(byte)));
            missing -= 1;
        }
    }
    drawn.zeroize();
}

/// `number` in six characters, most significant first: 62^6 is more than 2^32.
pub(crate) fn encode_u32(number: u32) -> String {
    let mut rest = u64::from(number);
    let mut digits = ['0'; 6];
    for place in digits.iter_mut().rev() {
        *place = digit(rest);
        rest /= 62;
    }
    digits.iter().collect()
}

fn digit(number: u64) -> char {
    char::from(ALPHABET[(number % 62) as usize])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers() {
        assert_eq!(encode_u32(0), "000000");
        assert_eq!(encode_u32(61), "00000z");
        assert_eq!(encode_u32(62), "000010");
        assert_eq!(encode_u32(u32::MAX), "4gfFC3");
    }

    /// 620,000 draws: each character is expected 10,000 times, with a standard deviation of about 99. Taking
    /// bytes modulo 62 without drawing again would give eight of them 12,100.
    #[test]
    fn characters_are_uniform() {
        let mut text = String::new();
        push_random(&mut text, 620_000);
        assert_eq!(text.len(), 620_000);
        for character in ALPHABET {
            let count = text.bytes().filter(|byte| byte == character).count();
            assert!((9_000..11_000).contains(&count), "{character}: {count}");
        }
    }
}
