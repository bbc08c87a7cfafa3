//! The audit log from outside: what is changed in the database is found, and without the log nothing happens.
#![expect(clippy::unwrap_used, reason = "tests")]

mod server;

use std::time::{Duration, Instant};

use strongroom_api::vault::v1::{
    CreateCredentialRequest, GetAuditHeadRequest, GetAuditHeadResponse, GetCredentialRequest,
    IssueTokenRequest, ListAuditEventsRequest, PruneAuditLogRequest, RevealCredentialRequest,
    RevokeTokenRequest, VerifyAuditLogRequest, VerifyAuditLogResponse, WatchAuditEventsRequest,
};
use strongroom_runtime::status::reason_of;
use tonic::Code;

use server::{Clients, TestVault};

fn new_credential(name: &str) -> CreateCredentialRequest {
    CreateCredentialRequest {
        display_name: name.into(),
        provider: "openai".into(),
        secret: "sk-a-secret-that-nobody-may-see-123".into(),
        ..Default::default()
    }
}

async fn create(clients: &mut Clients, name: &str) -> String {
    let created = clients.credentials.create_credential(new_credential(name)).await.unwrap();
    created.into_inner().credential.unwrap().id
}

fn reveal(id: &str) -> RevealCredentialRequest {
    RevealCredentialRequest { id: id.into(), previous: false }
}

async fn head(clients: &mut Clients) -> GetAuditHeadResponse {
    clients.audit.get_audit_head(GetAuditHeadRequest {}).await.unwrap().into_inner()
}

async fn verify(clients: &mut Clients, anchor: Option<&GetAuditHeadResponse>) -> VerifyAuditLogResponse {
    let anchor = anchor.cloned().unwrap_or_default();
    let request = VerifyAuditLogRequest { anchor_sequence: anchor.sequence, anchor_mac: anchor.mac };
    clients.audit.verify_audit_log(request).await.unwrap().into_inner()
}

fn problems(found: &VerifyAuditLogResponse) -> Vec<(i64, &str)> {
    found.problems.iter().map(|problem| (problem.sequence, problem.reason.as_str())).collect()
}

/// A vault with a log of more than ten events; the last sequence.
async fn with_events(vault: &TestVault) -> (Clients, i64) {
    let mut clients = vault.admin().await;
    for number in 0..10 {
        create(&mut clients, &format!("Credential {number}")).await;
    }
    let last = head(&mut clients).await.sequence;
    (clients, last)
}

const COLUMNS: &str =
    "time, actor, via, event, target, metadata, trace_id, outcome, operation_id, key_kid, mac";

#[tokio::test]
async fn a_whole_log_verifies_from_its_first_event() {
    for vault in TestVault::each().await {
        let (mut clients, last) = with_events(&vault).await;
        let anchor = head(&mut clients).await;
        assert_eq!(anchor.mac.len(), 64);
        let found = verify(&mut clients, Some(&anchor)).await;
        assert!(found.ok, "{:?}", found.problems);
        assert_eq!((found.first_sequence, found.last_sequence, found.events), (1, last, last));
        assert_eq!(found.mac, anchor.mac);
        let request = ListAuditEventsRequest { event: "audit.verified".into(), ..Default::default() };
        let events = clients.audit.list_audit_events(request).await.unwrap().into_inner().events;
        assert_eq!((events.len(), events[0].metadata["problems"].as_str()), (1, "0"));
    }
}

#[tokio::test]
async fn every_change_behind_the_vaults_back_is_named() {
    let swap = "UPDATE audit_logs SET sequence = -4 WHERE sequence = 4;
         UPDATE audit_logs SET sequence = 4 WHERE sequence = 8;
         UPDATE audit_logs SET sequence = 8 WHERE sequence = -4";
    let insert = format!(
        "UPDATE audit_logs SET sequence = -sequence WHERE sequence >= 5;
         UPDATE audit_logs SET sequence = 1 - sequence WHERE sequence < 0;
         INSERT INTO audit_logs (sequence, {COLUMNS}) SELECT 5, {COLUMNS} FROM audit_logs WHERE sequence = 3;
         UPDATE audit_head SET sequence = sequence + 1"
    );
    let cases = [
        ("UPDATE audit_logs SET actor = 'token:other' WHERE sequence = 4", vec![(4, "EDITED")]),
        ("DELETE FROM audit_logs WHERE sequence = 4", vec![(4, "MISSING")]),
        (swap, vec![(4, "SWAPPED"), (8, "SWAPPED")]),
        (insert.as_str(), vec![(5, "INSERTED")]),
    ];
    for (sql, expected) in cases {
        for vault in TestVault::each().await {
            let (mut clients, _) = with_events(&vault).await;
            vault.run(sql);
            let found = verify(&mut clients, None).await;
            assert!(!found.ok);
            assert_eq!(problems(&found), expected, "{sql}: {:?}", found.problems);
            assert_eq!(verify(&mut clients, None).await.problems, found.problems, "the log went on");
        }
    }
}

