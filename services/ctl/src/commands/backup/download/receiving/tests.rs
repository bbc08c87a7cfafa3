//! A server that cuts its streams, a process that is killed, a file that loses its end: the resulting bytes are the
//! same, or there is an error.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::fs::OpenOptions;
use std::path::Path;

use sha2::{Digest as _, Sha256};
use strongroom_api::backup::v1::download_backup_response::{Chunk, Header, Message, Trailer};
use strongroom_fuzz::Random;
use strongroom_runtime::status::status;

use super::*;
use crate::commands::backup::download::partial::{Names, Partial, reopen};

const ID: &str = "0197e0a1-0000-7000-8000-00000000000a";

type Said = Result<DownloadBackupResponse, Status>;

/// A stored backup.
struct Stored {
    content: Vec<u8>,
    etag: String,
}

impl Stored {
    fn header(&self, offset: u64) -> Header {
        Header {
            id: ID.into(),
            file_name: "app-backup.zip.age".into(),
            size_bytes: self.content.len() as i64,
            sha256: hex::encode(Sha256::digest(&self.content)),
            offset: offset as i64,
            etag: self.etag.clone(),
            destination: "local".into(),
        }
    }

    /// The service's answer, in chunks of random sizes.
    fn answer(&self, request: &DownloadBackupRequest, random: &mut Random) -> Result<Vec<Said>, Status> {
        if request.offset != 0 && request.etag != self.etag {
            return Err(changed());
        }
        let mut at = request.offset as usize;
        let say = |message| Ok(DownloadBackupResponse { message: Some(message) });
        let mut said = vec![say(Message::Header(self.header(at as u64)))];
        while at < self.content.len() {
            let length = 1 + random.below(97);
            let data = self.content[at..].iter().copied().take(length).collect::<Vec<u8>>();
            let length = data.len();
            said.push(say(Message::Chunk(Chunk { offset: at as i64, data: data.into() })));
            at += length;
        }
        let Header { size_bytes, sha256, .. } = self.header(0);
        said.push(say(Message::Trailer(Trailer { size_bytes, sha256 })));
        Ok(said)
    }
}

fn changed() -> Status {
    status(Code::Aborted, "backup", "BACKUP_CHANGED", "the stored object is another one", &[])
}

fn failed(status: &Status) -> CallFailed {
    CallFailed::new(status, "the backup service", "http://b:1", "X")
}

/// One process: begins or continues a download in `folder`. `cut` changes the messages of each stream.
async fn process(
    folder: &Path,
    random: &mut Random,
    stored: &Stored,
    mut cut: impl FnMut(&mut Vec<Said>, &mut Random),
) -> Result<Vec<u8>, Stopped> {
    let names = Names::of(folder.join("b.zip.age"));
    let mut transfer = match names.resumable(None).unwrap() {
        Some(object) => Transfer::resume(reopen(names.clone(), object, |_| ()).await.unwrap()),
        None => Transfer::new(ID.into(), String::new()),
    };
    let open = async |request| {
        let mut said = stored.answer(&request, random)?;
        cut(&mut said, random);
        Ok(tokio_stream::iter(said))
    };
    let create = |object: &Object| Partial::create(names.clone(), object);
    receive(&mut transfer, Retries::at_once(), open, create, failed).await?;
    let out = transfer.finish().unwrap().0.finish().unwrap();
    Ok(std::fs::read(out).unwrap())
}

/// Ends the stream at a random place, in one of the ways in which streams end.
fn cut_somewhere(said: &mut Vec<Said>, random: &mut Random) {
    said.truncate(random.below(said.len() + 1));
    match random.below(4) {
        0 => said.push(Err(Status::unavailable("it stops"))),
        1 => said.push(Err(Status::cancelled("reset"))),
        2 => said.push(Err(Status::unknown("broken pipe"))),
        _ => {}
    }
}

