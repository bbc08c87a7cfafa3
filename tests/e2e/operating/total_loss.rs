//! The chapter on total loss, typed on a machine that has only a few files of the old one.

use std::path::Path;
use std::time::Duration;

use e2e::{Deployment, Operator, finish, program, repository, source};
use strongroom_api::vault::v1::EncryptRequest;
use strongroom_api::vault::v1::crypto_service_client::CryptoServiceClient;
use strongroom_runtime::client::{Bearer, Target};
use strongroom_testkit::s3::{BUCKET, KEYS};
use strongroom_testkit::{S3, TestDb, write_private};
use tempfile::TempDir;

use super::page::{Step, acts};
use super::read;
use super::shell::Shell;

/// Name and secret of every credential.
const CREDENTIALS: [(&str, &str); 3] = [
    ("OpenAI Production", "sk-old-0123456789abcdef"),
    ("Anthropic", "sk-ant-0123456789abcdef"),
    ("Mistral", "mistral-0123456789abcdef"),
];

/// The vault's rows that a restore brings back unchanged.
const VAULT_ROWS: [&str; 4] = [
    "SELECT coalesce(string_agg(id || display_name || provider || secret || preview || CAST(active AS text) || \
     CAST(create_time AS text) || CAST(update_time AS text) || coalesce(CAST(expire_time AS text), '-') || labels || \
     CAST(secret_time AS text), '|' ORDER BY id), '') FROM credentials",
    "SELECT coalesce(string_agg(id || credential_id || secret || preview || CAST(create_time AS text) || \
     CAST(expire_time AS text), '|' ORDER BY id), '') FROM credential_versions",
    "SELECT coalesce(string_agg(kind || consumer || coalesce(credential_id, '-') || needs_provider || \
     CAST(create_time AS text) || via_kind || fallbacks, '|' ORDER BY kind, consumer), '') FROM credential_references",
    "SELECT coalesce(string_agg(id || display_name || provider || CAST(delete_time AS text), '|' ORDER BY id), '') \
     FROM credential_tombstones",
];

/// The same for the application.
const APPLICATION_ROWS: &str = "SELECT coalesce(string_agg(CAST(id AS text) || name || coalesce(bearer, '-'), '|' ORDER BY id), '') FROM endpoints";

/// The application's migrations.
const MIGRATIONS: &str = "CREATE TABLE endpoints (id INTEGER PRIMARY KEY, name TEXT NOT NULL, bearer TEXT)";

const FILE: &str = "hello\n";

/// The remains of the old machine, and its former rows.
struct Left {
    /// Contains `root.key`, `recovery.key`, `passphrase`, `signer.pub`, `head.json` and two archives.
    safe: TempDir,
    vault_rows: [String; 4],
    application_rows: String,
}

