//! Unreadable sources: the service starts, reports them, and exports everything that does not need them.

use strongroom_api::backup::v1::{ExportBackupRequest, ListSourcesRequest, Source};
use strongroom_runtime::status::reason_of;
use tempfile::TempDir;
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use crate::support::{FakeVault, LOGS, Received, Service, database, plain, receive};

/// Starts a service with two sources after `gateway`: `broken`, with the given configuration, and `good`, which has the
/// table `orders`.
async fn start(broken: &str) -> (Service, TempDir) {
    let (folder, second) = (database::folder().await, tempfile::tempdir().unwrap());
    database::run(second.path(), "CREATE TABLE orders (id INTEGER); INSERT INTO orders VALUES (1)").await;
    let url = format!("sqlite:{}", second.path().join("gateway.db").display());
    let source = format!(
        "{LOGS}\n[[sources]]\nname = 'broken'\n{broken}\n[[sources]]\nname = 'good'\nkind = 'sqlite'\nurl = '{url}'"
    );
    (Service::start(folder, FakeVault::start().await, "", &source).await, second)
}

async fn export(service: &Service, tables: &[&str]) -> Result<Received, Status> {
    let tables = tables.iter().map(|name| (*name).to_owned()).collect();
    let request = ExportBackupRequest { tables, ..plain() };
    receive(service.client().export_backup(request).await?.into_inner()).await
}

async fn listed(service: &Service) -> Vec<Source> {
    service.client().list_sources(ListSourcesRequest {}).await.unwrap().into_inner().sources
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_source_fails_only_exports_that_need_it() {
    let elsewhere = tempfile::tempdir().unwrap();
    let text = elsewhere.path().join("notes.db");
    std::fs::write(&text, "this is no database, but a letter of more than one hundred bytes. ".repeat(20))
        .unwrap();
    let folder = elsewhere.path().join("nowhere");
    for (broken, code, reason) in [
        (
            format!("kind = 'sqlite'\nurl = 'sqlite:{}'", folder.display()),
            Code::FailedPrecondition,
            "DATABASE_MISSING",
        ),
        // Nothing listens on port 1.
        (
            "kind = 'postgres'\nurl = 'postgres://x@127.0.0.1:1/x'".into(),
            Code::Unavailable,
            "DATABASE_UNAVAILABLE",
        ),
        (
            format!("kind = 'files'\npath = '{}'", folder.display()),
            Code::FailedPrecondition,
            "FILE_UNREADABLE",
        ),
        (format!("kind = 'sqlite'\nurl = 'sqlite:{}'", text.display()), Code::Unknown, ""),
    ] {
        let (service, _second) = start(&broken).await;
        let sources = listed(&service).await;
        let names: Vec<_> = sources.iter().map(|source| source.name.as_str()).collect();
        assert_eq!(names, ["vault", "gateway", "broken", "good"]);
        let error = sources[2].error.clone().expect(&broken);
        assert!(
            sources.iter().all(|source| source.error.is_some() == (source.name == "broken")),
            "{sources:?}"
        );
        assert!(error.message.contains("source broken"), "{error:?}");

        let whole = export(&service, &[]).await.unwrap_err();
        assert_eq!((i32::from(whole.code()), reason_of(&whole)), (error.code, error.reason.clone()));
        assert!(whole.message().contains("source broken"), "{}", whole.message());
        if !reason.is_empty() {
            assert_eq!((error.code, error.reason.as_str()), (code.into(), reason));
            let retry = whole.get_details_retry_info().and_then(|info| info.retry_delay);
            assert_eq!(retry.is_some(), code == Code::Unavailable, "{whole:?}");
        }

        let some = export(&service, &["orders"]).await.unwrap();
        assert_eq!((some.trailer.tables, some.trailer.rows), (1, 1));
        let said: Vec<_> = some.trailer.left_out.iter().map(|one| one.source.as_str()).collect();
        let expected: &[&str] = if reason == "FILE_UNREADABLE" { &[] } else { &["broken"] };
        assert_eq!(said, expected, "its tables could have the same names");
        let status = export(&service, &["of_the_broken_one"]).await.unwrap_err();
        let expected = if reason == "FILE_UNREADABLE" { "INVALID_FIELD" } else { &error.reason };
        assert_eq!(reason_of(&status), expected, "the broken source could have that table");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_comes_later_is_found_and_its_names_count() {
    let elsewhere = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}", elsewhere.path().join("gateway.db").display());
    let (service, _second) = start(&format!("kind = 'sqlite'\nurl = '{url}'")).await;
    assert!(listed(&service).await[2].error.is_some());
    database::run(elsewhere.path(), "CREATE TABLE orders (id INTEGER)").await;
    let sources = listed(&service).await;
    assert_eq!((&sources[2].error, sources[2].tables[0].name.as_str()), (&None, "orders"));
    assert_eq!(sources[3].tables[0].name, "good.orders");
    assert_eq!(export(&service, &[]).await.unwrap().trailer.tables, 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn mistakes_in_the_configuration_still_refuse() {
    for (options, expected) in [
        (
            "encrypted_columns = [{ column = 'user.name', key = 'k', aad = 'a' }]",
            "source gateway has no column \"user.name\"",
        ),
        ("table_prefix = ''", "table_prefix"),
    ] {
        let service = Service::start(database::folder().await, FakeVault::start().await, "", options).await;
        let message = service.refusal().await;
        assert!(message.contains(expected), "{message}");
    }
}
