//! A stored secret exists only as ciphertext: not in archives, database files, logs, errors or lists.

use std::io::{ErrorKind, Read as _};
use std::path::Path;

use e2e::{Archive, Deployment, Dev, Operator, sample_gateway, source};
use strongroom_testkit::{TestDb, secrets};

/// Files in the data folder of `strongroom dev` that contain secrets and that only the owner can read.
const KEPT_SECRETS: [&str; 4] = ["root.key", "admin.token", "backup.token", "recovery.key"];

/// Two secrets that nothing contains by chance: a text with characters that JSON escapes, and raw bytes, the last of
/// which `credential create` would drop from a text.
fn fresh_secrets() -> [Vec<u8>; 2] {
    let mut bytes = vec![0; 32];
    std::fs::File::open("/dev/urandom").unwrap().read_exact(&mut bytes).unwrap();
    let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    bytes[30..].copy_from_slice(b"\xff\n");
    [format!("sk-\"{digits}\"\\end").into_bytes(), bytes]
}

/// A search for secrets that must not be found.
struct Search {
    hidden: Vec<Vec<u8>>,
}

impl Search {
    fn through(&self, place: &str, bytes: &[u8]) {
        for secret in &self.hidden {
            if let Some(form) = secrets::find(bytes, secret) {
                panic!("{place} contains a secret as {form:?}");
            }
        }
    }

    fn through_files(&self, folder: &Path, except: &[&str]) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap();
            if path.is_dir() {
                self.through_files(&path, except);
            } else if !except.contains(&name) {
                // A running service removes files: the write-ahead log of a closed database, the health check's file.
                match std::fs::read(&path) {
                    Err(error) if error.kind() == ErrorKind::NotFound => {}
                    bytes => self.through(&path.display().to_string(), &bytes.unwrap()),
                }
            }
        }
    }

    fn through_archive(&self, archive: &Archive) {
        let credentials = archive.json("tables/credentials.json");
        assert!(credentials[0]["secret"].as_str().unwrap().starts_with("srv1."), "sealed, and there");
        self.through(archive.name(), &std::fs::read(&archive.path).unwrap());
        for (entry, bytes) in archive.entries() {
            self.through(&entry, &bytes);
        }
    }
}

/// Stores the secrets, uses them, and provokes refusals of calls that carry them. Returns all output.
fn live(admin: &Operator, secrets: &[Vec<u8>]) -> String {
    let mut said = String::new();
    for (number, secret) in secrets.iter().enumerate() {
        let name = format!("credential {number}");
        let create = ["credential", "create", &name, "--provider", "openai", "--secret-file", "-"];
        said += &admin.feed(&create, secret).succeeded().said();
        assert_eq!(&admin.run(&["credential", "reveal", &name]).succeeded().stdout, secret);
        let bad_provider = ["credential", "create", "X", "--provider", "Not One", "--secret-file", "-"];
        said += &admin.feed(&bad_provider, secret).said();
        let too_long = [&secret[..], &vec![b'x'; 70_000]].concat();
        said += &admin.feed(&create, &too_long).said();
        said += &admin.issue("auditor").feed(&create, secret).said();
        said += &admin.run(&["credential", "deactivate", &name]).said();
        said += &admin.run(&["credential", "reveal", &name]).said();
        said += &admin.run(&["credential", "get", &name, "-o", "json"]).said();
    }
    for command in [&["credential", "list"][..], &["audit", "list"], &["token", "list"], &["source", "list"]]
    {
        said += &admin.run(command).succeeded().said();
        said += &admin.json(command).to_string();
    }
    said += &admin.with_token(&format!("{}x", admin.token)).run(&["credential", "list"]).said();
    said
}

