//! A backup that the service stores, verifies and lists.

use anyhow::Result;
use strongroom_api::backup::v1::CreateBackupRequest;

use super::cast::Cast;
use crate::commands::backup;
use crate::commands::demo::narrator::Narrator;

/// Stores, verifies and lists a backup.
pub(super) async fn store(cast: &Cast, narrator: &mut Narrator) -> Result<()> {
    let stored = backup::store(&cast.backup, CreateBackupRequest::default()).await?;
    let verdict = backup::verify_stored_backup(&cast.backup, stored.id).await?;
    narrator.step(
        "A backup that the service stores, and verifies",
        &format!(
            "The same archive in a folder or a bucket, and a signed record beside it: were the catalogue lost,\n\
             `backup scan` would rebuild it from those. The service has read the file again and asked the vault\n\
             about every sealed value in it: {} rows, {} values, and all of them would open today.",
            verdict.rows, verdict.values
        ),
    )?;
    let all = backup::list_backups(&cast.backup, Vec::new()).await?;
    narrator.show(&backup::table_of_backups(&all).to_string())
}
