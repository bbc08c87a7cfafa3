//! Tables that no statement of ours gets at, because a function of an index or a check does not find what it names.
//!
//! A restore writes as the owner, and so does not follow a path in which others may have put functions.

use crate::load::Refusal;
use crate::postgres::functions::{CALLING, is_unnamed, planned};
use crate::postgres::load::pair::TablePair;
use crate::postgres::load::statements::{Failure, Session};

const WHAT: &str = "looking at the functions of indexes and checks";

pub(super) async fn refusals(
    session: &mut Session<'_>,
    pairs: &[&TablePair],
) -> Result<Vec<Refusal>, Failure> {
    let calling: Vec<(i64,)> = session.rows(WHAT, CALLING.to_owned()).await?;
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
