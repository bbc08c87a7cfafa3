//! Objects that are replaced, truncated or deleted by others.

use std::path::PathBuf;

use strongroom_api::backup::v1::VerifyOutcome::{Failed, Passed, Skipped};
use strongroom_runtime::status::reason_of;
use tonic::Code;

use crate::support::stored::{KINDS, Kind, Stored};

async fn stored_object(kind: Kind) -> (Stored, String, PathBuf) {
    let mut stored = Stored::start(kind, "").await;
    let backup = stored.available().await;
    let object = stored.objects().join(&backup.copies[0].key);
    (stored, backup.id, object)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_of_the_same_length_with_other_bytes_is_never_taken_for_the_backup() {
    for kind in KINDS {
        let (mut stored, id, object) = stored_object(kind).await;
        let etag = stored.download(&id).await.unwrap().header.etag;
        let mut bytes = std::fs::read(&object).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        stored.replace(&object, &bytes);
        let changed = stored.download_from(&id, 1, &etag).await.err().unwrap();
        assert_eq!((changed.code(), reason_of(&changed).as_str()), (Code::Aborted, "BACKUP_CHANGED"));
        let damaged = stored.download(&id).await.err().unwrap();
        assert_eq!((damaged.code(), reason_of(&damaged).as_str()), (Code::DataLoss, "BACKUP_DAMAGED"));
        assert!(damaged.message().contains("SHA-256"), "{}", damaged.message());
        let outcomes = stored.verify(&id).await.unwrap();
        assert_eq!(outcomes[0], i32::from(Failed), "{outcomes:?}");
        assert!(outcomes[1..].iter().all(|outcome| *outcome != i32::from(Passed)), "{outcomes:?}");
        let verification = stored.get(&id).await.unwrap().verification.unwrap();
        assert!(!verification.ok && !verification.levels[0].problem.is_empty(), "{verification:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_truncated_or_longer_object_is_refused_and_fails_its_framing() {
    for kind in KINDS {
        let (mut stored, id, object) = stored_object(kind).await;
        let etag = stored.download(&id).await.unwrap().header.etag;
        let bytes = std::fs::read(&object).unwrap();
        for bytes in [&bytes[..bytes.len() - 1], &bytes[..1], &[bytes.as_slice(), b"x"].concat()] {
            stored.replace(&object, bytes);
            let changed = stored.download_from(&id, 1, &etag).await.err().unwrap();
            assert_eq!(reason_of(&changed), "BACKUP_CHANGED");
            let damaged = stored.download(&id).await.err().unwrap();
            assert_eq!((damaged.code(), reason_of(&damaged).as_str()), (Code::DataLoss, "BACKUP_DAMAGED"));
            let outcomes = stored.verify(&id).await.unwrap();
            assert_eq!(outcomes, [Failed, Skipped, Skipped, Skipped].map(i32::from), "{}", bytes.len());
        }
        stored.replace(&object, &[]);
        assert_eq!(reason_of(&stored.verify(&id).await.unwrap_err()), "BACKUP_DAMAGED");
        let kept = stored.get(&id).await.unwrap().verification.unwrap();
        assert!(!kept.ok && kept.levels[0].problem.contains("it is empty"), "{kept:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_object_is_damage_and_a_scan_says_that_it_is_missing() {
    for kind in KINDS {
        let (mut stored, id, object) = stored_object(kind).await;
        stored.verify(&id).await.unwrap();
        assert!(stored.get(&id).await.unwrap().verification.unwrap().ok);
        std::fs::remove_file(&object).unwrap();
        for refused in [stored.download(&id).await.err(), stored.verify(&id).await.err()] {
            let refused = refused.unwrap();
            assert_eq!((refused.code(), reason_of(&refused).as_str()), (Code::DataLoss, "BACKUP_DAMAGED"));
        }
        let kept = stored.get(&id).await.unwrap().verification.unwrap();
        assert!(!kept.ok && kept.levels.len() == 4, "{kept:?}");
        assert!(kept.levels[0].problem.contains("no longer exists"), "{kept:?}");
        let scan = stored.scan().await;
        assert_eq!((scan.found, scan.missing, scan.refused_total), (0, 1, 1), "{scan:?}");
        let refused = stored.download(&id).await.err().unwrap();
        assert_eq!(reason_of(&refused), "COPY_MISSING");
        let copy = stored.get(&id).await.unwrap().copies.remove(0);
        assert_eq!(copy.reason, "OBJECT_MISSING");
    }
}
