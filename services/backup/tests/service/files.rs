//! File sets: which parts of a directory are archived, and files that change meanwhile.

use std::io::{Cursor, Read as _, Write as _};
use std::path::{Path, PathBuf};

use crate::support::{FakeVault, Received, Service, database, plain, receive, verify_signature};
use strongroom_api::backup::v1::export_backup_response::Message;
use strongroom_api::backup::v1::{ExportBackupRequest, ExportBackupResponse, ListSourcesRequest};
use strongroom_archive::manifest::Snapshot;
use strongroom_archive::{ArchiveReader, EntryKind, EntryRecord, Limits, verify};
use strongroom_runtime::status::reason_of;
use tonic::{Code, Status, Streaming};

/// More than fits into the queues and windows between the service and a client that does not read.
const LARGE: usize = 12 << 20;
const GROUP: &str = "[[sources.optional]]\nname = 'recordings'\n";

pub(crate) struct Recordings {
    service: Service,
    pub(crate) root: PathBuf,
}

impl Recordings {
    pub(crate) async fn start(files: &[(&str, &[u8])], group: &str) -> Self {
        let folder = database::folder().await;
        let root = folder.path().join("recordings");
        std::fs::create_dir(&root).unwrap();
        for (path, bytes) in files {
            let path = root.join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, bytes).unwrap();
        }
        let source =
            format!("[[sources]]\nname = 'recs'\nkind = 'files'\npath = '{}'\n{group}", root.display());
        Self { service: Service::start(folder, FakeVault::start().await, "", &source).await, root }
    }

    /// An export that has listed the files and waits for its client inside the first one.
    async fn begin(&self) -> Streaming<ExportBackupResponse> {
        let mut stream = self.service.client().export_backup(plain()).await.unwrap().into_inner();
        let first = stream.message().await.unwrap().unwrap();
        assert!(matches!(first.message, Some(Message::Header(_))), "{first:?}");
        stream
    }

    pub(crate) async fn export(&self, request: ExportBackupRequest) -> Result<Received, Status> {
        receive(self.service.client().export_backup(request).await?.into_inner()).await
    }
}

fn noise(length: usize) -> Vec<u8> {
    let mut state = 1_u64;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (state >> 33) as u8
    };
    (0..length).map(|_| next()).collect()
}

pub(crate) fn archive(file: &[u8]) -> ArchiveReader<Cursor<Vec<u8>>> {
    let mut archive = ArchiveReader::open(Cursor::new(file.to_vec()), Limits::V1).unwrap();
    verify(&mut archive, &mut |_| {}).unwrap();
    archive
}

pub(crate) fn files(archive: &ArchiveReader<Cursor<Vec<u8>>>) -> Vec<EntryRecord> {
    archive.entries().iter().filter(|entry| entry.kind == EntryKind::File).cloned().collect()
}

