//! Opens a staged file as an archive, with the vault's help if it was sealed when it arrived.
//!
//! A fault of the file is returned as text for the verdict; `Err` means that this service itself failed.

use std::fs::File;
use std::io::{BufReader, Seek};

use bytes::Bytes;
use strongroom_age::{Identity, SealedFile, Unlocked};
use strongroom_api::limits::RING_BYTES;
use strongroom_archive::seal::{Header, VaultStanza};
use strongroom_archive::{ArchiveReader, Error as ArchiveError, ManifestSignature};

use super::memory::MemoryLimits;
use super::processor::Allowance;
use super::shown::shown;
use super::staging::StagedFile;
use crate::error::{Error, Result};
use crate::vault_client::VaultClient;

/// The archive in a staged file.
pub(crate) type Archive = ArchiveReader<SealedFile<File>>;

/// An opened archive.
pub(crate) struct Opened {
    pub(crate) archive: Archive,
    /// As stored in the archive; the inner error says why it is malformed.
    pub(crate) signature: Result<Option<ManifestSignature>, String>,
    /// `keys/ring.json`, if it can be read and is not longer than a vault accepts.
    pub(crate) ring: Option<Bytes>,
    /// The allowance that is left for reading it.
    pub(crate) allowance: Allowance,
}

/// The reason why a file cannot be opened.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unopened {
    /// Its seal cannot be opened here; it may be intact.
    #[error("{0}")]
    Seal(String),
    /// It is damaged, or not an archive.
    #[error("{0}")]
    Content(String),
}

/// Opens the seal and the ZIP, and reads the manifest. The inner error is a fault of the file. The threads that do this
/// hold `held` until they end, even if the returned future is dropped earlier.
///
/// # Errors
/// Errors of [`MemoryLimits::check`] and of the vault, [`Error::VerifyProcessor`], and [`Error::Staging`].
pub(crate) async fn open(
    staged: StagedFile,
    vault: &VaultClient,
    limits: MemoryLimits,
    allowance: Allowance,
    held: impl Clone + Send + 'static,
) -> Result<Result<Opened, Unopened>> {
    let StagedFile { file, own_key } = staged;
    let (file, header) = blocking(held.clone(), move || read_header(file)).await?;
    let header = match header {
        Ok(header) => header,
        Err(problem) => return Ok(Err(Unopened::Content(problem))),
    };
    let unlocked = match own_key {
        Some(key) => Ok(header.unlock(&[Identity::X25519(key)])?),
        None => unlock(&header, vault).await?,
    };
    match unlocked {
        Ok(unlocked) => {
            let opened = blocking(held, move || open_archive(file, &unlocked, limits, allowance)).await?;
            Ok(opened.map_err(Unopened::Content))
        }
        Err(problem) => Ok(Err(problem)),
    }
}

async fn blocking<T: Send + 'static>(
    held: impl Send + 'static,
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    let done = tokio::task::spawn_blocking(move || {
        let _held = held;
        work()
    });
    done.await?
}

fn read_header(mut file: File) -> Result<(File, Result<Header, String>)> {
    file.rewind().map_err(Error::Staging)?;
    let mut reader = BufReader::new(file);
    let header = problem_of(Header::read(&mut reader))?;
    Ok((reader.into_inner(), header))
}

async fn unlock(header: &Header, vault: &VaultClient) -> Result<Result<Unlocked, Unopened>> {
    if header.needs_passphrase() {
        let problem = "it is sealed with a passphrase, which the vault does not have; \
            `strongroom archive verify --passphrase-file` checks all but its encrypted columns";
        return Ok(Err(Unopened::Seal(problem.to_owned())));
    }
    let stanzas: Vec<VaultStanza> = header.vault_stanzas().collect();
    if stanzas.is_empty() {
        let problem = "it is not sealed to a vault; `strongroom archive reseal --identity` seals it to this one, and \
            `strongroom archive verify --identity` checks all but its encrypted columns";
        return Ok(Err(Unopened::Seal(problem.to_owned())));
    }
    match vault.unwrap_file_key(&stanzas).await? {
        Ok(file_key) => Ok(problem_of(header.unlock_with(file_key))?.map_err(Unopened::Content)),
        Err(problem) => Ok(Err(Unopened::Seal(format!("the vault cannot open its seal: {problem}")))),
    }
}

