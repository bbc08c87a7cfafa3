//! With its own token, a service may record in the audit log only events that its callers' permissions allow, and the
//! actors are these callers.

use std::time::Duration;

use strongroom_api::vault::v1::{
    AuditOutcome, CheckDelegationRequest, CheckDelegationResponse, CloseAuditOperationsRequest,
    IntrospectTokenRequest, RecordAuditEventRequest, RevokeTokenRequest, RotateKeyRequest, ServiceEvent,
};
use strongroom_crypto::Token;
use strongroom_testkit::requests::{introspect, record, token};
use tonic::{Code, Status};

use crate::support::{Clients, TestVault, assert_field, assert_refused};

const DAY: Duration = Duration::from_secs(24 * 3600);

/// A vault, its backup service, and callers of that service.
struct Delegating {
    vault: TestVault,
    admin: Clients,
    service: Clients,
}

impl Delegating {
    async fn each() -> Vec<Self> {
        let mut all = Vec::new();
        for vault in TestVault::each().await {
            all.push(Self::on(vault).await);
        }
        all
    }

    async fn on(vault: TestVault) -> Self {
        let (admin, service) = (vault.admin().await, vault.with_role("backup-service").await);
        Self { vault, admin, service }
    }

    /// The public id of a new token with `role`, and the delegation that the service gets for the token when it
    /// introspects it.
    async fn caller(&mut self, role: &str) -> (String, Vec<u8>) {
        let issued = self.admin.issue(token(role)).await.unwrap();
        let known = self.service.tokens.introspect_token(introspect(&issued.secret)).await.unwrap();
        (issued.token.unwrap().id, known.into_inner().delegation.to_vec())
    }

    async fn record(&mut self, event: &str, delegation: &[u8]) -> Result<i64, Status> {
        let answer = self.service.audit.record_audit_event(record(event, delegation)).await?;
        Ok(answer.into_inner().sequence)
    }

    async fn check(
        &mut self,
        delegation: &[u8],
        permission: &str,
    ) -> Result<CheckDelegationResponse, Status> {
        let (delegation, permission) = (delegation.to_vec().into(), permission.to_owned());
        let request = CheckDelegationRequest { delegation, permission };
        Ok(self.service.tokens.check_delegation(request).await?.into_inner())
    }
}

fn denied(delegation: &[u8]) -> RecordAuditEventRequest {
    let mut request = record("access.denied", delegation);
    request.event.as_mut().unwrap().set_outcome(AuditOutcome::Denied);
    request
}

#[tokio::test]
async fn the_actor_of_an_event_is_who_delegated() {
    for mut all in Delegating::each().await {
        let (id, delegation) = all.caller("operator").await;
        let metadata = [("size_bytes", "7"), ("actor_name", "\"the admin\""), ("delegation", "\"x\"")];
        let metadata = metadata.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        let event = ServiceEvent { metadata, ..record("backup.exported", &[]).event.unwrap() };
        let request = RecordAuditEventRequest { event: Some(event), delegation: delegation.clone().into() };
        all.service.audit.record_audit_event(request).await.unwrap();
        let event = all.admin.events("backup.exported").await.remove(0);
        assert_eq!(event.actor, format!("token:{id}"));
        assert!(event.via.starts_with("token:") && event.via != event.actor, "{}", event.via);
        assert_eq!(event.metadata["size_bytes"], "7");
        assert_eq!(event.metadata["actor_name"], "\"a operator\"", "the service says nothing of the actor");
        assert_eq!(event.metadata["delegation"].len(), "\"\"".len() + 36, "an id of the vault's");
        for name in ["backup.export_started", "backup.verified"] {
            all.record(name, &delegation).await.unwrap();
        }
    }
}

