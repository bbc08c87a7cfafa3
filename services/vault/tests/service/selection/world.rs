//! A vault with random contents, and randomly narrowed tokens.

use strongroom_api::vault::v1::{
    BindReferenceRequest, CreateKeyRequest, EncryptRequest, ListCredentialsRequest, ListReferencesRequest,
};
use strongroom_fuzz::Random;
use strongroom_testkit::requests::{CredentialBuilder as _, TokenBuilder as _, credential, token};

use super::model::{Credential, Reference, Selection, World};
use crate::support::{Clients, TestVault};

pub(super) const KINDS: [&str; 4] = ["endpoint", "endpoint_pool", "pii", "template"];
pub(super) const KEYS: [&str; 3] = ["key-a", "key-b", "key-c"];
const ENVS: [&str; 3] = ["dev", "production", "staging"];
const PROVIDERS: [&str; 2] = ["anthropic", "openai"];
const CREDENTIALS: usize = 8;
const REFERENCES: usize = 14;

/// Zero to two of the given values.
fn some(random: &mut Random, of: &[&'static str]) -> Vec<&'static str> {
    let count = random.below(3);
    (0..count).map(|_| random.pick(of)).collect()
}

pub(super) struct Running {
    pub(super) admin: Clients,
    pub(super) tokens: Vec<(Selection, Clients)>,
    pub(super) world: World,
    /// A value sealed with each key.
    pub(super) sealed: Vec<(&'static str, String)>,
}

impl Running {
    pub(super) async fn start(vault: &TestVault, random: &mut Random, tokens: usize) -> Self {
        let mut running = Self {
            admin: vault.admin().await,
            tokens: Vec::new(),
            world: World::default(),
            sealed: Vec::new(),
        };
        for number in 0..CREDENTIALS {
            running.create(number, random).await;
        }
        for number in 0..REFERENCES {
            running.bind(number, random).await;
        }
        for key in KEYS {
            let create = CreateKeyRequest { key_id: key.into() };
            running.admin.keys.create_key(create).await.unwrap();
            let seal = EncryptRequest { key_id: key.into(), plaintext: "value".into(), ..Default::default() };
            let sealed = running.admin.crypto.encrypt(seal).await.unwrap().into_inner().ciphertext;
            running.sealed.push((key, sealed));
        }
        while running.tokens.len() < tokens {
            let selection = selection(random);
            if !selection.selectors().is_empty() {
                let issued = token("admin").selectors(selection.selectors());
                let secret = running.admin.issue(issued).await.unwrap().secret;
                running.tokens.push((selection, vault.clients(&secret)));
            }
        }
        running
    }

    async fn create(&mut self, number: usize, random: &mut Random) {
        let name = format!("credential-{number:02}");
        let (provider, env, active) = (random.pick(&PROVIDERS), random.pick(&ENVS), random.below(5) > 0);
        let request = credential(&name).provider(provider).labels(&[("env", env)]);
        let id = self.admin.create(request).await.id;
        if !active {
            self.admin.deactivate(&id).await;
        }
        self.world.credentials.insert(id.clone(), Credential { id, name, provider, env, active });
    }

    /// Binds a reference to a random credential or to a template, with fallbacks. A binding that the vault refuses is
    /// not added to the world.
    async fn bind(&mut self, number: usize, random: &mut Random) {
        let ids: Vec<String> = self.world.credentials.keys().cloned().collect();
        let templates: Vec<_> =
            self.world.references.keys().filter(|place| place.0 == "template").cloned().collect();
        let mut fallbacks: Vec<String> = (0..random.below(3)).map(|_| random.pick(&ids)).collect();
        fallbacks.dedup();
        let via = (random.below(3) == 0 && !templates.is_empty()).then(|| random.pick(&templates));
        let credential = via.is_none().then(|| random.pick(&ids));
        fallbacks.retain(|id| Some(id) != credential.as_ref());
        let kind = if via.is_some() { random.pick(&KINDS[..3]) } else { random.pick(&KINDS) };
        let reference = Reference {
            kind: kind.to_owned(),
            consumer: format!("consumer-{number:02}"),
            credential,
            via,
            needs: random.pick(&["", "", "openai"]),
            fallbacks,
        };
        if self.admin.bind(to_wire(&reference)).await.is_ok() {
            let place = (reference.kind.clone(), reference.consumer.clone());
            self.world.references.insert(place, reference);
        }
    }

    /// The whole vault equals the model: no change affected anything else.
    pub(super) async fn compare_whole(&mut self) {
        let all = ListCredentialsRequest { page_size: 1000, ..Default::default() };
        let found = self.admin.credentials.list_credentials(all).await.unwrap().into_inner().credentials;
        let found: Vec<_> = found.into_iter().map(|one| (one.id, one.active)).collect();
        let expected = self.world.credentials.values().map(|one| (one.id.clone(), one.active));
        assert_eq!(found, expected.collect::<Vec<_>>());
        let all = ListReferencesRequest { page_size: 1000, ..Default::default() };
        let found = self.admin.references.list_references(all).await.unwrap().into_inner().references;
        let found: Vec<_> = found.into_iter().map(from_wire).collect();
        let expected: Vec<_> = self.world.references.values().map(from_model).collect();
        assert_eq!(found, expected);
    }
}

/// The compared parts of a reference.
pub(super) type Shown = (String, String, String, String, Vec<String>);

pub(super) fn from_wire(one: strongroom_api::vault::v1::Reference) -> Shown {
    (one.kind, one.consumer, one.credential_id, one.via, one.fallback_credential_ids)
}

pub(super) fn from_model(one: &Reference) -> Shown {
    let request = to_wire(one);
    (request.kind, request.consumer, request.credential_id, request.via, request.fallback_credential_ids)
}

fn to_wire(one: &Reference) -> BindReferenceRequest {
    BindReferenceRequest {
        kind: one.kind.clone(),
        consumer: one.consumer.clone(),
        credential_id: one.credential.clone().unwrap_or_default(),
        needs_provider: one.needs.to_owned(),
        via: one.via.as_ref().map(|(kind, consumer)| format!("{kind}/{consumer}")).unwrap_or_default(),
        fallback_credential_ids: one.fallbacks.clone(),
    }
}

fn selection(random: &mut Random) -> Selection {
    Selection {
        envs: some(random, &ENVS),
        providers: some(random, &PROVIDERS),
        kinds: some(random, &["*", "*", "endpoint", "endpoint*", "template"]),
        keys: some(random, &KEYS),
    }
}
