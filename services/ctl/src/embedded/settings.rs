//! The configuration of both services in one file, and the defaults that `dev` adds.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail, ensure};
use strongroom_age::{Identity, IdentityFile, X25519Identity};
use strongroom_backup::config::keep_out_of_archives;
use strongroom_backup::{AppConfig, BackupConfig, Config, DestinationConfig, SourceConfig};
use strongroom_crypto::RootKey;
use strongroom_runtime::admin::AdminConfig;
use strongroom_runtime::config;
use strongroom_vault::{ConfigFile, VaultConfig};

use crate::files;

/// Files for a root key and a recovery key that `dev` creates if none is configured.
const ROOT_KEY: &str = "root.key";
pub(crate) const RECOVERY_KEY: &str = "recovery.key";

/// Settings of both services.
pub(crate) struct Settings {
    pub(crate) vault: VaultConfig,
    pub(crate) backup: Config,
    admin: AdminConfig,
}

impl Settings {
    /// Reads `file` and `STRONGROOM_<SECTION>__<KEY>` as the two services do.
    pub(crate) fn load(file: Option<&Path>) -> Result<Self> {
        let vault: ConfigFile = config::load(file)?;
        let mut backup: Config = config::load(file)?;
        if backup.app == AppConfig::default() {
            backup.app = AppConfig { name: "Strongroom dev".into(), url: "http://localhost".into() };
        }
        Ok(Self { vault: vault.vault, admin: vault.admin, backup })
    }

    /// Settings without a file, without overrides, and without admin ports.
    pub(crate) fn plain(app: AppConfig, sources: Vec<SourceConfig>) -> Self {
        let backup = Config { app, sources, ..Config::default() };
        let admin = AdminConfig { listen: Some(String::new()) };
        Self { vault: VaultConfig::default(), backup, admin }
    }

    /// The address of the vault's admin port, if there is one.
    pub(super) fn vault_admin(&self) -> Result<Option<SocketAddr>> {
        Ok(self.admin.vault()?)
    }

    /// The same for the backup service: the port after it.
    pub(super) fn backup_admin(&self) -> Result<Option<SocketAddr>> {
        Ok(self.admin.backup_beside_vault()?)
    }

    /// Whether no vault is configured for the backup service, so that it uses the one in this process.
    pub(super) fn is_unset(backup: &BackupConfig) -> bool {
        let unset = BackupConfig::default().vault;
        backup.vault.url.is_empty() || backup.vault.url == unset.url
    }

    /// Whether recovery recipients are configured, or explicitly declined.
    pub(crate) fn has_seal(&self) -> bool {
        let seal = &self.backup.seal;
        !seal.recovery_recipients.is_empty() || seal.without_recovery.is_some()
    }

    /// The path of the root key.
    pub(crate) fn root_key(&self, data_dir: &Path) -> PathBuf {
        self.vault.root_key_file.clone().unwrap_or_else(|| data_dir.join(ROOT_KEY))
    }

    /// Puts databases, stored backups, root key, recovery key and admin token into `data_dir` unless they are
    /// configured elsewhere. Creates missing keys.
    pub(super) fn complete(&mut self, data_dir: &Path) -> Result<()> {
        self.keep_secrets_out_of_archives(data_dir)?;
        let folder = data_dir.to_str().context("the data folder's name is not valid UTF-8")?;
        self.complete_vault(data_dir, folder)?;
        let (backup, unset) = (&mut self.backup.backup, BackupConfig::default());
        if backup.database_url == unset.database_url && backup.database_url_file.is_none() {
            backup.database_url = format!("sqlite:{folder}/backup.db");
        }
        if self.backup.destinations.is_empty() {
            self.backup.destinations.push(own_destination(data_dir)?);
        }
        let drill = &mut self.backup.drill;
        if drill.scratch_url.is_none() && drill.scratch_url_file.is_none() && drill.scratch_dir.is_none() {
            let scratch = data_dir.join("scratch");
            files::create_private_dir(&scratch)?;
            drill.scratch_dir = Some(scratch);
        }
        if !self.has_seal() {
            self.backup.seal.recovery_recipients = vec![own_recipient(&data_dir.join(RECOVERY_KEY))?];
        }
        Ok(())
    }

    /// The root key opens the archives, so it must be in none of them. Checked before keys are created in a folder that
    /// is backed up.
    fn keep_secrets_out_of_archives(&self, data_dir: &Path) -> Result<()> {
        let own = [
            ("--data-dir", Some(data_dir.to_owned())),
            ("[vault] root_key_file", self.vault.root_key_file.clone()),
            ("[vault] admin_token_file", self.vault.admin_token_file.clone()),
        ];
        let own = own.into_iter().filter_map(|(option, path)| Some((option, path?)));
        Ok(keep_out_of_archives(&self.backup.sources, own)?)
    }