/// A new machine on which nothing runs yet.
struct Machine {
    folder: TempDir,
    shell: Shell,
    vault: TestDb,
    application: TestDb,
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// Runs a command that needs no service.
fn offline(arguments: &[&str]) {
    let _ = finish(program("strongroom").args(arguments), b"", Duration::from_secs(60)).succeeded();
}

/// The configuration of seal, sources and destinations, which is the same on both machines.
fn config(recipient: &str, application: &TestDb, uploads: &Path, owner: &Path, destination: &str) -> String {
    write_private(owner, application.url_text().as_bytes());
    let restorable = format!("restore_url_file = \"{}\"\n", text(owner));
    let source = source("gateway", application, &[]).trim_end().to_owned() + "\n" + &restorable;
    format!(
        "[seal]\nrecovery_recipients = [\"{recipient}\"]\n\n{source}\n[[sources.encrypted_columns]]\n\
         column = \"endpoints.bearer\"\nkey = \"gateway\"\naad = \"{{table}}/{{column}}/{{id}}\"\n\n\
         [[sources]]\nname = \"uploads\"\nkind = \"files\"\npath = \"{}\"\n\n{destination}",
        text(uploads)
    )
}

fn recipient(safe: &Path) -> String {
    let page = std::fs::read_to_string(safe.join("recovery.key.txt")).unwrap();
    page.lines().find(|line| line.starts_with("age1")).unwrap().to_owned()
}

/// A destination in a folder.
fn destination(folder: &Path) -> String {
    format!("[[destinations]]\nname = \"offsite\"\nurl = \"file://{}\"\n", text(folder))
}

fn bucket(s3: &S3, credentials: &Path) -> String {
    write_private(credentials, S3::credentials(KEYS).as_bytes());
    format!(
        "[[destinations]]\nname = \"offsite\"\nurl = \"s3://{BUCKET}/strongroom\"\nendpoint = \"{}\"\n\
         region = \"us-east-1\"\npath_style = true\ncredentials_file = \"{}\"\n",
        s3.endpoint(),
        text(credentials)
    )
}

impl Left {
    /// Runs a deployment on its own databases, backs it up, and loses it.
    fn of(vault: TestDb, application: TestDb, destination: &str) -> Self {
        let safe = tempfile::tempdir().unwrap();
        let path = |name: &str| safe.path().join(name);
        write_private(path("passphrase"), b"a passphrase of this test\n");
        let (key, passphrase) = (path("recovery.key"), path("passphrase"));
        let create = ["recovery", "create", "--out", text(&key), "--passphrase-file", text(&passphrase)];
        offline(&create);
        let lost = tempfile::tempdir().unwrap();
        let uploads = lost.path().join("uploads");
        std::fs::create_dir(&uploads).unwrap();
        std::fs::write(uploads.join("hello.txt"), FILE).unwrap();
        application.run(MIGRATIONS);
        application.run("INSERT INTO endpoints (id, name) VALUES (1, 'chat'), (2, 'search'), (3, 'images')");
        let recipient = recipient(safe.path());
        let owner = lost.path().join("owner.url");
        let config = config(&recipient, &application, &uploads, &owner, destination);
        let deployment = Deployment::start(vault.url_text(), &config);
        fill(&deployment.admin, &application);
        let schedule = ["schedule", "create", "nightly", "--cron", "0 3 * * *", "--keep", "daily=7"];
        let _ = deployment.admin.run(&schedule).succeeded();
        Self::back_up(&deployment, safe.path(), &recipient);
        std::fs::copy(deployment.path("root.key"), path("root.key")).unwrap();
        let vault_rows = VAULT_ROWS.map(|sql| vault.text(sql));
        let application_rows = application.text(APPLICATION_ROWS);
        // Dropping the values removes the processes, both databases and all folders.
        drop((deployment, vault, application, lost));
        Self { safe, vault_rows, application_rows }
    }

    fn back_up(deployment: &Deployment, safe: &Path, recipient: &str) {
        let path = |name: &str| safe.join(name);
        let (admin, nobody) = (&deployment.admin, deployment.admin.with_token(""));
        let _ = admin.run(&["backup", "create"]).succeeded();
        let _ = admin.run(&["key", "export-public", "--out", text(&path("signer.pub"))]).succeeded();
        let _ = admin.run(&["backup", "export", "--out", text(&path("backup.zip.age"))]).succeeded();
        let head = admin.run(&["audit", "head", "-o", "json"]).succeeded();
        std::fs::write(path("head.json"), head.stdout).unwrap();
        let (from, to) = (path("backup.zip.age"), path("only-recovery.zip.age"));
        let reseal = ["archive", "reseal", text(&from), "--out", text(&to), "--recipient", recipient];
        let (key, passphrase) = (path("recovery.key"), path("passphrase"));
        let keys = ["--identity", text(&key), "--passphrase-file", text(&passphrase)];
        let said = nobody.run(&[&reseal[..], &keys].concat()).succeeded().text();
        assert!(!said.contains("the vault"), "{said}");
    }
}

/// Creates a credential for each kind of history, a reference, a token and a sealed value of the application.
fn fill(admin: &Operator, application: &TestDb) {
    for (name, secret) in CREDENTIALS {
        let _ = admin.create_credential(name, "openai", secret.as_bytes());
    }
    let _ = admin.create_credential("Gone", "openai", b"sk-gone-0123456789abcdef");
    for command in [
        &["credential", "delete", "--yes", "Gone"][..],
        &["reference", "bind", "endpoint", "chat", "OpenAI Production"],
        &["token", "issue", "gateway", "--role", "gateway"],
        &["key", "create", "gateway"],
    ] {
        let _ = admin.run(command).succeeded();
    }
    // The previous secret stays for an hour.
    let rotate = ["credential", "rotate", "Mistral", "--secret-file", "-", "--grace", "1h"];
    let _ = admin.feed(&rotate, CREDENTIALS[2].1.as_bytes()).succeeded();
    let request = EncryptRequest {
        key_id: "gateway".into(),
        plaintext: "of the application".into(),
        aad: "endpoints/bearer/1".into(),
    };
    application.run(&format!("UPDATE endpoints SET bearer = '{}' WHERE id = 1", encrypt(admin, request)));
}

fn encrypt(operator: &Operator, request: EncryptRequest) -> String {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let target = Target { url: operator.vault_url.clone(), ..Target::default() };
        let channel = target.authorized(Bearer::new(&operator.token).unwrap()).unwrap();
        CryptoServiceClient::new(channel).encrypt(request).await.unwrap().into_inner().ciphertext
    })
}

