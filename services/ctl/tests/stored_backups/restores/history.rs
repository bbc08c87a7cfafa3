//! Past restores, for an operator who did not begin them.

use strongroom_api::backup::v1::{Restore, RestoreProgress, RestoreState};

use super::fake::{Fake, ID, State};
use super::samples::{applied, restore, step};
use crate::operator::run;

#[tokio::test]
async fn a_list_has_all_pages() {
    let older = Restore { id: ID.replace("00a", "00b"), plan: None, ..applied() };
    let state = State { restores: vec![restore(RestoreState::Planned), older], ..State::default() };
    let (fake, url) = Fake::serve(state).await;
    let folder = tempfile::tempdir().unwrap();
    let listed = run(&url, folder.path(), &["restore", "list"]).await;
    assert_eq!(listed.code, 0, "{}", listed.said);
    let expected = "\
ID                                    PLANNED               STATE    MODE     SOURCES  UNTIL                          ARCHIVE
0198e0a1-0000-7000-8000-00000000000a  2030-01-01T00:00:00Z  planned  replace  gateway  apply 2030-01-02T00:00:00Z     app-backup-2026-05-06-101422.zip.age
0198e0a1-0000-7000-8000-00000000000b  2030-01-01T00:00:00Z  applied  replace  gateway  rollback 2030-01-02T01:00:00Z  app-backup-2026-05-06-101422.zip.age
";
    assert_eq!(listed.out, expected);
    let json = run(&url, folder.path(), &["restore", "list", "-o", "json"]).await;
    let array: Vec<serde_json::Value> = serde_json::from_str(&json.out).unwrap();
    assert_eq!((array.len(), &array[1]["state"]), (2, &"RESTORE_STATE_APPLIED".into()));
    assert_eq!(fake.state().asked, ["list 0", "list 1", "list 0", "list 1"]);
}

#[tokio::test]
async fn a_restore_under_way_says_what_each_database_holds() {
    let progress = RestoreProgress { phase: "swap".into(), table: "users".into(), ..Default::default() };
    let applying = Restore {
        sources: vec!["gateway".into(), "billing".into(), "audit".into()],
        steps: vec![
            step("gateway", "swapping", 10),
            step("gateway", "swapped", 11),
            step("billing", "swapping", 12),
        ],
        progress: Some(progress),
        ..restore(RestoreState::Applying)
    };
    let (_fake, url) = Fake::serve(State { restores: vec![applying], ..State::default() }).await;
    let folder = tempfile::tempdir().unwrap();
    let shown = run(&url, folder.path(), &["restore", "get", ID]).await;
    assert_eq!(shown.code, 0, "{}", shown.said);
    for line in [
        "state: applying\n",
        "doing: applying the difference users\n",
        "2030-01-01T00:00:11Z  gateway  the difference was applied\n",
        "now: gateway: already the archive's\n",
        "now: billing: either entirely as it was before the restore or entirely the archive's, each file for \
         itself; the outcome is being determined\n",
        "now: audit: still as it was before the restore\n",
        "next: wait;",
    ] {
        assert!(shown.out.contains(line), "{line} is not in {}", shown.out);
    }
}

#[tokio::test]
async fn an_unknown_restore_is_the_service_s_refusal() {
    let (_fake, url) = Fake::serve(State::default()).await;
    let folder = tempfile::tempdir().unwrap();
    let unknown = run(&url, folder.path(), &["restore", "get", ID]).await;
    assert_eq!(unknown.code, 1);
    assert!(unknown.said.trim_end().ends_with("[RESTORE_NOT_FOUND]"), "{}", unknown.said);
}
