//! `strongroom demo`: a complete tour with the real services, in a folder that is removed at the end.

mod gateway;
mod narrator;
mod story;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, anyhow};
use serde_json::json;
use strongroom_backup::config::OptionalGroup;
use strongroom_backup::{AppConfig, SourceConfig, SourceKind};
use strongroom_runtime::Shutdown;
use tempfile::TempDir;

use self::narrator::Narrator;
use crate::cli::Demo;
use crate::embedded::{Embedded, Settings};
use crate::files;
use crate::output::Format;

pub(super) async fn run(demo: Demo, format: Format) -> Result<()> {
    let folder = TempDir::with_prefix("strongroom-demo-").context("cannot make a temporary folder")?;
    let mut narrator = Narrator::new(format);
    // An interrupt must not leave the folder behind.
    let told = match Shutdown::on_signal().unless_begun(tell(folder.path(), &mut narrator)).await {
        Some(told) => told,
        None => Err(anyhow!("interrupted")),
    };
    if demo.keep {
        let kept = folder.keep();
        narrator.say(&format!("\nKept: {}", kept.display()))?;
    } else {
        folder.close().context("cannot remove the demo's folder")?;
    }
    told?;
    format.document(&json!({"ok": true, "steps": narrator.steps()}), String::new)
}

async fn tell(folder: &Path, narrator: &mut Narrator) -> Result<()> {
    let database = folder.join("gateway.db");
    let rows = gateway::create(&database).await?;
    let logs = OptionalGroup {
        name: "gateway_logs".into(),
        tables: vec!["gateway_logs".into()],
        time_column: Some("created_at".into()),
    };
    let embedded = Embedded::start(settings(&database, None, vec![logs]), folder).await?;
    narrator.step(
        "A vault and a backup service start",
        &format!(
            "Two gRPC services run in this process and share nothing but calls: the vault on\n\
             {} and the backup service on {}.\n\
             Next to them is the database of a made-up API gateway: 13 tables, {rows} rows. The root key\n\
             was generated into a file; no server makes or stores one.",
            embedded.vault().url,
            embedded.backup().url
        ),
    )?;
    let told = story::tell(&embedded, folder, &database, narrator).await;
    let stopped = embedded.stop().await;
    let left = told?;
    stopped?;
    after_the_loss(folder, left, narrator).await?;
    story::end(narrator)
}

/// The last chapter, on a simulated new machine: a folder with only the root key and an archive.
async fn after_the_loss(folder: &Path, left: story::Left, narrator: &mut Narrator) -> Result<()> {
    let machine = folder.join("new-machine");
    let left = story::lose_everything(folder, &machine, left, narrator).context("losing everything")?;
    let database = machine.join("gateway.db");
    gateway::create_empty(&database).await?;
    let owner = machine.join("gateway-owner.url");
    files::create_private(&owner, &url(&database))?;
    let embedded = Embedded::start(settings(&database, Some(owner), Vec::new()), &machine).await?;
    let told = story::restore(&embedded, &machine, &left, narrator).await;
    let stopped = embedded.stop().await;
    told.and(stopped)
}

fn url(database: &Path) -> String {
    format!("sqlite:{}", database.display())
}

/// Settings of both services on free ports. Their only source is the sample database, which is restored through the URL
/// in `restore_url_file`, if given.
fn settings(database: &Path, restore_url_file: Option<PathBuf>, optional: Vec<OptionalGroup>) -> Settings {
    let source = SourceConfig {
        migrations_table: None,
        migrations_column: None,
        name: "gateway".into(),
        kind: SourceKind::Sqlite,
        url: Some(url(database).into()),
        optional,
        url_file: None,
        restore_url_file,
        restore_owner: None,
        path: None,
        table_prefix: None,
        exclude: Vec::new(),
        temp_copy: false,
        schemas: Vec::new(),
        encrypted_columns: Vec::new(),
        token_file: None,
        ca_file: None,
        plaintext: false,
    };
    let app = AppConfig { name: "PromptGate".into(), url: "https://gateway.example.com".into() };
    let mut settings = Settings::plain(app, vec![source]);
    let free = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    settings.vault.listen = free;
    settings.backup.backup.listen = free;
    // An upload to be restored would stay for a day; here it is removed with the demo's folder.
    settings.backup.backup.staging_dir = database.parent().map(Path::to_owned);
    settings
}
