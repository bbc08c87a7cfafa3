//! The id of a key version: random, so that kids of different deployments never collide and their rings can
//! be merged.

use std::fmt;
use std::str::FromStr;

use crate::error::{Error, Result};
use crate::lower_hex::is_lower_hex;
use crate::random;

/// Id of one key version: 64 random bits, written as 16 lower-case hexadecimal digits. Public.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Kid(u64);

impl Kid {
    /// A new id.
    #[must_use]
    pub fn random() -> Self {
        Self(u64::from_be_bytes(random::bytes()))
    }
}

impl fmt::Display for Kid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl fmt::Debug for Kid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Kid({self})")
    }
}

impl FromStr for Kid {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let malformed =
            Error::Malformed { what: "key version id", expected: "16 lower-case hexadecimal digits" };
        if !is_lower_hex(text, 16) {
            return Err(malformed);
        }
        u64::from_str_radix(text, 16).map(Self).map_err(|_| malformed)
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn one_text_form() {
        assert_eq!(Kid(0xab).to_string(), "00000000000000ab");
        assert_eq!("00000000000000ab".parse::<Kid>().unwrap(), Kid(0xab));
        let kid = Kid::random();
        assert_eq!(kid.to_string().parse::<Kid>().unwrap(), kid);
        assert_ne!(kid, Kid::random());
        for text in [
            "",
            "ab",
            "00000000000000AB",
            "+0000000000000ab",
            "0x000000000000ab",
            "00000000000000ab0",
            "00000000000000é",
        ] {
            assert!(text.parse::<Kid>().is_err(), "{text}");
        }
    }
}
