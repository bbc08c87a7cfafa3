//! The rows of a restore in PostgreSQL other than credentials: tombstones, references and tokens.

use std::collections::BTreeSet;

use sqlx::QueryBuilder;
use strongroom_store::Result;

use super::restore_rows::{PAGE, Walk, staged};
use super::restore_write::{existing, live_references, name, put_references, release};
use super::{Connection, Database, token};
use crate::store::granting::{Granting as _, Sealed};
use crate::store::restore::record::{RowName, Touch};
use crate::store::restore::rows::{
    ArchivedRow, Before, REFERENCES, TOKENS, TOMBSTONES, TombstoneRow, reference_key,
};
use crate::store::restore::{PUT_TOMBSTONE, TOKEN_BY_HASH, rules};
use crate::store::token::SELECT_BY_ID;
use crate::store::{ReferenceRow, TokenRow};

impl Walk<'_> {
    /// Credentials that are deleted in the archive's vault stay deleted here too.
    pub(super) async fn tombstones(&mut self, tx: &mut Connection) -> Result<()> {
        let mut after = String::new();
        loop {
            let page = self.page(tx, TOMBSTONES, &mut after).await?;
            if page.is_empty() {
                return Ok(());
            }
            let ids: Vec<String> = page.iter().filter_map(ArchivedRow::credential_id).collect();
            let live = existing(tx, &ids).await?;
            for row in page {
                let ArchivedRow::Tombstone(row) = row else { continue };
                if live.contains(&row.id) {
                    let name = RowName { id: row.id, name: row.display_name };
                    self.report.kept(TOMBSTONES, &name, &[rules::EXISTS]);
                    continue;
                }
                let put = sqlx::query(PUT_TOMBSTONE)
                    .bind(&row.id)
                    .bind(&row.display_name)
                    .bind(&row.provider)
                    .bind(row.delete_time)
                    .execute(&mut *tx)
                    .await?;
                if put.rows_affected() == 1 {
                    self.report.touched(TOMBSTONES, Touch::Created, RowName::of(&row.id));
                    self.undo((TOMBSTONES, &row.id), None::<&TombstoneRow>, Some(String::new()))?;
                }
            }
            self.write_undo(tx).await?;
        }
    }

    pub(super) async fn references(&mut self, tx: &mut Connection) -> Result<()> {
        let mut after = String::new();
        loop {
            let page = self.page(tx, REFERENCES, &mut after).await?;
            if page.is_empty() {
                return Ok(());
            }
            let rows: Vec<ReferenceRow> = page.into_iter().filter_map(ArchivedRow::reference).collect();
            let named: Vec<String> =
                rows.iter().flat_map(ReferenceRow::credential_ids).map(str::to_owned).collect();
            let existing = existing(tx, &named).await?;
            let names: Vec<(String, String)> = rows.iter().map(name).collect();
            let mut live = live_references(tx, &names).await?;
            let mut written = Vec::new();
            for row in rows {
                let found = live.remove(&reference_key(&row.kind, &row.consumer));
                written.extend(self.decide_reference(row, found, &existing)?);
            }
            put_references(tx, &written).await?;
            self.write_undo(tx).await?;
        }
    }

    fn decide_reference(
        &mut self,
        row: ReferenceRow,
        found: Option<Sealed<ReferenceRow>>,
        existing: &BTreeSet<String>,
    ) -> Result<Option<(ReferenceRow, crate::store::granting::Seal)>> {
        let found = found.map(|sealed| self.store.codes.open_with_seal(sealed)).transpose()?;
        let gone = row.credential_ids().into_iter().filter(|id| !existing.contains(*id));
        let gone: Vec<String> = gone.map(str::to_owned).collect();
        let name = RowName::of(&row.target());
        let live = found.as_ref().map(|(row, _)| row);
        let decision = rules::reference(row, live, &gone, self.commit.mode);
        self.report.kept(REFERENCES, &name, &decision.kept);
        decision.row.map(|row| self.reference(row, found)).transpose()
    }

    /// Releases the references that the archive does not have.
    pub(super) async fn other_references(&mut self, tx: &mut Connection) -> Result<()> {
        let mut after = (String::new(), String::new());
        loop {
            let mut query = QueryBuilder::<Database>::new(ReferenceRow::SELECT);
            query.push(" WHERE (r.kind, r.consumer) > (").push_bind(after.0.clone()).push(", ");
            query.push_bind(after.1.clone()).push(") ORDER BY r.kind, r.consumer LIMIT ").push_bind(PAGE);
            let page: Vec<Sealed<ReferenceRow>> = query.build_query_as().fetch_all(&mut *tx).await?;
            let Some(last) = page.last() else { return Ok(()) };
            after = name(&last.unchecked()?.0);
            self.release_others(tx, page).await?;
            self.write_undo(tx).await?;
        }
    }

    async fn release_others(&mut self, tx: &mut Connection, page: Vec<Sealed<ReferenceRow>>) -> Result<()> {
        let key = |sealed: &Sealed<ReferenceRow>| {
            let row = &sealed.unchecked()?.0;
            Ok(reference_key(&row.kind, &row.consumer))
        };
        let keys: Vec<String> = page.iter().map(key).collect::<Result<_>>()?;
        let found = staged(tx, (self.commit.attempt.id.as_str(), REFERENCES), &keys).await?;
        let found: BTreeSet<String> = found.into_iter().map(|(key, _)| key).collect();
        let mut released = Vec::new();
        for (key, sealed) in keys.iter().zip(page).filter(|(key, _)| !found.contains(*key)) {
            let (row, seal) = self.store.codes.open_with_seal(sealed)?;
            released.push(name(&row));
            self.events.change_id(REFERENCES);
            self.touch(REFERENCES, Touch::Deleted, RowName::of(&row.target()), &row.target());
            self.undo((REFERENCES, key), Some(&Before { row, seal }), None)?;
        }
        release(tx, &released).await
    }

    pub(super) async fn tokens(&mut self, tx: &mut Connection) -> Result<()> {
        let mut after = String::new();
        loop {
            let page = self.page(tx, TOKENS, &mut after).await?;
            if page.is_empty() {
                return Ok(());
            }
            for row in page {
                let ArchivedRow::Token(row) = row else { continue };
                Box::pin(self.token(tx, row)).await?;
            }
            self.write_undo(tx).await?;
        }
    }

    async fn token(&mut self, tx: &mut Connection, archived: TokenRow) -> Result<()> {
        let live: Option<Sealed<TokenRow>> =
            sqlx::query_as(SELECT_BY_ID).bind(&archived.id).fetch_optional(&mut *tx).await?;
        let live = self.store.codes.open_found(live)?;
        let known: i64 = sqlx::query_scalar(TOKEN_BY_HASH).bind(&archived.hash).fetch_one(&mut *tx).await?;
        let name = RowName { id: archived.id.clone(), name: archived.name.clone() };
        let decision = rules::token(archived, live.as_ref(), known > 0, self.commit.now);
        self.report.kept(TOKENS, &name, &decision.kept);
        let Some(row) = decision.row else { return Ok(()) };
        let change_id = self.events.change_id(TOKENS);
        let seal = self.store.codes.seal_as(&row, change_id.clone())?;
        token::insert(tx, &row, &seal).await?;
        // Sets the columns that an insert does not set.
        token::update(tx, &row, seal).await?;
        self.touch(TOKENS, Touch::Created, name, &row.id);
        // A token that was revoked or has expired is not counted as stale.
        if !row.is_over(self.commit.now) {
            self.report.stale(TOKENS, &row.id);
        }
        self.undo((TOKENS, &row.id), None::<&Before<TokenRow>>, Some(change_id))
    }
}
