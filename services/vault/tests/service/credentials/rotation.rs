//! Rotation in place, and requests that are carried out once.

use std::time::Duration;

use strongroom_api::source::v1::ReadSnapshotRequest;
use strongroom_api::source::v1::read_snapshot_response::Message;
use strongroom_api::vault::v1::{
    CreateCredentialRequest, Credential, GetCredentialRequest, GetCredentialStatsRequest,
    RollbackCredentialRequest, RotateCredentialRequest,
};
use strongroom_testkit::requests::{CredentialBuilder as _, binding, credential};
use tonic::{Code, Status};

use crate::support::{Clients, TestVault, assert_field, assert_refused};

const REQUEST: &str = "0190a1b2-0000-7000-8000-000000000001";
const OLD: &str = "sk-the-secret-of-one";
const NEW: &str = "sk-the-secret-after-456";

fn rotation(id: &str) -> RotateCredentialRequest {
    RotateCredentialRequest { id: id.into(), secret: NEW.into(), ..Default::default() }
}

async fn rotate(clients: &mut Clients, request: RotateCredentialRequest) -> Result<Credential, Status> {
    Ok(clients.credentials.rotate_credential(request).await?.into_inner().credential.unwrap())
}

async fn roll_back(clients: &mut Clients, id: &str, etag: &str) -> Result<Credential, Status> {
    let request = RollbackCredentialRequest { id: id.into(), etag: etag.into() };
    Ok(clients.credentials.rollback_credential(request).await?.into_inner().credential.unwrap())
}

async fn get(clients: &mut Clients, id: &str) -> Credential {
    let request = GetCredentialRequest { id: id.into() };
    clients.credentials.get_credential(request).await.unwrap().into_inner().credential.unwrap()
}

#[tokio::test]
async fn both_secrets_open_until_the_grace_is_over() {
    for vault in TestVault::each_standing().await {
        let mut admin = vault.admin().await;
        let one = admin.create(credential("one")).await;
        admin.bind(binding("endpoint", "chat", &one.id)).await.unwrap();
        assert_refused(admin.reveal_previous(&one.id).await, Code::FailedPrecondition, "NO_PREVIOUS_SECRET");

        let rotated = rotate(&mut admin, rotation(&one.id)).await.unwrap();
        assert_eq!((rotated.id.as_str(), rotated.preview.as_str()), (one.id.as_str(), "sk-...456"));
        assert_ne!(rotated.etag, one.etag);
        assert_eq!(rotated.reference_counts["endpoint"], 1, "references stay");
        assert!(rotated.previous_expire_time.is_some());
        assert_eq!(admin.reveal(&one.id).await.unwrap(), NEW);
        assert_eq!(admin.reveal_previous(&one.id).await.unwrap(), OLD);
        assert_eq!(admin.resolve("chat").await.unwrap().0, NEW);

        vault.clock.advance(Duration::from_secs(3_600) - Duration::from_micros(1));
        assert_eq!(admin.reveal_previous(&one.id).await.unwrap(), OLD);
        vault.clock.advance(Duration::from_micros(1));
        for refused in [
            admin.reveal_previous(&one.id).await.map(|_| ()),
            roll_back(&mut admin, &one.id, "").await.map(|_| ()),
        ] {
            assert_refused(refused, Code::FailedPrecondition, "NO_PREVIOUS_SECRET");
        }
        assert_eq!(get(&mut admin, &one.id).await.previous_expire_time, None);
        assert_eq!(admin.reveal(&one.id).await.unwrap(), NEW);
    }
}

#[tokio::test]
async fn a_rollback_brings_the_old_secret_back_once() {
    for vault in TestVault::each_standing().await {
        let mut admin = vault.admin().await;
        let one = admin.create(credential("one")).await;
        let rotated = rotate(&mut admin, rotation(&one.id)).await.unwrap();
        assert_refused(roll_back(&mut admin, &one.id, &one.etag).await, Code::Aborted, "ETAG_MISMATCH");
        let back = roll_back(&mut admin, &one.id, &rotated.etag).await.unwrap();
        assert_eq!((back.preview, back.previous_expire_time), (one.preview, None));
        assert_eq!(admin.reveal(&one.id).await.unwrap(), OLD);
        let again = roll_back(&mut admin, &one.id, "").await;
        assert_refused(again, Code::FailedPrecondition, "NO_PREVIOUS_SECRET");
        let names: Vec<_> = admin.events("credential.*").await.into_iter().map(|e| e.event).collect();
        let expected =
            ["credential.revealed", "credential.rolled_back", "credential.rotated", "credential.created"];
        assert_eq!(names, expected);
    }
}