#[tokio::test]
async fn each_event_of_stored_backups_needs_its_permission() {
    let events = [
        "backup.create_started",
        "backup.created",
        "backup.download_started",
        "backup.downloaded",
        "backup.deleted",
        "backup.undeleted",
        "backup.held",
        "backup.released",
        "backup.scanned",
    ];
    for mut all in Delegating::each().await {
        let (operator, operators) = all.caller("operator").await;
        let (_, creators) = all.caller("backup-creator").await;
        for event in events {
            all.record(event, &operators).await.unwrap();
            let creators = all.record(event, &creators).await;
            if event.starts_with("backup.create") {
                creators.unwrap();
            } else {
                assert_refused(creators, Code::PermissionDenied, "DELEGATION_EVENT");
            }
        }
        let actor = format!("token:{operator}");
        let own: Vec<_> = all.admin.events_in_order("backup.*").await;
        let own = own.into_iter().filter(|event| event.actor == actor).map(|event| event.event);
        assert_eq!(own.collect::<Vec<_>>(), events);
    }
}

#[tokio::test]
async fn a_stolen_token_of_a_service_makes_no_events_of_others() {
    for mut all in Delegating::each().await {
        let (_, auditors) = all.caller("auditor").await;
        let (gateway, gateways) = all.caller("gateway").await;
        assert_field(all.record("backup.exported", &[]).await, "delegation");
        for own in ["credential.deleted", "token.issued", "backup.other", "restore.applied", "audit.pruned"] {
            assert_field(all.record(own, &auditors).await, "event.event");
        }
        for (event, delegation) in [
            ("backup.exported", &auditors),
            ("backup.export_started", &auditors),
            ("backup.verified", &gateways),
        ] {
            let refused = all.record(event, delegation).await;
            assert_refused(refused, Code::PermissionDenied, "DELEGATION_EVENT");
        }
        all.record("backup.verified", &auditors).await.unwrap();
        let pretended = all.record("access.denied", &gateways).await;
        assert_field(pretended, "event.outcome");
        all.service.audit.record_audit_event(denied(&gateways)).await.unwrap();

        let refusals = all.admin.events("access.denied").await;
        assert_eq!(refusals[0].actor, format!("token:{gateway}"));
        assert_eq!(refusals.len(), 1 + 3, "what a service may not do is in the log");
        let misuse = &refusals[1];
        assert!(misuse.metadata["problem"].contains("backup.verified"), "{misuse:?}");
        assert_eq!((&*misuse.target, &*misuse.via), ("RecordAuditEvent", ""));
    }
}

#[tokio::test]
async fn a_delegation_is_of_one_service() {
    for mut all in Delegating::each().await {
        let (_, delegation) = all.caller("operator").await;
        all.service = all.vault.with_role("backup-service").await;
        let stolen = all.record("backup.exported", &delegation).await;
        assert_refused(stolen, Code::PermissionDenied, "DELEGATION_FOREIGN");
        let asked = all.check(&delegation, "backup.export").await;
        assert_refused(asked, Code::PermissionDenied, "DELEGATION_FOREIGN");
        let targets: Vec<_> =
            all.admin.events_in_order("access.denied").await.into_iter().map(|event| event.target).collect();
        assert_eq!(targets, ["RecordAuditEvent", "CheckDelegation"]);
    }
}

#[tokio::test]
async fn no_bit_of_a_delegation_can_be_flipped() {
    let mut all = Delegating::on(TestVault::sqlite().await).await;
    let (_, delegation) = all.caller("operator").await;
    for bit in 0..delegation.len() * 8 {
        let mut flipped = delegation.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        let refused = all.record("backup.exported", &flipped).await;
        assert_refused(refused, Code::InvalidArgument, "DELEGATION_INVALID");
    }
    all.record("backup.exported", &delegation).await.unwrap();
    assert_eq!(all.admin.events("backup.*").await.len(), 1);
}

