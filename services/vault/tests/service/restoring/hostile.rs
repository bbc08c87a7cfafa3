//! A hostile archive, or an attacker with write access to the database, cannot use a restore to create anything that
//! grants access.

use strongroom_api::source::v1::RestoreMode;
use strongroom_testkit::requests::{binding, credential, secret_of};
use tonic::Code;

use super::{Archive, Restore};
use crate::support::{TestVault, assert_refused};

/// Rows of each table that must carry a MAC, each with one column changed.
#[tokio::test]
async fn a_row_that_was_changed_is_refused() {
    for vault in TestVault::each().await {
        let mut admin = vault.admin().await;
        let id = admin.create(credential("One")).await.id;
        admin.bind(binding("endpoint", "app", &id)).await.unwrap();
        let archive = Archive::of(&vault).await;
        for (table, from, to) in [
            ("credentials", "\"display_name\":\"One\"", "\"display_name\":\"Two\""),
            ("credential_references", "\"consumer\":\"app\"", "\"consumer\":\"apq\""),
            ("api_tokens", "\"role\":\"admin\"", "\"role\":\"operator\""),
        ] {
            let mut changed = archive.clone();
            let text = &mut changed.table(table).1;
            let edited = String::from_utf8(text.clone()).unwrap().replace(from, to);
            assert_ne!(edited.as_bytes(), text.as_slice(), "{table}");
            *text = edited.into_bytes();
            let mut restore = Restore::of(&changed, &vault, RestoreMode::Replace).await;
            assert_refused(restore.stage().await, Code::FailedPrecondition, "ROW_UNAUTHENTICATED");
            assert_eq!(vault.number("SELECT count(*) FROM restore_stages"), 0, "nothing is left");
        }
    }
}

#[tokio::test]
async fn what_is_staged_or_kept_cannot_be_changed_in_the_database() {
    for vault in TestVault::each().await {
        let mut admin = vault.admin().await;
        let id = admin.create(credential("One")).await.id;
        let archive = Archive::of(&vault).await;
        admin.deactivate(&id).await;
        for sql in [
            "UPDATE restore_rows SET content = replace(content, 'One', 'Two') WHERE table_name = 'credentials'",
            "UPDATE restore_stages SET terms = replace(terms, 'replace', 'merge')",
        ] {
            let mut restore = Restore::of(&archive, &vault, RestoreMode::Replace).await;
            let _ = restore.stage().await.unwrap();
            vault.run(sql);
            let refused = restore.commit().await.unwrap_err();
            assert!(matches!(refused.code(), Code::DataLoss | Code::PermissionDenied), "{sql}: {refused:?}");
            restore.abort(true).await.unwrap();
        }
        let mut restore = Restore::of(&archive, &vault, RestoreMode::Replace).await.reviving(&[&id]);
        let _ = restore.done().await;
        vault
            .run("UPDATE restore_undo SET content = replace(content, '\"active\":false', '\"active\":true')");
        assert_eq!(restore.roll_back(true).await.unwrap_err().code(), Code::DataLoss);
    }
}

#[tokio::test]
async fn a_stream_that_keeps_no_order_leaves_nothing() {
    let vault = TestVault::sqlite().await;
    let mut admin = vault.admin().await;
    let _ = admin.create(credential("One")).await;
    let archive = Archive::of(&vault).await;
    let breaks: [(&str, Break); 9] = [
        ("ROW_COUNT", |archive| archive.table("credentials").2 = 2),
        ("STAGE_PROTOCOL", |archive| archive.tables.push(("audit_logs".into(), Vec::new(), 0))),
        ("STAGE_PROTOCOL", |archive| {
            let again = archive.table("credentials").clone();
            archive.tables.push(again);
        }),
        ("STAGE_PROTOCOL", |archive| archive.table("credentials").1 = vec![b'x'; 600 << 10]),
        ("ROW_INVALID", |archive| archive.table("credentials").1 = b"{\"id\":1}".to_vec()),
        // These rows have no MAC, and their names are displayed.
        ("ROW_INVALID", |archive| buried(archive, "a\u{1b}[2Jb")),
        ("ROW_INVALID", |archive| buried(archive, &"x".repeat(201))),
        ("ROW_INVALID", |archive| {
            buried(archive, "Two");
            let text = &mut archive.table("credential_tombstones").1;
            *text = String::from_utf8(text.clone()).unwrap().replace("\"one\"", "\"one two\"").into_bytes();
        }),
        ("STAGE_PROTOCOL", |archive| {
            let (_, text, rows) = archive.table("credentials");
            *text = [text.as_slice(), b",\n", text.as_slice()].concat();
            *rows = 2;
        }),
    ];
    for (reason, change) in breaks {
        let mut broken = archive.clone();
        change(&mut broken);
        let mut restore = Restore::of(&broken, &vault, RestoreMode::Merge).await;
        assert_refused(restore.stage().await, Code::InvalidArgument, reason);
        assert_eq!(vault.number("SELECT count(*) FROM restore_stages"), 0);
    }
}

/// Spoils an archive.
type Break = fn(&mut Archive);

/// Adds one tombstone.
fn buried(archive: &mut Archive, name: &str) {
    let row = serde_json::json!({"id": "one", "display_name": name, "provider": "openai", "delete_time": 1});
    let (_, text, rows) = archive.table("credential_tombstones");
    *text = row.to_string().into_bytes();
    *rows = 1;
}

/// A tampered live row: naming it for revival replaces it with the archive's row.
#[tokio::test]
async fn a_live_row_that_was_changed_stops_a_restore_unless_it_is_named() {
    for vault in TestVault::each().await {
        let mut admin = vault.admin().await;
        let id = admin.create(credential("One")).await.id;
        let archive = Archive::of(&vault).await;
        vault.run("UPDATE credentials SET display_name = 'Three'");
        let mut restore = Restore::of(&archive, &vault, RestoreMode::Replace).await;
        assert_refused(restore.plan().await, Code::DataLoss, "ROW_TAMPERED");
        let _ = Restore::of(&archive, &vault, RestoreMode::Replace).await.reviving(&[&id]).done().await;
        assert_eq!(admin.reveal(&id).await.unwrap(), secret_of("One"));
    }
}