#[tokio::test]
async fn without_grace_nothing_is_kept_and_a_second_rotation_replaces_the_first() {
    for vault in TestVault::each_standing().await {
        let mut admin = vault.admin().await;
        let one = admin.create(credential("one")).await;
        rotate(&mut admin, rotation(&one.id)).await.unwrap();
        let third = RotateCredentialRequest { secret: "third".into(), ..rotation(&one.id) };
        rotate(&mut admin, third).await.unwrap();
        assert_eq!(admin.reveal_previous(&one.id).await.unwrap(), NEW);
        assert_eq!(vault.database.number("SELECT count(*) FROM credential_versions"), 1);
        let at_once = RotateCredentialRequest { grace: Some(Default::default()), ..rotation(&one.id) };
        assert_eq!(rotate(&mut admin, at_once).await.unwrap().previous_expire_time, None);
        assert_eq!(vault.database.number("SELECT count(*) FROM credential_versions"), 0);
    }
}

#[tokio::test]
async fn a_stale_etag_does_not_rotate() {
    for vault in TestVault::each_standing().await {
        let mut admin = vault.admin().await;
        let one = admin.create(credential("one")).await;
        let with_etag = RotateCredentialRequest { etag: one.etag.clone(), ..rotation(&one.id) };
        rotate(&mut admin, with_etag.clone()).await.unwrap();
        assert_refused(rotate(&mut admin, with_etag).await, Code::Aborted, "ETAG_MISMATCH");
        assert_eq!(admin.events("credential.rotated").await.len(), 1);
    }
}

#[tokio::test]
async fn rotations_at_once_all_count() {
    for vault in TestVault::each_standing().await {
        let mut admin = vault.admin().await;
        let one = admin.create(credential("one")).await;
        let (mut a, mut b) = (vault.admin().await, vault.admin().await);
        let (left, right) = tokio::join!(
            rotate(&mut a, RotateCredentialRequest { secret: "left".into(), ..rotation(&one.id) }),
            rotate(&mut b, RotateCredentialRequest { secret: "right".into(), ..rotation(&one.id) })
        );
        left.unwrap();
        right.unwrap();
        let mut both = [admin.reveal(&one.id).await.unwrap(), admin.reveal_previous(&one.id).await.unwrap()];
        both.sort();
        assert_eq!(both, ["left", "right"]);
    }
}

#[tokio::test]
async fn a_request_id_rotates_once() {
    for vault in TestVault::each_standing().await {
        let mut admin = vault.admin().await;
        let one = admin.create(credential("one")).await;
        let request = RotateCredentialRequest {
            etag: one.etag.clone(),
            request_id: REQUEST.to_uppercase(),
            ..rotation(&one.id)
        };
        let (mut a, mut b) = (vault.admin().await, vault.admin().await);
        let (left, right) = tokio::join!(rotate(&mut a, request.clone()), rotate(&mut b, request.clone()));
        assert_eq!(
            left.unwrap().etag,
            right.unwrap().etag,
            "the etag is stale by then, the request is known"
        );
        rotate(&mut admin, request.clone()).await.unwrap();
        assert_eq!(admin.events("credential.rotated").await.len(), 1);
        assert_eq!(admin.reveal_previous(&one.id).await.unwrap(), OLD);
        let other = RotateCredentialRequest { secret: "other".into(), ..request };
        assert_refused(rotate(&mut admin, other).await, Code::InvalidArgument, "REQUEST_ID_REUSED");
    }
}

#[tokio::test]
async fn a_request_id_creates_once_within_a_day() {
    for vault in TestVault::each_standing().await {
        let mut admin = vault.admin().await;
        let request = CreateCredentialRequest {
            request_id: REQUEST.into(),
            ..credential("one").labels(&[("a", "1"), ("b", "2"), ("c", "3")])
        };
        let mut clients = Vec::new();
        for _ in 0..4 {
            clients.push(vault.admin().await);
        }
        let calls: Vec<_> = clients
            .into_iter()
            .map(|mut client| {
                let request = request.clone();
                tokio::spawn(async move { client.credentials.create_credential(request).await })
            })
            .collect();
        let mut ids = Vec::new();
        for call in calls {
            ids.push(call.await.unwrap().unwrap().into_inner().credential.unwrap().id);
        }
        ids.dedup();
        assert_eq!(ids.len(), 1, "{ids:?}");
        let stats = admin.credentials.get_credential_stats(GetCredentialStatsRequest {}).await.unwrap();
        assert_eq!(stats.into_inner().total, 1);
        for other in [
            CreateCredentialRequest { secret: "another".into(), ..request.clone() },
            CreateCredentialRequest { display_name: "two".into(), ..request.clone() },
        ] {
            let refused = admin.credentials.create_credential(other).await;
            assert_refused(refused, Code::InvalidArgument, "REQUEST_ID_REUSED");
        }
        vault.clock.advance(Duration::from_secs(24 * 3_600));
        let later = admin.credentials.create_credential(request).await.unwrap().into_inner();
        assert_ne!(later.credential.unwrap().id, ids[0], "forgotten after a day");
    }
}

