//! Converts rows into questions: which values are sealed, with which additional data, and the row's id.
//!
//! The archive decides how long its values are and how often one is repeated, so nothing is built here until it is
//! known to be short.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use serde_json::value::RawValue;
use strongroom_api::limits::{AAD_BYTES, CIPHERTEXT_BYTES, CREDENTIAL_KEY};
use strongroom_api::vault::v1::check_decryptable_request::Item;
use strongroom_archive::schema::TableSchema;
use strongroom_archive::{AadTemplate, BoundedText, EncryptedColumn, FilledAad, characters, text_within};

use super::batch::{Batch, ValueLocation};
use crate::error::Result;

/// Reasons for verdicts that do not need the vault.
const INVALID: &str = "CIPHERTEXT_INVALID";
const NO_AAD: &str = "NO_AAD";

/// Maximum number of characters of a row's id.
const MAX_ID: usize = 200;

/// Collects questions about rows until they fill a batch.
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

/// The current table.
#[derive(Default)]
struct Table {
    name: String,
    encrypted: Vec<Encrypted>,
    /// Positions of the primary key in a row.
    key: Vec<usize>,
    rows: u64,
}

/// An encrypted column of the table.
struct Encrypted {
    /// Its index among the declared columns.
    declared: usize,
    /// Its position in a row.
    position: usize,
    /// Positions of the values in its additional data. They are looked up once per table, because the archive decides
    /// how many columns there are, and how often each is needed.
    aad: Vec<Option<usize>>,
}

impl Questions {
    /// Questions about the values of `columns`.
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

    /// Another table begins, or the same one again.
    pub(in crate::verification) fn begin_entry(&mut self) {
        self.table = Table::default();
    }

    /// Whether rows of the table have values to ask about; known from its first row on.
    pub(in crate::verification) fn has_sealed(&self) -> bool {
        !self.table.encrypted.is_empty()
    }

    /// Adds a row. Full batches go to `hand_on`, whose error ends this.
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
        let mut row_id = None;
        for at in 0..self.table.encrypted.len() {
            self.add_value(at, values, &mut row_id);
            if self.batch.is_full() {
                hand_on(std::mem::take(&mut self.batch))?;
            }
        }
        Ok(())
    }

    /// The rest.
    pub(in crate::verification) fn finish(self) -> Batch {
        self.batch
    }

    fn begin(&self, schema: &TableSchema) -> Table {
        let names = schema.columns.iter().enumerate();
        let positions: HashMap<&str, usize> = names.map(|(at, column)| (column.name.as_str(), at)).collect();
        let position = |name: &str| positions.get(name).copied();
        let of_table = self.columns.iter().enumerate().filter(|(_, declared)| declared.table == schema.name);
        let encrypted: Vec<_> = of_table
            .filter_map(|(at, declared)| {
                let aad = declared.aad.columns().map(position).collect();
                Some(Encrypted { declared: at, position: position(&declared.column)?, aad })
            })
            .collect();
        let mut key: Vec<_> = schema.primary_key.iter().filter_map(|name| position(name)).collect();
        let sealed: HashSet<usize> = encrypted.iter().map(|column| column.position).collect();
        if key.iter().any(|position| sealed.contains(position)) {
            // The id would reveal a value that must stay secret, and that may not even be sealed.
            key.clear();
        }
        Table { name: schema.name.clone(), encrypted, key, rows: 0 }
    }

    fn add_value(&mut self, at: usize, values: &[&RawValue], row_id: &mut Option<Arc<str>>) {
        let Encrypted { declared, position, aad } = &self.table.encrypted[at];
        let sealed = values[*position];
        if sealed.get() == "null" {
            return;
        }
        // The row is gone when the verdict about the value arrives, so the question carries its id, which is short and
        // shared by all of its values.
        let row = row_id.get_or_insert_with(|| self.table.row_id(values));
        let location = ValueLocation { column: *declared, row: Arc::clone(row) };
        let declared = &self.columns[*declared];
        let needed = aad.iter().map(|position| position.map(|position| values[position]));
        let aad = declared.aad.fill(&self.table.name, &declared.column, AAD_BYTES, needed);
        let (ciphertext, aad) = match (text_within(sealed, CIPHERTEXT_BYTES), aad) {
            (_, FilledAad::Null) => return self.batch.refuse(location, NO_AAD),
            (BoundedText::Text(text), FilledAad::Text(aad)) if !text.is_empty() => (text.into_owned(), aad),
            _ => return self.batch.refuse(location, INVALID),
        };
        // For its own columns, the vault builds the additional data itself, and needs to know the column.
        let own = declared.key == CREDENTIAL_KEY;
        let column = if own { format!("{}.{}", declared.table, declared.column) } else { String::new() };
        let item = Item { key_id: declared.key.clone(), ciphertext, aad: aad.into_bytes().into(), column };
        self.batch.ask(location, item);
    }
}

impl Table {
    /// The primary key's values, or the row's number if there is no key or it must not be shown. Decodes only as much
    /// as is shown.
    fn row_id(&self, values: &[&RawValue]) -> Arc<str> {
        if self.key.is_empty() {
            return format!("#{}", self.rows).into();
        }
        let parts = self.key.iter().enumerate().map(|(at, position)| {
            let comma = (at > 0).then_some(',');
            comma.into_iter().chain(characters(values[*position]))
        });
        parts.flatten().take(MAX_ID).collect::<String>().into()
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn row_named(primary_key: &[&str]) -> String {
        let column = |name| serde_json::json!({"name": name, "type": "text", "nullable": true});
        let schema = serde_json::json!({
            "name": "t", "source": "gateway", "engine": "sqlite", "namespace": "", "table": "t",
            "columns": [column("id"), column("secret")], "primary_key": primary_key, "foreign_keys": [],
            "types": [],
        });
        let schema: TableSchema = serde_json::from_value(schema).unwrap();
        let declared =
            EncryptedColumn { table: "t".into(), column: "secret".into(), key: "k".into(), aad: "a".into() };
        let values: [Box<RawValue>; 2] =
            [r#""7""#, r#""never sealed""#].map(|value| RawValue::from_string(value.to_owned()).unwrap());
        let mut questions = Questions::create(&[declared]).unwrap();
        questions.add(&schema, &[&values[0], &values[1]], |_| Ok(())).unwrap();
        questions.finish().locations[0].row.to_string()
    }

    #[test]
    fn a_row_is_never_named_by_a_value_that_should_be_sealed() {
        assert_eq!(row_named(&["id"]), "7");
        assert_eq!(row_named(&["id", "secret"]), "#1");
        assert_eq!(row_named(&[]), "#1");
    }
}
