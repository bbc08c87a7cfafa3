//! Keys from outside: their life, who may end it, and what goes on meanwhile.
#![expect(clippy::unwrap_used, reason = "tests")]

mod server;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use server::{Clients, TestVault};
use strongroom_api::vault::v1::crypto_service_client::CryptoServiceClient;
use strongroom_api::vault::v1::{
    ApproveKeyRequestRequest, BindReferenceRequest, CreateCredentialRequest, CreateKeyRequest, Credential,
    DecryptRequest, DestroyKeyVersionRequest, DisableKeyVersionRequest, EnableKeyVersionRequest,
    EncryptRequest, ExportKeyRingRequest, GetCredentialRequest, GetKeyCensusRequest, IssueTokenRequest,
    KeyVersion, ListAuditEventsRequest, ListCredentialsRequest, ListKeyRequestsRequest,
    ListKeyVersionsRequest, NarrowKeyPinsRequest, PinKeyVersionsRequest, ReencryptRequest, ReencryptResponse,
    ReleaseKeyPinsRequest, ReportKeyCensusRequest, ResolveReferenceRequest, RevealCredentialRequest,
    RotateCredentialRequest, RotateKeyRequest, UndoDestroyKeyVersionRequest, UpdateCredentialRequest,
};
use strongroom_crypto::{KeyRing, Place, Purpose, RootKey, WrappedVersion};
use strongroom_runtime::client::Bearer;
use strongroom_runtime::status::reason_of;
use strongroom_runtime::{Shutdown, SystemClock};
use strongroom_testkit::{ManualClock, TestDb};
use tokio::net::TcpListener;
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

/// How long after a rotation another process may still seal with the version before.
const FOLLOWED: Duration = Duration::from_secs(5);

async fn versions(clients: &mut Clients, key_id: &str) -> Vec<KeyVersion> {
    let listed = clients.keys.list_key_versions(ListKeyVersionsRequest {}).await.unwrap().into_inner();
    listed.versions.into_iter().filter(|version| version.key_id == key_id).collect()
}

async fn states(clients: &mut Clients, key_id: &str) -> Vec<String> {
    versions(clients, key_id).await.into_iter().map(|version| version.state).collect()
}

async fn create_key(clients: &mut Clients, key_id: &str) -> String {
    let request = CreateKeyRequest { key_id: key_id.into() };
    clients.keys.create_key(request).await.unwrap().into_inner().version.unwrap().kid
}

async fn rotate(clients: &mut Clients, key_id: &str) -> String {
    let request = RotateKeyRequest { key_id: key_id.into() };
    clients.keys.rotate_key(request).await.unwrap().into_inner().version.unwrap().kid
}

async fn disable(clients: &mut Clients, kid: &str) -> Result<String, Status> {
    let request = DisableKeyVersionRequest { kid: kid.into() };
    Ok(clients.keys.disable_key_version(request).await?.into_inner().version.unwrap().state)
}

async fn destroy(clients: &mut Clients, kid: &str) -> Result<KeyVersion, Status> {
    let request = DestroyKeyVersionRequest { kid: kid.into(), after: None };
    Ok(clients.keys.destroy_key_version(request).await?.into_inner().version.unwrap())
}

async fn report(clients: &mut Clients, key_id: &str, values: &[(&str, i64)]) {
    let request = ReportKeyCensusRequest {
        key_id: key_id.into(),
        column: "mcp_servers.bearer".into(),
        source: "gateway".into(),
        values: values.iter().map(|(kid, count)| ((*kid).to_owned(), *count)).collect(),
        count_time: None,
    };
    clients.keys.report_key_census(request).await.unwrap();
}

async fn create_credential(clients: &mut Clients, name: &str) -> Credential {
    let request = CreateCredentialRequest {
        display_name: name.into(),
        provider: "openai".into(),
        secret: b"sk-a-secret".to_vec().into(),
        ..Default::default()
    };
    clients.credentials.create_credential(request).await.unwrap().into_inner().credential.unwrap()
}

async fn reveal(clients: &mut Clients, id: &str) -> Result<Vec<u8>, Status> {
    let request = RevealCredentialRequest { id: id.into(), ..Default::default() };
    Ok(clients.credentials.reveal_credential(request).await?.into_inner().secret.to_vec())
}

/// Re-encrypts to the end; the last message.
async fn reencrypt(clients: &mut Clients, rows_per_second: i32) -> ReencryptResponse {
    let request = ReencryptRequest { rows_per_second };
    let mut stream = clients.keys.reencrypt(request).await.unwrap().into_inner();
    let mut last = ReencryptResponse::default();
    while let Some(progress) = stream.message().await.unwrap() {
        assert!(!last.done, "done is in the last message only");
        assert!(progress.rows_done >= last.rows_done, "{progress:?} after {last:?}");
        last = progress;
    }
    assert!(last.done, "a whole stream says so");
    last
}

