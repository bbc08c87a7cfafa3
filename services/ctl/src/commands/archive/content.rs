//! An archive on this machine: plain, or sealed and opened at any position with the operator's keys.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use strongroom_age::{FileKey, Identity, IdentityFile, SealError, SealedFile, Unlocked};
use strongroom_api::vault::v1::{UnwrapFileKeyRequest, WrappedFileKey};
use strongroom_archive::seal::{Header, VaultStanza};
use strongroom_archive::{ArchiveReader, Error, Limits};
use strongroom_crypto::{RootKey, SecretBytes};

use crate::cli::ArchiveKeys;
use crate::client::{self, Connection, unary};
use crate::input::{self, Input};
use crate::secret_input;

const GIVE_A_KEY: &str = "give a recovery key with --identity, or set STRONGROOM_TOKEN_FILE to ask the vault";

/// Longest identity file that is read.
const MAX_IDENTITY_BYTES: u64 = 2 << 20;

/// The ZIP, plain or sealed.
pub(in crate::commands) enum Content {
    Plain(BufReader<File>),
    Sealed(Box<SealedFile<File>>),
}

impl Read for Content {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(file) => file.read(buffer),
            Self::Sealed(file) => file.read(buffer),
        }
    }
}

impl Seek for Content {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        match self {
            Self::Plain(file) => file.seek(to),
            Self::Sealed(file) => file.seek(to),
        }
    }
}

/// Opens the archive in `input`, and refuses one that violates the ZIP profile or the limits of the format (FORMAT.md,
/// sections 2 and 8). The second value is the file's size in bytes.
pub(in crate::commands) async fn open(
    input: &Input,
    keys: &ArchiveKeys,
) -> Result<(ArchiveReader<Content>, u64)> {
    let named = || input.name();
    let (content, size) = open_content(input, keys).await?;
    let archive = ArchiveReader::open(content, Limits::V1).with_context(named)?;
    Ok((archive, size))
}

/// [`open`] without reading the ZIP.
pub(super) async fn open_content(input: &Input, keys: &ArchiveKeys) -> Result<(Content, u64)> {
    let named = || input.name();
    let file = input.open()?;
    let size = file.metadata().with_context(named)?.len();
    let mut file = BufReader::new(file);
    match Header::read(&mut file) {
        Ok(header) => {
            let unlocked = unlock(&header, keys).await.with_context(named)?;
            let sealed = SealedFile::open(file.into_inner(), &unlocked).with_context(named)?;
            Ok((Content::Sealed(Box::new(sealed)), size))
        }
        Err(Error::Seal(SealError::NotSealed)) => {
            file.rewind().with_context(named)?;
            Ok((Content::Plain(file), size))
        }
        Err(error) => Err(error).with_context(named),
    }
}

async fn unlock(header: &Header, keys: &ArchiveKeys) -> Result<Unlocked> {
    let identities = identities(keys)?;
    if !identities.is_empty() {
        return Ok(header.unlock(&identities)?);
    }
    if header.needs_passphrase() {
        return header.unlock(&[]).context("give --passphrase-file");
    }
    let stanzas: Vec<VaultStanza> = header.vault_stanzas().collect();
    match client::vault_if_allowed()? {
        Some(vault) if !stanzas.is_empty() => ask(&vault, header, &stanzas).await,
        _ => header.unlock(&[]).context(GIVE_A_KEY),
    }
}

async fn ask(vault: &Connection, header: &Header, stanzas: &[VaultStanza]) -> Result<Unlocked> {
    let stanza = |stanza: &VaultStanza| WrappedFileKey {
        root_key_id: stanza.root_key_id().to_owned(),
        wrapped: stanza.wrapped().to_vec().into(),
    };
    let request = unary(UnwrapFileKeyRequest { stanzas: stanzas.iter().map(stanza).collect() });
    let answer = vault.answer(vault.seals().unwrap_file_key(request)).await?;
    let file_key = FileKey::from_slice(&answer.file_key).context("the vault sent an invalid file key")?;
    Ok(header.unlock_with(file_key)?)
}

/// The operator's keys to open archives; empty if none were given.
fn identities(keys: &ArchiveKeys) -> Result<Vec<Identity>> {
    let passphrase = keys.passphrase_file.as_deref().map(secret_input::passphrase);
    let Some(path) = &keys.identity else {
        return Ok(passphrase.transpose()?.map(Identity::Passphrase).into_iter().collect());
    };
    let named = || format!("the identity in {}", input::name(path));
    let text = read_identity(path).with_context(named)?;
    ensure!(
        !is_root_key(text.expose()),
        "{} holds a root key: a vault that runs with it opens its archives, without --identity (docs/total-loss.md)",
        input::name(path)
    );
    match IdentityFile::read(text.expose()).with_context(named)? {
        IdentityFile::Plain(identities) => Ok(identities),
        IdentityFile::Locked(locked) => {
            let passphrase = passphrase.with_context(named).context(
                "it is locked: give --passphrase-file FILE, or `--passphrase-file -` to type the passphrase",
            )?;
            locked.unlock(&passphrase?).with_context(named)
        }
    }
}

/// Operators hold both files, and only one of them opens an archive by itself.
fn is_root_key(file: &[u8]) -> bool {
    std::str::from_utf8(file).is_ok_and(|text| RootKey::parse(text).is_ok())
}

fn read_identity(path: &Path) -> Result<SecretBytes> {
    let mut bytes = Vec::new();
    input::stream(path)?.take(MAX_IDENTITY_BYTES).read_to_end(&mut bytes)?;
    Ok(SecretBytes::new(bytes))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn a_root_key_is_named_as_such_and_not_shown() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let key = RootKey::generate().to_text();
        std::fs::write(file.path(), format!("{}\n", key.as_str())).unwrap();
        let keys = ArchiveKeys { identity: Some(file.path().to_owned()), passphrase_file: None };
        let refused = format!("{:#}", identities(&keys).err().unwrap());
        assert!(refused.contains("holds a root key") && !refused.contains(key.as_str()), "{refused}");
        std::fs::write(file.path(), "base64:short").unwrap();
        let refused = format!("{:#}", identities(&keys).err().unwrap());
        assert!(refused.contains("line 1 is not an identity"), "{refused}");
    }
}
