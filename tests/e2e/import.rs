//! Importing Gatwy's backup file and PromptGate's export as an operator would.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use e2e::{Dev, Finished, finish, program, repository};
use serde_json::{Value, json};
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

/// The key of the test vector.
const MASTER_KEY: &str = "1111111111111111";

const APP_KEY: &str = "APP_KEY=base64:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n";

// Encrypted by other programs; shared/import names them.
const GCM: &str = "eyJpdiI6IlFFRkNRMFJGUmtkSVNVcEwiLCJ2YWx1ZSI6ImtkS0RURlpaNldLazZTY0hxVmNuYmtcL3hhbVU9IiwibWFjIjoiIiwidGFnIjoiOEVnWFQ3c25KeE9SbFkrMk5xRkhYUT09In0=";
const CBC: &str = "eyJpdiI6IllHRmlZMlJsWm1kb2FXcHJiRzF1Ync9PSIsInZhbHVlIjoiaHRXM3F6c21uam1tbEJmblp2YVdOOVVnWExQTURWdjRSQ2pqdUhrUUJuaz0iLCJtYWMiOiJjYjgxODhhNjk1MmExNjZhMmQ0YTZmZTg4NDhkOGE1YjkyMmM5OTdmOTk4OTkxYWNiMGNjNGI4MWQ5MTZmZGIwIiwidGFnIjoiIn0=";

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// Runs `strongroom import geb` without any service.
fn geb(folder: &Path, file: &str, passphrase: &str, more: &[&str]) -> Finished {
    let mut command = program("strongroom");
    command.args(["import", "geb", file, "--passphrase-file", "-"]).args(more).current_dir(folder);
    finish(&mut command, passphrase.as_bytes(), std::time::Duration::from_secs(60))
}

fn vector() -> Vec<u8> {
    fs::read(repository().join("shared/import/tests/vector.geb")).unwrap()
}

#[test]
fn the_geb_vector_is_listed_verified_and_unpacked() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    fs::write(at.join("v.geb"), vector()).unwrap();

    let listed = geb(at, "v.geb", "correct horse\n", &[]).succeeded();
    assert!(listed.text().contains("a.cast"), "{}", listed.said());
    assert_eq!(at.read_dir().unwrap().count(), 1, "nothing is written without --out");

    let unpacked = geb(at, "v.geb", "correct horse\r\n", &["--out", "out", "-o", "json"]).succeeded();
    let said = unpacked.json();
    assert_eq!(said["exportedAt"], "2026-01-01T00:00:00.000Z");
    assert_eq!(said["recordings"], json!([{ "name": "a.cast", "bytes": "12", "decrypted": false }]));
    assert_eq!((&said["database"], &said["masterKey"]), (&json!("out/gatwy.db"), &Value::Null));
    assert_eq!(fs::read(at.join("out/recordings/a.cast")).unwrap(), b"rec-one-data");
    assert!(fs::read(at.join("out/gatwy.db")).unwrap().starts_with(b"SQLite format 3\0"));
    assert_eq!(at.join("out").read_dir().unwrap().count(), 2);

    let keyed = geb(at, "v.geb", "correct horse", &["--out", "keyed", "--with-master-key"]).succeeded();
    assert_eq!(fs::read_to_string(at.join("keyed/master.key")).unwrap(), format!("{}\n", "11".repeat(32)));
    for finished in [listed, unpacked, keyed] {
        assert!(!finished.said().contains(MASTER_KEY), "{}", finished.said());
    }

    let again = geb(at, "v.geb", "correct horse", &["--out", "out"]).failed_with(1);
    assert!(again.contains("out is not empty, and nothing is overwritten"), "{again}");
}

#[test]
fn a_geb_that_is_not_whole_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let vector = vector();
    let (mut flipped, mut future) = (vector.clone(), vector.clone());
    flipped[300] ^= 1;
    future[6] = 2;
    for (name, bytes, passphrase, sentence) in [
        ("wrong", vector.as_slice(), "wrong horse", "the passphrase does not open this .geb"),
        ("flipped", &flipped, "correct horse", "the passphrase is right, but the .geb is damaged"),
        ("short", &vector[..350], "correct horse", "at least 11 bytes are missing at its end"),
        ("long", &[&vector[..], b"more"].concat(), "correct horse", "4 bytes follow its end"),
        ("future", &future, "correct horse", "version 2 of the file layout"),
        ("other", b"PK\x03\x04", "correct horse", "this is not a Gatwy backup"),
        ("empty", b"", "correct horse", "this is not a Gatwy backup"),
    ] {
        fs::write(at.join(name), bytes).unwrap();
        let said = geb(at, name, passphrase, &["--out", "out"]).failed_with(1);
        assert!(said.contains(sentence) && said.contains(name), "{said}");
        assert!(!at.join("out").exists(), "{name}");
    }
}

/// An export of a gateway with four credentials, two of which cannot be imported.
fn export(dev: &Dev) -> PathBuf {
    export_counting(dev, &json!({ "credentials": 4, "mcp_servers": 1, "endpoints": 1 }))
}

