//! One suite for all destinations, then the faults of each.
#![expect(clippy::unwrap_used, reason = "tests")]

mod bucket;
mod folder;
mod verbs;

use std::path::PathBuf;
use std::time::Duration;

use strongroom_testkit::s3::{BUCKET, KEYS};
use strongroom_testkit::{S3, write_private};
use tempfile::TempDir;

use super::*;

const KEY: &str = "app-20261129T010203Z-0190.zip.age";
const MIB: usize = 1 << 20;

/// Tests do not wait half a minute.
const HASTY: Patience = Patience { retries: Duration::from_secs(2), silence: Duration::from_secs(1) };

/// A destination with its dependencies.
struct Fixture {
    destination: Destination,
    folder: TempDir,
    s3: Option<S3>,
}

impl Fixture {
    fn folder() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let config = config(&format!("file://{}", folder.path().display()));
        Self { destination: Destination::create(&config, HASTY).unwrap(), folder, s3: None }
    }

    async fn bucket() -> Self {
        let s3 = S3::start().await;
        let folder = tempfile::tempdir().unwrap();
        let destination = bucket_at(&s3, &folder, BUCKET, None);
        Self { destination, folder, s3: Some(s3) }
    }

    /// One of each kind.
    async fn all() -> [Self; 2] {
        [Self::folder(), Self::bucket().await]
    }

    fn s3(&self) -> &S3 {
        self.s3.as_ref().unwrap()
    }

    /// The folder with the objects' files.
    fn files(&self) -> PathBuf {
        match &self.s3 {
            Some(s3) => s3.bucket_folder().join("prefix"),
            None => self.folder.path().to_owned(),
        }
    }

    async fn stored(&self, key: &str, parts: &[Part]) -> Stored<Object> {
        let destination = &self.destination;
        let upload = destination.begin(key).await?;
        let (mut ids, mut offset) = (Vec::new(), 0);
        for (number, part) in parts.iter().enumerate() {
            ids.push(destination.put_part(key, &upload, number, offset, part.clone()).await?);
            offset += part.content_length() as u64;
        }
        destination.complete(key, &upload, &ids, offset).await
    }
}

fn config(url: &str) -> DestinationConfig {
    serde_json::from_value(serde_json::json!({ "name": "offsite", "url": url })).unwrap()
}

fn bucket_at(s3: &S3, folder: &TempDir, bucket: &str, ca_file: Option<PathBuf>) -> Destination {
    let file = folder.path().join("credentials");
    write_private(&file, S3::credentials(KEYS));
    let config = DestinationConfig {
        endpoint: Some(s3.endpoint()),
        path_style: true,
        credentials_file: Some(file),
        ca_file,
        ..config(&format!("s3://{bucket}/prefix"))
    };
    Destination::create(&config, HASTY).unwrap()
}

/// Random bytes.
fn content(length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    getrandom::fill(&mut bytes).unwrap();
    bytes
}

fn part(bytes: &[u8]) -> Part {
    bytes.chunks(64 << 10).map(Bytes::copy_from_slice).collect()
}

async fn read(destination: &Destination, range: Range<u64>, etag: Option<&str>) -> Stored<Vec<u8>> {
    let pieces: Vec<Bytes> = destination.read(KEY, range, etag).await?.try_collect().await?;
    Ok(pieces.concat())
}

async fn sidecars(destination: &Destination) -> Vec<String> {
    let mut keys: Vec<String> = destination.sidecars().try_collect().await.unwrap();
    keys.sort();
    keys
}
