//! `strongroom dev`: both services in one process, for development.

use anyhow::Result;
use strongroom_runtime::Shutdown;

use crate::cli::Dev;
use crate::embedded::{Embedded, RECOVERY_KEY, Settings};
use crate::output::{message, print};

pub(super) async fn run(dev: Dev) -> Result<()> {
    let mut settings = Settings::load(dev.config.as_deref())?;
    if let Some(listen) = dev.vault_listen {
        settings.vault.listen = listen;
    }
    if let Some(listen) = dev.backup_listen {
        settings.backup.backup.listen = listen;
    }
    let own_recovery_key = !settings.has_seal();
    let root_key = settings.root_key(&dev.data_dir);
    let shutdown = Shutdown::of_service();
    let starting = Embedded::start(settings, &dev.data_dir);
    let Some(started) = shutdown.unless_begun(starting).await else {
        return Ok(());
    };
    let embedded = started?;
    message(&format!("vault on {}", embedded.vault().url));
    message(&format!("backup on {}", embedded.backup().url));
    message(&format!("root key in {}", root_key.display()));
    if own_recovery_key {
        message(&format!(
            "archives are sealed to the vault and to the recovery key {}, which is for development only; for \
             production, `strongroom recovery create` makes a key to store in a safe",
            dev.data_dir.join(RECOVERY_KEY).display()
        ));
    }
    print("ready\n")?;
    embedded.serve_until(&shutdown).await
}
