//! Compares a database's contents other than rows: whether its sequences continue at their old values, and whether its
//! large objects are the same.

use bytes::Bytes;
use sha2::{Digest as _, Sha256};
use strongroom_archive::manifest::Sequence;
use strongroom_store::DatabaseUrl;
use strongroom_tables::{Snapshot, SnapshotOptions, open_snapshot};
use tokio::sync::mpsc;

use super::evidence::{Finding, counted};
use crate::error::Result;
use crate::incoming::Archive;
use crate::restore::Part;

/// Number of pieces of a large object that can wait, together at most 4 MiB.
const PIECES: usize = 4;

/// Checks the database at `url`. A finding is `None` if the archive has no such items.
///
/// # Errors
/// The database's errors.
pub(super) async fn compare(
    archive: &Archive,
    part: &Part,
    url: &DatabaseUrl,
) -> Result<(Option<Finding>, Option<Finding>)> {
    let mut snapshot = open_snapshot(url, &SnapshotOptions::new(&part.record().name)).await?;
    let sequences = sequences(&part.record().sequences, &snapshot.outside().sequences);
    let objects = large_objects(archive, part, &mut snapshot).await?;
    snapshot.close().await;
    Ok((sequences, objects))
}

fn sequences(expected: &[Sequence], found: &[Sequence]) -> Option<Finding> {
    let mut problems = Vec::new();
    for one in expected {
        let is_it = |other: &&Sequence| other.name == one.name && other.namespace == one.namespace;
        match found.iter().find(is_it) {
            None => problems.push(format!("sequence {} did not come back", one.name)),
            Some(other) if is_behind(other, one) => {
                let (name, now, then) = (&one.name, other.last_value, one.last_value);
                problems.push(format!("sequence {name} is at {now}, but was at {then} in the archive"));
            }
            Some(_) => {}
        }
    }
    let detail = counted(expected.len() as u64, "sequence");
    (!expected.is_empty()).then(|| Finding::of(detail, &problems))
}

/// Whether it would issue a number again.
fn is_behind(found: &Sequence, expected: &Sequence) -> bool {
    let counts_down = expected.range.as_ref().is_some_and(|range| range.increment < 0);
    let is_before = if counts_down {
        found.last_value > expected.last_value
    } else {
        found.last_value < expected.last_value
    };
    is_before || found.last_value == expected.last_value && expected.is_called && !found.is_called
}

async fn large_objects(archive: &Archive, part: &Part, snapshot: &mut Snapshot) -> Result<Option<Finding>> {
    let mut problems = Vec::new();
    let there = snapshot.outside().large_objects.clone();
    for (oid, entry) in part.large_objects() {
        let is_same =
            there.contains(oid) && digest(snapshot, *oid).await? == archive.entries()[*entry].sha256;
        problems.extend((!is_same).then(|| format!("large object {oid} does not come back as it was")));
    }
    let count = part.large_objects().len() as u64;
    Ok((count > 0).then(|| Finding::of(counted(count, "large object"), &problems)))
}

/// SHA-256 in lower-case hex.
async fn digest(snapshot: &mut Snapshot, oid: u32) -> Result<String> {
    let (pieces, mut queue) = mpsc::channel::<Bytes>(PIECES);
    let hashing = async {
        let mut digest = Sha256::new();
        while let Some(piece) = queue.recv().await {
            digest.update(&piece);
        }
        hex::encode(digest.finalize())
    };
    let reading = async {
        let read = snapshot.read_large_object(oid, &pieces).await;
        drop(pieces);
        read
    };
    let (digest, read) = tokio::join!(hashing, reading);
    read?;
    Ok(digest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sequence(name: &str, last_value: i64, is_called: bool) -> Sequence {
        Sequence {
            namespace: String::new(),
            name: name.into(),
            last_value,
            is_called,
            range: None,
            owner: None,
        }
    }

    #[test]
    fn a_sequence_that_would_give_a_number_again_is_found() {
        let expected = [sequence("a", 7, true)];
        for (found, is_fine) in [
            (vec![sequence("a", 7, true)], true),
            (vec![sequence("a", 8, false)], true),
            (vec![sequence("a", 7, false)], false),
            (vec![sequence("a", 6, true)], false),
            (vec![sequence("b", 7, true)], false),
        ] {
            let finding = sequences(&expected, &found);
            assert_eq!(matches!(finding, Some(Finding::Passed(_))), is_fine, "{found:?}");
        }
        assert_eq!(sequences(&[], &expected), None);
    }
}
