//! A service with destinations, in a folder or in an S3 service, and helpers for its backups.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use strongroom_api::backup::v1 as proto;
use strongroom_api::backup::v1::download_backup_response::{Header, Message};
use strongroom_api::backup::v1::{BackupCopyState, BackupState};
use strongroom_runtime::Clock;
use strongroom_testkit::s3::{BUCKET, KEYS};
use strongroom_testkit::{S3, write_private};
use tempfile::TempDir;
use tonic::Status;

use super::{Client, FakeVault, LOGS, Service, database};

/// Longer than the service tries a destination and than an operation may take.
const PATIENCE: Duration = Duration::from_secs(90);
const LOOK: Duration = Duration::from_millis(50);

/// Type of a destination.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Folder,
    Bucket,
}

pub(crate) const KINDS: [Kind; 2] = [Kind::Folder, Kind::Bucket];

/// A service whose one destination is called `offsite`.
pub(crate) struct Stored {
    pub(crate) service: Service,
    pub(crate) client: Client,
    s3: Option<S3>,
}

impl Stored {
    /// Backs up the sample database.
    pub(crate) async fn start(kind: Kind, backup: &str) -> Self {
        Self::of(database::folder().await, kind, backup).await
    }

    /// Backs up some 12 MB: two parts.
    pub(crate) async fn large(kind: Kind, backup: &str) -> Self {
        Self::of(database::large_folder().await, kind, backup).await
    }

    /// Backs up the database in `folder`.
    pub(crate) async fn of(folder: TempDir, kind: Kind, backup: &str) -> Self {
        let s3 = if kind == Kind::Bucket { Some(S3::start().await) } else { None };
        let destination = destination("offsite", folder.path(), s3.as_ref());
        Self::with(folder, s3, backup, &destination).await
    }

    /// With these destinations.
    pub(crate) async fn with(folder: TempDir, s3: Option<S3>, backup: &str, destinations: &str) -> Self {
        let source = format!("{LOGS}\n{destinations}");
        let service = Service::start(folder, FakeVault::start().await, backup, &source).await;
        Self { client: service.client(), service, s3 }
    }

    pub(crate) fn s3(&self) -> &S3 {
        self.s3.as_ref().unwrap()
    }

    pub(crate) fn vault(&self) -> &FakeVault {
        &self.service.vault
    }

    /// Stops the service, runs `meanwhile` and starts the service again.
    pub(crate) async fn restarted(self, meanwhile: impl FnOnce(&Path)) -> Self {
        let service = self.service.restarted(meanwhile).await;
        Self { client: service.client(), service, s3: self.s3 }
    }

    /// The same service without its catalogue.
    pub(crate) async fn forgetful(self) -> Self {
        self.restarted(|folder| {
            for name in ["backup.db", "backup.db-wal", "backup.db-shm"] {
                let _ = std::fs::remove_file(folder.join(name));
            }
        })
        .await
    }

    pub(crate) async fn by_clock(self, clock: Arc<dyn Clock>) -> Self {
        let service = self.service.by_clock(clock).await;
        Self { client: service.client(), service, s3: self.s3 }
    }

    pub(crate) async fn beside(self, vault: FakeVault) -> Self {
        let service = self.service.beside(vault).await;
        Self { client: service.client(), service, s3: self.s3 }
    }

    /// The file beside a backup's copy that describes it.
    pub(crate) fn sidecar(&self, backup: &proto::Backup) -> PathBuf {
        self.objects().join(format!("{}.json", backup.copies[0].key))
    }

    /// Waits until a backup's sidecar contains this text.
    pub(crate) async fn until_recorded(&self, backup: &proto::Backup, text: &str) {
        let (began, path) = (std::time::Instant::now(), self.sidecar(backup));
        while !std::fs::read_to_string(&path).unwrap_or_default().contains(text) {
            assert!(began.elapsed() < PATIENCE, "{path:?} does not have {text}");
            tokio::time::sleep(LOOK).await;
        }
    }

    /// The folder with the objects of `offsite`.
    pub(crate) fn objects(&self) -> PathBuf {
        match &self.s3 {
            Some(s3) => s3.bucket_folder().join("prefix"),
            None => self.service.folder.path().join("offsite"),
        }
    }

    /// All files at a destination, including hidden ones and parts of uploads.
    pub(crate) fn files(&self) -> Vec<String> {
        match &self.s3 {
            // Without the S3 service's own notes.
            Some(s3) => {
                let all = files(s3.bucket_folder().parent().unwrap());
                all.into_iter().filter(|name| !name.starts_with(".bucket-")).collect()
            }
            None => files(&self.objects()),
        }
    }

