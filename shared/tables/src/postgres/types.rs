//! User-defined types: their definitions, in an order in which they can be created.
//!
//! Types of extensions are not listed (the extension creates them), nor are row types of tables (the table does).

use std::collections::{HashMap, HashSet};

use sqlx::AssertSqlSafe;
use sqlx::postgres::PgConnection;
use strongroom_archive::schema::{Attribute, Constraint, ConstraintKind, UserType};

/// An object id of the catalogue.
pub(super) type Oid = i64;

// Object ids of built-in types never change (pg_type.dat).
pub(super) const BOOL: Oid = 16;
pub(super) const BYTEA: Oid = 17;
pub(super) const NAME: Oid = 19;
pub(super) const INT8: Oid = 20;
pub(super) const INT2: Oid = 21;
pub(super) const INT4: Oid = 23;
pub(super) const TEXT: Oid = 25;
pub(super) const OID: Oid = 26;
pub(super) const JSON: Oid = 114;
pub(super) const FLOAT4: Oid = 700;
pub(super) const FLOAT8: Oid = 701;
pub(super) const BPCHAR: Oid = 1042;
pub(super) const VARCHAR: Oid = 1043;
pub(super) const DATE: Oid = 1082;
pub(super) const TIMESTAMP: Oid = 1114;
pub(super) const TIMESTAMPTZ: Oid = 1184;
pub(super) const NUMERIC: Oid = 1700;
pub(super) const UUID: Oid = 2950;
pub(super) const JSONB: Oid = 3802;

/// Smaller object ids are the same in every database; larger ones belong to types created by initdb or by users (transam.h).
pub(super) const FIRST_OF_INITDB: Oid = 10_000;

/// All types except the server's own.
pub(super) struct Types {
    by_oid: HashMap<Oid, TypeRow>,
    attributes: HashMap<Oid, Vec<(Attribute, Oid)>>,
}

#[derive(sqlx_macros::FromRow)]
struct TypeRow {
    oid: Oid,
    kind: String,
    name: String,
    /// False for types of extensions.
    listed: bool,
    /// The element type of an array; otherwise 0.
    element: Oid,
    base: Oid,
    base_name: Option<String>,
    not_null: bool,
    labels: Vec<String>,
    check_names: Vec<String>,
    checks: Vec<String>,
    default: Option<String>,
    collation: Option<String>,
    range: Option<Oid>,
    subtype: Option<Oid>,
    subtype_name: Option<String>,
}

