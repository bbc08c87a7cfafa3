//! `strongroom backup verify`: good archives, and every possible fault of sealed values, each reported with its row.

use std::path::{Path, PathBuf};

use e2e::{Deployment, Operator, source};
use serde_json::{Value, json};
use strongroom_api::vault::v1::crypto_service_client::CryptoServiceClient;
use strongroom_api::vault::v1::{BatchEncryptRequest, EncryptRequest};
use strongroom_crypto::{RootKey, State};
use strongroom_runtime::client::{Bearer, Target};
use strongroom_testkit::{TestDb, set_key_state};

const SEAL: &str =
    "[seal]\nwithout_recovery = \"I accept that without the root key nobody opens these archives\"\n\n";
const ENCRYPTED: &str = "[[sources.encrypted_columns]]\ncolumn = \"servers.bearer\"\nkey = \"gateway\"\n\
                         aad = \"{table}/{column}/{id}\"\n";

/// A gateway whose table `servers` has sealed bearers, and a vault with two credentials, one of them rotated. Both
/// databases have the same engine.
struct Platform {
    deployment: Deployment,
    gateway: TestDb,
    vault: TestDb,
}

impl Platform {
    fn each() -> Vec<Self> {
        TestDb::each()
            .into_iter()
            .zip(TestDb::each())
            .map(|(gateway, vault)| Self::on(gateway, vault))
            .collect()
    }

    fn on(gateway: TestDb, vault: TestDb) -> Self {
        gateway.run("CREATE TABLE servers (id INTEGER PRIMARY KEY, bearer TEXT)");
        let sources = format!("{SEAL}{}{ENCRYPTED}", source("gateway", &gateway, &[]));
        let deployment = Deployment::start(vault.url_text(), &sources);
        let _ = deployment.admin.run(&["key", "create", "gateway"]).succeeded();
        let _ = deployment.admin.create_credential("One", "openai", b"sk-one-0123456789abcdef");
        let _ = deployment.admin.create_credential("Two", "openai", b"sk-two-0123456789abcdef");
        let platform = Self { deployment, gateway, vault };
        platform.add_servers(1..=6);
        platform
    }

    fn admin(&self) -> &Operator {
        &self.deployment.admin
    }

    /// Adds servers with a bearer sealed by the key's primary version; server 4 has none.
    fn add_servers(&self, ids: std::ops::RangeInclusive<i64>) {
        let items = ids.clone().map(|id| EncryptRequest {
            key_id: "gateway".into(),
            plaintext: format!("bearer {id}").into(),
            aad: format!("servers/bearer/{id}").into(),
        });
        for (id, sealed) in ids.zip(encrypt(self.admin(), items.collect())) {
            let value = if id == 4 { "NULL".to_owned() } else { format!("'{sealed}'") };
            self.gateway.run(&format!("INSERT INTO servers VALUES ({id}, {value})"));
        }
    }

    fn bearer(&self, id: i64) -> String {
        self.gateway.text(&format!("SELECT bearer FROM servers WHERE id = {id}"))
    }

    fn set_bearer(&self, id: i64, value: &str) {
        self.gateway.run(&format!("UPDATE servers SET bearer = '{value}' WHERE id = {id}"));
    }

    fn export(&self, name: &str, options: &[&str]) -> PathBuf {
        let file = self.deployment.path(name);
        let arguments = ["backup", "export", "--out", text(&file)];
        let _ = self.admin().run(&[&arguments[..], options].concat()).succeeded();
        file
    }

    /// Number of files in the service's staging folder: 0 at any time.
    fn staged(&self) -> usize {
        std::fs::read_dir(self.deployment.temporary_folder()).unwrap().count()
    }
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn encrypt(operator: &Operator, items: Vec<EncryptRequest>) -> Vec<String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let target = Target { url: operator.vault_url.clone(), ..Target::default() };
        let channel = target.authorized(Bearer::new(&operator.token).unwrap()).unwrap();
        let answer = CryptoServiceClient::new(channel).batch_encrypt(BatchEncryptRequest { items }).await;
        answer.unwrap().into_inner().results.into_iter().map(|result| result.ciphertext).collect()
    })
}

/// Runs `backup verify` for an archive that must fail; returns the printed JSON and the error message.
fn refused(operator: &Operator, file: &Path, code: i32) -> (Value, String) {
    let finished = operator.run(&["backup", "verify", text(file), "-o", "json"]);
    let said = finished.failed_with(code);
    (finished.json(), said)
}

