//! Both services with certificates of an authority that only this test knows, and the error messages for a client that
//! trusts another authority, calls another name, or does not encrypt.

use std::path::{Path, PathBuf};
use std::time::Duration;

use e2e::{Archive, Dev, Finished, Operator, Service, eventually, finish, free_port, program, vault_config};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};

const PATIENCE: Duration = Duration::from_secs(60);

/// A vault and a backup service that serve TLS as `localhost`.
struct Encrypted {
    _services: [Service; 2],
    admin: Operator,
    ports: (u16, u16),
    folder: tempfile::TempDir,
}

impl Encrypted {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let ports = (free_port(), free_port());
        let authority = authority(folder.path(), "ours.pem");
        let _stranger = self::authority(folder.path(), "strangers.pem");
        certify(&authority, folder.path());
        let nobody = Operator { vault_url: String::new(), backup_url: String::new(), token: String::new() };
        let root_key = folder.path().join("root.key");
        let _ = nobody.run(&["key", "new-root", "--out", root_key.to_str().unwrap()]).succeeded();
        let vault = serve(folder.path(), "vault", ports.0, &vault_toml(folder.path(), ports.0));
        let token = eventually("the admin token", Duration::from_secs(10), || {
            let token = std::fs::read_to_string(folder.path().join("admin.token")).ok()?;
            token.ends_with('\n').then(|| token.trim().to_owned())
        });
        let url = |port| format!("https://localhost:{port}");
        let admin = Operator { vault_url: url(ports.0), backup_url: url(ports.1), token };
        let issue = ["token", "issue", "backup", "--role", "backup-service", "-o", "json"];
        let issued = as_with(&admin, folder.path().join("ours.pem"), &issue).succeeded().json();
        strongroom_testkit::write_private(
            folder.path().join("backup.token"),
            issued["secret"].as_str().unwrap(),
        );
        let backup = serve(folder.path(), "backup", ports.1, &backup_toml(folder.path(), ports, "ours.pem"));
        Self { _services: [vault, backup], admin, ports, folder }
    }

    /// Runs a command that trusts the authorities in `file`.
    fn trusting(&self, file: &str, arguments: &[&str]) -> Finished {
        as_with(&self.admin, self.folder.path().join(file), arguments)
    }
}

fn as_with(operator: &Operator, ca_file: PathBuf, arguments: &[&str]) -> Finished {
    finish(operator.command(arguments).env("STRONGROOM_CA_FILE", ca_file), b"", PATIENCE)
}

fn authority(folder: &Path, file: &str) -> CertifiedIssuer<'static, KeyPair> {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(DnType::CommonName, format!("Authority of {file}"));
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    std::fs::write(folder.join(file), authority.pem()).unwrap();
    authority
}

fn certify(authority: &CertifiedIssuer<'static, KeyPair>, folder: &Path) {
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(["localhost".to_owned()]).unwrap();
    std::fs::write(folder.join("tls.crt"), params.signed_by(&key, authority).unwrap().pem()).unwrap();
    strongroom_testkit::write_private(folder.join("tls.key"), key.serialize_pem());
}

fn serve(folder: &Path, name: &str, port: u16, config: &str) -> Service {
    let file = folder.join(format!("{port}.toml"));
    std::fs::write(&file, config).unwrap();
    let mut command = program(&format!("strongroom-{name}"));
    let mut service = Service::start(command.arg("--config").arg(file).current_dir(folder));
    service.wait_until_listening(port);
    service
}

fn vault_toml(folder: &Path, port: u16) -> String {
    vault_config(folder, port, "sqlite:vault.db")
        + "[vault.tls]\ncert_file = \"tls.crt\"\nkey_file = \"tls.key\"\n"
}

fn backup_toml(folder: &Path, ports: (u16, u16), ca_file: &str) -> String {
    let folder = folder.to_str().unwrap();
    format!(
        "[app]\nname = \"PromptGate\"\n\
         [backup]\nlisten = \"127.0.0.1:{}\"\ntoken_file = \"{folder}/backup.token\"\n\
         database_url = \"sqlite:{folder}/backup-{}.db\"\n\
         vault.url = \"https://localhost:{}\"\nvault.ca_file = \"{folder}/{ca_file}\"\n\
         [backup.tls]\ncert_file = \"{folder}/tls.crt\"\nkey_file = \"{folder}/tls.key\"\n",
        ports.1, ports.1, ports.0
    )
}

