//! Writing the log and watching it.

use std::time::{Duration, Instant};

use strongroom_api::vault::v1::{GetCredentialRequest, RevokeTokenRequest, WatchAuditEventsRequest};
use strongroom_runtime::status::reason_of;
use strongroom_testkit::requests::{credential, reveal, token};
use tonic::Code;

use super::{head, verify};
use crate::support::TestVault;

#[tokio::test]
async fn without_the_log_nothing_is_revealed_or_changed_and_it_recovers() {
    for vault in TestVault::each().await {
        let mut clients = vault.admin().await;
        let id = clients.create(credential("OpenAI")).await.id;
        vault.run("ALTER TABLE audit_logs RENAME TO elsewhere");
        let revealed = clients.reveal(&id).await.unwrap_err();
        assert_eq!(
            (revealed.code(), reason_of(&revealed).as_str()),
            (Code::Unavailable, "AUDIT_UNAVAILABLE")
        );
        assert!(revealed.message().contains("nothing was revealed"), "{}", revealed.message());
        let created = clients.credentials.create_credential(credential("Other")).await.unwrap_err();
        assert_eq!((created.code(), reason_of(&created).as_str()), (Code::Unavailable, "AUDIT_UNAVAILABLE"));
        assert!(created.message().contains("nothing was changed"), "{}", created.message());
        vault.run("ALTER TABLE elsewhere RENAME TO audit_logs");

        let unused = GetCredentialRequest { id: id.clone() };
        let found = clients.credentials.get_credential(unused).await.unwrap().into_inner();
        assert!(found.credential.unwrap().last_used_time.is_none(), "no use without its event");
        clients.reveal(&id).await.unwrap();
        clients.create(credential("Other")).await;
        assert!(verify(&mut clients, None).await.ok, "what was refused left no trace");
    }
}

#[tokio::test]
async fn sixty_four_at_once_each_leave_their_event() {
    const CALLERS: usize = 64;
    const CALLS: usize = 20;
    for vault in TestVault::each().await {
        let mut clients = vault.admin().await;
        let id = clients.create(credential("OpenAI")).await.id;
        let begun = Instant::now();
        let callers: Vec<_> = (0..CALLERS)
            .map(|_| {
                let (mut credentials, id) = (clients.credentials.clone(), id.clone());
                tokio::spawn(async move {
                    for _ in 0..CALLS {
                        credentials.reveal_credential(reveal(&id)).await.unwrap();
                    }
                })
            })
            .collect();
        for caller in callers {
            caller.await.unwrap();
        }
        let rate = (CALLERS * CALLS) as f64 / begun.elapsed().as_secs_f64();
        let (kind, revealed) = ("event = 'credential.revealed'", (CALLERS * CALLS) as i64);
        assert_eq!(vault.number(&format!("SELECT count(*) FROM audit_logs WHERE {kind}")), revealed);
        assert!(verify(&mut clients, None).await.ok);
        // Shown with `--nocapture`.
        #[expect(clippy::print_stdout, reason = "a figure for whoever runs it by hand")]
        {
            println!("{rate:.0} reveals/s at concurrency {CALLERS}");
        }
    }
}

#[tokio::test]
async fn a_watcher_sees_each_event_once_and_in_order() {
    for vault in TestVault::each().await {
        let mut clients = vault.admin().await;
        clients.create(credential("First")).await;
        let watch =
            |event: &str, after_sequence| WatchAuditEventsRequest { event: event.into(), after_sequence };
        let mut all = clients.audit.watch_audit_events(watch("", 0)).await.unwrap().into_inner();
        let mut new = clients.audit.watch_audit_events(watch("credential.*", -1)).await.unwrap().into_inner();
        tokio::time::sleep(Duration::from_millis(700)).await;
        for name in ["Second", "Third"] {
            clients.create(credential(name)).await;
        }
        let last = head(&mut clients).await.sequence;
        for expected in 1..=last {
            let event = all.message().await.unwrap().unwrap().event.unwrap();
            assert_eq!(event.sequence, expected);
        }
        for expected in [last - 1, last] {
            let event = new.message().await.unwrap().unwrap().event.unwrap();
            assert_eq!((event.sequence, event.event.as_str()), (expected, "credential.created"));
        }
    }
}

#[tokio::test]
async fn a_watch_ends_with_its_token() {
    let vault = TestVault::sqlite().await;
    let mut admin = vault.admin().await;
    let issued = admin.issue(token("auditor")).await.unwrap();
    let mut auditor = vault.clients(&issued.secret);
    let request = WatchAuditEventsRequest { event: "restore.*".into(), after_sequence: 0 };
    let mut events = auditor.audit.watch_audit_events(request).await.unwrap().into_inner();
    let id = issued.token.unwrap().id;
    admin.tokens.revoke_token(RevokeTokenRequest { id }).await.unwrap();
    let ended = tokio::time::timeout(Duration::from_secs(5), events.message()).await.unwrap();
    assert_eq!(ended.unwrap_err().code(), Code::Unauthenticated);
}
