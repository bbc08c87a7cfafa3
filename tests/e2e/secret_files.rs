//! Files written by Windows editors: text is read as it was typed, and a secret is kept with a warning.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::Duration;

use e2e::{Dev, Finished, Operator, finish, program};

const PATIENCE: Duration = Duration::from_secs(60);

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// Runs a command with the token in a file instead of the environment.
fn with_token_file(admin: &Operator, file: &Path) -> Finished {
    let mut command = admin.command(&["credential", "stats"]);
    finish(command.env_remove("STRONGROOM_TOKEN").env("STRONGROOM_TOKEN_FILE", file), b"", PATIENCE)
}

#[test]
fn a_secret_is_kept_to_the_byte_and_accidents_are_named() {
    let dev = Dev::start("");
    let file = dev.path("secret");
    for (number, (written, kept, warning)) in [
        ("sk-live-0123456789\r\n", "sk-live-0123456789\r", "carriage return"),
        ("\u{feff}sk-live-0123456789", "\u{feff}sk-live-0123456789", "byte order mark"),
        ("sk-live-0123456789\n", "sk-live-0123456789", ""),
    ]
    .into_iter()
    .enumerate()
    {
        fs::write(&file, written).unwrap();
        let name = format!("credential {number}");
        let create = ["credential", "create", &name, "--provider", "openai", "--secret-file", text(&file)];
        let created = dev.admin.run(&create).succeeded();
        assert_eq!(created.stderr.contains("warning: "), !warning.is_empty(), "{created:?}");
        assert!(
            created.stderr.contains(warning) && !created.said().contains("sk-live-0123456789"),
            "{created:?}"
        );
        assert_eq!(dev.admin.run(&["credential", "reveal", &name]).succeeded().stdout, kept.as_bytes());
        let rotate = ["credential", "rotate", &name, "--secret-file", text(&file)];
        assert!(dev.admin.run(&rotate).succeeded().stderr.contains(warning));
    }
}

#[test]
fn a_token_file_may_begin_with_a_mark_and_not_be_empty() {
    let dev = Dev::start("");
    let file = dev.path("token");
    fs::write(&file, "").unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    for (start, end) in [("", ""), ("\u{feff}", "\r\n"), ("", "\r\n"), ("\u{feff}", "")] {
        fs::write(&file, format!("{start}{}{end}", dev.admin.token)).unwrap();
        let _ = with_token_file(&dev.admin, &file).succeeded();
    }
    for empty in ["", "\r\n", "\u{feff}"] {
        fs::write(&file, empty).unwrap();
        let said = with_token_file(&dev.admin, &file).failed_with(1);
        assert!(said.contains("the token is empty") && said.contains(text(&file)), "{said}");
    }
}

#[test]
fn a_passphrase_is_what_was_typed() {
    let dev = Dev::start("");
    let (unix, windows, archive) = (dev.path("unix"), dev.path("windows"), dev.path("backup.zip.age"));
    fs::write(&unix, "correct horse battery staple\n").unwrap();
    fs::write(&windows, "\u{feff}correct horse battery staple\r\n").unwrap();
    let (key, other) = (dev.path("a.key"), dev.path("b.key"));
    for (key, passphrase) in [(&key, &windows), (&other, &unix)] {
        let create =
            ["recovery", "create", "--out", text(key), "--passphrase-file", text(passphrase), "-o", "json"];
        let recipient = dev.admin.run(&create).succeeded().json()["recipient"].as_str().unwrap().to_owned();
        let export = ["backup", "export", "--recipient", &recipient, "--out", text(&archive), "--force"];
        let _ = dev.admin.run(&export).succeeded();
        for passphrase in [&unix, &windows] {
            let mut verify = program("strongroom");
            verify.args(["archive", "verify", text(&archive), "--identity", text(key)]);
            let _ = finish(verify.args(["--passphrase-file", text(passphrase)]), b"", PATIENCE).succeeded();
        }
    }
    let export =
        ["backup", "export", "--passphrase-file", text(&windows), "--out", text(&archive), "--force"];
    let _ = dev.admin.run(&export).succeeded();
    let open =
        ["archive", "open", text(&archive), "--passphrase-file", text(&unix), "--table", "credentials"];
    assert_eq!(finish(program("strongroom").args(open), b"", PATIENCE).succeeded().text().trim(), "[]");
}
