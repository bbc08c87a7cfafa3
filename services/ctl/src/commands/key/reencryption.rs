//! `strongroom key reencrypt`: starts a re-encryption, and watches its progress.
//!
//! The vault does the work. It continues whatever ends this command, and another run of the command joins it.

use anyhow::{Error, Result, bail};
use strongroom_api::vault::v1::{ReencryptRequest, ReencryptResponse};
use strongroom_runtime::Shutdown;
use tonic::{Request, Status};

use crate::client::Connection;
use crate::commands::progress::Progress;
use crate::output::{Format, key_values};

const GOES_ON: &str = "the vault continues; `strongroom key reencrypt` shows its progress";

pub(super) async fn run(vault: &Connection, rate: Option<i32>, format: Format) -> Result<()> {
    let request = ReencryptRequest { rows_per_second: rate.unwrap_or(0) };
    let Some(watched) = Shutdown::on_signal().unless_begun(watch(vault, request)).await else {
        bail!("interrupted; {GOES_ON}");
    };
    let last = watched?;
    format.message("strongroom.vault.v1.ReencryptResponse", &last, || {
        key_values([
            ("re-encrypted", format!("{} rows", last.rows_done)),
            ("left", format!("{} rows", last.rows_left)),
        ])
    })
}

/// The last message of the run.
async fn watch(vault: &Connection, request: ReencryptRequest) -> Result<ReencryptResponse> {
    let opened = vault.keys().reencrypt(Request::new(request)).await;
    let mut stream = opened.map_err(|status| vault.failed(&status))?.into_inner();
    let progress = Progress::of_reencryption();
    let mut has_begun = false;
    while let Some(run) = stream.message().await.map_err(|status| broken(vault, &status, has_begun))? {
        has_begun = true;
        progress.rows(&run);
        if run.done {
            progress.finish();
            return Ok(run);
        }
    }
    bail!("the stream ended before the work was done; {GOES_ON}")
}

/// Before the first message, a status is a refusal; after it, only the watch has ended.
fn broken(vault: &Connection, status: &Status, has_begun: bool) -> Error {
    let error = Error::new(vault.failed(status));
    if has_begun {
        error.context("the progress of the re-encryption could not be followed to its end")
    } else {
        error
    }
}
