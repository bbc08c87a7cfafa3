//! Refuses tables that none of our statements can access, because a function of an index cannot find an object that it names.
//! A function in PL/pgSQL or in a check runs only for rows, so it is not found here: it fails when rows are staged or
//! inserted.
//!
//! A restore writes as the owner, so it does not use a search path in which others could have placed functions.

use crate::load::Refusal;
use crate::postgres::functions::{CALLING, is_unnamed, planned};
use crate::postgres::load::pair::TablePair;
use crate::postgres::load::statements::{Failure, Session};

const WHAT: &str = "looking at the functions of indexes and checks";

pub(super) async fn refusals(
    session: &mut Session<'_>,
    pairs: &[&TablePair],
) -> Result<Vec<Refusal>, Failure> {
    // A partition's functions count as the table's.
    let roots = format!(
        "SELECT DISTINCT coalesce(pg_partition_root(relation::oid::regclass)::oid::int8, relation)
         FROM ({CALLING}) AS calling (relation)"
    );
    let calling: Vec<(i64,)> = session.rows(WHAT, roots).await?;
    let mut refusals = Vec::new();
    for pair in pairs.iter().filter(|pair| calling.contains(&(pair.oid,))) {
        session.run(WHAT, "SAVEPOINT functions".to_owned()).await?;
        match session.run(WHAT, planned(&pair.qualified)).await {
            Ok(_) => {}
            Err(failure) if is_unnamed(failure.code()) => {
                let problem = failure.of(session.source).to_string();
                refusals.push(Refusal::Function { table: pair.archive.name.clone(), problem });
            }
            Err(failure) => return Err(failure),
        }
        session.run(WHAT, "ROLLBACK TO SAVEPOINT functions; RELEASE SAVEPOINT functions".to_owned()).await?;
    }
    Ok(refusals)
}
