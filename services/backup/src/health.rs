//! Dependencies without which the backup service cannot serve. Sources are not among them: a source that is down fails
//! only the exports that read it ([`crate::source_watch`]).

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use strongroom_runtime::health::{Check, Fault, PATIENCE};
use tokio::time::timeout;
use tonic::Code;

use crate::error::Error;
use crate::store::Store;
use crate::vault_client::VaultClient;

const VAULT: &str = "vault";
const TOKEN: &str = "token";
const STAGING: &str = "staging";
const DATABASE: &str = "database";

/// Names, as `/readyz` lists them.
pub(crate) const DEPENDENCIES: &[&str] = &[DATABASE, VAULT, TOKEN, STAGING];

/// Free bytes below which nothing is staged. A file needs its own size as well; this only detects a full disk.
const ROOM: u64 = 16 << 20;

/// The token's state while the vault does not answer.
const NOT_KNOWN: &str = "not known while the vault does not answer";

/// Whether the log already has this error as the state of a dependency, so that no other code needs to log it.
pub(crate) fn is_watched(error: &Error) -> bool {
    match error {
        Error::VaultAway { .. } => true,
        Error::VaultRefused { source } => source.code() == Code::Unauthenticated,
        _ => false,
    }
}

/// The check of each dependency.
pub(crate) fn checks(
    vault: &VaultClient,
    store: &Arc<dyn Store>,
    staging: PathBuf,
) -> Vec<(&'static str, Arc<dyn Check>)> {
    vec![
        (DATABASE, Arc::new(Database(Arc::clone(store)))),
        (VAULT, Arc::new(Vault(vault.clone()))),
        (TOKEN, Arc::new(OwnToken(vault.clone()))),
        (STAGING, Arc::new(Staging(staging))),
    ]
}

/// Checks that the service's own database answers.
struct Database(Arc<dyn Store>);

#[async_trait]
impl Check for Database {
    async fn check(&self) -> Result<(), Fault> {
        self.0.ping().await.map_err(|error| Fault::Own(error.to_string()))
    }
}

/// Checks that the vault answers and is itself ready.
struct Vault(VaultClient);

#[async_trait]
impl Check for Vault {
    async fn check(&self) -> Result<(), Fault> {
        match self.0.is_serving().await {
            Ok(true) => Ok(()),
            Ok(false) => {
                Err(Fault::Own("it is not ready: its own /readyz and `strongroom status` say why".into()))
            }
            Err(error) => Err(Fault::Own(error.to_string())),
        }
    }
}

/// Checks that the vault accepts this service's credentials and lets it ask about callers.
struct OwnToken(VaultClient);

#[async_trait]
impl Check for OwnToken {
    async fn check(&self) -> Result<(), Fault> {
        let follows = || Err(Fault::Follows(NOT_KNOWN.to_owned()));
        // Slightly shorter than the limit of the vault check, which times out for the same reason.
        match timeout(PATIENCE * 9 / 10, self.0.admits_us()).await {
            // The vault reports too many calls only to authenticated callers.
            Ok(Ok(()) | Err(Error::VaultBusy { .. })) => Ok(()),
            Ok(Err(Error::VaultAway { .. })) | Err(_) => follows(),
            Ok(Err(error)) => Err(Fault::Own(error.to_string())),
        }
    }
}

/// Checks that uploads can be staged: a file can be written to the folder, and the disk has room.
struct Staging(PathBuf);

#[async_trait]
impl Check for Staging {
    async fn check(&self) -> Result<(), Fault> {
        let folder = self.0.clone();
        let looked = tokio::task::spawn_blocking(move || {
            look(&folder).map_err(|problem| {
                format!("{}: {problem}; [backup] staging_dir names another folder", folder.display())
            })
        });
        looked.await.map_err(|error| error.to_string())?.map_err(Fault::Own)
    }
}

fn look(folder: &Path) -> Result<(), String> {
    let written = tempfile::tempfile_in(folder).and_then(|mut file| file.write_all(b"staging"));
    written.map_err(|error| error.to_string())?;
    let disk = rustix::fs::statvfs(folder).map_err(|error| error.to_string())?;
    let free = disk.f_bavail.saturating_mul(disk.f_frsize);
    if free < ROOM {
        return Err(format!("{free} bytes are free; at least {ROOM} are needed"));
    }
    Ok(())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_folder_that_is_gone_is_named_and_may_come_back() {
        let folder = tempfile::tempdir().unwrap();
        let staging = Staging(folder.path().join("staging"));
        let fault = staging.check().await.unwrap_err();
        let problem = fault.reason();
        assert!(problem.contains("staging:") && problem.contains("staging_dir"), "{problem}");
        std::fs::create_dir(&staging.0).unwrap();
        staging.check().await.unwrap();
        assert_eq!(std::fs::read_dir(&staging.0).unwrap().count(), 0, "nothing is left behind");
    }
}
