//! Input that a scan can find in a destination with other writers.

use serde_json::{Value, json};

use crate::support::stored::{KINDS, Stored};

#[tokio::test(flavor = "multi_thread")]
async fn an_object_without_its_sidecar_and_a_sidecar_without_its_object_are_not_listed() {
    for kind in KINDS {
        let mut stored = Stored::start(kind, "").await;
        let (bare, lost) = (stored.available().await, stored.available().await);
        std::fs::remove_file(stored.sidecar(&bare)).unwrap();
        std::fs::remove_file(stored.objects().join(&lost.copies[0].key)).unwrap();
        let mut stored = stored.forgetful().await;
        let scan = stored.scan().await;
        assert_eq!((scan.found, scan.added, scan.refused_total), (0, 0, 1), "{scan:?}");
        assert!(scan.refused[0].contains("its object does not exist"), "{scan:?}");
        assert_eq!(stored.list().await, []);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn junk_and_thousands_of_foreign_objects_are_refused_and_counted() {
    for kind in KINDS {
        let mut stored = Stored::start(kind, "").await;
        let backup = stored.available().await;
        let good = std::fs::read_to_string(stored.sidecar(&backup)).unwrap();
        let folder = stored.objects();
        std::fs::create_dir(folder.join("below.json")).unwrap();
        std::fs::write(folder.join("huge.json"), vec![b' '; 2 << 20]).unwrap();
        std::fs::write(folder.join("deep.json"), "[".repeat(1 << 19)).unwrap();
        std::fs::write(folder.join("other-name.json"), good).unwrap();
        std::fs::write(folder.join("empty.json"), "").unwrap();
        std::fs::write(folder.join("readme.txt"), "x").unwrap();
        for number in 0..5000 {
            std::fs::write(folder.join(format!("foreign-{number}.json")), "{\"a\":1}").unwrap();
        }
        let scan = stored.scan().await;
        assert_eq!((scan.found, scan.unverified, scan.missing), (1, 0, 0), "{:?}", scan.problem);
        assert_eq!((scan.refused.len(), scan.problem.as_str()), (100, ""));
        assert_eq!(scan.refused_total, 5004);
        assert_eq!(stored.list().await.len(), 1);
        let mut stored = stored.forgetful().await;
        assert_eq!(stored.scan().await.added, 1);
        let ids: Vec<String> = stored.list().await.into_iter().map(|backup| backup.id).collect();
        assert_eq!(ids, [backup.id]);
    }
}

/// A forged record for the id with this number, with this many table names.
fn forged(good: &str, number: usize, tables: usize) -> (String, String) {
    let mut forged: Value = serde_json::from_str(good).unwrap();
    let id = format!("01900000-0000-7000-8000-{number:012}");
    let key = format!("app-{id}.zip.age");
    forged["signature"]["kid"] = json!("00000000000000ee");
    forged["record"]["archive_id"] = json!(id);
    forged["record"]["key"] = json!(key);
    forged["record"]["selection"]["tables"] = json!(vec!["x".repeat(100); tables]);
    (format!("{key}.json"), forged.to_string())
}

#[tokio::test(flavor = "multi_thread")]
async fn large_records_that_nobody_signed_do_not_break_the_list() {
    for kind in KINDS {
        let mut stored = Stored::start(kind, "").await;
        let backup = stored.available().await;
        let good = std::fs::read_to_string(stored.sidecar(&backup)).unwrap();
        for number in 0..20 {
            let (name, text) = forged(&good, number, 9_000);
            std::fs::write(stored.objects().join(name), text).unwrap();
        }
        let scan = stored.scan().await;
        assert_eq!((scan.found, scan.unverified, scan.added), (1, 20, 20), "{scan:?}");
        let listed = stored.list().await;
        assert_eq!(listed.len(), 21);
    }
}
