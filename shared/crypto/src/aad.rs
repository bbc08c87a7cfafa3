//! The encoding of additional authenticated data: fields, each preceded by its length.
//!
//! Without lengths, `("ab", "c")` and `("a", "bc")` would be the same bytes, and a value could be moved from
//! one to the other.

/// Each field, preceded by its length in bytes: four bytes, big-endian. The caller's format defines the order
/// of fields.
pub(crate) fn encode(fields: &[&str]) -> Vec<u8> {
    let length = fields.iter().map(|field| 4 + field.len()).sum();
    let mut encoded = Vec::with_capacity(length);
    for field in fields {
        let length = u32::try_from(field.len()).expect("ids and names are far shorter than 4 GiB");
        encoded.extend_from_slice(&length.to_be_bytes());
        encoded.extend_from_slice(field.as_bytes());
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::encode;

    #[test]
    fn fields_cannot_flow_into_each_other() {
        assert_eq!(encode(&["ab", ""]), b"\0\0\0\x02ab\0\0\0\0");
        assert_ne!(encode(&["ab", "c"]), encode(&["a", "bc"]));
        assert_ne!(encode(&["a"]), encode(&["a", ""]));
    }
}
