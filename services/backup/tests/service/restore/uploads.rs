//! Archives that are uploaded to be restored.

use sha2::{Digest as _, Sha256};
use strongroom_api::backup::v1 as proto;
use strongroom_api::backup::v1::plan_restore_request::Archive;
use strongroom_api::backup::v1::upload_archive_request::{Chunk, End, Header, Message};
use strongroom_api::backup::v1::{RestoreMode, RestoreState};
use strongroom_runtime::status::reason_of;
use tonic::{Code, Status};

use super::{users, with_backup};
use crate::support::database::run;
use crate::support::restore::Restoring;
use crate::support::{plain, receive};

const PIECE: usize = 100_000;

fn message(message: Message) -> proto::UploadArchiveRequest {
    proto::UploadArchiveRequest { message: Some(message) }
}

/// The messages that upload `file[from..to]`, with the end message if `to` is the end of the file.
fn stream(file: &[u8], (from, to): (usize, usize), upload_id: &str) -> Vec<proto::UploadArchiveRequest> {
    let header =
        Header { file_name: "a.zip.age".into(), size_bytes: file.len() as i64, upload_id: upload_id.into() };
    let mut all = vec![message(Message::Header(header))];
    for (number, piece) in file[from..to].chunks(PIECE).enumerate() {
        let offset = (from + number * PIECE) as i64;
        let data = piece.to_vec().into();
        all.push(message(Message::Chunk(Chunk { number: number as i64, offset, data })));
    }
    if to == file.len() {
        all.push(message(Message::End(End { sha256: hex::encode(Sha256::digest(file)) })));
    }
    all
}

async fn send(
    client: &mut Restoring,
    messages: Vec<proto::UploadArchiveRequest>,
) -> Result<proto::Upload, Status> {
    let answer = client.0.upload_archive(tokio_stream::iter(messages)).await?;
    Ok(answer.into_inner().upload.unwrap())
}

async fn get(client: &mut Restoring, id: &str) -> Result<proto::Upload, Status> {
    let answer = client.0.get_upload(proto::GetUploadRequest { id: id.into() }).await?;
    Ok(answer.into_inner().upload.unwrap())
}

fn replace(upload: &proto::Upload) -> proto::PlanRestoreRequest {
    proto::PlanRestoreRequest {
        archive: Some(Archive::UploadId(upload.id.clone())),
        mode: RestoreMode::Replace.into(),
        ..Default::default()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sealed_and_a_plain_archive_are_sent_and_restored() {
    let (mut stored, backup) = with_backup().await;
    let folder = stored.service.folder.path().to_owned();
    let sealed = stored.download(&backup).await.unwrap().bytes;
    let exported = stored.client.export_backup(plain()).await.unwrap().into_inner();
    let open = receive(exported).await.unwrap().file;
    for file in [sealed, open] {
        run(&folder, "UPDATE users SET name = 'Eve' WHERE id = 1").await;
        let mut client = Restoring::of(&stored.service);
        let upload = send(&mut client, stream(&file, (0, file.len()), "")).await.unwrap();
        assert!(upload.complete && upload.received_bytes == file.len() as i64, "{upload:?}");
        let plan = client.planned(replace(&upload)).await;
        let applied = client.apply(&plan).await.unwrap();
        assert_eq!(applied.state(), RestoreState::Applied, "{applied:?}");
        assert!(users(&folder).await.starts_with("1Ada"));
        let on_disk = staged(&folder);
        assert!(on_disk.iter().all(|bytes| bytes.starts_with(b"age-encryption.org/")), "never in the clear");
    }
}

/// The contents of staged uploads. The system's folder is shared with others.
fn staged(_folder: &std::path::Path) -> Vec<Vec<u8>> {
    let entries = std::fs::read_dir(std::env::temp_dir()).unwrap();
    let files = entries.filter_map(|entry| {
        let entry = entry.ok()?;
        let name = entry.file_name().into_string().ok()?;
        name.starts_with("strongroom-upload-").then(|| std::fs::read(entry.path()).ok()).flatten()
    });
    files.collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_goes_on_where_it_broke_off_also_in_another_process() {
    let (mut stored, backup) = with_backup().await;
    let file = stored.download(&backup).await.unwrap().bytes;
    let mut client = Restoring::of(&stored.service);
    let cut = file.len() / 2;
    let id = "0197e0a1-0000-7000-8000-00000000000a".to_owned();
    let broken = send(&mut client, stream(&file, (0, cut), &id)).await.unwrap_err();
    assert_eq!(broken.code(), Code::InvalidArgument, "{broken:?}");
    let so_far = get(&mut client, &id).await.unwrap();
    assert_eq!((so_far.received_bytes, so_far.complete), (cut as i64, false));
    let early = client.plan(replace(&so_far)).await.unwrap_err();
    assert_eq!(reason_of(&early), "UPLOAD_INCOMPLETE");
    let mut other = Restoring::of(&stored.service);
    assert_eq!(reason_of(&get(&mut other, &id).await.unwrap_err()), "UPLOAD_NOT_FOUND", "another caller's");

    let gap = send(&mut client, stream(&file, (cut + 1, file.len()), &id)).await.unwrap_err();
    assert_eq!(gap.code(), Code::InvalidArgument);
    let done = send(&mut client, stream(&file, (cut, file.len()), &id)).await.unwrap();
    assert!(done.complete && done.id == id, "{done:?}");
    assert_eq!(done.sha256, hex::encode(Sha256::digest(&file)));
    assert_eq!(client.planned(replace(&done)).await.archive_id, backup);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_can_be_removed_by_its_caller() {
    let (mut stored, backup) = with_backup().await;
    let file = stored.download(&backup).await.unwrap().bytes;
    let mut client = Restoring::of(&stored.service);
    let upload = send(&mut client, stream(&file, (0, file.len()), "")).await.unwrap();
    let delete = || proto::DeleteUploadRequest { id: upload.id.clone() };
    let mut other = Restoring::with(&stored.service, &["restore.plan"]);
    let denied = other.0.delete_upload(delete()).await.unwrap_err();
    assert_eq!(reason_of(&denied), "UPLOAD_NOT_FOUND");
    client.0.delete_upload(delete()).await.unwrap();
    assert_eq!(get(&mut client, &upload.id).await.unwrap_err().code(), Code::NotFound);
    assert_eq!(client.0.delete_upload(delete()).await.unwrap_err().code(), Code::NotFound);
    let entries = std::fs::read_dir(stored.service.folder.path()).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    assert!(names.into_iter().all(|name| !name.contains(&upload.id)));
}
