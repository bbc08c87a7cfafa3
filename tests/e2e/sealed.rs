//! Sealed archives: opened by the stock program `age`, by a recovery key and by the vault, and by nothing else.

use std::path::{Path, PathBuf};
use std::time::Duration;

use e2e::{Archive, Dev, Finished, Operator, finish, program, sample_gateway, source, tool};
use serde_json::{Value, json};
use strongroom_testkit::TestDb;
use tempfile::TempDir;

const PASSPHRASE: &str = "correct horse battery staple";
const PATIENCE: Duration = Duration::from_secs(60);

/// Runs `strongroom` without any service in its environment.
fn offline(arguments: &[&str]) -> Finished {
    finish(program("strongroom").args(arguments), b"", PATIENCE)
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// The files that an operator keeps in a safe.
struct Kit {
    folder: TempDir,
    recipient: String,
}

impl Kit {
    /// Created before any service exists.
    fn create() -> Self {
        Self::create_with(&[])
    }

    fn create_with(more: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("passphrase"), format!("{PASSPHRASE}\n")).unwrap();
        let mut kit = Self { folder, recipient: String::new() };
        let (key, passphrase) = (kit.key(), kit.passphrase());
        let create =
            ["recovery", "create", "--out", text(&key), "--passphrase-file", text(&passphrase), "-o", "json"];
        let made = offline(&[&create[..], more].concat()).succeeded();
        assert!(made.stderr.contains("key export-public"), "the signing key is missing: {}", made.stderr);
        kit.recipient = made.json()["recipient"].as_str().unwrap().to_owned();
        kit
    }

    fn key(&self) -> PathBuf {
        self.folder.path().join("recovery.key")
    }

    fn passphrase(&self) -> PathBuf {
        self.folder.path().join("passphrase")
    }

    /// The options with which `archive` commands open archives with the kit.
    fn options(&self) -> Vec<String> {
        let (key, passphrase) = (self.key(), self.passphrase());
        ["--identity", text(&key), "--passphrase-file", text(&passphrase)].map(str::to_owned).to_vec()
    }

    /// Runs `strongroom archive COMMAND FILE` with the kit and without any service.
    fn archive(&self, command: &str, file: &Path, more: &[&str]) -> Finished {
        let options = self.options();
        let options: Vec<&str> = options.iter().map(String::as_str).collect();
        offline(&[&["archive", command, text(file)], &options[..], more].concat())
    }
}

/// A gateway whose backups are sealed to the kit.
fn gateway(db: &TestDb, kit: &Kit) -> Dev {
    sample_gateway(db);
    let seal = format!("[seal]\nrecovery_recipients = [\"{}\"]\n\n", kit.recipient);
    let dev = Dev::start(&format!("{seal}{}", source("gateway", db, &[("gateway_logs", "created_at")])));
    let _ = dev.admin.create_credential("OpenAI", "openai", b"sk-live-0123456789abcdef");
    dev
}

/// Exports into a new folder, so that the server chooses the file name.
fn export(dev: &Dev, by: &Operator, options: &[&str]) -> (PathBuf, Value) {
    let folder = tempfile::tempdir_in(dev.path("")).unwrap().keep();
    let arguments = ["backup", "export", "--out", text(&folder)];
    let summary = by.json(&[&arguments[..], options].concat());
    let file = folder.join(summary["fileName"].as_str().unwrap());
    assert_eq!(summary["sizeBytes"], file.metadata().unwrap().len().to_string());
    (file, summary)
}

/// Runs `age -d` to write `file.opened.zip`, and types the passphrase when it asks.
fn by_stock_age(file: &Path, options: &[&str]) -> Option<PathBuf> {
    tool::tool("age")?;
    let zip = file.with_extension("opened.zip");
    let terminal = ["-c", include_str!("../src/at_a_terminal.py"), PASSPHRASE, "age", "-d"];
    let arguments = [&terminal[..], options, &["-o", text(&zip), text(file)]].concat();
    tool::run(tool::tool("python3")?, &arguments);
    Some(zip)
}

