//! A vault and a backup service on free ports: in one process (`strongroom dev`) or as the two programs that run in a
//! cluster.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};

use strongroom_testkit::write_private;
use tempfile::TempDir;

use crate::operator::Operator;
use crate::program::program;
use crate::service::Service;
use crate::wait::{eventually, free_port};

const APP: &str = "[app]\nname = \"PromptGate\"\nurl = \"https://gateway.example.com\"\n\n";

/// `strongroom dev` in its own folder.
#[derive(Debug)]
pub struct Dev {
    /// The process.
    pub service: Service,
    /// The holder of the first admin token.
    pub admin: Operator,
    folder: TempDir,
    ports: (u16, u16),
}

impl Dev {
    /// Starts it with `sources`, the part of the configuration after `[app]`, and waits until it is ready.
    #[must_use]
    pub fn start(sources: &str) -> Self {
        Self::start_logging("info", sources)
    }

    /// The same with another log level.
    #[must_use]
    pub fn start_logging(level: &str, sources: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("strongroom.toml"), format!("{APP}{sources}")).unwrap();
        let ports = (free_port(), free_port());
        let service = Self::serve(Self::command(folder.path(), ports).env("STRONGROOM_LOG", level));
        let admin = Operator {
            vault_url: format!("http://127.0.0.1:{}", ports.0),
            backup_url: format!("http://127.0.0.1:{}", ports.1),
            token: read_token(&folder.path().join("data/admin.token")),
        };
        Self { service, admin, folder, ports }
    }

    fn serve(command: &mut Command) -> Service {
        let mut service = Service::start(command);
        service.wait_until_ready();
        service
    }

    /// The command line as an operator would write it.
    #[must_use]
    pub fn command(folder: &Path, ports: (u16, u16)) -> Command {
        let mut command = program("strongroom");
        command
            .args(["dev", "--data-dir", "data", "--config", "strongroom.toml"])
            .args(["--vault-listen", &format!("127.0.0.1:{}", ports.0)])
            .args(["--backup-listen", &format!("127.0.0.1:{}", ports.1)])
            .current_dir(folder);
        command
    }

    /// Stops it as an orchestrator would.
    pub fn stop(&mut self) -> ExitStatus {
        self.service.terminate()
    }

    /// Restarts it with the same folder and ports.
    pub fn restart(&mut self) {
        self.service.kill();
        self.service = Self::serve(&mut Self::command(self.folder.path(), self.ports));
    }

    /// A path in its folder, for archives and secrets.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Its data folder.
    #[must_use]
    pub fn data(&self) -> PathBuf {
        self.path("data")
    }

    /// The ports of the vault and of the backup service.
    #[must_use]
    pub fn ports(&self) -> (u16, u16) {
        self.ports
    }
}

/// `strongroom-vault` and `strongroom-backup`, each in its own process.
#[derive(Debug)]
pub struct Deployment {
    /// The vault's process.
    pub vault: Service,
    /// The backup service's process.
    pub backup: Service,
    /// The holder of the first admin token.
    pub admin: Operator,
    folder: TempDir,
    host: String,
    ports: (u16, u16),
    admin_ports: (u16, u16),
}

impl Deployment {
    /// Starts a vault on `vault_database` (a URL), which creates the first tokens, and a backup service with `sources`.
    #[must_use]
    pub fn start(vault_database: &str, sources: &str) -> Self {
        Self::start_on("127.0.0.1", vault_database, sources)
    }

    /// The same on another address of this machine, without TLS even if that is not loopback.
    #[must_use]
    pub fn start_on(host: &str, vault_database: &str, sources: &str) -> Self {
        Self::start_in(tempfile::tempdir().unwrap(), host, vault_database, sources)
    }

    /// The same with this root key.
    #[must_use]
    pub fn start_with_root(root: &str, vault_database: &str, sources: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        write_private(folder.path().join("root.key"), root.as_bytes());
        Self::start_in(folder, "127.0.0.1", vault_database, sources)
    }

    /// Starts both in a folder that may contain a root key.
    fn start_in(folder: TempDir, host: &str, vault_database: &str, sources: &str) -> Self {
        let (ports, admin_ports) = ((free_port(), free_port()), (free_port(), free_port()));
        let admin = |token: String| Operator {
            vault_url: format!("http://{host}:{}", ports.0),
            backup_url: format!("http://{host}:{}", ports.1),
            token,
        };
        let root = folder.path().join("root.key");
        if !root.exists() {
            let _ = admin(String::new()).run(&["key", "new-root", "--out", &text(&root)]).succeeded();
        }
        std::fs::write(
            folder.path().join("vault.toml"),
            vault_config(folder.path(), ports.0, vault_database).replace("127.0.0.1:", &format!("{host}:"))
                + &format!("backup_token_file = \"{}\"\n", text(&folder.path().join("backup.token")))
                + "plaintext = true\n",
        )
        .unwrap();
        let vault = Self::serve_vault(folder.path(), (host, ports.0), admin_ports.0, None);
        let admin = admin(read_token(&folder.path().join("admin.token")));
        // The vault writes this token after the admin's.
        read_token(&folder.path().join("backup.token"));
        std::fs::write(folder.path().join("backup.toml"), backup_config(folder.path(), host, ports, sources))
            .unwrap();
        std::fs::create_dir(folder.path().join("tmp")).unwrap();
        let backup = Self::serve_backup(folder.path(), (host, ports.1), admin_ports.1);
        Self { vault, backup, admin, folder, host: host.to_owned(), ports, admin_ports }
    }