#[tokio::test]
async fn a_sealed_value_opens_in_its_own_place_only() {
    for vault in TestVault::each_standing().await {
        let mut admin = vault.admin().await;
        let one = admin.create(credential("one")).await.id;
        let two = admin.create(credential("two")).await.id;
        rotate(&mut admin, rotation(&one)).await.unwrap();
        let save = "CREATE TABLE saved AS SELECT id, secret FROM credentials";
        vault.database.run(save);
        let restore =
            "UPDATE credentials SET secret = (SELECT secret FROM saved s WHERE s.id = credentials.id)";
        for (what, swap) in [
            (
                "another row",
                format!(
                    "UPDATE credentials SET secret = (SELECT secret FROM saved WHERE id = '{two}') WHERE id = '{one}'"
                ),
            ),
            (
                "another table",
                format!(
                    "UPDATE credentials SET secret = (SELECT secret FROM credential_versions) WHERE id = '{one}'"
                ),
            ),
            ("another column", format!("UPDATE credentials SET secret = preview WHERE id = '{one}'")),
        ] {
            vault.database.run(&swap);
            assert_refused(admin.reveal(&one).await, Code::Internal, "INTERNAL");
            vault.database.run(restore);
            assert_eq!(admin.reveal(&one).await.unwrap(), NEW, "{what}");
        }
        vault.database.run(
            "UPDATE credential_versions SET secret = (SELECT secret FROM saved WHERE id = credential_id)",
        );
        assert_refused(admin.reveal_previous(&one).await, Code::Internal, "INTERNAL");
        assert_refused(roll_back(&mut admin, &one, "").await, Code::Internal, "INTERNAL");
        assert_eq!(admin.reveal(&one).await.unwrap(), NEW, "nothing was changed");
    }
}

#[tokio::test]
async fn previous_secrets_leave_as_ciphertext_in_a_backup() {
    for vault in TestVault::each_standing().await {
        let mut admin = vault.admin().await;
        let one = admin.create(credential("one")).await;
        rotate(&mut admin, rotation(&one.id)).await.unwrap();
        let request =
            ReadSnapshotRequest { tables: vec!["credential_versions".into()], ..Default::default() };
        let mut stream = admin.source.read_snapshot(request).await.unwrap().into_inner();
        let mut text = String::new();
        while let Some(message) = stream.message().await.unwrap() {
            match message.message.unwrap() {
                Message::Begun(begun) => assert_eq!(begun.kids.len(), 1, "its key is named"),
                Message::Rows(rows) => text.push_str(std::str::from_utf8(&rows.json).unwrap()),
                Message::TableEnd(end) => assert_eq!(end.rows, 1),
                Message::End(_) => {}
            }
        }
        assert!(text.contains("srv1.") && !text.contains(OLD), "{text}");
    }
}

#[tokio::test]
async fn bad_input_names_its_field() {
    let vault = TestVault::sqlite().await;
    let mut admin = vault.admin().await;
    let id = admin.create(credential("one")).await.id;
    let base = || rotation(&id);
    let grace = |seconds, nanos| Some(prost_types::Duration { seconds, nanos });
    for (field, request) in [
        ("id", RotateCredentialRequest { id: String::new(), ..base() }),
        ("id", RotateCredentialRequest { id: "x".repeat(65), ..base() }),
        ("etag", RotateCredentialRequest { etag: "1".into(), ..base() }),
        ("secret", RotateCredentialRequest { secret: Default::default(), ..base() }),
        ("secret", RotateCredentialRequest { secret: vec![7; 65_537].into(), ..base() }),
        ("grace", RotateCredentialRequest { grace: grace(-1, 0), ..base() }),
        ("grace", RotateCredentialRequest { grace: grace(30 * 24 * 3_600, 1), ..base() }),
        ("grace", RotateCredentialRequest { grace: grace(1, -1), ..base() }),
        ("request_id", RotateCredentialRequest { request_id: "again".into(), ..base() }),
    ] {
        assert_field(rotate(&mut admin, request).await, field);
    }
    assert_field(roll_back(&mut admin, "", "").await, "id");
    assert_field(roll_back(&mut admin, &id, "1").await, "etag");
    let create = CreateCredentialRequest { request_id: "x".into(), ..credential("two") };
    assert_field(admin.credentials.create_credential(create).await, "request_id");
    let missing = rotate(&mut admin, RotateCredentialRequest { id: "none".into(), ..base() }).await;
    assert_refused(missing, Code::NotFound, "CREDENTIAL_NOT_FOUND");
    assert_eq!(admin.events("credential.*").await.len(), 1, "nothing was changed");
}