#[tokio::test]
async fn a_download_that_is_cut_anywhere_and_resumed_has_the_same_bytes() {
    for seed in 0..60 {
        let mut random = Random::new(seed);
        let length = random.below(5000);
        let content: Vec<u8> = (0..length).map(|_| random.byte()).collect();
        let stored = Stored { content, etag: "\"1\"".into() };
        let folder = tempfile::tempdir().unwrap();
        let mut processes = 0;
        let received = loop {
            processes += 1;
            // The last process is not disturbed.
            let calm = processes > 6;
            let ended = process(folder.path(), &mut random, &stored, |said, random| {
                if !calm {
                    cut_somewhere(said, random);
                }
            });
            match ended.await {
                Ok(bytes) => break bytes,
                Err(stopped) => assert!(stopped.is_resumable && !calm, "seed {seed}: {:#}", stopped.error),
            }
            lose_the_end(&folder.path().join("b.zip.age.partial"), &mut random);
        };
        assert_eq!(received, stored.content, "seed {seed}");
        let left: Vec<_> =
            folder.path().read_dir().unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(left, ["b.zip.age"], "seed {seed}");
    }
}

/// Drops bytes that had not reached the disk when the machine went down.
fn lose_the_end(partial: &Path, random: &mut Random) {
    if let Ok(file) = OpenOptions::new().write(true).open(partial) {
        let length = file.metadata().unwrap().len();
        file.set_len(length - random.below(length as usize + 1).min(50) as u64).unwrap();
    }
}

fn stored(etag: &str) -> Stored {
    Stored { content: (0..200_u8).cycle().take(2000).collect(), etag: etag.into() }
}

/// Downloads half of it, as a killed process would.
async fn half(folder: &Path) {
    let cut = |said: &mut Vec<Said>, _: &mut Random| match said.len() {
        length if length > 20 => said.truncate(length / 2),
        _ => said.clear(),
    };
    let refused = |said: &mut Vec<Said>, random: &mut Random| {
        cut(said, random);
        said.push(Err(Status::unauthenticated("the token has expired")));
    };
    let stopped = process(folder, &mut Random::new(1), &stored("\"1\""), refused).await.unwrap_err();
    assert!(stopped.is_resumable, "{:#}", stopped.error);
}

fn left(folder: &Path) -> u64 {
    folder.join("b.zip.age.partial").metadata().unwrap().len()
}

#[tokio::test]
async fn a_changed_object_is_refused_and_nothing_is_removed() {
    let folder = tempfile::tempdir().unwrap();
    half(folder.path()).await;
    let before = left(folder.path());
    assert!(before > 0);
    let stopped = process(folder.path(), &mut Random::new(2), &stored("\"2\""), |_, _| ()).await.unwrap_err();
    let error = format!("{:#}", stopped.error);
    assert!(error.contains("BACKUP_CHANGED"), "{error}");
    assert!(!stopped.is_resumable && left(folder.path()) == before);
}

#[tokio::test]
async fn a_server_that_does_not_notice_the_change_is_not_believed() {
    for change in [&(|header: &mut Header| header.etag = "\"2\"".into()) as &dyn Fn(&mut Header), &|header| {
        header.size_bytes -= 1;
    }] {
        let folder = tempfile::tempdir().unwrap();
        half(folder.path()).await;
        let tell_of_another = |said: &mut Vec<Said>, _: &mut Random| {
            if let Some(Ok(DownloadBackupResponse { message: Some(Message::Header(header)) })) =
                said.first_mut()
            {
                change(header);
            }
        };
        let ended = process(folder.path(), &mut Random::new(2), &stored("\"1\""), tell_of_another).await;
        let error = format!("{:#}", ended.unwrap_err().error);
        assert!(error.contains("without --resume") && error.contains("no longer the one"), "{error}");
    }
}

#[tokio::test]
async fn bytes_that_changed_on_this_machine_are_found_in_the_end() {
    let folder = tempfile::tempdir().unwrap();
    half(folder.path()).await;
    let partial = folder.path().join("b.zip.age.partial");
    let mut bytes = std::fs::read(&partial).unwrap();
    bytes[7] ^= 1;
    std::fs::write(&partial, bytes).unwrap();
    let stopped = process(folder.path(), &mut Random::new(2), &stored("\"1\""), |_, _| ()).await.unwrap_err();
    assert!(format!("{:#}", stopped.error).contains("SHA-256") && !stopped.is_resumable);
    assert!(!folder.path().join("b.zip.age").exists());
}