    fn complete_vault(&mut self, data_dir: &Path, folder: &str) -> Result<()> {
        let (vault, unset) = (&mut self.vault, VaultConfig::default());
        if vault.database_url == unset.database_url && vault.database_url_file.is_none() {
            vault.database_url = format!("sqlite:{folder}/vault.db");
        }
        if vault.admin_token_file.is_none() {
            vault.admin_token_file = Some(data_dir.join("admin.token"));
        }
        if vault.root_key_file.is_none() {
            let root_key = data_dir.join(ROOT_KEY);
            if !root_key.exists() {
                let database = data_dir.join("vault.db");
                ensure!(
                    !database.exists(),
                    "{} is missing, and {} needs it; put it back, or begin with an empty folder",
                    root_key.display(),
                    database.display()
                );
                files::create_private(&root_key, &RootKey::generate().to_text())?;
            }
            vault.root_key_file = Some(root_key);
        }
        Ok(())
    }
}

/// A folder for stored backups beside the databases: enough for development, but lost together with them.
fn own_destination(data_dir: &Path) -> Result<DestinationConfig> {
    let folder = data_dir.join("backups");
    files::create_private_dir(&folder)?;
    let folder = folder.canonicalize().with_context(|| format!("cannot find {}", folder.display()))?;
    Ok(DestinationConfig {
        name: "local".into(),
        url: format!("file://{}", folder.display()),
        endpoint: None,
        region: None,
        path_style: false,
        credentials_file: None,
        ca_file: None,
        plaintext: false,
    })
}

