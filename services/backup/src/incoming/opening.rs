//! From a staged file to an archive that can be read, with the vault's help where it came sealed.
//!
//! What is wrong with the file is a sentence for the verdict; an error is only what kept this service from looking.

use std::fs::File;
use std::io::{BufReader, Seek};

use strongroom_age::{Identity, SealedFile, Unlocked};
use strongroom_archive::seal::{Header, VaultStanza};
use strongroom_archive::{ArchiveReader, Error as ArchiveError, ManifestSignature};

use super::memory::MemoryLimits;
use super::shown::shown;
use super::staging::StagedFile;
use crate::error::{Error, Result};
use crate::vault_client::VaultClient;

/// The archive in a staged file.
pub(crate) type Archive = ArchiveReader<SealedFile<File>>;

/// What opened.
pub(crate) struct Opened {
    pub(crate) archive: Archive,
    /// As it stands in the archive; in the inner error what is wrong with its form.
    pub(crate) signature: Result<Option<ManifestSignature>, String>,
}

/// Opens the seal and the ZIP, and reads the manifest. In the inner error what is wrong with the file.
///
/// # Errors
/// Those of [`MemoryLimits::check`], the vault's, and [`Error::Staging`].
pub(crate) async fn open(
    staged: StagedFile,
    vault: &VaultClient,
    limits: MemoryLimits,
) -> Result<Result<Opened, String>> {
    let StagedFile { file, own_key } = staged;
    let (file, header) = tokio::task::spawn_blocking(move || read_header(file)).await??;
    let header = match header {
        Ok(header) => header,
        Err(problem) => return Ok(Err(problem)),
    };
    let unlocked = match own_key {
        Some(key) => Ok(header.unlock(&[Identity::X25519(key)])?),
        None => unlock(&header, vault).await?,
    };
    match unlocked {
        Ok(unlocked) => tokio::task::spawn_blocking(move || open_archive(file, &unlocked, limits)).await?,
        Err(problem) => Ok(Err(problem)),
    }
}

fn read_header(mut file: File) -> Result<(File, Result<Header, String>)> {
    file.rewind().map_err(Error::Staging)?;
    let mut reader = BufReader::new(file);
    let header = problem_of(Header::read(&mut reader))?;
    Ok((reader.into_inner(), header))
}

async fn unlock(header: &Header, vault: &VaultClient) -> Result<Result<Unlocked, String>> {
    if header.needs_passphrase() {
        let problem = "it is sealed with a passphrase, which the vault does not have; \
            `strongroom archive verify --passphrase-file` checks all but its encrypted columns";
        return Ok(Err(problem.to_owned()));
    }
    let stanzas: Vec<VaultStanza> = header.vault_stanzas().collect();
    if stanzas.is_empty() {
        let problem = "it is not sealed to a vault; `strongroom archive verify --identity` checks all but its \
            encrypted columns";
        return Ok(Err(problem.to_owned()));
    }
    match vault.unwrap_file_key(&stanzas).await? {
        Ok(file_key) => problem_of(header.unlock_with(file_key)),
        Err(problem) => Ok(Err(format!("the vault does not open its seal: {problem}"))),
    }
}

fn open_archive(file: File, unlocked: &Unlocked, limits: MemoryLimits) -> Result<Result<Opened, String>> {
    let content = match problem_of(SealedFile::open(file, unlocked).map_err(ArchiveError::from))? {
        Ok(content) => content,
        Err(problem) => return Ok(Err(problem)),
    };
    let opened = ArchiveReader::open(content, limits.limits());
    limits.check(&opened, None)?;
    let mut archive = match problem_of(opened)? {
        Ok(archive) => archive,
        Err(problem) => return Ok(Err(problem)),
    };
    let signature = problem_of(archive.signature())?;
    Ok(Ok(Opened { archive, signature }))
}

/// Tells what is wrong with the archive from what is wrong with our own disk or reader.
pub(crate) fn problem_of<T>(result: strongroom_archive::Result<T>) -> Result<Result<T, String>> {
    match result {
        Ok(value) => Ok(Ok(value)),
        Err(ArchiveError::Read(error)) => Err(Error::Staging(error)),
        Err(error @ ArchiveError::Sink(_)) => Err(error.into()),
        Err(error) => Ok(Err(shown(&error.to_string()))),
    }
}