/// Checks the archive with third-party ZIP programs, and its digests with Python.
fn check_by_others(zip: &Path) {
    for (name, arguments) in [("unzip", &["-t"][..]), ("7z", &["t"]), ("bsdtar", &["-tf"])] {
        let Some(command) = tool::tool(name) else { continue };
        tool::run(command, &[arguments, &[text(zip)]].concat());
    }
    let Some(python) = tool::tool("python3") else { return };
    let counted = tool::run(python, &["-c", include_str!("check_archive.py"), text(zip)]).json();
    let manifest = Archive::at(zip).json("manifest.json");
    for entry in manifest["entries"].as_array().unwrap() {
        let found = &counted[entry["name"].as_str().unwrap()];
        assert_eq!(entry["sha256"], found["sha256"], "{entry}");
    }
}

#[test]
fn stock_age_and_the_recovery_key_are_enough() {
    for db in TestDb::each() {
        let kit = Kit::create();
        let mut dev = gateway(&db, &kit);
        let (file, summary) = export(&dev, &dev.admin, &[]);
        assert!(text(&file).ends_with(".zip.age"));
        let signer = kit.folder.path().join("recovery.key.signer");
        let _ = dev.admin.run(&["key", "export-public", "--out", text(&signer)]).succeeded();
        assert_eq!(dev.stop().code(), Some(0));

        let key = kit.key();
        if let Some(zip) = by_stock_age(&file, &["-i", text(&key)]) {
            check_by_others(&zip);
            assert_eq!(offline(&["archive", "verify", text(&zip)]).code, Some(0), "a plain one needs no key");
        }
        let report =
            kit.archive("verify", &file, &["--signer", text(&signer), "-o", "json"]).succeeded().json();
        assert_eq!((&report["ok"], &report["archiveId"]), (&json!(true), &summary["archiveId"]));
        assert!(std::fs::read_to_string(&signer).unwrap().starts_with(report["signedBy"].as_str().unwrap()));

        let refused = offline(&["archive", "verify", text(&file)]).failed_with(1);
        assert!(
            refused.contains("--identity") && refused.contains("the vault that has the root key"),
            "{refused}"
        );
    }
}

#[test]
fn an_unknown_signer_has_its_own_exit_code() {
    let (kit, db) = (Kit::create(), TestDb::sqlite());
    let (dev, other) = (gateway(&db, &kit), Dev::start(""));
    let (file, _) = export(&dev, &dev.admin, &[]);
    let (ours, theirs) = (dev.path("ours"), dev.path("theirs"));
    let _ = dev.admin.run(&["key", "export-public", "--out", text(&ours)]).succeeded();
    let _ = other.admin.run(&["key", "export-public", "--out", text(&theirs)]).succeeded();
    let _ = kit.archive("verify", &file, &["--signer", text(&ours)]).succeeded();
    let shown = kit.archive("inspect", &file, &["--signer", text(&ours)]).succeeded().text();
    assert!(shown.contains(", checked"), "{shown}");
    let _ = kit.archive("inspect", &file, &["--signer", text(&theirs)]).failed_with(3);
    let opened = kit.archive("open", &file, &["--signer", text(&theirs), "--table", "users"]);
    assert!(opened.stdout.is_empty(), "nothing is shown of it");
    let _ = opened.failed_with(3);
    let said = kit.archive("verify", &file, &["--signer", text(&theirs)]).failed_with(3);
    assert!(said.contains("signed by a key that is not in the signer file"), "{said}");

    // A party that can seal to the key claims to be the vault.
    let kid = std::fs::read_to_string(&ours).unwrap()[..16].to_owned();
    let key = std::fs::read_to_string(&theirs).unwrap()[17..].to_owned();
    let forged = dev.path("forged");
    std::fs::write(&forged, format!("{kid} {key}")).unwrap();
    let _ = kit.archive("verify", &file, &["--signer", text(&forged)]).failed_with(1);
}

#[test]
fn a_passphrase_opens_what_it_sealed_and_the_recovery_key_does_not() {
    let (kit, db) = (Kit::create(), TestDb::sqlite());
    let dev = gateway(&db, &kit);
    let passphrase = kit.passphrase();
    let (file, _) = export(&dev, &dev.admin, &["--passphrase-file", text(&passphrase)]);
    if let Some(zip) = by_stock_age(&file, &[]) {
        check_by_others(&zip);
    }
    let verify = ["archive", "verify", text(&file)];
    let _ = offline(&[&verify[..], &["--passphrase-file", text(&passphrase)]].concat()).succeeded();
    let said = kit.archive("verify", &file, &[]).failed_with(1);
    assert!(said.contains("sealed with a passphrase"), "{said}");
    let wrong = dev.path("wrong");
    std::fs::write(&wrong, "correct horse").unwrap();
    let said = offline(&[&verify[..], &["--passphrase-file", text(&wrong)]].concat()).failed_with(1);
    assert!(said.contains("the passphrase is wrong") && !said.contains("horse"), "{said}");
    let said = dev.admin.run(&verify).failed_with(1);
    assert!(said.contains("--passphrase-file"), "{said}");
}

