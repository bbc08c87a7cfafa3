//! `strongroom drill`.

mod shown;

use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use strongroom_api::backup::v1::{Drill, DrillState, GetDrillRequest, ListDrillsRequest, RunDrillRequest};

use super::backup::with_reason;
use super::interruption::unless_interrupted;
use crate::cli::{DrillCommand, RunDrill};
use crate::client::{self, Connection, PAGE_SIZE, unary};
use crate::error::NotDone;
use crate::output::{Format, printable};
pub(super) use shown::state as drill_state;

/// Its full protobuf name, for JSON.
const DRILL: &str = "strongroom.backup.v1.Drill";
/// Time between two checks of a running drill.
const PERIOD: Duration = Duration::from_millis(500);

pub(super) async fn run(command: DrillCommand, format: Format) -> Result<()> {
    let service = client::backup()?;
    match command {
        DrillCommand::Run(given) => run_one(&service, given, format).await,
        DrillCommand::List => list(&service, format).await,
        DrillCommand::Get(given) => print(&get(&service, given.id).await?, format),
    }
}

async fn run_one(service: &Connection, given: RunDrill, format: Format) -> Result<()> {
    let request = unary(RunDrillRequest { backup_id: given.backup.unwrap_or_default() });
    let begun = known(service.answer(service.drills().run_drill(request)).await?.drill)?;
    if given.no_wait {
        return print(&begun, format);
    }
    let advice = format!("the drill continues; `strongroom drill get {}` shows how it ends", begun.id);
    let ended = unless_interrupted(until_ended(service, begun), &advice).await?;
    print(&ended, format)?;
    judge(&ended)
}

async fn until_ended(service: &Connection, mut drill: Drill) -> Result<Drill> {
    while drill.state() == DrillState::Running {
        tokio::time::sleep(PERIOD).await;
        let id = drill.id.clone();
        let advice = || format!("`strongroom drill get {id}` shows how the drill has ended");
        drill = get(service, drill.id).await.with_context(advice)?;
    }
    Ok(drill)
}

async fn get(service: &Connection, id: String) -> Result<Drill> {
    known(service.answer(service.drills().get_drill(unary(GetDrillRequest { id }))).await?.drill)
}

async fn list(service: &Connection, format: Format) -> Result<()> {
    let mut request = ListDrillsRequest { page_size: PAGE_SIZE, page_token: String::new() };
    let mut drills = Vec::new();
    loop {
        let page = service.answer(service.drills().list_drills(unary(request.clone()))).await?;
        drills.extend(page.drills);
        if page.next_page_token.is_empty() {
            break;
        }
        request.page_token = page.next_page_token;
    }
    format.list(DRILL, &drills, || shown::table(&drills))
}

fn print(drill: &Drill, format: Format) -> Result<()> {
    format.message(DRILL, drill, || shown::text(drill))
}

fn known(drill: Option<Drill>) -> Result<Drill> {
    drill.context("the backup service answered without a drill")
}

fn judge(drill: &Drill) -> Result<()> {
    match drill.state() {
        DrillState::Passed => Ok(()),
        state => {
            let how = if state == DrillState::Failed { "has failed" } else { "could not be done" };
            let sentence =
                format!("the drill {how}: {}", printable(&with_reason(&drill.problem, &drill.reason)));
            bail!(NotDone::new(sentence, &drill.reason))
        }
    }
}
