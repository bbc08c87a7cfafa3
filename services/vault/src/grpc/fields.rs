//! Parsing request fields: values returned here are valid. Each refusal names its field.

use strongroom_api::limits::RING_BYTES;

use crate::access::{Role, Service};
use crate::error::{Error, Result};
use crate::keys::check_key_name;
use crate::store::Labels;

#[cfg(test)]
mod fuzz;
mod list;

pub(crate) use list::selectors;
pub(super) use list::{each, kids, names};

const MAX_TEXT: usize = 200;
const MAX_LABELS: usize = 64;
const MAX_EVENT: usize = 100;
/// Longest target that the vault writes: `kind/consumer`.
const MAX_TARGET: usize = 300;
const MAX_SECRET: usize = 64 * 1024;

fn refuse<T>(field: &'static str, problem: impl Into<String>) -> Result<T> {
    Err(Error::Field { field, problem: problem.into() })
}

/// Free text: 1 to 200 characters, no control characters.
pub(super) fn text(field: &'static str, value: &str) -> Result<String> {
    let length = value.chars().count();
    if value.trim().is_empty() {
        return refuse(field, "must not be empty");
    }
    if length > MAX_TEXT {
        return refuse(field, format!("has {length} characters; at most {MAX_TEXT} are allowed"));
    }
    if value.chars().any(char::is_control) {
        return refuse(field, "must not contain control characters");
    }
    Ok(value.to_owned())
}

/// An id that this service made: 1 to 64 letters, digits and hyphens.
pub(super) fn id(field: &'static str, value: &str) -> Result<String> {
    let plain = value.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    if value.is_empty() || value.len() > 64 || !plain {
        return refuse(field, "must be an id in this service's form");
    }
    Ok(value.to_owned())
}

/// A document that is possibly an archive's key ring: limited to the length of one.
pub(super) fn ring(field: &'static str, value: &[u8]) -> Result<()> {
    match value.len() {
        0 => refuse(field, "must be an archive's keys/ring.json"),
        1..=RING_BYTES => Ok(()),
        _ => refuse(field, "is longer than any key ring, which has at most 3 MiB"),
    }
}

/// `^[a-z0-9][a-z0-9._-]{0,62}$`.
pub(super) fn provider(field: &'static str, value: &str) -> Result<String> {
    let first = value.bytes().next().is_some_and(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    if first && value.len() <= 63 && value.bytes().all(is_name_byte) {
        return Ok(value.to_owned());
    }
    refuse(field, "must be 1 to 63 of a-z, 0-9, '.', '_', '-', beginning with a letter or digit")
}

fn is_name_byte(byte: u8) -> bool {
    matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'_' | b'-')
}

/// `^[a-z][a-z0-9_]{0,62}$`.
pub(super) fn kind(field: &'static str, value: &str) -> Result<String> {
    let first = value.bytes().next().is_some_and(|byte| byte.is_ascii_lowercase());
    let rest = value.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_'));
    if first && rest && value.len() <= 63 {
        return Ok(value.to_owned());
    }
    refuse(field, "must be 1 to 63 of a-z, 0-9, '_', beginning with a letter")
}

/// At most 64 labels, with valid label keys and values up to 200 characters.
pub(super) fn labels(
    field: &'static str,
    given: impl IntoIterator<Item = (String, String)>,
) -> Result<Labels> {
    let labels: Labels = given.into_iter().collect();
    if labels.len() > MAX_LABELS {
        return refuse(field, format!("has {} labels; at most {MAX_LABELS} are allowed", labels.len()));
    }
    for (name, value) in &labels {
        let edges = [name.bytes().next(), name.bytes().last()];
        let edged = edges
            .iter()
            .all(|byte| byte.is_some_and(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit()));
        if !edged || name.len() > 63 || !name.bytes().all(|byte| is_name_byte(byte) || byte == b'/') {
            return refuse(
                field,
                "a key must be 1 to 63 of a-z, 0-9, '.', '_', '/', '-', with a letter or digit at both ends",
            );
        }
        if value.chars().count() > MAX_TEXT || value.chars().any(char::is_control) {
            return refuse(
                field,
                format!("a value must have at most {MAX_TEXT} characters, none of them control characters"),
            );
        }
    }
    Ok(labels)
}

/// 1 to 65,536 bytes.
pub(super) fn secret(field: &'static str, value: &[u8]) -> Result<()> {
    if value.is_empty() {
        return refuse(field, "must not be empty");
    }
    if value.len() > MAX_SECRET {
        return refuse(field, format!("has {} bytes; at most {MAX_SECRET} are allowed", value.len()));
    }
    Ok(())
}

/// The revision in an etag; `None` if there is no etag.
pub(super) fn etag(field: &'static str, value: &str) -> Result<Option<i64>> {
    if value.is_empty() {
        return Ok(None);
    }
    let digits = value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    match digits.and_then(|digits| digits.parse().ok()) {
        Some(revision) => Ok(Some(revision)),
        None => refuse(field, "must be an etag from an answer, its quotes included"),
    }
}

/// A UUID, in lower case with hyphens; `None` if there is none.
pub(super) fn request_id(field: &'static str, value: &str) -> Result<Option<String>> {
    if value.is_empty() {
        return Ok(None);
    }
    match uuid::Uuid::parse_str(value) {
        Ok(id) => Ok(Some(id.hyphenated().to_string())),
        Err(_) => refuse(field, "must be a UUID"),
    }
}

/// A time after `now`, in microseconds.
pub(super) fn future(field: &'static str, time: Option<i64>, now: i64) -> Result<Option<i64>> {
    match time {
        Some(time) if time <= now => refuse(field, "must be in the future"),
        time => Ok(time),
    }
}

