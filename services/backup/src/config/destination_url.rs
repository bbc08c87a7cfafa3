//! The location of a destination: a folder or a bucket, from its URL.

use std::path::PathBuf;

use crate::config::DestinationConfig;
use crate::error::Error;

const SCHEMES: &str = "it must be file:///FOLDER, or s3://BUCKET/PREFIX with an optional prefix";

/// A parsed URL.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum DestinationUrl {
    /// An absolute path.
    Folder(PathBuf),
    /// A bucket of S3.
    Bucket {
        bucket: String,
        /// Prefix of the keys: without slashes at its ends, or empty.
        prefix: String,
    },
}

impl DestinationUrl {
    /// Parses `url`. Nothing in it is percent-decoded.
    ///
    /// # Errors
    /// The mistake, without the name of the destination.
    pub(crate) fn parse(url: &str) -> Result<Self, String> {
        if let Some(path) = url.strip_prefix("file://") {
            return folder(path);
        }
        match url.strip_prefix("s3://") {
            Some(rest) => bucket(rest),
            None => Err(format!("the url {url:?} is not understood: {SCHEMES}")),
        }
    }
}

impl DestinationConfig {
    /// The error for a mistake in the destination.
    pub(crate) fn refused(&self, problem: &str) -> Error {
        Error::Config(format!("destination {}: {problem}", self.name))
    }
}

fn folder(path: &str) -> Result<DestinationUrl, String> {
    if !path.starts_with('/')
        || path.split('/').any(|part| part == "..")
        || path.chars().any(char::is_control)
    {
        return Err(format!("{path:?} is not an absolute path without ..: a folder's url is file:///FOLDER"));
    }
    Ok(DestinationUrl::Folder(path.into()))
}

/// Checks a bucket by AWS's rules for bucket names, and its prefix by those for our own keys: some services change
/// other characters in transit.
fn bucket(rest: &str) -> Result<DestinationUrl, String> {
    let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
    let in_bucket =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'.' | b'-');
    if !(3..=63).contains(&bucket.len()) || !bucket.bytes().all(in_bucket) {
        return Err(format!("{bucket:?} is not a bucket: its name has 3 to 63 characters a-z, 0-9, . and -"));
    }
    let prefix = prefix.strip_suffix('/').unwrap_or(prefix);
    if !prefix.is_empty() && !prefix.split('/').all(is_prefix_part) || prefix.len() > 500 {
        return Err(format!(
            "the prefix {prefix:?} is not valid: each part must consist of A-Z, a-z, 0-9, ., _ and -; `.`, `..` and empty \
             parts are not allowed; at most 500 characters"
        ));
    }
    Ok(DestinationUrl::Bucket { bucket: bucket.into(), prefix: prefix.into() })
}

fn is_prefix_part(part: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    !part.is_empty() && part != "." && part != ".." && part.bytes().all(plain)
}
