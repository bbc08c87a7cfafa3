//! `strongroom demo`: the whole story, with the real services, in a folder that is removed at the end.

mod gateway;
mod narrator;
mod story;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;

use anyhow::{Context as _, Result, anyhow};
use serde_json::json;
use strongroom_backup::config::OptionalGroup;
use strongroom_backup::{AppConfig, SourceConfig, SourceKind};
use strongroom_runtime::Shutdown;
use tempfile::TempDir;

use self::narrator::Narrator;
use crate::cli::Demo;
use crate::embedded::{Embedded, Settings};
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
    let embedded = Embedded::start(settings(&database), folder).await?;
    narrator.step(
        "A vault and a backup service start",
        &format!(
            "Two gRPC services run in this process and share nothing but calls: the vault on\n\
             {} and the backup service on {}.\n\
             Beside them stands the database of a made-up API gateway: 13 tables, {rows} rows. The root key\n\
             was generated into a file; no server makes or stores one.",
            embedded.vault().url,
            embedded.backup().url
        ),
    )?;
    let told = story::tell(&embedded, folder, &database, narrator).await;
    let stopped = embedded.stop().await;
    told.and(stopped)
}

/// The sample as a source, its log table in an optional group; free ports.
fn settings(database: &Path) -> Settings {
    let source = SourceConfig {
        migrations_table: None,
        migrations_column: None,
        name: "gateway".into(),
        kind: SourceKind::Sqlite,
        url: Some(format!("sqlite:{}", database.display()).into()),
        optional: vec![OptionalGroup {
            name: "gateway_logs".into(),
            tables: vec!["gateway_logs".into()],
            time_column: Some("created_at".into()),
        }],
        url_file: None,
        restore_url_file: None,
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
    settings
}
