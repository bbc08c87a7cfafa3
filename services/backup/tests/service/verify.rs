//! Verifications: requests, reports, and that nothing is left behind.

mod limits;
mod qualified;
mod upload;

use std::fmt::Write as _;
use std::io::Cursor;

use sha2::{Digest as _, Sha256};
use strongroom_api::backup::v1::verify_backup_request::{Chunk, End, Header, Message as Question};
use strongroom_api::backup::v1::verify_backup_response::{Column, Entry, Message, Verdict};
use strongroom_api::backup::v1::{ExportBackupRequest, VerifyBackupRequest, VerifyOutcome};
use strongroom_api::vault::v1::AuditOutcome;
use strongroom_archive::{ArchiveReader, Limits};
use strongroom_runtime::status::reason_of;
use tonic::{Code, Status};

use crate::support::vault::keys::good_value;
use crate::support::vault::{GATEWAY_KID, KID};
use crate::support::{Client, FakeVault, Service, database, plain, receive};

/// The complete answer.
#[derive(Debug)]
struct Told {
    entries: Vec<Entry>,
    columns: Vec<Column>,
    verdict: Verdict,
}

fn header(file: &[u8]) -> Question {
    Question::Header(Header { file_name: "a.zip".into(), size_bytes: file.len() as i64 })
}

fn chunks(file: &[u8]) -> Vec<Question> {
    let chunk = |(number, data): (usize, &[u8])| {
        let (number, offset) = (number as i64, number as i64 * 1000);
        Question::Chunk(Chunk { number, offset, data: data.to_vec().into() })
    };
    file.chunks(1000).enumerate().map(chunk).collect()
}

fn end(file: &[u8]) -> Question {
    Question::End(End { sha256: hex::encode(Sha256::digest(file)) })
}

/// The requests that upload a whole file.
fn questions(file: &[u8]) -> Vec<Question> {
    [vec![header(file)], chunks(file), vec![end(file)]].concat()
}

fn request(message: Question) -> VerifyBackupRequest {
    VerifyBackupRequest { message: Some(message) }
}

/// Sends the requests and reads all answers.
async fn ask(client: &mut Client, questions: Vec<Question>) -> Result<Told, Status> {
    let requests = tokio_stream::iter(questions.into_iter().map(request));
    let mut stream = client.verify_backup(requests).await?.into_inner();
    let (mut entries, mut columns) = (Vec::new(), Vec::new());
    while let Some(next) = stream.message().await? {
        match next.message.expect("never empty") {
            Message::Progress(_) => {}
            Message::Entry(entry) => {
                assert!(columns.is_empty(), "entries come before columns");
                entries.push(entry);
            }
            Message::Column(column) => columns.push(column),
            Message::Verdict(verdict) => {
                assert!(stream.message().await?.is_none(), "nothing follows the verdict");
                return Ok(Told { entries, columns, verdict });
            }
        }
    }
    panic!("the stream ended well without a verdict")
}

async fn verify(service: &Service, file: &[u8]) -> Told {
    ask(&mut service.client(), questions(file)).await.unwrap()
}

async fn export(service: &Service, request: ExportBackupRequest) -> Vec<u8> {
    receive(service.client().export_backup(request).await.unwrap().into_inner()).await.unwrap().file
}

fn outcomes(verdict: &Verdict) -> Vec<VerifyOutcome> {
    verdict.levels.iter().map(|level| level.outcome()).collect()
}

const PASSED: [VerifyOutcome; 4] = [VerifyOutcome::Passed; 4];