/// The same with other counts in the manifest.
fn export_counting(dev: &Dev, tables: &Value) -> PathBuf {
    let broken = GCM.replace("eyJpdiI6IlFF", "eyJpdiI6IlFG");
    let credentials = json!([
        { "id": 1, "name": "OpenAI Production", "provider": "openai", "secret": GCM, "is_active": 1 },
        { "id": 2, "name": "Mistral", "provider": "mistral", "secret": CBC, "is_active": false },
        { "id": 3, "name": "Broken", "provider": "openai", "secret": broken, "is_active": true },
        { "id": 4, "name": "Odd", "provider": "Open AI", "secret": GCM, "is_active": true },
    ]);
    export_of(dev, "promptgate-backup-2026-05-06-101422.zip", tables, &credentials)
}

fn export_of(dev: &Dev, name: &str, tables: &Value, credentials: &Value) -> PathBuf {
    let manifest = json!({
        "format_version": 1,
        "app_name": "PromptGate",
        "app_url": "https://gateway.example.com",
        "created_at": "2026-05-06T10:14:22Z",
        "tables": tables,
        "options": { "include_gateway_logs": false, "include_audit": false },
    });
    let path = dev.path(name);
    let mut zip = ZipWriter::new(fs::File::create(&path).unwrap());
    for (name, document) in [
        ("manifest.json", &manifest),
        ("tables/credentials.json", credentials),
        ("tables/mcp_servers.json", &json!([{ "id": 1, "bearer": CBC }])),
        ("tables/endpoints.json", &json!([{ "id": 7, "credential_id": 1 }])),
    ] {
        zip.start_file(name, SimpleFileOptions::default()).unwrap();
        // PHP escapes slashes.
        zip.write_all(document.to_string().replace('/', "\\/").as_bytes()).unwrap();
    }
    zip.finish().unwrap();
    path
}

/// A gateway can claim the URL of another one, and a row can have changed since its import.
#[test]
fn a_row_is_already_there_only_if_it_is_the_same() {
    let dev = Dev::start("");
    let admin = &dev.admin;
    let counts = json!({ "credentials": 2, "mcp_servers": 1, "endpoints": 1 });
    let rows = |name: &str, secret: &str, active: &Value| {
        json!([
            { "id": 1, "name": name, "provider": "openai", "secret": secret, "is_active": active },
            { "id": 2, "name": "Other", "provider": "openai", "secret": CBC, "is_active": "t" },
        ])
    };
    let import = |name: &str, rows: &Value, more: &[&str]| {
        let export = export_of(&dev, name, &counts, rows);
        let import = ["import", "promptgate", text(&export), "--app-key-file", "-", "-o", "json"];
        admin.feed(&[&import[..], more].concat(), APP_KEY.as_bytes())
    };
    let outcome = |finished: &Finished, line: usize| {
        let said = finished.json();
        let line = &said["credentials"][line];
        (line["outcome"].as_str().unwrap().to_owned(), line["reason"].as_str().unwrap_or_default().to_owned())
    };
    let _ = import("first.zip", &rows("Main", GCM, &json!(1)), &[]).succeeded();
    for (name, rows, differs) in [
        ("renamed.zip", rows("Renamed", GCM, &json!("f")), "name"),
        ("rotated.zip", rows("Main", CBC, &json!("0")), "secret"),
    ] {
        for more in [&["--dry-run"][..], &[]] {
            let again = import(name, &rows, more);
            let _ = again.failed_with(1);
            let (first, reason) = outcome(&again, 0);
            assert!(
                first == "not imported" && reason.contains(&format!("its {differs} is different")),
                "{reason}"
            );
            assert_eq!(outcome(&again, 1).0, "already there");
        }
    }
    assert_eq!(
        admin.json(&["credential", "stats"])["active"],
        "2",
        "no credential of the first import was deactivated"
    );

    // After the vault's secret is rotated to the export's, the row is identical again.
    let _ = admin
        .feed(&["credential", "rotate", "Main", "--secret-file", "-"], b"sk-mistral-abcdefghij")
        .succeeded();
    let unknown = import("unknown.zip", &rows("Main", GCM, &json!(2)), &[]);
    let _ = unknown.failed_with(1);
    assert!(outcome(&unknown, 0).1.contains("is_active"), "{}", unknown.said());
}

