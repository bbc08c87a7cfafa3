//! The part of a secret that lists can show: enough to tell two keys apart, too little to be useful.
//!
//! Computed once, when a secret is written, so that listing never decrypts.

/// Prefixes of well-known providers' keys. The longest match wins.
const PREFIXES: &[&str] = &[
    // Model providers and routers.
    "sk-",
    "sk-ant-",
    "sk-or-",
    "sk-proj-",
    "sk-svcacct-",
    "sk-admin-",
    "AIza",
    "gsk_",
    "hf_",
    "r8_",
    "pplx-",
    "xai-",
    "nvapi-",
    "tgp_v1_",
    "jina_",
    // Code hosts and registries.
    "ghp_",
    "gho_",
    "ghu_",
    "ghs_",
    "ghr_",
    "github_pat_",
    "glpat-",
    "npm_",
    "pypi-",
    "dckr_pat_",
    // Clouds.
    "AKIA",
    "ASIA",
    "ya29.",
    "GOCSPX-",
    "dop_v1_",
    // Messaging, payment and the rest.
    "xoxb-",
    "xoxp-",
    "xoxa-",
    "xapp-",
    "whsec_",
    "sk_live_",
    "sk_test_",
    "rk_live_",
    "rk_test_",
    "pk_live_",
    "pk_test_",
    "SG.",
    "lin_api_",
    "ntn_",
    "hvs.",
    "srt_",
];

/// Shorter secrets have no preview: three characters would be too large a part.
const MIN_CHARS: usize = 20;

/// A preview such as `sk-...123` or `...123`: known prefix, three dots, the last three characters.
///
/// Empty if the secret is short (below 20 characters), not UTF-8, multi-line, JSON or PEM. One trailing line
/// break is ignored. The last three characters are omitted unless they are visible ASCII. The preview's
/// length reveals nothing about the secret's.
#[must_use]
pub fn preview(secret: &[u8]) -> String {
    let Ok(text) = std::str::from_utf8(secret) else {
        return String::new();
    };
    let text = strip_line_ending(text);
    if text.chars().count() < MIN_CHARS || is_document(text) {
        return String::new();
    }
    let prefix = known_prefix(text);
    match (prefix, last_three(text)) {
        (prefix, Some(last)) => format!("{prefix}...{last}"),
        ("", None) => String::new(),
        (prefix, None) => format!("{prefix}..."),
    }
}

fn strip_line_ending(text: &str) -> &str {
    let text = text.strip_suffix('\n').unwrap_or(text);
    text.strip_suffix('\r').unwrap_or(text)
}

/// Whether the text is more than a key: its last characters would be a bracket, or part of something else.
fn is_document(text: &str) -> bool {
    let start = text.trim_start();
    text.contains(char::is_control) || start.starts_with(['{', '[', '"']) || start.starts_with("-----")
}

fn known_prefix(text: &str) -> &'static str {
    let mut longest = "";
    for prefix in PREFIXES {
        if text.starts_with(prefix) && prefix.len() > longest.len() {
            longest = prefix;
        }
    }
    longest
}

fn last_three(text: &str) -> Option<&str> {
    let start = text.len().checked_sub(3)?;
    let last = text.get(start..)?;
    last.bytes().all(|byte| byte.is_ascii_graphic()).then_some(last)
}

#[cfg(test)]
mod tests {
    use super::preview;

    #[test]
    fn previews() {
        let table: &[(&[u8], &str)] = &[
            // Known prefixes; the longest wins; each is followed by made-up characters.
            (b"sk-0000000000000000000123", "sk-...123"),
            (b"sk-ant-00000000000000000xyz", "sk-ant-...xyz"),
            (b"sk-ant-api03-0000000000000xyz", "sk-ant-...xyz"),
            (b"sk-proj-0000000000000_-A", "sk-proj-..._-A"),
            (b"sk-or-00000000000000000abc", "sk-or-...abc"),
            (b"ghp_00000000000000000abc", "ghp_...abc"),
            (b"AIza00000000000000000abc", "AIza...abc"),
            (b"xoxb-0000000000000000abc", "xoxb-...abc"),
            (b"AKIA0000000000000ABC", "AKIA...ABC"),
            (b"gsk_0000000000000000abc", "gsk_...abc"),
            (b"hf_00000000000000000abc", "hf_...abc"),
            (b"r8_00000000000000000abc", "r8_...abc"),
            (b"pplx-000000000000000abc", "pplx-...abc"),
            (b"glpat-00000000000000abc", "glpat-...abc"),
            (b"whsec_00000000000000abc", "whsec_...abc"),
            (b"sk_live_000000000000abc", "sk_live_...abc"),
            // No known prefix. Case and position matter.
            (b"00000000000000000abc", "...abc"),
            (b"SK-00000000000000000abc", "...abc"),
            (b" sk-0000000000000000abc", "...abc"),
            (b"Bearer 0000000000000000", "...000"),
            // Length is not shown.
            (&[b'0'; 20], "...000"),
            (&[b'0'; 60_000], "...000"),
            // 19 characters; and 20 bytes that are fewer characters.
            (b"sk-0000000000000123", ""),
            ("00000000000000000é0".as_bytes(), ""),
            (b"", ""),
            // The last three are not all visible ASCII.
            (b"sk-000000000000000000 12", "sk-..."),
            ("sk-00000000000000000é12".as_bytes(), "sk-..."),
            ("000000000000000000000é".as_bytes(), ""),
            ("00000000000000000000é1".as_bytes(), ""),
            // One line ending belongs to the file, not to the secret.
            (b"sk-0000000000000000000123\n", "sk-...123"),
            (b"sk-0000000000000000000123\r\n", "sk-...123"),
            (b"sk-0000000000000000123\n\n", ""),
            // Documents and bytes.
            (b"sk-00000000000000000\nsk-00000000000000000", ""),
            (b"{\"type\":\"service_account\",\"id\":123}", ""),
            (b"  [\"0000000000000000000\"]abc", ""),
            (b"-----BEGIN PRIVATE KEY-----MIIabc", ""),
            (b"sk-000000000000000000\x00123", ""),
            (b"sk-00000000000000000\xff123", ""),
        ];
        for (secret, expected) in table {
            let name = String::from_utf8_lossy(&secret[..secret.len().min(60)]);
            assert_eq!(preview(secret), *expected, "{name}");
        }
    }
}