#[test]
fn the_vault_opens_an_archive_for_whoever_may_and_writes_it_down() {
    let (kit, db) = (Kit::create(), TestDb::sqlite());
    let dev = gateway(&db, &kit);
    let (file, summary) = export(&dev, &dev.admin, &[]);
    let report = dev.admin.json(&["archive", "verify", text(&file)]);
    assert_eq!(report["archiveId"], summary["archiveId"]);
    for role in ["operator", "auditor", "gateway", "backup-creator"] {
        let refused = dev.admin.issue(role).run(&["archive", "open", text(&file), "--table", "users"]);
        let said = refused.failed_with(1);
        assert!(said.contains("archive.open"), "{role}: {said}");
    }
    let opened = &dev.admin.events("archive.key_unwrapped")[0];
    let made = &dev.admin.events("archive.key_wrapped")[0];
    assert_eq!(opened["metadata"]["wrapped_sha256"], made["metadata"]["wrapped_sha256"]);
    assert_eq!(made["target"], summary["archiveId"]);
    assert_eq!(dev.admin.events("archive.key_unwrapped").len(), 1);
}

#[test]
fn a_backup_creator_seals_only_as_the_server_is_configured() {
    let (kit, db) = (Kit::create(), TestDb::sqlite());
    let dev = gateway(&db, &kit);
    let creator = dev.admin.issue("backup-creator");
    let (file, _) = export(&dev, &creator, &[]);
    let _ = kit.archive("verify", &file, &[]).succeeded();
    let (out, passphrase) = (dev.path("out"), kit.passphrase());
    for (options, permission) in [
        (&["--plain"][..], "backup.export_plain"),
        (&["--passphrase-file", text(&passphrase)], "backup.export_passphrase"),
        (&["--recipient", &kit.recipient], "backup.export_recipients"),
    ] {
        let arguments = [&["backup", "export", "--out", text(&out)], options].concat();
        let said = creator.run(&arguments).failed_with(1);
        assert!(said.contains(permission), "{said}");
    }
    assert!(!out.exists());
}

#[test]
fn a_resealed_archive_is_closed_to_the_keys_that_were_left_out() {
    let (old, new, db) = (Kit::create(), Kit::create(), TestDb::sqlite());
    let dev = gateway(&db, &old);
    let (file, summary) = export(&dev, &dev.admin, &[]);
    let copy = dev.path("copy.zip.age");
    let reseal = ["--out", text(&copy), "--recipient", &new.recipient, "-o", "json"];
    let said = old.archive("reseal", &file, &reseal).succeeded().json();
    assert_eq!((&said["archiveId"], &said["sealedTo"]), (&summary["archiveId"], &json!([new.recipient])));
    let _ = new.archive("verify", &copy, &[]).succeeded();
    let refused = old.archive("verify", &copy, &[]).failed_with(1);
    assert!(refused.contains("none of the keys given opens this file"), "{refused}");
    let refused = dev.admin.run(&["archive", "verify", text(&copy)]).failed_with(1);
    assert!(refused.contains("none of the keys given"), "the vault was left out too: {refused}");

    // With a token, the vault is among the recipients, and is the only one if no other is named.
    let _ = dev.admin.run(&["archive", "reseal", text(&file), "--out", text(&copy), "--force"]).succeeded();
    let _ = dev.admin.run(&["archive", "verify", text(&copy)]).succeeded();
    let _ = old.archive("verify", &copy, &[]).failed_with(1);
    let nobody = dev.path("nobody");
    let refused = old.archive("reseal", &file, &["--out", text(&nobody)]).failed_with(1);
    assert!(refused.contains("nobody could open it") && !nobody.exists(), "{refused}");
}