fn open_archive(
    file: File,
    unlocked: &Unlocked,
    limits: MemoryLimits,
    allowance: Allowance,
) -> Result<Result<Opened, String>> {
    let processor = allowance.begin();
    let content = match problem_of(SealedFile::open(file, unlocked).map_err(ArchiveError::from))? {
        Ok(content) => content,
        Err(problem) => return Ok(Err(problem)),
    };
    let opened = ArchiveReader::open(content, limits.limits());
    limits.check(&opened, None)?;
    processor.check()?;
    let mut archive = match problem_of(opened)? {
        Ok(archive) => archive,
        Err(problem) => return Ok(Err(problem)),
    };
    let signature = problem_of(archive.signature())?;
    // A fault of this entry is reported when all entries are checked.
    let ring = problem_of(archive.ring(RING_BYTES as u64))?.ok().flatten().map(Bytes::from);
    Ok(Ok(Opened { archive, signature, ring, allowance: processor.end() }))
}

/// Distinguishes a fault of the archive from one of our own disk or reader.
pub(crate) fn problem_of<T>(result: strongroom_archive::Result<T>) -> Result<Result<T, String>> {
    match result {
        Ok(value) => Ok(Ok(value)),
        Err(ArchiveError::Read(error)) => Err(Error::Staging(error)),
        Err(error @ ArchiveError::Sink(_)) => Err(error.into()),
        Err(error) => Ok(Err(shown(&error.to_string()))),
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::sync::{Arc, mpsc};
    use std::time::Duration;

    use strongroom_archive::ManifestHead;
    use strongroom_testkit::archives::{empty, head};

    use super::*;

    const MEMORY: MemoryLimits = MemoryLimits { row: 1 << 20, manifest: 1 << 20 };

    async fn staged() -> StagedFile {
        let head = ManifestHead { app_name: "App".repeat(100_000), ..head(Vec::new()) };
        super::super::staged(empty(head)).await.file
    }

    /// A vault client that is never called: the file was plain.
    fn vault() -> VaultClient {
        use strongroom_runtime::client::{Bearer, Target};
        let target = Target { url: "http://127.0.0.1:1".to_owned(), ..Target::default() };
        VaultClient::create(&target, &Bearer::new("srt_none").unwrap()).unwrap()
    }

    #[tokio::test]
    async fn opening_uses_the_allowance_of_reading() {
        let allowance = Allowance::create(Duration::from_secs(10), 0);
        let opened = open(staged().await, &vault(), MEMORY, allowance, ()).await.unwrap().unwrap();
        assert_ne!(opened.allowance, allowance);
        let nothing = Allowance::create(Duration::ZERO, 0);
        let error = open(staged().await, &vault(), MEMORY, nothing, ()).await.map(drop).unwrap_err();
        assert!(matches!(error, Error::VerifyProcessor(0)), "{error}");
    }

    #[test]
    fn the_permit_is_held_until_the_thread_ends() {
        let mut builder = tokio::runtime::Builder::new_current_thread();
        let runtime = builder.max_blocking_threads(1).enable_all().build().unwrap();
        let held = Arc::new(());
        let (release, released) = mpsc::channel::<()>();
        runtime.block_on(async {
            let staged = staged().await;
            // The only thread is busy, so the opening has to wait for it.
            drop(tokio::task::spawn_blocking(move || released.recv()));
            let allowance = Allowance::create(Duration::from_secs(10), 0);
            let vault = vault();
            let opening = open(staged, &vault, MEMORY, allowance, Arc::clone(&held));
            assert!(tokio::time::timeout(Duration::from_millis(50), opening).await.is_err());
            assert_eq!(Arc::strong_count(&held), 2, "the thread has not begun yet");
        });
        release.send(()).unwrap();
        drop(runtime);
        assert_eq!(Arc::strong_count(&held), 1);
    }
}
