//! Failures of folders.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use strongroom_testkit::in_mount_namespace;

use super::*;

#[tokio::test]
async fn files_are_private_and_appear_as_a_whole() {
    let fixture = Fixture::folder();
    let upload = fixture.destination.begin(KEY).await.unwrap();
    let partial = fixture.files().join(format!(".{KEY}.{upload}.partial"));
    assert_eq!(std::fs::metadata(&partial).unwrap().permissions().mode() & 0o777, 0o600);
    fixture.destination.put_part(KEY, &upload, 0, 0, part(b"x")).await.unwrap();
    assert!(!fixture.files().join(KEY).exists());
    fixture.destination.complete(KEY, &upload, &[], 1).await.unwrap();
    assert!(!partial.exists());
    assert_eq!(std::fs::metadata(fixture.files().join(KEY)).unwrap().permissions().mode() & 0o777, 0o600);
}

/// The id of an upload may be lost with the process that began it.
#[tokio::test]
async fn a_deletion_takes_unfinished_uploads_of_the_same_object_along() {
    let fixture = Fixture::folder();
    let (other, sidecar) = (format!("{KEY}x"), format!("{KEY}.json"));
    for key in [KEY, KEY, &other, &sidecar] {
        fixture.destination.begin(key).await.unwrap();
    }
    fixture.destination.delete(KEY).await.unwrap();
    let left = std::fs::read_dir(fixture.files()).unwrap();
    let mut left: Vec<_> = left.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    left.sort();
    assert_eq!(left.len(), 2, "{left:?}");
    assert!(
        left[0].starts_with(&format!(".{sidecar}.")) && left[1].starts_with(&format!(".{other}.")),
        "{left:?}"
    );
}

#[tokio::test]
async fn a_missing_folder_is_not_created() {
    let fixture = Fixture::folder();
    let path = fixture.files().join("not-mounted");
    let destination = Destination::create(&config(&format!("file://{}", path.display())), HASTY).unwrap();
    let error = destination.begin(KEY).await.unwrap_err();
    assert_eq!(error.reason(), "DESTINATION_MISSING");
    let message = error.to_string();
    assert!(
        message.contains("offsite") && message.contains(KEY) && message.contains("mount it"),
        "{message}"
    );
    for error in [
        destination.check().await.unwrap_err(),
        destination.delete(KEY).await.unwrap_err(),
        destination.head(KEY).await.unwrap_err(),
        destination.sidecars().try_collect::<Vec<_>>().await.unwrap_err(),
    ] {
        assert_eq!(error.reason(), "DESTINATION_MISSING", "{error}");
    }
    assert!(!path.exists());
}

#[tokio::test]
async fn a_file_that_becomes_shorter_or_changes_while_it_is_read_is_an_error() {
    let fixture = Fixture::folder();
    let object = fixture.stored(KEY, &[part(&content(2 * MIB))]).await.unwrap();
    for (etag, reason) in [(Some(object.etag.as_str()), "OBJECT_CHANGED"), (None, "OBJECT_SHORT")] {
        let mut pieces = fixture.destination.read(KEY, 0..MIB as u64, etag).await.unwrap();
        pieces.try_next().await.unwrap().unwrap();
        let file = std::fs::OpenOptions::new().write(true).open(fixture.files().join(KEY)).unwrap();
        file.set_len(300_000).unwrap();
        let error = pieces.try_collect::<Vec<_>>().await.unwrap_err();
        assert_eq!(error.reason(), reason, "{error}");
    }
}

#[tokio::test]
async fn links_and_pipes_are_not_followed() {
    let fixture = Fixture::folder();
    let outside = tempfile::NamedTempFile::new().unwrap();
    std::os::unix::fs::symlink(outside.path(), fixture.files().join(KEY)).unwrap();
    assert_eq!(read(&fixture.destination, 0..1, None).await.unwrap_err().reason(), "DESTINATION_FAILED");
    std::fs::create_dir(fixture.files().join("a.json")).unwrap();
    let error = fixture.destination.read_small("a.json", 10).await.unwrap_err();
    assert_eq!(error.reason(), "DESTINATION_FAILED", "{error}");
    // The id of an upload comes from the catalogue, and is not a path either.
    let error = fixture.destination.put_part(KEY, "../../x", 0, 0, part(b"x")).await.unwrap_err();
    assert_eq!(error.reason(), "UPLOAD_MISSING", "{error}");
}

fn destination_in(folder: &Path) -> Destination {
    Destination::create(&config(&format!("file://{}", folder.display())), HASTY).unwrap()
}

#[tokio::test]
async fn a_full_disk_is_named_and_works_again_after_the_abort() {
    let test = "backups::destinations::tests::folder::a_full_disk_is_named_and_works_again_after_the_abort";
    let Some(folder) = in_mount_namespace(test, "mount -t tmpfs -o size=4m tmpfs \"$1\"") else { return };
    let destination = destination_in(&folder);
    let upload = destination.begin(KEY).await.unwrap();
    let error = destination.put_part(KEY, &upload, 0, 0, part(&content(5 * MIB))).await.unwrap_err();
    assert_eq!(error.reason(), "DESTINATION_FULL");
    assert!(error.to_string().contains("free space"), "{error}");
    assert_eq!(
        destination.put_small("a.json", content(MIB).into()).await.unwrap_err().reason(),
        "DESTINATION_FULL"
    );
    destination.abort(KEY, &upload).await.unwrap();
    destination.put_small("a.json", content(MIB).into()).await.unwrap();
    assert_eq!(std::fs::read_dir(folder).unwrap().count(), 1, "what failed left nothing");
}

#[tokio::test]
async fn a_read_only_folder_is_named_and_still_read() {
    let test = "backups::destinations::tests::folder::a_read_only_folder_is_named_and_still_read";
    let script = "echo -n old > \"$1/a.json\"; mount --bind \"$1\" \"$1\"; mount -o remount,bind,ro \"$1\"";
    let Some(folder) = in_mount_namespace(test, script) else { return };
    let destination = destination_in(&folder);
    for error in [
        destination.check().await.unwrap_err(),
        destination.begin(KEY).await.unwrap_err(),
        destination.put_small("a.json", Bytes::new()).await.unwrap_err(),
        destination.delete("a.json").await.unwrap_err(),
    ] {
        assert_eq!(error.reason(), "DESTINATION_READ_ONLY", "{error}");
    }
    assert_eq!(destination.read_small("a.json", 10).await.unwrap().unwrap(), "old");
}
