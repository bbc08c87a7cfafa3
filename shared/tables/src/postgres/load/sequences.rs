//! Sequences behind the rows: each stands, in its direction, beyond where it stands now, where the archive says, and
//! every number that a column has from it. The first insert after a restore then gets a number that is free.
//!
//! Setting one is not undone by a rollback, which leaves a gap and nothing else.

use sqlx::AssertSqlSafe;
use sqlx::postgres::PgConnection;
use strongroom_archive::manifest::Sequence;

use crate::error::{Error, Result};
use crate::postgres::types::Oid;

#[derive(sqlx_macros::FromRow)]
struct SequenceRow {
    oid: Oid,
    namespace: String,
    name: String,
    increment: i64,
    min: i64,
    max: i64,
    /// Tables and columns, quoted, that have numbers from it.
    tables: Vec<String>,
    columns: Vec<String>,
    /// The tables' own names.
    names: Vec<String>,
}

/// Where a sequence stands: a number, and whether it was given out.
type Position = (i64, bool);

/// Sequences that a column of the tables in $1 is filled from: an owned one, or one that its default names. Numbers of
/// partitions are found in their table.
const SEQUENCES: &str = "SELECT s.seqrelid::int8 AS oid, n.nspname::text AS namespace, c.relname::text AS name,
    s.seqincrement AS increment, s.seqmin AS min, s.seqmax AS max,
    coalesce(array_agg(format('%I.%I', tn.nspname, t.relname)) FILTER (WHERE t.oid IS NOT NULL), '{}') AS tables,
    coalesce(array_agg(quote_ident(a.attname)) FILTER (WHERE t.oid IS NOT NULL), '{}') AS columns,
    coalesce(array_agg(t.relname::text) FILTER (WHERE t.oid IS NOT NULL), '{}') AS names
    FROM pg_sequence s JOIN pg_class c ON c.oid = s.seqrelid JOIN pg_namespace n ON n.oid = c.relnamespace
    LEFT JOIN LATERAL (
        SELECT d.refobjid AS relation, d.refobjsubid AS number FROM pg_depend d
        WHERE d.classid = 'pg_class'::regclass AND d.objid = s.seqrelid AND d.refclassid = 'pg_class'::regclass
          AND d.refobjsubid > 0 AND d.deptype IN ('a', 'i')
        UNION SELECT f.adrelid, f.adnum FROM pg_depend d JOIN pg_attrdef f ON f.oid = d.objid
        WHERE d.classid = 'pg_attrdef'::regclass AND d.refclassid = 'pg_class'::regclass AND d.refobjid = s.seqrelid
    ) AS u ON u.relation = ANY ($1::int8[]::oid[])
    LEFT JOIN pg_attribute a ON a.attrelid = u.relation AND a.attnum = u.number
         AND (SELECT coalesce(nullif(y.typbasetype, 0), y.oid) FROM pg_type y WHERE y.oid = a.atttypid)
             IN ('int2'::regtype, 'int4'::regtype, 'int8'::regtype, 'numeric'::regtype)
    LEFT JOIN pg_class t ON t.oid = a.attrelid LEFT JOIN pg_namespace tn ON tn.oid = t.relnamespace
    WHERE u.relation IS NOT NULL
       OR (n.nspname, c.relname) IN (SELECT * FROM unnest($2::text[], $3::text[]))
    GROUP BY s.seqrelid, n.nspname, c.relname, s.seqincrement, s.seqmin, s.seqmax
    ORDER BY n.nspname, c.relname";

/// Sets those of the tables in `tables`, and those that the archive recorded and the target has.
pub(super) async fn raise(
    connection: &mut PgConnection,
    source: &str,
    recorded: &[Sequence],
    tables: &[Oid],
) -> Result<()> {
    let failed = |error| Error::database(source, "setting the sequences", &error);
    let (namespaces, names): (Vec<&str>, Vec<&str>) =
        recorded.iter().map(|one| (one.namespace.as_str(), one.name.as_str())).unzip();
    let rows: Vec<SequenceRow> = sqlx::query_as(AssertSqlSafe(SEQUENCES))
        .bind(tables)
        .bind(namespaces)
        .bind(names)
        .persistent(false)
        .fetch_all(&mut *connection)
        .await
        .map_err(failed)?;
    for row in rows {
        row.raise(connection, row.recorded(recorded)).await.map_err(failed)?;
    }
    Ok(())
}

impl SequenceRow {
    /// What SQLite counts for a table goes to the sequence that fills a column of it.
    fn recorded(&self, recorded: &[Sequence]) -> Option<Position> {
        let is_it = |one: &&Sequence| match one.namespace.is_empty() {
            true => self.names.contains(&one.name),
            false => one.namespace == self.namespace && one.name == self.name,
        };
        let within = |one: &&Sequence| (self.min..=self.max).contains(&one.last_value);
        let mine = recorded.iter().filter(is_it).filter(within);
        mine.map(|one| (one.last_value, one.is_called)).max_by_key(|one| self.next(*one))
    }

    async fn raise(&self, connection: &mut PgConnection, recorded: Option<Position>) -> sqlx::Result<()> {
        let (last, is_called, used): (i64, bool, Option<i64>) =
            sqlx::query_as(AssertSqlSafe(self.statement()))
                .persistent(false)
                .fetch_one(&mut *connection)
                .await?;
        let stands = (last, is_called);
        let furthest = [Some(stands), recorded, used.map(|number| (number, true))];
        let furthest = furthest.into_iter().flatten().max_by_key(|one| self.next(*one));
        let Some((number, is_called)) = furthest.filter(|furthest| *furthest != stands) else {
            return Ok(());
        };
        let sql = format!("SELECT setval({}::oid::regclass, '{number}', {is_called})", self.oid);
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(connection).await.map(drop)
    }

    /// The number that would come next, as far as it is in the sequence's direction.
    fn next(&self, (last, is_called): Position) -> i128 {
        let step = i128::from(self.increment);
        let next = i128::from(last) + if is_called { step } else { 0 };
        next * step.signum()
    }

    /// Numbers that it cannot give come from elsewhere.
    fn statement(&self) -> String {
        let (furthest, rounded, among) =
            if self.increment < 0 { ("min", "floor", "least") } else { ("max", "ceil", "greatest") };
        let (min, max) = (self.min, self.max);
        let used = self.tables.iter().zip(&self.columns).map(|(table, column)| {
            format!(
                "(SELECT {rounded}({furthest}(t.{column}))::int8 FROM {table} t \
                 WHERE t.{column} BETWEEN '{min}'::int8 AND '{max}'::int8)"
            )
        });
        let used: Vec<String> = used.collect();
        let used =
            if used.is_empty() { "NULL::int8".to_owned() } else { format!("{among}({})", used.join(", ")) };
        let (namespace, name) = (crate::names::quoted(&self.namespace), crate::names::quoted(&self.name));
        format!("SELECT last_value, is_called, {used} FROM {namespace}.{name}")
    }
}
