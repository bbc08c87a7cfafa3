//! Refused plans, applications and rollbacks, each with its reason.

use strongroom_api::backup::v1 as proto;
use strongroom_api::backup::v1::{RestoreMode, RestoreState};
use strongroom_runtime::status::reason_of;
use strongroom_testkit::write_private;
use tonic::Code;

use super::{ours, users, with_backup};
use crate::support::FakeVault;
use crate::support::database::{self, run};
use crate::support::restore::{Restoring, of_backup, reasons};
use crate::support::stored::{Stored, destination};
use crate::support::vault::GATEWAY_KID;
use crate::support::vault::keys::good_value;

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_says_what_stands_against_it() {
    let (stored, backup) = with_backup().await;
    let folder = stored.service.folder.path().to_owned();
    let mut client = Restoring::of(&stored.service);
    let full = client.plan(of_backup(&backup, RestoreMode::IntoEmpty)).await.unwrap();
    assert_eq!(full.state(), RestoreState::Refused);
    assert!(reasons(&full).contains(&"TABLE_NOT_EMPTY".to_owned()), "{full:?}");
    let merge = client.plan(of_backup(&backup, RestoreMode::Merge)).await.unwrap();
    assert_eq!(reasons(&merge), ["NO_KEY"], "the table without rows has no key: {merge:?}");
    run(&folder, "ALTER TABLE users ADD COLUMN needed TEXT NOT NULL DEFAULT ''; DROP TABLE logs;").await;
    let changed = client.plan(of_backup(&backup, RestoreMode::Replace)).await.unwrap();
    assert_eq!(reasons(&changed), ["TABLE_MISSING"], "{changed:?}");
    let applied = client.apply(&changed).await.unwrap_err();
    assert_eq!((applied.code(), reason_of(&applied).as_str()), (Code::FailedPrecondition, "RESTORE_STATE"));
}

/// The two sources would share one restore's markers.
#[tokio::test(flavor = "multi_thread")]
async fn two_sources_in_one_place_are_not_restored_together() {
    let folder = database::folder().await;
    let path = folder.path();
    std::fs::create_dir_all(path.join("files/inner")).unwrap();
    std::fs::write(path.join("files/inner/a"), "a").unwrap();
    std::os::unix::fs::symlink(path.join("gateway.db"), path.join("link.db")).unwrap();
    let url = path.join("twin.url");
    write_private(&url, format!("sqlite:{}", path.join("link.db").display()));
    let sources = format!(
        "{}\n[[sources]]\nname = 'twin'\nkind = 'sqlite'\nurl = 'sqlite:{path}/link.db'\nrestore_url_file = '{}'\ntable_prefix = 'twin_'\n\
         [[sources]]\nname = 'all'\nkind = 'files'\npath = '{path}/files'\n\
         [[sources]]\nname = 'some'\nkind = 'files'\npath = '{path}/files/inner'\n",
        destination("offsite", path, None),
        url.display(),
        path = path.display()
    );
    let mut stored = Stored::with(folder, None, "", &sources).await;
    let backup = stored.available().await.id;
    let mut client = Restoring::of(&stored.service);
    let plan = client.plan(of_backup(&backup, RestoreMode::Replace)).await.unwrap();
    let refusals = &plan.plan.as_ref().unwrap().refusals;
    let shared: Vec<&str> = refusals.iter().map(|refusal| refusal.source.as_str()).collect();
    assert_eq!(
        (reasons(&plan), shared),
        (vec!["SHARED_PLACE".to_owned(); 2], vec!["twin", "some"]),
        "{plan:?}"
    );
    assert!(refusals[0].message.contains("twin and gateway"), "{}", refusals[0].message);
    let one = proto::PlanRestoreRequest {
        sources: vec!["twin".into(), "some".into()],
        ..of_backup(&backup, RestoreMode::Replace)
    };
    assert_eq!(client.plan(one).await.unwrap().state(), RestoreState::Planned);
}

/// The restored database must be the one in the safety backup.
#[tokio::test(flavor = "multi_thread")]
async fn a_restore_url_of_another_database_is_refused() {
    let folder = database::folder().await;
    let path = folder.path();
    std::fs::copy(path.join("gateway.db"), path.join("other.db")).unwrap();
    let url = path.join("other.url");
    write_private(&url, format!("sqlite:{}", path.join("gateway.db").display()));
    let sources = format!(
        "{}\n[[sources]]\nname = 'other'\nkind = 'sqlite'\nurl = 'sqlite:{}'\nrestore_url_file = '{}'\n\
         table_prefix = 'other_'\n",
        destination("offsite", path, None),
        path.join("other.db").display(),
        url.display(),
    );
    let mut stored = Stored::with(folder, None, "", &sources).await;
    let backup = stored.available().await.id;
    let mut client = Restoring::of(&stored.service);
    for mode in [RestoreMode::Replace, RestoreMode::Merge, RestoreMode::IntoEmpty] {
        let request = proto::PlanRestoreRequest { sources: vec!["other".into()], ..of_backup(&backup, mode) };
        let plan = client.plan(request).await.unwrap();
        assert_eq!(reasons(&plan)[0], "OTHER_DATABASE", "{plan:?}");
        assert!(plan.plan.unwrap().refusals[0].message.contains("restore_url_file of source other"));
    }
}