    fn serve_vault(folder: &Path, address: (&str, u16), admin_port: u16, failpoint: Option<&str>) -> Service {
        let mut command = program("strongroom-vault");
        if let Some(place) = failpoint {
            command.env("STRONGROOM_FAILPOINT", place);
        }
        command
            .arg("--config")
            .arg(folder.join("vault.toml"))
            .current_dir(folder)
            .env("STRONGROOM_ADMIN__LISTEN", format!("{}:{admin_port}", address.0));
        let mut service = Service::start(&mut command);
        service.wait_until_listening_on(address);
        service
    }

    fn serve_backup(folder: &Path, address: (&str, u16), admin_port: u16) -> Service {
        let mut command = program("strongroom-backup");
        command
            .arg("--config")
            .arg(folder.join("backup.toml"))
            .current_dir(folder)
            .current_dir(folder)
            .env("TMPDIR", folder.join("tmp"))
            .env("STRONGROOM_ADMIN__LISTEN", format!("{}:{admin_port}", address.0));
        let mut service = Service::start(&mut command);
        service.wait_until_listening_on(address);
        service
    }

    /// Kills the backup service and restarts it.
    pub fn restart_backup(&mut self) {
        self.backup.kill();
        let address = (self.host.as_str(), self.ports.1);
        self.backup = Self::serve_backup(self.folder.path(), address, self.admin_ports.1);
    }

    /// Restarts the vault after it ended.
    pub fn restart_vault(&mut self) {
        self.restart_vault_to_die(None);
    }

    /// The same; the vault dies at `failpoint`.
    pub fn restart_vault_to_die(&mut self, failpoint: Option<&str>) {
        self.vault.kill();
        let address = (self.host.as_str(), self.ports.0);
        self.vault = Self::serve_vault(self.folder.path(), address, self.admin_ports.0, failpoint);
    }

    /// Restarts both so that they send the share `sampling` of their traces to the collector at `url`.
    pub fn trace_to(&mut self, url: &str, sampling: f64) {
        let section = format!("\n[telemetry]\notlp_endpoint = \"{url}\"\nsampling = {sampling:?}\n");
        for file in ["vault.toml", "backup.toml"] {
            let path = self.path(file);
            let config = std::fs::read_to_string(&path).unwrap() + &section;
            std::fs::write(path, config).unwrap();
        }
        self.restart_vault();
        self.restart_backup();
    }

    /// `host:port` of the vault's admin port and of the backup service's.
    #[must_use]
    pub fn admin_addresses(&self) -> [String; 2] {
        [self.admin_ports.0, self.admin_ports.1].map(|port| format!("{}:{port}", self.host))
    }

    /// A path in its folder.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The backup service's TMPDIR.
    #[must_use]
    pub fn temporary_folder(&self) -> PathBuf {
        self.path("tmp")
    }
}

/// A vault's configuration file.
#[must_use]
pub fn vault_config(folder: &Path, port: u16, database: &str) -> String {
    let folder = text(folder);
    format!(
        "[vault]\nlisten = \"127.0.0.1:{port}\"\ndatabase_url = \"{database}\"\n\
         root_key_file = \"{folder}/root.key\"\nadmin_token_file = \"{folder}/admin.token\"\n"
    )
}

/// A backup service's configuration file.
#[must_use]
fn backup_config(folder: &Path, host: &str, ports: (u16, u16), sources: &str) -> String {
    let folder = text(folder);
    format!(
        "{APP}[backup]\nlisten = \"{host}:{}\"\nplaintext = true\ntoken_file = \"{folder}/backup.token\"\n\
         vault.url = \"http://{host}:{}\"\nvault.plaintext = true\n\n{sources}",
        ports.1, ports.0
    )
}

fn text(path: &Path) -> String {
    path.to_str().expect("temporary folders have plain names").to_owned()
}

fn read_token(file: &Path) -> String {
    let what = format!("a token in {}", file.display());
    eventually(&what, std::time::Duration::from_secs(5), || {
        let text = std::fs::read_to_string(file).ok()?;
        text.ends_with('\n').then(|| text.trim().to_owned())
    })
}
