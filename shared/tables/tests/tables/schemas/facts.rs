//! Facts about a database, one at a time, so that two descriptions of it can be compared.

use std::collections::BTreeMap;

/// Values by their subject: `public.orders / column id / type`.
#[derive(Default)]
pub struct Facts(BTreeMap<String, String>);

impl Facts {
    /// # Panics
    /// If the same fact was noted with a different value: the elements of a list would hide each other.
    pub fn note(&mut self, owner: &str, element: &str, value: impl Into<String>) {
        let (key, value) = (format!("{owner} / {element}"), value.into());
        if let Some(before) = self.0.insert(key.clone(), value.clone()) {
            assert_eq!(before, value, "two values of {key}");
        }
    }

    pub fn note_some(&mut self, owner: &str, element: &str, value: Option<&String>) {
        if let Some(value) = value {
            self.note(owner, element, value);
        }
    }

    pub fn note_if(&mut self, owner: &str, element: &str, is_so: bool) {
        if is_so {
            self.note(owner, element, "yes");
        }
    }

    /// One line for each fact that differs.
    pub fn differences(&self, catalogue: &Self) -> Vec<String> {
        let mut keys: Vec<&String> = self.0.keys().chain(catalogue.0.keys()).collect();
        keys.sort();
        keys.dedup();
        let differ = keys.into_iter().filter(|key| self.0.get(*key) != catalogue.0.get(*key));
        differ
            .map(|key| {
                format!(
                    "{key}: the entry has {:?}, the catalogue {:?}",
                    self.0.get(key),
                    catalogue.0.get(key)
                )
            })
            .collect()
    }

    /// Drops types that no table uses, because they are in no entry.
    pub fn keep_used_types(&mut self) {
        let lists = self.0.iter().filter(|(key, _)| key.ends_with(" / types"));
        let used: Vec<String> =
            lists.flat_map(|(_, types)| types.split('|')).map(|name| format!("type {name} / ")).collect();
        self.0.retain(|key, _| !key.starts_with("type ") || used.iter().any(|name| key.starts_with(name)));
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }
}

/// Names in order, as one value.
pub fn joined<S: AsRef<str>>(names: &[S]) -> String {
    names.iter().map(AsRef::as_ref).collect::<Vec<_>>().join("|")
}