    /// Replaces an object without the service's knowledge.
    pub(crate) fn replace(&self, object: &Path, bytes: &[u8]) {
        let other = object.with_extension("other");
        std::fs::write(&other, bytes).unwrap();
        std::fs::rename(&other, object).unwrap();
        let Some(s3) = &self.s3 else { return };
        // The S3 service keeps the objects' etags in notes.
        for entry in std::fs::read_dir(s3.bucket_folder().parent().unwrap()).unwrap() {
            let path = entry.unwrap().path();
            if path.to_str().unwrap().ends_with(".internal.json") {
                std::fs::remove_file(path).unwrap();
            }
        }
    }

    pub(crate) async fn create(&mut self) -> proto::Backup {
        self.try_create().await.unwrap()
    }

    pub(crate) async fn try_create(&mut self) -> Result<proto::Backup, Status> {
        let answer = self.client.create_backup(proto::CreateBackupRequest::default()).await?;
        Ok(answer.into_inner().backup.unwrap())
    }

    pub(crate) async fn get(&mut self, id: &str) -> Result<proto::Backup, Status> {
        let answer = self.client.get_backup(proto::GetBackupRequest { id: id.into() }).await?;
        Ok(answer.into_inner().backup.unwrap())
    }

    /// Makes a backup and waits until it ends.
    pub(crate) async fn ended(&mut self) -> proto::Backup {
        let id = self.create().await.id;
        self.until(&id, |backup| backup.state() != BackupState::Creating).await
    }

    /// Makes a backup that must reach every destination.
    pub(crate) async fn available(&mut self) -> proto::Backup {
        let backup = self.ended().await;
        assert_eq!(backup.state(), BackupState::Available, "{backup:?}");
        assert!(backup.copies.iter().all(|copy| copy.state() == BackupCopyState::Stored), "{backup:?}");
        backup
    }

    /// Makes a backup that must fail for `reason`, and waits until nothing of it is left.
    pub(crate) async fn failed(&mut self, reason: &str) -> proto::Backup {
        let before = self.files();
        let id = self.create().await.id;
        let backup = self.until(&id, |backup| backup.state() != BackupState::Creating).await;
        assert_eq!((backup.state(), backup.reason.as_str()), (BackupState::Failed, reason), "{backup:?}");
        let backup = self.until(&id, all(BackupCopyState::Failed)).await;
        assert_eq!(self.files(), before, "nothing is left");
        backup
    }

