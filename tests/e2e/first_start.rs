//! The first start of a vault: the tokens that it registers, and its message if it refuses.

use e2e::{Operator, Service, free_port, program, vault_config};
use strongroom_testkit::write_private;
use tempfile::TempDir;

/// A folder with a root key, an admin's and the backup service's token, and a configuration that names them.
struct Prepared {
    folder: TempDir,
    port: u16,
}

impl Prepared {
    fn new() -> Self {
        let prepared = Self { folder: tempfile::tempdir().unwrap(), port: free_port() };
        for [noun, verb, file] in [
            ["key", "new-root", "root.key"],
            ["token", "new", "admin.token"],
            ["token", "new", "backup.token"],
        ] {
            let _ = prepared.nobody().run(&[noun, verb, "--out", &prepared.path(file)]).succeeded();
        }
        let backup = prepared.path("backup.token");
        let config = vault_config(prepared.folder.path(), prepared.port, "sqlite:vault.db");
        let config = config + &format!("backup_token_file = \"{backup}\"\n");
        std::fs::write(prepared.path("vault.toml"), config).unwrap();
        prepared
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).to_str().unwrap().to_owned()
    }

    fn nobody(&self) -> Operator {
        let url = format!("http://127.0.0.1:{}", self.port);
        Operator { vault_url: url, backup_url: String::new(), token: String::new() }
    }

    fn with(&self, file: &str) -> Operator {
        self.nobody().with_token(std::fs::read_to_string(self.path(file)).unwrap().trim())
    }

    fn command(&self) -> std::process::Command {
        let mut command = program("strongroom-vault");
        command.args(["--config", "vault.toml"]).current_dir(self.folder.path());
        command
    }

    fn start(&self) -> Service {
        let mut service = Service::start(&mut self.command());
        service.wait_until_listening_on(("127.0.0.1", self.port));
        // The vault listens before it is open.
        let _ = self.with("admin.token").run(&["token", "list"]).succeeded();
        service
    }
}

#[test]
fn a_new_vault_registers_the_tokens_that_it_is_given() {
    let prepared = Prepared::new();
    let vault = prepared.start();
    let tokens = prepared.with("admin.token").json(&["token", "list"]);
    let mut roles: Vec<_> =
        tokens.as_array().unwrap().iter().map(|token| token["role"].as_str().unwrap()).collect();
    roles.sort_unstable();
    assert_eq!(roles, ["admin", "backup-service"]);
    let refused = prepared.with("backup.token").run(&["credential", "list"]).failed_with(1);
    assert!(refused.contains("PERMISSION_MISSING"), "known, and no more than its role: {refused}");
    drop(vault);
}

#[test]
fn a_token_that_comes_later_is_not_registered_and_the_log_says_so() {
    let prepared = Prepared::new();
    drop(prepared.start());
    std::fs::remove_file(prepared.path("backup.token")).unwrap();
    let new = ["token", "new", "--out", &prepared.path("backup.token")];
    let _ = prepared.nobody().run(&new).succeeded();
    let vault = prepared.start();
    assert!(vault.log().contains("vault.backup_token_file: the token in "), "{}", vault.log());
    assert!(vault.log().contains("--role backup-service"), "{}", vault.log());
    assert!(!vault.log().contains("vault.admin_token_file"), "{}", vault.log());
    let refused = prepared.with("backup.token").run(&["credential", "list"]).failed_with(1);
    assert!(refused.contains("the token is unknown"), "{refused}");
}

#[test]
fn one_token_is_not_two() {
    let prepared = Prepared::new();
    write_private(prepared.path("backup.token"), std::fs::read(prepared.path("admin.token")).unwrap());
    let said = e2e::finish(&mut prepared.command(), b"", std::time::Duration::from_secs(30)).failed_with(1);
    assert!(
        said.contains("vault.admin_token_file and vault.backup_token_file hold the same token"),
        "{said}"
    );
    let again = prepared.nobody().run(&["token", "new", "--out", &prepared.path("admin.token")]);
    assert!(again.failed_with(1).contains("admin.token"), "a token that is overwritten is lost");
}
