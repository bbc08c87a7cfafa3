//! The vault as a source of backups: its own tables in one snapshot, secrets as they are stored.
//!
//! The ring is not among them: an archive carries it wrapped, from `KeyService.ExportKeyRing`.

use async_stream::try_stream;
use strongroom_api::source::v1::read_snapshot_response::{Begun, End, Message, Rows, TableEnd};
use strongroom_api::source::v1::{EncryptedColumn, ReadSnapshotResponse, Table};
use strongroom_tables::{Block, Snapshot, SnapshotOptions, list_tables, open_snapshot};
use tokio::sync::mpsc;
use tokio_stream::Stream;

use crate::error::{Error, Result};
use crate::fields;
use crate::keys::columns::SEALED;
use crate::vault::Vault;

/// A table that the vault hands out, in the order in which it is read: referenced tables first.
struct Owned {
    name: &'static str,
    group: &'static str,
    encrypted_columns: &'static [&'static str],
}

const OWNED: &[Owned] = &[
    Owned { name: "credentials", group: "", encrypted_columns: &["secret"] },
    Owned { name: "credential_labels", group: "", encrypted_columns: &[] },
    Owned { name: "credential_versions", group: "", encrypted_columns: &["secret"] },
    Owned { name: "credential_references", group: "", encrypted_columns: &[] },
    Owned { name: "credential_fallbacks", group: "", encrypted_columns: &[] },
    Owned { name: "api_tokens", group: "", encrypted_columns: &[] },
    Owned { name: "audit_logs", group: "audit", encrypted_columns: &[] },
    // Where events were pruned: without it the rest of the log does not verify.
    Owned { name: "audit_checkpoints", group: "audit", encrypted_columns: &[] },
];

/// Blocks between the database and the stream: the reader stops when the client does.
const BLOCKS_AHEAD: usize = 2;

impl Vault {
    pub(crate) async fn describe_source(&self) -> Result<Vec<Table>> {
        let everything: Vec<&Owned> = OWNED.iter().collect();
        let schemas = list_tables(&self.database, &options(&everything)).await?;
        everything.into_iter().map(|owned| describe(owned, &schemas)).collect()
    }

    /// Pins a snapshot. Dropping the stream ends it.
    pub(crate) async fn read_source(
        &self,
        groups: &[String],
        tables: &[String],
    ) -> Result<impl Stream<Item = Result<ReadSnapshotResponse>> + Send + use<>> {
        let owned = select(groups, tables)?;
        let mut snapshot = open_snapshot(&self.database, &options(&owned)).await?;
        let begun = begin(&mut snapshot, &owned).await?;
        Ok(try_stream! {
            yield message(Message::Begun(begun));
            for owned in owned {
                let (sender, mut blocks) = mpsc::channel(BLOCKS_AHEAD);
                let mut rows = 0;
                {
                    let reading = async {
                        let sender = sender;
                        snapshot.read_table(owned.name, None, &sender).await
                    };
                    tokio::pin!(reading);
                    let mut read = None;
                    loop {
                        tokio::select! {
                            done = &mut reading, if read.is_none() => read = Some(done),
                            block = blocks.recv() => match block {
                                Some(block) => yield message(rows_of(block)),
                                None => break,
                            },
                        }
                    }
                    if let Some(read) = read {
                        rows = read?;
                    }
                }
                yield message(Message::TableEnd(TableEnd { name: owned.name.into(), rows: signed(rows) }));
            }
            snapshot.close().await;
            yield message(Message::End(End {}));
        })
    }
}

async fn begin(snapshot: &mut Snapshot, owned: &[&'static Owned]) -> Result<Begun> {
    let tables = owned.iter().map(|owned| describe(owned, snapshot.tables())).collect::<Result<Vec<_>>>()?;
    let mut kids = Vec::new();
    for table in owned {
        for column in table.encrypted_columns {
            kids.extend(snapshot.count_kids(table.name, column).await?.into_iter().map(|(kid, _)| kid));
        }
    }
    kids.sort();
    kids.dedup();
    let info = snapshot.info();
    Ok(Begun { tables, engine: info.engine.clone(), snapshot: info.kind.into(), kids })
}

fn select(groups: &[String], tables: &[String]) -> Result<Vec<&'static Owned>> {
    fields::each("groups", groups, |field, group| match OWNED.iter().any(|owned| owned.group == group) {
        true if !group.is_empty() => Ok(()),
        _ => Err(Error::Field { field, problem: "names no group of the vault".into() }),
    })?;
    let included = |owned: &&Owned| owned.group.is_empty() || groups.iter().any(|group| group == owned.group);
    fields::each("tables", tables, |field, table| {
        let refuse = |problem: String| Err(Error::Field { field, problem });
        match OWNED.iter().find(|owned| owned.name == table) {
            None => refuse("names no table of the vault".into()),
            // Left out in silence, it would be missing from a backup that somebody thinks has it.
            Some(owned) if !included(&owned) => {
                refuse(format!("belongs to the group {:?}; include that group too", owned.group))
            }
            Some(_) => Ok(()),
        }
    })?;
    let chosen = |owned: &&Owned| tables.is_empty() || tables.iter().any(|table| table == owned.name);
    Ok(OWNED.iter().filter(included).filter(chosen).collect())
}

fn options(owned: &[&Owned]) -> SnapshotOptions {
    let only = owned.iter().map(|owned| owned.name.to_owned()).collect();
    SnapshotOptions { only: Some(only), ..SnapshotOptions::new("vault") }
}

fn describe(owned: &Owned, schemas: &[strongroom_archive::schema::TableSchema]) -> Result<Table> {
    let schema = schemas
        .iter()
        .find(|schema| schema.name == owned.name)
        .ok_or_else(|| Error::Inconsistent(format!("the table {} is gone", owned.name)))?;
    let schema_json = serde_json::to_vec(schema).map_err(|error| Error::Inconsistent(error.to_string()))?;
    Ok(Table {
        name: owned.name.into(),
        schema_json: schema_json.into(),
        group: owned.group.into(),
        encrypted_columns: owned.encrypted_columns.iter().map(|column| (*column).into()).collect(),
        time_column: String::new(),
        sealed: owned.encrypted_columns.iter().map(|column| sealed_as(owned.name, column)).collect(),
    })
}

/// How `CheckDecryptable` is asked about the column.
fn sealed_as(table: &str, column: &str) -> EncryptedColumn {
    let known = SEALED.iter().find(|sealed| sealed.table == table && sealed.column == column);
    let (key_id, aad) = known.map(|sealed| (sealed.key_id, format!("{{{}}}", sealed.id))).unwrap_or_default();
    EncryptedColumn { name: column.into(), key_id: key_id.into(), aad }
}

fn message(message: Message) -> ReadSnapshotResponse {
    ReadSnapshotResponse { message: Some(message) }
}

fn rows_of(block: Block) -> Message {
    Message::Rows(Rows { json: block.bytes, count: signed(block.rows) })
}

fn signed(rows: u64) -> i64 {
    i64::try_from(rows).unwrap_or(i64::MAX)
}