fn truncate(path: &Path, bytes: u64) {
    std::fs::OpenOptions::new().write(true).open(path).unwrap().set_len(bytes).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_directory_comes_back_byte_by_byte_and_links_are_named() {
    let noise = noise(300_000);
    let given: [(&str, &[u8]); 5] = [
        (" odd %2e~name.cast", b"odd"),
        ("2026/11/a.cast", &noise),
        ("2026/a.cast", b"{\"version\":2}\n"),
        ("empty", b""),
        ("größe/日本.cast", b"\0\xff"),
    ];
    let recordings = Recordings::start(&given, "").await;
    std::fs::create_dir(recordings.root.join("hollow")).unwrap();
    std::os::unix::fs::symlink("/etc/passwd", recordings.root.join("link")).unwrap();
    std::os::unix::fs::symlink("..", recordings.root.join("2026/up")).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(recordings.root.join("socket")).unwrap();

    let received = recordings.export(plain()).await.unwrap();
    assert_eq!((received.trailer.files, received.trailer.rows), (5, 7));
    assert_eq!(recordings.service.end_event().await.metadata["files"], "5");
    let mut archive = archive(&received.file);
    let entries = files(&archive);
    assert_eq!(entries.len(), given.len());
    for (entry, (path, bytes)) in entries.iter().zip(given) {
        assert_eq!(entry.name, format!("files/recs/{path}"));
        assert_eq!((entry.source.as_deref(), entry.grew), (Some("recs"), false));
        let mut found = Vec::new();
        archive.entry(&entry.name).unwrap().read_to_end(&mut found).unwrap();
        assert_eq!(found, bytes, "{path}");
    }
    let source = archive.manifest().sources.last().unwrap();
    assert_eq!((source.kind.as_str(), source.snapshot), ("files", Snapshot::PerFile));
    let skipped: Vec<_> =
        source.skipped.iter().map(|file| format!("{} {}", file.name, file.reason)).collect();
    assert_eq!(skipped, ["2026/up a symbolic link", "link a symbolic link", "socket a special file"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_is_the_whole_directory_and_is_left_out_unless_asked_for() {
    let recordings = Recordings::start(&[("a", b"1")], GROUP).await;
    let include = vec!["recordings".to_owned()];
    let tables = vec!["users".to_owned()];
    for (request, expected) in [
        (plain(), 0),
        (ExportBackupRequest { include: include.clone(), ..plain() }, 1),
        (ExportBackupRequest { tables: tables.clone(), ..plain() }, 0),
        (ExportBackupRequest { include, tables, ..plain() }, 1),
    ] {
        let included = !request.include.is_empty();
        let archive = archive(&recordings.export(request).await.unwrap().file);
        assert_eq!(files(&archive).len(), expected);
        assert_eq!(archive.manifest().options.get("include_recordings"), Some(included));
    }
    let mut client = recordings.service.client();
    let listed = client.list_sources(ListSourcesRequest {}).await.unwrap().into_inner().sources;
    let last = listed.last().unwrap();
    assert_eq!((&*last.name, &*last.kind, &*last.group), ("recs", "files", "recordings"));

    std::fs::remove_dir_all(&recordings.root).unwrap();
    recordings.export(plain()).await.unwrap();
    let include = vec!["recordings".to_owned()];
    let status = recordings.export(ExportBackupRequest { include, ..plain() }).await.unwrap_err();
    assert_eq!((status.code(), &*reason_of(&status)), (Code::FailedPrecondition, "FILE_UNREADABLE"));
    assert!(status.message().contains("source recs: "), "{}", status.message());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_grows_is_kept_as_it_was_listed_and_marked() {
    let recordings = Recordings::start(&[("a", &noise(LARGE)), ("b", b"before"), ("c", b"c")], "").await;
    let mut stream = recordings.begin().await;
    let mut grown = std::fs::OpenOptions::new().append(true).open(recordings.root.join("b")).unwrap();
    grown.write_all(b" and after").unwrap();
    std::fs::write(recordings.root.join("new"), "too late").unwrap();

    let mut file = Vec::new();
    while let Some(next) = stream.message().await.unwrap() {
        if let Some(Message::Chunk(chunk)) = next.message {
            file.extend_from_slice(&chunk.data);
        }
    }
    let mut archive = archive(&file);
    let found: Vec<_> = files(&archive).into_iter().map(|entry| (entry.name, entry.grew)).collect();
    let expected = [("files/recs/a", false), ("files/recs/b", true), ("files/recs/c", false)];
    assert_eq!(found, expected.map(|(name, grew)| (name.to_owned(), grew)));
    let mut text = String::new();
    archive.entry("files/recs/b").unwrap().read_to_string(&mut text).unwrap();
    assert_eq!(text, "before");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_shrinks_or_is_replaced_fails_the_export_by_name() {
    type Change = fn(&Path);
    let changes: [(Change, &str, &str); 6] = [
        (|root| truncate(&root.join("a"), LARGE as u64 - 1), "FILE_SHRANK", "\"a\" had 12582912 bytes"),
        (
            |root| truncate(&root.join("b/c"), 3),
            "FILE_SHRANK",
            "\"b/c\" had 6 bytes when the export began and then 3",
        ),
        (|root| truncate(&root.join("b/c"), 0), "FILE_SHRANK", "and then 0"),
        (
            |root| {
                std::fs::rename(root.join("b"), root.join("aside")).unwrap();
                std::os::unix::fs::symlink(root.join("aside"), root.join("b")).unwrap();
            },
            "FILE_REPLACED",
            "\"b/c\"",
        ),
        (
            |root| {
                std::fs::write(root.join("other"), "longer than before").unwrap();
                std::fs::rename(root.join("other"), root.join("b/c")).unwrap();
            },
            "FILE_REPLACED",
            "\"b/c\"",
        ),
        (
            |root| {
                std::fs::remove_dir_all(root.join("b")).unwrap();
                std::os::unix::fs::symlink("/etc", root.join("b")).unwrap();
            },
            "FILE_REPLACED",
            "\"b/c\"",
        ),
    ];
    let noise = noise(LARGE);
    for (change, reason, message) in changes {
        let recordings = Recordings::start(&[("a", &noise), ("b/c", b"before")], "").await;
        let mut stream = recordings.begin().await;
        change(&recordings.root);
        let status = loop {
            match stream.message().await {
                Ok(Some(next)) => assert!(!matches!(next.message, Some(Message::Trailer(_))), "{message}"),
                Ok(None) => panic!("it ended well: {message}"),
                Err(status) => break status,
            }
        };
        assert_eq!((status.code(), &*reason_of(&status)), (Code::Aborted, reason), "{}", status.message());
        assert!(status.message().contains(message), "{}", status.message());
        let event = recordings.service.end_event().await;
        assert_eq!(event.metadata["reason"], format!("{reason:?}"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_removed_in_time_is_left_out_and_named() {
    let recordings =
        Recordings::start(&[("a", &noise(LARGE)), ("b", b"gone"), ("c/d", b"gone"), ("e", b"e")], "").await;
    std::os::unix::fs::symlink("e", recordings.root.join("link")).unwrap();
    let mut stream = recordings.begin().await;
    std::fs::remove_file(recordings.root.join("b")).unwrap();
    std::fs::remove_dir_all(recordings.root.join("c")).unwrap();
    let (mut file, mut trailer) = (Vec::new(), None);
    while let Some(next) = stream.message().await.unwrap() {
        match next.message {
            Some(Message::Chunk(chunk)) => file.extend_from_slice(&chunk.data),
            Some(Message::Trailer(last)) => trailer = Some(last),
            _ => {}
        }
    }
    let archive = archive(&file);
    let names: Vec<_> = files(&archive).into_iter().map(|entry| entry.name).collect();
    assert_eq!(names, ["files/recs/a", "files/recs/e"]);
    let removed = "removed after the directory was listed";
    let expected = [("link", "a symbolic link"), ("b", removed), ("c/d", removed)];
    let skipped = &archive.manifest().sources.last().unwrap().skipped;
    let skipped: Vec<_> = skipped.iter().map(|one| (one.name.as_str(), one.reason.as_str())).collect();
    assert_eq!(skipped, expected);
    let trailer = trailer.unwrap();
    assert_eq!((trailer.files, trailer.left_out_total), (2, 3));
    let told: Vec<_> = trailer.left_out.iter().map(|one| (&*one.source, &*one.name, &*one.reason)).collect();
    assert_eq!(told, expected.map(|(name, reason)| ("recs", name, reason)));
}

/// The vault accepts 4 MiB in a message; it signs the digest.
#[tokio::test(flavor = "multi_thread")]
async fn a_manifest_longer_than_a_message_is_signed() {
    let recordings = Recordings::start(&[("a", b"1")], "").await;
    let folder = recordings.root.join("f".repeat(240)).join("g".repeat(240)).join("h".repeat(240));
    std::fs::create_dir_all(&folder).unwrap();
    for number in 0..5_000 {
        std::fs::write(folder.join(format!("{number:0240}")), "x").unwrap();
    }
    let mut archive = archive(&recordings.export(plain()).await.unwrap().file);
    assert!(archive.manifest_json().len() > 5 << 20, "{}", archive.manifest_json().len());
    let signature = archive.signature().unwrap().expect("the vault signs");
    let signer = recordings.service.vault.signer();
    verify_signature(&signer.bytes, &archive, &signature);
}
