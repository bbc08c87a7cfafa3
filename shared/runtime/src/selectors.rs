//! Selectors of a token or an identity: the part of a deployment whose existence its holder can see.
//!
//! Plain data and its one rule, shared by the service that stores tokens and the services that ask it.

pub mod text;

use serde::{Deserialize, Serialize};
use strongroom_api::vault::v1 as proto;
use strongroom_api::vault::v1::selector::Selector as Kind;

/// Selectors of the same field are alternatives. Without any selector, everything is inside. With any, a resource type
/// that no selector names is outside. The resource types are credentials (by label and provider; both must match if
/// both are given), references, and caller keys.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Selectors {
    /// Credentials that carry one of these labels, name and value.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub labels: Vec<(String, String)>,
    /// Credentials of one of these providers.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub providers: Vec<String>,
    /// References of one of these kinds; a trailing star matches any kind with that prefix, so `*` is every kind.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub reference_kinds: Vec<String>,
    /// These caller keys.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub keys: Vec<String>,
}

impl Selectors {
    /// Whether nothing is restricted.
    #[must_use]
    pub fn is_everything(&self) -> bool {
        self == &Self::default()
    }

    /// Whether any credential could be inside.
    #[must_use]
    pub fn names_credentials(&self) -> bool {
        self.is_everything() || !self.labels.is_empty() || !self.providers.is_empty()
    }

    /// Whether any reference could be inside, judged by its kind.
    #[must_use]
    pub fn names_references(&self) -> bool {
        self.is_everything() || !self.reference_kinds.is_empty()
    }

    /// Whether any caller key could be inside.
    #[must_use]
    pub fn names_keys(&self) -> bool {
        self.is_everything() || !self.keys.is_empty()
    }

    /// Whether a credential of `provider` with these labels is inside.
    ///
    /// # Errors
    /// The selectors that exclude it, for people: `label env=staging`.
    pub fn admit_credential<'a>(
        &self,
        provider: &str,
        labels: impl IntoIterator<Item = (&'a String, &'a String)>,
    ) -> Result<(), String> {
        if !self.names_credentials() {
            return Err("no credentials".to_owned());
        }
        if !self.providers.is_empty() && !self.providers.iter().any(|one| one == provider) {
            return Err(format!("provider {}", self.providers.join(" or ")));
        }
        let carried =
            |(name, value): (&String, &String)| self.labels.iter().any(|(n, v)| n == name && v == value);
        if !self.labels.is_empty() && !labels.into_iter().any(carried) {
            let wanted: Vec<_> = self.labels.iter().map(|(name, value)| format!("{name}={value}")).collect();
            return Err(format!("label {}", wanted.join(" or ")));
        }
        Ok(())
    }

    /// Whether references of `kind` are inside.
    ///
    /// # Errors
    /// The selectors that exclude it, for people: `kind endpoint`.
    pub fn admit_kind(&self, kind: &str) -> Result<(), String> {
        if self.is_everything() || self.reference_kinds.iter().any(|one| covers(one, kind)) {
            return Ok(());
        }
        match self.reference_kinds.as_slice() {
            [] => Err("no references".to_owned()),
            kinds => Err(format!("kind {}", kinds.join(" or "))),
        }
    }

    /// Whether the caller key is inside.
    #[must_use]
    pub fn admits_key(&self, key_id: &str) -> bool {
        self.is_everything() || self.keys.iter().any(|one| one == key_id)
    }

    /// Whether everything inside is also inside `wider`, whatever exists: sort by sort.
    #[must_use]
    pub fn is_within(&self, wider: &Self) -> bool {
        if wider.is_everything() || self.is_everything() {
            return wider.is_everything();
        }
        let credentials = wider.names_credentials()
            && subset(&self.labels, &wider.labels)
            && subset(&self.providers, &wider.providers);
        let kind = |narrow: &String| wider.reference_kinds.iter().any(|wide| covers(wide, narrow));
        (!self.names_credentials() || credentials)
            && self.reference_kinds.iter().all(kind)
            && self.keys.iter().all(|key| wider.keys.contains(key))
    }

    /// Selectors from the wire. Labels are `name=value`; a selector that this version does not know is an error,
    /// because ignoring it would widen the token.
    ///
    /// # Errors
    /// The problem, as a sentence.
    pub fn from_proto(given: &[proto::Selector]) -> Result<Self, String> {
        let mut selectors = Self::default();
        for one in given {
            match &one.selector {
                Some(Kind::Label(label)) => {
                    let (name, value) =
                        label.split_once('=').ok_or_else(|| format!("{label:?} is not name=value"))?;
                    selectors.labels.push((name.to_owned(), value.to_owned()));
                }
                Some(Kind::Provider(provider)) => selectors.providers.push(provider.clone()),
                Some(Kind::ReferenceKind(kind)) => selectors.reference_kinds.push(kind.clone()),
                Some(Kind::Key(key)) => selectors.keys.push(key.clone()),
                None => return Err("a selector must say what it selects".into()),
            }
        }
        Ok(selectors)
    }

    /// Selectors as they are on the wire.
    #[must_use]
    pub fn to_proto(&self) -> Vec<proto::Selector> {
        let labels = self.labels.iter().map(|(name, value)| Kind::Label(format!("{name}={value}")));
        let providers = self.providers.iter().cloned().map(Kind::Provider);
        let kinds = self.reference_kinds.iter().cloned().map(Kind::ReferenceKind);
        let keys = self.keys.iter().cloned().map(Kind::Key);
        let all = labels.chain(providers).chain(kinds).chain(keys);
        all.map(|selector| proto::Selector { selector: Some(selector) }).collect()
    }
}