#[test]
fn a_post_quantum_key_opens_what_is_sealed_to_it_and_has_no_weaker_one_beside_it() {
    let (strong, weak, db) = (Kit::create_with(&["--post-quantum"]), Kit::create(), TestDb::sqlite());
    assert!(strong.recipient.starts_with("age1pq1"), "{}", strong.recipient);
    let page = std::fs::read_to_string(strong.folder.path().join("recovery.key.txt")).unwrap();
    assert!(page.contains("since version 1.3") && page.contains(&strong.recipient), "{page}");
    let dev = gateway(&db, &strong);
    let (file, _) = export(&dev, &dev.admin, &[]);
    let _ = strong.archive("verify", &file, &[]).succeeded();
    let _ = dev.admin.run(&["archive", "verify", text(&file)]).succeeded();
    let refused = weak.archive("verify", &file, &[]).failed_with(1);
    assert!(refused.contains("post-quantum recovery keys: 1"), "{refused}");
    let started = &dev.admin.events("backup.export_started")[0].to_string();
    assert!(started.contains(&strong.recipient[..60]) && !started.contains(&strong.recipient), "{started}");

    let copy = dev.path("copy.zip.age");
    let both = ["--recipient", &strong.recipient, "--recipient", &weak.recipient];
    let out = ["backup", "export", "--out", text(&copy)];
    let refused = dev.admin.run(&[&out[..], &both].concat()).failed_with(1);
    assert!(refused.contains("cannot be mixed"), "{refused}");
    let refused =
        strong.archive("reseal", &file, &[&["--out", text(&copy)][..], &both].concat()).failed_with(1);
    assert!(refused.contains("cannot be mixed") && !copy.exists(), "{refused}");
    let _ =
        strong.archive("reseal", &file, &["--out", text(&copy), "--recipient", &weak.recipient]).succeeded();
    let _ = weak.archive("verify", &copy, &[]).succeeded();
}

#[test]
fn an_archive_is_opened_as_a_whole_or_one_table_alone() {
    let (kit, db) = (Kit::create(), TestDb::sqlite());
    let dev = gateway(&db, &kit);
    let (file, _) = export(&dev, &dev.admin, &[]);
    let table = kit.archive("open", &file, &["--table", "users"]).succeeded();
    let rows: Value = serde_json::from_slice(&table.stdout).unwrap();
    assert_eq!(rows.as_array().unwrap().len() as i64, db.number("SELECT count(*) FROM users"));

    let out = dev.path("opened");
    let _ = kit.archive("open", &file, &["--out", text(&out)]).succeeded();
    assert_eq!(std::fs::read(out.join("tables/users.json")).unwrap(), table.stdout);
    assert!(out.join("manifest.json").is_file() && out.join("manifest.sig").is_file());
    let refused = kit.archive("open", &file, &["--out", text(&out)]).failed_with(1);
    assert!(refused.contains("is not empty"), "{refused}");
    let refused = kit.archive("open", &file, &["--table", "nothing"]).failed_with(1);
    assert!(refused.contains("no table \"nothing\""), "{refused}");

    // Nothing is left of the folder if the archive is damaged.
    let mut bytes = std::fs::read(&file).unwrap();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    let damaged = dev.path("damaged");
    std::fs::write(&damaged, &bytes).unwrap();
    let nothing = dev.path("nothing");
    let refused = kit.archive("open", &damaged, &["--out", text(&nothing)]).failed_with(1);
    assert!(refused.contains("damaged") && !nothing.exists(), "{refused}");
}

#[test]
fn a_recovery_kit_says_what_to_do_and_is_never_overwritten() {
    let kit = Kit::create();
    let page = std::fs::read_to_string(kit.folder.path().join("recovery.key.txt")).unwrap();
    assert!(page.contains(&kit.recipient) && page.contains("age -d -i recovery.key"), "{page}");
    let locked = std::fs::read(kit.key()).unwrap();
    assert!(locked.starts_with(b"age-encryption.org/v1\n-> scrypt "), "it is under the passphrase");
    let (key, passphrase) = (kit.key(), kit.passphrase());
    let create = ["recovery", "create", "--out", text(&key), "--passphrase-file", text(&passphrase)];
    let refused = offline(&create).failed_with(1);
    assert!(refused.contains("already exists"), "{refused}");
    assert_eq!(std::fs::read(kit.key()).unwrap(), locked);

    let dev = Dev::start("");
    let other = kit.folder.path().join("other.key");
    let create = ["recovery", "create", "--out", text(&other), "--passphrase-file", text(&passphrase)];
    let _ = dev.admin.run(&create).succeeded();
    let signer = std::fs::read_to_string(kit.folder.path().join("other.key.signer")).unwrap();
    assert_eq!(signer, dev.admin.run(&["key", "export-public"]).succeeded().text());
}