/// The public half of the recovery key in `file`, which is created if missing. It has no passphrase: the root key
/// beside it opens the same archives.
fn own_recipient(file: &Path) -> Result<String> {
    if !file.exists() {
        let identity = X25519Identity::generate();
        let text = format!("# public key: {}\n{}", identity.recipient(), *identity.to_text());
        files::create_private(file, &text)?;
    }
    let named = || format!("the recovery key in {}", file.display());
    let text = std::fs::read(file).with_context(named)?;
    match IdentityFile::read(&text).with_context(named)? {
        IdentityFile::Plain(identities) => match identities.first() {
            Some(Identity::X25519(identity)) => Ok(identity.recipient().to_string()),
            Some(Identity::Hybrid(identity)) => Ok(identity.recipient().to_string()),
            _ => bail!("{} holds no recovery key", file.display()),
        },
        IdentityFile::Locked(_) => bail!(
            "{} is protected by a passphrase; name its public half under [seal] recovery_recipients instead",
            file.display()
        ),
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;
    use crate::reference::samples;

    fn load(text: &str) -> Result<Settings> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("strongroom.toml");
        std::fs::write(&file, text).unwrap();
        Settings::load(Some(&file))
    }

    #[test]
    fn the_folder_is_used_unless_something_else_is_said() {
        let folder = tempfile::tempdir().unwrap();
        let mut settings = load("[app]\nname = 'A'").unwrap();
        settings.complete(folder.path()).unwrap();
        assert_eq!(settings.vault.database_url, format!("sqlite:{}/vault.db", folder.path().display()));
        assert_eq!(settings.vault.root_key_file, Some(folder.path().join("root.key")));
        let key = std::fs::read_to_string(folder.path().join("root.key")).unwrap();
        settings.vault.root_key_file = None;
        settings.complete(folder.path()).unwrap();
        assert_eq!(std::fs::read_to_string(folder.path().join("root.key")).unwrap(), key);
        std::fs::write(folder.path().join("vault.db"), "").unwrap();
        std::fs::remove_file(folder.path().join("root.key")).unwrap();
        settings.vault.root_key_file = None;
        assert!(settings.complete(folder.path()).unwrap_err().to_string().contains("put it back"));

        let mut settings = load("[vault]\ndatabase_url = 'postgres://v@h/d'\nroot_key_file = 'k'").unwrap();
        settings.complete(folder.path()).unwrap();
        assert_eq!(settings.vault.database_url, "postgres://v@h/d");
        assert_eq!(settings.vault.root_key_file, Some("k".into()));
        assert_eq!(settings.backup.app.name, "Strongroom dev");
    }

    #[test]
    fn a_directory_that_contains_a_key_is_not_backed_up() {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        std::fs::create_dir(&data).unwrap();
        let source =
            format!("[[sources]]\nname = 'all'\nkind = 'files'\npath = '{}'", folder.path().display());
        let refused = load(&source).unwrap().complete(&data).unwrap_err().to_string();
        assert!(refused.contains("source all") && refused.contains("--data-dir"), "{refused}");
        assert_eq!(data.read_dir().unwrap().count(), 0, "no key was created");
        let elsewhere = tempfile::tempdir().unwrap();
        let key = folder.path().join("root.key");
        let with_key = format!("{source}\n[vault]\nroot_key_file = '{}'", key.display());
        let refused = load(&with_key).unwrap().complete(elsewhere.path()).unwrap_err().to_string();
        assert!(refused.contains("root_key_file"), "{refused}");
        load(&source).unwrap().complete(elsewhere.path()).unwrap();
    }

    #[test]
    fn backups_are_stored_beside_the_databases_unless_something_else_is_said() {
        let folder = tempfile::tempdir().unwrap();
        let mut settings = load("").unwrap();
        settings.complete(folder.path()).unwrap();
        let backups = folder.path().canonicalize().unwrap().join("backups");
        let [local] = settings.backup.destinations.as_slice() else { unreachable!() };
        assert_eq!((&*local.name, &*local.url), ("local", &*format!("file://{}", backups.display())));
        assert_eq!(backups.metadata().unwrap().permissions().mode() & 0o777, 0o700);
        let database = format!("sqlite:{}/backup.db", folder.path().display());
        assert_eq!(settings.backup.backup.database_url, database);

        let other = tempfile::tempdir().unwrap();
        let configured = "[backup]\ndatabase_url_file = 'f'\n[[destinations]]\nname = 'a'\nurl = 's3://b'";
        let mut settings = load(configured).unwrap();
        settings.complete(other.path()).unwrap();
        assert_eq!(settings.backup.destinations.len(), 1);
        assert_eq!(settings.backup.destinations[0].url, "s3://b");
        assert!(!other.path().join("backups").exists());
        assert_eq!(settings.backup.backup.database_url, BackupConfig::default().database_url);
    }

    #[test]
    fn a_recovery_key_is_made_once_unless_something_is_said() {
        let folder = tempfile::tempdir().unwrap();
        let completed = |text: &str| {
            let mut settings = load(text).unwrap();
            settings.complete(folder.path()).unwrap();
            settings.backup.seal
        };
        let words = format!("[seal]\nwithout_recovery = '{}'", strongroom_backup::WITHOUT_RECOVERY);
        assert!(completed(&words).recovery_recipients.is_empty());
        assert!(!folder.path().join(RECOVERY_KEY).exists());
        let made = completed("").recovery_recipients;
        assert_eq!(completed("").recovery_recipients, made);
        assert_eq!(completed("[seal]\nrecovery_recipients = ['age1x']").recovery_recipients, ["age1x"]);
    }

    #[test]
    fn a_typo_is_refused_by_name() {
        for text in ["[vualt]\n", "[vault]\nlisten_on = 'x'", "[app]\nnaem = 'x'"] {
            let error = load(text).err().unwrap().to_string();
            assert!(error.contains("strongroom.toml") && error.contains("unknown field"), "{error}");
        }
    }

    #[test]
    fn every_sample_is_understood_by_both_services_and_by_dev() {
        for sample in samples() {
            let text = std::fs::read_to_string(sample).unwrap();
            assert_eq!(problems(&text), ["", "", ""], "{text}");
        }
    }

    #[test]
    fn both_services_and_dev_know_the_same_sections() {
        for section in config::SECTIONS.into_iter().filter(|section| !LISTS.contains(section)) {
            assert_eq!(problems(&format!("[{section}]")), ["", "", ""], "{section}");
        }
        for list in LISTS {
            assert_eq!(problems(&format!("{list} = []")), ["", "", ""], "{list}");
        }
        for problem in problems("[log]\nlevel = 'info'\n[vualt]") {
            assert!(problem.contains("unknown field `vualt`"), "{problem}");
        }
    }

    /// Sections that can occur several times.
    const LISTS: [&str; 2] = ["destinations", "sources"];

    /// The reasons why the vault, the backup service and `dev` refuse a file; empty for one that accepts it.
    fn problems(text: &str) -> [String; 3] {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("strongroom.toml");
        std::fs::write(&file, text).unwrap();
        let none = || std::iter::empty();
        let vault = config::load_with::<ConfigFile>(Some(&file), none()).err();
        let backup = config::load_with::<Config>(Some(&file), none()).err();
        let dev = Settings::load(Some(&file)).err();
        let shown = |error: Option<strongroom_runtime::Error>| error.map(|error| error.to_string());
        [shown(vault), shown(backup), dev.map(|error| error.to_string())].map(Option::unwrap_or_default)
    }
}
