//! An attacker with write access to the database, but without a key: `VerifyAuditLog` finds every edit, exchange and
//! removal in every column of every row that grants access, whatever the column contains. `granting.rs` of the store
//! defines what the MACs cover.

use std::collections::BTreeSet;

use strongroom_api::vault::v1::{
    ActivateCredentialRequest, CreateCredentialRequest, DisableKeyVersionRequest, IssueTokenRequest,
    ListCredentialsRequest, ListKeyVersionsRequest, ReencryptRequest, RotateCredentialRequest,
    RotateKeyRequest, VerifyAuditLogRequest,
};
use strongroom_testkit::TestDb;
use strongroom_testkit::requests::{binding, credential, token};
use tonic::Code;

use crate::support::{Clients, TestVault, assert_refused, enrol, enrolled, eventually};

/// Tables of rows that grant access, each with an expression for a row's name.
const TABLES: [(&str, &str); 9] = [
    ("api_tokens", "id"),
    ("credentials", "id"),
    ("credential_references", "kind || '/' || consumer"),
    ("credential_versions", "id"),
    ("key_requests", "id"),
    ("key_versions", "kid"),
    ("people", "id"),
    ("person_identities", "principal"),
    ("person_requests", "id"),
];

/// Columns that the MACs leave out, and why an edit of them grants nothing.
const HARMLESS: [(&str, &str, &str); 6] = [
    ("api_tokens", "last_used_time", "shown to people only"),
    ("credentials", "last_used_time", "shown to people only"),
    ("credentials", "secret", "sealed for its row by a key"),
    ("credential_versions", "secret", "sealed for its row by a key"),
    ("key_versions", "number", "names a version for people; the kid is what counts"),
    ("key_versions", "wrapped", "sealed by the root key for its kid"),
];

/// Fills a vault with rows in every table, and returns the verifier's clients.
async fn filled(vault: &TestVault) -> Clients {
    let mut admin = vault.admin().await;
    let (mut ada, _ben) = (enrolled(vault, "Ada").await, enrolled(vault, "Ben").await);
    let one = admin.create(CreateCredentialRequest {
        labels: [("env".to_owned(), "production".to_owned())].into(),
        ..credential("one")
    });
    let one = one.await.id;
    let two = admin.create(credential("two")).await.id;
    admin.deactivate(&two).await;
    let rotation = RotateCredentialRequest { id: one.clone(), secret: "sk-new".into(), ..Default::default() };
    admin.credentials.rotate_credential(rotation).await.unwrap();
    admin.bind(binding("endpoint", "chat", &one)).await.unwrap();
    admin.bind(binding("endpoint", "mail", &two)).await.unwrap();
    let issued = admin.issue(IssueTokenRequest { name: "ci".into(), ..token("admin") }).await.unwrap();
    admin.keys.rotate_key(RotateKeyRequest { key_id: "credential".into() }).await.unwrap();
    let versions =
        admin.keys.list_key_versions(ListKeyVersionsRequest {}).await.unwrap().into_inner().versions;
    let old =
        versions.into_iter().find(|version| version.number == 1 && version.key_id == "credential").unwrap();
    let disable = DisableKeyVersionRequest { kid: old.kid };
    ada.keys.disable_key_version(disable).await.unwrap_err();
    let asked = enrol(&mut ada, "Cleo", &issued.token.unwrap().id).await.unwrap();
    assert!(asked.request.is_some());
    admin
}

async fn problems(clients: &mut Clients) -> BTreeSet<String> {
    let request = VerifyAuditLogRequest::default();
    let found = match clients.audit.verify_audit_log(request).await {
        Ok(found) => found.into_inner().problems,
        // The vault reads its keys and the verifier's token again every few seconds. Without their MACs, it refuses
        // every caller, so the edit is found too.
        Err(refused) if refused.code() == Code::Unauthenticated => return ["REFUSED".to_owned()].into(),
        Err(error) => panic!("{error:?}"),
    };
    found.into_iter().map(|problem| problem.reason).collect()
}

/// Waits until nothing is found: after an edit of the keys, the vault has to read them again.
async fn nothing_is_found(clients: &mut Clients) {
    eventually(async || problems(clients).await.is_empty().then_some(())).await;
}

/// The columns of a table with their types, in lower case.
fn columns(database: &TestDb, table: &str) -> Vec<(String, String)> {
    let query = if database.file().is_some() {
        format!("SELECT group_concat(name || ':' || lower(type), ',') FROM pragma_table_info('{table}')")
    } else {
        format!(
            "SELECT string_agg(column_name || ':' || data_type, ',') FROM information_schema.columns
             WHERE table_schema = 'public' AND table_name = '{table}'"
        )
    };
    let text = database.text(&query);
    text.split(',')
        .map(|one| one.split_once(':').unwrap())
        .map(|(name, kind)| (name.into(), kind.into()))
        .collect()
}

