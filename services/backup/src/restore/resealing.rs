//! Restores under another root key: values of declared columns are sealed again on their way from the archive into a
//! source, so that the old root key opens nothing in the restored platform.
//!
//! Rows are collected until they have enough values for a question to the vault, and are then passed on in order.

use std::sync::Arc;
use std::time::Instant;

use serde_json::value::{RawValue, to_raw_value};
use strongroom_api::limits::{AAD_BYTES, BATCH_ITEMS, CIPHERTEXT_BYTES};
use strongroom_api::vault::v1::reencrypt_archived_request::Item;
use strongroom_api::vault::v1::reencrypt_archived_response::Result as Outcome;
use strongroom_archive::schema::TableSchema;
use strongroom_archive::{AadTemplate, BoundedText, EncryptedColumn, FilledAad, Watch, text_within};
use tokio::runtime::Handle;

use super::loading::to_archive;
use crate::error::{Error, RestoreError, Result};
use crate::vault_client::{AnewStream, QUIET, SealingAnew, VaultClient};

/// Maximum number of bytes of waiting rows.
const FULL: usize = 2 << 20;

/// The treatment of sealed values in a restore under another root key.
pub(super) struct Resealing {
    pub(super) vault: VaultClient,
    pub(super) with: SealingAnew,
    /// Columns of all tables of the archive.
    pub(super) columns: Vec<EncryptedColumn>,
    /// Whether values that no key opens stay as they are.
    pub(super) accepts_undecryptable: bool,
}

impl Resealing {
    /// Passes rows of `table` to `inner`, with their values under the vault's own keys. `None` if the table has no
    /// declared columns.
    ///
    /// # Errors
    /// None for columns of a manifest that was read.
    pub(super) fn of_table(self: &Arc<Self>, table: &str) -> Result<Option<TableResealing>> {
        let mut columns = Vec::new();
        for declared in self.columns.iter().filter(|declared| declared.table == table) {
            columns.push((declared.clone(), AadTemplate::parse(&declared.aad)?));
        }
        let resealing = TableResealing {
            all: Arc::clone(self),
            columns,
            stream: None,
            schema: None,
            rows: Vec::new(),
            values: Vec::new(),
            bytes: 0,
        };
        Ok((!resealing.columns.is_empty()).then_some(resealing))
    }
}

/// The rows of one table.
pub(super) struct TableResealing {
    all: Arc<Resealing>,
    columns: Vec<(EncryptedColumn, AadTemplate)>,
    stream: Option<(AnewStream, Instant)>,
    schema: Option<TableSchema>,
    /// Waiting rows.
    rows: Vec<Vec<Box<RawValue>>>,
    /// Their sealed values: row and column, with the question to the vault.
    values: Vec<((usize, usize), Item)>,
    bytes: usize,
}

impl TableResealing {
    /// Takes a row, and passes on the rows that are ready.
    pub(super) fn row(
        &mut self,
        inner: &mut dyn Watch,
        schema: &TableSchema,
        values: &[&RawValue],
    ) -> strongroom_archive::Result<()> {
        if self.schema.is_none() {
            self.schema = Some(schema.clone());
        }
        let row = self.rows.len();
        self.take_values(row, schema, values).map_err(to_archive)?;
        self.bytes += values.iter().map(|value| value.get().len()).sum::<usize>();
        self.rows.push(values.iter().map(|value| (*value).to_owned()).collect());
        let is_full = self.bytes >= FULL || self.values.len() + self.columns.len() > BATCH_ITEMS;
        if is_full { self.hand_on(inner) } else { Ok(()) }
    }

    /// Call after the last row.
    pub(super) fn finish(&mut self, inner: &mut dyn Watch) -> strongroom_archive::Result<()> {
        self.hand_on(inner)?;
        match self.stream.take() {
            Some((stream, _)) => Handle::current().block_on(stream.finish()).map_err(to_archive),
            None => Ok(()),
        }
    }

