//! Scratch databases on a server.

use sqlx::AssertSqlSafe;
use sqlx::Connection as _;
use sqlx::postgres::{PgConnectOptions, PgConnection};
use strongroom_store::DatabaseUrl;

use super::load::literal;
use super::session;
use crate::error::{Error, Result};
use crate::fault::{Fault, sqlstate};
use crate::kind::Kind;
use crate::names::quoted;
use crate::scratch::{SCRATCH, check_name};

/// SQLSTATE for a missing right.
const DENIED: &str = "42501";

pub(crate) async fn create(
    at: &DatabaseUrl,
    connect_to: &PgConnectOptions,
    (name, encoding, template): (&str, Option<&str>, Option<&str>),
) -> Result<DatabaseUrl> {
    check_name(name)?;
    let mut connection = connect(at, connect_to).await?;
    let made = match template {
        Some(template) => quoted(template),
        None => format!("template0{}", other_encoding((&mut connection, at), encoding).await?),
    };
    let sql = format!("CREATE DATABASE {} TEMPLATE {made}", quoted(name));
    execute((&mut connection, at), "creating a database", sql).await?;
    close(connection).await;
    Ok(at.with_database(name)?)
}

/// A locale works with few encodings, but C works with all of them.
async fn other_encoding(
    (connection, at): (&mut PgConnection, &DatabaseUrl),
    encoding: Option<&str>,
) -> Result<String> {
    let sql = "SELECT pg_encoding_to_char(encoding)::text FROM pg_database WHERE datname = 'template0'";
    let usual: String = scalar((connection, at), sql).await?;
    let other = encoding.filter(|encoding| *encoding != usual);
    Ok(other.map_or_else(String::new, |other| {
        format!(" ENCODING {} LC_COLLATE 'C' LC_CTYPE 'C'", literal(other))
    }))
}

/// Checks that the database with this name is the new one, and not one that others use.
pub(crate) async fn check(
    url: &DatabaseUrl,
    connect_to: &PgConnectOptions,
    (name, has_template): (&str, bool),
) -> Result<()> {
    let mut connection = connect(url, connect_to).await?;
    let found: String = scalar((&mut connection, url), "SELECT current_database()::text").await?;
    let relations: i64 = scalar(
        (&mut connection, url),
        "SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
         WHERE n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname !~ '^pg_toast'",
    )
    .await?;
    let is_superuser: bool =
        scalar((&mut connection, url), "SELECT rolsuper FROM pg_roles WHERE rolname = current_user").await?;
    close(connection).await;
    if is_superuser {
        tracing::warn!(
            "the role of [drill] scratch_url is a superuser: expressions of tables, which their owners choose, run with its rights"
        );
    }
    let refused = |problem: String| Err(Error::NotScratch { url: url.to_string(), problem });
    if found != name {
        return refused(format!("the database that answers to this name is {found:?}"));
    }
    if relations > 0 && !has_template {
        return refused(format!("it has {relations} tables or other relations already"));
    }
    Ok(())
}

/// An extension that cannot be created is left to the restore, which reports what needs it.
pub(crate) async fn add_extensions(
    url: &DatabaseUrl,
    connect_to: &PgConnectOptions,
    names: Vec<&str>,
) -> Result<()> {
    let mut connection = connect(url, connect_to).await?;
    for name in names {
        let sql = format!("CREATE EXTENSION IF NOT EXISTS {} CASCADE", quoted(name));
        if let Err(error) = execute((&mut connection, url), "creating an extension", sql).await {
            tracing::warn!(name, %error, "an extension cannot be created in the scratch database");
        }
    }
    close(connection).await;
    Ok(())
}

pub(crate) async fn run(url: &DatabaseUrl, connect_to: &PgConnectOptions, sql: &str) -> Result<()> {
    let mut connection = connect(url, connect_to).await?;
    execute((&mut connection, url), "preparing", sql.to_owned()).await?;
    close(connection).await;
    Ok(())
}

pub(crate) async fn count(url: &DatabaseUrl, connect_to: &PgConnectOptions, sql: &str) -> Result<u64> {
    let mut connection = connect(url, connect_to).await?;
    let count: i64 = scalar((&mut connection, url), sql).await?;
    close(connection).await;
    Ok(count.unsigned_abs())
}

/// Whether the database has a table of this name. `pg_class` shows it to every role, whatever the role's rights.
pub(crate) async fn has(
    url: &DatabaseUrl,
    connect_to: &PgConnectOptions,
    source: &str,
    table: &str,
) -> Result<bool> {
    let mut connection = session::connect(url, connect_to, source).await?;
    let sql = format!("SELECT count(*) FROM pg_class WHERE relname = {}", literal(table));
    let found = sqlx::query_scalar(AssertSqlSafe(sql)).persistent(false).fetch_one(&mut connection).await;
    let count: i64 = found.map_err(|error| Error::database(source, "looking for a table", &error))?;
    close(connection).await;
    Ok(count > 0)
}

pub(crate) async fn remove(at: &DatabaseUrl, connect_to: &PgConnectOptions, name: &str) -> Result<()> {
    check_name(name)?;
    let mut connection = connect(at, connect_to).await?;
    let drop = format!("DROP DATABASE IF EXISTS {}", quoted(name));
    let forced = execute((&mut connection, at), "dropping a database", format!("{drop} WITH (FORCE)")).await;
    if forced.is_err() {
        // A role that may only create databases cannot end the autovacuum, which gives way to a plain DROP.
        execute((&mut connection, at), "dropping a database", drop).await?;
    }
    close(connection).await;
    Ok(())
}

async fn connect(url: &DatabaseUrl, connect_to: &PgConnectOptions) -> Result<PgConnection> {
    session::connect(url, connect_to, SCRATCH).await.map_err(|error| match error {
        Error::Unreachable { url, fault, .. } => {
            let is_missing = fault.kind() == Kind::NotFound;
            let advice =
                if is_missing { "; name an existing database in the URL, such as postgres" } else { "" };
            Error::ScratchServer { url, what: "connecting", fault, advice }
        }
        other => other,
    })
}

/// Does not prepare a named statement, because there may be a pooler.
async fn scalar<T>((connection, url): (&mut PgConnection, &DatabaseUrl), sql: &str) -> Result<T>
where
    T: for<'r> sqlx::Decode<'r, sqlx::Postgres> + sqlx::Type<sqlx::Postgres> + Send + Unpin,
{
    let sql = AssertSqlSafe(sql.to_owned());
    let found = sqlx::query_scalar(sql).persistent(false).fetch_one(connection).await;
    found.map_err(|error| failed(url, "looking", &error))
}

async fn execute(
    (connection, url): (&mut PgConnection, &DatabaseUrl),
    what: &'static str,
    sql: String,
) -> Result<()> {
    let done = sqlx::raw_sql(AssertSqlSafe(sql)).execute(connection).await;
    done.map(drop).map_err(|error| failed(url, what, &error))
}

fn failed(url: &DatabaseUrl, what: &'static str, error: &sqlx::Error) -> Error {
    let advice = match sqlstate(error) {
        Some(DENIED) => "; let its role create databases (ALTER ROLE … CREATEDB)",
        _ => "",
    };
    Error::ScratchServer { url: url.to_string(), what, fault: Fault::of(error), advice }
}

async fn close(connection: PgConnection) {
    // The requested work is done.
    let _ = connection.close().await;
}
