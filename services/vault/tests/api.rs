//! The vault from outside: its gRPC interface over a real socket, on both databases.
#![expect(clippy::unwrap_used, reason = "tests")]

mod server;

use strongroom_api::source::v1::ReadSnapshotRequest;
use strongroom_api::source::v1::read_snapshot_response::Message;
use strongroom_api::vault::v1::{
    AuditEvent, AuditOutcome, BindReferenceRequest, CreateCredentialRequest, Credential,
    DeactivateCredentialRequest, DeleteCredentialRequest, GetCredentialRequest, IntrospectTokenRequest,
    IssueTokenRequest, ListAuditEventsRequest, ListCredentialsRequest, ListReferencesRequest,
    RecordAuditEventRequest, RevealCredentialRequest, RevokeTokenRequest, UpdateCredentialRequest,
};
use strongroom_runtime::status::reason_of;
use tonic::Code;
use tonic::transport::Channel;

use server::{Clients, TestVault};

const SECRET: &str = "sk-a-secret-that-nobody-may-see-123";

fn new_credential(name: &str) -> CreateCredentialRequest {
    CreateCredentialRequest {
        display_name: name.into(),
        provider: "openai".into(),
        secret: SECRET.into(),
        ..Default::default()
    }
}

async fn create(clients: &mut Clients, name: &str) -> Credential {
    let response = clients.credentials.create_credential(new_credential(name)).await.unwrap();
    response.into_inner().credential.unwrap()
}

async fn event_names(clients: &mut Clients, family: &str) -> Vec<String> {
    let request = ListAuditEventsRequest { event: family.into(), ..Default::default() };
    let events = clients.audit.list_audit_events(request).await.unwrap().into_inner().events;
    events.into_iter().map(|event| event.event).collect()
}

/// The same refusals, and nothing else happens.
#[tokio::test]
async fn a_credential_can_be_checked_without_being_created() {
    for vault in TestVault::each().await {
        let mut clients = vault.admin().await;
        let request_id = "0190b6f0-0000-7000-8000-000000000001".to_owned();
        let new = CreateCredentialRequest { request_id, validate_only: true, ..new_credential("one") };
        for _ in 0..2 {
            let answer = clients.credentials.create_credential(new.clone()).await.unwrap().into_inner();
            assert!(answer.credential.is_none());
        }
        let wrong = CreateCredentialRequest { provider: "Open AI".into(), ..new.clone() };
        assert_eq!(
            clients.credentials.create_credential(wrong).await.unwrap_err().code(),
            Code::InvalidArgument
        );
        assert!(event_names(&mut clients, "credential.*").await.is_empty());

        let real = CreateCredentialRequest { validate_only: false, ..new.clone() };
        clients.credentials.create_credential(real).await.unwrap();
        clients.credentials.create_credential(new.clone()).await.unwrap();
        let other = CreateCredentialRequest { secret: "sk-another".into(), ..new };
        let refused = clients.credentials.create_credential(other).await.unwrap_err();
        assert_eq!(reason_of(&refused), "REQUEST_ID_REUSED");
    }
}

#[tokio::test]
async fn a_credential_lives_and_every_step_is_in_the_log() {
    for vault in TestVault::each().await {
        let mut clients = vault.admin().await;
        let created = create(&mut clients, "OpenAI Production").await;
        assert_eq!(created.preview, "sk-...123");
        assert!(created.active);

        let revealed = RevealCredentialRequest { id: created.id.clone(), previous: false };
        let secret =
            clients.credentials.reveal_credential(revealed.clone()).await.unwrap().into_inner().secret;
        assert_eq!(secret, SECRET.as_bytes());

        let off = DeactivateCredentialRequest { id: created.id.clone(), etag: String::new() };
        clients.credentials.deactivate_credential(off).await.unwrap();
        let refused = clients.credentials.reveal_credential(revealed).await.unwrap_err();
        assert_eq!(refused.code(), Code::FailedPrecondition);
        assert_eq!(reason_of(&refused), "CREDENTIAL_INACTIVE");

        let bind = BindReferenceRequest {
            kind: "endpoint".into(),
            consumer: "chat".into(),
            credential_id: created.id.clone(),
            ..Default::default()
        };
        clients.references.bind_reference(bind).await.unwrap();
        let delete = DeleteCredentialRequest {
            id: created.id.clone(),
            block_if_referenced: true,
            ..Default::default()
        };
        let blocked = clients.credentials.delete_credential(delete.clone()).await.unwrap_err();
        assert_eq!(reason_of(&blocked), "CREDENTIAL_REFERENCED");
        let delete = DeleteCredentialRequest { block_if_referenced: false, ..delete };
        assert_eq!(
            clients.credentials.delete_credential(delete).await.unwrap().into_inner().released_references,
            1
        );
        let references = clients.references.list_references(ListReferencesRequest::default()).await.unwrap();
        assert_eq!(references.into_inner().references[0].credential_id, "");

        let expected = [
            "credential.deleted",
            "credential.revealed",
            "credential.deactivated",
            "credential.revealed",
            "credential.created",
        ];
        assert_eq!(event_names(&mut clients, "credential.*").await, expected);
    }
}