/// Values of our own tables by kid.
async fn census(clients: &mut Clients, key_id: &str) -> HashMap<String, i64> {
    let request = GetKeyCensusRequest { key_id: key_id.into() };
    let census = clients.keys.get_key_census(request).await.unwrap().into_inner();
    census
        .counts
        .into_iter()
        .filter(|count| count.source.is_empty())
        .map(|count| (count.kid, count.values))
        .collect()
}

async fn admin_token(admin: &mut Clients, name: &str) -> String {
    let request = IssueTokenRequest { name: name.into(), role: "admin".into(), ..Default::default() };
    admin.tokens.issue_token(request).await.unwrap().into_inner().secret
}

async fn events(clients: &mut Clients, event: &str) -> Vec<String> {
    let request = ListAuditEventsRequest { event: event.into(), ..Default::default() };
    let events = clients.audit.list_audit_events(request).await.unwrap().into_inner().events;
    events.into_iter().rev().map(|event| event.event).collect()
}

fn now_seconds(clock: &ManualClock) -> i64 {
    strongroom_runtime::Clock::now_micros(clock) / 1_000_000
}

fn metadata_of(status: &Status) -> HashMap<String, String> {
    status.get_details_error_info().unwrap().metadata
}

/// Waits until `look` finds something, at most so long.
async fn within<T>(limit: Duration, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(began.elapsed() < limit, "not within {limit:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn a_version_lives_and_dies_in_steps() {
    for database in TestDb::each() {
        let clock = ManualClock::default();
        let vault = TestVault::with_clock(database, Arc::new(clock.clone())).await;
        let mut admin = vault.admin().await;
        let first = create_key(&mut admin, "gateway").await;
        for taken in ["gateway", "credential", "audit", "page", "signing"] {
            let again = admin.keys.create_key(CreateKeyRequest { key_id: taken.into() }).await.unwrap_err();
            assert_eq!((again.code(), reason_of(&again).as_str()), (Code::AlreadyExists, "KEY_EXISTS"));
        }
        assert_eq!(reason_of(&disable(&mut admin, &first).await.unwrap_err()), "KEY_VERSION_PRIMARY");
        clock.advance(Duration::from_secs(1));
        let second = rotate(&mut admin, "gateway").await;
        let listed = versions(&mut admin, "gateway").await;
        assert_eq!((listed[0].number, listed[1].number), (1, 2));
        assert_eq!((&listed[0].kid, &listed[1].kid), (&first, &second));
        assert!(listed.iter().all(|version| version.wrapped.is_empty()), "only an export carries the bytes");
        assert_eq!(states(&mut admin, "gateway").await, ["decrypt-only", "primary"]);

        assert_eq!(reason_of(&destroy(&mut admin, &first).await.unwrap_err()), "KEY_VERSION_STATE");
        clock.advance(FOLLOWED);
        report(&mut admin, "gateway", &[]).await;
        assert_eq!(disable(&mut admin, &first).await.unwrap(), "disabled");
        assert_eq!(disable(&mut admin, &first).await.unwrap(), "disabled", "once more changes nothing");
        let enable = EnableKeyVersionRequest { kid: first.clone() };
        admin.keys.enable_key_version(enable).await.unwrap();
        assert_eq!(states(&mut admin, "gateway").await, ["decrypt-only", "primary"]);
        disable(&mut admin, &first).await.unwrap();

        let scheduled = destroy(&mut admin, &first).await.unwrap();
        assert_eq!(scheduled.state, "scheduled");
        let days =
            (scheduled.destroy_time.unwrap().seconds - scheduled.create_time.unwrap().seconds) / 86_400;
        assert_eq!(days, 7);
        let undo = UndoDestroyKeyVersionRequest { kid: first.clone() };
        let undone = admin.keys.undo_destroy_key_version(undo).await.unwrap().into_inner().version.unwrap();
        assert_eq!((undone.state.as_str(), undone.destroy_time), ("disabled", None));
        destroy(&mut admin, &first).await.unwrap();
        clock.advance(Duration::from_secs(8 * 86_400));
        within(Duration::from_secs(6), async || {
            (states(&mut admin, "gateway").await == ["destroyed", "primary"]).then_some(())
        })
        .await;
        let ring = admin.keys.export_key_ring(ExportKeyRingRequest {}).await.unwrap().into_inner();
        for version in ring.versions {
            assert_eq!(version.wrapped.is_empty(), version.kid == first, "a destroyed version has no bytes");
        }
        let enable = EnableKeyVersionRequest { kid: first.clone() };
        assert_eq!(
            reason_of(&admin.keys.enable_key_version(enable).await.unwrap_err()),
            "KEY_VERSION_STATE",
            "nothing brings it back"
        );
        let expected = [
            "key.version_disabled",
            "key.version_enabled",
            "key.version_disabled",
            "key.version_scheduled",
            "key.version_unscheduled",
            "key.version_scheduled",
            "key.version_destroyed",
        ];
        assert_eq!(events(&mut admin, "key.version_*").await, expected);
    }
}

#[tokio::test]
async fn a_callers_key_needs_a_fresh_census() {
    for database in TestDb::each() {
        let clock = ManualClock::default();
        let vault = TestVault::with_clock(database, Arc::new(clock.clone())).await;
        let mut admin = vault.admin().await;
        let first = create_key(&mut admin, "gateway").await;
        report(&mut admin, "gateway", &[(&first, 0)]).await;
        clock.advance(Duration::from_secs(1));
        let second = rotate(&mut admin, "gateway").await;
        let refused = disable(&mut admin, &first).await.unwrap_err();
        assert_eq!(reason_of(&refused), "KEY_CENSUS_STALE", "that report is older than the rotation");
        clock.advance(FOLLOWED - Duration::from_micros(1));
        report(&mut admin, "gateway", &[(&second, 5)]).await;
        let refused = disable(&mut admin, &first).await.unwrap_err();
        assert_eq!(reason_of(&refused), "KEY_CENSUS_STALE", "another process may still seal with it");

        clock.advance(Duration::from_micros(1));
        report(&mut admin, "gateway", &[(&first, 12), (&second, 5)]).await;
        let refused = disable(&mut admin, &first).await.unwrap_err();
        assert_eq!(reason_of(&refused), "KEY_VERSION_IN_USE");
        assert_eq!(metadata_of(&refused)["columns"], "1");
        let request = GetKeyCensusRequest { key_id: "gateway".into() };
        let census = admin.keys.get_key_census(request).await.unwrap().into_inner();
        let mut counts: Vec<_> = census.counts.iter().map(|count| count.values).collect();
        counts.sort_unstable();
        assert_eq!(counts, [5, 12]);
        assert!(census.counts.iter().all(|count| count.source == "gateway"));

        report(&mut admin, "gateway", &[(&second, 17)]).await;
        clock.advance(Duration::from_secs(86_401));
        assert_eq!(reason_of(&disable(&mut admin, &first).await.unwrap_err()), "KEY_CENSUS_STALE");
        report(&mut admin, "gateway", &[(&second, 17)]).await;
        let other = |seconds| ReportKeyCensusRequest {
            key_id: "gateway".into(),
            column: "webhooks.secret".into(),
            source: "gateway".into(),
            values: HashMap::new(),
            count_time: Some(prost_types::Timestamp { seconds: now_seconds(&clock) + seconds, nanos: 0 }),
        };
        admin.keys.report_key_census(other(-86_402)).await.unwrap();
        let refused = disable(&mut admin, &first).await.unwrap_err();
        assert_eq!(reason_of(&refused), "KEY_CENSUS_STALE", "one column of two was counted too long ago");
        let future = admin.keys.report_key_census(other(2)).await.unwrap_err();
        assert!(future.message().starts_with("count_time:"), "{}", future.message());
        admin.keys.report_key_census(other(0)).await.unwrap();
        assert_eq!(disable(&mut admin, &first).await.unwrap(), "disabled");
    }
}

#[tokio::test]
async fn pins_of_archives_hold_a_version() {
    for vault in TestVault::each().await {
        let mut admin = vault.admin().await;
        let old = versions(&mut admin, "credential").await[0].kid.clone();
        let pin = PinKeyVersionsRequest { archive_id: "archive-1".into(), expire_time: None };
        let kids = admin.keys.pin_key_versions(pin.clone()).await.unwrap().into_inner().kids;
        let signing = versions(&mut admin, "signing").await[0].kid.clone();
        let expected = std::collections::BTreeSet::from([old.clone(), signing]);
        assert_eq!(
            kids.into_iter().collect::<std::collections::BTreeSet<_>>(),
            expected,
            "no audit or page key"
        );
        rotate(&mut admin, "credential").await;
        let refused = disable(&mut admin, &old).await.unwrap_err();
        assert_eq!(reason_of(&refused), "KEY_VERSION_IN_USE");
        assert_eq!(metadata_of(&refused)["archives"], "1");

        let narrow = |kids: &[&str]| NarrowKeyPinsRequest {
            archive_id: "archive-1".into(),
            kids: kids.iter().map(|kid| (*kid).to_owned()).collect(),
            expire_time: None,
        };
        let unknown = admin.keys.narrow_key_pins(narrow(&["00000000000000ff"])).await.unwrap_err();
        assert_eq!(reason_of(&unknown), "KEY_VERSION_NOT_FOUND");
        admin.keys.narrow_key_pins(narrow(&[&old, &old])).await.unwrap();
        let census = admin.keys.get_key_census(GetKeyCensusRequest::default()).await.unwrap().into_inner();
        assert_eq!((census.pins.len(), census.pins[0].kid.as_str()), (1, old.as_str()));
        let release = ReleaseKeyPinsRequest { archive_id: "archive-1".into() };
        admin.keys.release_key_pins(release.clone()).await.unwrap();
        admin.keys.release_key_pins(release).await.unwrap();
        assert_eq!(disable(&mut admin, &old).await.unwrap(), "disabled");
        assert_eq!(
            events(&mut admin, "key.pin*").await,
            ["key.pinned", "key.pins_narrowed", "key.pins_released"]
        );
    }
}

#[tokio::test]
async fn only_a_second_principal_approves_and_only_once() {
    for vault in TestVault::each().await {
        let mut first = vault.admin().await;
        let (requester, other) =
            (admin_token(&mut first, "requester").await, admin_token(&mut first, "other").await);
        let (mut requester, mut other) = (vault.clients(&requester).await, vault.clients(&other).await);
        let sock = admin_token(&mut requester, "made before").await;
        let mut made_before = vault.clients(&sock).await;
        let credential = create_credential(&mut first, "One").await;
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

        let mut made_after = vault.clients(&admin_token(&mut other, "made after").await).await;
        let approve = ApproveKeyRequestRequest { id: request_id.clone() };
        for disguised in [&mut requester, &mut made_before, &mut made_after] {
            let refused = disguised.keys.approve_key_request(approve.clone()).await.unwrap_err();
            assert_eq!(refused.code(), Code::PermissionDenied);
            assert_eq!(reason_of(&refused), "KEY_APPROVER_DEPENDENT");
        }
        assert_eq!(reason_of(&disable(&mut requester, &old).await.unwrap_err()), "KEY_VERSION_IN_USE");

        let approved =
            other.keys.approve_key_request(approve.clone()).await.unwrap().into_inner().request.unwrap();
        assert!(approved.approver.starts_with("token:") && approved.approver != approved.requester);
        let twice = other.keys.approve_key_request(approve).await.unwrap_err();
        assert_eq!(reason_of(&twice), "KEY_REQUEST_CLOSED");
        assert_eq!(
            reason_of(&disable(&mut first, &old).await.unwrap_err()),
            "KEY_VERSION_IN_USE",
            "not for others"
        );
        assert_eq!(disable(&mut requester, &old).await.unwrap(), "disabled");
        let closed = reveal(&mut first, &credential.id).await.unwrap_err();
        assert_eq!(
            (closed.code(), reason_of(&closed).as_str()),
            (Code::FailedPrecondition, "KEY_VERSION_UNUSABLE")
        );

        let enable = EnableKeyVersionRequest { kid: old.clone() };
        requester.keys.enable_key_version(enable).await.unwrap();
        assert_eq!(reveal(&mut first, &credential.id).await.unwrap(), b"sk-a-secret");
        assert_eq!(
            reason_of(&disable(&mut requester, &old).await.unwrap_err()),
            "KEY_VERSION_IN_USE",
            "used once"
        );
        let open =
            first.keys.list_key_requests(ListKeyRequestsRequest {}).await.unwrap().into_inner().requests;
        assert_eq!(open.len(), 2, "the first admin's and the requester's new one");
        assert!(open.iter().all(|request| request.approver.is_empty() && request.action == "disable"));
    }
}

#[tokio::test]
async fn what_a_destroyed_version_sealed_stays_closed() {
    for database in TestDb::each() {
        let clock = ManualClock::default();
        let vault = TestVault::with_clock(database, Arc::new(clock.clone())).await;
        let mut first = vault.admin().await;
        let (a, b) = (admin_token(&mut first, "a").await, admin_token(&mut first, "b").await);
        let (mut requester, mut approver) = (vault.clients(&a).await, vault.clients(&b).await);
        let credential = create_credential(&mut first, "One").await;
        let old = versions(&mut first, "credential").await[0].kid.clone();
        clock.advance(Duration::from_secs(1));
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
        clock.advance(Duration::from_secs(8 * 86_400));
        within(Duration::from_secs(6), async || {
            (states(&mut first, "credential").await[0] == "destroyed").then_some(())
        })
        .await;
        let closed = reveal(&mut first, &credential.id).await.unwrap_err();
        assert_eq!(reason_of(&closed), "KEY_VERSION_UNUSABLE");
        let left = reencrypt(&mut first, 0).await;
        assert_eq!(
            (left.rows_done, left.rows_left),
            (0, 1),
            "what cannot be opened is not skipped in silence"
        );
        assert_eq!(reveal(&mut first, &credential.id).await.unwrap_err().code(), Code::FailedPrecondition);
    }
}

/// A ring as the vault has it, to seal many rows at once.
async fn ring(admin: &mut Clients, vault: &TestVault) -> KeyRing {
    let root = std::fs::read_to_string(vault.config().root_key_file.unwrap()).unwrap();
    let root = RootKey::parse(&root).unwrap();
    let exported = admin.keys.export_key_ring(ExportKeyRingRequest {}).await.unwrap().into_inner();
    let versions: Vec<WrappedVersion> = exported
        .versions
        .into_iter()
        .map(|version| WrappedVersion {
            key_id: version.key_id,
            purpose: version.purpose.parse().unwrap(),
            kid: version.kid.parse().unwrap(),
            number: version.number.try_into().unwrap(),
            state: version.state.parse().unwrap(),
            root_key_id: version.root_key_id.parse().unwrap(),
            wrapped: version.wrapped,
        })
        .collect();
    KeyRing::open(&[&root], &versions).unwrap()
}

/// Puts `count` credentials straight into the database; their ids.
async fn fill(admin: &mut Clients, vault: &TestVault, count: usize) -> Vec<String> {
    let ring = ring(admin, vault).await;
    let mut ids = Vec::with_capacity(count);
    for first in (0..count).step_by(5000) {
        let mut sql = String::from(
            "INSERT INTO credentials (id, display_name, provider, secret, preview, active, create_time, update_time, revision) VALUES ",
        );
        for number in first..(first + 5000).min(count) {
            let id = format!("{number:08}-0000-7000-8000-000000000000");
            let place =
                Place { purpose: Purpose::Credential, table: "credentials", column: "secret", row: &id };
            let secret = ring.seal("credential", &place, format!("secret-{number}-0").as_bytes()).unwrap();
            let comma = if number == first { "" } else { "," };
            sql.push_str(&format!("{comma}('{id}','C {number}','openai','{secret}','',TRUE,1,1,1)"));
            ids.push(id);
        }
        vault.database.run(&sql);
    }
    ids
}

fn number_of_rows() -> usize {
    if std::env::var_os("STRONGROOM_LONG").is_some_and(|long| long == "1") { 100_000 } else { 5_000 }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rotation_under_load_fails_no_read_and_loses_no_write() {
    for vault in TestVault::each().await {
        let mut admin = vault.admin().await;
        let ids = Arc::new(fill(&mut admin, &vault, number_of_rows()).await);
        let old = versions(&mut admin, "credential").await[0].kid.clone();
        let (stop, reads) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let token = admin_token(&mut admin, "load").await;
        let mut load = tokio::task::JoinSet::new();
        for reader in 0..8_usize {
            let (ids, stop, reads) = (Arc::clone(&ids), Arc::clone(&stop), Arc::clone(&reads));
            let mut clients = vault.clients(&token).await;
            load.spawn(async move {
                let mut at = reader * 7919;
                while !stop.load(Ordering::Relaxed) {
                    at = (at * 1_103_515_245 + 12_345) % (1 << 31);
                    let number = at % ids.len();
                    let secret = reveal(&mut clients, &ids[number]).await.unwrap();
                    assert!(secret.starts_with(format!("secret-{number}-").as_bytes()));
                    reads.fetch_add(1, Ordering::Relaxed);
                }
                0
            });
        }
        let (writer_ids, writer_stop) = (Arc::clone(&ids), Arc::clone(&stop));
        let mut clients = vault.clients(&token).await;
        load.spawn(async move {
            let mut written = 0;
            while !writer_stop.load(Ordering::Relaxed) {
                let id = writer_ids[written % writer_ids.len()].clone();
                let credential =
                    Credential { id, display_name: format!("Renamed {written}"), ..Default::default() };
                let update = UpdateCredentialRequest { credential: Some(credential), update_mask: None };
                clients.credentials.update_credential(update).await.unwrap();
                create_credential(&mut clients, &format!("New {written}")).await;
                written += 1;
            }
            written
        });
        within(Duration::from_secs(30), async || (reads.load(Ordering::Relaxed) > 50).then_some(())).await;

        let new = rotate(&mut admin, "credential").await;
        let refused = disable(&mut admin, &old).await.unwrap_err();
        assert_eq!(reason_of(&refused), "KEY_VERSION_IN_USE");
        let rows: usize = metadata_of(&refused)["rows"].parse().unwrap();
        assert!(rows >= ids.len(), "{rows}");
        let began = Instant::now();
        let done = reencrypt(&mut admin, 0).await;
        let took = began.elapsed();
        assert_eq!(done.rows_left, 0);
        assert!(done.rows_done >= i64::try_from(ids.len()).unwrap());
        let census = census(&mut admin, "credential").await;
        assert!(!census.contains_key(&old) && census.contains_key(&new), "{census:?}");
        assert_eq!(disable(&mut admin, &old).await.unwrap(), "disabled");
        tokio::time::sleep(Duration::from_millis(200)).await;
        stop.store(true, Ordering::Relaxed);
        let mut written = 0;
        while let Some(joined) = load.join_next().await {
            written += joined.unwrap();
        }
        #[expect(clippy::print_stderr, reason = "the figure is what a long run is for")]
        {
            eprintln!(
                "{} rows in {took:?} beside {} reads, {written} writes",
                done.rows_done,
                reads.load(Ordering::Relaxed)
            );
        }

        let number = (written - 1) % ids.len();
        let get = GetCredentialRequest { id: ids[number].clone() };
        let renamed = admin.credentials.get_credential(get).await.unwrap().into_inner().credential.unwrap();
        assert_eq!(renamed.display_name, format!("Renamed {}", written - 1));
        let renames = written.div_ceil(ids.len());
        assert_eq!(
            renamed.etag,
            format!("\"{}\"", renames + 1),
            "re-encryption is no change of a credential"
        );
        let secret = reveal(&mut admin, &ids[number]).await.unwrap();
        assert_eq!(secret, format!("secret-{number}-0").as_bytes());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn re_encryption_without_load() {
    for vault in TestVault::each().await {
        let mut admin = vault.admin().await;
        let ids = fill(&mut admin, &vault, number_of_rows()).await;
        rotate(&mut admin, "credential").await;
        let began = Instant::now();
        let done = reencrypt(&mut admin, 0).await;
        #[expect(clippy::print_stderr, reason = "the figure is what a long run is for")]
        {
            eprintln!("{} rows in {:?} alone", done.rows_done, began.elapsed());
        }
        assert_eq!((done.rows_done, done.rows_left), (i64::try_from(ids.len()).unwrap(), 0));
        for number in [0, ids.len() / 2, ids.len() - 1] {
            let secret = reveal(&mut admin, &ids[number]).await.unwrap();
            assert_eq!(secret, format!("secret-{number}-0").as_bytes());
        }
        let again = reencrypt(&mut admin, 0).await;
        assert_eq!((again.rows_done, again.rows_left), (0, 0));
        let expected =
            ["key.reencrypt_started", "key.reencrypted", "key.reencrypt_started", "key.reencrypted"];
        assert_eq!(events(&mut admin, "key.reencrypt*").await, expected);
    }
}

#[tokio::test]
async fn a_killed_re_encryption_is_resumed() {
    for vault in TestVault::each().await {
        let mut admin = vault.admin().await;
        let ids = fill(&mut admin, &vault, 400).await;
        let old = versions(&mut admin, "credential").await[0].kid.clone();
        rotate(&mut admin, "credential").await;
        let request = ReencryptRequest { rows_per_second: 100 };
        let mut stream = admin.keys.reencrypt(request).await.unwrap().into_inner();
        while stream.message().await.unwrap().unwrap().rows_done == 0 {}
        vault.kill();

        let next = vault.beside().await;
        let mut admin = next.admin().await;
        let left = within(Duration::from_secs(5), async || {
            let census = admin.keys.get_key_census(GetKeyCensusRequest::default()).await.ok()?.into_inner();
            census.counts.into_iter().find(|count| count.kid == old).map(|count| count.values)
        })
        .await;
        assert!(left > 0 && left < 400, "{left} of 400");
        // Nobody asks for it: the run is known, its lease lapses, and it is taken over.
        within(Duration::from_secs(20), async || {
            (!census(&mut admin, "credential").await.contains_key(&old)).then_some(())
        })
        .await;
        for (number, id) in ids.iter().enumerate().step_by(37) {
            assert_eq!(reveal(&mut admin, id).await.unwrap(), format!("secret-{number}-0").as_bytes());
        }
        within(Duration::from_secs(5), async || {
            let names = events(&mut admin, "key.reencrypt*").await;
            (names == ["key.reencrypt_started", "key.reencrypted"]).then_some(())
        })
        .await;
    }
}

/// Each way out is preceded by a rotation of its own: after the first look at the ring, the version is known.
#[tokio::test]
async fn what_another_process_has_just_sealed_opens_on_every_way_out() {
    let Some(database) = TestDb::postgres() else { return };
    let one = TestVault::with_clock(database, Arc::new(SystemClock)).await;
    let mut first = one.admin().await;
    let two = one.beside().await;
    let mut second = two.admin().await;
    within(Duration::from_secs(5), async || {
        second.credentials.list_credentials(ListCredentialsRequest::default()).await.ok()
    })
    .await;

    rotate(&mut first, "credential").await;
    let created = create_credential(&mut first, "One").await;
    let bind = BindReferenceRequest {
        kind: "endpoint".into(),
        consumer: "chat".into(),
        credential_id: created.id.clone(),
        ..Default::default()
    };
    first.references.bind_reference(bind).await.unwrap();
    let resolve = ResolveReferenceRequest { kind: "endpoint".into(), consumer: "chat".into() };
    let resolved = second.references.resolve_reference(resolve).await.unwrap().into_inner();
    assert_eq!(resolved.secret, b"sk-a-secret".as_slice());

    rotate(&mut first, "credential").await;
    let created = create_credential(&mut first, "Two").await;
    let secret = b"sk-another-secret".to_vec().into();
    let replace = RotateCredentialRequest { id: created.id.clone(), secret, ..Default::default() };
    second.credentials.rotate_credential(replace).await.unwrap();

    let issue = IssueTokenRequest { name: "crypto".into(), role: "admin".into(), ..Default::default() };
    let bearer = Bearer::new(&first.tokens.issue_token(issue).await.unwrap().into_inner().secret).unwrap();
    let mut sealing = CryptoServiceClient::with_interceptor(one.channel().await, bearer.clone());
    let mut opening = CryptoServiceClient::with_interceptor(two.channel().await, bearer);
    create_key(&mut first, "gateway").await;
    let plain = EncryptRequest {
        key_id: "gateway".into(),
        plaintext: b"a value".to_vec().into(),
        ..Default::default()
    };
    let sealed = sealing.encrypt(plain).await.unwrap().into_inner().ciphertext;
    let sealed = DecryptRequest { key_id: "gateway".into(), ciphertext: sealed, ..Default::default() };
    let opened = opening.decrypt(sealed).await.unwrap().into_inner();
    assert_eq!(opened.plaintext, b"a value".as_slice());
}

#[tokio::test]
async fn two_vaults_on_one_database_follow_each_other() {
    let Some(database) = TestDb::postgres() else { return };
    let one = TestVault::with_clock(database, Arc::new(SystemClock)).await;
    let mut first = one.admin().await;
    let two = one.beside().await;
    let mut second = two.admin().await;
    within(Duration::from_secs(5), async || {
        second.credentials.list_credentials(ListCredentialsRequest::default()).await.ok()
    })
    .await;

    let new = rotate(&mut first, "credential").await;
    let created = create_credential(&mut first, "Sealed by the new version").await;
    // At once: a version that is not known yet is looked up.
    assert_eq!(reveal(&mut second, &created.id).await.unwrap(), b"sk-a-secret");
    let newer = rotate(&mut first, "credential").await;
    within(Duration::from_secs(5), async || {
        create_credential(&mut second, "Sealed by the other").await;
        census(&mut second, "credential").await.contains_key(&newer).then_some(())
    })
    .await;
    assert!(census(&mut second, "credential").await.contains_key(&new));

    let (joined, other) = tokio::join!(reencrypt(&mut first, 0), reencrypt(&mut second, 0));
    assert_eq!((joined.rows_left, other.rows_left), (0, 0));
    assert_eq!(census(&mut first, "credential").await.len(), 1);
}

#[tokio::test]
async fn the_root_key_is_changed_at_a_start() {
    for vault in TestVault::each().await {
        let mut admin = vault.admin().await;
        let created = create_credential(&mut admin, "One").await;
        create_key(&mut admin, "gateway").await;
        rotate(&mut admin, "credential").await;
        let config = vault.config();
        let current = config.root_key_file.clone().unwrap();
        let (old, other) = (current.with_file_name("old.key"), current.with_file_name("other.key"));
        std::fs::copy(&current, &old).unwrap();
        let new = RootKey::generate();
        strongroom_testkit::write_private(&current, new.to_text().as_bytes());
        strongroom_testkit::write_private(&other, RootKey::generate().to_text().as_bytes());
        vault.kill();

        let refusal = async |config| {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let serving = strongroom_vault::serve(config, listener, Arc::new(SystemClock), Shutdown::new());
            serving.await.unwrap_err().to_string()
        };
        let alone = refusal(config.clone()).await;
        assert!(alone.contains("not the one this vault was created with"), "{alone}");
        let foreign =
            strongroom_vault::VaultConfig { previous_root_key_files: vec![other], ..config.clone() };
        assert!(refusal(foreign).await.contains("not the one this vault was created with"));

        let both =
            strongroom_vault::VaultConfig { previous_root_key_files: vec![old.clone()], ..config.clone() };
        let shutdown = Shutdown::new();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let serving =
            tokio::spawn(strongroom_vault::serve(both, listener, Arc::new(SystemClock), shutdown.clone()));
        within(Duration::from_secs(5), async || {
            (vault.database.number("SELECT count(*) FROM root_keys") == 2).then_some(())
        })
        .await;
        shutdown.begin();
        serving.await.unwrap().unwrap();

        let next = vault.beside().await;
        let mut admin = next.admin().await;
        let secret =
            within(Duration::from_secs(5), async || reveal(&mut admin, &created.id).await.ok()).await;
        assert_eq!(secret, b"sk-a-secret");
        let ring = admin.keys.export_key_ring(ExportKeyRingRequest {}).await.unwrap().into_inner();
        assert_eq!(ring.root_key_id, new.id().to_string());
        assert!(ring.versions.iter().all(|version| version.root_key_id == ring.root_key_id));
        assert_eq!(events(&mut admin, "key.root_changed").await, ["key.root_changed"]);
        let old = strongroom_vault::VaultConfig { root_key_file: Some(old), ..config };
        assert!(refusal(old).await.contains("not the one this vault was created with"));
    }
}

#[tokio::test]
async fn bad_input_names_its_field() {
    let vault = TestVault::sqlite().await;
    let mut admin = vault.admin().await;
    create_key(&mut admin, "gateway").await;
    let long = "x".repeat(64);
    for key_id in ["", "Gateway", "-a", "a-", "1a", "a b", long.as_str()] {
        let request = CreateKeyRequest { key_id: key_id.into() };
        refused("key_id", &admin.keys.create_key(request).await.unwrap_err());
        let request = RotateKeyRequest { key_id: key_id.into() };
        refused("key_id", &admin.keys.rotate_key(request).await.unwrap_err());
    }
    let unknown = admin.keys.rotate_key(RotateKeyRequest { key_id: "unknown".into() }).await.unwrap_err();
    assert_eq!(reason_of(&unknown), "KEY_NOT_FOUND");
    for kid in ["", "xyz", "00000000000000FF", "00000000000000000"] {
        refused("kid", &disable(&mut admin, kid).await.unwrap_err());
        refused("kid", &destroy(&mut admin, kid).await.unwrap_err());
        let request = EnableKeyVersionRequest { kid: kid.into() };
        refused("kid", &admin.keys.enable_key_version(request).await.unwrap_err());
        let request = UndoDestroyKeyVersionRequest { kid: kid.into() };
        refused("kid", &admin.keys.undo_destroy_key_version(request).await.unwrap_err());
    }
    for seconds in [-1, 0, 3599, i64::MAX] {
        let after = Some(prost_types::Duration { seconds, nanos: 0 });
        let request = DestroyKeyVersionRequest { kid: "00000000000000ff".into(), after };
        refused("after", &admin.keys.destroy_key_version(request).await.unwrap_err());
    }
    let good = || ReportKeyCensusRequest {
        key_id: "gateway".into(),
        column: "t.c".into(),
        source: "gateway".into(),
        values: HashMap::new(),
        count_time: None,
    };
    let values = |kid: &str, count| HashMap::from([(kid.to_owned(), count)]);
    for (field, request) in [
        ("key_id", ReportKeyCensusRequest { key_id: "credential".into(), ..good() }),
        ("column", ReportKeyCensusRequest { column: "c".into(), ..good() }),
        ("source", ReportKeyCensusRequest { source: String::new(), ..good() }),
        ("values", ReportKeyCensusRequest { values: values("x", 1), ..good() }),
        ("values", ReportKeyCensusRequest { values: values("00000000000000ff", 1), ..good() }),
        ("values", ReportKeyCensusRequest { values: values("00000000000000ff", -1), ..good() }),
    ] {
        refused(field, &admin.keys.report_key_census(request).await.unwrap_err());
    }
    let request = ReencryptRequest { rows_per_second: -1 };
    refused("rows_per_second", &admin.keys.reencrypt(request).await.unwrap_err());
    let request = PinKeyVersionsRequest { archive_id: "a/b".into(), expire_time: None };
    refused("archive_id", &admin.keys.pin_key_versions(request).await.unwrap_err());
    let past = Some(prost_types::Timestamp::default());
    let request = PinKeyVersionsRequest { archive_id: "a".into(), expire_time: past };
    refused("expire_time", &admin.keys.pin_key_versions(request).await.unwrap_err());
    let request = NarrowKeyPinsRequest { archive_id: "a".into(), kids: vec!["x".into()], expire_time: None };
    refused("kids[0]", &admin.keys.narrow_key_pins(request).await.unwrap_err());
    let request = ApproveKeyRequestRequest { id: String::new() };
    refused("id", &admin.keys.approve_key_request(request).await.unwrap_err());
    let request = ApproveKeyRequestRequest { id: "nobodys".into() };
    let unknown = admin.keys.approve_key_request(request).await.unwrap_err();
    assert_eq!(reason_of(&unknown), "KEY_REQUEST_NOT_FOUND");
}

fn refused(field: &str, status: &Status) {
    assert_eq!(status.code(), Code::InvalidArgument, "{field}: {status}");
    assert!(status.message().starts_with(field), "{field}: {}", status.message());
}
