//! Answers of reads, each compared with the model's.

use std::collections::BTreeMap;

use strongroom_api::vault::v1::{
    DecryptRequest, GetCredentialRequest, GetCredentialStatsRequest, ListCredentialsRequest,
    ListReferencesRequest, ResolveReferenceRequest,
};
use strongroom_testkit::requests::{reveal, secret_of};
use tonic::Status;

use super::model::{Selection, World};
use super::outcome;
use super::world::{Running, from_model, from_wire};
use crate::support::Clients;

/// One token's reads of everything in the vault.
pub(super) async fn compare(running: &mut Running, token: usize) {
    let (selection, clients) = &mut running.tokens[token];
    let inside = running.world.inside(selection);
    let trial = Trial { whole: &running.world, inside: &inside, selection };
    trial.credentials(clients).await;
    trial.stats(clients).await;
    trial.each_credential(clients).await;
    trial.references(clients).await;
    trial.resolutions(clients).await;
    for (key, sealed) in &running.sealed {
        let request =
            DecryptRequest { key_id: (*key).into(), ciphertext: sealed.clone(), ..Default::default() };
        let opened = outcome(clients.crypto.decrypt(request).await);
        let expected = if selection.keys.contains(key) { Ok(()) } else { Err("KEY_NOT_FOUND".to_owned()) };
        assert_eq!(opened.map(drop), expected, "{key} in {selection:?}");
    }
}

pub(super) struct Trial<'a> {
    pub(super) whole: &'a World,
    pub(super) inside: &'a World,
    pub(super) selection: &'a Selection,
}

impl Trial<'_> {
    /// No answer or refusal names anything outside the selection, unless the request did.
    pub(super) fn tells_nothing<T: std::fmt::Debug>(&self, answer: &Result<T, Status>, asked: &[&str]) {
        let said = format!("{answer:?}");
        let credentials = self.whole.credentials.values();
        let credentials = credentials.filter(|one| !self.inside.credentials.contains_key(&one.id));
        let mut foreign: Vec<&str> = credentials.flat_map(|one| [&*one.id, &*one.name]).collect();
        let references = self.whole.references.iter();
        let references = references.filter(|(place, _)| !self.inside.references.contains_key(*place));
        foreign.extend(references.map(|(place, _)| &*place.1));
        foreign.extend(super::world::KEYS.iter().filter(|key| !self.selection.keys.contains(key)));
        // The name of a reference's template belongs to the reference, even if the template leads nowhere.
        let through = self.inside.references.values().filter_map(|one| one.via.as_ref());
        let through: Vec<_> = through.map(|(_, consumer)| &**consumer).collect();
        foreign.retain(|one| !asked.contains(one) && !through.contains(one));
        let told: Vec<_> = foreign.into_iter().filter(|one| said.contains(one)).collect();
        assert!(told.is_empty(), "{said} tells {told:?} to {:?}", self.selection);
    }

    /// Reads in pages of two.
    async fn credentials(&self, clients: &mut Clients) {
        let (mut found, mut request) =
            (Vec::new(), ListCredentialsRequest { page_size: 2, ..Default::default() });
        loop {
            let page = clients.credentials.list_credentials(request.clone()).await;
            self.tells_nothing(&page, &[]);
            let page = page.unwrap().into_inner();
            let counts =
                |counts: std::collections::HashMap<_, _>| counts.into_iter().collect::<BTreeMap<_, _>>();
            found.extend(page.credentials.into_iter().map(|one| (one.id, counts(one.reference_counts))));
            if page.next_page_token.is_empty() {
                break;
            }
            request.page_token = page.next_page_token;
        }
        let expected = self.inside.credentials.keys().map(|id| (id.clone(), self.inside.counts(id)));
        assert_eq!(found, expected.collect::<Vec<_>>(), "{:?}", self.selection);
    }

    async fn stats(&self, clients: &mut Clients) {
        let answer = clients.credentials.get_credential_stats(GetCredentialStatsRequest {}).await;
        let stats = answer.unwrap().into_inner();
        let inside = || self.inside.credentials.values();
        let mut providers: Vec<_> = inside().map(|one| one.provider.to_owned()).collect();
        providers.sort();
        providers.dedup();
        let active = inside().filter(|one| one.active).count();
        let counted = (usize::try_from(stats.total).unwrap(), usize::try_from(stats.active).unwrap());
        assert_eq!(
            (counted, stats.providers),
            ((inside().count(), active), providers),
            "{:?}",
            self.selection
        );
    }

    async fn each_credential(&self, clients: &mut Clients) {
        for (id, one) in &self.whole.credentials {
            let seen = self.inside.credentials.contains_key(id);
            let missing = "CREDENTIAL_NOT_FOUND".to_owned();
            let got = clients.credentials.get_credential(GetCredentialRequest { id: id.clone() }).await;
            self.tells_nothing(&got, &[id]);
            let counts = outcome(got).map(|got| got.into_inner().credential.unwrap().reference_counts);
            let expected = if seen { Ok(self.inside.counts(id)) } else { Err(missing.clone()) };
            assert_eq!(
                counts.map(|counts| counts.into_iter().collect()),
                expected,
                "{id} {:?}",
                self.selection
            );

            let revealed = clients.credentials.reveal_credential(reveal(id)).await;
            self.tells_nothing(&revealed, &[id]);
            let revealed = outcome(revealed).map(|answer| answer.into_inner().secret.to_vec());
            let expected = match (seen, one.active) {
                (true, true) => Ok(secret_of(&one.name).into_bytes()),
                (true, false) => Err("CREDENTIAL_INACTIVE".to_owned()),
                (false, _) => Err(missing),
            };
            assert_eq!(revealed, expected, "{id} {:?}", self.selection);
        }
    }

    /// All references, and those of each credential.
    async fn references(&self, clients: &mut Clients) {
        let ids = self.whole.credentials.keys().map(String::as_str);
        for id in std::iter::once("").chain(ids) {
            let request =
                ListReferencesRequest { credential_id: id.into(), page_size: 1000, ..Default::default() };
            let listed = clients.references.list_references(request).await;
            self.tells_nothing(&listed, &[id]);
            let listed = listed.unwrap().into_inner().references;
            let seen = self.inside.references.values().filter(|one| id.is_empty() || one.names(id) > 0);
            let expected: Vec<_> = seen.map(from_model).collect();
            let found: Vec<_> = listed.into_iter().map(from_wire).collect();
            assert_eq!(found, expected, "of {id:?} in {:?}", self.selection);
        }
    }

    async fn resolutions(&self, clients: &mut Clients) {
        let left = self.whole.after_deletion(self.selection);
        for place in self.whole.references.keys() {
            let request = ResolveReferenceRequest { kind: place.0.clone(), consumer: place.1.clone() };
            let resolved = clients.references.resolve_reference(request).await;
            self.tells_nothing(&resolved, &[&place.1]);
            let resolved = outcome(resolved).map(|answer| {
                let answer = answer.into_inner();
                let skipped = answer.skipped.into_iter().map(|one| (one.credential_id, one.reason));
                (answer.credential_id, skipped.collect::<Vec<_>>())
            });
            assert_eq!(resolved, left.resolve(place), "{place:?} in {:?}", self.selection);
        }
    }
}
