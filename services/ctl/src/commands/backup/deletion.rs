//! `strongroom backup delete`.

use anyhow::Result;
use strongroom_api::backup::v1::{Backup, BackupState};

use super::{details, stored};
use crate::cli::DeleteBackup;
use crate::client;
use crate::commands::confirmation;
use crate::output::{Format, key_values};
use crate::time::shown;

pub(super) async fn run(delete: DeleteBackup, format: Format) -> Result<()> {
    let id = delete.backup.id;
    let asks = confirmation::is_needed(&delete.confirmation)?;
    let service = client::backup()?;
    // The answer applies to the displayed state: a backup that changes in between is not deleted.
    let etag = if asks {
        let backup = stored::get(&service, id.clone()).await?;
        confirmation::ask(&loss(&backup), "delete it")?;
        backup.etag
    } else {
        String::new()
    };
    stored::print_one(format, &stored::delete(&service, id, etag).await?)
}

fn loss(backup: &Backup) -> String {
    let verified = backup.verification.as_ref().map(details::verified);
    let shown = key_values([
        ("backup", backup.id.clone()),
        ("file", backup.file_name.clone()),
        ("created", shown(backup.create_time.as_ref())),
        ("state", details::state(backup.state()).to_owned()),
        ("size", details::size(backup)),
        ("destinations", details::destinations(backup)),
        ("verified", verified.unwrap_or_default()),
    ]);
    let until = match backup.state() {
        BackupState::Failed => "nothing brings its record back",
        _ => {
            "`strongroom backup undelete` brings it back until the server's delay is over, 7 days by default"
        }
    };
    format!("{shown}{until}")
}