/// The tables to be restored hold no values sealed with the vault's own keys.
#[tokio::test(flavor = "multi_thread")]
async fn only_sealed_values_of_the_planned_tables_count() {
    let folder = database::folder().await;
    let good = good_value(GATEWAY_KID, "a/1");
    run(
        folder.path(),
        &format!(
            "CREATE TABLE secrets (id INTEGER PRIMARY KEY, owner TEXT, value TEXT);
             INSERT INTO secrets VALUES (1, 'a', '{good}'), (2, 'b', '{good}')"
        ),
    )
    .await;
    let sources = format!(
        "[[sources.encrypted_columns]]\ncolumn = 'secrets.value'\nkey = 'gateway'\naad = '{{owner}}/{{id}}'\n{}",
        destination("offsite", folder.path(), None)
    );
    let mut stored = Stored::with(folder, None, "", &sources).await;
    let backup = stored.available().await.id;
    let mut client = Restoring::of(&stored.service);
    let of = |tables: &[&str], accept_undecryptable| proto::PlanRestoreRequest {
        tables: tables.iter().map(|table| (*table).to_owned()).collect(),
        accept_undecryptable,
        ..of_backup(&backup, RestoreMode::Replace)
    };
    for (tables, accepts, reason, counts) in [
        (&[][..], false, Some("VALUES_UNDECRYPTABLE"), (2, 1)),
        (&["secrets"][..], false, Some("VALUES_UNDECRYPTABLE"), (2, 1)),
        (&["secrets"][..], true, None, (2, 1)),
        (&["users"][..], false, None, (0, 0)),
    ] {
        let restore = client.plan(of(tables, accepts)).await.unwrap();
        assert_eq!(reasons(&restore).first().map(String::as_str), reason, "{tables:?}: {restore:?}");
        let plan = restore.plan.unwrap();
        assert_eq!((plan.values, plan.values_undecryptable), counts, "{tables:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_confirmed_is_what_was_planned() {
    let (stored, backup) = with_backup().await;
    let mut client = Restoring::of(&stored.service);
    let plan = client.planned(of_backup(&backup, RestoreMode::Replace)).await;
    for confirm in ["", "Gateway", "other"] {
        let request =
            proto::ApplyRestoreRequest { id: plan.id.clone(), confirm: confirm.into(), ..Default::default() };
        let refused = client.apply_with(request).await.unwrap_err();
        assert_eq!(refused.code(), Code::InvalidArgument, "{confirm:?}");
        assert!(refused.message().contains("gateway"), "{}", refused.message());
    }
    assert_eq!(client.apply(&plan).await.unwrap().state(), RestoreState::Applied);
    let again = client.apply(&plan).await.unwrap_err();
    assert_eq!(reason_of(&again), "RESTORE_STATE");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_for_another_schema_is_stale_and_leaves_nothing() {
    for change in [
        "ALTER TABLE users ADD COLUMN more TEXT",
        "CREATE TRIGGER t AFTER INSERT ON users BEGIN SELECT 1; END",
        "CREATE UNIQUE INDEX u ON users (name)",
    ] {
        let (stored, backup) = with_backup().await;
        let folder = stored.service.folder.path().to_owned();
        let mut client = Restoring::of(&stored.service);
        let plan = client.planned(of_backup(&backup, RestoreMode::Replace)).await;
        run(&folder, change).await;
        let before = users(&folder).await;
        let failed = client.apply(&plan).await.unwrap();
        assert_eq!(
            (failed.state(), failed.reason.as_str()),
            (RestoreState::Failed, "PLAN_STALE"),
            "{failed:?}"
        );
        assert!(failed.problem.contains("plan it again"), "{}", failed.problem);
        assert_eq!(users(&folder).await, before);
        assert!(ours(&folder).await.is_empty(), "{:?}", ours(&folder).await);
        let fresh = client.planned(of_backup(&backup, RestoreMode::Replace)).await;
        assert_eq!(client.apply(&fresh).await.unwrap().state(), RestoreState::Applied, "a new one works");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn another_vault_knows_neither_the_signer_nor_the_deployment() {
    let (stored, backup) = with_backup().await;
    let stored = stored.beside(FakeVault::start().await).await;
    let mut client = Restoring::of(&stored.service);
    // The fake vault cannot open another vault's seal.
    let plan = client.plan(of_backup(&backup, RestoreMode::Replace)).await.unwrap();
    assert_eq!(plan.state(), RestoreState::Refused);
    assert_eq!(reasons(&plan), ["SEAL_CLOSED"], "{plan:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restore_without_its_safety_backup_does_not_happen() {
    let (stored, backup) = with_backup().await;
    let folder = stored.service.folder.path().to_owned();
    let mut client = Restoring::of(&stored.service);
    run(&folder, "UPDATE users SET name = 'Eve'").await;
    let plan = client.planned(of_backup(&backup, RestoreMode::Replace)).await;
    // Backups can no longer be written, but can be read.
    let offsite = folder.join("offsite");
    let sub = std::fs::read_dir(&offsite).unwrap().next().unwrap().unwrap().path();
    let _ = sub;
    stored.vault().refuse("backup.create_started", Code::Internal);
    let failed = client.apply(&plan).await.unwrap();
    assert_eq!(failed.state(), RestoreState::Failed, "{failed:?}");
    assert_eq!(failed.reason, "SAFETY_BACKUP_FAILED");
    assert!(users(&folder).await.contains("Eve"));
    assert!(ours(&folder).await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_not_restore_is_refused() {
    let (stored, backup) = with_backup().await;
    let mut planner = Restoring::with(&stored.service, &["restore.plan", "restore.get"]);
    let plan = planner.planned(of_backup(&backup, RestoreMode::Replace)).await;
    assert_eq!(planner.apply(&plan).await.unwrap_err().code(), Code::PermissionDenied);
    assert_eq!(planner.roll_back(&plan.id, false).await.unwrap_err().code(), Code::PermissionDenied);
    let mut reader = Restoring::with(&stored.service, &["restore.get"]);
    let refused = reader.plan(of_backup(&backup, RestoreMode::Replace)).await.unwrap_err();
    assert_eq!(refused.code(), Code::PermissionDenied);
}