#[test]
fn a_gateway_s_credentials_are_imported_once() {
    let dev = Dev::start("");
    let admin = &dev.admin;
    let export = export(&dev);
    let key = dev.path("app.key");
    fs::write(&key, APP_KEY).unwrap();
    let import = ["import", "promptgate", text(&export), "--app-key-file", text(&key)];
    let outcomes = |report: &Value| -> Vec<String> {
        let lines = report["credentials"].as_array().unwrap().iter();
        lines.map(|line| line["outcome"].as_str().unwrap().to_owned()).collect()
    };

    let tried = admin.run(&[&import[..], &["--dry-run", "-o", "json"]].concat());
    assert!(tried.failed_with(1).contains("2 of 4 credentials were not imported"), "{}", tried.said());
    let would = ["would be imported", "would be imported", "not imported", "not imported"];
    assert_eq!(outcomes(&tried.json()), would);
    assert_eq!(admin.json(&["credential", "stats"])["total"], "0");

    let done = admin.run(&[&import[..], &["-o", "json"]].concat());
    assert!(done.failed_with(1).contains("2 of 4 credentials were not imported"), "{}", done.said());
    let report = done.json();
    assert_eq!(outcomes(&report), ["imported", "imported", "not imported", "not imported"]);
    let reason = |line: usize| report["credentials"][line]["reason"].as_str().unwrap().to_owned();
    for line in [2, 3] {
        assert_eq!(tried.json()["credentials"][line], report["credentials"][line], "a dry run says the same");
    }
    assert!(reason(2).contains("GCM tag does not match"), "{report}");
    assert!(reason(3).contains("provider"), "{report}");
    let bearer = json!([{ "column": "bearer", "values": "1", "opened": "1" }]);
    assert_eq!(report["notImported"][0]["encrypted"], bearer, "{report}");
    assert!(
        report["notImported"][1]["reason"].as_str().unwrap().starts_with("rows that name a credential: 1;")
    );

    let listed = admin.json(&["credential", "list", "--label", "imported-from=promptgate"]);
    assert_eq!(listed.as_array().unwrap().len(), 2);
    assert_eq!(listed[0]["labels"]["promptgate.id"], "1");
    assert_eq!((&listed[0]["active"], &listed[1]["active"]), (&json!(true), &json!(false)));
    let revealed = admin.run(&["credential", "reveal", "OpenAI Production"]).succeeded();
    assert_eq!(revealed.stdout, b"sk-openai-0123456789");
    let said = [tried.said(), done.said()].concat();
    assert!(!said.contains("0123456789\"") && !said.contains("sk-"), "{said}");

    // A second run creates nothing and does not undo later decisions.
    let _ = admin.json(&["credential", "activate", "Mistral"]);
    let again = admin.run(&[&import[..], &["-o", "json"]].concat());
    assert_eq!(outcomes(&again.json())[..2], ["already there", "already there"]);
    assert_eq!(
        admin.json(&["credential", "stats"]),
        json!({ "total": "2", "active": "2", "providers": ["mistral", "openai"] })
    );
    assert_eq!(admin.events("credential.created").len(), 2);

    // Without its labels, only the request id identifies it.
    let _ = admin.json(&["credential", "update", "Mistral", "--label", "team=search"]);
    let _ = admin.run(&import);
    assert_eq!(admin.json(&["credential", "stats"])["total"], "2");
    let _ = admin.json(&["credential", "delete", "--yes", "OpenAI Production"]);
    let deleted = admin.run(&[&import[..], &["-o", "json"]].concat());
    let reason = deleted.json()["credentials"][0]["reason"].as_str().unwrap().to_owned();
    assert_eq!(reason, "it was imported within the last day and then deleted");
}

#[test]
fn a_wrong_app_key_imports_nothing() {
    let dev = Dev::start("");
    let export = export(&dev);
    let import = ["import", "promptgate", text(&export), "--app-key-file", "-"];
    let other = dev.admin.feed(&import, APP_KEY.replace("AAEC", "AAED").as_bytes()).failed_with(1);
    assert!(other.contains("none of the 4 encrypted credentials opens with this APP_KEY"), "{other}");
    let none = dev.admin.feed(&import, b"base64:hidden").failed_with(1);
    assert!(none.contains("not a Laravel APP_KEY") && !none.contains("hidden"), "{none}");
    assert_eq!(dev.admin.json(&["credential", "stats"])["total"], "0");
}

#[test]
fn an_export_that_is_not_whole_imports_nothing() {
    let dev = Dev::start("");
    let export = export_counting(&dev, &json!({ "credentials": 4, "mcp_servers": 2, "endpoints": 1 }));
    let import = ["import", "promptgate", text(&export), "--app-key-file", "-"];
    let said = dev.admin.feed(&import, APP_KEY.as_bytes()).failed_with(1);
    assert!(said.contains("counts 2 rows in \"mcp_servers\", but 1 are there"), "{said}");
    assert_eq!(dev.admin.json(&["credential", "stats"])["total"], "0");
}

#[test]
fn an_archive_of_our_own_is_no_foreign_export() {
    let dev = Dev::start("");
    let out = dev.path("own.zip");
    let _ = dev.admin.run(&["backup", "export", "--plain", "--out", text(&out)]).succeeded();
    let import = ["import", "promptgate", text(&out), "--app-key-file", "-"];
    let said = dev.admin.feed(&import, APP_KEY.as_bytes()).failed_with(1);
    assert!(said.contains("archive of Strongroom itself"), "{said}");
}
