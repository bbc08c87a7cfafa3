//! The order of the story, and who acts in it.

mod archives;
mod search;
mod secrets;

use std::path::Path;

use anyhow::{Context as _, Result};
use strongroom_api::vault::v1::{IssueTokenRequest, ListAuditEventsRequest};
use strongroom_runtime::client::Bearer;

use super::narrator::Narrator;
use crate::cli::ArchiveKeys;
use crate::client::{Connection, Service, unary};
use crate::commands::audit;
use crate::embedded::{Embedded, RECOVERY_KEY};
use crate::files;
use crate::output::Table;

const NEXT: &str = "
Next, for real:
   strongroom dev --data-dir data              both services; then set STRONGROOM_TOKEN_FILE=data/admin.token
   strongroom credential create NAME --provider P --secret-file -
   strongroom backup export --out .            and on the file it names: strongroom archive verify FILE";

/// Whoever makes calls in the story.
struct Cast {
    /// Holds the first admin token.
    vault: Connection,
    /// The same person at the backup service.
    backup: Connection,
    /// A token of the role `gateway`: may reveal, may not export.
    gateway: Connection,
}

impl Cast {
    async fn assemble(embedded: &Embedded, folder: &Path) -> Result<Self> {
        let admin = Bearer::new(&files::read_token(&folder.join("admin.token"))?)?;
        let vault = Connection::new(Service::Vault, embedded.vault(), admin.clone())?;
        let backup = Connection::new(Service::Backup, embedded.backup(), admin)?;
        let request =
            IssueTokenRequest { name: "gateway".into(), role: "gateway".into(), ..Default::default() };
        let issued = vault.answer(vault.tokens().issue_token(unary(request))).await?;
        let gateway = Connection::new(Service::Vault, embedded.vault(), Bearer::new(&issued.secret)?)?;
        Ok(Self { vault, backup, gateway })
    }
}

/// Tells everything after the start of the services.
pub(super) async fn tell(
    embedded: &Embedded,
    folder: &Path,
    database: &Path,
    narrator: &mut Narrator,
) -> Result<()> {
    let cast = Cast::assemble(embedded, folder).await?;
    let ids = secrets::create(&cast, narrator).await.context("creating credentials")?;
    secrets::bind(&cast, &ids, database, narrator).await.context("binding credentials")?;
    secrets::use_and_withdraw(&cast, &ids, narrator).await.context("withdrawing a credential")?;
    let exported = archives::export(&cast, folder, narrator).await.context("exporting")?;
    let keys = ArchiveKeys { identity: Some(folder.join(RECOVERY_KEY)), ..ArchiveKeys::default() };
    archives::verify(&exported, &keys, narrator).await.context("verifying")?;
    search::no_secret_in(folder, &exported, &keys, narrator).await.context("searching for secrets")?;
    trail(&cast, narrator).await.context("reading the audit log")?;
    narrator.say(NEXT)
}

async fn trail(cast: &Cast, narrator: &mut Narrator) -> Result<()> {
    let mut events = audit::newest(&cast.vault, ListAuditEventsRequest::default(), 100).await?;
    events.reverse();
    narrator.step(
        "The audit trail has all of it",
        "Who did what to which credential, what was refused, and both exports with their sizes. An\n\
         operation whose event cannot be written fails.",
    )?;
    let mut table = Table::new(&["#", "EVENT", "TARGET", "ACTOR", "OUTCOME"]);
    for event in events {
        table.row([
            &event.sequence.to_string(),
            &event.event,
            &event.target,
            &event.actor,
            &audit::outcome(&event),
        ]);
    }
    narrator.show(&table.to_string())
}