impl Machine {
    /// A machine with these files from the safe, a configuration, and the tables of the application's migrations.
    fn with(left: &Left, files: &[&str], (vault, application): (TestDb, TestDb), destination: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        for file in files {
            let bytes = std::fs::read(left.safe.path().join(file)).unwrap();
            write_private(path(file), &bytes);
        }
        std::fs::create_dir(path("uploads")).unwrap();
        application.run(MIGRATIONS);
        if application.file().is_some() {
            application.run("PRAGMA journal_mode = WAL");
        }
        let shell = Shell::in_an_empty_folder(folder.path());
        let (vault_port, backup_port) = shell.ports();
        let rest = config(
            &recipient(left.safe.path()),
            &application,
            &path("uploads"),
            &path("owner.url"),
            destination,
        );
        let config = format!(
            "[app]\nname = \"PromptGate\"\nurl = \"https://gateway.example.com\"\n\n\
             [vault]\nlisten = \"127.0.0.1:{vault_port}\"\ndatabase_url = \"{}\"\nroot_key_file = \"root.key\"\n\
             admin_token_file = \"admin.token\"\nbackup_token_file = \"backup.token\"\n\n\
             [backup]\nlisten = \"127.0.0.1:{backup_port}\"\ntoken_file = \"backup.token\"\n\n\
             [backup.vault]\nurl = \"http://127.0.0.1:{vault_port}\"\n\n{rest}",
            vault.url_text()
        );
        std::fs::write(path("strongroom.toml"), config).unwrap();
        Self { folder, shell, vault, application }
    }

    /// Asserts that the application has all its former data.
    fn has_the_application_of(&self, left: &Left) {
        assert_eq!(self.application.text(APPLICATION_ROWS), left.application_rows);
        let file = self.folder.path().join("uploads/hello.txt");
        assert_eq!(std::fs::read_to_string(file).unwrap(), FILE);
    }

    /// Asserts that the vault has all its former rows.
    fn has_the_vault_of(&self, left: &Left) {
        assert_eq!(VAULT_ROWS.map(|sql| self.vault.text(sql)), left.vault_rows);
    }
}

/// The steps of a chapter of the page.
fn chapter(heading: &str) -> Vec<Step> {
    let page = read("docs/total-loss.md");
    let found = page.split("\n## ").find(|chapter| chapter.starts_with(&format!("{heading}\n")));
    let mut acts = acts(found.unwrap_or_else(|| panic!("the page has no chapter {heading}")));
    assert_eq!(acts.len(), 1, "{heading}: the configuration is there before");
    acts.remove(0).steps
}

