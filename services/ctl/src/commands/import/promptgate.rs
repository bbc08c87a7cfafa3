//! `strongroom import promptgate`: imports a gateway's credentials from its export into the vault.
//!
//! Labels on each credential name the gateway and the original row; a second run finds it by them. It is the same
//! credential only if name, provider and secret are the same too: two gateways can state one URL, and a secret can have
//! changed since. The request id is derived from URL and row, so two simultaneous runs create nothing twice either.

mod difference;
mod report;

use std::collections::{HashMap, HashSet};

use anyhow::{Context as _, Result, ensure};
use bytes::Bytes;
use serde_json::json;
use sha2::{Digest as _, Sha256};
use strongroom_api::vault::v1::{
    CreateCredentialRequest, Credential, DeactivateCredentialRequest, ListCredentialsRequest,
};
use strongroom_crypto::SecretBytes;
use strongroom_import::{AppKey, Export, ExportManifest, StoredCredential, TableSurvey};
use tonic::Code;

use crate::cli::ImportPromptgate;
use crate::client::{self, Connection, PAGE_SIZE, unary};
use crate::commands::credential::list_credentials;
use crate::input::{self, Input};
use crate::output::Format;
use crate::secret_input;

use report::{Line, Outcome, Report};

const FROM: &str = "imported-from";
const PRODUCT: &str = "promptgate";
const URL: &str = "promptgate.url";
const ID: &str = "promptgate.id";
/// A fingerprint of the imported secret, under the APP_KEY. It reveals nothing about the secret.
const SECRET: &str = "promptgate.secret";

/// Everything read from the export, before the vault is asked for anything.
struct Found {
    manifest: ExportManifest,
    credentials: Vec<StoredCredential>,
    tables: Vec<TableSurvey>,
}

pub(super) async fn run(import: &ImportPromptgate, format: Format) -> Result<()> {
    let key = secret_input::text(&import.app_key_file)?;
    let key = AppKey::parse(&key).with_context(|| input::name(&import.app_key_file))?;
    let input = Input::of(&import.file)?;
    let found = read(&input, &key).with_context(|| input.name())?;
    let importer = Importer::new(client::vault()?, key, &found.manifest, import.dry_run).await?;
    let mut lines = Vec::new();
    let mut seen = HashSet::new();
    for stored in &found.credentials {
        // Without this check, a later run would compare the second row with the credential of the first.
        let outcome = if seen.insert(&stored.id) {
            importer.take_over(stored).await?
        } else {
            Outcome::Refused("another row of this export has the same id".to_owned())
        };
        lines.push(Line { stored, outcome });
    }
    let report = Report { manifest: &found.manifest, dry_run: import.dry_run, lines, tables: &found.tables };
    format.document(&report.document(), || report.text())?;
    let refused = report.refused();
    ensure!(refused == 0, "{refused} of {} credentials were not imported", report.lines.len());
    Ok(())
}

fn read(input: &Input, key: &AppKey) -> Result<Found> {
    let mut export = Export::open(input.open()?)?;
    let credentials = export.credentials()?;
    key.check(&credentials)?;
    let tables = export.survey(key)?;
    export.check_counts(&credentials, &tables)?;
    Ok(Found { manifest: export.manifest().clone(), credentials, tables })
}

struct Importer<'a> {
    vault: Connection,
    key: AppKey,
    url: &'a str,
    /// Credentials that earlier runs created, by row id.
    known: HashMap<String, Credential>,
    dry_run: bool,
}

impl<'a> Importer<'a> {
    async fn new(vault: Connection, key: AppKey, from: &'a ExportManifest, dry_run: bool) -> Result<Self> {
        let url = from.app_url.as_str();
        let labels = [(FROM.to_owned(), PRODUCT.to_owned()), (URL.to_owned(), url.to_owned())].into();
        let request = ListCredentialsRequest { labels, page_size: PAGE_SIZE, ..Default::default() };
        let known = list_credentials(&vault, request).await?.into_iter();
        let known = known.filter_map(|one| Some((one.labels.get(ID)?.clone(), one))).collect();
        Ok(Self { vault, key, url, known, dry_run })
    }

