//! The statements that compare a restored table with its stage and bring back its rows.

use crate::load::Mode;
use crate::names::quoted;
use crate::postgres::load::difference::{Difference, of_alias};
use crate::postgres::load::registry::AppliedTable;
use crate::postgres::load::statements::{Failure, Session, literal};
use crate::postgres::naming::qualified;

/// How rows were restored, and whether later changes are discarded.
#[derive(Clone, Copy)]
pub(super) struct Way {
    pub(super) mode: Mode,
    pub(super) discards_changes: bool,
}

impl Way {
    /// SQL: the number of rows that differ from what the restore left. A merge is only concerned with the rows that it
    /// added.
    pub(super) fn changed_since(&self, difference: &Difference<'_>) -> Option<String> {
        let (live, stage) = (&difference.live, &difference.pair.stage);
        match (self.mode, difference.has_key()) {
            (Mode::IntoEmpty, _) => None,
            (Mode::Merge, _) => Some(format!(
                "SELECT count(*) FROM {} AS a JOIN {} ON {} LEFT JOIN {live} AS l ON {} WHERE {} OR {}",
                difference.pair.added,
                difference.staged(),
                difference.same_key("a", "s"),
                difference.same_key("l", "s"),
                difference.missing("l"),
                difference.differs("l")
            )),
            (Mode::Replace, true) => Some(format!(
                "SELECT (SELECT count(*) FROM {live} AS l LEFT JOIN {} ON {same} WHERE {} OR {})
                      + (SELECT count(*) FROM {stage} AS s WHERE NOT EXISTS (SELECT FROM {live} AS l WHERE {same}))",
                difference.staged(),
                difference.missing("s"),
                difference.differs("l"),
                same = difference.same_key("l", "s")
            )),
            (Mode::Replace, false) => Some(format!(
                "SELECT count(*) FROM {} AS l FULL JOIN {} AS s ON l.image = s.image AND l.nth = s.nth
                 WHERE l.nth IS NULL OR s.nth IS NULL",
                difference.counted(live),
                difference.counted(stage)
            )),
        }
    }

    /// Deletes the rows that the restore added, and if changes are discarded also rows added or changed since.
    pub(super) fn deletes(&self, table: &AppliedTable, difference: &Difference<'_>) -> Vec<String> {
        let live = &difference.live;
        let (stage, added) = (&table.stage, &table.added);
        let of_restore =
            format!("DELETE FROM {live} AS l USING {added} AS a WHERE {}", difference.same_key("l", "a"));
        match (self.mode, difference.has_key()) {
            (Mode::IntoEmpty, _) => vec![format!("DELETE FROM {live}")],
            (Mode::Replace, false) if table.is_changed || self.discards_changes => {
                vec![format!("DELETE FROM {live}")]
            }
            (Mode::Replace, false) => Vec::new(),
            (Mode::Replace, true) if self.discards_changes => {
                let same = difference.same_key("l", "s");
                let (staged, differs) = (difference.staged(), difference.differs("l"));
                vec![
                    of_restore,
                    format!(
                        "DELETE FROM {live} AS l WHERE NOT EXISTS (SELECT FROM {stage} AS s WHERE {same})"
                    ),
                    format!("DELETE FROM {live} AS l USING {staged} WHERE {same} AND {differs}"),
                ]
            }
            (Mode::Replace, true) | (Mode::Merge, _) => vec![of_restore],
        }
    }

    /// Inserts the rows that the restore deleted, and those that it left unchanged but that were deleted since.
    pub(super) async fn inserts(
        &self,
        session: &mut Session<'_>,
        table: &AppliedTable,
        difference: &Difference<'_>,
    ) -> Result<Vec<String>, Failure> {
        if self.mode != Mode::Replace {
            return Ok(Vec::new());
        }
        let (stage, added, undo) = (&table.stage, &table.added, &table.undo);
        let staged = of_alias(&difference.columns, "s").join(", ");
        let from_stage =
            format!("{} SELECT {staged} FROM {stage} AS s", difference.into(&difference.columns));
        let has_undo = table.is_changed || difference.has_key();
        if !has_undo {
            return Ok(if self.discards_changes { vec![from_stage] } else { Vec::new() });
        }
        let kept = stored(session, undo, &table.namespace, &table.table).await?;
        let values = of_alias(&kept, "u").join(", ");
        let mut inserts = vec![format!("{} SELECT {values} FROM {undo} AS u", difference.into(&kept))];
        if self.discards_changes && difference.has_key() {
            inserts.push(format!(
                "{from_stage} WHERE NOT EXISTS (SELECT FROM {} AS l WHERE {})
                     AND NOT EXISTS (SELECT FROM {added} AS a WHERE {})",
                difference.live,
                difference.same_key("l", "s"),
                difference.same_key("a", "s")
            ));
        }
        Ok(inserts)
    }
}

/// Quoted columns of a kept table that still exist in the live table and are not generated there.
pub(super) async fn stored(
    session: &mut Session<'_>,
    kept: &str,
    namespace: &str,
    table: &str,
) -> Result<Vec<String>, Failure> {
    let sql = format!(
        "SELECT a.attname::text FROM pg_attribute a JOIN pg_attribute k ON k.attname = a.attname
         WHERE a.attrelid = {}::regclass AND k.attrelid = {}::regclass AND a.attnum > 0 AND k.attnum > 0
           AND NOT a.attisdropped AND NOT k.attisdropped AND a.attgenerated = '' ORDER BY a.attnum",
        literal(&qualified(namespace, table)),
        literal(kept)
    );
    let names: Vec<(String,)> = session.rows("reading the columns", sql).await?;
    Ok(names.into_iter().map(|(name,)| quoted(&name)).collect())
}
