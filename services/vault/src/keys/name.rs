//! Names of keys.

use crate::error::{Error, Result};

/// Accepts `^[a-z]([a-z0-9-]{0,61}[a-z0-9])?$`; the refusal names `field`.
pub(crate) fn check_key_name(field: &'static str, value: &str) -> Result<()> {
    let first = value.bytes().next().is_some_and(|byte| byte.is_ascii_lowercase());
    let last = value.bytes().last().is_some_and(|byte| byte != b'-');
    let rest = value.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-'));
    if first && last && rest && value.len() <= 63 {
        return Ok(());
    }
    let problem = "must be 1 to 63 of a-z, 0-9, '-', beginning with a letter and not ending with '-'";
    Err(Error::Field { field, problem: problem.into() })
}