    fn take_values(&mut self, row: usize, schema: &TableSchema, values: &[&RawValue]) -> Result<()> {
        let place = |name: &str| schema.columns.iter().position(|column| column.name == name);
        for (declared, template) in &self.columns {
            let Some(at) = place(&declared.column).filter(|at| values[*at].get() != "null") else { continue };
            let needed = template.columns().map(|name| place(name).map(|at| values[at]));
            let aad = template.fill(&declared.table, &declared.column, AAD_BYTES, needed);
            match (text_within(values[at], CIPHERTEXT_BYTES), aad) {
                (BoundedText::Text(text), FilledAad::Text(aad)) if !text.is_empty() => {
                    let item = Item {
                        key_id: declared.key.clone(),
                        ciphertext: text.into_owned(),
                        aad: aad.into_bytes().into(),
                    };
                    self.values.push(((row, at), item));
                }
                // Sealed values never have this form.
                _ if self.all.accepts_undecryptable => {}
                _ => return Err(undecryptable(declared)),
            }
        }
        Ok(())
    }

    fn hand_on(&mut self, inner: &mut dyn Watch) -> strongroom_archive::Result<()> {
        self.seal_anew().map_err(to_archive)?;
        let Some(schema) = &self.schema else { return Ok(()) };
        for row in self.rows.drain(..) {
            let values: Vec<&RawValue> = row.iter().map(AsRef::as_ref).collect();
            inner.row(schema, &values)?;
        }
        self.bytes = 0;
        Ok(())
    }

    fn seal_anew(&mut self) -> Result<()> {
        let (places, items): (Vec<(usize, usize)>, Vec<Item>) =
            std::mem::take(&mut self.values).into_iter().unzip();
        if items.is_empty() {
            return Ok(());
        }
        let outcomes = Handle::current().block_on(self.ask(items))?;
        for ((row, at), outcome) in places.into_iter().zip(outcomes) {
            if outcome.reason.is_empty() {
                let unreadable = |_| Error::Defect("a sealed value is not JSON text".into());
                self.rows[row][at] = to_raw_value(&outcome.ciphertext).map_err(unreadable)?;
            } else if !self.all.accepts_undecryptable {
                let schema = self.schema.as_ref().map(|schema| &schema.columns[at].name);
                let column = self.columns.iter().find(|(declared, _)| Some(&declared.column) == schema);
                return Err(column.map_or_else(
                    || Error::Defect("a column is gone".into()),
                    |(declared, _)| undecryptable(declared),
                ));
            }
        }
        Ok(())
    }
}

impl TableResealing {
    async fn ask(&mut self, items: Vec<Item>) -> Result<Vec<Outcome>> {
        // The vault may have ended the stream, so its end status does not matter. A long table takes several streams.
        if let Some((stream, _)) =
            self.stream.take_if(|(stream, last)| stream.is_old() || last.elapsed() > QUIET)
        {
            drop(stream.finish().await);
        }
        let (stream, last) = match &mut self.stream {
            Some(open) => open,
            None => self.stream.insert((self.all.vault.begin_anew(&self.all.with).await?, Instant::now())),
        };
        let outcomes = stream.ask(items).await?;
        *last = Instant::now();
        Ok(outcomes)
    }
}

/// Passes on rows, with their values sealed again if the table has any.
pub(super) struct Resealed<'r> {
    pub(super) resealing: Option<TableResealing>,
    pub(super) inner: &'r mut dyn Watch,
}

impl Resealed<'_> {
    /// Call after the last row.
    ///
    /// # Errors
    /// Errors of the vault, and of the receiver of the rows.
    pub(super) fn finish(mut self) -> strongroom_archive::Result<()> {
        self.resealing.as_mut().map_or(Ok(()), |resealing| resealing.finish(self.inner))
    }
}

impl Watch for Resealed<'_> {
    fn row(&mut self, schema: &TableSchema, values: &[&RawValue]) -> strongroom_archive::Result<()> {
        match &mut self.resealing {
            Some(resealing) => resealing.row(self.inner, schema, values),
            None => self.inner.row(schema, values),
        }
    }

    fn progress(&mut self, bytes: u64) -> strongroom_archive::Result<()> {
        self.inner.progress(bytes)
    }
}

fn undecryptable(column: &EncryptedColumn) -> Error {
    let (table, column) = (column.table.clone(), column.column.clone());
    RestoreError::ValueUndecryptable { table, column }.into()
}
