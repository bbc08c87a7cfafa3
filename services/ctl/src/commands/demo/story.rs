//! The order of the story, and its actors.

mod archives;
mod cast;
mod loss;
mod search;
mod secrets;
mod stored;

use std::path::Path;

use anyhow::{Context as _, Result};
use strongroom_api::vault::v1::ListAuditEventsRequest;

use crate::cli::ArchiveKeys;
use crate::commands::audit;
use crate::commands::demo::narrator::Narrator;
use crate::embedded::{Embedded, RECOVERY_KEY};
use crate::output::Table;
use cast::Cast;
pub(super) use loss::{Left, lose_everything, restore};

const NEXT: &str = "
Next, for real:
   strongroom dev --data-dir data              both services; then set STRONGROOM_TOKEN_FILE=data/admin.token
   strongroom credential create NAME --provider P --secret-file -
   strongroom backup export --out .            and on the file it names: strongroom archive verify FILE";

/// The whole story, from the start of the services to their loss.
pub(super) async fn tell(
    embedded: &Embedded,
    folder: &Path,
    database: &Path,
    narrator: &mut Narrator,
) -> Result<Left> {
    let cast = Cast::assemble(embedded, folder).await?;
    let ids = secrets::create(&cast, narrator).await.context("creating credentials")?;
    secrets::bind(&cast, &ids, database, narrator).await.context("binding credentials")?;
    secrets::use_and_withdraw(&cast, &ids, narrator).await.context("withdrawing a credential")?;
    let exported = archives::export(&cast, folder, narrator).await.context("exporting")?;
    let keys = ArchiveKeys { identity: Some(folder.join(RECOVERY_KEY)), ..ArchiveKeys::default() };
    archives::verify(&exported, &keys, narrator).await.context("verifying")?;
    stored::store(&cast, narrator).await.context("storing a backup")?;
    search::no_secret_in(folder, &exported, &keys, narrator).await.context("searching for secrets")?;
    trail(&cast, narrator).await.context("reading the audit log")?;
    let [credential, ..] = ids;
    let [_, archive] = exported;
    loss::remember(&cast, credential, archive).await
}

/// The closing text.
pub(super) fn end(narrator: &Narrator) -> Result<()> {
    narrator.say(NEXT)
}

async fn trail(cast: &Cast, narrator: &mut Narrator) -> Result<()> {
    let mut events = audit::newest(&cast.vault, ListAuditEventsRequest::default(), 100).await?;
    events.reverse();
    narrator.step(
        "The audit trail records everything",
        "Who did what to which credential, what was refused, and every backup with its size. An\n\
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
