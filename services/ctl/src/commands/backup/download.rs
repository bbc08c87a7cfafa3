//! `strongroom backup download`: downloads a stored backup, over as many connections and processes as necessary.

mod object;
mod partial;
mod receiving;
mod transfer;

use std::io::{self, Write};
use std::path::PathBuf;

use anyhow::{Result, ensure};
use serde_json::json;
use tonic::{Request, Status};

use self::object::Object;
use self::partial::{Names, Partial};
use self::receiving::{Stopped, receive};
use self::transfer::{Begun, Transfer};
use super::stored;
use crate::cli::DownloadBackup;
use crate::client::{self, Connection};
use crate::commands::interruption::unless_interrupted;
use crate::commands::progress::Progress;
use crate::commands::retries::Retries;
use crate::error::WrongUsage;
use crate::out_file::{OutPath, is_plain_name, refuse_existing};
use crate::output::{Format, data_out, int64, key_values, message, printable};

pub(super) async fn run(download: DownloadBackup, format: Format) -> Result<()> {
    let out = OutPath::check(&download.out, download.force)?;
    let service = client::backup()?;
    match out {
        OutPath::Stdout => to_stdout(&service, download, format).await,
        OutPath::File(path) => to_file(&service, download, path, format).await,
        OutPath::Folder { folder, .. } => {
            let name = stored::get(&service, download.backup.id.clone()).await?.file_name;
            ensure!(is_plain_name(&name), "the backup is called {name:?}, which is not a plain file name");
            to_file(&service, download, folder.join(name), format).await
        }
    }
}

async fn to_stdout(service: &Connection, download: DownloadBackup, format: Format) -> Result<()> {
    ensure!(!download.resume, WrongUsage::new("--resume needs a file: standard output cannot be read again"));
    let transfer = Transfer::new(download.backup.id, download.destination.unwrap_or_default());
    let create = |object: &Object| Ok(Sink { out: data_out(), progress: of(object), written: 0 });
    let ended = transferred(service, transfer, create).await;
    let (sink, object) = ended.map_err(|Stopped { error, .. }| error)?;
    sink.progress.finish();
    let said = if format == Format::Json { document(&object, "-").to_string() } else { text(&object, "-") };
    message(said.trim_end());
    Ok(())
}

async fn to_file(
    service: &Connection,
    download: DownloadBackup,
    path: PathBuf,
    format: Format,
) -> Result<()> {
    let DownloadBackup { backup, destination, resume, force, .. } = download;
    refuse_existing(&path, force)?;
    let names = Names::of(path);
    let advice = advice(&backup.id, &names);
    let downloading = async {
        let resumed = match names.refuse_of_another(&backup.id) {
            Ok(()) if resume => names.resumable(destination.as_deref())?,
            Err(refused) if !force => return Err(refused),
            _ => None,
        };
        let transfer = match resumed {
            Some(object) => Transfer::resume(reopened(names.clone(), object).await?),
            None => Transfer::new(backup.id.clone(), destination.unwrap_or_default()),
        };
        let create = |object: &Object| {
            Ok(Sink { out: Partial::create(names.clone(), object)?, progress: of(object), written: 0 })
        };
        let ended = transferred(service, transfer, create).await;
        ended.map_err(|Stopped { error, is_resumable }| match is_resumable && names.state.exists() {
            true => error.context(advice.clone()),
            false => error,
        })
    };
    let (sink, object) = unless_interrupted(downloading, &advice).await?;
    sink.progress.finish();
    let out = sink.out.finish()?;
    format.document(&document(&object, &out), || text(&object, &out))
}

/// How to continue an interrupted download.
fn advice(id: &str, names: &Names) -> String {
    let file = names.file.display().to_string();
    format!(
        "the download is incomplete; `strongroom backup download {id} --out {} --resume` continues it",
        printable(&file)
    )
}

async fn reopened(names: Names, object: Object) -> Result<Begun<Sink<Partial>>> {
    let progress = of(&object);
    progress.checking();
    let begun = partial::reopen(names, object, |read| progress.received(read)).await?;
    progress.goes_on();
    let Begun { object, sink: out, received, digest } = begun;
    Ok(Begun { object, sink: Sink { out, progress, written: received }, received, digest })
}

async fn transferred<W: Write>(
    service: &Connection,
    mut transfer: Transfer<W>,
    create: impl FnMut(&Object) -> Result<W>,
) -> Result<(W, Object), Stopped> {
    let open = async |request| {
        let opened = service.backups().download_backup(Request::new(request)).await?;
        Ok(opened.into_inner())
    };
    let failed = |status: &Status| service.failed(status);
    receive(&mut transfer, Retries::new(), open, create, failed).await?;
    transfer.finish().map_err(|error| Stopped { error, is_resumable: true })
}

fn of(object: &Object) -> Progress {
    Progress::of_download(object.size)
}

/// The destination of the bytes, with its progress bar.
struct Sink<W> {
    out: W,
    progress: Progress,
    written: u64,
}

impl<W: Write> Write for Sink<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let length = self.out.write(bytes)?;
        self.written += length as u64;
        self.progress.received(self.written);
        Ok(length)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

fn document(object: &Object, out: &str) -> serde_json::Value {
    json!({
        "id": object.id,
        "destination": object.destination,
        "out": out,
        "sizeBytes": int64(object.size),
        "sha256": object.sha256,
    })
}

fn text(object: &Object, out: &str) -> String {
    key_values([
        ("backup", object.id.clone()),
        ("destination", object.destination.clone()),
        ("out", out.to_owned()),
        ("size", format!("{} bytes", object.size)),
        ("sha256", object.sha256.clone()),
    ])
}
