//! Pages of lists sorted from newest to oldest. A token holds the position at which a page ended, and reveals nothing
//! that the page did not contain.

use super::restore_request::check_id;
use crate::error::{Error, Result};

const USUAL: i64 = 50;
const LARGEST: i64 = 1_000;

/// The position at which the previous page ended, and the size of this one.
///
/// # Errors
/// [`Error::Field`].
pub(super) fn page(size: i32, token: &str) -> Result<(Option<(i64, String)>, i64)> {
    let size = match size {
        negative if negative < 0 => return Err(Error::field("page_size", "must not be negative")),
        0 => USUAL,
        size => i64::from(size).min(LARGEST),
    };
    let before = if token.is_empty() { None } else { Some(parse(token)?) };
    Ok((before, size))
}

/// For a page whose last row has this create time and id.
pub(super) fn token(create_time: i64, id: &str) -> String {
    hex::encode(format!("{create_time}/{id}"))
}

fn parse(token: &str) -> Result<(i64, String)> {
    let text = hex::decode(token).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    let parsed = text.as_deref().and_then(|text| {
        let (time, id) = text.split_once('/')?;
        check_id(id, "page_token").ok()?;
        Some((time.parse().ok()?, id.to_owned()))
    });
    parsed.ok_or_else(|| {
        Error::field("page_token", "was not issued by this server; list again from the first page")
    })
}
