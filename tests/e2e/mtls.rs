//! Certificates instead of tokens: between the command, the vault and the backup service, and renewed while they run.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use e2e::http::get;
use e2e::{Archive, Finished, Operator, Service, eventually, finish, free_port, program, vault_config};
use strongroom_testkit::{Authority, Mounted};

const PATIENCE: Duration = Duration::from_secs(60);
const ADMIN: &str = "spiffe://cluster.local/admin";
const GATEWAY: &str = "spiffe://cluster.local/gateway";
const BACKUP: &str = "spiffe://cluster.local/backup";

/// Both services, which accept certificates of one authority and have no token.
struct Certified {
    vault: Service,
    backup: Service,
    authority: Authority,
    /// The vault's, the backup service's and an admin's files.
    files: [Mounted; 3],
    nobody: Operator,
    /// `host:port` of the vault's admin port.
    vault_admin: String,
    folder: tempfile::TempDir,
}

impl Certified {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let authority = Authority::new("ours");
        let files = [
            ("vault", "localhost", "spiffe://cluster.local/vault"),
            ("backup", "localhost", BACKUP),
            ("admin", "", ADMIN),
        ];
        let files = files.map(|(name, host, identity)| {
            let files = Mounted::create(folder.path().join(name));
            let names: Vec<&str> = [host, identity].into_iter().filter(|name| !name.is_empty()).collect();
            files.put_certificate(&authority.issue(&names));
            files.put_authorities(&[&authority]);
            files
        });
        let ports = (free_port(), free_port());
        let url = |port| format!("https://localhost:{port}");
        let nobody = Operator { vault_url: url(ports.0), backup_url: url(ports.1), token: String::new() };
        let root_key = folder.path().join("root.key");
        let _ = nobody.run(&["key", "new-root", "--out", root_key.to_str().unwrap()]).succeeded();
        let vault_admin = format!("127.0.0.1:{}", free_port());
        let config = vault_toml(folder.path(), ports.0, &files[0]);
        let vault = serve(folder.path(), "vault", ports.0, &config, &vault_admin);
        let config = backup_toml(ports, &files[1]);
        let backup = serve(folder.path(), "backup", ports.1, &config, "127.0.0.1:0");
        Self { vault, backup, authority, files, nobody, vault_admin, folder }
    }

    /// Runs a command with the certificate in `files`.
    fn run(&self, files: &Mounted, arguments: &[&str]) -> Finished {
        let mut command = self.nobody.command(arguments);
        command
            .env("STRONGROOM_CA_FILE", files.path("ca.crt"))
            .env("STRONGROOM_CERT_FILE", files.path("tls.crt"))
            .env("STRONGROOM_KEY_FILE", files.path("tls.key"));
        finish(&mut command, b"", PATIENCE)
    }

    fn admin(&self, arguments: &[&str]) -> Finished {
        self.run(&self.files[2], arguments)
    }

    /// Files of another certificate holder.
    fn holder(&self, name: &str) -> Mounted {
        let files = Mounted::create(tempfile::tempdir_in(self.folder.path()).unwrap().keep());
        files.put_certificate(&self.authority.issue(&[name]));
        files.put_authorities(&[&self.authority]);
        files
    }

    /// Asserts that both services serve the admin.
    fn assert_serves(&self) {
        let _ = self.admin(&["credential", "list"]).succeeded();
        let _ = self.admin(&["source", "list"]).succeeded();
    }
}

fn serve(folder: &Path, name: &str, port: u16, config: &str, admin: &str) -> Service {
    let file = folder.join(format!("{name}.toml"));
    std::fs::write(&file, config).unwrap();
    let mut command = program(&format!("strongroom-{name}"));
    command.arg("--config").arg(file).current_dir(folder).env("STRONGROOM_ADMIN__LISTEN", admin);
    let mut service = Service::start(&mut command);
    service.wait_until_listening(port);
    service
}

fn tls(section: &str, files: &Mounted) -> String {
    let [cert, key, ca] = ["tls.crt", "tls.key", "ca.crt"].map(|name| files.path(name).display().to_string());
    format!(
        "[{section}.tls]\ncert_file = \"{cert}\"\nkey_file = \"{key}\"\nclient_ca_file = \"{ca}\"\nreload_seconds = 0.1\n"
    )
}

