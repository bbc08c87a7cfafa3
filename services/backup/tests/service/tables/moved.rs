//! Exported rows are imported, and a second import changes nothing.

use strongroom_api::backup::v1::RowChange;
use strongroom_api::vault::v1::AuditOutcome;
use strongroom_archive::document::{DocumentLimits, Outline};

use super::{ours, replaced, users};
use crate::support::database::{large_folder, run};
use crate::support::tables::{Moving, counts, header, reasons};
use crate::support::{FakeVault, LOGS, Service};

const BEFORE: &str = "1Ada,2a \"quoted\" name,3é";
const CHANGE: &str = "UPDATE users SET name = 'Eve' WHERE id = 1; DELETE FROM users WHERE id = 2;
    INSERT INTO users VALUES (9, 'new');";

#[tokio::test(flavor = "multi_thread")]
async fn rows_come_back_by_their_keys_and_others_stay() {
    let service = Service::usual("").await;
    let folder = service.folder.path().to_owned();
    let mut client = Moving::of(&service);
    // Logs are an optional group: the table's own name selects them.
    let (document, trailer) = client.export(&["users", "logs", "users"]).await.unwrap();
    let tables: Vec<_> = trailer.tables.iter().map(|table| (table.table.as_str(), table.rows)).collect();
    assert_eq!(tables, [("logs", 2), ("users", 3)]);
    let limits = DocumentLimits { row_bytes: 1000, head_bytes: 10_000 };
    let outline = Outline::read(document.as_slice(), limits).unwrap();
    assert_eq!((outline.app_name.as_str(), outline.tables.len()), ("Prompt Gate", 2));
    let text = std::str::from_utf8(&document).unwrap();
    assert!(text.contains("\n{\"id\":2,\"name\":\"a \\\"quoted\\\" name\"},\n"), "{text}");
    let exported = service.vault.wait_for("tables.exported").await;
    assert_eq!((exported.outcome(), exported.metadata["rows"].as_str()), (AuditOutcome::Success, "5"));
    assert_eq!(exported.metadata["sha256"], format!("\"{}\"", trailer.sha256));

    run(&folder, CHANGE).await;
    let dry = client.import(&document, true).await.unwrap();
    assert_eq!(counts(&dry), [("logs", [2, 0, 2, 0]), ("users", [3, 1, 1, 1])], "{dry:?}");
    assert_eq!((dry.source.as_str(), dry.dry_run, reasons(&dry)), ("gateway", true, vec![]));
    let examples: Vec<_> =
        dry.tables[1].examples.iter().map(|example| (example.change(), example.key.as_str())).collect();
    assert_eq!(examples, [(RowChange::Created, "[\"2\"]"), (RowChange::Conflict, "[\"1\"]")]);
    assert_eq!(users(&folder).await, "1Eve,3é,9new", "a dry run changes nothing");
    assert!(ours(&folder).await.is_empty());
    let event = service.vault.wait_for("tables.imported").await;
    assert_eq!((event.outcome(), event.metadata["dry_run"].as_str()), (AuditOutcome::Success, "true"));

    let done = client.import(&document, false).await.unwrap();
    assert_eq!(counts(&done), counts(&dry), "{done:?}");
    assert_eq!(done.tables, dry.tables);
    assert_eq!(users(&folder).await, "1Eve,2a \"quoted\" name,3é,9new");
    assert!(ours(&folder).await.is_empty(), "{:?}", ours(&folder).await);
    let again = client.import(&document, false).await.unwrap();
    assert_eq!(counts(&again), [("logs", [2, 0, 2, 0]), ("users", [3, 0, 2, 1])], "{again:?}");
    assert_eq!(users(&folder).await, "1Eve,2a \"quoted\" name,3é,9new");
    let event = service
        .vault
        .events()
        .into_iter()
        .find(|event| {
            event.event == "tables.imported"
                && event.metadata["rows_created"] == "1"
                && event.metadata["dry_run"] == "false"
        })
        .unwrap();
    assert_eq!(
        (event.metadata["source"].as_str(), event.metadata["conflicts"].as_str()),
        ("\"gateway\"", "1")
    );
    service.vault.wait_for("tables.import_started").await;
    service.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_take_many_chunks_come_back() {
    let folder = large_folder().await;
    let service = Service::start(folder, FakeVault::start().await, "", LOGS).await;
    let folder = service.folder.path().to_owned();
    let mut client = Moving::of(&service);
    let (document, trailer) = client.export(&["noise", "users"]).await.unwrap();
    assert!(trailer.chunks > 50, "{trailer:?}");
    let noise = "SELECT count(*) || ' ' || sum(length(data)) || ' ' || max(hex(data)) FROM noise";
    let before = super::text(&folder, noise).await;
    run(&folder, "DELETE FROM noise; DELETE FROM users").await;
    let done = client.import(&document, false).await.unwrap();
    assert_eq!(counts(&done), [("noise", [3000, 3000, 0, 0]), ("users", [3, 3, 0, 0])]);
    assert_eq!((super::text(&folder, noise).await, users(&folder).await), (before, BEFORE.to_owned()));
    service.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_outlives_a_caller_that_leaves_and_a_half_document_does_not() {
    let service = Service::usual("").await;
    let folder = service.folder.path().to_owned();
    let mut client = Moving::of(&service);
    let (document, _) = client.export(&["users"]).await.unwrap();
    run(&folder, "DELETE FROM users").await;
    let cut = client.send(vec![header(false)]).await.unwrap_err();
    assert_eq!(cut.code(), tonic::Code::InvalidArgument, "{cut:?}");
    let mut leaving = Moving::of(&service);
    let sent = document.clone();
    let importing = tokio::spawn(async move { leaving.import(&sent, false).await });
    service.vault.wait_for("tables.import_started").await;
    importing.abort();
    service.vault.wait_for("tables.imported").await;
    let began = std::time::Instant::now();
    while !ours(&folder).await.is_empty() {
        assert!(began.elapsed() < std::time::Duration::from_secs(30));
    }
    assert_eq!(users(&folder).await, BEFORE);
    service.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_document_of_another_hand_comes_in_by_names() {
    let service = Service::usual("").await;
    let folder = service.folder.path().to_owned();
    let mut client = Moving::of(&service);
    let (document, _) = client.export(&["users"]).await.unwrap();
    // From another source, sorted and printed like `jq -S`.
    let other = String::from_utf8(document).unwrap().replace("\"gateway\"", "\"elsewhere\"");
    let value: serde_json::Value = serde_json::from_str(&other).unwrap();
    let sorted = serde_json::to_vec_pretty(&value).unwrap();
    run(&folder, "ALTER TABLE users ADD COLUMN more TEXT DEFAULT 'x'; DELETE FROM users WHERE id = 3").await;
    let done = client.import(&sorted, false).await.unwrap();
    assert_eq!(counts(&done), [("users", [3, 1, 2, 0])], "{done:?}");
    assert!(done.warnings.iter().any(|warning| warning.contains("more")), "{done:?}");
    assert_eq!(users(&folder).await, BEFORE);
    let renamed = replaced(&sorted, "\"name\": \"Ada\"", "\"name\": \"Bob\"");
    assert_eq!(counts(&client.import(&renamed, false).await.unwrap()), [("users", [3, 0, 2, 1])]);
    service.stop().await.unwrap();
}