#[tokio::test]
async fn a_stale_etag_is_aborted_and_changes_nothing() {
    for vault in TestVault::each().await {
        let mut clients = vault.admin().await;
        let created = create(&mut clients, "One").await;
        let rename = |name: &str, etag: &str| UpdateCredentialRequest {
            credential: Some(Credential {
                id: created.id.clone(),
                display_name: name.into(),
                etag: etag.into(),
                ..Default::default()
            }),
            update_mask: None,
        };
        clients.credentials.update_credential(rename("Two", &created.etag)).await.unwrap();
        let stale = clients.credentials.update_credential(rename("Three", &created.etag)).await.unwrap_err();
        assert_eq!((stale.code(), reason_of(&stale).as_str()), (Code::Aborted, "ETAG_MISMATCH"));
        let get = GetCredentialRequest { id: created.id.clone() };
        let now = clients.credentials.get_credential(get).await.unwrap().into_inner().credential.unwrap();
        assert_eq!(now.display_name, "Two");
    }
}

#[tokio::test]
async fn pages_walk_the_whole_list_once() {
    for vault in TestVault::each().await {
        let mut clients = vault.admin().await;
        for number in 0..7 {
            create(&mut clients, &format!("Credential {number}")).await;
        }
        let mut request = ListCredentialsRequest { page_size: 3, ..Default::default() };
        let mut names = Vec::new();
        loop {
            let page = clients.credentials.list_credentials(request.clone()).await.unwrap().into_inner();
            names.extend(page.credentials.into_iter().map(|credential| credential.display_name));
            if page.next_page_token.is_empty() {
                break;
            }
            request.page_token = page.next_page_token;
        }
        let expected: Vec<_> = (0..7).map(|number| format!("Credential {number}")).collect();
        assert_eq!(names, expected);
        request.provider = "openai".into();
        let refused = clients.credentials.list_credentials(request).await.unwrap_err();
        assert!(refused.message().starts_with("page_token"), "{}", refused.message());
    }
}

#[tokio::test]
async fn bad_input_names_its_field() {
    let vault = TestVault::sqlite().await;
    let mut clients = vault.admin().await;
    let base = || new_credential("One");
    let cases = [
        ("display_name", CreateCredentialRequest { display_name: String::new(), ..base() }),
        ("display_name", CreateCredentialRequest { display_name: "x".repeat(201), ..base() }),
        ("provider", CreateCredentialRequest { provider: "Open AI".into(), ..base() }),
        ("secret", CreateCredentialRequest { secret: Default::default(), ..base() }),
        ("secret", CreateCredentialRequest { secret: vec![7; 65_537].into(), ..base() }),
        ("labels", CreateCredentialRequest { labels: [("Team".into(), "x".into())].into(), ..base() }),
        ("expire_time", CreateCredentialRequest { expire_time: Some(Default::default()), ..base() }),
    ];
    for (field, request) in cases {
        let refused = clients.credentials.create_credential(request).await.unwrap_err();
        assert_eq!(refused.code(), Code::InvalidArgument, "{field}");
        assert!(refused.message().starts_with(field), "{field}: {}", refused.message());
        assert!(!refused.message().contains("sk-a-secret"), "no message repeats a secret");
    }
    assert_eq!(event_names(&mut clients, "credential.*").await, Vec::<String>::new(), "nothing was changed");
}

#[tokio::test]
async fn nobody_calls_without_a_token_or_beyond_its_permissions() {
    for vault in TestVault::each().await {
        let mut nobody = vault.clients("srt_none").await;
        let refused =
            nobody.credentials.list_credentials(ListCredentialsRequest::default()).await.unwrap_err();
        assert_eq!(refused.code(), Code::Unauthenticated);

        let mut admin = vault.admin().await;
        let mut auditor = vault.clients(&issue(&mut admin, "auditor").await.1).await;
        let refused = auditor.credentials.create_credential(new_credential("One")).await.unwrap_err();
        assert_eq!(refused.code(), Code::PermissionDenied);
        assert!(refused.message().contains("credential.create"), "{}", refused.message());
        assert_eq!(event_names(&mut admin, "access.denied").await, ["access.denied"]);
    }
}

async fn issue(admin: &mut Clients, role: &str) -> (String, String) {
    let request = IssueTokenRequest { name: format!("a {role}"), role: role.into(), ..Default::default() };
    let issued = admin.tokens.issue_token(request).await.unwrap().into_inner();
    (issued.token.unwrap().id, issued.secret)
}

#[tokio::test]
async fn a_revoked_token_is_refused_and_introspected_as_inactive() {
    for vault in TestVault::each().await {
        let mut admin = vault.admin().await;
        let (id, secret) = issue(&mut admin, "auditor").await;
        let introspect = IntrospectTokenRequest { token: secret };
        let known = admin.tokens.introspect_token(introspect.clone()).await.unwrap().into_inner();
        assert!(known.active && known.permissions.contains(&"audit.list".to_owned()));
        admin.tokens.revoke_token(RevokeTokenRequest { id }).await.unwrap();
        assert!(!admin.tokens.introspect_token(introspect).await.unwrap().into_inner().active);
    }
}

