//! What the backup service needs in order to serve. Sources are not among it: one that is down fails only the exports
//! that read it ([`crate::source_watch`]).

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use strongroom_runtime::health::Check;

use crate::error::Error;
use crate::vault_client::VaultClient;

const VAULT: &str = "vault";
const TOKEN: &str = "token";
const STAGING: &str = "staging";

/// By name, as `/readyz` lists them.
pub(crate) const DEPENDENCIES: &[&str] = &[VAULT, TOKEN, STAGING];

/// Free bytes without which nothing is staged. A file needs its own size; this only tells a full disk.
const ROOM: u64 = 16 << 20;

/// How each of them is looked at.
pub(crate) fn checks(vault: &VaultClient, staging: PathBuf) -> Vec<(&'static str, Arc<dyn Check>)> {
    vec![
        (VAULT, Arc::new(Vault(vault.clone()))),
        (TOKEN, Arc::new(OwnToken(vault.clone()))),
        (STAGING, Arc::new(Staging(staging))),
    ]
}

/// It answers, and is itself ready.
struct Vault(VaultClient);

#[async_trait]
impl Check for Vault {
    async fn check(&self) -> Result<(), String> {
        match self.0.is_serving().await {
            Ok(true) => Ok(()),
            Ok(false) => Err("it is not ready: its own /readyz and `strongroom status` say why".into()),
            Err(error) => Err(error.to_string()),
        }
    }
}

/// The vault admits this service, as a service that may ask about callers.
struct OwnToken(VaultClient);

#[async_trait]
impl Check for OwnToken {
    async fn check(&self) -> Result<(), String> {
        match self.0.admits_us().await {
            // Only who is admitted is told that there are too many calls.
            Ok(()) | Err(Error::VaultBusy { .. }) => Ok(()),
            Err(Error::VaultAway { .. }) => Err("not known while the vault does not answer".into()),
            Err(error) => Err(error.to_string()),
        }
    }
}

/// Uploads can be staged: the folder takes a file, and the disk has room.
struct Staging(PathBuf);

#[async_trait]
impl Check for Staging {
    async fn check(&self) -> Result<(), String> {
        let folder = self.0.clone();
        let looked = tokio::task::spawn_blocking(move || {
            look(&folder).map_err(|problem| {
                format!("{}: {problem}; [backup] staging_dir names another folder", folder.display())
            })
        });
        looked.await.map_err(|error| error.to_string())?
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
        let problem = staging.check().await.unwrap_err();
        assert!(problem.contains("staging:") && problem.contains("staging_dir"), "{problem}");
        std::fs::create_dir(&staging.0).unwrap();
        staging.check().await.unwrap();
        assert_eq!(std::fs::read_dir(&staging.0).unwrap().count(), 0, "nothing is left behind");
    }
}
