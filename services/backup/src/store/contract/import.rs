//! `ImportStore`.

use super::{operation, serve, stores};
use crate::store::{Begun, OperationRow, RestoreRow, RestoreState, TargetRow};

fn importing(id: &str, owner: &str) -> OperationRow {
    OperationRow { kind: "tables_import".into(), ..operation(id, owner) }
}

fn taken(id: &str) -> Begun {
    Begun::Busy(TargetRow { source: "main".into(), restore_id: id.into() })
}

#[tokio::test]
async fn an_import_reserves_its_source_until_it_has_ended() {
    for (_database, store) in stores().await {
        serve(store.as_ref(), &["p"]).await;
        let (first, second) = (importing("one", "p"), importing("two", "p"));
        assert_eq!(store.begin_import("main", &first).await.unwrap(), Begun::Done);
        assert_eq!(store.import_source("one").await.unwrap().as_deref(), Some("main"));
        assert_eq!(store.begin_import("main", &second).await.unwrap(), taken("one"));
        assert_eq!(store.import_source("two").await.unwrap(), None);
        assert_eq!(
            store.operations("p").await.unwrap(),
            std::slice::from_ref(&first),
            "all of it or nothing"
        );
        assert_eq!(store.begin_import("other", &second).await.unwrap(), Begun::Done);
        assert!(store.end_import(&first).await.unwrap());
        assert!(!store.end_import(&first).await.unwrap());
        assert_eq!(store.import_source("one").await.unwrap(), None);
        assert_eq!(store.begin_import("main", &importing("three", "p")).await.unwrap(), Begun::Done);
        assert_eq!(store.begin_import("x", &importing("four", "nobody")).await.unwrap(), Begun::Fenced);
    }
}

#[tokio::test]
async fn an_import_and_a_restore_keep_each_other_away() {
    for (_database, store) in stores().await {
        serve(store.as_ref(), &["p"]).await;
        let planned = RestoreRow {
            id: "restore".into(),
            state: RestoreState::Planned,
            creator: "token:a".into(),
            create_time: 1,
            expire_time: 11,
            rollback_time: None,
            end_time: None,
            reason: String::new(),
            problem: String::new(),
            request: "{}".into(),
            plan: "{}".into(),
            journal: String::new(),
            progress: String::new(),
            safety_backup: String::new(),
            revision: 1,
        };
        store.add_restore(&planned).await.unwrap();
        let applying = RestoreRow { state: RestoreState::Applying, revision: 2, ..planned };
        let restoring = OperationRow { kind: "restore".into(), ..operation("restore", "p") };
        let import = importing("one", "p");
        store.begin_import("main", &import).await.unwrap();
        let begun = store.begin_restore(&applying, 1, &["main".into()], &restoring).await.unwrap();
        assert_eq!(begun, taken("one"));
        store.end_import(&import).await.unwrap();
        let begun = store.begin_restore(&applying, 1, &["main".into()], &restoring).await.unwrap();
        assert_eq!(begun, Begun::Done);
        assert_eq!(store.begin_import("main", &import).await.unwrap(), taken("restore"));
    }
}

#[tokio::test]
async fn an_import_that_was_taken_over_is_ended_by_its_heir_only() {
    for (_database, store) in stores().await {
        serve(store.as_ref(), &["dead", "heir"]).await;
        let import = importing("one", "dead");
        store.begin_import("main", &import).await.unwrap();
        store.take_over("dead", 0, "heir").await.unwrap();
        assert!(!store.end_import(&import).await.unwrap());
        assert_eq!(store.import_source("one").await.unwrap().as_deref(), Some("main"));
        assert!(store.end_import(&OperationRow { fence: 2, ..import }).await.unwrap());
    }
}
