//! The output for several backups, a verification, a scan and an estimate.

use strongroom_api::backup::v1::scan_backups_response::DestinationScan;
use strongroom_api::backup::v1::verify_backup_response::Verdict;
use strongroom_api::backup::v1::{
    Backup, BackupState, EstimateBackupResponse, LevelVerdict, ScanBackupsResponse, VerifyLevel,
    VerifyOutcome,
};

use crate::fake::{Fake, ID, State, backup};
use crate::operator::run;

#[tokio::test]
async fn a_list_has_all_pages() {
    let older = Backup { id: ID.replace("00a", "00b"), hold: true, ..backup(BackupState::Available) };
    let backups = vec![backup(BackupState::Available), older];
    let (fake, url) = Fake::serve(State { backups, ..State::default() }).await;
    let folder = tempfile::tempdir().unwrap();
    let listed = run(&url, folder.path(), &["backup", "list", "-o", "json"]).await;
    let array: Vec<serde_json::Value> = serde_json::from_str(&listed.out).unwrap();
    assert_eq!(array.len(), 2);
    let listed = run(&url, folder.path(), &["backup", "list", "--deleted"]).await;
    assert!(listed.out.starts_with("ID ") && listed.out.contains("hold  app-backup"), "{}", listed.out);
    let asked = fake.state().asked.clone();
    assert_eq!(asked[0], "list [] ");
    assert_eq!(asked[2], "list [1, 2, 3, 4, 5, 6] ");
}

#[tokio::test]
async fn a_refusal_is_the_service_s_sentence_with_its_reason() {
    let (_fake, url) = Fake::serve(State::default()).await;
    let folder = tempfile::tempdir().unwrap();
    let unknown = run(&url, folder.path(), &["backup", "get", ID]).await;
    assert_eq!(unknown.code, 1);
    assert!(unknown.said.trim_end().ends_with("[BACKUP_NOT_FOUND]"), "{}", unknown.said);
}

#[tokio::test]
async fn a_stored_backup_is_verified_with_the_exit_codes_of_a_file() {
    let (fake, url) = Fake::serve(State::default()).await;
    let folder = tempfile::tempdir().unwrap();
    for (outcome, code) in
        [(VerifyOutcome::Passed, 0), (VerifyOutcome::Failed, 1), (VerifyOutcome::UnknownSigner, 3)]
    {
        let signature = LevelVerdict {
            level: VerifyLevel::Signature.into(),
            outcome: outcome.into(),
            problem: String::new(),
        };
        fake.state().verdict =
            Verdict { ok: outcome == VerifyOutcome::Passed, levels: vec![signature], ..Verdict::default() };
        let verified = run(&url, folder.path(), &["backup", "verify", ID, "--destination", "offsite"]).await;
        assert_eq!(verified.code, code, "{}", verified.said);
        assert!(verified.out.contains("signature"), "{}", verified.out);
    }
    assert_eq!(fake.state().asked[0], format!("verify {ID} offsite"));
    std::fs::write(folder.path().join("a.zip"), "x").unwrap();
    let usage = run(&url, folder.path(), &["backup", "verify", "a.zip", "--destination", "offsite"]).await;
    assert_eq!(usage.code, 2, "{}", usage.said);
    let neither = run(&url, folder.path(), &["backup", "verify", "b.zip"]).await;
    assert!(neither.code == 1 && neither.said.contains("neither a file nor the id"), "{}", neither.said);
}

#[tokio::test]
async fn a_scan_prints_everything_and_fails_where_something_may_be_missing() {
    let scan = |problem: &str| DestinationScan {
        destination: "offsite".into(),
        found: 3,
        unverified: 1,
        missing: 1,
        problem: problem.into(),
        ..DestinationScan::default()
    };
    let (fake, url) = Fake::serve(State::default()).await;
    let folder = tempfile::tempdir().unwrap();
    fake.state().scan = ScanBackupsResponse { destinations: vec![scan("")] };
    let found = run(&url, folder.path(), &["backup", "scan", "--destination", "offsite"]).await;
    assert!(found.code == 0 && found.out.contains("offsite"), "{}", found.said);
    assert_eq!(fake.state().asked[0], "scan [\"offsite\"]");
    let (one, other) = (scan("one does not answer"), scan("another is gone"));
    fake.state().scan = ScanBackupsResponse { destinations: vec![one, other] };
    let unread = run(&url, folder.path(), &["backup", "scan", "-o", "json"]).await;
    assert_eq!(unread.code, 1);
    let array: Vec<serde_json::Value> = serde_json::from_str(&unread.out).unwrap();
    assert_eq!(array[0]["found"], "3");
    let said = "the scan is incomplete: one does not answer, and another is gone";
    assert!(unread.said.contains(said), "{}", unread.said);
}

#[tokio::test]
async fn an_estimate_is_printed() {
    let estimate = EstimateBackupResponse { bytes: 4096, ..EstimateBackupResponse::default() };
    let (_fake, url) = Fake::serve(State { estimate, ..State::default() }).await;
    let folder = tempfile::tempdir().unwrap();
    let text = run(&url, folder.path(), &["backup", "estimate"]).await;
    assert!(text.out.contains("at most: 4.00 KiB"), "{}", text.out);
    let json = run(&url, folder.path(), &["backup", "estimate", "-o", "json"]).await;
    assert!(json.out.contains("\"bytes\": \"4096\""), "{}", json.out);
}
