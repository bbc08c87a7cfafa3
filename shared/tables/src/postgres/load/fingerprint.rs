//! A hash of everything in the target that a restore relies on. If it changes, the plan is stale.

use sha2::{Digest, Sha256};

use super::pair::TablePair;
use super::references;
use super::sequences;
use super::statements::{Failure, Session};
use crate::error::Error;
use crate::postgres::types::Oid;

/// Lower-case hex SHA-256 over the definitions of the live tables, triggers with their states, foreign keys into them
/// and the sequences of their columns.
pub(super) async fn of(session: &mut Session<'_>, pairs: &[&TablePair]) -> Result<String, Failure> {
    let oids: Vec<Oid> = pairs.iter().map(|pair| pair.oid).collect();
    let mut digest = Sha256::new();
    for pair in pairs {
        let table = serde_json::to_vec(&pair.live);
        add(&mut digest, &table.map_err(|_| Error::missing(session.source, "printable definitions"))?);
    }
    for key in references::list(session, &oids).await? {
        for text in [&key.from.name(), &key.name, &key.to.name(), &key.definition] {
            add(&mut digest, text.as_bytes());
        }
    }
    for used in sequences::used(session, &oids).await? {
        for text in used.parts() {
            add(&mut digest, text.as_bytes());
        }
    }
    Ok(hex::encode(digest.finalize()))
}

/// Hashes the length too, so that two different lists of texts never give the same bytes.
fn add(digest: &mut Sha256, bytes: &[u8]) {
    digest.update((bytes.len() as u64).to_be_bytes());
    digest.update(bytes);
}
