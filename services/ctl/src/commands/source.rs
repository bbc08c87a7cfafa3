//! `strongroom source`.

mod reencryption;

use anyhow::Result;
use strongroom_api::backup::v1::{ListSourcesRequest, Source};

use crate::cli::SourceCommand;
use crate::client::{self, unary};
use crate::output::{Format, Table};

pub(super) async fn run(command: SourceCommand, format: Format) -> Result<()> {
    match command {
        SourceCommand::List => list(format).await,
        SourceCommand::Reencrypt { source, rate } => reencryption::run(source, rate, format).await,
    }
}

async fn list(format: Format) -> Result<()> {
    let backup = client::backup()?;
    let answer = backup.answer(backup.backups().list_sources(unary(ListSourcesRequest {}))).await?;
    format.list("strongroom.backup.v1.Source", &answer.sources, || table(&answer.sources))
}

/// A source that cannot be read has a row as well; the command has still done what it was asked for, and succeeds.
fn table(sources: &[Source]) -> Table {
    let mut table = Table::new(&["SOURCE", "KIND", "TABLE", "OPTIONAL GROUP", "ERROR"]);
    for source in sources {
        let error = source.error.as_ref().map(|error| format!("{}: {}", error.reason, error.message));
        if source.tables.is_empty() || error.is_some() {
            table.row([&source.name, &source.kind, "", &source.group, error.as_deref().unwrap_or_default()]);
        }
        for of_source in &source.tables {
            table.row([&source.name, &source.kind, &of_source.name, &of_source.group, ""]);
        }
    }
    table
}

#[cfg(test)]
mod tests {
    use strongroom_api::backup::v1::{SourceError, SourceTable};

    use super::*;

    #[test]
    fn a_broken_source_stands_beside_the_others() {
        let error = SourceError { code: 9, reason: "DATABASE_MISSING".into(), message: "no\nfile".into() };
        let source = |name: &str, tables, error| Source {
            name: name.into(),
            kind: "sqlite".into(),
            tables,
            group: String::new(),
            error,
        };
        let users = vec![SourceTable { name: "users".into(), group: String::new() }];
        let shown = table(&[source("a", users, None), source("b", Vec::new(), Some(error))]).to_string();
        let lines: Vec<_> = shown.lines().collect();
        assert!(lines[1].starts_with("a") && lines[1].contains("users"), "{shown}");
        assert!(lines[2].starts_with("b") && lines[2].ends_with("DATABASE_MISSING: no\\nfile"), "{shown}");
    }
}
