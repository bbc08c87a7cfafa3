//! A signal during a transfer: it ends the command with a sentence, not the process in the middle of a file.

use anyhow::{Result, bail};
use strongroom_runtime::Shutdown;

use crate::error::{Local, Refused};

/// `so` states the result of an interruption.
pub(super) async fn unless_interrupted<T>(transfer: impl Future<Output = Result<T>>, so: &str) -> Result<T> {
    match Shutdown::on_signal().unless_begun(transfer).await {
        Some(ended) => ended,
        // Dropping the transfer has removed what it had written.
        None => bail!(Refused::new(Local::Interrupted, format!("interrupted; {so}"))),
    }
}
