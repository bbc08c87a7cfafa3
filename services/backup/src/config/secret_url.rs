//! A source's URL, which may hold a password.

use std::fmt;

use serde::Deserialize;
use zeroize::Zeroizing;

/// The text of a URL: wiped when dropped, and hidden by `Debug`.
#[derive(Clone, Deserialize)]
#[serde(from = "String")]
pub struct SourceUrl(Zeroizing<String>);

impl SourceUrl {
    /// The text for connecting.
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}

impl From<String> for SourceUrl {
    fn from(url: String) -> Self {
        Self(Zeroizing::new(url))
    }
}

impl fmt::Debug for SourceUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SourceUrl([hidden])")
    }
}
