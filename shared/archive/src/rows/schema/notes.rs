//! Notes that other programs leave in an entry.

use std::fmt;

use serde::de::{IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Serialize};

/// An object of notes, which are not kept: the only place in a schema entry where a reader accepts unknown
/// content.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Notes;

impl<'de> Deserialize<'de> for Notes {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Ignored)
    }
}

struct Ignored;

impl<'de> Visitor<'de> for Ignored {
    type Value = Notes;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object of remarks")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut remarks: A) -> Result<Notes, A::Error> {
        while remarks.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Notes)
    }
}