/// For each column: table and column name, and the four counts.
fn counts(report: &Value) -> Vec<(String, [i64; 4])> {
    let of = |column: &Value| {
        let count = |name: &str| column[name].as_str().unwrap().parse().unwrap();
        let name = format!("{}.{}", column["table"].as_str().unwrap(), column["column"].as_str().unwrap());
        (name, ["values", "decryptable", "undecryptable", "unknownKid"].map(count))
    };
    report["columns"].as_array().unwrap().iter().map(of).collect()
}

/// The rows of a column that do not open, with the reasons, ordered by id.
fn closed(report: &Value, table: &str) -> Vec<(String, String)> {
    let columns = report["columns"].as_array().unwrap();
    let column = columns.iter().find(|column| column["table"] == table).unwrap();
    let row =
        |row: &Value| (row["id"].as_str().unwrap().to_owned(), row["reason"].as_str().unwrap().to_owned());
    let mut rows: Vec<_> = column["rows"].as_array().unwrap().iter().map(row).collect();
    rows.sort();
    rows
}

fn outcomes(report: &Value) -> Vec<&str> {
    let levels = report["levels"].as_array().unwrap();
    levels
        .iter()
        .map(|level| level["outcome"].as_str().unwrap().trim_start_matches("VERIFY_OUTCOME_"))
        .collect()
}

#[test]
fn good_archives_verify_sealed_and_plain() {
    for platform in Platform::each() {
        let admin = platform.admin();
        let rotate = ["credential", "rotate", "One", "--secret-file", "-"];
        let _ = admin.feed(&rotate, b"sk-new-0123456789abcdef").succeeded();
        let (sealed, plain) = (platform.export("a.zip.age", &[]), platform.export("a.zip", &["--plain"]));
        for (file, by) in [(&sealed, "operator"), (&plain, "auditor"), (&sealed, "admin")] {
            let report = admin.issue(by).json(&["backup", "verify", text(file)]);
            assert_eq!(report["ok"], true, "{report}");
            assert_eq!(outcomes(&report), ["PASSED"; 4]);
            let expected = [
                ("credentials.secret", [2, 2, 0, 0]),
                ("credential_versions.secret", [1, 1, 0, 0]),
                ("servers.bearer", [5, 5, 0, 0]),
            ];
            assert_eq!(counts(&report), expected.map(|(name, counts)| (name.to_owned(), counts)));
        }
        assert_eq!(platform.staged(), 0);
        let shown = admin.run(&["backup", "verify", text(&plain)]).succeeded().text();
        assert!(shown.contains("servers.bearer") && shown.contains("values     passed"), "{shown}");

        let event = &admin.events("backup.verified")[3];
        assert_eq!(
            (&event["target"], &event["outcome"]),
            (&json!("a.zip.age"), &json!("AUDIT_OUTCOME_SUCCESS"))
        );
        assert_eq!(event["metadata"]["values"], "8");

        // Counts made during the export: in the manifest and in the vault's census.
        let kid = platform.bearer(1)[5..21].to_owned();
        let manifest = admin.json(&["archive", "inspect", text(&plain)]);
        assert!(manifest["kids"].as_array().unwrap().contains(&json!(kid)), "{}", manifest["kids"]);
        let census = admin.json(&["key", "census", "gateway"]);
        let count = &census["counts"][0];
        let found = [&count["kid"], &count["column"], &count["source"], &count["values"]];
        assert_eq!(
            found,
            [&json!(kid), &json!("servers.bearer"), &json!("gateway"), &json!("5")],
            "{census}"
        );
    }
}

#[test]
fn values_that_would_not_open_are_named_by_their_rows() {
    for mut platform in Platform::each() {
        let admin = platform.admin().clone();
        damage_servers(&platform);
        let ids = swap_credentials(&platform);
        platform.deployment.restart_vault();

        let file = platform.export("a.zip.age", &[]);
        let (report, said) = refused(&admin, &file, 1);
        assert_eq!(outcomes(&report), ["PASSED", "PASSED", "PASSED", "FAILED"]);
        assert!(said.contains("8 of 10 sealed values would not open"), "{said}");
        let expected = [
            ("1", "CIPHERTEXT_INVALID"),
            ("2", "CIPHERTEXT_INVALID"),
            ("3", "CIPHERTEXT_INVALID"),
            ("5", "KEY_VERSION_UNUSABLE"),
            ("6", "KEY_VERSION_NOT_FOUND"),
            ("7", "CIPHERTEXT_INVALID"),
        ];
        assert_eq!(
            closed(&report, "servers"),
            expected.map(|(id, reason)| (id.to_owned(), reason.to_owned()))
        );
        let swapped: Vec<_> = closed(&report, "credentials").into_iter().map(|(id, _)| id).collect();
        assert_eq!(swapped, ids);
        let of_servers = counts(&report).into_iter().find(|(name, _)| name == "servers.bearer").unwrap();
        assert_eq!(of_servers.1, [8, 2, 5, 1]);

        let shown = admin.run(&["backup", "verify", text(&file)]).said();
        for id in ["1", "2", "3", "5", "6", "7"] {
            assert!(shown.contains(&format!("servers.bearer of row {id}: ")), "{shown}");
        }
        assert!(!shown.contains("sk-") && !shown.contains("bearer 8"), "no value is shown: {shown}");
        let event = &admin.events("backup.verified")[0];
        assert_eq!(event["outcome"], "AUDIT_OUTCOME_FAILED");
        assert_eq!(event["metadata"]["values_closed"], "8");
    }
}

