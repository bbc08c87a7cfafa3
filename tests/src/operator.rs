//! An operator with a token at a terminal.

use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use crate::call::{Finished, finish};
use crate::program::program;

/// Time limit for any operator's command, whatever is broken.
const PATIENCE: Duration = Duration::from_secs(60);

/// Runs `strongroom` against two addresses with one token.
#[derive(Debug, Clone)]
pub struct Operator {
    /// The vault's `http://…` address.
    pub vault_url: String,
    /// The backup service's `http://…` address.
    pub backup_url: String,
    /// The token's text.
    pub token: String,
}

impl Operator {
    /// The same addresses with another token.
    #[must_use]
    pub fn with_token(&self, token: &str) -> Self {
        Self { token: token.to_owned(), ..self.clone() }
    }

    /// Issues a token of `role` and returns its holder.
    #[must_use]
    pub fn issue(&self, role: &str) -> Self {
        let issued = self.json(&["token", "issue", &format!("e2e {role}"), "--role", role]);
        self.with_token(issued["secret"].as_str().unwrap())
    }

    /// `strongroom ARGUMENTS` with the addresses and the token in its environment.
    #[must_use]
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = program("strongroom");
        if self.is_elsewhere() {
            command.env("STRONGROOM_PLAINTEXT", "true");
        }
        command
            .args(arguments)
            .env("STRONGROOM_VAULT_URL", &self.vault_url)
            .env("STRONGROOM_BACKUP_URL", &self.backup_url)
            .env("STRONGROOM_TOKEN", &self.token);
        command
    }

    /// Whether the vault is called without TLS at an address that is not loopback, as [`crate::Deployment::start_on`]
    /// allows.
    fn is_elsewhere(&self) -> bool {
        self.vault_url.starts_with("http://192.0.2.")
    }

    /// Runs it to its end, successful or not.
    #[must_use]
    pub fn run(&self, arguments: &[&str]) -> Finished {
        self.feed(arguments, b"")
    }

    /// The same with data on standard input.
    #[must_use]
    pub fn feed(&self, arguments: &[&str], stdin: &[u8]) -> Finished {
        finish(&mut self.command(arguments), stdin, PATIENCE)
    }

    /// Runs it with `-o json`; it must succeed.
    #[must_use]
    pub fn json(&self, arguments: &[&str]) -> Value {
        self.run(&[arguments, &["-o", "json"]].concat()).succeeded().json()
    }

    /// Creates a credential and returns its id.
    #[must_use]
    pub fn create_credential(&self, name: &str, provider: &str, secret: &[u8]) -> String {
        let arguments =
            ["credential", "create", name, "--provider", provider, "--secret-file", "-", "-o", "json"];
        let created = self.feed(&arguments, secret).succeeded().json();
        created["id"].as_str().unwrap_or_else(|| panic!("a credential has an id: {created}")).to_owned()
    }

    /// Audit events that match `pattern`, newest first.
    #[must_use]
    pub fn events(&self, pattern: &str) -> Vec<Value> {
        self.json(&["audit", "list", "--event", pattern]).as_array().unwrap().clone()
    }
}

/// A 64-bit integer of a JSON output, in which it is a string.
#[must_use]
pub fn int64(value: &Value) -> i64 {
    value.as_str().unwrap_or_else(|| panic!("a 64-bit integer: {value}")).parse().unwrap()
}
