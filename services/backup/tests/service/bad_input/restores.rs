//! Restores: every field of every request.

use strongroom_api::backup::v1 as proto;
use strongroom_api::backup::v1::RestoreMode;
use strongroom_api::backup::v1::plan_restore_request::Archive;
use strongroom_api::backup::v1::upload_archive_request::{Chunk, End, Header, Message};
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use crate::support::Service;
use crate::support::restore::{Restoring, of_backup};

const ID: &str = "0197e0a1-0000-7000-8000-00000000000a";

fn names(field: &str, refused: &Status) {
    let details = refused.get_error_details();
    let fields: Vec<_> = details
        .bad_request()
        .map(|bad| bad.field_violations.iter().map(|violation| violation.field.clone()).collect())
        .unwrap_or_default();
    assert_eq!((refused.code(), fields), (Code::InvalidArgument, vec![field.to_owned()]), "{refused:?}");
}

/// Invalid ids.
fn strange() -> Vec<String> {
    ["", " ", "../x", "a\0", "é"].iter().map(|text| (*text).to_owned()).chain(["x".repeat(65)]).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn plans() {
    let service = Service::usual("").await;
    let mut client = Restoring::of(&service);
    let good = of_backup(ID, RestoreMode::Replace);
    let mut cases = vec![
        ("mode", proto::PlanRestoreRequest { mode: 0, ..good.clone() }),
        ("mode", proto::PlanRestoreRequest { mode: 99, ..good.clone() }),
        ("archive", proto::PlanRestoreRequest { archive: None, ..good.clone() }),
        ("sources[0]", proto::PlanRestoreRequest { sources: vec![String::new()], ..good.clone() }),
        ("sources", proto::PlanRestoreRequest { sources: vec!["a".into(); 10_001], ..good.clone() }),
        ("tables[1]", proto::PlanRestoreRequest { tables: vec!["a".into(), String::new()], ..good.clone() }),
        ("tables", proto::PlanRestoreRequest { tables: vec!["a".into(); 10_001], ..good.clone() }),
        ("rows[0]", proto::PlanRestoreRequest { rows: vec![rows("", &["[\"1\"]"])], ..good.clone() }),
        ("rows[0]", proto::PlanRestoreRequest { rows: vec![rows("a", &["1"])], ..good.clone() }),
        ("rows[0]", proto::PlanRestoreRequest { rows: vec![rows("a", &[])], ..good.clone() }),
        ("rows", proto::PlanRestoreRequest { rows: vec![rows("a", &["[\"1\"]"; 10_001])], ..good.clone() }),
        ("create_tables", proto::PlanRestoreRequest { create_tables: true, ..good.clone() }),
        ("from_deployment", proto::PlanRestoreRequest { from_deployment: " ".into(), ..good.clone() }),
        ("signer", proto::PlanRestoreRequest { signer: "no key".into(), ..good.clone() }),
        ("signer", proto::PlanRestoreRequest { signer: "#".repeat(70_000), ..good.clone() }),
    ];
    for id in strange() {
        let backup = Some(Archive::BackupId(id.clone()));
        cases.push(("backup_id", proto::PlanRestoreRequest { archive: backup, ..good.clone() }));
        let upload = Some(Archive::UploadId(id));
        cases.push(("upload_id", proto::PlanRestoreRequest { archive: upload, ..good.clone() }));
    }
    for (field, request) in cases {
        names(field, &client.plan(request).await.unwrap_err());
    }
    let absent = client.plan(good).await.unwrap_err();
    assert_eq!(absent.code(), Code::NotFound, "{absent:?}");
    service.stop().await.unwrap();
}

fn rows(table: &str, keys: &[&str]) -> proto::ChosenRows {
    proto::ChosenRows { table: table.into(), keys: keys.iter().map(|key| (*key).to_owned()).collect() }
}

#[tokio::test(flavor = "multi_thread")]
async fn ids_pauses_and_pages() {
    let service = Service::usual("").await;
    let mut client = Restoring::of(&service);
    for id in strange() {
        names("id", &client.get(&id).await.unwrap_err());
        names("id", &client.roll_back(&id, false).await.unwrap_err());
        let upload = proto::GetUploadRequest { id: id.clone() };
        names("id", &client.0.get_upload(upload).await.unwrap_err());
        let upload = proto::DeleteUploadRequest { id: id.clone() };
        names("id", &client.0.delete_upload(upload).await.unwrap_err());
        let apply = proto::ApplyRestoreRequest { id, ..Default::default() };
        names("id", &client.apply_with(apply).await.unwrap_err());
    }
    for (seconds, nanos) in [(0, 0), (-1, 0), (0, -1), (i64::MIN, 0)] {
        let max_pause = Some(prost_types::Duration { seconds, nanos });
        let apply = proto::ApplyRestoreRequest { id: ID.into(), max_pause, ..Default::default() };
        names("max_pause", &client.apply_with(apply).await.unwrap_err());
    }
    for (page_size, page_token) in [(-1, ""), (0, "x"), (0, "00"), (0, "2f2f"), (0, "37")] {
        let list = proto::ListRestoresRequest { page_size, page_token: page_token.into() };
        let field = if page_size < 0 { "page_size" } else { "page_token" };
        names(field, &client.0.list_restores(list).await.unwrap_err());
    }
    for id in [ID, "none"] {
        assert_eq!(client.get(id).await.unwrap_err().code(), Code::NotFound);
        assert_eq!(client.roll_back(id, true).await.unwrap_err().code(), Code::NotFound);
    }
    service.stop().await.unwrap();
}

fn header(file_name: &str, size_bytes: i64, upload_id: &str) -> Message {
    Message::Header(Header { file_name: file_name.into(), size_bytes, upload_id: upload_id.into() })
}

fn chunk(number: i64, offset: i64, length: usize) -> Message {
    Message::Chunk(Chunk { number, offset, data: vec![7; length].into() })
}

#[tokio::test(flavor = "multi_thread")]
async fn uploads() {
    let service = Service::usual("").await;
    let mut client = Restoring::of(&service);
    let good = || header("a.zip", 10, "");
    let end = |sha256: &str| Message::End(End { sha256: sha256.into() });
    let cases: Vec<(&str, Vec<Message>)> = vec![
        ("header", vec![chunk(0, 0, 1)]),
        ("header.file_name", vec![header("", 1, "")]),
        ("header.file_name", vec![header("a/b", 1, "")]),
        ("header.size_bytes", vec![header("a", 0, "")]),
        ("header.size_bytes", vec![header("a", i64::MAX, "")]),
        ("header.upload_id", vec![header("a", 1, "no uuid")]),
        ("chunk.number", vec![good(), chunk(1, 0, 1)]),
        ("chunk.offset", vec![good(), chunk(0, 1, 1)]),
        ("chunk.data", vec![good(), chunk(0, 0, 11)]),
        ("header", vec![good(), good()]),
        ("end", vec![good(), chunk(0, 0, 5), end("")]),
        ("end", vec![good(), chunk(0, 0, 5)]),
        ("end.sha256", vec![good(), chunk(0, 0, 10), end("00")]),
    ];
    for (field, messages) in cases {
        let requests: Vec<_> = messages
            .into_iter()
            .map(|message| proto::UploadArchiveRequest { message: Some(message) })
            .collect();
        names(field, &client.0.upload_archive(tokio_stream::iter(requests)).await.unwrap_err());
    }
    let nothing = vec![proto::UploadArchiveRequest { message: None }];
    names("message", &client.0.upload_archive(tokio_stream::iter(nothing)).await.unwrap_err());
    service.stop().await.unwrap();
}
