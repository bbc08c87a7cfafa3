//! `strongroom audit watch`: prints events as they happen, until it is stopped.

use anyhow::{Error, Result, bail};
use strongroom_api::vault::v1::WatchAuditEventsRequest;
use strongroom_runtime::Shutdown;
use tonic::Request;

use super::event::{EVENT, cells};
use crate::cli::WatchEvents;
use crate::client::Connection;
use crate::output::{Format, line};

/// The vault's value for "from now on".
const FROM_NOW_ON: i64 = -1;

/// A signal is the intended end, so it is not a failure.
pub(super) async fn run(vault: &Connection, watch: WatchEvents, format: Format) -> Result<()> {
    Shutdown::on_signal().unless_begun(follow(vault, watch, format)).await.unwrap_or(Ok(()))
}

async fn follow(vault: &Connection, watch: WatchEvents, format: Format) -> Result<()> {
    let request = WatchAuditEventsRequest {
        event: watch.event.unwrap_or_default(),
        after_sequence: watch.after.unwrap_or(FROM_NOW_ON),
    };
    let opened = vault.audit().watch_audit_events(Request::new(request)).await;
    let mut stream = opened.map_err(|status| vault.failed(&status))?.into_inner();
    let mut last = None;
    loop {
        let next = match stream.message().await {
            Ok(next) => next,
            Err(status) => return Err(Error::new(vault.failed(&status)).context(ended(last))),
        };
        let Some(message) = next else {
            bail!(ended(last));
        };
        let Some(event) = message.event else {
            continue;
        };
        format.line(EVENT, &event, || line(cells(&event)))?;
        last = Some(event.sequence);
    }
}

/// Says that the watch has ended, and how to miss no event.
fn ended(last: Option<i64>) -> String {
    match last {
        Some(last) => format!("the watch ended; --after {last} resumes it"),
        None => "the watch ended".to_owned(),
    }
}