#[test]
fn everything_works_over_tls() {
    let services = Encrypted::start();
    let out = services.folder.path().join("backup.zip");
    let secret = services.folder.path().join("secret");
    std::fs::write(&secret, "sk-live-0123456789abcdef").unwrap();
    let secret = secret.to_str().unwrap();
    let create = ["credential", "create", "OpenAI", "--provider", "openai", "--secret-file", secret];
    let _ = services.trusting("ours.pem", &create).succeeded();
    let reveal = ["credential", "reveal", "OpenAI"];
    assert!(services.trusting("ours.pem", &reveal).succeeded().text().contains("sk-live-0123456789abcdef"));
    let export = ["backup", "export", "--plain", "--out", out.to_str().unwrap()];
    let _ = services.trusting("ours.pem", &export).succeeded();
    assert_eq!(Archive::at(&out).json("manifest.json")["tables"]["credentials"], 1);
}

#[test]
fn a_strange_authority_is_said() {
    let services = Encrypted::start();
    for arguments in [&["credential", "list"][..], &["source", "list"]] {
        let said = services.trusting("strangers.pem", arguments).failed_with(1);
        assert!(said.contains("certificate") && said.contains("STRONGROOM_CA_FILE"), "{said}");
        assert!(said.contains("https://localhost:"), "{said}");
    }
    // Without the variable, the client uses the system's authorities, which do not include ours either.
    let said = services.admin.run(&["credential", "list"]).failed_with(1);
    assert!(said.contains("certificate") && said.contains("STRONGROOM_CA_FILE"), "{said}");
    let said = services.trusting("nowhere.pem", &["credential", "list"]).failed_with(1);
    assert!(said.contains("nowhere.pem"), "{said}");
}

#[test]
fn another_name_is_said() {
    let services = Encrypted::start();
    let vault_url = format!("https://127.0.0.1:{}", services.ports.0);
    let other = Operator { vault_url: vault_url.clone(), ..services.admin.clone() };
    let ours = services.folder.path().join("ours.pem");
    let said = as_with(&other, ours, &["credential", "list"]).failed_with(1);
    assert!(said.contains(&vault_url) && said.contains("localhost"), "{said}");
}

#[test]
fn who_does_not_encrypt_is_told_to() {
    let services = Encrypted::start();
    let url = |port| format!("http://localhost:{port}");
    let (vault_url, backup_url) = (url(services.ports.0), url(services.ports.1));
    let plain = Operator { vault_url, backup_url, ..services.admin.clone() };
    for arguments in [&["credential", "list"][..], &["source", "list"]] {
        let said = plain.run(arguments).failed_with(1);
        assert!(said.contains("https://"), "{said}");
    }
}

#[test]
fn who_encrypts_for_a_plain_port_is_told_not_to() {
    let dev = Dev::start("");
    let admin = Operator { vault_url: dev.admin.vault_url.replace("http:", "https:"), ..dev.admin.clone() };
    let said = admin.run(&["credential", "list"]).failed_with(1);
    assert!(said.contains("does not speak TLS") && said.contains("http://"), "{said}");
}

#[test]
fn a_backup_service_that_does_not_trust_its_vault_says_so() {
    let services = Encrypted::start();
    let port = free_port();
    let config = backup_toml(services.folder.path(), (services.ports.0, port), "strangers.pem");
    let suspicious = serve(services.folder.path(), "backup", port, &config);
    let admin = Operator { backup_url: format!("https://localhost:{port}"), ..services.admin.clone() };
    let ours = services.folder.path().join("ours.pem");
    let said = as_with(&admin, ours, &["source", "list"]).failed_with(4);
    assert!(said.contains("vault"), "{said}");
    assert!(suspicious.log().contains("invalid peer certificate"), "{}", suspicious.log());
}