#[tokio::test]
async fn a_cut_tail_is_found_by_an_anchored_head() {
    for vault in TestVault::each().await {
        let (mut clients, last) = with_events(&vault).await;
        let anchor = head(&mut clients).await;
        let cut = last - 3;
        vault.run(&format!(
            "DELETE FROM audit_logs WHERE sequence > {cut};
             UPDATE audit_head SET sequence = {cut},
                mac = (SELECT mac FROM audit_logs WHERE sequence = {cut})"
        ));
        let found = verify(&mut clients, Some(&anchor)).await;
        assert_eq!(problems(&found), [(cut + 1, "TAIL_CUT")]);
        // Others wrote on: the place is taken by another event now.
        for number in 0..5 {
            create(&mut clients, &format!("Later {number}")).await;
        }
        let found = verify(&mut clients, Some(&anchor)).await;
        assert_eq!(problems(&found), [(last, "ANCHOR_MISMATCH")]);
    }
}

#[tokio::test]
async fn without_the_log_nothing_is_revealed_or_changed_and_it_recovers() {
    for vault in TestVault::each().await {
        let mut clients = vault.admin().await;
        let id = create(&mut clients, "OpenAI").await;
        vault.run("ALTER TABLE audit_logs RENAME TO elsewhere");
        let revealed = clients.credentials.reveal_credential(reveal(&id)).await.unwrap_err();
        assert_eq!(
            (revealed.code(), reason_of(&revealed).as_str()),
            (Code::Unavailable, "AUDIT_UNAVAILABLE")
        );
        assert!(revealed.message().contains("nothing was revealed"), "{}", revealed.message());
        let created = clients.credentials.create_credential(new_credential("Other")).await.unwrap_err();
        assert_eq!((created.code(), reason_of(&created).as_str()), (Code::Unavailable, "AUDIT_UNAVAILABLE"));
        assert!(created.message().contains("nothing was changed"), "{}", created.message());
        vault.run("ALTER TABLE elsewhere RENAME TO audit_logs");

        let unused = GetCredentialRequest { id: id.clone() };
        let credential = clients.credentials.get_credential(unused).await.unwrap().into_inner();
        assert!(credential.credential.unwrap().last_used_time.is_none(), "no use without its event");
        clients.credentials.reveal_credential(reveal(&id)).await.unwrap();
        create(&mut clients, "Other").await;
        assert!(verify(&mut clients, None).await.ok, "what was refused left no trace");
    }
}

#[tokio::test]
async fn sixty_four_at_once_each_leave_their_event() {
    const CALLERS: usize = 64;
    const CALLS: usize = 20;
    for vault in TestVault::each().await {
        let mut clients = vault.admin().await;
        let id = create(&mut clients, "OpenAI").await;
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
        // Shown with --nocapture.
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
        create(&mut clients, "First").await;
        let watch =
            |event: &str, after_sequence| WatchAuditEventsRequest { event: event.into(), after_sequence };
        let mut all = clients.audit.watch_audit_events(watch("", 0)).await.unwrap().into_inner();
        let mut new = clients.audit.watch_audit_events(watch("credential.*", -1)).await.unwrap().into_inner();
        tokio::time::sleep(Duration::from_millis(700)).await;
        for name in ["Second", "Third"] {
            create(&mut clients, name).await;
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
    let request = IssueTokenRequest { name: "watcher".into(), role: "auditor".into(), ..Default::default() };
    let issued = admin.tokens.issue_token(request).await.unwrap().into_inner();
    let mut auditor = vault.clients(&issued.secret).await;
    let request = WatchAuditEventsRequest { event: "restore.*".into(), after_sequence: 0 };
    let mut events = auditor.audit.watch_audit_events(request).await.unwrap().into_inner();
    let id = issued.token.unwrap().id;
    admin.tokens.revoke_token(RevokeTokenRequest { id }).await.unwrap();
    let ended = tokio::time::timeout(Duration::from_secs(5), events.message()).await.unwrap();
    assert_eq!(ended.unwrap_err().code(), Code::Unauthenticated);
}

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
        create(&mut clients, "Last of the old").await;
        vault.clock.advance(THREE_DAYS);
        let young = create(&mut clients, "Young").await;
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
        let removed = VerifyAuditLogRequest { anchor_sequence: inside.sequence, anchor_mac: inside.mac };
        let refused = clients.audit.verify_audit_log(removed).await.unwrap_err();
        assert!(refused.message().contains("pruned"), "{}", refused.message());
        clients.credentials.reveal_credential(reveal(&young)).await.unwrap();
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

#[tokio::test]
async fn bad_anchors_name_their_field() {
    let vault = TestVault::sqlite().await;
    let mut clients = vault.admin().await;
    for (anchor_sequence, anchor_mac, field) in [
        (-1, "00", "anchor_sequence"),
        (0, "00", "anchor_sequence"),
        (1, "", "anchor_mac"),
        (1, "zz", "anchor_mac"),
    ] {
        let request = VerifyAuditLogRequest { anchor_sequence, anchor_mac: anchor_mac.into() };
        let refused = clients.audit.verify_audit_log(request).await.unwrap_err();
        assert_eq!(refused.code(), Code::InvalidArgument);
        assert!(refused.message().starts_with(field), "{}", refused.message());
    }
}
