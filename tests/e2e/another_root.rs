//! A platform that moves to another root key: the restore reseals everything, and the old root key opens nothing.

use std::path::Path;

use e2e::{Deployment, Operator, source};
use serde_json::Value;
use strongroom_api::vault::v1::crypto_service_client::CryptoServiceClient;
use strongroom_api::vault::v1::{DecryptRequest, EncryptRequest};
use strongroom_runtime::client::{AuthorizedChannel, Bearer, Target};
use strongroom_testkit::{TestDb, write_private};

const TABLE: &str = "CREATE TABLE servers (id INTEGER PRIMARY KEY, bearer TEXT, note TEXT)";
const DECLARED: &str = "[[sources.encrypted_columns]]\ncolumn = \"servers.bearer\"\n\
                        key = \"gateway\"\naad = \"{table}/{column}/{id}\"\n";
const SEAL: &str =
    "[seal]\nwithout_recovery = \"I accept that without the root key nobody opens these archives\"\n\n";
const SECRET: &[u8] = b"sk-of-the-older-vault";
const SERVERS: i64 = 1_500;

/// The configuration of the sources, with a file beside `gateway` that contains the owner's URL.
fn sources(gateway: &TestDb, folder: &Path) -> String {
    let owner = folder.join("owner.url");
    write_private(&owner, gateway.url_text().as_bytes());
    std::fs::create_dir(folder.join("backups")).unwrap();
    let source = source("gateway", gateway, &[]);
    let (owner, folder) = (owner.display(), folder.display());
    let destination = format!("\n[[destinations]]\nname = \"here\"\nurl = \"file://{folder}/backups\"\n");
    format!("{SEAL}{}\nrestore_url_file = \"{owner}\"\n\n{DECLARED}{destination}", source.trim_end())
}

fn start(vault: &TestDb, gateway: &TestDb, folder: &Path) -> Deployment {
    Deployment::start(vault.url_text(), &sources(gateway, folder))
}

/// Sets the vault's additional root keys and restarts it.
fn give_previous(deployment: &mut Deployment, root: Option<&str>) {
    let config = std::fs::read_to_string(deployment.path("vault.toml")).unwrap();
    let lines = config.lines().filter(|line| !line.starts_with("previous_root_key_files"));
    let mut config = lines.collect::<Vec<_>>().join("\n") + "\n";
    if let Some(root) = root {
        write_private(deployment.path("old-root.key"), root.as_bytes());
        config += "previous_root_key_files = [\"old-root.key\"]\n";
    }
    std::fs::write(deployment.path("vault.toml"), config).unwrap();
    deployment.restart_vault();
}

fn crypto(operator: &Operator) -> CryptoServiceClient<AuthorizedChannel> {
    let target = Target { url: operator.vault_url.clone(), ..Target::default() };
    CryptoServiceClient::new(target.authorized(Bearer::new(&operator.token).unwrap()).unwrap())
}

fn aad(id: i64) -> String {
    format!("servers/bearer/{id}")
}

fn wait<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
}

/// Fills the table with sealed bearers; every tenth server has none.
fn fill(operator: &Operator, gateway: &TestDb) {
    let _ = operator.run(&["key", "create", "gateway"]).succeeded();
    let sealed: Vec<String> = wait(async {
        let mut crypto = crypto(operator);
        let mut sealed = Vec::new();
        for id in 1..=SERVERS {
            let (plaintext, aad) = (format!("bearer {id}").into(), aad(id).into());
            let request = EncryptRequest { key_id: "gateway".into(), plaintext, aad };
            sealed.push(crypto.encrypt(request).await.unwrap().into_inner().ciphertext);
        }
        sealed
    });
    let rows = (1..=SERVERS).zip(sealed).map(|(id, sealed)| {
        if id % 10 == 0 { format!("({id}, NULL, 'none')") } else { format!("({id}, '{sealed}', 'n')") }
    });
    let rows: Vec<String> = rows.collect();
    gateway.run(&format!("INSERT INTO servers VALUES {}", rows.join(", ")));
}

/// Checks that every bearer opens for its own row.
fn check(operator: &Operator, gateway: &TestDb) {
    wait(async {
        let mut crypto = crypto(operator);
        for id in (1..=SERVERS).filter(|id| id % 10 != 0).step_by(97) {
            let ciphertext = gateway.text(&format!("SELECT bearer FROM servers WHERE id = {id}"));
            let request = DecryptRequest { key_id: "gateway".into(), ciphertext, aad: aad(id).into() };
            let opened = crypto.decrypt(request).await.unwrap().into_inner().plaintext;
            assert_eq!(opened, format!("bearer {id}"));
        }
    });
    assert_eq!(gateway.number("SELECT count(*) FROM servers WHERE bearer IS NULL"), SERVERS / 10);
}