/// Damages the values of servers: 1 and 2 are swapped, 3 is changed, 5 is sealed by a version that is then destroyed, 6
/// names an unknown version, and 7 was never sealed.
fn damage_servers(platform: &Platform) {
    let admin = platform.admin();
    let old = platform.bearer(5)[5..21].to_owned();
    let _ = admin.run(&["key", "rotate", "gateway"]).succeeded();
    platform.add_servers(7..=9);
    for id in [1, 2, 3, 6] {
        let again = EncryptRequest {
            key_id: "gateway".into(),
            plaintext: "again".into(),
            aad: format!("servers/bearer/{id}").into(),
        };
        platform.set_bearer(id, &encrypt(admin, vec![again])[0]);
    }
    let (one, two) = (platform.bearer(1), platform.bearer(2));
    platform.set_bearer(1, &two);
    platform.set_bearer(2, &one);
    let mut flipped = platform.bearer(3).into_bytes();
    let middle = flipped.len() / 2;
    flipped[middle] = if flipped[middle] == b'A' { b'B' } else { b'A' };
    platform.set_bearer(3, std::str::from_utf8(&flipped).unwrap());
    let unknown = platform.bearer(6).replacen(&platform.bearer(6)[5..21], "00000000000000aa", 1);
    platform.set_bearer(6, &unknown);
    platform.set_bearer(7, "sk-never-sealed");
    // Destroys the version without the delay of a destruction. The MAC of its state needs the root key.
    let root = std::fs::read_to_string(platform.deployment.path("root.key")).unwrap();
    platform.vault.run(&set_key_state(
        &platform.vault,
        &RootKey::parse(&root).unwrap(),
        &old,
        State::Destroyed,
    ));
}

/// Swaps the secrets of both credentials and returns their ids.
fn swap_credentials(platform: &Platform) -> Vec<String> {
    let id = |name: &str| {
        platform.vault.text(&format!("SELECT id FROM credentials WHERE display_name = '{name}'"))
    };
    let ids = vec![id("One"), id("Two")];
    let secret = |id: &str| platform.vault.text(&format!("SELECT secret FROM credentials WHERE id = '{id}'"));
    let secrets = [secret(&ids[0]), secret(&ids[1])];
    for (id, other) in ids.iter().zip(secrets.iter().rev()) {
        platform.vault.run(&format!("UPDATE credentials SET secret = '{other}' WHERE id = '{id}'"));
    }
    ids
}