/// Other values for a column: one from another row, and one that no row has.
fn edits(database: &TestDb, table: &str, column: &str, kind: &str) -> Vec<String> {
    let other = format!("(SELECT o.{column} FROM kept_{table} o WHERE o.{column} <> t.{column} LIMIT 1)");
    let mut values = match kind {
        "boolean" => vec![format!("NOT t.{column}")],
        "bigint" | "integer" => vec![format!("coalesce(t.{column}, 0) + 1"), "NULL".to_owned()],
        "blob" | "bytea" => vec![database.bytes(&[7; 32])],
        _ => vec![format!("coalesce(t.{column}, '') || 'x'")],
    };
    values.push(other);
    values
}

/// Statements with the database's own constraints switched off, as its owner can run them.
fn without_rules(database: &TestDb, sql: &str) -> String {
    let off = if database.file().is_some() {
        "PRAGMA foreign_keys = OFF; PRAGMA ignore_check_constraints = ON;"
    } else {
        "SET session_replication_role = replica;"
    };
    format!("{off} {sql};")
}

/// Removes constraints, so that an edit is never refused by one of them.
fn loosen(database: &TestDb) {
    for (table, _) in TABLES {
        database.run(&format!("CREATE TABLE kept_{table} AS SELECT * FROM {table}"));
        if database.file().is_none() {
            let drop = format!(
                "DO $$ DECLARE c record; BEGIN
                   FOR c IN SELECT conname FROM pg_constraint WHERE conrelid = '{table}'::regclass ORDER BY contype DESC LOOP
                     EXECUTE format('ALTER TABLE {table} DROP CONSTRAINT IF EXISTS %I CASCADE', c.conname);
                   END LOOP;
                   FOR c IN SELECT indexname FROM pg_indexes WHERE tablename = '{table}' LOOP
                     EXECUTE format('DROP INDEX IF EXISTS %I CASCADE', c.indexname);
                   END LOOP;
                   FOR c IN SELECT attname FROM pg_attribute WHERE attrelid = '{table}'::regclass AND attnum > 0 LOOP
                     EXECUTE format('ALTER TABLE {table} ALTER COLUMN %I DROP NOT NULL', c.attname);
                   END LOOP;
                 END $$"
            );
            database.run(&drop);
        }
    }
}

