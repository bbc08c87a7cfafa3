//! Parses rows of an archive from JSON. Archives of either engine can be restored into either: a flag is 0 or 1 in one
//! and a boolean in the other; bytes are tagged in one and hex in the other (archive format 1, section 5).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Map, Value};

use crate::error::{Error, RestoreError, Result};
use crate::store::restore::rows::{
    ArchivedRow, CREDENTIALS, PREVIOUS, REFERENCES, Seal, StagedRow, TOKENS, TOMBSTONES, TombstoneRow,
};
use crate::store::{CredentialRow, ReferenceRow, TokenRow, VersionRow};

/// The tables that a restore restores.
pub(super) const RESTORED: [&str; 5] = [CREDENTIALS, PREVIOUS, TOMBSTONES, REFERENCES, TOKENS];

/// Whether a restore restores rows of the table.
pub(crate) fn is_restored(table: &str) -> bool {
    RESTORED.contains(&table)
}

/// Parses one row of `table`, which must be in [`RESTORED`].
///
/// # Errors
/// [`RestoreError::Row`].
pub(super) fn read(table: &'static str, json: &[u8]) -> Result<StagedRow> {
    let invalid = |problem: String| RestoreError::Row { table, problem };
    let values: Map<String, Value> =
        serde_json::from_slice(json).map_err(|error| invalid(format!("it is not a JSON object: {error}")))?;
    let mut columns = Columns { table, values };
    let row = match table {
        CREDENTIALS => ArchivedRow::Credential(credential(&mut columns)?),
        PREVIOUS => ArchivedRow::Previous(previous(&mut columns)?),
        REFERENCES => ArchivedRow::Reference(reference(&mut columns)?),
        TOKENS => ArchivedRow::Token(token(&mut columns)?),
        _ => ArchivedRow::Tombstone(tombstone(&mut columns)?),
    };
    let seal = if table == TOMBSTONES { None } else { Some(columns.seal()?) };
    columns.finish()?;
    Ok(StagedRow { row, seal })
}

fn credential(columns: &mut Columns) -> Result<CredentialRow> {
    Ok(CredentialRow {
        id: columns.text("id")?,
        display_name: columns.text("display_name")?,
        provider: columns.text("provider")?,
        secret: columns.text("secret")?,
        preview: columns.text("preview")?,
        active: columns.flag("active")?,
        create_time: columns.number("create_time")?,
        update_time: columns.number("update_time")?,
        last_used_time: columns.optional_number("last_used_time")?,
        expire_time: columns.optional_number("expire_time")?,
        revision: columns.number("revision")?,
        labels: columns.text("labels")?,
        secret_time: columns.number("secret_time")?,
        deactivate_time: columns.optional_number("deactivate_time")?,
    })
}

fn previous(columns: &mut Columns) -> Result<VersionRow> {
    Ok(VersionRow {
        id: columns.text("id")?,
        credential_id: columns.text("credential_id")?,
        secret: columns.text("secret")?,
        preview: columns.text("preview")?,
        create_time: columns.number("create_time")?,
        expire_time: columns.number("expire_time")?,
    })
}

fn reference(columns: &mut Columns) -> Result<ReferenceRow> {
    Ok(ReferenceRow {
        kind: columns.text("kind")?,
        consumer: columns.text("consumer")?,
        credential_id: columns.optional_text("credential_id")?,
        needs_provider: columns.text("needs_provider")?,
        create_time: columns.number("create_time")?,
        update_time: columns.number("update_time")?,
        via_kind: columns.text("via_kind")?,
        via_consumer: columns.text("via_consumer")?,
        fallbacks: columns.text("fallbacks")?,
    })
}

fn token(columns: &mut Columns) -> Result<TokenRow> {
    Ok(TokenRow {
        id: columns.text("id")?,
        hash: columns.bytes("hash")?,
        name: columns.text("name")?,
        role: columns.text("role")?,
        issuer: columns.text("issuer")?,
        create_time: columns.number("create_time")?,
        expire_time: columns.optional_number("expire_time")?,
        last_used_time: columns.optional_number("last_used_time")?,
        revoke_time: columns.optional_number("revoke_time")?,
        selectors: columns.text("selectors")?,
        introspect_hash: columns.optional_bytes("introspect_hash")?,
        service: columns.text("service")?,
        break_glass: columns.flag("break_glass")?,
        person: columns.text("person")?,
        enrolled: columns.flag("enrolled")?,
        renewed: columns.flag("renewed")?,
        issue_time: columns.number("issue_time")?,
        cut_time: columns.optional_number("cut_time")?,
        stale_time: columns.optional_number("stale_time")?,
    })
}

