//! An archive of the sample gateway, opened with common operators' tools.

use std::collections::BTreeSet;

use e2e::{Archive, Dev, SEED_TABLES, sample_gateway, source, tool};
use serde_json::{Value, json};
use strongroom_testkit::TestDb;

/// Vault tables beyond those listed by the seed.
const VAULT_EXTRAS: [&str; 5] = [
    "credential_labels",
    "credential_versions",
    "credential_tombstones",
    "credential_references",
    "credential_fallbacks",
];
const SEED_FIELDS: [&str; 7] =
    ["format_version", "app_name", "app_url", "created_at", "tables", "options", "note"];
const OUR_FIELDS: [&str; 10] = [
    "deployment_id",
    "zip_sha256",
    "archive_id",
    "producer",
    "root_key_id",
    "kids",
    "encrypted_columns",
    "audit_head",
    "sources",
    "entries",
];

/// A sample gateway with two credentials, and `strongroom dev` for it.
fn gateway(db: &TestDb) -> Dev {
    sample_gateway(db);
    let dev = Dev::start(&source("gateway", db, &[("gateway_logs", "created_at")]));
    let openai = dev.admin.create_credential("OpenAI", "openai", b"sk-live-0123456789abcdef");
    let _ = dev.admin.create_credential("Anthropic", "anthropic", b"sk-ant-0123456789abcdef");
    let _ = dev.admin.json(&["reference", "bind", "endpoint", "chat", &openai]);
    dev
}

/// Exports into a new folder, so that the server chooses the file name.
fn export(dev: &Dev, selection: &[&str]) -> (Archive, Value) {
    let folder = tempfile::tempdir_in(dev.path("")).unwrap().keep();
    let arguments = ["backup", "export", "--plain", "--out", folder.to_str().unwrap()];
    let summary = dev.admin.json(&[&arguments[..], selection].concat());
    (Archive::only_one_in(&folder), summary)
}

fn keys(object: &Value) -> BTreeSet<&str> {
    object.as_object().unwrap().keys().map(String::as_str).collect()
}

#[test]
fn the_archive_is_what_the_seed_page_promises_and_ours() {
    for db in TestDb::each() {
        let dev = gateway(&db);
        let (archive, summary) = export(&dev, &[]);
        let shape: String =
            archive.name().chars().map(|c| if c.is_ascii_digit() { '9' } else { c }).collect();
        assert_eq!(shape, "promptgate-backup-9999-99-99-999999.zip");
        assert_eq!(summary["fileName"], archive.name());

        let manifest = archive.json("manifest.json");
        let expected: BTreeSet<&str> = SEED_FIELDS.into_iter().chain(OUR_FIELDS).collect();
        assert_eq!(keys(&manifest), expected);
        assert_eq!(manifest["format_version"], 1);
        assert_eq!(manifest["app_name"], "PromptGate");
        assert_eq!(manifest["app_url"], "https://gateway.example.com");
        assert_eq!(manifest["options"], json!({ "include_gateway_logs": false, "include_audit": false }));
        assert_eq!(manifest["archive_id"], summary["archiveId"]);
        assert_tables(&archive, &SEED_TABLES);
        for table in SEED_TABLES.iter().filter(|table| !["credentials", "api_tokens"].contains(table)) {
            let rows = db.number(&format!("SELECT count(*) FROM {table}"));
            assert_eq!(manifest["tables"][table], rows, "{table}");
        }
        assert_eq!(manifest["tables"]["credentials"], 2);
        let ring = archive.json("keys/ring.json").to_string();
        assert!(manifest["kids"].as_array().unwrap().iter().all(|kid| ring.contains(kid.as_str().unwrap())));
    }
}

fn assert_tables(archive: &Archive, seed: &[&str]) {
    let tables = archive.tables();
    let found: BTreeSet<&str> = tables.iter().map(String::as_str).collect();
    let listed = archive.json("manifest.json");
    assert_eq!(found, keys(&listed["tables"]));
    let expected: BTreeSet<&str> = seed.iter().copied().chain(VAULT_EXTRAS).collect();
    assert_eq!(found, expected);
}

#[test]
fn logs_are_there_when_asked_for() {
    let db = TestDb::sqlite();
    let dev = gateway(&db);
    let (archive, _) = export(&dev, &["--include", "gateway_logs", "--include", "audit"]);
    assert_tables(
        &archive,
        &[&SEED_TABLES[..], &["gateway_logs", "audit_logs", "audit_checkpoints"]].concat(),
    );
    let manifest = archive.json("manifest.json");
    assert_eq!(manifest["options"], json!({ "include_gateway_logs": true, "include_audit": true }));
    assert_eq!(manifest["tables"]["gateway_logs"], db.number("SELECT count(*) FROM gateway_logs"));
    let audit = archive.json("tables/audit_logs.json");
    assert!(audit.to_string().contains("credential.created"));
}

