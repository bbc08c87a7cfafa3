//! Another person allows a step that would make values unreadable.

use std::time::Duration;

use strongroom_api::vault::v1::{
    ApproveKeyRequestRequest, ApprovePersonRequestRequest, EnableKeyVersionRequest, IssueTokenRequest,
    ListKeyRequestsRequest, RemovePersonRequest,
};
use strongroom_runtime::status::reason_of;
use strongroom_testkit::requests::token;
use tonic::Code;

use super::{SECRET, admin_token, destroy, disable, reencrypt, rotate, states, versions, with_secret};
use crate::support::{Clients, TestVault, assert_refused, enrol, enrolled, eventually, metadata_of, renew};

#[tokio::test]
async fn only_another_person_approves_and_only_once() {
    for vault in TestVault::each().await {
        let mut first = vault.admin().await;
        let (mut requester, mut other) = (enrolled(&vault, "Ada").await, enrolled(&vault, "Ben").await);
        let sock = admin_token(&mut requester, "made before").await;
        let mut made_before = vault.clients(&sock);
        let mut sibling = vault.clients(&admin_token(&mut first, "sibling").await);
        let credential = first.create(with_secret("One")).await;
        let old = versions(&mut first, "credential").await[0].kid.clone();
        rotate(&mut first, "credential").await;

        let refused = disable(&mut requester, &old).await.unwrap_err();
        assert_eq!(
            (refused.code(), reason_of(&refused).as_str()),
            (Code::FailedPrecondition, "KEY_VERSION_IN_USE")
        );
        let metadata = metadata_of(&refused);
        assert_eq!(metadata["rows"], "1");
        let request_id = metadata["request_id"].clone();
        assert!(refused.message().contains(&request_id) && refused.message().contains("1 rows"));
        let again = disable(&mut requester, &old).await.unwrap_err();
        assert_eq!(metadata_of(&again)["request_id"], request_id, "the open request is found again");

        let mut made_after = vault.clients(&admin_token(&mut requester, "made after").await);
        let approve = ApproveKeyRequestRequest { id: request_id.clone() };
        for disguised in [&mut requester, &mut made_before, &mut made_after, &mut sibling, &mut first] {
            let refused = disguised.keys.approve_key_request(approve.clone()).await;
            assert_refused(refused, Code::PermissionDenied, "APPROVER_DEPENDENT");
        }
        assert_eq!(reason_of(&disable(&mut requester, &old).await.unwrap_err()), "KEY_VERSION_IN_USE");

        let approved =
            other.keys.approve_key_request(approve.clone()).await.unwrap().into_inner().request.unwrap();
        assert!(approved.approver.starts_with("token:") && approved.approver != approved.requester);
        assert_eq!(
            reason_of(&disable(&mut first, &old).await.unwrap_err()),
            "KEY_VERSION_IN_USE",
            "an approval is only for its requester"
        );
        let twice = other.keys.approve_key_request(approve).await.unwrap_err();
        assert_eq!(reason_of(&twice), "KEY_REQUEST_CLOSED");
        assert_eq!(disable(&mut requester, &old).await.unwrap(), "disabled");
        let closed = first.reveal(&credential.id).await.unwrap_err();
        assert_eq!(
            (closed.code(), reason_of(&closed).as_str()),
            (Code::FailedPrecondition, "KEY_VERSION_UNUSABLE")
        );

        let enable = EnableKeyVersionRequest { kid: old.clone() };
        requester.keys.enable_key_version(enable).await.unwrap();
        assert_eq!(first.reveal(&credential.id).await.unwrap(), SECRET);
        assert_eq!(
            reason_of(&disable(&mut requester, &old).await.unwrap_err()),
            "KEY_VERSION_IN_USE",
            "the approval is used up"
        );
        let open =
            first.keys.list_key_requests(ListKeyRequestsRequest {}).await.unwrap().into_inner().requests;
        assert_eq!(open.len(), 1, "only the requester's new request: `first` is not an enrolled person");
        assert!(open.iter().all(|request| request.approver.is_empty() && request.action == "disable"));
    }
}

/// An attacker with write access to the database puts back the row of an approval that was used.
#[tokio::test]
async fn an_approval_that_is_put_back_lets_nothing_through() {
    for vault in TestVault::each().await {
        let (mut requester, mut other) = (enrolled(&vault, "Ada").await, enrolled(&vault, "Ben").await);
        requester.create(with_secret("One")).await;
        let old = versions(&mut requester, "credential").await[0].kid.clone();
        rotate(&mut requester, "credential").await;
        let refused = disable(&mut requester, &old).await.unwrap_err();
        let approve = ApproveKeyRequestRequest { id: metadata_of(&refused)["request_id"].clone() };
        other.keys.approve_key_request(approve).await.unwrap();

        vault.run("CREATE TABLE approved AS SELECT * FROM key_requests");
        assert_eq!(disable(&mut requester, &old).await.unwrap(), "disabled");
        requester.keys.enable_key_version(EnableKeyVersionRequest { kid: old.clone() }).await.unwrap();
        vault.run("DELETE FROM key_requests; INSERT INTO key_requests SELECT * FROM approved");
        assert_refused(disable(&mut requester, &old).await, Code::Aborted, "ETAG_MISMATCH");
        assert_eq!(states(&mut requester, "credential").await[0], "decrypt-only");
    }
}

