//! Messages for the client and the audit log.

use std::collections::BTreeMap;

use strongroom_api::backup::v1::reencrypted_column::Left;
use strongroom_api::backup::v1::{ReencryptSourceResponse, ReencryptedColumn};

use super::refused::is_kid;
use super::walk::Column;
use super::work::{Census, signed};
use crate::operation::{Metadata, put};

/// Maximum number of named rows of all columns together.
const NAMED_IN_ALL: usize = 1000;

pub(super) fn progress(column: &Column, done: u64, left: u64) -> ReencryptSourceResponse {
    ReencryptSourceResponse {
        values_done: signed(done),
        values_left: signed(left),
        column: column.name(),
        ..ReencryptSourceResponse::default()
    }
}

/// While values are counted; the number of remaining values is unknown.
pub(super) fn sign_of_life(done: u64) -> ReencryptSourceResponse {
    ReencryptSourceResponse { values_done: signed(done), ..ReencryptSourceResponse::default() }
}

pub(super) fn last(done: u64, mut columns: Vec<ReencryptedColumn>) -> ReencryptSourceResponse {
    let mut named = 0;
    for column in &mut columns {
        column.rows.truncate(NAMED_IN_ALL - named);
        named += column.rows.len();
    }
    let values_left = columns.iter().map(left).sum();
    ReencryptSourceResponse {
        values_done: signed(done),
        values_left,
        column: String::new(),
        done: true,
        columns,
    }
}

/// A text in the place of a key version is shown only if it has that form: otherwise it may be a part of a value that
/// was never sealed.
pub(super) fn column(column: Column, census: &Census) -> ReencryptedColumn {
    let mut by_kid: BTreeMap<&str, u64> = BTreeMap::new();
    for (kid, values) in census.left(&column) {
        *by_kid.entry(if is_kid(kid) { kid } else { "" }).or_default() += values;
    }
    let left = by_kid.into_iter();
    let left = left.map(|(kid, values)| Left { kid: kid.to_owned(), values: signed(values) }).collect();
    ReencryptedColumn {
        column: column.name(),
        values_done: signed(column.done),
        left,
        undecryptable: signed(column.refused.count),
        rows: column.refused.rows,
        key_id: column.declared.key,
        kid: column.kid,
    }
}

/// Whether every value of it opens under the primary version.
pub(super) fn is_complete(column: &ReencryptedColumn) -> bool {
    column.left.is_empty() && column.undecryptable == 0
}

pub(super) fn metadata(done: u64, columns: &[ReencryptedColumn]) -> Metadata {
    let mut metadata = Metadata::new();
    put(&mut metadata, "values", done);
    put(&mut metadata, "left", columns.iter().map(left).sum::<i64>());
    put(&mut metadata, "undecryptable", columns.iter().map(|column| column.undecryptable).sum::<i64>());
    metadata
}

fn left(column: &ReencryptedColumn) -> i64 {
    column.left.iter().map(|left| left.values).sum()
}
