//! Uploads a file over connections that break.

use std::path::Path;

use strongroom_api::backup::v1::RestoreState;
use strongroom_api::backup::v1::plan_restore_request::Archive;
use tonic::Code;

use super::fake::{Fake, State};
use super::samples::restore;
use super::severed;
use crate::fake::refusal;
use crate::operator::{Ended, run};

const SIZE: usize = 3_000_000;

async fn service() -> (Fake, String) {
    Fake::serve(State { restores: vec![restore(RestoreState::Planned)], ..State::default() }).await
}

/// A file that looks like a sealed archive, or a plain one.
fn write(folder: &Path, name: &str) -> Vec<u8> {
    let mut content: Vec<u8> = (0..SIZE).map(|at| (at * at / 7) as u8).collect();
    let magic: &[u8] = if name.ends_with(".age") { b"age-encryption.org/v1\n" } else { b"PK\x03\x04" };
    content[..magic.len()].copy_from_slice(magic);
    std::fs::write(folder.join(name), &content).unwrap();
    content
}

async fn planned(url: &str, folder: &Path, file: &str) -> Ended {
    run(url, folder, &["restore", "plan", file]).await
}

#[tokio::test]
async fn an_upload_goes_on_where_connections_broke() {
    let (fake, url) = service().await;
    let way = severed::way_to(&url, &[1_000_000, 1_000_000]).await;
    let folder = tempfile::tempdir().unwrap();
    let content = write(folder.path(), "a.zip.age");
    let sent = planned(&way, folder.path(), "a.zip.age").await;
    assert_eq!(sent.code, 0, "{}", sent.said);
    let state = fake.state();
    assert!(state.received == content);
    let id = state.upload_id.clone().unwrap();
    assert_eq!(state.planned.as_ref().unwrap().archive, Some(Archive::UploadId(id.clone())));
    let (more, get) = (format!("upload a.zip.age {SIZE} \"{id}\""), format!("get upload {id}"));
    assert_eq!(state.asked, [&*more, &get, &more, &get, &more, "plan"]);
}

#[tokio::test]
async fn a_stream_that_is_still_counted_is_waited_for() {
    let (fake, url) = service().await;
    let counted = refusal(Code::ResourceExhausted, "TOO_MANY_CALLS", "one at a time");
    fake.state().refused_after = Some((1_500_000, counted));
    let way = severed::way_to(&url, &[1_000_000]).await;
    let folder = tempfile::tempdir().unwrap();
    let content = write(folder.path(), "a.zip.age");
    let sent = planned(&way, folder.path(), "a.zip.age").await;
    assert_eq!(sent.code, 0, "{}", sent.said);
    assert!(fake.state().received == content && fake.state().refused_after.is_none());
}

#[tokio::test]
async fn what_has_arrived_is_not_sent_again() {
    let (fake, url) = service().await;
    fake.state().loses_answer = true;
    let folder = tempfile::tempdir().unwrap();
    let _ = write(folder.path(), "a.zip.age");
    let sent = planned(&url, folder.path(), "a.zip.age").await;
    assert_eq!(sent.code, 0, "{}", sent.said);
    let id = fake.state().upload_id.clone().unwrap();
    assert_eq!(fake.state().asked[1..], [&*format!("get upload {id}"), "plan"]);
}

#[tokio::test]
async fn a_plain_archive_goes_up_at_once_or_not_at_all() {
    let (fake, url) = service().await;
    let folder = tempfile::tempdir().unwrap();
    let content = write(folder.path(), "a.zip");
    let sent = planned(&url, folder.path(), "a.zip").await;
    assert_eq!(sent.code, 0, "{}", sent.said);
    assert!(fake.state().received == content);
    assert_eq!(fake.state().asked, [&*format!("upload a.zip {SIZE} \"\""), "plan"]);

    fake.state().received.clear();
    fake.state().is_complete = false;
    let way = severed::way_to(&url, &[1_000_000]).await;
    let broken = planned(&way, folder.path(), "a.zip").await;
    assert_eq!(broken.code, 4, "{}", broken.said);
    assert!(
        broken.said.contains("a.zip: the upload of a plain archive cannot be resumed"),
        "{}",
        broken.said
    );
}

#[tokio::test]
async fn a_refusal_ends_the_upload() {
    let (fake, url) = service().await;
    let full = refusal(Code::ResourceExhausted, "STAGING_FULL", "there is no room");
    fake.state().refused_after = Some((500_000, full));
    let folder = tempfile::tempdir().unwrap();
    let _ = write(folder.path(), "a.zip.age");
    let refused = planned(&url, folder.path(), "a.zip.age").await;
    assert_eq!(refused.code, 1);
    assert!(refused.said.contains("there is no room [STAGING_FULL]"), "{}", refused.said);
    assert_eq!(fake.state().asked.len(), 1);
}

#[tokio::test]
async fn what_is_no_file_is_not_sent() {
    let (fake, url) = service().await;
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("empty.zip"), "").unwrap();
    for name in ["empty.zip", "."] {
        let refused = planned(&url, folder.path(), name).await;
        assert_eq!(refused.code, 1, "{}", refused.said);
        assert!(refused.said.contains(name), "{}", refused.said);
    }
    assert!(fake.state().asked.is_empty());
}
