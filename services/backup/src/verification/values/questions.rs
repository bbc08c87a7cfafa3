//! From rows to questions: which of their values are sealed, with which additional data, and what the row is called.

use std::borrow::Cow;
use std::fmt::Write as _;

use serde_json::value::RawValue;
use strongroom_api::limits::{AAD_BYTES, CIPHERTEXT_BYTES, CREDENTIAL_KEY};
use strongroom_api::vault::v1::check_decryptable_request::Item;
use strongroom_archive::schema::TableSchema;
use strongroom_archive::{AadTemplate, EncryptedColumn, pg_text};

use super::batch::{Batch, ValueLocation};
use crate::error::Result;

/// Reasons for what needs no vault.
const INVALID: &str = "CIPHERTEXT_INVALID";
const NO_AAD: &str = "NO_AAD";

/// Characters of a row's id.
const MAX_ID: usize = 200;

/// Gathers questions about rows until they are a batch.
pub(in crate::verification) struct Questions {
    columns: Vec<Declared>,
    table: Table,
    batch: Batch,
}

struct Declared {
    table: String,
    column: String,
    key: String,
    aad: AadTemplate,
}

/// The table whose rows come now.
#[derive(Default)]
struct Table {
    name: String,
    /// Its encrypted columns: their positions among the declared ones and in a row.
    encrypted: Vec<(usize, usize)>,
    /// Positions of the primary key in a row.
    key: Vec<usize>,
    rows: u64,
}

impl Questions {
    /// About the values of `columns`.
    ///
    /// # Errors
    /// None for columns of a manifest that was read.
    pub(in crate::verification) fn create(columns: &[EncryptedColumn]) -> Result<Self> {
        let mut declared = Vec::with_capacity(columns.len());
        for EncryptedColumn { table, column, key, aad } in columns {
            let aad = AadTemplate::parse(aad)?;
            let (table, column, key) = (table.clone(), column.clone(), key.clone());
            declared.push(Declared { table, column, key, aad });
        }
        Ok(Self { columns: declared, table: Table::default(), batch: Batch::default() })
    }

    /// Another table begins, or the same one anew.
    pub(in crate::verification) fn begin_entry(&mut self) {
        self.table = Table::default();
    }

    /// Takes a row. What is a batch then goes to `hand_on`, whose error ends it.
    pub(in crate::verification) fn add(
        &mut self,
        schema: &TableSchema,
        values: &[&RawValue],
        mut hand_on: impl FnMut(Batch) -> Result<()>,
    ) -> Result<()> {
        if self.table.rows == 0 {
            self.table = self.begin(schema);
        }
        self.table.rows += 1;
        for at in 0..self.table.encrypted.len() {
            self.add_value(at, schema, values);
            if self.batch.is_full() {
                hand_on(std::mem::take(&mut self.batch))?;
            }
        }
        Ok(())
    }

    /// What is left.
    pub(in crate::verification) fn finish(self) -> Batch {
        self.batch
    }

    fn begin(&self, schema: &TableSchema) -> Table {
        let position = |name: &str| schema.columns.iter().position(|column| column.name == name);
        let of_table = self.columns.iter().enumerate().filter(|(_, declared)| declared.table == schema.name);
        let encrypted: Vec<_> =
            of_table.filter_map(|(at, declared)| Some((at, position(&declared.column)?))).collect();
        let mut key: Vec<_> = schema.primary_key.iter().filter_map(|name| position(name)).collect();
        if encrypted.iter().any(|(_, position)| key.contains(position)) {
            // It would show a value that nobody may see, and that may not be sealed at all.
            key.clear();
        }
        Table { name: schema.name.clone(), encrypted, key, rows: 0 }
    }

    fn add_value(&mut self, at: usize, schema: &TableSchema, values: &[&RawValue]) {
        let (column, position) = self.table.encrypted[at];
        if values[position].get() == "null" {
            return;
        }
        let declared = &self.columns[column];
        let location = ValueLocation { column, row: self.table.row_id(values) };
        let value_of = |name: &str| {
            let position = schema.columns.iter().position(|column| column.name == name)?;
            text(values[position])
        };
        let aad = declared.aad.fill(&self.table.name, &declared.column, value_of);
        let (Some(ciphertext), Some(aad)) = (text(values[position]), &aad) else {
            let reason = if aad.is_none() { NO_AAD } else { INVALID };
            return self.batch.refuse(location, reason);
        };
        if !(1..=CIPHERTEXT_BYTES).contains(&ciphertext.len()) || aad.len() > AAD_BYTES {
            return self.batch.refuse(location, INVALID);
        }
        // For its own columns the vault makes the additional data itself, and has to know the column.
        let own = declared.key == CREDENTIAL_KEY;
        let column = if own { format!("{}.{}", declared.table, declared.column) } else { String::new() };
        let item = Item {
            key_id: declared.key.clone(),
            ciphertext: ciphertext.into_owned(),
            aad: aad.clone().into_bytes().into(),
            column,
        };
        self.batch.ask(location, item);
    }
}

impl Table {
    /// The primary key's values, or the row's number where there is no key, or none that may be shown.
    fn row_id(&self, values: &[&RawValue]) -> String {
        if self.key.is_empty() {
            return format!("#{}", self.rows);
        }
        let mut id = String::new();
        for (at, position) in self.key.iter().enumerate() {
            let value = text(values[*position]).unwrap_or_else(|| Cow::Borrowed(values[*position].get()));
            let comma = if at == 0 { "" } else { "," };
            let _ = write!(id, "{comma}{value}");
        }
        match id.char_indices().nth(MAX_ID) {
            Some((end, _)) => id[..end].to_owned(),
            None => id,
        }
    }
}

/// A value's text on either engine; `None` for NULL and for what is none, such as a BLOB.
fn text(value: &RawValue) -> Option<Cow<'_, str>> {
    pg_text(value).ok().flatten()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn row_named(primary_key: &[&str]) -> String {
        let column = |name| serde_json::json!({"name": name, "type": "text", "nullable": true});
        let schema = serde_json::json!({
            "name": "t", "source": "gateway", "engine": "sqlite", "namespace": "", "table": "t",
            "columns": [column("id"), column("secret")], "primary_key": primary_key, "unique": [],
            "foreign_keys": [], "types": [],
        });
        let schema: TableSchema = serde_json::from_value(schema).unwrap();
        let declared =
            EncryptedColumn { table: "t".into(), column: "secret".into(), key: "k".into(), aad: "a".into() };
        let values: [Box<RawValue>; 2] =
            [r#""7""#, r#""never sealed""#].map(|value| RawValue::from_string(value.to_owned()).unwrap());
        let mut questions = Questions::create(&[declared]).unwrap();
        questions.add(&schema, &[&values[0], &values[1]], |_| Ok(())).unwrap();
        questions.finish().locations[0].row.clone()
    }

    #[test]
    fn a_row_is_never_named_by_a_value_that_should_be_sealed() {
        assert_eq!(row_named(&["id"]), "7");
        assert_eq!(row_named(&["id", "secret"]), "#1");
        assert_eq!(row_named(&[]), "#1");
    }
}
