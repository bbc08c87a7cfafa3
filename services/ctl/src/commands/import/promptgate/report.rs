//! The content of an export, the outcome of each credential, and the reasons.

use serde_json::{Value, json};
use strongroom_import::{EncryptedColumn, ExportManifest, StoredCredential, TableSurvey};

use crate::output::{Table, int64, key_values};

/// The outcome for one credential.
pub(super) enum Outcome {
    /// Created, under this id in the vault.
    Imported(String),
    /// Created by an earlier run.
    Present(String),
    /// Would be created.
    Possible,
    /// Not created, for this reason.
    Refused(String),
}

impl Outcome {
    fn name(&self) -> &'static str {
        match self {
            Self::Imported(_) => "imported",
            Self::Present(_) => "already there",
            Self::Possible => "would be imported",
            Self::Refused(_) => "not imported",
        }
    }

    fn id(&self) -> Option<&str> {
        match self {
            Self::Imported(id) | Self::Present(id) => Some(id),
            Self::Possible | Self::Refused(_) => None,
        }
    }

    fn reason(&self) -> Option<&str> {
        match self {
            Self::Refused(reason) => Some(reason),
            _ => None,
        }
    }
}

/// One credential of the export.
pub(super) struct Line<'a> {
    pub(super) stored: &'a StoredCredential,
    pub(super) outcome: Outcome,
}

/// The whole report.
pub(super) struct Report<'a> {
    pub(super) manifest: &'a ExportManifest,
    pub(super) dry_run: bool,
    pub(super) lines: Vec<Line<'a>>,
    pub(super) tables: &'a [TableSurvey],
}

impl Report<'_> {
    /// Number of credentials that were not imported.
    pub(super) fn refused(&self) -> usize {
        self.lines.iter().filter(|line| line.outcome.reason().is_some()).count()
    }

    /// For scripts.
    pub(super) fn document(&self) -> Value {
        let credentials = self.lines.iter().map(|Line { stored, outcome }| {
            json!({
                "row": stored.id,
                "displayName": stored.name,
                "provider": stored.provider,
                "outcome": outcome.name(),
                "credentialId": outcome.id(),
                "reason": outcome.reason(),
            })
        });
        let tables = self.tables.iter().map(|table| {
            let encrypted = table.encrypted.iter().map(|(column, counted)| {
                json!({ "column": column, "values": int64(counted.values), "opened": int64(counted.opened) })
            });
            json!({
                "table": table.table,
                "rows": int64(table.rows),
                "encrypted": encrypted.collect::<Vec<_>>(),
                "reason": reason(table),
            })
        });
        json!({
            "appName": self.manifest.app_name,
            "appUrl": self.manifest.app_url,
            "createdAt": self.manifest.created_at,
            "dryRun": self.dry_run,
            "credentials": credentials.collect::<Vec<_>>(),
            "notImported": tables.collect::<Vec<_>>(),
        })
    }

    /// For people.
    pub(super) fn text(&self) -> String {
        let manifest = self.manifest;
        let mut text = key_values([
            ("application", format!("{} ({})", manifest.app_name, manifest.app_url)),
            ("exported", manifest.created_at.clone()),
        ]);
        text.push('\n');
        text.push_str(&self.credentials().to_string());
        text.push('\n');
        text.push_str(&self.rest().to_string());
        text
    }

    fn credentials(&self) -> Table {
        let mut table = Table::new(&["ROW", "NAME", "PROVIDER", "OUTCOME", "CREDENTIAL OR REASON"]);
        for Line { stored, outcome } in &self.lines {
            let detail = outcome.id().or(outcome.reason()).unwrap_or_default();
            table.row([stored.id.as_str(), &stored.name, &stored.provider, outcome.name(), detail]);
        }
        table
    }

    fn rest(&self) -> Table {
        let mut table = Table::new(&["TABLE", "ROWS", "ENCRYPTED", "NOT IMPORTED, BECAUSE"]);
        for one in self.tables {
            let encrypted = one.encrypted.iter().map(|(column, EncryptedColumn { values, opened })| {
                format!("{column} ({opened} of {values} open)")
            });
            let encrypted = encrypted.collect::<Vec<_>>().join(", ");
            table.row([one.table.as_str(), &one.rows.to_string(), &encrypted, &reason(one)]);
        }
        table
    }
}

fn reason(table: &TableSurvey) -> String {
    if table.table == "api_tokens" {
        return "only hashes are stored; `strongroom token issue` creates new ones".to_owned();
    }
    if !table.encrypted.is_empty() {
        return "they are the gateway's own secrets and stay in its rows".to_owned();
    }
    match table.references {
        0 => "the gateway's own rows".to_owned(),
        count => format!("rows that name a credential: {count}; `strongroom reference bind` binds them"),
    }
}
