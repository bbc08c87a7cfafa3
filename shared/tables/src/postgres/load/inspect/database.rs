//! Requirements on the database as a whole, and on this role's rights in it.

use crate::RESTORE_SCHEMA;
use crate::load::{Mode, Refusal, Wanted};
use crate::names::quoted;
use crate::postgres::load::pair::TablePair;
use crate::postgres::load::statements::{Failure, Session, literals};

/// The findings.
pub(super) struct Database {
    pub(super) engine: String,
    pub(super) refusals: Vec<Refusal>,
    pub(super) warnings: Vec<String>,
}

#[derive(sqlx_macros::FromRow)]
struct Row {
    version: String,
    name: String,
    may_create: bool,
    may_use_temporary: bool,
    /// Whether our schema exists, and if so whether this role can use it.
    has_schema: bool,
    may_use_schema: bool,
    /// The owner of our table, if it is another role.
    registry_owner: Option<String>,
    /// Publications FOR ALL TABLES, which include ours.
    publications: Vec<String>,
    taken: Vec<i64>,
}

pub(super) async fn look(
    session: &mut Session<'_>,
    wanted: &Wanted,
    role: &str,
) -> Result<Database, Failure> {
    let objects: Vec<String> = wanted.large_objects.iter().map(ToString::to_string).collect();
    let sql = format!(
        "SELECT current_setting('server_version') AS version, current_database()::text AS name,
                has_database_privilege(current_database(), 'CREATE') AS may_create,
                has_database_privilege(current_database(), 'TEMPORARY') AS may_use_temporary,
                EXISTS (SELECT FROM pg_namespace n WHERE n.nspname = '{RESTORE_SCHEMA}') AS has_schema,
                coalesce((SELECT has_schema_privilege(n.oid, 'USAGE') AND has_schema_privilege(n.oid, 'CREATE')
                          FROM pg_namespace n WHERE n.nspname = '{RESTORE_SCHEMA}'), false) AS may_use_schema,
                (SELECT pg_get_userbyid(c.relowner)::text FROM pg_class c
                 JOIN pg_namespace n ON n.oid = c.relnamespace
                 WHERE n.nspname = '{RESTORE_SCHEMA}' AND c.relname = 'restores'
                   AND NOT pg_has_role(c.relowner, 'USAGE')) AS registry_owner,
                ARRAY(SELECT pubname::text FROM pg_publication WHERE puballtables ORDER BY 1) AS publications,
                ARRAY(SELECT m.oid::int8 FROM pg_largeobject_metadata m
                      WHERE m.oid = ANY ('{{{}}}'::int8[]::oid[]) ORDER BY 1 LIMIT 10) AS taken",
        objects.join(",")
    );
    let row: Row = session.row("looking at the database", sql).await?;
    let engine = format!("PostgreSQL {}", row.version.split(' ').next().unwrap_or_default());
    // In other modes the objects' contents decide.
    let taken = row.taken.iter().filter(|_| wanted.mode == Mode::IntoEmpty);
    let taken = taken.filter_map(|oid| u32::try_from(*oid).ok());
    let mut refusals = row.rights(role);
    refusals.extend(taken.map(|oid| Refusal::LargeObjectTaken { oid }));
    let warnings = row.publications.iter().map(|one| sent(one)).collect();
    Ok(Database { engine, refusals, warnings })
}

fn sent(publication: &str) -> String {
    format!(
        "the publication {publication} publishes all tables, including those of the schema {RESTORE_SCHEMA}, \
         in which rows are staged: its subscribers fail on them unless they have tables of these names"
    )
}

impl Row {
    fn rights(&self, role: &str) -> Vec<Refusal> {
        let right = |what: String, grant: String| Refusal::Right { role: role.to_owned(), what, grant };
        let (database, to) = (quoted(&self.name), quoted(role));
        let mut refusals = Vec::new();
        if !self.has_schema && !self.may_create {
            let grant = format!("GRANT CREATE ON DATABASE {database} TO {to}");
            refusals.push(right(format!("create the schema {RESTORE_SCHEMA}"), grant));
        }
        if self.has_schema && !self.may_use_schema {
            let grant = format!("GRANT USAGE, CREATE ON SCHEMA {RESTORE_SCHEMA} TO {to}");
            refusals.push(right(format!("create tables in the schema {RESTORE_SCHEMA}"), grant));
        }
        if let Some(owner) = &self.registry_owner {
            let grant = format!("GRANT {} TO {to}", quoted(owner));
            refusals.push(right(format!("use the tables of {owner} in the schema {RESTORE_SCHEMA}"), grant));
        }
        if !self.may_use_temporary {
            let grant = format!("GRANT TEMPORARY ON DATABASE {database} TO {to}");
            refusals.push(right("create temporary tables".to_owned(), grant));
        }
        refusals
    }
}

/// Whether the recorded restores can be read; if not, another refusal reports it.
pub(super) async fn may_read_registry(session: &mut Session<'_>) -> Result<bool, Failure> {
    let sql = format!(
        "SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
         WHERE n.nspname = '{RESTORE_SCHEMA}' AND c.relname = 'restores' AND pg_has_role(c.relowner, 'USAGE')
           AND has_schema_privilege(n.oid, 'USAGE')"
    );
    Ok(session.count("looking for restores", sql).await? > 0)
}

/// Types that the target lacks, used by tables to be created. An archive does not say which extension a type belongs to, so
/// every missing extension is named.
pub(super) async fn missing_types(
    session: &mut Session<'_>,
    wanted: &Wanted,
    pairs: &[Option<TablePair>],
) -> Result<Vec<Refusal>, Failure> {
    let missing = wanted.tables.iter().zip(pairs).filter(|(_, pair)| pair.is_none()).map(|(table, _)| table);
    let mut types: Vec<&str> = Vec::new();
    for table in missing {
        let created = serde_json::to_string(&table.schema.types).unwrap_or_default();
        let columns = table.schema.columns.iter().map(|column| column.type_name.as_str());
        let is_created = |name: &str| {
            let bare = name.trim_end_matches("[]");
            created.contains(&serde_json::to_string(bare).unwrap_or_default())
        };
        types.extend(columns.filter(|name| !is_created(name)));
    }
    if types.is_empty() || wanted.record.extensions.is_empty() || !wanted.create_tables {
        return Ok(Vec::new());
    }
    let sql = format!(
        "SELECT count(*) FROM unnest({}) AS t (name) WHERE to_regtype(name) IS NULL",
        literals(types)
    );
    if session.count("looking for types", sql).await? == 0 {
        return Ok(Vec::new());
    }
    let names = literals(wanted.record.extensions.iter().map(|extension| extension.name.as_str()));
    let sql = format!(
        "SELECT e.name FROM unnest({names}) AS e (name) WHERE NOT EXISTS (SELECT FROM pg_extension x WHERE x.extname = e.name)"
    );
    let names: Vec<(String,)> = session.rows("looking for extensions", sql).await?;
    Ok(names.into_iter().map(|(extension,)| Refusal::ExtensionMissing { extension }).collect())
}
