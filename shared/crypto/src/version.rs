//! Key versions as stored: purpose, state and wrapped bytes.

use std::fmt;
use std::str::FromStr;

use crate::error::{Error, Result};
use crate::{Kid, RootKeyId};

/// The purpose of a key. A key serves one purpose, which is authenticated in every value that it seals.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Purpose {
    /// Sealing credentials.
    Credential,
    /// The HMAC chain of the audit log.
    Audit,
    /// Signing archive manifests.
    Signing,
    /// Encrypting for other services.
    Caller,
    /// Authenticating page tokens.
    Page,
    /// Authenticating database rows that grant access.
    Rows,
}

impl Purpose {
    /// The stored and authenticated name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Credential => "credential",
            Self::Audit => "audit",
            Self::Signing => "signing",
            Self::Caller => "caller",
            Self::Page => "page",
            Self::Rows => "rows",
        }
    }
}

impl FromStr for Purpose {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text {
            "credential" => Ok(Self::Credential),
            "audit" => Ok(Self::Audit),
            "signing" => Ok(Self::Signing),
            "caller" => Ok(Self::Caller),
            "page" => Ok(Self::Page),
            "rows" => Ok(Self::Rows),
            _ => Err(Error::Malformed {
                what: "key purpose",
                expected: "credential, audit, signing, caller, page or rows",
            }),
        }
    }
}

impl TryFrom<String> for Purpose {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        text.parse()
    }
}

impl fmt::Display for Purpose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The state of a key version in its life cycle.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum State {
    /// Seals and opens. A key has at most one such version.
    Primary,
    /// Opens only.
    DecryptOnly,
    /// Cannot be used; can be enabled again.
    Disabled,
    /// Cannot be used and will be destroyed; the destruction can be cancelled before then.
    Scheduled,
    /// The bytes are destroyed; the record is kept to document the kid.
    Destroyed,
}

impl State {
    /// The stored name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Primary => "primary",
            Self::DecryptOnly => "decrypt-only",
            Self::Disabled => "disabled",
            Self::Scheduled => "scheduled",
            Self::Destroyed => "destroyed",
        }
    }

    /// Whether a version in this state opens values and computes MACs.
    pub(crate) fn is_usable(self) -> bool {
        match self {
            Self::Primary | Self::DecryptOnly => true,
            Self::Disabled | Self::Scheduled | Self::Destroyed => false,
        }
    }
}

impl FromStr for State {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text {
            "primary" => Ok(Self::Primary),
            "decrypt-only" => Ok(Self::DecryptOnly),
            "disabled" => Ok(Self::Disabled),
            "scheduled" => Ok(Self::Scheduled),
            "destroyed" => Ok(Self::Destroyed),
            _ => Err(Error::Malformed {
                what: "key version state",
                expected: "primary, decrypt-only, disabled, scheduled or destroyed",
            }),
        }
    }
}

impl TryFrom<String> for State {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        text.parse()
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A key version as stored and as contained in archives: useless without its root key.
///
/// The root key authenticates `key_id`, `purpose`, `kid` and `root_key_id`, but not `number` and `state`,
/// which the store is responsible for.
#[derive(Clone, PartialEq, Eq)]
pub struct WrappedVersion {
    /// The key that it is a version of.
    pub key_id: String,
    /// The purpose of that key.
    pub purpose: Purpose,
    /// The id of this version.
    pub kid: Kid,
    /// Numbers the versions of a key, from 1; for people.
    pub number: u32,
    /// Its state in the life cycle.
    pub state: State,
    /// The id of the root key that wraps it.
    pub root_key_id: RootKeyId,
    /// `srk1.<root key id>.<base64url>`, 161 characters; empty once destroyed.
    pub wrapped: String,
}

impl fmt::Debug for WrappedVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WrappedVersion")
            .field("key_id", &self.key_id)
            .field("purpose", &self.purpose)
            .field("kid", &self.kid)
            .field("number", &self.number)
            .field("state", &self.state)
            .field("root_key_id", &self.root_key_id)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn names_go_both_ways() {
        for name in ["credential", "audit", "signing", "caller", "page"] {
            assert_eq!(name.parse::<Purpose>().unwrap().to_string(), name);
        }
        let states = ["primary", "decrypt-only", "disabled", "scheduled", "destroyed"];
        for name in states {
            assert_eq!(name.parse::<State>().unwrap().to_string(), name);
        }
        assert!("Credential".parse::<Purpose>().is_err());
        assert!("".parse::<State>().is_err());
    }
}