/// Seals an archive with the first secret as its passphrase, and tries several failing ways. Returns all output.
fn seal_with(admin: &Operator, passphrase: &[u8], out: &Path) -> String {
    let out = out.to_str().unwrap();
    let export = ["backup", "export", "--passphrase-file", "-", "--out", out];
    let mut said = admin.feed(&export, passphrase).succeeded().said();
    said += &admin.issue("backup-creator").feed(&export, passphrase).said();
    let with_control = [passphrase, b"\x01"].concat();
    said += &admin.feed(&export, &with_control).said();
    let verify = ["archive", "verify", out, "--passphrase-file", "-"];
    said += &admin.feed(&verify, passphrase).succeeded().said();
    let wrong = [passphrase, b"x"].concat();
    said + &admin.feed(&verify, &wrong).said()
}

#[test]
fn a_secret_is_in_no_archive_file_log_or_message() {
    let db = TestDb::sqlite();
    sample_gateway(&db);
    let mut dev = Dev::start_logging("trace", &source("gateway", &db, &[]));
    let secrets = fresh_secrets();
    let said = live(&dev.admin, &secrets);
    let archive = dev.path("backup.zip");
    let export = ["backup", "export", "--plain", "--include", "audit", "--out", archive.to_str().unwrap()];
    let _ = dev.admin.run(&export).succeeded();

    let said = said + &seal_with(&dev.admin, &secrets[0], &dev.path("sealed.zip.age"));

    let root_key = std::fs::read_to_string(dev.data().join("root.key")).unwrap().trim().to_owned();
    let root_key_digits = root_key.trim_start_matches("base64:").as_bytes().to_vec();
    let token = dev.admin.token.clone().into_bytes();
    let search = Search { hidden: secrets.iter().cloned().chain([root_key_digits, token]).collect() };
    search.through("what commands said", said.as_bytes());
    search.through_archive(&Archive::at(&archive));
    // Once while its database is open and once after it was closed.
    search.through_files(&dev.data(), &KEPT_SECRETS);
    assert_eq!(dev.stop().code(), Some(0));
    search.through_files(&dev.data(), &KEPT_SECRETS);
    let log = dev.service.log();
    assert!(log.lines().count() > 1000, "it is the log at its most talkative");
    search.through("the log", log.as_bytes());
    search.through("standard output", dev.service.output().as_bytes());
}

#[test]
fn a_database_password_is_in_no_log_and_a_secret_in_no_postgres_row() {
    const PASSWORD: &str = "hunter2-hunter2-hunter2";
    let (Some(vault_database), Some(db)) = (TestDb::postgres(), TestDb::postgres()) else { return };
    sample_gateway(&db);
    // The test server trusts local users, so it accepts any password.
    let with_password = |url: &str| url.replacen("postgres@", &format!("postgres:{PASSWORD}@"), 1);
    let sources = with_password(&source("gateway", &db, &[]));
    assert!(sources.contains(PASSWORD));
    let deployment = Deployment::start(&with_password(vault_database.url_text()), &sources);
    let secrets = fresh_secrets();
    let said = live(&deployment.admin, &secrets);
    let archive = deployment.path("backup.zip");
    let export = ["backup", "export", "--plain", "--include", "audit", "--out", archive.to_str().unwrap()];
    let _ = deployment.admin.run(&export).succeeded();

    let search = Search { hidden: secrets.iter().cloned().chain([PASSWORD.into()]).collect() };
    search.through("what commands said", said.as_bytes());
    search.through_archive(&Archive::at(&archive));
    search.through("the vault's log", deployment.vault.log().as_bytes());
    search.through("the backup service's log", deployment.backup.log().as_bytes());
    for table in ["credentials", "audit_logs", "api_tokens"] {
        for form in secrets.iter().flat_map(|secret| secrets::encodings(secret)) {
            let hex: String = form.iter().map(|byte| format!("{byte:02x}")).collect();
            let sql = format!(
                "SELECT count(*) FROM {table} AS t WHERE position('\\x{hex}'::bytea IN convert_to(t::text, 'UTF8')) > 0"
            );
            assert_eq!(vault_database.number(&sql), 0, "{table}");
        }
    }
}
