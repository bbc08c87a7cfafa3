//! Removing old events.

use std::time::Duration;

use strongroom_api::vault::v1::{ListAuditEventsRequest, PruneAuditLogRequest, VerifyAuditLogRequest};
use strongroom_testkit::requests::credential;
use tonic::Code;

use super::{head, problems, verify, with_events};
use crate::support::TestVault;

#[tokio::test]
async fn pruning_takes_events_older_than_a_day_only() {
    for vault in TestVault::each().await {
        let (mut clients, last) = with_events(&vault).await;
        let early = head(&mut clients).await;
        let before =
            |seconds| PruneAuditLogRequest { before: Some(prost_types::Timestamp { seconds, nanos: 0 }) };
        let young = early.time.unwrap().seconds - 3600;
        for request in [PruneAuditLogRequest { before: None }, before(young)] {
            let refused = clients.audit.prune_audit_log(request).await.unwrap_err();
            assert_eq!(refused.code(), Code::InvalidArgument);
            assert!(refused.message().starts_with("before:"), "{}", refused.message());
        }
        let nothing = clients.audit.prune_audit_log(before(young - 86_400)).await.unwrap().into_inner();
        assert_eq!((nothing.removed, nothing.first_sequence), (0, 1));
        assert_eq!(head(&mut clients).await.sequence, last, "nothing was done");
    }
}

#[tokio::test]
async fn pruned_events_leave_a_log_that_goes_on_and_verifies() {
    const THREE_DAYS: Duration = Duration::from_secs(3 * 86_400);
    for vault in TestVault::each_standing().await {
        let (mut clients, old) = with_events(&vault).await;
        let inside = head(&mut clients).await;
        clients.create(credential("Last of the old")).await;
        vault.clock.advance(THREE_DAYS);
        let young = clients.create(credential("Young")).await.id;
        let kept = head(&mut clients).await;
        let now = kept.time.unwrap().seconds;
        let before =
            |seconds| PruneAuditLogRequest { before: Some(prost_types::Timestamp { seconds, nanos: 0 }) };
        let pruned = clients.audit.prune_audit_log(before(now - 2 * 86_400)).await.unwrap().into_inner();
        assert_eq!((pruned.removed, pruned.first_sequence), (old + 1, old + 2));
        let left = ListAuditEventsRequest { page_size: 500, ..Default::default() };
        let left = clients.audit.list_audit_events(left).await.unwrap().into_inner().events;
        let left: Vec<_> = left.iter().map(|event| (event.sequence, event.event.as_str())).collect();
        assert_eq!(left, [(old + 3, "audit.pruned"), (old + 2, "credential.created")]);
        assert_eq!(vault.number("SELECT count(*) FROM audit_checkpoints"), 1);

        let found = verify(&mut clients, Some(&kept)).await;
        assert!(found.ok, "a head kept before, of an event that stays: {:?}", found.problems);
        assert_eq!((found.first_sequence, found.last_sequence), (old + 2, old + 3));
        let removed = VerifyAuditLogRequest {
            anchor_sequence: inside.sequence,
            anchor_mac: inside.mac,
            ..Default::default()
        };
        let refused = clients.audit.verify_audit_log(removed).await.unwrap_err();
        assert!(refused.message().contains("pruned"), "{}", refused.message());
        clients.reveal(&young).await.unwrap();
        assert_eq!(head(&mut clients).await.sequence, old + 5, "a verification and a reveal");

        vault.clock.advance(THREE_DAYS);
        let pruned = clients.audit.prune_audit_log(before(now + 1)).await.unwrap().into_inner();
        assert_eq!((pruned.removed, pruned.first_sequence), (4, old + 6), "the trace of the pruning stays");
        assert!(verify(&mut clients, None).await.ok);

        let edit = format!("UPDATE audit_logs SET actor = 'token:other' WHERE sequence = {}", old + 6);
        vault.run(&edit);
        assert_eq!(
            problems(&verify(&mut clients, None).await),
            [(old + 6, "EDITED")],
            "the chain binds what is left"
        );
    }
}