impl Types {
    /// Reads nothing if all types in `used` are built in.
    pub(super) async fn load(
        connection: &mut PgConnection,
        mut used: impl Iterator<Item = Oid>,
    ) -> sqlx::Result<Self> {
        if used.all(|oid| oid < FIRST_OF_INITDB) {
            return Ok(Self { by_oid: HashMap::new(), attributes: HashMap::new() });
        }
        // Multiranges and their catalogue column exist since version 14.
        let multirange = match connection.server_version_num() {
            Some(version) if version >= 140_000 => "OR r.rngmultitypid = t.oid",
            _ => "",
        };
        let sql = format!(
            "SELECT t.oid::int8 AS oid, t.typtype::text AS kind, format_type(t.oid, NULL) AS name,
                    NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_type'::regclass
                                AND d.objid = t.oid AND d.deptype = 'e') AS listed,
                    CASE t.typtype WHEN 'b' THEN t.typelem::int8 ELSE 0 END AS element,
                    t.typbasetype::int8 AS base,
                    CASE t.typtype WHEN 'd' THEN format_type(t.typbasetype, t.typtypmod) END AS base_name,
                    t.typnotnull AS not_null,
                    ARRAY(SELECT e.enumlabel::text FROM pg_enum e WHERE e.enumtypid = t.oid
                          ORDER BY e.enumsortorder) AS labels,
                    ARRAY(SELECT k.conname::text FROM pg_constraint k
                          WHERE k.contypid = t.oid AND k.contype = 'c' ORDER BY k.conname) AS check_names,
                    ARRAY(SELECT pg_get_constraintdef(k.oid) FROM pg_constraint k
                          WHERE k.contypid = t.oid AND k.contype = 'c' ORDER BY k.conname) AS checks,
                    CASE t.typtype WHEN 'd' THEN pg_get_expr(t.typdefaultbin, 0) END AS default,
                    (SELECT quote_ident(cn.nspname) || '.' || quote_ident(l.collname)
                     FROM pg_collation l JOIN pg_namespace cn ON cn.oid = l.collnamespace, pg_type b
                     WHERE t.typtype = 'd' AND l.oid = t.typcollation AND b.oid = t.typbasetype
                       AND b.typcollation <> l.oid) AS collation,
                    r.rngtypid::int8 AS range, r.rngsubtype::int8 AS subtype,
                    format_type(r.rngsubtype, NULL) AS subtype_name
             FROM pg_type t
             JOIN pg_namespace n ON n.oid = t.typnamespace
             LEFT JOIN pg_range r ON r.rngtypid = t.oid {multirange}
             WHERE n.nspname !~ '^pg_'
               AND (t.typtype <> 'c' OR (SELECT c.relkind FROM pg_class c WHERE c.oid = t.typrelid) = 'c')"
        );
        let rows: Vec<TypeRow> =
            sqlx::query_as(AssertSqlSafe(sql)).persistent(false).fetch_all(&mut *connection).await?;
        let attributes = attributes(connection).await?;
        Ok(Self { by_oid: rows.into_iter().map(|row| (row.oid, row)).collect(), attributes })
    }

    /// The type underneath any number of domains.
    pub(super) fn base_of(&self, mut oid: Oid) -> Oid {
        while let Some(row) = self.by_oid.get(&oid)
            && row.kind == "d"
        {
            oid = row.base;
        }
        oid
    }

    /// The types that `columns` need, each after the types that it consists of.
    pub(super) fn used_by(&self, columns: &[Oid]) -> Vec<UserType> {
        let mut seen = HashSet::new();
        let mut types = Vec::new();
        for oid in columns {
            self.collect(*oid, &mut seen, &mut types);
        }
        types
    }

    fn collect(&self, oid: Oid, seen: &mut HashSet<Oid>, types: &mut Vec<UserType>) {
        let Some(row) = self.by_oid.get(&oid) else { return };
        if !seen.insert(oid) {
            return;
        }
        for part in self.parts(row) {
            self.collect(part, seen, types);
        }
        if row.listed {
            types.extend(self.user_type(row));
        }
    }

    fn parts(&self, row: &TypeRow) -> Vec<Oid> {
        match row.kind.as_str() {
            "d" => vec![row.base],
            "c" => self.attributes.get(&row.oid).into_iter().flatten().map(|(_, oid)| *oid).collect(),
            "r" => row.subtype.into_iter().collect(),
            "m" => row.range.into_iter().collect(),
            _ => vec![row.element],
        }
    }

    /// `None` for arrays and multiranges, which are created with their element or range type.
    fn user_type(&self, row: &TypeRow) -> Option<UserType> {
        let name = row.name.clone();
        match row.kind.as_str() {
            "e" => Some(UserType::Enum { name, labels: row.labels.clone() }),
            "d" => Some(UserType::Domain {
                name,
                base: row.base_name.clone()?,
                nullable: !row.not_null,
                collation: row.collation.clone(),
                default: row.default.clone(),
                checks: row.checks(),
            }),
            "c" => {
                let attributes = self.attributes.get(&row.oid).into_iter().flatten();
                Some(UserType::Composite {
                    name,
                    attributes: attributes.map(|(attribute, _)| attribute.clone()).collect(),
                })
            }
            "r" => Some(UserType::Range { name, subtype: row.subtype_name.clone()? }),
            _ => None,
        }
    }
}

impl TypeRow {
    fn checks(&self) -> Vec<Constraint> {
        let named = self.check_names.iter().zip(&self.checks);
        let check = |(name, definition): (&String, &String)| Constraint {
            name: name.clone(),
            kind: ConstraintKind::Check,
            columns: Vec::new(),
            nulls_not_distinct: false,
            definition: definition.clone(),
        };
        named.map(check).collect()
    }
}

async fn attributes(connection: &mut PgConnection) -> sqlx::Result<HashMap<Oid, Vec<(Attribute, Oid)>>> {
    let rows: Vec<(Oid, String, String, Oid, Option<String>)> = sqlx::query_as(
        "SELECT c.reltype::int8, a.attname::text, format_type(a.atttypid, a.atttypmod), a.atttypid::int8,
                (SELECT quote_ident(cn.nspname) || '.' || quote_ident(l.collname)
                 FROM pg_collation l JOIN pg_namespace cn ON cn.oid = l.collnamespace, pg_type b
                 WHERE l.oid = a.attcollation AND b.oid = a.atttypid AND b.typcollation <> l.oid)
         FROM pg_class c
         JOIN pg_namespace n ON n.oid = c.relnamespace
         JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
         WHERE c.relkind = 'c' AND n.nspname !~ '^pg_'
         ORDER BY c.oid, a.attnum",
    )
    .persistent(false)
    .fetch_all(connection)
    .await?;
    let mut attributes: HashMap<Oid, Vec<(Attribute, Oid)>> = HashMap::new();
    for (composite, name, type_name, oid, collation) in rows {
        attributes.entry(composite).or_default().push((Attribute { name, type_name, collation }, oid));
    }
    Ok(attributes)
}
