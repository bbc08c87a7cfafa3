//! The trace id of a call, from the W3C `traceparent` header (w3.org/TR/trace-context).

use http::HeaderMap;

/// The 32 hex digits of the trace id; empty when the header is missing or malformed.
#[must_use]
pub fn trace_id(headers: &HeaderMap) -> String {
    let header = headers.get("traceparent").and_then(|value| value.to_str().ok());
    header.and_then(parse).unwrap_or_default().to_owned()
}

fn parse(header: &str) -> Option<&str> {
    let mut parts = header.split('-');
    let version = parts.next()?;
    let id = parts.next()?;
    let valid = version.len() == 2
        && version != "ff"
        && id.len() == 32
        && id.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
        && id.bytes().any(|byte| byte != b'0');
    valid.then_some(id)
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn only_whole_trace_ids_are_taken() {
        let id = "4bf92f3577b34da6a3ce929d0e0e4736";
        assert_eq!(parse(&format!("00-{id}-00f067aa0ba902b7-01")), Some(id));
        for header in ["", "00", "00-xyz-1-1", "ff-4bf92f3577b34da6a3ce929d0e0e4736-0-1"] {
            assert_eq!(parse(header), None, "{header}");
        }
        assert_eq!(parse("00-00000000000000000000000000000000-00f067aa0ba902b7-01"), None);
    }
}