fn vault_toml(folder: &Path, port: u16, files: &Mounted) -> String {
    let mut text = vault_config(folder, port, "sqlite:vault.db") + &tls("vault", files);
    for (name, role) in [(ADMIN, "admin"), (GATEWAY, "gateway"), (BACKUP, "backup-service")] {
        text += &format!("[[vault.identities]]\nsan = \"{name}\"\nrole = \"{role}\"\n");
    }
    text
}

fn backup_toml(ports: (u16, u16), files: &Mounted) -> String {
    let [cert, key, ca] = ["tls.crt", "tls.key", "ca.crt"].map(|name| files.path(name).display().to_string());
    format!(
        "[app]\nname = \"PromptGate\"\n[backup]\nlisten = \"127.0.0.1:{}\"\n\
         [backup.vault]\nurl = \"https://localhost:{}\"\nca_file = \"{ca}\"\ncert_file = \"{cert}\"\nkey_file = \"{key}\"\n{}",
        ports.1,
        ports.0,
        tls("backup", files)
    )
}

#[test]
fn no_token_is_needed_anywhere() {
    let services = Certified::start();
    let path = |name: &str| services.folder.path().join(name).display().to_string();
    std::fs::write(path("secret"), "sk-live-0123456789abcdef").unwrap();
    let create = ["credential", "create", "OpenAI", "--provider", "openai", "--secret-file", &path("secret")];
    let _ = services.admin(&create).succeeded();
    let gateway = services.holder(GATEWAY);
    let revealed = services.run(&gateway, &["credential", "reveal", "OpenAI"]).succeeded().text();
    assert!(revealed.contains("sk-live-0123456789abcdef"), "{revealed}");
    let _ = services.admin(&["backup", "export", "--plain", "--out", &path("backup.zip")]).succeeded();
    assert_eq!(Archive::at(path("backup.zip").as_ref()).json("manifest.json")["tables"]["credentials"], 1);
    let said = services.run(&gateway, &["source", "list"]).failed_with(1);
    assert!(said.contains("this identity") && said.contains("source.list"), "{said}");
    for (event, actor, via) in [
        ("credential.revealed", GATEWAY, None),
        ("backup.exported", ADMIN, Some(BACKUP)),
        ("access.denied", GATEWAY, Some(BACKUP)),
    ] {
        let events = services.admin(&["audit", "list", "--event", event, "-o", "json"]).succeeded().json();
        assert_eq!(events[0]["actor"], format!("identity:{actor}"), "{events}");
        if let Some(via) = via {
            assert_eq!(events[0]["via"], format!("identity:{via}"), "{events}");
        }
    }
}

#[test]
fn what_is_wrong_with_a_certificate_is_said() {
    let services = Certified::start();
    let (strangers, other) = (services.holder(GATEWAY), Authority::new("of strangers"));
    strangers.put_certificate(&other.issue(&[GATEWAY]));
    let unknown = services.holder("spiffe://cluster.local/unknown");
    for arguments in [&["credential", "list"][..], &["source", "list"]] {
        let said = services.run(&unknown, arguments).failed_with(1);
        assert!(
            said.contains("spiffe://cluster.local/unknown") && said.contains("vault.identities"),
            "{said}"
        );
        let said = services.run(&strangers, arguments).failed_with(1);
        assert!(said.contains("STRONGROOM_CERT_FILE"), "{said}");
        let mut command = services.nobody.command(arguments);
        command.env("STRONGROOM_CA_FILE", strangers.path("ca.crt")).env("STRONGROOM_TOKEN", "srt_x");
        let said = finish(&mut command, b"", PATIENCE).failed_with(1);
        assert!(
            said.contains("wants a client certificate") && said.contains("STRONGROOM_KEY_FILE"),
            "{said}"
        );
    }
    let metrics = get(&services.vault_admin, "/metrics").unwrap().body;
    let refused = "strongroom_tls_handshakes_failed_total{reason=\"certificate\"} ";
    let count = metrics.lines().find_map(|line| line.strip_prefix(refused)?.parse::<u32>().ok());
    assert!(count.is_some_and(|count| count >= 2), "{metrics}");
    let counted = "strongroom_tls_handshakes_failed_total{reason=\"plaintext\"} 0\n";
    assert!(metrics.contains(counted), "{metrics}");
}