fn restore(database: &TestDb, table: &str) {
    let sql = format!("DELETE FROM {table}; INSERT INTO {table} SELECT * FROM kept_{table}");
    database.run(&without_rules(database, &sql));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_edit_of_every_column_is_found_or_harmless() {
    for vault in TestVault::each().await {
        let mut admin = filled(&vault).await;
        assert_eq!(problems(&mut admin).await, BTreeSet::new());
        let database = vault.database.as_ref();
        loosen(database);
        // The verifier's own token is not edited: on a slow machine, it would be looked up again in between and
        // refused.
        let own = database.text("SELECT id FROM api_tokens WHERE name = 'first admin'");
        let mut edited = 0;
        for (table, name) in TABLES {
            let others = format!("{name} <> '{own}'");
            for (column, kind) in columns(database, table) {
                let harmless = HARMLESS.iter().any(|(t, c, _)| *t == table && *c == column);
                for value in edits(database, table, &column, &kind) {
                    let before = database.number(&format!("SELECT count(*) FROM kept_{table} t WHERE {value} IS NOT NULL OR t.{column} IS NOT NULL"));
                    let sql = format!("UPDATE {table} AS t SET {column} = {value} WHERE {others}");
                    if before == 0 || !database.is_accepted(&without_rules(database, &sql)) {
                        continue;
                    }
                    let same = "SELECT count(*) FROM";
                    let changed = database.number(&format!(
                        "{same} (SELECT {column} FROM {table} EXCEPT SELECT {column} FROM kept_{table}) d"
                    )) + database.number(&format!(
                        "{same} (SELECT {column} FROM kept_{table} EXCEPT SELECT {column} FROM {table}) d"
                    ));
                    let swapped = value.starts_with("(SELECT");
                    if changed > 0 || swapped {
                        let found = problems(&mut admin).await;
                        let case = format!("{table}.{column} = {value}: {found:?}");
                        assert!(harmless || !found.is_empty() || (changed == 0 && swapped), "{case}");
                        edited += 1;
                    }
                    restore(database, table);
                }
            }
            database.run(&without_rules(database, &format!("DELETE FROM {table} WHERE {others}")));
            let found = problems(&mut admin).await;
            // A row that was never changed after the log began, such as a first key version, has no event, so its
            // removal is not noticed.
            assert!(
                !found.is_empty()
                    || ["credential_versions", "key_versions", "person_identities"].contains(&table),
                "{table} is empty"
            );
            restore(database, table);
            nothing_is_found(&mut admin).await;
        }
        assert!(edited > 100, "{edited}");
    }
}

#[tokio::test]
async fn an_old_row_that_is_put_back_is_found() {
    for vault in TestVault::each().await {
        let mut admin = vault.admin().await;
        let id = admin.create(credential("one")).await.id;
        vault.run("CREATE TABLE kept AS SELECT * FROM credentials");
        admin.deactivate(&id).await;
        assert_eq!(problems(&mut admin).await, BTreeSet::new());
        vault.run("DELETE FROM credentials; INSERT INTO credentials SELECT * FROM kept");
        assert_eq!(problems(&mut admin).await, BTreeSet::from(["REPLAYED".to_owned()]));
    }
}

#[tokio::test]
async fn an_old_state_of_a_key_version_that_is_put_back_is_found() {
    for vault in TestVault::each().await {
        let mut admin = vault.admin().await;
        let kid = vault.database.text("SELECT kid FROM key_versions WHERE key_id = 'credential'");
        admin.keys.rotate_key(RotateKeyRequest { key_id: "credential".into() }).await.unwrap();
        vault.run("CREATE TABLE kept AS SELECT * FROM key_versions");
        admin.keys.disable_key_version(DisableKeyVersionRequest { kid: kid.clone() }).await.unwrap();
        assert_eq!(problems(&mut admin).await, BTreeSet::new());
        let put_back = format!(
            "DELETE FROM key_versions WHERE kid = '{kid}'; INSERT INTO key_versions SELECT * FROM kept WHERE kid = '{kid}'"
        );
        vault.run(&without_rules(&vault.database, &put_back));
        assert_eq!(problems(&mut admin).await, BTreeSet::from(["REPLAYED".to_owned()]));
    }
}

#[tokio::test]
async fn a_previous_secret_opens_for_its_credential_only() {
    for vault in TestVault::each().await {
        let mut admin = vault.admin().await;
        let (id, other) =
            (admin.create(credential("one")).await.id, admin.create(credential("two")).await.id);
        let rotation =
            RotateCredentialRequest { id: id.clone(), secret: "sk-new".into(), ..Default::default() };
        admin.credentials.rotate_credential(rotation).await.unwrap();
        admin.reveal_previous(&id).await.unwrap();
        vault.run(&format!("UPDATE credential_versions SET credential_id = '{other}'"));
        assert_refused(admin.reveal_previous(&other).await, Code::DataLoss, "ROW_TAMPERED");
        assert!(problems(&mut admin).await.contains("TAMPERED"));
    }
}

#[tokio::test]
async fn a_row_that_was_changed_grants_nothing() {
    for vault in TestVault::each().await {
        let mut admin = vault.admin().await;
        let id = admin.create(credential("one")).await.id;
        let other = admin.create(credential("two")).await.id;
        admin.bind(binding("endpoint", "chat", &id)).await.unwrap();
        admin.deactivate(&id).await;
        vault.run(&format!("UPDATE credentials SET active = TRUE WHERE id = '{id}'"));
        let refused = admin.reveal(&id).await.unwrap_err();
        assert!(refused.message().contains("changed outside the vault"), "{refused}");
        let activate = ActivateCredentialRequest { id: id.clone(), ..Default::default() };
        assert!(admin.credentials.activate_credential(activate).await.is_err(), "it is not sealed anew");
        assert!(admin.resolve("chat").await.is_err());
        vault.run(&format!("UPDATE credential_references SET credential_id = '{other}'"));
        assert!(admin.resolve("chat").await.is_err());
        let mut gateway = vault.with_role("gateway").await;
        vault.run("UPDATE api_tokens SET role = 'admin' WHERE role = 'gateway'");
        let refused =
            gateway.credentials.list_credentials(ListCredentialsRequest::default()).await.unwrap_err();
        assert_eq!(refused.code(), Code::Unauthenticated, "{refused}");
    }
}

/// Rotating the key of the MACs moves every row to the new version, and the old version can then be retired.
#[tokio::test]
async fn a_rotation_of_the_key_seals_every_row_anew() {
    for vault in TestVault::each().await {
        let mut admin = filled(&vault).await;
        let kids = |table: &str| {
            vault.database.text(&format!("SELECT min(row_kid) || ' ' || max(row_kid) FROM {table}"))
        };
        let old = kids("api_tokens");
        admin.keys.rotate_key(RotateKeyRequest { key_id: "rows".into() }).await.unwrap();
        let mut run = admin.keys.reencrypt(ReencryptRequest::default()).await.unwrap().into_inner();
        while run.message().await.unwrap().is_some() {}
        let new = kids("api_tokens");
        assert_ne!(old, new);
        for (table, _) in TABLES {
            let counted = ["key_versions", "person_identities"].contains(&table);
            assert!(counted || kids(table) == new, "{table}: {}", kids(table));
        }
        assert_eq!(problems(&mut admin).await, BTreeSet::new());
        let disable = DisableKeyVersionRequest { kid: old[..16].to_owned() };
        admin.keys.disable_key_version(disable).await.unwrap();
        assert_eq!(problems(&mut admin).await, BTreeSet::new(), "nothing needs it any more");
        admin.create(credential("three")).await;
    }
}
