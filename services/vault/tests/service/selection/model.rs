//! The contents of a vault, and the part of them that a token sees, by definition and not by SQL.

use std::collections::BTreeMap;

use strongroom_api::vault::v1::Selector;
use strongroom_api::vault::v1::selector::Selector as Kind;

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Credential {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) provider: &'static str,
    pub(super) env: &'static str,
    pub(super) active: bool,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Reference {
    pub(super) kind: String,
    pub(super) consumer: String,
    pub(super) credential: Option<String>,
    pub(super) via: Option<(String, String)>,
    pub(super) needs: &'static str,
    pub(super) fallbacks: Vec<String>,
}

impl Reference {
    pub(super) fn leads_nowhere(&self) -> bool {
        self.credential.is_none() && self.via.is_none() && self.fallbacks.is_empty()
    }

    pub(super) fn names(&self, id: &str) -> usize {
        let bound = usize::from(self.credential.as_deref() == Some(id));
        bound + self.fallbacks.iter().filter(|one| *one == id).count()
    }
}

/// The selection of a token.
#[derive(Debug, Clone, Default)]
pub(super) struct Selection {
    pub(super) envs: Vec<&'static str>,
    pub(super) providers: Vec<&'static str>,
    pub(super) kinds: Vec<&'static str>,
    pub(super) keys: Vec<&'static str>,
}

impl Selection {
    pub(super) fn selectors(&self) -> Vec<Selector> {
        let envs = self.envs.iter().map(|env| Kind::Label(format!("env={env}")));
        let providers = self.providers.iter().map(|one| Kind::Provider((*one).to_owned()));
        let kinds = self.kinds.iter().map(|one| Kind::ReferenceKind((*one).to_owned()));
        let keys = self.keys.iter().map(|one| Kind::Key((*one).to_owned()));
        let all = envs.chain(providers).chain(kinds).chain(keys);
        all.map(|selector| Selector { selector: Some(selector) }).collect()
    }

    pub(super) fn has_credential(&self, one: &Credential) -> bool {
        let named = !self.envs.is_empty() || !self.providers.is_empty();
        let env = self.envs.is_empty() || self.envs.contains(&one.env);
        named && env && (self.providers.is_empty() || self.providers.contains(&one.provider))
    }

    pub(super) fn has_kind(&self, kind: &str) -> bool {
        self.kinds
            .iter()
            .any(|one| one.strip_suffix('*').map_or(*one == kind, |start| kind.starts_with(start)))
    }
}

/// Credentials by id, and references in their order.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct World {
    pub(super) credentials: BTreeMap<String, Credential>,
    pub(super) references: BTreeMap<(String, String), Reference>,
}

impl World {
    /// Only the contents inside the selection. A reference is inside if its kind, its template's kind and every
    /// credential that it can resolve to are.
    pub(super) fn inside(&self, selection: &Selection) -> Self {
        let mut inside = self.clone();
        inside.credentials.retain(|_, one| selection.has_credential(one));
        let whole = |one: &Reference| {
            let led = self.candidates(one);
            let via = one.via.as_ref().is_none_or(|(kind, _)| selection.has_kind(kind));
            let known = led.iter().flatten().all(|id| inside.credentials.contains_key(id));
            selection.has_kind(&one.kind) && via && known && led.iter().any(Option::is_some)
        };
        inside.references.retain(|_, one| whole(one));
        inside
    }

    /// The vault after everything outside was deleted, including references that then lead nowhere.
    pub(super) fn after_deletion(&self, selection: &Selection) -> Self {
        let mut left = self.clone();
        left.credentials.retain(|_, one| selection.has_credential(one));
        left.references.retain(|(kind, _), _| selection.has_kind(kind));
        for one in left.references.values_mut() {
            one.credential = one.credential.take().filter(|id| left.credentials.contains_key(id));
            one.fallbacks.retain(|id| left.credentials.contains_key(id));
        }
        let left_over = left.clone();
        left.references.retain(|_, one| left_over.candidates(one).iter().any(Option::is_some));
        left
    }

    /// The candidates of a reference, in order: `None` for an empty binding.
    fn candidates(&self, one: &Reference) -> Vec<Option<String>> {
        let template = one.via.as_ref().and_then(|place| self.references.get(place));
        let first = match one.via {
            Some(_) => template.and_then(|template| template.credential.clone()),
            None => one.credential.clone(),
        };
        let behind = template.map(|template| template.fallbacks.as_slice()).unwrap_or_default();
        let fallbacks = one.fallbacks.iter().chain(behind).cloned().map(Some);
        std::iter::once(first).chain(fallbacks).collect()
    }

    /// The credential that is used, with the skipped ones, or the reason why there is none.
    pub(super) fn resolve(
        &self,
        place: &(String, String),
    ) -> Result<(String, Vec<(String, String)>), String> {
        let one = self.references.get(place).ok_or("REFERENCE_NOT_FOUND")?;
        let mut skipped = Vec::new();
        for candidate in self.candidates(one) {
            let found = candidate.as_ref().and_then(|id| self.credentials.get(id));
            let reason = match found {
                None => "CREDENTIAL_NOT_FOUND",
                Some(found) if !found.active => "CREDENTIAL_INACTIVE",
                Some(found) if !one.needs.is_empty() && one.needs != found.provider => "PROVIDER_MISMATCH",
                Some(found) => return Ok((found.id.clone(), skipped)),
            };
            skipped.push((candidate.unwrap_or_default(), reason.to_owned()));
        }
        Err("NO_USABLE_CREDENTIAL".to_owned())
    }

    /// References to a credential by kind.
    pub(super) fn counts(&self, id: &str) -> BTreeMap<String, i64> {
        let mut counts = BTreeMap::new();
        for one in self.references.values() {
            for _ in 0..one.names(id) {
                *counts.entry(one.kind.clone()).or_default() += 1;
            }
        }
        counts
    }

    /// Whether a reference leads to a credential, by itself or through its template.
    pub(super) fn leads(&self, one: &Reference, id: &str) -> bool {
        self.candidates(one).iter().flatten().any(|led| led == id)
    }
}
