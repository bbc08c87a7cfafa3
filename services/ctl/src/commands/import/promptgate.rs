//! `strongroom import promptgate`: a gateway's credentials, from its export into the vault.
//!
//! Labels on each credential name the gateway and the row it was; that is how a second run knows it. The request
//! id is made of the same, so that two runs at once create nothing twice either.

mod report;

use std::collections::HashMap;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use bytes::Bytes;
use serde_json::json;
use sha2::{Digest as _, Sha256};
use strongroom_api::vault::v1::{
    CreateCredentialRequest, Credential, DeactivateCredentialRequest, ListCredentialsRequest,
};
use strongroom_import::{AppKey, Export, ExportManifest, StoredCredential, TableSurvey};
use tonic::Code;

use crate::cli::ImportPromptgate;
use crate::client::{self, Connection, PAGE_SIZE, unary};
use crate::commands::credential::list_credentials;
use crate::files;
use crate::output::Format;
use crate::secret_input;

use report::{Line, Outcome, Report};

const FROM: &str = "imported-from";
const PRODUCT: &str = "promptgate";
const URL: &str = "promptgate.url";
const ID: &str = "promptgate.id";

/// What was read, before the vault is asked for anything.
struct Found {
    manifest: ExportManifest,
    credentials: Vec<StoredCredential>,
    tables: Vec<TableSurvey>,
}

pub(super) async fn run(import: &ImportPromptgate, format: Format) -> Result<()> {
    let key = secret_input::text(&import.app_key_file)?;
    let key = AppKey::parse(&key).with_context(|| import.app_key_file.display().to_string())?;
    let found = read(&import.file, &key).with_context(|| import.file.display().to_string())?;
    let importer = Importer::new(client::vault()?, key, &found.manifest, import.dry_run).await?;
    let mut lines = Vec::new();
    for stored in &found.credentials {
        let outcome = importer.take_over(stored).await?;
        lines.push(Line { stored, outcome });
    }
    let report = Report { manifest: &found.manifest, dry_run: import.dry_run, lines, tables: &found.tables };
    format.document(&report.document(), || report.text())?;
    let refused = report.refused();
    ensure!(refused == 0, "{refused} of {} credentials were not imported", report.lines.len());
    Ok(())
}

fn read(path: &Path, key: &AppKey) -> Result<Found> {
    let mut export = Export::open(files::open(path)?)?;
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
    /// What earlier runs created, by the row's id.
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

    /// What became of one credential. An error ends the run: the vault cannot be reached or denies it.
    async fn take_over(&self, stored: &StoredCredential) -> Result<Outcome> {
        if let Some(known) = self.known.get(&stored.id) {
            self.settle(known, stored).await?;
            return Ok(Outcome::Present(known.id.clone()));
        }
        let Some(value) = &stored.secret else {
            return Ok(Outcome::Refused("the row has no secret".to_owned()));
        };
        let secret = match self.key.open(value) {
            Ok(secret) => secret,
            Err(fault) => return Ok(Outcome::Refused(fault.to_string())),
        };
        if self.dry_run {
            return Ok(Outcome::Possible);
        }
        self.create(stored, Bytes::copy_from_slice(secret.expose())).await
    }

    async fn create(&self, stored: &StoredCredential, secret: Bytes) -> Result<Outcome> {
        let labels = [(FROM, PRODUCT), (URL, self.url), (ID, &stored.id)];
        let request = CreateCredentialRequest {
            display_name: stored.name.clone(),
            provider: stored.provider.clone(),
            secret,
            labels: labels.map(|(key, value)| (key.to_owned(), value.to_owned())).into(),
            request_id: request_id(self.url, &stored.id),
            ..Default::default()
        };
        let answer = match self.vault.credentials().create_credential(unary(request)).await {
            Ok(answer) => answer.into_inner(),
            Err(status) => {
                let failed = self.vault.failed(&status);
                return match (status.code(), failed.reason()) {
                    (Code::NotFound, _) | (_, "REQUEST_ID_REUSED") => Ok(Outcome::Refused(
                        "it was imported within the last day and then deleted".to_owned(),
                    )),
                    (Code::InvalidArgument, _) => Ok(Outcome::Refused(failed.to_string())),
                    _ => Err(failed.into()),
                };
            }
        };
        let created = answer.credential.context("the vault answered without a credential")?;
        self.settle(&created, stored).await?;
        Ok(Outcome::Imported(created.id))
    }

    /// Takes it out of use where the gateway had done so. Whoever changed it since has decided otherwise.
    async fn settle(&self, credential: &Credential, stored: &StoredCredential) -> Result<()> {
        let untouched = credential.create_time == credential.update_time;
        if stored.active || !credential.active || !untouched || self.dry_run {
            return Ok(());
        }
        let request =
            DeactivateCredentialRequest { id: credential.id.clone(), etag: credential.etag.clone() };
        self.vault.answer(self.vault.credentials().deactivate_credential(unary(request))).await?;
        Ok(())
    }
}

/// The same for the same row of the same gateway. Nothing of the secret is in it: the vault keeps it in the clear.
fn request_id(url: &str, id: &str) -> String {
    let digest = Sha256::digest(json!(["strongroom import promptgate", url, id]).to_string());
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
