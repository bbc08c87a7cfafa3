//! Identifies the database, whatever name its URL uses.

use sqlx::postgres::{PgConnectOptions, PgConnection};
use strongroom_store::DatabaseUrl;

use super::session::close;
use super::statements::{Failure, Session};
use crate::error::Result;
use crate::load::TargetOptions;
use crate::postgres::session::{begin, connect};

const WHAT: &str = "identifying the database";

/// Identity of the database behind a URL, which may be a standby.
pub(crate) async fn place_of(
    url: &DatabaseUrl,
    connect_to: &PgConnectOptions,
    options: &TargetOptions,
) -> Result<String> {
    let source = &options.read.source;
    let mut connection = connect(url, connect_to, source).await?;
    let found = looked(&mut connection, options).await;
    close(connection, source).await;
    found
}

async fn looked(connection: &mut PgConnection, options: &TargetOptions) -> Result<String> {
    let source = &options.read.source;
    begin(connection, source).await?;
    let found = look(&mut Session::new(connection, source)).await;
    found.map_err(|failure| failure.of(source))
}

/// The identifier of the server's data and the database's number in it: standbys share both, and so do copies of the data
/// that became separate servers. If reading the identifier is denied, the server's start time identifies it instead.
pub(super) async fn look(session: &mut Session<'_>) -> Result<String, Failure> {
    let may = "SELECT has_function_privilege('pg_control_system()', 'EXECUTE')::int::int8".to_owned();
    let server = match session.count(WHAT, may).await? {
        0 => "extract(epoch FROM pg_postmaster_start_time())",
        _ => "(SELECT system_identifier FROM pg_control_system())",
    };
    let sql = format!(
        "SELECT {server}::text || ' ' || (SELECT oid FROM pg_database WHERE datname = current_database())"
    );
    let (place,) = session.row(WHAT, sql).await?;
    Ok(place)
}