    /// The outcome for one credential. An error ends the run: the vault cannot be reached, or refuses the call.
    async fn take_over(&self, stored: &StoredCredential) -> Result<Outcome> {
        let refused = |reason: &str| Ok(Outcome::Refused(reason.to_owned()));
        let Some(value) = &stored.secret else {
            return refused("the row has no secret");
        };
        let Some(active) = stored.active else {
            return refused("the row's is_active is neither true nor false in a known form");
        };
        let secret = match self.key.open(value) {
            Ok(secret) => secret,
            Err(fault) => return Ok(Outcome::Refused(fault.to_string())),
        };
        let fingerprints = self.key.fingerprints(&row(self.url, &stored.id), &secret);
        if let Some(known) = self.known.get(&stored.id) {
            let found = difference::of(&self.vault, known, stored, &secret, &fingerprints).await?;
            if let Some(difference) = found {
                return Ok(Outcome::Refused(difference));
            }
            self.settle(known, active).await?;
            return Ok(Outcome::Present(known.id.clone()));
        }
        let fingerprint = fingerprints.first().context("the APP_KEY makes no fingerprint")?;
        self.create(stored, active, &secret, fingerprint).await
    }

    /// In a dry run, the vault only checks the same request.
    async fn create(
        &self,
        stored: &StoredCredential,
        active: bool,
        secret: &SecretBytes,
        fingerprint: &str,
    ) -> Result<Outcome> {
        let labels = [(FROM, PRODUCT), (URL, self.url), (ID, &stored.id), (SECRET, fingerprint)];
        let request = CreateCredentialRequest {
            display_name: stored.name.clone(),
            provider: stored.provider.clone(),
            secret: Bytes::copy_from_slice(secret.expose()),
            labels: labels.map(|(key, value)| (key.to_owned(), value.to_owned())).into(),
            request_id: request_id(self.url, &stored.id),
            validate_only: self.dry_run,
            ..Default::default()
        };
        let answer = match self.vault.credentials().create_credential(unary(request)).await {
            Ok(answer) => answer.into_inner(),
            Err(status) => {
                let failed = self.vault.failed(&status);
                let refused = |reason: &str| Ok(Outcome::Refused(reason.to_owned()));
                return match (status.code(), failed.reason()) {
                    (Code::NotFound, _) => refused("it was imported within the last day and then deleted"),
                    (_, "REQUEST_ID_REUSED") => refused(
                        "this row was imported within the last day with another name, provider or secret, and its \
                         credential has lost its labels or was deleted since",
                    ),
                    (Code::InvalidArgument, _) => Ok(Outcome::Refused(failed.to_string())),
                    _ => Err(failed.into()),
                };
            }
        };
        if self.dry_run {
            return Ok(Outcome::Possible);
        }
        let created = answer.credential.context("the vault answered without a credential")?;
        self.settle(&created, active).await?;
        Ok(Outcome::Imported(created.id))
    }

    /// Deactivates the credential if it was inactive in the gateway, unless it has been changed since its creation.
    async fn settle(&self, credential: &Credential, active: bool) -> Result<()> {
        let untouched = credential.create_time == credential.update_time;
        if active || !credential.active || !untouched || self.dry_run {
            return Ok(());
        }
        let request =
            DeactivateCredentialRequest { id: credential.id.clone(), etag: credential.etag.clone() };
        self.vault.answer(self.vault.credentials().deactivate_credential(unary(request))).await?;
        Ok(())
    }
}

/// Identifies a row of a gateway.
fn row(url: &str, id: &str) -> String {
    json!(["strongroom import promptgate", url, id]).to_string()
}

/// The same id for the same row of the same gateway. It contains nothing of the secret, because the vault stores it in
/// the clear.
fn request_id(url: &str, id: &str) -> String {
    let digest = Sha256::digest(row(url, id));
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest[..16]);
    uuid::Builder::from_custom_bytes(bytes).into_uuid().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn request_ids_follow_the_gateway_and_the_row() {
        let id = request_id("https://a", "1");
        assert_eq!(id, request_id("https://a", "1"));
        assert!(id != request_id("https://a", "2") && id != request_id("https://b", "1"));
        assert!(uuid::Uuid::parse_str(&id).is_ok(), "{id}");
    }
}