#[test]
fn everything_is_renewed_while_it_runs() {
    let services = Certified::start();
    services.assert_serves();
    let renewed = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let load = scope.spawn(|| {
            let mut rounds = 0;
            while !renewed.load(Ordering::Relaxed) {
                services.assert_serves();
                rounds += 1;
            }
            rounds
        });
        // Also ends the load if `renew` fails, because the scope waits for the thread.
        let end = End(&renewed);
        renew(&services);
        drop(end);
        assert!(load.join().unwrap() > 3);
    });
}

#[test]
fn a_broken_renewal_is_in_log_and_metrics_and_changes_nothing() {
    let services = Certified::start();
    services.assert_serves();
    let reloads = |outcome: &str| {
        let text = get(&services.vault_admin, "/metrics").unwrap().body;
        let series = format!("strongroom_tls_certificate_reloads_total{{outcome=\"{outcome}\"}} ");
        text.lines().find_map(|line| line.strip_prefix(&series)?.parse::<u32>().ok()).unwrap()
    };
    assert_eq!((reloads("success"), reloads("failed")), (0, 0));
    let [vault, ..] = &services.files;
    let other = services.authority.issue(&["localhost"]);
    // The certificate of another key, like a half-written renewal.
    vault.put(&[("tls.crt", &other.chain)]);
    eventually("a refused renewal", PATIENCE, || (reloads("failed") == 1).then_some(()));
    let said = services.vault.log().matches("the new files cannot be used").count();
    assert_eq!(said, 1, "{}", services.vault.log());
    services.assert_serves();
    vault.put_certificate(&services.authority.issue(&["localhost", "spiffe://cluster.local/vault"]));
    eventually("a renewal", PATIENCE, || (reloads("success") == 1).then_some(()));
    services.assert_serves();
    let text = get(&services.vault_admin, "/metrics").unwrap().body;
    assert!(text.contains("strongroom_tls_certificate_expiry_timestamp_seconds "), "{text}");
}

/// Ends the load when dropped.
struct End<'a>(&'a AtomicBool);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn renew(services: &Certified) {
    let next = Authority::new("the next one");
    let [vault, backup, admin] = &services.files;
    // First all trust both authorities, then all get new certificates, then all trust only the new authority.
    for files in &services.files {
        files.put_authorities(&[&services.authority, &next]);
    }
    in_use(services, 1);
    services.assert_serves();
    vault.put_certificate(&next.issue(&["localhost", "spiffe://cluster.local/vault"]));
    backup.put_certificate(&next.issue(&["localhost", BACKUP]));
    admin.put_certificate(&next.issue(&[ADMIN]));
    in_use(services, 2);
    services.assert_serves();
    for files in &services.files {
        files.put_authorities(&[&next]);
    }
    in_use(services, 3);
    services.assert_serves();
    let old = services.holder(ADMIN);
    old.put_authorities(&[&next]);
    let said = services.run(&old, &["credential", "list"]).failed_with(1);
    assert!(said.contains("STRONGROOM_CERT_FILE"), "{said}");
    // SIGHUP makes a service check the files and does not stop it.
    for service in [&services.vault, &services.backup] {
        service.signal("HUP");
        let what = "of this service: the files have not changed";
        eventually("an answer to SIGHUP", PATIENCE, || service.log().contains(what).then_some(()));
    }
    services.assert_serves();
}

/// Waits until both services have reported this number of times that new files are in use.
fn in_use(services: &Certified, times: usize) {
    for service in [&services.vault, &services.backup] {
        eventually("new files in use", PATIENCE, || {
            // Does not count the lines about the certificate files for calls to the vault.
            let said = service.log().matches("of this service: the new files are in use").count();
            assert!(!service.log().contains("cannot be used"), "{}", service.log());
            (said >= times).then_some(())
        });
    }
}