#[tokio::test]
async fn nobody_issues_what_they_lack() {
    let vault = TestVault::sqlite().await;
    let mut admin = vault.admin().await;
    let unknown = IssueTokenRequest { name: "x".into(), role: "root".into(), ..Default::default() };
    assert_eq!(admin.tokens.issue_token(unknown).await.unwrap_err().code(), Code::InvalidArgument);
    let mut operator = vault.clients(&issue(&mut admin, "operator").await.1).await;
    let more = IssueTokenRequest { name: "x".into(), role: "admin".into(), ..Default::default() };
    assert_eq!(operator.tokens.issue_token(more).await.unwrap_err().code(), Code::PermissionDenied);
}

#[tokio::test]
async fn a_service_records_its_own_events_only() {
    for vault in TestVault::each().await {
        let mut admin = vault.admin().await;
        let mut service = vault.clients(&issue(&mut admin, "backup-service").await.1).await;
        let record = |event: &str| RecordAuditEventRequest {
            event: Some(AuditEvent {
                actor: "token:somebody".into(),
                event: event.into(),
                outcome: AuditOutcome::Success.into(),
                metadata: [("size_bytes".into(), "7".into())].into(),
                ..Default::default()
            }),
        };
        service.audit.record_audit_event(record("backup.exported")).await.unwrap();
        let forged = service.audit.record_audit_event(record("credential.deleted")).await.unwrap_err();
        assert_eq!(forged.code(), Code::InvalidArgument);
        let request = ListAuditEventsRequest { event: "backup.*".into(), ..Default::default() };
        let events = admin.audit.list_audit_events(request).await.unwrap().into_inner().events;
        assert_eq!(
            (events[0].actor.as_str(), events[0].metadata["size_bytes"].as_str()),
            ("token:somebody", "7")
        );
        assert!(events[0].via.starts_with("token:"), "{}", events[0].via);
    }
}

#[tokio::test]
async fn the_source_hands_out_ciphertext_from_one_snapshot() {
    for vault in TestVault::each().await {
        let mut admin = vault.admin().await;
        create(&mut admin, "One").await;
        let mut source = admin.source.clone();
        let request = ReadSnapshotRequest { groups: vec!["audit".into()], ..Default::default() };
        let mut stream = source.read_snapshot(request).await.unwrap().into_inner();
        let mut tables = Vec::new();
        let mut text = String::new();
        let mut ended = false;
        create(&mut admin, "Two").await;
        while let Some(message) = stream.message().await.unwrap() {
            match message.message.unwrap() {
                Message::Begun(begun) => assert_eq!(begun.kids.len(), 1),
                Message::Rows(rows) => text.push_str(std::str::from_utf8(&rows.json).unwrap()),
                Message::TableEnd(end) => tables.push((end.name, end.rows)),
                Message::End(_) => ended = true,
            }
        }
        assert!(ended, "a whole snapshot says so");
        let names: Vec<_> = tables.iter().map(|(name, _)| name.as_str()).collect();
        let expected = "credentials credential_labels credential_versions credential_references credential_fallbacks \
             api_tokens audit_logs audit_checkpoints";
        assert_eq!(names.join(" "), expected);
        assert_eq!(tables[0].1, 1, "what came after the snapshot is not in it");
        assert!(text.contains("srv1.") && !text.contains(SECRET));
    }
}

#[tokio::test]
async fn a_table_without_its_group_is_refused_and_not_left_out() {
    let vault = TestVault::sqlite().await;
    let admin = vault.admin().await;
    let read = async |groups: &[&str]| {
        let tables = ["credentials", "audit_logs"].map(str::to_owned).to_vec();
        let groups = groups.iter().map(|group| (*group).to_owned()).collect();
        let request = ReadSnapshotRequest { groups, tables, ..Default::default() };
        admin.source.clone().read_snapshot(request).await
    };
    let refused = read(&[]).await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument);
    assert_eq!(refused.message(), "tables[1]: belongs to the group \"audit\"; include that group too");
    let mut stream = read(&["audit"]).await.unwrap().into_inner();
    let Some(Message::Begun(begun)) = stream.message().await.unwrap().unwrap().message else {
        panic!("begun comes first")
    };
    let names: Vec<_> = begun.tables.iter().map(|table| table.name.as_str()).collect();
    assert_eq!(names, ["credentials", "audit_logs"]);
}

#[tokio::test]
async fn health_needs_no_token() {
    let vault = TestVault::sqlite().await;
    let channel: Channel = vault.channel().await;
    let mut health = tonic_health::pb::health_client::HealthClient::new(channel);
    let request =
        tonic_health::pb::HealthCheckRequest { service: "strongroom.vault.v1.CredentialService".into() };
    assert_eq!(health.check(request).await.unwrap().into_inner().status, 1);
}
