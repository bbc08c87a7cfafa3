//! `strongroom credential`.

mod deletion;
mod list;
mod resolve;
mod shown;
mod unique;
mod update;

use anyhow::Result;
use bytes::Bytes;
use strongroom_api::vault::v1::{
    ActivateCredentialRequest, CreateCredentialRequest, Credential, DeactivateCredentialRequest,
    GetCredentialRequest, GetCredentialStatsRequest, ListCredentialsRequest, RevealCredentialRequest,
    RollbackCredentialRequest, RotateCredentialRequest,
};
use strongroom_runtime::{Clock as _, SystemClock};
use uuid::Uuid;

pub(super) use list::list_credentials;
pub(super) use resolve::resolve;
pub(super) use shown::table;
use shown::{CREDENTIAL, expires_by, print_one};
use unique::{refuse_duplicate, warn_of_duplicate};

use crate::cli::{CreateCredential, CredentialCommand, ListCredentials, RotateCredential};
use crate::client::{self, Connection, PAGE_SIZE, unary};
use crate::output::{Format, data_out, key_values, message, print_data};
use crate::secret_input;
use crate::time::{length_to_wire, to_wire};

pub(super) async fn run(command: CredentialCommand, format: Format) -> Result<()> {
    let vault = client::vault()?;
    match command {
        CredentialCommand::Create(create) => print_one(format, create_credential(&vault, create).await?),
        CredentialCommand::List(list) => {
            let until =
                list.expiring_within.map(|until| until.resolve(SystemClock.now_micros())).transpose()?;
            let mut credentials = list_credentials(&vault, filter(list)).await?;
            credentials.retain(|one| until.is_none_or(|until| expires_by(one, until)));
            format.list(CREDENTIAL, &credentials, || table(&credentials))
        }
        CredentialCommand::Get(given) => {
            let request = GetCredentialRequest { id: resolve(&vault, &given.id).await? };
            let answer = vault.answer(vault.credentials().get_credential(unary(request))).await?;
            print_one(format, answer.credential)
        }
        CredentialCommand::Activate(given) => {
            let id = resolve(&vault, &given.id).await?;
            let request = ActivateCredentialRequest { id, ..Default::default() };
            let answer = vault.answer(vault.credentials().activate_credential(unary(request))).await?;
            print_one(format, answer.credential)
        }
        CredentialCommand::Deactivate(given) => {
            let id = resolve(&vault, &given.id).await?;
            let request = DeactivateCredentialRequest { id, ..Default::default() };
            let answer = vault.answer(vault.credentials().deactivate_credential(unary(request))).await?;
            print_one(format, answer.credential)
        }
        CredentialCommand::Delete { credential, confirmation } => {
            deletion::run(&vault, &credential.id, &confirmation, format).await
        }
        CredentialCommand::Reveal { credential, previous } => {
            reveal(&vault, &credential.id, previous, format).await
        }
        CredentialCommand::Rotate(rotate) => print_one(format, rotate_credential(&vault, rotate).await?),
        CredentialCommand::Rollback(given) => {
            let id = resolve(&vault, &given.id).await?;
            let request = RollbackCredentialRequest { id, ..Default::default() };
            let answer = vault.answer(vault.credentials().rollback_credential(unary(request))).await?;
            print_one(format, answer.credential)
        }
        CredentialCommand::Update(update) => print_one(format, update::run(&vault, update).await?),
        CredentialCommand::Stats => stats(&vault, format).await,
    }
}

async fn create_credential(vault: &Connection, create: CreateCredential) -> Result<Option<Credential>> {
    let expires = create.expires.map(|until| until.resolve(SystemClock.now_micros())).transpose()?;
    let secret = secret_input::read(&create.secret_file)?;
    if !create.allow_duplicate {
        refuse_duplicate(vault, &create.name, "").await?;
    }
    let request = CreateCredentialRequest {
        display_name: create.name.clone(),
        provider: create.provider,
        secret: Bytes::copy_from_slice(secret.expose()),
        labels: create.labels.into_iter().collect(),
        expire_time: expires.map(to_wire),
        request_id: request_id(),
        validate_only: false,
    };
    let created = vault.answer(vault.credentials().create_credential(unary(request))).await?.credential;
    if let Some(created) = created.as_ref().filter(|_| !create.allow_duplicate) {
        warn_of_duplicate(vault, &create.name, &created.id).await;
    }
    Ok(created)
}

async fn rotate_credential(vault: &Connection, rotate: RotateCredential) -> Result<Option<Credential>> {
    let secret = secret_input::read(&rotate.secret_file)?;
    let request = RotateCredentialRequest {
        id: resolve(vault, &rotate.id).await?,
        secret: Bytes::copy_from_slice(secret.expose()),
        grace: rotate.grace.map(length_to_wire),
        request_id: request_id(),
        ..Default::default()
    };
    Ok(vault.answer(vault.credentials().rotate_credential(unary(request))).await?.credential)
}

/// A new id for each run of the command: a proxy that sends the call twice creates nothing twice.
fn request_id() -> String {
    Uuid::now_v7().to_string()
}

fn filter(list: ListCredentials) -> ListCredentialsRequest {
    ListCredentialsRequest {
        provider: list.provider.unwrap_or_default(),
        active: list.active,
        name_prefix: list.name_prefix.unwrap_or_default(),
        labels: list.labels.into_iter().collect(),
        page_size: PAGE_SIZE,
        page_token: String::new(),
    }
}

async fn reveal(vault: &Connection, given: &str, previous: bool, format: Format) -> Result<()> {
    let request = RevealCredentialRequest { id: resolve(vault, given).await?, previous };
    let answer = vault.answer(vault.credentials().reveal_credential(unary(request))).await?;
    if format == Format::Json {
        return format.message("strongroom.vault.v1.RevealCredentialResponse", &answer, String::new);
    }
    print_secret(&answer.secret)
}

/// Prints the bytes of a secret and nothing else; on a terminal, control characters are escaped.
pub(super) fn print_secret(secret: &[u8]) -> Result<()> {
    print_data(secret)?;
    if data_out().is_terminal() {
        message(""); // The prompt starts on its own line; the secret has no line feed.
    }
    Ok(())
}

async fn stats(vault: &Connection, format: Format) -> Result<()> {
    let request = unary(GetCredentialStatsRequest {});
    let answer = vault.answer(vault.credentials().get_credential_stats(request)).await?;
    format.message("strongroom.vault.v1.GetCredentialStatsResponse", &answer, || {
        key_values([
            ("total", answer.total.to_string()),
            ("active", answer.active.to_string()),
            ("providers", answer.providers.join(", ")),
        ])
    })
}