fn tombstone(columns: &mut Columns) -> Result<TombstoneRow> {
    Ok(TombstoneRow {
        id: columns.id("id")?,
        display_name: columns.plain_text("display_name", 200)?,
        provider: columns.plain_text("provider", 200)?,
        delete_time: columns.number("delete_time")?,
    })
}

/// A row's columns, removed one by one as they are read.
struct Columns {
    table: &'static str,
    values: Map<String, Value>,
}

impl Columns {
    fn take(&mut self, name: &str) -> Result<Value> {
        let value = self.values.remove(name);
        value
            .ok_or_else(|| self.problem(format!("it has no column {name}; another release made the archive")))
    }

    fn text(&mut self, name: &str) -> Result<String> {
        self.optional_text(name)?.ok_or_else(|| self.problem(format!("{name} is null")))
    }

    /// For a row without a MAC: no control characters, which a terminal would obey, and no longer than a credential
    /// allows.
    fn plain_text(&mut self, name: &str, most: usize) -> Result<String> {
        let text = self.text(name)?;
        if text.chars().count() > most || text.chars().any(char::is_control) {
            return Err(
                self.problem(format!("{name} has a control character, or more than {most} characters"))
            );
        }
        Ok(text)
    }

    /// For a row without a MAC: an id in the vault's own form.
    fn id(&mut self, name: &str) -> Result<String> {
        let id = self.text(name)?;
        let is_plain = id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        if id.is_empty() || id.len() > 64 || !is_plain {
            return Err(self.problem(format!("{name} does not have the form of an id that a vault makes")));
        }
        Ok(id)
    }

    fn optional_text(&mut self, name: &str) -> Result<Option<String>> {
        match self.take(name)? {
            Value::Null => Ok(None),
            Value::String(text) => Ok(Some(text)),
            _ => Err(self.wrong(name, "text")),
        }
    }

    fn number(&mut self, name: &str) -> Result<i64> {
        self.optional_number(name)?.ok_or_else(|| self.problem(format!("{name} is null")))
    }

    fn optional_number(&mut self, name: &str) -> Result<Option<i64>> {
        match self.take(name)? {
            Value::Null => Ok(None),
            value => value.as_i64().map(Some).ok_or_else(|| self.wrong(name, "an integer")),
        }
    }

    fn flag(&mut self, name: &str) -> Result<bool> {
        match self.take(name)? {
            Value::Bool(flag) => Ok(flag),
            value if value.as_i64() == Some(0) => Ok(false),
            value if value.as_i64() == Some(1) => Ok(true),
            _ => Err(self.wrong(name, "a boolean")),
        }
    }

    fn bytes(&mut self, name: &str) -> Result<Vec<u8>> {
        self.optional_bytes(name)?.ok_or_else(|| self.problem(format!("{name} is null")))
    }

    fn optional_bytes(&mut self, name: &str) -> Result<Option<Vec<u8>>> {
        let bytes = match self.take(name)? {
            Value::Null => return Ok(None),
            Value::String(text) => text.strip_prefix("\\x").and_then(|digits| hex::decode(digits).ok()),
            Value::Object(tagged) => {
                tagged.get("$blob").and_then(Value::as_str).and_then(|text| BASE64.decode(text).ok())
            }
            _ => None,
        };
        bytes.map(Some).ok_or_else(|| self.wrong(name, "bytes"))
    }

    fn seal(&mut self) -> Result<Seal> {
        Ok(Seal {
            row_kid: self.text("row_kid")?,
            row_mac: self.bytes("row_mac")?,
            change_id: self.text("change_id")?,
        })
    }

    /// Refuses unknown columns: one could contain something that must be respected.
    fn finish(self) -> Result<()> {
        match self.values.keys().next() {
            Some(name) => {
                Err(self.problem(format!("it has a column {name}, which this vault does not know")))
            }
            None => Ok(()),
        }
    }

    fn wrong(&self, name: &str, wanted: &str) -> Error {
        self.problem(format!("{name} is not {wanted}"))
    }

    fn problem(&self, problem: String) -> Error {
        RestoreError::Row { table: self.table, problem }.into()
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests;
