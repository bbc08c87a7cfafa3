//! Sealed exports: which keys open them, which callers can request which seal, and that no trace of a passphrase
//! remains.

use std::io::{Cursor, Read as _};

use sha2::{Digest as _, Sha256};
use strongroom_age::{FileKey, Identity, Passphrase, SealReader, Unlocked, X25519Identity};
use strongroom_api::backup::v1::export_backup_request::Seal;
use strongroom_api::backup::v1::{ExportBackupRequest, PassphraseSeal, RecipientSeal};
use strongroom_archive::seal::Header;
use strongroom_archive::{ArchiveReader, Limits, Result, verify};
use strongroom_backup::WITHOUT_RECOVERY;
use strongroom_runtime::status::reason_of;
use tonic::Code;

use crate::support::{FakeVault, Received, Service, database, plain, receive, verify_signature};

const PASSPHRASE: &str = "correct horse battery staple";

fn sealed_by(seal: Seal) -> ExportBackupRequest {
    ExportBackupRequest { seal: Some(seal), ..ExportBackupRequest::default() }
}

fn passphrase() -> ExportBackupRequest {
    sealed_by(Seal::Passphrase(PassphraseSeal { text: PASSPHRASE.into() }))
}

fn to(identity: &X25519Identity) -> ExportBackupRequest {
    sealed_by(Seal::Recipients(RecipientSeal { age: vec![identity.recipient().to_string()] }))
}

async fn export(service: &Service, request: ExportBackupRequest) -> Received {
    receive(service.client().export_backup(request).await.unwrap().into_inner()).await.unwrap()
}

fn header(received: &Received) -> Header {
    Header::read(&mut Cursor::new(&received.file)).unwrap()
}

fn by_identity(received: &Received, identity: Identity) -> Result<Unlocked> {
    header(received).unlock(&[identity])
}

/// Unlocks with the vault's answer to its stanza.
fn by_vault(received: &Received, vault: &FakeVault) -> Unlocked {
    let header = header(received);
    let stanza = header.vault_stanzas().next().expect("one for the vault");
    let file_key = vault.unwrap_file_key(stanza.root_key_id(), stanza.wrapped());
    header.unlock_with(FileKey::from_slice(file_key.expose()).unwrap()).unwrap()
}

/// Opens the seal and verifies the whole archive in it.
fn open(received: &Received, unlocked: &Unlocked) -> ArchiveReader<Cursor<Vec<u8>>> {
    let mut sealed = Cursor::new(received.file.as_slice());
    Header::read(&mut sealed).unwrap();
    let mut zip = Vec::new();
    SealReader::open(sealed, unlocked).unwrap().read_to_end(&mut zip).unwrap();
    let mut archive = ArchiveReader::open(Cursor::new(zip), Limits::V1).unwrap();
    verify(&mut archive, &mut |_| {}).unwrap();
    archive
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_is_sealed_to_the_vault_and_the_recovery_key() {
    let service = Service::usual("").await;
    let received = export(&service, ExportBackupRequest::default()).await;
    assert!(received.header.file_name.ends_with(".zip.age"), "{}", received.header.file_name);
    assert_eq!(received.trailer.size_bytes, received.file.len() as i64);
    assert_eq!(received.trailer.sha256, hex::encode(Sha256::digest(&received.file)));

    let recovery = by_identity(&received, Identity::X25519(service.recovery())).unwrap();
    let mut archive = open(&received, &recovery);
    assert_eq!(archive.manifest().archive_id, received.header.archive_id);
    open(&received, &by_vault(&received, &service.vault));
    let stranger = by_identity(&received, Identity::X25519(X25519Identity::generate())).unwrap_err();
    assert!(stranger.to_string().contains("recovery keys: 1"), "{stranger}");

    let signature = archive.signature().unwrap().expect("the vault signs");
    let signer = service.vault.signer();
    assert_eq!(signature.kid(), signer.kid.to_string());
    verify_signature(&signer.bytes, &archive, &signature);
    for event in service.vault.events() {
        assert_eq!(event.metadata["seal"], "\"configured\"");
        assert_eq!(event.metadata["recipients"], format!("[\"{}\"]", service.recovery().recipient()));
        assert_eq!(event.target, received.header.file_name);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn other_recipients_take_the_place_of_the_recovery_key() {
    let service = Service::usual("").await;
    let other = X25519Identity::generate();
    let received = export(&service, to(&other)).await;
    by_identity(&received, Identity::X25519(service.recovery())).unwrap_err();
    open(&received, &by_vault(&received, &service.vault));
    let event = service.end_event().await;
    assert_eq!(event.metadata["seal"], "\"recipients\"");
    assert_eq!(event.metadata["recipients"], format!("[\"{}\"]", other.recipient()));
    open(&received, &by_identity(&received, Identity::X25519(other)).unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_passphrase_opens_alone_and_stands_nowhere() {
    let service = Service::usual("").await;
    let received = export(&service, passphrase()).await;
    assert_eq!(header(&received).vault_stanzas().count(), 0);
    by_identity(&received, Identity::X25519(service.recovery())).unwrap_err();
    let given = Identity::Passphrase(Passphrase::new(PASSPHRASE).unwrap());
    open(&received, &by_identity(&received, given).unwrap());

    let events = service.vault.events();
    assert_eq!(events[1].metadata["seal"], "\"passphrase\"");
    let shown = format!("{events:?} {:?}", passphrase());
    assert!(shown.contains("[redacted]") && !shown.contains("horse"), "{shown}");
}

#[tokio::test(flavor = "multi_thread")]
async fn each_choice_needs_its_own_permission() {
    let service = Service::usual("").await;
    let choices = [
        (plain(), "backup.export_plain"),
        (passphrase(), "backup.export_passphrase"),
        (to(&X25519Identity::generate()), "backup.export_recipients"),
    ];
    let all = choices.clone().map(|(_, permission)| permission);
    for (request, needed) in choices {
        let mut held = all.to_vec();
        held.retain(|permission| *permission != needed);
        held.push("backup.export");
        let refused = service.client_with(&held).export_backup(request).await.unwrap_err();
        assert_eq!(refused.code(), Code::PermissionDenied, "{needed}");
        assert!(refused.message().contains(needed), "{}", refused.message());
    }
    let mut creator = service.client_with(&["backup.export"]);
    let stream = creator.export_backup(ExportBackupRequest::default()).await.unwrap().into_inner();
    receive(stream).await.unwrap();
    let told = service.vault.events().into_iter().filter(|event| event.event == "access.denied").count();
    assert_eq!(told, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_sealed_without_a_recovery_key_unless_in_words() {
    let start = async |seal: &str| {
        Service::sealing(database::folder().await, FakeVault::start().await, "", "", seal).await
    };
    let service = start("").await;
    let refused = service.client().export_backup(ExportBackupRequest::default()).await.unwrap_err();
    assert_eq!(reason_of(&refused), "NO_RECOVERY_RECIPIENT");
    assert!(refused.message().contains("strongroom recovery create"), "{}", refused.message());
    assert!(service.vault.events().is_empty());
    export(&service, plain()).await;

    let service = start(&format!("without_recovery = '{WITHOUT_RECOVERY}'")).await;
    let received = export(&service, ExportBackupRequest::default()).await;
    open(&received, &by_vault(&received, &service.vault));
}
