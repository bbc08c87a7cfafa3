//! Credentials: stored, used, withdrawn.

use std::path::Path;

use anyhow::{Context as _, Result, bail, ensure};
use bytes::Bytes;
use strongroom_api::vault::v1::{
    BindReferenceRequest, CreateCredentialRequest, DeactivateCredentialRequest, ListCredentialsRequest,
    RevealCredentialRequest,
};

use super::cast::Cast;
use crate::client::{Connection, unary};
use crate::commands::credential;
use crate::commands::demo::gateway;
use crate::commands::demo::narrator::Narrator;
use crate::error::CallFailed;

/// Name, provider and key. The keys are fictional; no provider has issued them.
pub(super) const KEYS: [(&str, &str, &str); 3] = [
    ("OpenAI Production", "openai", "sk-proj-demo-not-a-real-key-4f81c09a7e"),
    ("Anthropic Production", "anthropic", "sk-ant-demo-not-a-real-key-b2d7716c35"),
    ("Mistral Playground", "mistral", "demo-not-a-real-mistral-key-90ae4d12"),
];

/// Seals the keys. The ids are in the order of [`KEYS`].
pub(super) async fn create(cast: &Cast, narrator: &mut Narrator) -> Result<[String; 3]> {
    let mut ids = [const { String::new() }; 3];
    for (id, (name, provider, key)) in ids.iter_mut().zip(KEYS) {
        let request = CreateCredentialRequest {
            display_name: name.into(),
            provider: provider.into(),
            secret: Bytes::from_static(key.as_bytes()),
            ..Default::default()
        };
        let answer = cast.vault.answer(cast.vault.credentials().create_credential(unary(request))).await?;
        *id = answer.credential.context("the vault answered without a credential")?.id;
    }
    narrator.step(
        "Three provider keys go into the vault",
        "They are made up. Each was sealed on arrival, bound to its own row, and the plaintext dropped:\n\
         lists show only a preview.",
    )?;
    list(cast, narrator).await?;
    Ok(ids)
}

async fn list(cast: &Cast, narrator: &Narrator) -> Result<()> {
    let request = unary(ListCredentialsRequest::default());
    let listed = cast.vault.answer(cast.vault.credentials().list_credentials(request)).await?;
    ensure!(listed.credentials.len() == KEYS.len(), "the list does not hold the credentials just made");
    narrator.show(&credential::table(&listed.credentials).to_string())
}

/// Tells the vault which consumer uses which credential, and tells the gateway the ids to ask for.
pub(super) async fn bind(
    cast: &Cast,
    ids: &[String; 3],
    database: &Path,
    narrator: &mut Narrator,
) -> Result<()> {
    let [openai, anthropic, mistral] = ids;
    for (kind, consumer, id, needs) in [
        ("endpoint", "1", openai, "openai"),
        ("provider_template", "2", anthropic, "anthropic"),
        ("wrapper_provider_setting", "4", mistral, "mistral"),
    ] {
        reference(cast, kind, consumer, id, needs).await?;
    }
    gateway::store_ids(database, openai, anthropic, mistral).await?;
    let refused = refusal(reference(cast, "endpoint", "2", mistral, "openai").await, "PROVIDER_MISMATCH")?;
    narrator.step(
        "An endpoint, a template and a wrapper setting refer to them",
        "The gateway's rows carry ids, never keys. The vault knows the users of a key before somebody\n\
         deletes it, and refuses to bind an endpoint to another provider's key:",
    )?;
    narrator.show(&refused)?;
    list(cast, narrator).await
}

async fn reference(cast: &Cast, kind: &str, consumer: &str, id: &str, needs: &str) -> Result<()> {
    let request = BindReferenceRequest {
        kind: kind.into(),
        consumer: consumer.into(),
        credential_id: id.into(),
        needs_provider: needs.into(),
        ..Default::default()
    };
    cast.vault.answer(cast.vault.references().bind_reference(unary(request))).await?;
    Ok(())
}

/// The gateway gets a key; then the key is withdrawn, and the gateway no longer gets it.
pub(super) async fn use_and_withdraw(cast: &Cast, ids: &[String; 3], narrator: &mut Narrator) -> Result<()> {
    let (id, key) = (&ids[1], KEYS[1].2);
    ensure!(reveal(cast, id).await? == key.as_bytes(), "the vault returned a different secret");
    narrator.step(
        "The gateway asks for a key and gets it",
        "Its own token permits revealing keys, but no export. The audit event was on disk\n\
         before the key left the vault.",
    )?;

    let request = DeactivateCredentialRequest { id: id.clone(), ..Default::default() };
    cast.vault.answer(cast.vault.credentials().deactivate_credential(unary(request))).await?;
    let refused = refusal(reveal(cast, id).await.map(|_| ()), "CREDENTIAL_INACTIVE")?;
    narrator.step(
        "That key may have leaked: it is deactivated",
        "Every service refuses the next request, and one command undoes that. Nothing was deleted.",
    )?;
    narrator.show(&refused)?;
    list(cast, narrator).await
}

async fn reveal(cast: &Cast, id: &str) -> Result<Bytes> {
    reveal_to(&cast.gateway, id).await
}

/// The secret of the credential `id`.
pub(super) async fn reveal_to(gateway: &Connection, id: &str) -> Result<Bytes> {
    let request = unary(RevealCredentialRequest { id: id.to_owned(), previous: false });
    Ok(gateway.answer(gateway.credentials().reveal_credential(request)).await?.secret)
}

/// The sentence of a call that must be refused for `reason`.
pub(super) fn refusal(result: Result<()>, reason: &str) -> Result<String> {
    let Err(error) = result else {
        bail!("a call succeeded that should be refused with {reason}");
    };
    match error.downcast_ref::<CallFailed>() {
        Some(failed) if failed.reason() == reason => Ok(format!("refused: {failed}")),
        _ => Err(error.context(format!("a call was not refused with {reason}"))),
    }
}