fn kids(gateway: &TestDb) -> String {
    gateway.text("SELECT max(substr(bearer, 6, 16)) || min(substr(bearer, 6, 16)) FROM servers")
}

fn plan(operator: &Operator, archive: &Path, options: &[&str]) -> e2e::Finished {
    let line = ["restore", "plan", archive.to_str().unwrap(), "--accept-pause", "-o", "json"];
    operator.run(&[&line[..], options].concat())
}

struct Old {
    _folder: tempfile::TempDir,
    deployment: Deployment,
    gateway: TestDb,
    credential: String,
    root: String,
}

impl Old {
    fn on(vault: &TestDb, gateway: TestDb) -> Self {
        let folder = tempfile::tempdir().unwrap();
        gateway.run(TABLE);
        let deployment = start(vault, &gateway, folder.path());
        fill(&deployment.admin, &gateway);
        let credential = deployment.admin.create_credential("OpenAI", "openai", SECRET);
        let root = std::fs::read_to_string(deployment.path("root.key")).unwrap();
        Self { _folder: folder, deployment, gateway, credential, root }
    }

    fn export(&self, name: &str) -> std::path::PathBuf {
        let archive = self.deployment.path(name);
        let _ = self
            .deployment
            .admin
            .run(&["backup", "export", "--plain", "--out", archive.to_str().unwrap()])
            .succeeded();
        archive
    }
}

#[test]
fn everything_is_sealed_anew_and_what_nobody_declared_stops_the_restore() {
    for ((vault, gateway), (new_vault, new_gateway)) in
        TestDb::each().into_iter().zip(TestDb::each()).zip(TestDb::each().into_iter().zip(TestDb::each()))
    {
        let old = Old::on(&vault, gateway);
        let archive = old.export("old.zip");
        let folder = tempfile::tempdir().unwrap();
        let mut new = start(&new_vault, &new_gateway, folder.path());
        let without = plan(&new.admin, &archive, &[]);
        let said = without.failed_with(1);
        assert!(said.contains("previous root key") || without.text().contains("previous root key"), "{said}");

        give_previous(&mut new, Some(&old.root));
        let planned = plan(&new.admin, &archive, &["--create-tables"]).succeeded().json();
        let id = planned["id"].as_str().unwrap();
        assert!(planned["grantTerms"]["principal"].is_string(), "{planned}");
        let _ = new.admin.run(&["restore", "apply", id]).succeeded();
        give_previous(&mut new, None);
        check(&new.admin, &new_gateway);
        let revealed = new.admin.run(&["credential", "reveal", &old.credential]).succeeded();
        assert_eq!(revealed.text().trim().as_bytes(), SECRET);
        assert_ne!(kids(&new_gateway), kids(&old.gateway));
        let keys = new.admin.json(&["key", "list"]).to_string();
        assert!(!keys.contains(&kids(&old.gateway)[..16]), "no key of the old root key is here: {keys}");
        let _ = new.admin.run(&["audit", "verify"]).succeeded();

        undeclared(&old, &mut new, &new_gateway);
    }
}

/// A sealed text in an undeclared column: its key and additional data are unknown.
fn undeclared(old: &Old, new: &mut Deployment, new_gateway: &TestDb) {
    old.gateway.run("UPDATE servers SET note = bearer WHERE id = 7");
    let archive = old.export("undeclared.zip");
    give_previous(new, Some(&old.root));
    let mode = ["--mode", "replace", "--sources", "gateway", "--from-deployment"];
    let deployment =
        e2e::Archive::at(&archive).json("manifest.json")["deployment_id"].as_str().unwrap().to_owned();
    let options = [&mode[..], &[deployment.as_str()]].concat();
    let refused = plan(&new.admin, &archive, &options);
    let _ = refused.failed_with(1);
    let refusals = refused.json()["plan"]["refusals"].clone();
    let is_undeclared = |one: &Value| {
        one["reason"] == "COLUMN_UNDECLARED" && one["message"].as_str().unwrap().contains("servers.note")
    };
    assert!(refusals.as_array().unwrap().iter().any(is_undeclared), "{refusals}");
    let options = [&options[..], &["--accept-undecryptable"]].concat();
    let planned = plan(&new.admin, &archive, &options).succeeded().json();
    let _ = new
        .admin
        .run(&["restore", "apply", planned["id"].as_str().unwrap(), "--confirm", "gateway"])
        .succeeded();
    let note = |gateway: &TestDb| gateway.text("SELECT note FROM servers WHERE id = 7");
    assert_eq!(note(new_gateway), note(&old.gateway), "as it was");
    check(&new.admin, new_gateway);
}