#[tokio::test]
async fn a_delegation_lasts_as_long_as_the_longest_operation_and_its_last_words() {
    for vault in TestVault::each_standing().await {
        let mut all = Delegating::on(vault).await;
        let (_, delegation) = all.caller("operator").await;
        all.vault.clock.advance(DAY + Duration::from_secs(299));
        all.record("backup.exported", &delegation).await.unwrap();
        all.vault.clock.advance(Duration::from_secs(2));
        let late = all.record("backup.exported", &delegation).await;
        assert_refused(late, Code::PermissionDenied, "DELEGATION_EXPIRED");
        let asked = all.check(&delegation, "backup.export").await.unwrap();
        assert!(asked.permitted, "whoever keeps one for later still learns whether it may");
    }
}

#[tokio::test]
async fn a_delegation_outlives_a_rotation_of_the_audit_key() {
    for mut all in Delegating::each().await {
        let (_, delegation) = all.caller("operator").await;
        let admin_token = all.vault.admin_token().await;
        let other = all.vault.beside().await;
        let mut beside = other.clients(&admin_token);
        beside.keys.rotate_key(RotateKeyRequest { key_id: "audit".into() }).await.unwrap();
        all.record("backup.export_started", &delegation).await.unwrap();
        let own = introspect(admin_token.trim());
        let by_another = beside.tokens.introspect_token(own).await.unwrap().into_inner().delegation;
        // The first process has not reloaded the ring since.
        all.admin.audit.record_audit_event(record("backup.exported", &by_another)).await.unwrap();
    }
}

#[tokio::test]
async fn whether_the_caller_still_may_is_told() {
    for vault in TestVault::each_standing().await {
        let mut all = Delegating::on(vault).await;
        let (id, delegation) = all.caller("auditor").await;
        let told = all.check(&delegation, "backup.verify").await.unwrap();
        assert!(told.permitted);
        assert_eq!(told.principal, format!("token:{id}"));
        for other in ["backup.export", "audit.list", "", "x"] {
            assert!(!all.check(&delegation, other).await.unwrap().permitted, "{other}: it was not delegated");
        }
        all.admin.tokens.revoke_token(RevokeTokenRequest { id }).await.unwrap();
        assert!(!all.check(&delegation, "backup.verify").await.unwrap().permitted, "revoked");
        all.record("backup.verified", &delegation).await.unwrap();

        let in_an_hour = all.vault.clock.clone();
        let expire_time = strongroom_api::time::timestamp(now(&in_an_hour) + 3_600_000_000);
        let mut short = token("operator");
        short.expire_time = Some(expire_time);
        let issued = all.admin.issue(short).await.unwrap();
        let known = all.service.tokens.introspect_token(introspect(&issued.secret)).await.unwrap();
        let delegation = known.into_inner().delegation;
        assert!(all.check(&delegation, "backup.export").await.unwrap().permitted);
        in_an_hour.advance(Duration::from_secs(3601));
        assert!(!all.check(&delegation, "backup.export").await.unwrap().permitted, "expired");
    }
}

#[tokio::test]
async fn a_delegation_that_is_renewed_is_of_one_permission_and_begins_anew() {
    for vault in TestVault::each_standing().await {
        let mut all = Delegating::on(vault).await;
        let (id, delegation) = all.caller("operator").await;
        all.vault.clock.advance(2 * DAY);
        let asked = all.check(&delegation, "backup.create").await.unwrap();
        all.record("backup.created", &asked.delegation).await.unwrap();
        let event = all.admin.events("backup.created").await.remove(0);
        assert_eq!(
            (&*event.actor, &*event.metadata["actor_name"]),
            (&*format!("token:{id}"), "\"a operator\"")
        );
        let other = all.record("backup.deleted", &asked.delegation).await;
        assert_refused(other, Code::PermissionDenied, "DELEGATION_EVENT");
        assert!(
            !all.check(&asked.delegation, "backup.delete").await.unwrap().permitted,
            "it was not renewed"
        );
        all.vault.clock.advance(2 * DAY);
        let again = all.check(&asked.delegation, "backup.create").await.unwrap();
        all.record("backup.created", &again.delegation).await.unwrap();
        all.admin.tokens.revoke_token(RevokeTokenRequest { id }).await.unwrap();
        let ended = all.check(&again.delegation, "backup.create").await.unwrap();
        assert!(!ended.permitted && ended.delegation.is_empty(), "{ended:?}");
    }
}

