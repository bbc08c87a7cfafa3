//! Names of tables in archives: two sources with tables of the same name, and names that stay the same when a source is lost.

use std::io::{Cursor, Read as _};

use strongroom_api::backup::v1::{ExportBackupRequest, ListSourcesRequest};
use strongroom_archive::{ArchiveReader, Limits, verify};
use strongroom_runtime::status::reason_of;
use tempfile::TempDir;
use tonic::{Code, Status};

use crate::support::{FakeVault, LOGS, Received, Service, database, plain, receive};

/// A second application: tables with names from the first one, one of them optional there, and one with the name of a
/// vault table.
const OTHER: &str = "
    CREATE TABLE users (id INTEGER PRIMARY KEY, of TEXT); INSERT INTO users VALUES (1, 'the other');
    CREATE TABLE Logs (id INTEGER); CREATE TABLE credentials (id TEXT); CREATE TABLE orders (id INTEGER);
";

struct Two {
    service: Service,
    other: TempDir,
}

impl Two {
    async fn start(other: &str, options: &str) -> Self {
        let (folder, second) = (database::folder().await, tempfile::tempdir().unwrap());
        database::run(second.path(), other).await;
        let source = format!("{LOGS}\n{}", source_b(&second, options));
        let service = Service::start(folder, FakeVault::start().await, "", &source).await;
        Self { service, other: second }
    }

    async fn export(&self, include: &[&str], tables: &[&str]) -> Result<Received, Status> {
        let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let request = ExportBackupRequest { include: owned(include), tables: owned(tables), ..plain() };
        receive(self.service.client().export_backup(request).await?.into_inner()).await
    }

    fn lose(folder: &TempDir) {
        std::fs::rename(folder.path().join("gateway.db"), folder.path().join("lost")).unwrap();
    }
}

fn source_b(folder: &TempDir, options: &str) -> String {
    let path = folder.path().join("gateway.db");
    format!("[[sources]]\nname = 'b'\nkind = 'sqlite'\nurl = 'sqlite:{}'\n{options}", path.display())
}

fn archive(received: &Received) -> ArchiveReader<Cursor<Vec<u8>>> {
    let mut archive = ArchiveReader::open(Cursor::new(received.file.clone()), Limits::V1).unwrap();
    verify(&mut archive, &mut |_| {}).unwrap();
    archive
}

/// Each table, prefixed with its source.
fn tables(received: &Received) -> Vec<String> {
    let archive = archive(received);
    let tables = archive.entries().iter().filter(|entry| entry.rows.is_some());
    let shown = |entry: &strongroom_archive::EntryRecord| {
        format!("{}:{}", entry.source.clone().unwrap(), entry.table.clone().unwrap())
    };
    tables.map(shown).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_later_table_gets_its_sources_name_in_every_archive() {
    let two = Two::start(OTHER, "").await;
    let rest = ["b:b.Logs", "b:b.credentials", "b:orders", "b:b.users"];
    let received = two.export(&[], &[]).await.unwrap();
    let first = ["vault:credentials", "gateway:empty", "gateway:users"];
    assert_eq!(tables(&received), [&first[..], &rest[..]].concat());

    let mut archive = archive(&received);
    let mut schema = String::new();
    archive.entry("schema/b.users.json").unwrap().read_to_string(&mut schema).unwrap();
    let schema: serde_json::Value = serde_json::from_str(&schema).unwrap();
    assert_eq!(
        (&schema["name"], &schema["table"], &schema["source"]),
        (&"b.users".into(), &"users".into(), &"b".into())
    );
    let mut rows = String::new();
    archive.entry("tables/b.users.json").unwrap().read_to_string(&mut rows).unwrap();
    assert!(rows.contains("the other"), "{rows}");

    let with_logs = two.export(&["logs"], &[]).await.unwrap();
    assert_eq!(tables(&with_logs)[4..], rest, "whatever else is chosen");
    let some = two.export(&[], &["b.users", "orders"]).await.unwrap();
    assert_eq!(tables(&some), ["b:orders", "b:b.users"]);

    let listed = two.service.client().list_sources(ListSourcesRequest {}).await.unwrap().into_inner();
    let names: Vec<_> = listed.sources[2].tables.iter().map(|table| table.name.as_str()).collect();
    assert_eq!(names, ["b.Logs", "b.credentials", "orders", "b.users"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn names_do_not_depend_on_what_can_be_read_now() {
    let two = Two::start(OTHER, "").await;
    // Its answer means that it has read its sources.
    two.service.client().list_sources(ListSourcesRequest {}).await.unwrap();
    Two::lose(&two.service.folder);
    let some = two.export(&[], &["b.users"]).await.unwrap();
    assert_eq!(tables(&some), ["b:b.users"], "the first `users` is remembered");
    assert!(some.trailer.left_out.is_empty(), "{:?}", some.trailer.left_out);
    for tables in [&["users"][..], &[]] {
        let status = two.export(&[], tables).await.unwrap_err();
        assert_eq!((status.code(), &*reason_of(&status)), (Code::FailedPrecondition, "DATABASE_MISSING"));
        assert!(status.message().contains("source gateway"), "{}", status.message());
    }
    Two::lose(&two.other);
    let status = two.export(&[], &["b.users"]).await.unwrap_err();
    assert!(status.message().contains("source b"), "{}", status.message());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_prefix_decides_over_all_names_of_its_source() {
    let two = Two::start(OTHER, "table_prefix = 'shop_'").await;
    let received = two.export(&[], &[]).await.unwrap();
    let expected = ["b:shop_Logs", "b:shop_credentials", "b:shop_orders", "b:shop_users"];
    assert_eq!(tables(&received)[3..], expected);
    let some = two.export(&[], &["shop_users"]).await.unwrap();
    assert_eq!(tables(&some), ["b:shop_users"]);
    let status = two.export(&[], &["orders"]).await.unwrap_err();
    assert_eq!(status.message(), "tables[0]: no source has a table \"orders\"");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_is_taken_all_the_same_keeps_the_service_from_starting() {
    let sql = format!("{OTHER} CREATE TABLE \"b.users\" (id INTEGER);");
    let message = Two::start(&sql, "").await.service.refusal().await;
    assert!(message.contains("\"b.users\" of a table of source b"), "{message}");
    assert!(message.contains("table_prefix"), "{message}");
    Two::start(&sql, "table_prefix = 'x'").await.export(&[], &[]).await.unwrap();
}