#[test]
fn damaged_and_foreign_archives_are_distinguished() {
    let platform = Platform::on(TestDb::sqlite(), TestDb::sqlite());
    let (database, admin) = (TestDb::sqlite(), platform.admin());
    let stranger = Deployment::start(database.url_text(), SEAL);
    let strange = |name: &str, options: &[&str]| {
        let file = stranger.path(name);
        let arguments = ["backup", "export", "--out", text(&file)];
        let _ = stranger.admin.run(&[&arguments[..], options].concat()).succeeded();
        file
    };

    let (report, said) = refused(admin, &strange("empty.zip.age", &[]), 1);
    assert_eq!(outcomes(&report), ["FAILED", "SKIPPED", "SKIPPED", "SKIPPED"]);
    assert!(said.contains("the vault cannot open its seal"), "{said}");
    let (report, said) = refused(admin, &strange("empty.zip", &["--plain"]), 3);
    assert_eq!(outcomes(&report), ["PASSED", "UNKNOWN_SIGNER", "PASSED", "PASSED"]);
    assert!(said.contains("which is not a version in use of this vault's signing key"), "{said}");
    let _ = stranger.admin.create_credential("One", "openai", b"sk-one-0123456789abcdef");
    let (report, _) = refused(admin, &strange("one.zip", &["--plain"]), 1);
    assert_eq!(counts(&report)[0].1, [1, 0, 0, 1], "of a version that the vault does not have");

    let (sealed, plain) = (platform.export("a.zip.age", &[]), platform.export("a.zip", &["--plain"]));
    let damaged = platform.deployment.path("damaged");
    let sealed_length = std::fs::read(&sealed).unwrap().len();
    // After the local header: not every bit of a plain ZIP is significant.
    let name = b"tables/servers.json";
    let place = std::fs::read(&plain).unwrap().windows(name.len()).position(|window| window == name).unwrap();
    for (file, change, told) in [
        (&sealed, Change::Cut, "verification failed"),
        (&sealed, Change::Flip(sealed_length / 3), "chunk"),
        (&plain, Change::Cut, "end record"),
        (&plain, Change::Flip(place + 50), "1 of "),
    ] {
        change.apply(file, &damaged);
        let (report, said) = refused(admin, &damaged, 1);
        assert!(said.contains(told), "{said}");
        assert!(outcomes(&report).contains(&"FAILED"), "{report}");
    }
    let passphrase = platform.deployment.path("passphrase");
    std::fs::write(&passphrase, "correct horse battery staple").unwrap();
    let file = platform.export("p.zip.age", &["--passphrase-file", text(&passphrase)]);
    let (_, said) = refused(admin, &file, 1);
    assert!(said.contains("sealed with a passphrase"), "{said}");
    std::fs::write(&damaged, "no archive at all").unwrap();
    let (_, said) = refused(admin, &damaged, 1);
    assert!(said.contains("ZIP end record"), "{said}");
    assert_eq!(platform.staged(), 0);
}

/// The damage done to a file.
enum Change {
    Cut,
    /// Flips a bit in the byte at this position.
    Flip(usize),
}

impl Change {
    fn apply(self, file: &Path, out: &Path) {
        let mut bytes = std::fs::read(file).unwrap();
        let length = bytes.len();
        match self {
            Self::Cut => bytes.truncate(length - 100),
            Self::Flip(place) => bytes[place] ^= 1,
        }
        std::fs::write(out, bytes).unwrap();
    }
}

#[test]
fn verifying_needs_its_own_permission_and_a_file() {
    let platform = Platform::on(TestDb::sqlite(), TestDb::sqlite());
    let admin = platform.admin();
    let file = platform.export("a.zip.age", &[]);
    for role in ["gateway", "backup-creator", "backup-service"] {
        let said = admin.issue(role).run(&["backup", "verify", text(&file)]).failed_with(1);
        assert!(said.contains("backup.verify"), "{role}: {said}");
    }
    assert!(admin.events("backup.verified").is_empty() && admin.events("archive.key_unwrapped").is_empty());
    let nowhere = platform.deployment.path("nowhere");
    let said = admin.run(&["backup", "verify", text(&nowhere)]).failed_with(1);
    assert!(said.contains("nowhere is neither a file nor the id of a stored backup"), "{said}");
    let said = admin.run(&["backup", "verify", text(&platform.deployment.temporary_folder())]).failed_with(1);
    assert!(said.contains("not a file"), "{said}");
}

#[test]
fn memory_does_not_follow_the_size_of_what_is_verified() {
    let platform = Platform::on(TestDb::sqlite(), TestDb::sqlite());
    let one = platform.bearer(1);
    platform.gateway.run(&format!(
        "CREATE TABLE noise AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10000)
             SELECT i AS id, hex(randomblob(4000)) AS body FROM n;
         INSERT INTO servers SELECT id + 10, '{one}' FROM noise;"
    ));
    let file = platform.export("a.zip", &["--plain"]);
    let size = file.metadata().unwrap().len();
    assert!(size > 40_000_000, "{size}");
    let before = platform.deployment.backup.peak_memory();
    let (report, _) = refused(platform.admin(), &file, 1);
    assert_eq!(counts(&report)[2].1, [10_005, 5, 10_000, 0]);
    assert_eq!(closed(&report, "servers").len(), 100);
    let grown = platform.deployment.backup.peak_memory() - before;
    // Three batches of values of at most 2 MiB, a row, and the pieces of the upload (ARCHITECTURE.md, "Verifying a
    // backup"): 8 MiB. Three times that, because the allocator keeps memory that other threads have freed. The file,
    // which must not be held in memory, is larger.
    assert!(grown < 24 << 20, "{grown} bytes more than an export takes");
}
