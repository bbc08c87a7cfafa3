//! Names of objects. They come from the catalogue and from listings, and must never lead outside their folder or
//! prefix.

use super::Problem;

/// A file name can have 255 bytes on most systems; the name of an unfinished upload adds its id.
const LONGEST: usize = 200;

/// Refuses everything except a plain file name.
pub(super) fn check(key: &str) -> Result<(), Problem> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    if !key.is_empty() && key.len() <= LONGEST && !key.starts_with('.') && key.bytes().all(plain) {
        return Ok(());
    }
    Err(Problem::BadKey)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_a_plain_file_name() {
        for key in ["app-2026-11-29T01.02.03Z-0190.zip.age", "a", "A_b-1.zip.age.json"] {
            assert!(check(key).is_ok(), "{key}");
        }
        for key in
            ["", ".", "..", ".hidden", "/etc/passwd", "a/b", "../a", "a\\b", "a\nb", "a\0", "ä", "a%2fb"]
        {
            assert!(check(key).is_err(), "{key:?}");
        }
        assert!(check(&"a".repeat(LONGEST)).is_ok() && check(&"a".repeat(LONGEST + 1)).is_err());
    }
}