/// Whether a kind, or a narrower pattern, matches `pattern`.
fn covers(pattern: &str, kind: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(prefix) => kind.starts_with(prefix),
        None => pattern == kind,
    }
}

/// Whether `narrow` admits no more than `wide`: an empty list does not restrict its sort.
fn subset<T: PartialEq>(narrow: &[T], wide: &[T]) -> bool {
    wide.is_empty() || (!narrow.is_empty() && narrow.iter().all(|one| wide.contains(one)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn selectors(labels: &[(&str, &str)], providers: &[&str], kinds: &[&str], keys: &[&str]) -> Selectors {
        let owned = |list: &[&str]| list.iter().map(|one| (*one).to_owned()).collect();
        Selectors {
            labels: labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
            providers: owned(providers),
            reference_kinds: owned(kinds),
            keys: owned(keys),
        }
    }

    #[test]
    fn kinds_must_all_match_and_alternatives_need_not() {
        let narrow = selectors(&[("env", "staging"), ("env", "dev")], &["openai"], &["end*", "pii"], &["k1"]);
        let labels = |value: &str| vec![("env".to_owned(), value.to_owned())];
        for (provider, value, inside) in [
            ("openai", "staging", true),
            ("openai", "dev", true),
            ("openai", "prod", false),
            ("anthropic", "dev", false),
        ] {
            let labels = labels(value);
            let given = labels.iter().map(|(name, value)| (name, value));
            assert_eq!(narrow.admit_credential(provider, given).is_ok(), inside, "{provider} {value}");
        }
        for (kind, inside) in [("endpoint", true), ("end", true), ("pii", true), ("pii_config", false)] {
            assert_eq!(narrow.admit_kind(kind).is_ok(), inside, "{kind}");
        }
        assert!(narrow.admits_key("k1") && !narrow.admits_key("k2"));
        let everything = Selectors::default();
        assert!(everything.is_everything() && everything.admits_key("x"));
        assert!(everything.admit_kind("x").is_ok() && everything.admit_credential("any", []).is_ok());
    }

    #[test]
    fn a_sort_that_is_not_named_is_not_reached() {
        let label = ("env".to_owned(), "staging".to_owned());
        for (narrow, credentials, references, keys) in [
            (selectors(&[("env", "staging")], &[], &[], &[]), true, false, false),
            (selectors(&[], &["openai"], &[], &[]), true, false, false),
            (selectors(&[], &[], &["*"], &[]), false, true, false),
            (selectors(&[], &[], &[], &["k"]), false, false, true),
            (selectors(&[], &["openai"], &["*"], &["k"]), true, true, true),
        ] {
            let labels = [(&label.0, &label.1)];
            assert_eq!(narrow.admit_credential("openai", labels).is_ok(), credentials, "{narrow:?}");
            assert_eq!(narrow.admit_kind("endpoint").is_ok(), references, "{narrow:?}");
            assert_eq!(narrow.admits_key("k"), keys, "{narrow:?}");
            let named = (narrow.names_credentials(), narrow.names_references(), narrow.names_keys());
            assert_eq!(named, (credentials, references, keys), "{narrow:?}");
        }
    }

    #[test]
    fn a_narrowing_is_never_wider_than_its_issuers() {
        let base = selectors(&[("env", "staging"), ("env", "dev")], &[], &["end*"], &[]);
        for (narrow, within) in [
            (base.clone(), true),
            (selectors(&[("env", "dev")], &[], &["endpoint"], &[]), true),
            (selectors(&[("env", "dev")], &["openai"], &["endp*"], &[]), true),
            (selectors(&[("env", "dev")], &[], &[], &[]), true),
            (selectors(&[], &[], &["endpoint"], &[]), true),
            (selectors(&[("env", "dev")], &[], &[], &["k"]), false),
            (selectors(&[], &["openai"], &["end*"], &[]), false),
            (selectors(&[("env", "prod")], &[], &["end*"], &[]), false),
            (selectors(&[("env", "dev")], &[], &["e*"], &[]), false),
            (selectors(&[("env", "dev")], &[], &["*"], &[]), false),
            (Selectors::default(), false),
        ] {
            assert_eq!(narrow.is_within(&base), within, "{narrow:?}");
            assert!(narrow.is_within(&Selectors::default()));
        }
        let references = selectors(&[], &[], &["*"], &[]);
        assert!(selectors(&[], &[], &["end*"], &[]).is_within(&references));
        assert!(!base.is_within(&references), "it names credentials, and the wider one none");
    }

    #[test]
    fn the_wire_form_goes_there_and_back() {
        let narrow = selectors(&[("env", "a=b")], &["openai"], &["end*"], &["k"]);
        assert_eq!(Selectors::from_proto(&narrow.to_proto()), Ok(narrow));
        assert!(Selectors::from_proto(&[proto::Selector { selector: None }]).is_err());
        let broken = proto::Selector { selector: Some(Kind::Label("env".into())) };
        assert!(Selectors::from_proto(&[broken]).is_err());
    }
}
