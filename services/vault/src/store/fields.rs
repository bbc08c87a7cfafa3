//! Fields that MACs are computed over, each prefixed with its length as four bytes, big-endian: two different lists of
//! fields never have the same bytes.

/// Adds a field.
pub(super) fn put(message: &mut Vec<u8>, field: &[u8]) {
    let length = u32::try_from(field.len()).expect("neither database holds a value of 4 GiB");
    message.extend_from_slice(&length.to_be_bytes());
    message.extend_from_slice(field);
}

/// Adds an optional field; an absent field differs from an empty one.
pub(super) fn put_optional(message: &mut Vec<u8>, field: Option<&[u8]>) {
    put(message, &[u8::from(field.is_some())]);
    put(message, field.unwrap_or_default());
}
