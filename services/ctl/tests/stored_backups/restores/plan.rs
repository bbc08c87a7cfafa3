//! The printed form of a plan, and its exit code.

use strongroom_api::backup::v1::plan_restore_request::Archive;
use strongroom_api::backup::v1::plan_restore_response::Message;
use strongroom_api::backup::v1::*;
use tonic::{Code, Status};

use super::fake::{Fake, ID, State};
use super::samples::restore;
use crate::fake::{ID as BACKUP, refusal};
use crate::operator::{ended, interrupt, run, strongroom, until};

const PLAN: [&str; 5] = ["restore", "plan", BACKUP, "--mode", "replace"];

const RICH: &str = r#"archive: app-backup-2026-05-06-101422.zip.age
made: 2029-12-31T23:00:00Z
archive id: 0197e0a1-0000-7000-8000-00000000000b
mode: replace (the tables hold exactly the archive's rows afterwards)

source gateway (PostgreSQL 15.18)
TABLE      ROWS   CREATED  CHANGED  REMOVED  KEPT   CONFLICTS  NOTE
endpoints  1,010  10       1        3        999    0          -
users      7      0        0        0        7      0          -
in all     1,017  10       1        3        1,006  0          -
endpoints: created ["1"], ["2"], ["3"] and 7 more; changed ["80"]; removed ["90"] and 2 more
writers wait: about 1.8 s
readers wait: no
space needed: 12.00 MiB in addition to the live rows
warning: the materialized view stats is stale afterwards

sealed values: 1,204

plan: 0198e0a1-0000-7000-8000-00000000000a
can be applied until: 2030-01-02T00:00:00Z
apply it with: strongroom restore apply 0198e0a1-0000-7000-8000-00000000000a --confirm gateway
"#;

fn one(restore: Restore) -> State {
    State { restores: vec![restore], ..State::default() }
}

#[tokio::test]
async fn the_plan_prints_everything_an_operator_needs() {
    let (fake, url) = Fake::serve(one(restore(RestoreState::Planned))).await;
    let folder = tempfile::tempdir().unwrap();
    let planned = run(&url, folder.path(), &PLAN).await;
    assert_eq!((planned.code, planned.out.as_str(), planned.said.as_str()), (0, RICH, ""));
    let request = fake.state().planned.clone().unwrap();
    let expected = PlanRestoreRequest {
        archive: Some(Archive::BackupId(BACKUP.into())),
        mode: RestoreMode::Replace.into(),
        ..PlanRestoreRequest::default()
    };
    assert_eq!(request, expected);
    // Anybody can show the same plan later.
    assert_eq!(run(&url, folder.path(), &["restore", "get", ID]).await.out, RICH);
}

#[tokio::test]
async fn every_option_reaches_the_request() {
    let (fake, url) = Fake::serve(one(restore(RestoreState::Planned))).await;
    let folder = tempfile::tempdir().unwrap();
    let signer = format!("0123456789abcdef {}\n", "ab".repeat(32));
    std::fs::write(folder.path().join("signer.pub"), format!("# ours\n{signer}")).unwrap();
    let line = "restore plan BACKUP --sources a,b --tables c,d --rows e=7,8 --create-tables --accept-cascade --accept-pause \
                --accept-undecryptable --from-deployment D --revive c1 --revive c2 --signer signer.pub";
    let line = line.replace("BACKUP", BACKUP);
    let planned = run(&url, folder.path(), &line.split_whitespace().collect::<Vec<_>>()).await;
    assert_eq!(planned.code, 0, "{}", planned.said);
    let expected = PlanRestoreRequest {
        archive: Some(Archive::BackupId(BACKUP.into())),
        mode: RestoreMode::IntoEmpty.into(),
        sources: vec!["a".into(), "b".into()],
        tables: vec!["c".into(), "d".into()],
        create_tables: true,
        accept_cascade: true,
        accept_pause: true,
        accept_undecryptable: true,
        from_deployment: "D".into(),
        signer,
        rows: vec![ChosenRows { table: "e".into(), keys: vec!["[\"7\"]".into(), "[\"8\"]".into()] }],
        revive_ids: vec!["c1".into(), "c2".into()],
        as_copy: false,
    };
    assert_eq!(fake.state().planned, Some(expected));

    let refused = run(&url, folder.path(), &[&PLAN[..], &["--create-tables"]].concat()).await;
    assert!(refused.code == 2 && refused.said.contains("into-empty"), "{}", refused.said);
    let refused = run(&url, folder.path(), &[&PLAN[..], &["--rows", "e=7"]].concat()).await;
    assert!(refused.code == 2 && refused.said.contains("--mode merge"), "{}", refused.said);
    let neither = run(&url, folder.path(), &["restore", "plan", "gone.zip"]).await;
    assert!(neither.code == 1 && neither.said.contains("neither a file nor the id"), "{}", neither.said);
}

/// Refused for each of the reasons, with everything that a plan can contain.
fn refused(reasons: &[&str]) -> Restore {
    let mut refused = restore(RestoreState::Refused);
    let plan = refused.plan.as_mut().unwrap();
    let refusal = |reason: &&str| RestoreRefusal {
        reason: (*reason).into(),
        message: "it cannot be.".into(),
        source: "gateway".into(),
        table: "users".into(),
    };
    plan.refusals = reasons.iter().map(refusal).collect();
    plan.levels[1].outcome = VerifyOutcome::UnknownSigner.into();
    plan.levels[1].problem = "0123456789abcdef has signed it".into();
    plan.values_undecryptable = 2;
    plan.sealed_texts = vec![SealedTexts { table: "users".into(), column: "note".into(), count: 3 }];
    let source = &mut plan.sources[0];
    (source.readers_wait, source.readers_wait_remedy) = (true, "GRANT SET ON PARAMETER x TO owner".into());
    source.tables[1].creates_table = true;
    refused
}

#[tokio::test]
async fn refusals_are_printed_last() {
    let (_fake, url) = Fake::serve(one(refused(&["RULE", "UNKNOWN_SIGNER"]))).await;
    let folder = tempfile::tempdir().unwrap();
    let planned = run(&url, folder.path(), &PLAN).await;
    assert_eq!(planned.code, 1);
    let said = "the restore is refused: gateway: it cannot be [RULE]; and 1 more";
    assert!(planned.said.contains(said), "{}", planned.said);
    let lines = [
        "users      7      0        0        0        7      0          the table is created\n",
        "readers wait: as long as writers\navoid that with: GRANT SET ON PARAMETER x TO owner\n",
        "LEVEL      OUTCOME         PROBLEM\nsignature  unknown signer  0123456789abcdef has signed it\n\n",
        "sealed values: 1,204, of which 2 cannot be opened\n",
        "texts that look sealed: 3 in users.note, a column that is not declared as encrypted\n\n",
        "refused: gateway: it cannot be [RULE]\nrefused: gateway: it cannot be [UNKNOWN_SIGNER]\n\n",
        "plan: 0198e0a1-0000-7000-8000-00000000000a\nstate: refused\n",
    ];
    let mut rest = planned.out.as_str();
    for line in lines {
        let (_, after) = rest.split_once(line).unwrap_or_else(|| panic!("{line} is not in {}", planned.out));
        rest = after;
    }
    assert!(rest.is_empty() && !planned.out.contains("restore apply"), "{}", planned.out);
}

#[tokio::test]
async fn exit_code_3_only_if_an_unknown_signer_is_the_only_refusal() {
    let folder = tempfile::tempdir().unwrap();
    for (reasons, code) in [(&["UNKNOWN_SIGNER"][..], 3), (&["UNKNOWN_SIGNER", "RULE"], 1), (&["RULE"], 1)] {
        let (_fake, url) = Fake::serve(one(refused(reasons))).await;
        let planned = run(&url, folder.path(), &[&PLAN[..], &["-o", "json"]].concat()).await;
        assert_eq!(planned.code, code, "{}", planned.said);
        let json: serde_json::Value = serde_json::from_str(&planned.out).unwrap();
        assert_eq!(json["state"], "RESTORE_STATE_REFUSED");
        assert_eq!(json["plan"]["sources"][0]["tables"][0]["examples"].as_array().unwrap().len(), 7);
    }
}

#[tokio::test]
async fn a_plan_whose_connection_breaks_is_made_anew_and_a_refusal_is_not() {
    let progress = || Ok(Message::Progress(RestoreProgress { phase: "verify".into(), ..Default::default() }));
    let broken = vec![progress(), Err(Status::unavailable("the service stops"))];
    let again = vec![progress(), Ok(Message::Restore(restore(RestoreState::Planned)))];
    let denied = vec![Err(refusal(Code::ResourceExhausted, "TOO_MANY_CALLS", "one at a time"))];
    let (fake, url) = Fake::serve(State { plans: [broken, again, denied].into(), ..State::default() }).await;
    let folder = tempfile::tempdir().unwrap();
    let planned = run(&url, folder.path(), &PLAN).await;
    assert_eq!((planned.code, planned.out.as_str()), (0, RICH));
    let refused = run(&url, folder.path(), &PLAN).await;
    assert!(refused.code == 1 && refused.said.contains("[TOO_MANY_CALLS]"), "{}", refused.said);
    assert_eq!(fake.state().asked, ["plan", "plan", "plan"]);
    let away = run("http://127.0.0.1:1", folder.path(), &PLAN).await;
    assert_eq!(away.code, 4, "{}", away.said);
}

#[tokio::test]
async fn ctrl_c_says_that_nothing_was_changed() {
    let (fake, url) = Fake::serve(one(restore(RestoreState::Planned))).await;
    fake.state().hangs = true;
    let folder = tempfile::tempdir().unwrap();
    let child = strongroom(&url, folder.path(), &PLAN).spawn().unwrap();
    until(|| fake.state().asked.len() == 1).await;
    interrupt(&child).await;
    let interrupted = ended(child).await;
    assert_eq!(interrupted.code, 1);
    assert!(interrupted.said.contains("nothing was changed"), "{}", interrupted.said);
}