/// The chapters in the order in which a reader types them, followed by a reveal of each credential.
fn chapters(headings: &[&str]) -> Vec<Step> {
    let mut steps: Vec<Step> = headings.iter().flat_map(|heading| chapter(heading)).collect();
    for (name, secret) in CREDENTIALS {
        let command = format!("strongroom credential reveal '{name}'");
        steps.push(Step { command, shown: vec![secret.to_owned()] });
    }
    steps
}

/// Groups of databases, each of one engine, enough for any test here.
fn databases() -> Vec<[TestDb; 4]> {
    let all = (TestDb::each(), TestDb::each(), TestDb::each(), TestDb::each());
    let (first, second, third, fourth) = all;
    let pairs = first.into_iter().zip(second).zip(third.into_iter().zip(fourth));
    pairs.map(|((one, two), (three, four))| [one, two, three, four]).collect()
}

#[test]
fn the_root_key_and_a_file_bring_everything_back() {
    for [vault, application, new_vault, new_application] in databases() {
        let (old, new) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let left = Left::of(vault, application, &destination(old.path()));
        let files = ["root.key", "backup.zip.age", "head.json"];
        let databases = (new_vault, new_application);
        let machine = Machine::with(&left, &files, databases, &destination(new.path()));
        machine.shell.run(&chapters(&["Start both services", "Restore", "Afterwards"]));
        machine.has_the_vault_of(&left);
        machine.has_the_application_of(&left);
    }
}

#[test]
fn so_do_the_root_key_and_a_bucket() {
    for [vault, application, new_vault, new_application] in databases() {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let (s3, folder) = (runtime.block_on(S3::start()), tempfile::tempdir().unwrap());
        let bucket = bucket(&s3, &folder.path().join("credentials"));
        let left = Left::of(vault, application, &bucket);
        let files = ["root.key", "head.json"];
        let machine = Machine::with(&left, &files, (new_vault, new_application), &bucket);
        let headings = ["Start both services", "From a bucket or a folder", "Restore", "Afterwards"];
        let mut steps = chapters(&headings);
        let is_known = "strongroom backup list --state unverified -o json";
        steps.push(Step { command: is_known.into(), shown: vec!["[]".into()] });
        machine.shell.run(&steps);
        machine.has_the_vault_of(&left);
        machine.has_the_application_of(&left);
    }
}

#[test]
fn so_do_both_keys_and_an_archive_that_no_vault_opens() {
    for [vault, application, new_vault, new_application] in databases() {
        let (old, new) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let left = Left::of(vault, application, &destination(old.path()));
        let files = ["root.key", "recovery.key", "passphrase", "only-recovery.zip.age", "head.json"];
        let databases = (new_vault, new_application);
        let machine = Machine::with(&left, &files, databases, &destination(new.path()));
        let headings =
            ["Start both services", "An archive that only a recovery key opens", "Restore", "Afterwards"];
        machine.shell.run(&chapters(&headings));
        machine.has_the_vault_of(&left);
        machine.has_the_application_of(&left);
    }
}

#[test]
fn without_the_root_key_the_application_comes_back_and_what_is_lost_is_said() {
    for [vault, application, new_vault, new_application] in databases() {
        let (old, new) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let left = Left::of(vault, application, &destination(old.path()));
        let files = ["recovery.key", "passphrase", "signer.pub", "backup.zip.age"];
        let databases = (new_vault, new_application);
        let machine = Machine::with(&left, &files, databases, &destination(new.path()));
        let mut steps = chapter("Without the root key");
        let rest = steps.split_off(1);
        assert!(steps[0].command.contains("new-root"), "its first command makes a root key");
        steps.extend(chapter("Start both services"));
        steps.extend(rest);
        machine.shell.run(&steps);
        machine.has_the_application_of(&left);
        assert_eq!(machine.vault.number("SELECT count(*) FROM credentials"), 0);
    }
}

#[test]
fn the_chapter_is_whole() {
    assert!(repository().join("docs/total-loss.md").exists());
    let typed: usize =
        ["Start both services", "Restore", "Afterwards"].map(|one| chapter(one).len()).iter().sum();
    assert!(typed > 15, "the commands are in console blocks");
}
