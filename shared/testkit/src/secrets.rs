//! The encodings in which a secret may appear, for tests that search files and logs for it.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};

/// Every form of `secret` to search for: plain, JSON-escaped, percent-encoded, hex in both cases, and base64
/// (standard and URL alphabet) at each of the three offsets at which it can begin inside longer encoded data,
/// without the characters at both ends that also depend on neighbouring bytes.
///
/// The secret should be random and at least 16 bytes long: shorter forms are found by chance.
#[must_use]
pub fn encodings(secret: &[u8]) -> Vec<Vec<u8>> {
    let mut forms = vec![secret.to_vec()];
    forms.push(hex::encode(secret).into_bytes());
    forms.push(hex::encode_upper(secret).into_bytes());
    forms.push(percent_encoded(secret).into_bytes());
    if let Ok(text) = std::str::from_utf8(secret) {
        let quoted = serde_json::to_string(text).unwrap();
        forms.push(quoted.as_bytes()[1..quoted.len() - 1].to_vec());
    }
    for offset in 0..3 {
        forms.push(base64_inside(secret, offset, &STANDARD));
        forms.push(base64_inside(secret, offset, &URL_SAFE));
    }
    forms.sort();
    forms.dedup();
    forms
}

/// The first form of `secret` found in `haystack`, as text, or `None`.
#[must_use]
pub fn find(haystack: &[u8], secret: &[u8]) -> Option<String> {
    encodings(secret)
        .into_iter()
        .find(|form| contains(haystack, form))
        .map(|form| String::from_utf8_lossy(&form).into_owned())
}

/// Base64 of `secret` after `offset` other bytes, cut to the characters that depend only on the secret.
fn base64_inside(secret: &[u8], offset: usize, alphabet: &impl Engine) -> Vec<u8> {
    let mut data = vec![0; offset];
    data.extend_from_slice(secret);
    let encoded = alphabet.encode(&data).into_bytes();
    let first = (offset * 8).div_ceil(6);
    let end = data.len() * 8 / 6;
    encoded[first..end].to_vec()
}

fn percent_encoded(secret: &[u8]) -> String {
    let mut out = String::new();
    for byte in secret {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                out.push(char::from(*byte));
            }
            other => out.push_str(&format!("%{other:02X}")),
        }
    }
    out
}

/// Plain search with the first byte as a filter: haystacks have megabytes, needles are short.
fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    let Some((first, rest)) = needle.split_first() else { return true };
    let mut from = haystack;
    while let Some(at) = from.iter().position(|byte| byte == first) {
        from = &from[at + 1..];
        if from.starts_with(rest) {
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &[u8] = "sk-\"test\"/+é 0123456789".as_bytes();

    #[test]
    fn a_secret_is_found_in_whatever_surrounds_it() {
        for pad in 0..4 {
            let mut data = vec![b'x'; pad];
            data.extend_from_slice(SECRET);
            data.extend_from_slice(b"tail");
            for encoded in [
                STANDARD.encode(&data),
                URL_SAFE.encode(&data),
                hex::encode(&data),
                hex::encode_upper(&data),
                serde_json::json!({ "k": String::from_utf8(data.clone()).unwrap() }).to_string(),
                percent_encoded(&data),
            ] {
                assert!(find(encoded.as_bytes(), SECRET).is_some(), "{encoded}");
            }
        }
        assert_eq!(find(b"sk-...789 and other words", SECRET), None);
    }
}