#[tokio::test]
async fn what_a_destroyed_version_sealed_stays_closed() {
    for vault in TestVault::each_standing().await {
        let mut first = vault.admin().await;
        let (mut requester, mut approver) = (enrolled(&vault, "Ada").await, enrolled(&vault, "Ben").await);
        let credential = first.create(with_secret("One")).await;
        let old = versions(&mut first, "credential").await[0].kid.clone();
        vault.clock.advance(Duration::from_secs(1));
        rotate(&mut first, "credential").await;
        let refused = disable(&mut requester, &old).await.unwrap_err();
        let id = metadata_of(&refused)["request_id"].clone();
        approver.keys.approve_key_request(ApproveKeyRequestRequest { id }).await.unwrap();
        disable(&mut requester, &old).await.unwrap();
        let refused = destroy(&mut requester, &old).await.unwrap_err();
        assert_eq!(reason_of(&refused), "KEY_VERSION_IN_USE", "an approval is for one step");
        let id = metadata_of(&refused)["request_id"].clone();
        approver.keys.approve_key_request(ApproveKeyRequestRequest { id }).await.unwrap();
        destroy(&mut requester, &old).await.unwrap();
        vault.clock.advance(Duration::from_secs(8 * 86_400));
        eventually(async || (states(&mut first, "credential").await[0] == "destroyed").then_some(())).await;
        let closed = first.reveal(&credential.id).await.unwrap_err();
        assert_eq!(reason_of(&closed), "KEY_VERSION_UNUSABLE");
        let left = reencrypt(&mut first, 0).await;
        assert_eq!(
            (left.rows_done, left.rows_left),
            (0, 1),
            "what cannot be opened is not skipped in silence"
        );
        assert_eq!(first.reveal(&credential.id).await.unwrap_err().code(), Code::FailedPrecondition);
    }
}

#[tokio::test]
async fn who_is_no_person_hears_how_to_become_one() {
    let vault = TestVault::sqlite().await;
    let mut admin = vault.admin().await;
    admin.create(with_secret("One")).await;
    let old = versions(&mut admin, "credential").await[0].kid.clone();
    rotate(&mut admin, "credential").await;
    let refused = disable(&mut admin, &old).await.unwrap_err();
    assert_eq!(reason_of(&refused), "KEY_VERSION_IN_USE");
    assert!(refused.message().contains("`strongroom person enrol`"), "{}", refused.message());
    assert_eq!(metadata_of(&refused)["request_id"], "");
    let open = admin.keys.list_key_requests(ListKeyRequestsRequest {}).await.unwrap().into_inner();
    assert!(open.requests.is_empty(), "nobody could approve it");
}

/// An approval by a person who was removed since does not count.
#[tokio::test]
async fn an_approval_ends_with_its_approver() {
    for vault in TestVault::each().await {
        let mut admin = vault.admin().await;
        let (mut ada, mut ben) = (enrolled(&vault, "Ada").await, enrolled(&vault, "Ben").await);
        let issued = admin.issue(IssueTokenRequest { name: "third".into(), ..token("admin") }).await.unwrap();
        let asked = enrol(&mut ada, "Cleo", &issued.token.unwrap().id).await.unwrap().request.unwrap();
        let approve = async |clients: &mut Clients, id: String| {
            clients.people.approve_person_request(ApprovePersonRequestRequest { id }).await.map(drop)
        };
        approve(&mut ben, asked.id).await.unwrap();
        let mut cleo = renew(&vault, vault.clients(&issued.secret)).await;

        ada.create(with_secret("One")).await;
        let old = versions(&mut ada, "credential").await[0].kid.clone();
        rotate(&mut ada, "credential").await;
        let refused = disable(&mut ada, &old).await.unwrap_err();
        let request = ApproveKeyRequestRequest { id: metadata_of(&refused)["request_id"].clone() };
        ben.keys.approve_key_request(request.clone()).await.unwrap();
        let removal = ada.people.remove_person(RemovePersonRequest { name: "Ben".into() }).await.unwrap();
        approve(&mut cleo, removal.into_inner().request.unwrap().id).await.unwrap();
        assert_eq!(reason_of(&disable(&mut ada, &old).await.unwrap_err()), "KEY_VERSION_IN_USE");
        cleo.keys.approve_key_request(request).await.unwrap();
        assert_eq!(disable(&mut ada, &old).await.unwrap(), "disabled");
    }
}
