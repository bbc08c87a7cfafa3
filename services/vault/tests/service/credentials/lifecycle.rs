//! The life of a credential.

use strongroom_api::vault::v1::{
    CreateCredentialRequest, Credential, DeleteCredentialRequest, GetCredentialRequest,
    ListCredentialsRequest, ListReferencesRequest, UpdateCredentialRequest,
};
use strongroom_runtime::status::reason_of;
use strongroom_testkit::requests::{CredentialBuilder as _, binding, credential};
use tonic::Code;

use crate::support::{TestVault, assert_field, assert_refused};

const SECRET: &str = "sk-a-secret-that-nobody-may-see-123";

#[tokio::test]
async fn a_credential_lives_and_every_step_is_in_the_log() {
    for vault in TestVault::each().await {
        let mut clients = vault.admin().await;
        let created = clients.create(credential("OpenAI Production").secret(SECRET)).await;
        assert_eq!(created.preview, "sk-...123");
        assert!(created.active);

        assert_eq!(clients.reveal(&created.id).await.unwrap(), SECRET);

        clients.deactivate(&created.id).await;
        let refused = clients.reveal(&created.id).await;
        assert_refused(refused, Code::FailedPrecondition, "CREDENTIAL_INACTIVE");

        clients.bind(binding("endpoint", "chat", &created.id)).await.unwrap();
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
            "credential.created",
            "credential.revealed",
            "credential.deactivated",
            "credential.revealed",
            "credential.deleted",
        ];
        assert_eq!(clients.event_names("credential.*").await, expected);
    }
}

/// The same refusals as for a creation, without any effect.
#[tokio::test]
async fn a_credential_can_be_checked_without_being_created() {
    for vault in TestVault::each().await {
        let mut clients = vault.admin().await;
        let request_id = "0190b6f0-0000-7000-8000-000000000001".to_owned();
        let new = CreateCredentialRequest { request_id, validate_only: true, ..credential("one") };
        for _ in 0..2 {
            let answer = clients.credentials.create_credential(new.clone()).await.unwrap().into_inner();
            assert!(answer.credential.is_none());
        }
        let wrong = CreateCredentialRequest { provider: "Open AI".into(), ..new.clone() };
        assert_eq!(
            clients.credentials.create_credential(wrong).await.unwrap_err().code(),
            Code::InvalidArgument
        );
        assert!(clients.event_names("credential.*").await.is_empty());

        let real = CreateCredentialRequest { validate_only: false, ..new.clone() };
        clients.credentials.create_credential(real).await.unwrap();
        clients.credentials.create_credential(new.clone()).await.unwrap();
        let other = CreateCredentialRequest { secret: "sk-another".into(), ..new };
        let refused = clients.credentials.create_credential(other).await.unwrap_err();
        assert_eq!(reason_of(&refused), "REQUEST_ID_REUSED");
    }
}

#[tokio::test]
async fn a_stale_etag_is_aborted_and_changes_nothing() {
    for vault in TestVault::each().await {
        let mut clients = vault.admin().await;
        let created = clients.create(credential("One")).await;
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
        let stale = clients.credentials.update_credential(rename("Three", &created.etag)).await;
        assert_refused(stale, Code::Aborted, "ETAG_MISMATCH");
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
            clients.create(credential(&format!("Credential {number}"))).await;
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
    let base = || credential("One").secret(SECRET);
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
        assert_field(clients.credentials.create_credential(request).await, field);
    }
    assert_eq!(clients.event_names("credential.*").await, Vec::<String>::new(), "nothing was changed");
}
