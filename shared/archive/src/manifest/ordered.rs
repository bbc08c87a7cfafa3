//! A JSON object whose order is significant: archive order of tables, order of options.

use std::collections::HashSet;
use std::fmt;
use std::marker::PhantomData;

use serde::de::{Error as _, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::quote::Quoted;

/// Maximum number of names in one object, equal to the maximum number of entries.
const MOST_NAMES: usize = 100_000;

/// Names and values in document order. Reading refuses duplicate names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ordered<V>(Vec<(String, V)>);

impl<V> Default for Ordered<V> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<V: Copy> Ordered<V> {
    /// Appends a name. The caller must avoid duplicates; reading would refuse them.
    pub fn push(&mut self, name: &str, value: V) {
        self.0.push((name.to_owned(), value));
    }

    /// The value of `name`.
    pub fn get(&self, name: &str) -> Option<V> {
        let (_, value) = self.0.iter().find(|(known, _)| known == name)?;
        Some(*value)
    }

    /// All names and values, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, V)> {
        self.0.iter().map(|(name, value)| (name.as_str(), *value))
    }

    /// Number of names.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are no names.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<V> FromIterator<(String, V)> for Ordered<V> {
    fn from_iter<I: IntoIterator<Item = (String, V)>>(pairs: I) -> Self {
        Self(pairs.into_iter().collect())
    }
}

impl<V: Serialize> Serialize for Ordered<V> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, value)| (name, value)))
    }
}

impl<'de, V: Deserialize<'de>> Deserialize<'de> for Ordered<V> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(OrderedVisitor(PhantomData))
    }
}

struct OrderedVisitor<V>(PhantomData<V>);

impl<'de, V: Deserialize<'de>> Visitor<'de> for OrderedVisitor<V> {
    type Value = Ordered<V>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object in which each name occurs once")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut pairs = Vec::new();
        let mut seen = HashSet::new();
        while let Some((name, value)) = map.next_entry::<String, V>()? {
            if pairs.len() == MOST_NAMES {
                return Err(A::Error::custom(format_args!(
                    "there are more than {MOST_NAMES} names in an object"
                )));
            }
            if !seen.insert(name.clone()) {
                let name = Quoted(&name);
                return Err(A::Error::custom(format_args!("the name {name} occurs twice")));
            }
            pairs.push((name, value));
        }
        Ok(Ordered(pairs))
    }
}