/// A service with `secrets(id, owner, value)` in the folder's database; `value` is declared as an encrypted column.
async fn with_secrets(rows: &str) -> Service {
    let folder = database::folder().await;
    let sql = format!("CREATE TABLE secrets (id INTEGER PRIMARY KEY, owner TEXT, value); {rows}");
    database::run(folder.path(), &sql).await;
    let column =
        "[[sources.encrypted_columns]]\ncolumn = 'secrets.value'\nkey = 'gateway'\naad = '{owner}/{id}'";
    Service::start(folder, FakeVault::start().await, "", column).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_good_archive_passes_every_level_sealed_and_plain() {
    let service = Service::usual("").await;
    for request in [ExportBackupRequest::default(), plain()] {
        let file = export(&service, request).await;
        let told = verify(&service, &file).await;
        assert_eq!(outcomes(&told.verdict), PASSED, "{told:?}");
        assert!(told.verdict.ok && told.entries.iter().all(|entry| entry.problem.is_empty()));
        let verdict = &told.verdict;
        assert_eq!((verdict.entries, verdict.tables, verdict.rows, verdict.values), (9, 3, 5, 2));
        assert_eq!((verdict.size_bytes, &verdict.app_name), (file.len() as i64, &"Prompt Gate".to_owned()));
        let [column] = told.columns.as_slice() else { panic!("{:?}", told.columns) };
        assert_eq!((column.table.as_str(), column.decryptable), ("credentials", 2));

        let event = service.vault.events().pop().unwrap();
        assert_eq!((event.event.as_str(), event.outcome), ("backup.verified", AuditOutcome::Success.into()));
        assert_eq!((event.target.as_str(), event.metadata["level_values"].as_str()), ("a.zip", "\"passed\""));
        assert_eq!(event.metadata["archive_id"], format!("{:?}", verdict.archive_id));
    }
    let [sealed, plain] = service.vault.checks().try_into().unwrap();
    assert_eq!(sealed, plain);
    let asked: Vec<_> = sealed.iter().map(|item| (item.key_id.as_str(), item.column.as_str())).collect();
    assert_eq!(asked, [("credential", "credentials.secret"); 2]);
    assert_eq!(service.vault.finished_checks(), 2, "the vault has its event of each");
}

#[tokio::test(flavor = "multi_thread")]
async fn values_are_asked_about_in_batches_and_the_first_bad_rows_are_named() {
    let mut rows = String::new();
    for id in 0..2500 {
        let owner = if id % 20 == 0 { "another".to_owned() } else { format!("o{id}") };
        let value = good_value(GATEWAY_KID, &format!("o{id}/{id}"));
        let _ = write!(rows, "INSERT INTO secrets VALUES ({id}, '{owner}', '{value}');");
    }
    let service = with_secrets(&rows).await;
    let file = export(&service, ExportBackupRequest::default()).await;
    let told = verify(&service, &file).await;
    assert_eq!(outcomes(&told.verdict)[3], VerifyOutcome::Failed);
    let column = &told.columns[1];
    assert_eq!((column.values, column.decryptable, column.undecryptable), (2500, 2375, 125));
    let named: Vec<_> = column.rows.iter().map(|row| row.id.clone()).collect();
    assert_eq!(named, (0..100).map(|row| (row * 20).to_string()).collect::<Vec<_>>());
    let sizes: Vec<_> = service.vault.checks().iter().map(Vec::len).collect();
    assert_eq!(sizes, [1000, 1000, 502], "those of the credentials among them");

    let [census] = service.vault.censuses().try_into().unwrap();
    assert_eq!((census.key_id.as_str(), census.column.as_str()), ("gateway", "secrets.value"));
    assert_eq!(census.values.into_iter().collect::<Vec<_>>(), [(GATEWAY_KID.to_owned(), 2500)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_asked_about_is_told_too() {
    let good = good_value(GATEWAY_KID, "a/1");
    let service = with_secrets(&format!(
        "INSERT INTO secrets VALUES (1, 'a', '{good}'), (2, NULL, '{good}'), (3, 'a', x'00ff'), (4, 'a', ''),
            (5, 'a', NULL), (6, 'a', 7), (7, 'a', 'srv1.ffffffffffffffff.00'), (8, 'a', printf('%.*c', 100000, 'x'));"
    ))
    .await;
    let file = export(&service, plain()).await;
    let archive = ArchiveReader::open(Cursor::new(&file), Limits::V1).unwrap();
    let mut needed = [KID, GATEWAY_KID];
    needed.sort_unstable();
    assert_eq!(archive.manifest().kids, needed, "a version that nobody has is not needed");
    let told = verify(&service, &file).await;
    let column = &told.columns[1];
    assert_eq!((column.values, column.decryptable, column.undecryptable, column.unknown_kid), (7, 1, 5, 1));
    let mut named: Vec<_> =
        column.rows.iter().map(|row| (row.id.parse::<i64>().unwrap(), row.reason.as_str())).collect();
    named.sort_unstable();
    let invalid = "CIPHERTEXT_INVALID";
    let expected =
        [(2, "NO_AAD"), (3, invalid), (4, invalid), (6, invalid), (7, "KEY_VERSION_NOT_FOUND"), (8, invalid)];
    assert_eq!(named, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flip_anywhere_in_a_sealed_archive_is_no_good_verdict() {
    let service = Service::usual("").await;
    let file = export(&service, ExportBackupRequest::default()).await;
    for at in (0..file.len()).step_by(file.len() / 40) {
        let mut damaged = file.clone();
        damaged[at] ^= 1;
        let told = verify(&service, &damaged).await;
        assert!(!told.verdict.ok, "byte {at}");
        assert_eq!(outcomes(&told.verdict)[0], VerifyOutcome::Failed, "byte {at}: {:?}", told.verdict);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_bad_entry_is_named_and_the_others_are_still_looked_at() {
    let service = Service::usual("").await;
    let mut file = export(&service, plain()).await;
    let good = verify(&service, &file).await;
    // The table's compressed rows start after the local header's name and the extra field for long files.
    let name = b"tables/users.json";
    let place = file.windows(name.len()).position(|window| window == name).unwrap();
    file[place + name.len() + 24] ^= 1;
    let told = verify(&service, &file).await;
    let bad: Vec<_> = told.entries.iter().filter(|entry| !entry.problem.is_empty()).collect();
    let [bad] = bad.as_slice() else { panic!("{bad:?}") };
    assert_eq!((bad.name.as_str(), told.entries.len()), ("tables/users.json", good.entries.len()));
    use VerifyOutcome::{Failed, Passed};
    assert_eq!(outcomes(&told.verdict), [Passed, Passed, Failed, Passed]);
    assert!(told.verdict.levels[2].problem.starts_with("1 of 9 entries"), "{:?}", told.verdict);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_its_event_no_verdict_leaves() {
    let service = Service::usual("").await;
    let file = export(&service, plain()).await;
    service.vault.refuse("backup.verified", Code::PermissionDenied);
    let status = ask(&mut service.client(), questions(&file)).await.unwrap_err();
    assert_eq!((status.code(), reason_of(&status).as_str()), (Code::Internal, "VAULT_REFUSED"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_vault_that_leaves_is_an_error_and_no_verdict() {
    let service = Service::usual("").await;
    let file = export(&service, plain()).await;
    let mut client = service.client();
    // The service remembers the token for seconds, so it admits the call itself.
    ask(&mut client, questions(&file)).await.unwrap();
    service.vault.leave();
    let status = ask(&mut client, questions(&file)).await.unwrap_err();
    assert_eq!((status.code(), reason_of(&status).as_str()), (Code::Unavailable, "VAULT_UNAVAILABLE"));
}

#[test]
fn the_samples_of_the_vault_are_good() {
    assert_eq!(good_value(KID, "a"), "srv1.0123456789abcdef.61");
}