#[tokio::test]
async fn without_a_delegation_a_service_records_runs_of_schedules_and_nothing_else() {
    for mut all in Delegating::each().await {
        for own in [
            "backup.create_started",
            "backup.created",
            "backup.deleted",
            "backup.verified",
            "schedule.orphaned",
        ] {
            all.record(own, &[]).await.unwrap();
            let event = all.admin.events(own).await.remove(0);
            assert!(event.actor.starts_with("token:") && event.actor == event.via, "{event:?}");
        }
        for other in ["backup.undeleted", "backup.held", "schedule.created", "restore.completed"] {
            assert_field(all.record(other, &[]).await, "delegation");
        }
    }
}

fn now(clock: &impl strongroom_runtime::Clock) -> i64 {
    clock.now_micros()
}

#[tokio::test]
async fn a_token_is_introspected_by_a_hash_that_is_not_the_stored_one() {
    for mut all in Delegating::each().await {
        let issued = all.admin.issue(token("operator")).await.unwrap();
        let token = Token::parse(&issued.secret).unwrap();
        for hash in [token.hash(), [0; 32]] {
            let request = IntrospectTokenRequest { introspect_hash: hash.to_vec().into() };
            let known = all.service.tokens.introspect_token(request).await.unwrap().into_inner();
            assert!(!known.active && known.delegation.is_empty(), "{known:?}");
        }
        let known = all.service.tokens.introspect_token(introspect(&issued.secret)).await.unwrap();
        let shown = format!("{known:?}");
        assert!(known.into_inner().active && shown.contains("[redacted]"), "{shown}");
    }
}

#[tokio::test]
async fn nobody_asked_for_the_end_of_an_abandoned_operation() {
    for mut all in Delegating::each().await {
        let (id, delegation) = all.caller("operator").await;
        for (started, operation_id) in [("backup.export_started", "one"), ("backup.create_started", "two")] {
            let mut start = record(started, &delegation);
            let event = start.event.as_mut().unwrap();
            event.operation_id = operation_id.into();
            event.metadata.insert("instance".into(), "\"here\"".into());
            all.service.audit.record_audit_event(start).await.unwrap();
        }
        let close = |started: &str, ended: &str| CloseAuditOperationsRequest {
            started_event: started.into(),
            ended_event: ended.into(),
            instance: "here".into(),
            started_before: None,
        };
        for (started, ended, field) in [
            ("token.issued", "backup.exported", "started_event"),
            ("backup.export_started", "token.revoked", "ended_event"),
            ("backup.export_started", "backup.verified", "ended_event"),
            ("backup.create_started", "backup.exported", "ended_event"),
        ] {
            assert_field(all.service.audit.close_audit_operations(close(started, ended)).await, field);
        }
        for (started, ended, operation_id) in [
            ("backup.export_started", "backup.exported", "one"),
            ("backup.create_started", "backup.created", "two"),
        ] {
            let close = close(started, ended);
            let closed = all.service.audit.close_audit_operations(close).await.unwrap().into_inner().closed;
            assert_eq!(closed, 1);
            let event = all.admin.events(ended).await.remove(0);
            assert_eq!(event.operation_id, operation_id);
            assert_eq!((&event.actor, event.outcome()), (&event.via, AuditOutcome::Unknown));
            assert_eq!(event.metadata["started_by"], format!("\"token:{id}\""));
            assert_eq!(event.metadata["actor_name"], "\"a backup-service\"");
            assert!(!event.metadata.contains_key("delegation"), "{event:?}");
        }
    }
}