    /// Waits until the backup satisfies `is_so`.
    pub(crate) async fn until(&mut self, id: &str, is_so: impl Fn(&proto::Backup) -> bool) -> proto::Backup {
        let began = std::time::Instant::now();
        loop {
            let backup = self.get(id).await.unwrap();
            if is_so(&backup) {
                return backup;
            }
            assert!(began.elapsed() < PATIENCE, "it stays {backup:?}");
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Waits until the backup is no longer in the catalogue.
    pub(crate) async fn until_gone(&mut self, id: &str) {
        let began = std::time::Instant::now();
        while self.get(id).await.is_ok() {
            assert!(began.elapsed() < PATIENCE, "{id} stays");
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Waits until an archive pins exactly these key versions.
    pub(crate) async fn until_pinned(&self, id: &str, expected: Option<&[&str]>) {
        let began = std::time::Instant::now();
        let wanted = expected.map(|kids| kids.iter().map(|kid| (*kid).to_owned()).collect::<Vec<_>>());
        while self.vault().pins().remove(id) != wanted {
            assert!(began.elapsed() < PATIENCE, "{:?} is not {expected:?}", self.vault().pins());
            tokio::time::sleep(LOOK).await;
        }
    }

    pub(crate) async fn hold(&mut self, id: &str) -> Result<proto::Backup, Status> {
        let answer = self.client.hold_backup(proto::HoldBackupRequest { id: id.into() }).await?;
        Ok(answer.into_inner().backup.unwrap())
    }

    pub(crate) async fn release(&mut self, id: &str) -> Result<proto::Backup, Status> {
        let answer = self.client.release_backup(proto::ReleaseBackupRequest { id: id.into() }).await?;
        Ok(answer.into_inner().backup.unwrap())
    }

    pub(crate) async fn delete(&mut self, id: &str) -> Result<proto::Backup, Status> {
        let request = proto::DeleteBackupRequest { id: id.into(), etag: String::new() };
        Ok(self.client.delete_backup(request).await?.into_inner().backup.unwrap())
    }

    pub(crate) async fn undelete(&mut self, id: &str) -> Result<proto::Backup, Status> {
        let answer = self.client.undelete_backup(proto::UndeleteBackupRequest { id: id.into() }).await?;
        Ok(answer.into_inner().backup.unwrap())
    }

    /// All backups, in any state.
    pub(crate) async fn list(&mut self) -> Vec<proto::Backup> {
        let request = proto::ListBackupsRequest { states: (1..=6).collect(), ..Default::default() };
        self.client.list_backups(request).await.unwrap().into_inner().backups
    }

    /// Scans the only destination.
    pub(crate) async fn scan(&mut self) -> proto::scan_backups_response::DestinationScan {
        let answer = self.client.scan_backups(proto::ScanBackupsRequest::default()).await.unwrap();
        answer.into_inner().destinations.remove(0)
    }

    /// The whole file.
    pub(crate) async fn download(&mut self, id: &str) -> Result<Downloaded, Status> {
        self.download_from(id, 0, "").await
    }

    /// The file from `offset` on.
    pub(crate) async fn download_from(
        &mut self,
        id: &str,
        offset: i64,
        etag: &str,
    ) -> Result<Downloaded, Status> {
        let request = proto::DownloadBackupRequest {
            id: id.into(),
            offset,
            etag: etag.into(),
            destination: String::new(),
        };
        let mut stream = self.client.download_backup(request).await?.into_inner();
        let first = stream.message().await?.expect("a header");
        let Some(Message::Header(header)) = first.message else { panic!("{first:?} is no header") };
        let (mut bytes, mut has_trailer) = (Vec::new(), false);
        while let Some(next) = stream.message().await? {
            assert!(!has_trailer, "nothing follows the trailer");
            match next.message.expect("never empty") {
                Message::Chunk(chunk) => {
                    assert_eq!(chunk.offset, offset + bytes.len() as i64, "chunks are contiguous");
                    assert!((1..=256 << 10).contains(&chunk.data.len()), "{}", chunk.data.len());
                    bytes.extend_from_slice(&chunk.data);
                }
                Message::Trailer(trailer) => {
                    assert_eq!((trailer.size_bytes, &trailer.sha256), (header.size_bytes, &header.sha256));
                    has_trailer = true;
                }
                Message::Header(_) => panic!("a second header"),
            }
        }
        assert!(has_trailer, "the stream ended well without a trailer");
        Ok(Downloaded { header, bytes })
    }

    /// The outcome of each level in the verification of the stored file, in order.
    pub(crate) async fn verify(&mut self, id: &str) -> Result<Vec<i32>, Status> {
        let request = proto::VerifyStoredBackupRequest { id: id.into(), destination: String::new() };
        let mut answers = self.client.verify_stored_backup(request).await?.into_inner();
        let mut verdict = None;
        while let Some(answer) = answers.message().await? {
            if let Some(proto::verify_backup_response::Message::Verdict(found)) =
                answer.answer.unwrap().message
            {
                verdict = Some(found);
            }
        }
        let levels = verdict.expect("a verdict").levels;
        Ok(levels.iter().map(|level| level.outcome).collect())
    }
}

/// The content of a download.
pub(crate) struct Downloaded {
    pub(crate) header: Header,
    pub(crate) bytes: Vec<u8>,
}

/// Whether all copies are in `state`.
pub(crate) fn all(state: BackupCopyState) -> impl Fn(&proto::Backup) -> bool {
    move |backup| backup.copies.iter().all(|copy| copy.state() == state)
}

/// The configuration of a destination: in `s3`, with `folder/NAME.credentials`, or in `folder/NAME`.
pub(crate) fn destination(name: &str, folder: &Path, s3: Option<&S3>) -> String {
    let Some(s3) = s3 else {
        let path = folder.join(name);
        std::fs::create_dir_all(&path).unwrap();
        return format!("[[destinations]]\nname = '{name}'\nurl = 'file://{}'\n", path.display());
    };
    let file = folder.join(format!("{name}.credentials"));
    write_private(&file, S3::credentials(KEYS));
    format!(
        "[[destinations]]\nname = '{name}'\nurl = 's3://{BUCKET}/prefix'\nendpoint = '{}'\npath_style = true\n\
         credentials_file = '{}'\n",
        s3.endpoint(),
        file.display()
    )
}

/// The paths of all files below a folder.
pub(crate) fn files(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(next).into_iter().flatten() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                found.push(path.strip_prefix(folder).unwrap().display().to_string());
            }
        }
    }
    found.sort();
    found
}
