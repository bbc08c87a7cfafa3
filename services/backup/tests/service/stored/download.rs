//! Downloads that start at any byte.

use strongroom_runtime::status::reason_of;
use tonic::Code;

use super::field;
use crate::support::database;
use crate::support::stored::{KINDS, Stored};

/// Rows that do not compress, for an archive of some 300 KiB: more than a chunk.
const NOISE: &str = "CREATE TABLE noise (id INTEGER PRIMARY KEY, data BLOB);
    INSERT INTO noise (data) WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 75)
    SELECT randomblob(4000) FROM n;";

#[tokio::test(flavor = "multi_thread")]
async fn a_download_that_is_cut_anywhere_and_resumed_is_byte_identical() {
    for kind in KINDS {
        let folder = database::folder().await;
        database::run(folder.path(), NOISE).await;
        let mut stored = Stored::of(folder, kind, "").await;
        let id = stored.available().await.id;
        let whole = stored.download(&id).await.unwrap();
        let (size, etag) = (whole.bytes.len(), whole.header.etag);
        assert!(size > 256 << 10, "{size}");
        // Every few KiB, around chunk boundaries, and at both ends.
        let regular = (0..size).step_by(3 * 1024 + 7);
        let bounds = [1, 65_535, 65_536, (256 << 10) - 1, 256 << 10, (256 << 10) + 1, size - 1, size];
        for offset in regular.chain(bounds) {
            let rest = stored.download_from(&id, offset as i64, &etag).await.unwrap();
            assert!(rest.bytes == whole.bytes[offset..], "from {offset}");
            assert_eq!((rest.header.offset, &rest.header.etag), (offset as i64, &etag));
            assert_eq!(rest.header.size_bytes, size as i64);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_offset_outside_of_the_file_and_a_resumption_without_an_etag_are_refused_by_field() {
    for kind in KINDS {
        let mut stored = Stored::start(kind, "").await;
        let id = stored.available().await.id;
        let header = stored.download(&id).await.unwrap().header;
        for offset in [-1, i64::MIN, header.size_bytes + 1, i64::MAX] {
            let refused = stored.download_from(&id, offset, &header.etag).await.err().unwrap();
            assert_eq!((refused.code(), &*field(&refused)), (Code::InvalidArgument, "offset"), "{offset}");
        }
        let refused = stored.download_from(&id, 1, "").await.err().unwrap();
        assert_eq!((refused.code(), &*field(&refused)), (Code::InvalidArgument, "etag"));
        let refused = stored.download_from(&id, 1, "\"another\"").await.err().unwrap();
        assert_eq!((refused.code(), reason_of(&refused).as_str()), (Code::Aborted, "BACKUP_CHANGED"));
    }
}