/// A time that is not after `now`, in microseconds; `now` if none is given.
pub(super) fn past(field: &'static str, time: Option<i64>, now: i64) -> Result<i64> {
    match time {
        Some(time) if time > now => refuse(field, "must not be in the future"),
        time => Ok(time.unwrap_or(now)),
    }
}

/// Applies `parse` to a value that can be left empty.
pub(super) fn optional(value: &str, parse: impl FnOnce(&str) -> Result<String>) -> Result<String> {
    if value.is_empty() { Ok(String::new()) } else { parse(value) }
}

/// At most 200 characters, none of them control characters; empty allowed.
pub(super) fn filter(field: &'static str, value: &str) -> Result<String> {
    plain(field, value, MAX_TEXT)
}

/// The target of an event: at most 300 characters, none of them control characters; empty allowed.
pub(super) fn target(field: &'static str, value: &str) -> Result<String> {
    plain(field, value, MAX_TARGET)
}

fn plain(field: &'static str, value: &str, max: usize) -> Result<String> {
    if value.chars().count() > max || value.chars().any(char::is_control) {
        return refuse(field, format!("must have at most {max} characters, none of them control characters"));
    }
    Ok(value.to_owned())
}

/// An event, or a prefix of one with a trailing star: at most 100 of a-z, 0-9, '.', '_'; empty allowed.
pub(super) fn event_filter(field: &'static str, value: &str) -> Result<String> {
    let name = value.strip_suffix('*').unwrap_or(value);
    let named = name.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'_'));
    if named && name.len() <= MAX_EVENT {
        return Ok(value.to_owned());
    }
    refuse(field, "must be an event as the log names it, or the beginning of one with a trailing star")
}

/// A W3C trace id: 32 lower-case hex digits; empty allowed.
pub(super) fn trace_id(field: &'static str, value: &str) -> Result<String> {
    if value.is_empty() || strongroom_crypto::is_lower_hex(value, 32) {
        return Ok(value.to_owned());
    }
    refuse(field, "must be a W3C trace id: 32 digits of 0-9, a-f")
}

/// A key version's id: 16 lower-case hex digits.
pub(super) fn kid(field: &'static str, value: &str) -> Result<String> {
    if strongroom_crypto::is_lower_hex(value, 16) {
        return Ok(value.to_owned());
    }
    refuse(field, "must be a kid: 16 digits of 0-9, a-f")
}

/// `^[a-z]([a-z0-9-]{0,61}[a-z0-9])?$`.
pub(super) fn key_id(field: &'static str, value: &str) -> Result<String> {
    check_key_name(field, value)?;
    Ok(value.to_owned())
}

/// Introspection hash of the token that a service was called with; `None` if there is none.
pub(super) fn introspect_hash<'a>(field: &'static str, value: &'a [u8]) -> Result<Option<&'a [u8]>> {
    match value.len() {
        0 => Ok(None),
        32 => Ok(Some(value)),
        _ => refuse(field, "must be a SHA-256: 32 bytes"),
    }
}

/// The name of a role.
pub(super) fn role(field: &'static str, value: &str) -> Result<Role> {
    let names = || Role::ALL.map(Role::as_str).join(", ");
    Role::from_text(value).map_or_else(|| refuse(field, format!("must be one of {}", names())), Ok)
}

/// The name of a service that accepts tokens; `None` if it is empty.
pub(super) fn service(field: &'static str, value: &str) -> Result<Option<Service>> {
    match Service::from_text(value) {
        None if !value.is_empty() => {
            refuse(field, format!("must be one of {}", Service::ALL.map(Service::as_str).join(", ")))
        }
        service => Ok(service),
    }
}

/// `table.column`.
pub(super) fn column(field: &'static str, value: &str) -> Result<String> {
    let value = text(field, value)?;
    match value.split_once('.') {
        Some((table, column)) if !table.is_empty() && !column.is_empty() => Ok(value),
        _ => refuse(field, "must be a column as table.column"),
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn names_and_kinds() {
        for good in ["openai", "azure-openai", "a", "3scale.io", &"p".repeat(63)] {
            assert!(provider("provider", good).is_ok(), "{good}");
        }
        for bad in ["", "OpenAI", "-x", "a b", "é", &"p".repeat(64)] {
            assert!(provider("provider", bad).is_err(), "{bad}");
        }
        assert!(kind("kind", "wrapper_provider_setting").is_ok());
        assert!(kind("kind", "9lives").is_err() && kind("kind", "a-b").is_err());
    }

    #[test]
    fn text_labels_and_secrets_have_their_limits() {
        assert!(text("name", &"é".repeat(200)).is_ok() && text("name", &"é".repeat(201)).is_err());
        assert!(text("name", " ").is_err() && text("name", "a\nb").is_err());
        let label = |name: &str, value: &str| labels("labels", [(name.to_owned(), value.to_owned())]);
        assert!(label("team/a.b_c-d", "").is_ok());
        assert!(label("Team", "x").is_err() && label("team-", "x").is_err() && label("", "x").is_err());
        assert!(label("team", &"x".repeat(201)).is_err());
        assert!(secret("secret", &[0; 65_536]).is_ok());
        assert!(secret("secret", &[0; 65_537]).is_err() && secret("secret", &[]).is_err());
    }

    #[test]
    fn etags_come_quoted() {
        assert_eq!(etag("etag", "\"7\"").unwrap(), Some(7));
        assert_eq!(etag("etag", "").unwrap(), None);
        assert!(etag("etag", "7").is_err() && etag("etag", "\"x\"").is_err());
    }
}