#[tokio::test]
async fn a_stream_without_a_trailer_has_not_ended() {
    let folder = tempfile::tempdir().unwrap();
    let without_trailer = |said: &mut Vec<Said>, _: &mut Random| {
        said.pop();
    };
    let stopped =
        process(folder.path(), &mut Random::new(1), &stored("\"1\""), without_trailer).await.unwrap_err();
    assert!(stopped.error.to_string().contains("without its trailer") && stopped.is_resumable);
    // All bytes are there, but the file does not have its name yet.
    assert_eq!(left(folder.path()), 2000);
    assert!(!folder.path().join("b.zip.age").exists());
    let whole = process(folder.path(), &mut Random::new(1), &stored("\"1\""), |_, _| ()).await.unwrap();
    assert_eq!(whole.len(), 2000);
}

#[tokio::test]
async fn a_service_that_is_not_there_is_not_waited_for() {
    let mut opened = 0;
    let open = async |_| {
        opened += 1;
        Err::<tokio_stream::Iter<std::vec::IntoIter<Said>>, _>(Status::unavailable("away"))
    };
    let mut transfer = Transfer::<Vec<u8>>::new(ID.into(), String::new());
    let stopped =
        receive(&mut transfer, Retries::at_once(), open, |_| Ok(Vec::new()), failed).await.unwrap_err();
    assert!(stopped.error.downcast_ref::<CallFailed>().unwrap().is_away());
    assert_eq!(opened, 1);
}

#[tokio::test]
async fn a_service_that_goes_away_is_waited_for_a_few_times() {
    let (mut opened, content) = (0, stored("\"1\""));
    let open = async |request| {
        opened += 1;
        let mut said = content.answer(&request, &mut Random::new(3))?;
        said.truncate(if opened == 1 { 2 } else { 0 });
        said.push(Err(Status::unavailable("away")));
        Ok(tokio_stream::iter(said))
    };
    let mut transfer = Transfer::<Vec<u8>>::new(ID.into(), String::new());
    let stopped =
        receive(&mut transfer, Retries::at_once(), open, |_| Ok(Vec::new()), failed).await.unwrap_err();
    assert!(stopped.is_resumable && (3..20).contains(&opened), "{opened}");
}

#[tokio::test]
async fn a_partial_file_is_of_one_backup_and_one_destination() {
    let folder = tempfile::tempdir().unwrap();
    half(folder.path()).await;
    let names = Names::of(folder.path().join("b.zip.age"));
    names.refuse_of_another(ID).unwrap();
    let error = names.refuse_of_another("another").unwrap_err().to_string();
    assert!(error.contains(ID) && error.contains("--force"), "{error}");
    assert!(names.resumable(Some("local")).unwrap().is_some());
    let error = names.resumable(Some("offsite")).unwrap_err().to_string();
    assert!(error.contains("the destination local"), "{error}");

    std::fs::write(&names.state, "{}").unwrap();
    assert!(format!("{:#}", names.resumable(None).unwrap_err()).contains("without --resume"));
    std::fs::remove_file(&names.state).unwrap();
    assert!(format!("{:#}", names.resumable(None).unwrap_err()).contains("without --resume"));
    // A process that was killed before its first byte has left nothing.
    std::fs::write(&names.partial, "").unwrap();
    assert!(names.resumable(None).unwrap().is_none());
}

#[tokio::test]
async fn a_partial_file_that_is_too_long_or_in_use_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    half(folder.path()).await;
    let names = Names::of(folder.path().join("b.zip.age"));
    let object = names.resumable(None).unwrap().unwrap();
    let short = Object { size: left(folder.path()) - 1, ..object.clone() };
    let error = reopen(names.clone(), short, |_| ()).await.err().unwrap().to_string();
    assert!(error.contains("longer than the backup"), "{error}");
    let _held = reopen(names.clone(), object.clone(), |_| ()).await.unwrap();
    let error = format!("{:#}", reopen(names, object, |_| ()).await.err().unwrap());
    assert!(error.contains("another command is writing it"), "{error}");
}
