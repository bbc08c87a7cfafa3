//! `strongroom archive reseal`: the same archive for different recipients, under a new file key.

use std::io::{self, Seek as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use serde_json::json;
use strongroom_age::{FileKey, PublicKey, Recipient, Recipients, SealWriter};
use strongroom_api::vault::v1::WrapFileKeyRequest;
use strongroom_archive::seal::VaultStanza;
use strongroom_archive::{ArchiveReader, Limits};

use super::content::open_content;
use crate::cli::Reseal;
use crate::client::{self, Connection, unary};
use crate::input::{Input, is_stdin};
use crate::out_file::OutPath;
use crate::output::{Format, key_values};

pub(super) async fn run(command: Reseal, format: Format) -> Result<()> {
    let Reseal { file, keys, out, overwriting, recipients } = command;
    let out = OutPath::check(&out, overwriting.force)?;
    let file_name = file_name(&file);
    let input = Input::of(&file)?;
    refuse_itself(&file, out.file(&file_name).as_deref())?;
    let named = || input.name();
    // Read twice: first to check that it is an archive, then to copy its bytes.
    let (mut content, _) = open_content(&input, &keys).await?;
    let archive = ArchiveReader::open(&mut content, Limits::V1).with_context(named)?;
    let archive_id = archive.manifest().archive_id.clone();
    drop(archive);
    content.rewind().with_context(named)?;

    let file_key = FileKey::generate();
    let mut sealed_to: Vec<String> = recipients.iter().map(PublicKey::name).collect();
    let mut recipients: Vec<Recipient> = recipients.into_iter().map(Recipient::from).collect();
    if let Some(vault) = client::vault_if_allowed()? {
        let stanza = wrap(&vault, &file_key, &archive_id).await?;
        sealed_to.insert(0, format!("the vault that has the root key {}", stanza.root_key_id()));
        recipients.insert(0, Recipient::from(stanza));
    }
    ensure!(!recipients.is_empty(), "nobody could open it: give --recipient, or set STRONGROOM_TOKEN_FILE");

    let sealed = out.create(&file_name)?;
    let mut writer = SealWriter::create(sealed, &file_key, &Recipients::Keys(recipients))?;
    io::copy(&mut content, &mut writer).with_context(named)?;
    let out = writer.finish()?.finish()?;
    let document = json!({"archiveId": archive_id, "out": out, "sealedTo": sealed_to});
    format.document(&document, || {
        key_values([
            ("archive", archive_id.clone()),
            ("out", out.clone()),
            ("sealed to", sealed_to.join(", ")),
        ])
    })
}

/// The copy's name if `--out` is a folder.
fn file_name(file: &Path) -> String {
    if is_stdin(file) {
        return "archive.zip.age".to_owned();
    }
    file.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// A copy that replaces its original would leave nothing if its new recipients turned out to be wrong.
fn refuse_itself(file: &Path, out: Option<&Path>) -> Result<()> {
    let identity = |path: &Path| path.metadata().ok().map(|known| (known.dev(), known.ino()));
    let is_itself = out.and_then(identity).is_some_and(|out| Some(out) == identity(file));
    ensure!(!is_itself, "{} is the archive itself; give the copy another name", file.display());
    Ok(())
}

async fn wrap(vault: &Connection, file_key: &FileKey, archive_id: &str) -> Result<VaultStanza> {
    let file_key = file_key.expose().to_vec().into();
    let request = unary(WrapFileKeyRequest { file_key, archive_id: archive_id.to_owned() });
    let wrapped = vault.answer(vault.seals().wrap_file_key(request)).await?;
    Ok(VaultStanza::new(&wrapped.root_key_id, wrapped.wrapped.into())?)
}