#[test]
fn a_selection_is_marked_as_partial() {
    for db in TestDb::each() {
        let dev = gateway(&db);
        let (archive, _) = export(&dev, &["--tables", "users,credentials"]);
        assert_eq!(
            BTreeSet::from_iter(archive.tables()),
            BTreeSet::from(["credentials".into(), "users".into()])
        );
        assert_eq!(archive.json("manifest.json")["partial"]["tables"], json!(["users", "credentials"]));
        // The sample's log ends in the past, so the last minute has no rows.
        let (archive, _) = export(&dev, &["--include", "gateway_logs", "--since", "1m"]);
        let manifest = archive.json("manifest.json");
        assert_eq!(manifest["tables"]["gateway_logs"], 0);
        let mut entries = manifest["entries"].as_array().unwrap().iter();
        let logs = entries.find(|entry| entry["name"] == "tables/gateway_logs.json").unwrap();
        assert!(logs["since"].is_string() && manifest["partial"].is_null(), "{logs}");
    }
}

/// A database restored without these would reuse numbers and lose documents.
#[test]
fn what_a_database_has_beside_its_rows_is_in_it() {
    if let Some(db) = TestDb::postgres() {
        db.run(
            "CREATE TABLE docs (id bigserial PRIMARY KEY, body oid);
             INSERT INTO docs (body) SELECT lo_from_bytea(0, 'the contract');
             SELECT setval('docs_id_seq', 4815162342); CREATE SEQUENCE invoice_no START 4410;
             CREATE TABLE migrations (id serial PRIMARY KEY, migration text); INSERT INTO migrations VALUES (1, '2026_a');
             CREATE VIEW titles AS SELECT id FROM docs",
        );
        let config = source("gateway", &db, &[]) + "migrations_table = \"migrations\"\n";
        let dev = Dev::start(&config);
        let (archive, _) = export(&dev, &[]);
        let manifest = archive.json("manifest.json");
        let gateway = &manifest["sources"][1];
        let of = |name: &str| {
            let mut all = gateway["sequences"].as_array().unwrap().iter();
            all.find(|one| one["name"] == name).unwrap().clone()
        };
        assert_eq!(of("docs_id_seq")["last_value"], 4_815_162_342_i64);
        assert_eq!(of("docs_id_seq")["owner"]["column"], "id");
        assert_eq!(
            (&of("invoice_no")["last_value"], &of("invoice_no")["is_called"]),
            (&json!(4410), &json!(false))
        );
        assert_eq!(gateway["migrations"]["ids"], json!(["2026_a"]));
        assert_eq!(archive.json("databases/gateway.json")["views"][0]["name"], "titles");
        let oid = db.text("SELECT body::text FROM docs");
        let name = format!("large-objects/gateway/{oid}");
        let (_, bytes) = archive.entries().iter().find(|(entry, _)| *entry == name).unwrap().clone();
        assert_eq!(bytes, b"the contract");
    }
    let db = TestDb::sqlite();
    db.run("CREATE TABLE t (id INTEGER PRIMARY KEY AUTOINCREMENT); INSERT INTO t VALUES (9876543210987); DELETE FROM t;
            PRAGMA user_version = 42");
    let dev = Dev::start(&source("gateway", &db, &[]));
    let (archive, _) = export(&dev, &[]);
    let gateway = &archive.json("manifest.json")["sources"][1];
    assert_eq!(
        (&gateway["sequences"][0]["last_value"], &gateway["user_version"]),
        (&json!(9_876_543_210_987_i64), &json!(42))
    );
}

#[test]
fn other_peoples_tools_open_it() {
    for db in TestDb::each() {
        let dev = gateway(&db);
        let (archive, _) = export(&dev, &["--include", "gateway_logs"]);
        let path = archive.path.to_str().unwrap();
        for (name, arguments) in
            [("unzip", &["-t", path][..]), ("7z", &["t", path]), ("bsdtar", &["-tf", path])]
        {
            let Some(command) = tool::tool(name) else { continue };
            let said = tool::run(command, arguments).said();
            if name != "7z" {
                assert!(said.contains("tables/users.json") && said.contains("manifest.json"), "{said}");
            }
        }
    }
}

#[test]
fn digests_and_counts_are_right_by_pythons_count() {
    let Some(python) = tool::tool("python3") else { return };
    let db = TestDb::sqlite();
    let dev = gateway(&db);
    let (archive, summary) = export(&dev, &["--include", "gateway_logs", "--include", "audit"]);
    let arguments = ["-c", include_str!("check_archive.py"), archive.path.to_str().unwrap()];
    let mut counted = tool::run(python, &arguments).json();
    let manifest = archive.json("manifest.json");
    for unlisted in ["manifest.json", "manifest.sig"] {
        assert!(counted.as_object_mut().unwrap().remove(unlisted).is_some(), "{unlisted}");
    }
    let entries = manifest["entries"].as_array().unwrap();
    let listed: BTreeSet<&str> = entries.iter().map(|entry| entry["name"].as_str().unwrap()).collect();
    assert_eq!(listed, keys(&counted));
    for entry in entries {
        let found = &counted[entry["name"].as_str().unwrap()];
        assert_eq!((&entry["bytes"], &entry["sha256"]), (&found["bytes"], &found["sha256"]), "{entry}");
        let Some(table) = entry["table"].as_str().filter(|_| entry["kind"] == "table") else { continue };
        assert_eq!((&entry["rows"], &manifest["tables"][table]), (&found["rows"], &found["rows"]), "{entry}");
        if found["rows"] != 0 {
            let schema = archive.json(&format!("schema/{table}.json"));
            let columns = schema["columns"].as_array().unwrap().iter().map(|column| column["name"].clone());
            assert_eq!(found["columns"], json!([columns.collect::<Vec<_>>()]), "{table}");
        }
    }
    let size = archive.path.metadata().unwrap().len();
    assert_eq!(summary["sizeBytes"], size.to_string());
    assert_eq!(summary["sha256"], sha256(&archive), "the trailer's digest is the file's");
}

fn sha256(archive: &Archive) -> String {
    let python = tool::tool("python3").unwrap();
    let program = "import hashlib, sys; print(hashlib.sha256(open(sys.argv[1], 'rb').read()).hexdigest())";
    tool::run(python, &["-c", program, archive.path.to_str().unwrap()]).text().trim().to_owned()
}

#[test]
fn inspect_and_verify_need_no_service() {
    let db = TestDb::sqlite();
    let mut dev = gateway(&db);
    let (archive, _) = export(&dev, &[]);
    assert_eq!(dev.stop().code(), Some(0));
    let path = archive.path.to_str().unwrap();
    assert_eq!(dev.admin.json(&["archive", "inspect", path]), archive.json("manifest.json"));
    assert_eq!(dev.admin.json(&["archive", "verify", path])["ok"], true);

    let whole = std::fs::read(&archive.path).unwrap();
    let mut flipped = whole.clone();
    // One bit of a digest: some of the bits before it only pad a compressed stream.
    let first_record = whole.windows(4).position(|bytes| bytes == b"PK\x01\x02").unwrap();
    flipped[first_record + 16] ^= 1;
    for (what, bytes) in [("flipped", &flipped[..]), ("cut", &whole[..whole.len() - 1]), ("empty", &[])] {
        let damaged = dev.path(what);
        std::fs::write(&damaged, bytes).unwrap();
        let said = dev.admin.run(&["archive", "verify", damaged.to_str().unwrap()]).failed_with(1);
        assert!(said.contains(what), "it names the file: {said}");
    }
}

#[test]
fn the_export_is_in_the_audit_log_twice() {
    let db = TestDb::sqlite();
    let dev = gateway(&db);
    let (archive, summary) = export(&dev, &["--include", "gateway_logs"]);
    let events = dev.admin.events("backup.*");
    let names: Vec<&str> = events.iter().map(|event| event["event"].as_str().unwrap()).collect();
    assert_eq!(names, ["backup.exported", "backup.export_started"]);
    let (ended, started) = (&events[0], &events[1]);
    assert_eq!(ended["operationId"], started["operationId"]);
    assert_eq!(ended["target"], archive.name());
    assert_eq!(ended["outcome"], "AUDIT_OUTCOME_SUCCESS");
    assert!(ended["actor"].as_str().unwrap().starts_with("token:"), "{ended}");
    assert_ne!(ended["via"], "", "it was asked through the backup service");
    assert_eq!(ended["metadata"]["size_bytes"], summary["sizeBytes"]);
    let options: Value = serde_json::from_str(ended["metadata"]["options"].as_str().unwrap()).unwrap();
    assert_eq!(options, json!({ "include_gateway_logs": true, "include_audit": false }));
}

#[test]
fn a_refused_export_leaves_no_file() {
    let db = TestDb::sqlite();
    let dev = gateway(&db);
    let folder = dev.path("out");
    std::fs::create_dir(&folder).unwrap();
    let out = folder.join("backup.zip");
    let export = ["backup", "export", "--out", out.to_str().unwrap()];
    for (more, expected) in
        [(&["--include", "nothing"][..], "nothing"), (&["--plain", "--tables", "nothing"], "nothing")]
    {
        let said = dev.admin.run(&[&export[..], more].concat()).failed_with(1);
        assert!(said.contains(expected), "{said}");
    }
    assert_eq!(folder.read_dir().unwrap().count(), 0);
}
