//! Two processes on one PostgreSQL: readers of one process see a restore through the other as a single moment.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use strongroom_api::source::v1::RestoreMode;
use strongroom_api::vault::v1::{
    BindReferenceRequest, DeleteCredentialRequest, ExportKeyRingRequest, GetCredentialStatsRequest,
    ListCredentialsRequest, RotateCredentialRequest,
};
use strongroom_runtime::SystemClock;
use strongroom_testkit::TestDb;
use strongroom_testkit::requests::{CredentialBuilder as _, binding, credential, secret_of};
use tokio::task::{JoinHandle, JoinSet};

use super::{Archive, Restore, verified};
use crate::support::{Clients, TestVault, eventually, within};

/// Time within which every process follows another one's change.
const FOLLOWED: Duration = Duration::from_secs(5);
/// Interval between two looks.
const MOMENT: Duration = Duration::from_millis(5);
/// Number of credentials of each kind.
const EACH: usize = 60;

fn rounds() -> usize {
    if std::env::var_os("STRONGROOM_LONG").is_some() { 40 } else { 8 }
}

/// Another process on the database of `one`, once it serves.
async fn beside(one: &TestVault) -> TestVault {
    one.admin_token().await;
    let two = one.beside().await;
    let mut second = two.admin().await;
    eventually(async || second.credentials.list_credentials(ListCredentialsRequest::default()).await.ok())
        .await;
    two
}

/// A reference whose own credential is inactive, so it resolves to its fallback.
fn falling_back(own: &str, other: &str) -> BindReferenceRequest {
    let fallback_credential_ids = vec![other.to_owned()];
    BindReferenceRequest { fallback_credential_ids, ..binding("endpoint", "falls-back", own) }
}

/// Makes an archive; then rotates, deletes and creates credentials, and binds references to new ones. Also returns the
/// ids of the archive's credentials that were rotated or deleted.
async fn scene(admin: &mut Clients, vault: &TestVault) -> (Archive, Vec<String>) {
    let (mut rotated, mut deleted) = (Vec::new(), Vec::new());
    for number in 0..EACH {
        rotated.push(admin.create(credential(&format!("rotated {number}"))).await.id);
        let gone = credential(&format!("deleted {number}")).provider("gone");
        deleted.push(admin.create(gone).await.id);
    }
    let off = admin.create(credential("off")).await.id;
    admin.deactivate(&off).await;
    admin.bind(falling_back(&off, &deleted[0])).await.unwrap();
    admin.bind(binding("endpoint", "direct", &deleted[1])).await.unwrap();
    let archive = Archive::of(vault).await;
    let mut made = Vec::new();
    for number in 0..EACH {
        made.push(admin.create(credential(&format!("made {number}")).provider("made")).await.id);
    }
    admin.bind(falling_back(&off, &made[0])).await.unwrap();
    admin.bind(binding("endpoint", "direct", &made[1])).await.unwrap();
    for (rotated, deleted) in rotated.iter().zip(&deleted) {
        let rotate = RotateCredentialRequest {
            id: rotated.clone(),
            secret: "sk-rotated".into(),
            ..Default::default()
        };
        admin.credentials.rotate_credential(rotate).await.unwrap();
        let delete = DeleteCredentialRequest { id: deleted.clone(), ..Default::default() };
        admin.credentials.delete_credential(delete).await.unwrap();
    }
    (archive, [rotated, deleted].concat())
}

/// All credentials as one text, which is equal for equal rows.
async fn listed(clients: &mut Clients) -> String {
    let request = ListCredentialsRequest { page_size: 1_000, ..Default::default() };
    let page = clients.credentials.list_credentials(request).await.unwrap().into_inner();
    let of = |credential: &strongroom_api::vault::v1::Credential| {
        let counts: Vec<_> = credential.reference_counts.iter().collect();
        let previous = credential.previous_expire_time.is_some();
        format!("{} {:?} {counts:?} {previous}", credential.id, credential.secret_time)
    };
    page.credentials.iter().map(of).collect::<Vec<_>>().join("\n")
}

async fn counted(clients: &mut Clients) -> String {
    let answer = clients.credentials.get_credential_stats(GetCredentialStatsRequest {}).await;
    format!("{:?}", answer.unwrap().into_inner())
}

async fn resolved(clients: &mut Clients, endpoint: &str) -> String {
    format!("{:?}", clients.resolve(endpoint).await.unwrap())
}

/// A kind of read, which may only see the state before the restore or the state after it.
#[derive(Clone, Copy)]
enum Look {
    List,
    Stats,
    Direct,
    FallsBack,
    Reveal,
}

impl Look {
    const ALL: [Self; 5] = [Self::List, Self::Stats, Self::Direct, Self::FallsBack, Self::Reveal];

    /// Maximum number of concurrent looks: for the kind that takes two statements, enough to span the whole restore.
    fn at_once(self) -> usize {
        if matches!(self, Self::FallsBack) { 60 } else { 10 }
    }

    async fn at(self, clients: &mut Clients, rotated: &str) -> String {
        match self {
            Self::List => listed(clients).await,
            Self::Stats => counted(clients).await,
            Self::Direct => resolved(clients, "direct").await,
            Self::FallsBack => resolved(clients, "falls-back").await,
            Self::Reveal => clients.reveal(rotated).await.unwrap(),
        }
    }
}

/// Looks until `is_over`, and returns everything that was seen. A new look begins every few moments, because a look
/// that waits for the restore does not see its commit.
fn watch(
    look: Look,
    clients: Clients,
    rotated: String,
    is_over: &Arc<AtomicBool>,
) -> JoinHandle<BTreeSet<String>> {
    let is_over = Arc::clone(is_over);
    tokio::spawn(async move {
        let (mut seen, mut looking) = (BTreeSet::new(), JoinSet::new());
        let mut clock = tokio::time::interval(MOMENT);
        while !is_over.load(Ordering::SeqCst) {
            clock.tick().await;
            let (mut clients, rotated) = (clients.clone(), rotated.clone());
            if looking.len() < look.at_once() {
                looking.spawn(async move { look.at(&mut clients, &rotated).await });
            }
            while let Some(looked) = looking.try_join_next() {
                seen.insert(looked.unwrap());
            }
        }
        while let Some(looked) = looking.join_next().await {
            seen.insert(looked.unwrap());
        }
        seen
    })
}

async fn all(clients: &mut Clients, rotated: &str) -> Vec<String> {
    let mut all = Vec::new();
    for look in Look::ALL {
        all.push(look.at(clients, rotated).await);
    }
    all
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn readers_of_another_process_see_a_restore_as_one_moment() {
    let Some(database) = TestDb::postgres() else { return };
    let one = TestVault::with_clock(database, Arc::new(SystemClock)).await;
    let two = beside(&one).await;
    let (mut admin, mut reader) = (one.admin().await, two.admin().await);
    let (archive, ids) = scene(&mut admin, &one).await;
    let revived: Vec<&str> = ids.iter().map(String::as_str).collect();
    let old = all(&mut reader, &ids[0]).await;
    let is_over = Arc::<AtomicBool>::default();
    let mut watching = Vec::new();
    for look in Look::ALL {
        watching.push(watch(look, two.admin().await, ids[0].clone(), &is_over));
    }
    let mut new = Vec::new();
    for _ in 0..rounds() {
        let mut restore = Restore::of(&archive, &one, RestoreMode::Replace).await.reviving(&revived);
        let _ = restore.done().await;
        new = all(&mut reader, &ids[0]).await;
        let _ = restore.roll_back(false).await.unwrap();
        assert_eq!(all(&mut reader, &ids[0]).await, old);
    }
    is_over.store(true, Ordering::SeqCst);
    for ((watching, old), new) in watching.into_iter().zip(&old).zip(&new) {
        let seen = watching.await.unwrap();
        assert_ne!(old, new);
        let mixed: Vec<&String> = seen.iter().filter(|seen| *seen != old && *seen != new).collect();
        assert!(mixed.is_empty(), "neither before nor after:\n{}\nbefore:\n{old}\nafter:\n{new}", mixed[0]);
    }
    assert!(new[4].starts_with(&secret_of("")), "{new:?}");
    verified(&mut admin).await;
}

#[tokio::test]
async fn the_other_process_follows_what_a_restore_makes_of_the_deployment() {
    let Some(database) = TestDb::postgres() else { return };
    let lost = TestVault::with_clock(database, Arc::new(SystemClock)).await;
    let mut before = lost.admin().await;
    let id = before.create(credential("One")).await.id;
    let archive = Archive::of(&lost).await;
    let one = lost.new_like(&lost.root_key(), &[]).await;
    let two = beside(&one).await;
    let mut restore = Restore::of(&archive, &one, RestoreMode::IntoEmpty).await;
    let _ = restore.done().await;
    let mut reader = two.admin().await;
    // Works at once: an unknown version is looked up.
    assert_eq!(reader.reveal(&id).await.unwrap(), secret_of("One"));
    deployment_is(&mut reader, &archive.identity.deployment_id).await;
    let other = one.database.text("SELECT previous_deployment FROM restore_stages");
    let _ = restore.roll_back(false).await.unwrap();
    deployment_is(&mut reader, &other).await;
}

async fn deployment_is(clients: &mut Clients, expected: &str) {
    within(FOLLOWED, async || {
        let request = ExportKeyRingRequest { kids: Vec::new() };
        let ring = clients.keys.export_key_ring(request).await.ok()?.into_inner();
        (ring.deployment_id == expected).then_some(())
    })
    .await;
}

/// Both change the row of the ring and append to the log; they must lock these in the same order.
#[tokio::test]
async fn a_change_of_a_key_and_an_adoption_do_not_wait_for_each_other() {
    let Some(database) = TestDb::postgres() else { return };
    let lost = TestVault::with_clock(database, Arc::new(SystemClock)).await;
    let id = lost.admin().await.create(credential("One")).await.id;
    let archive = Archive::of(&lost).await;
    let new = lost.new_like(&lost.root_key(), &[]).await;
    // After this, the ring lacks nothing, so this commit itself merges no keys.
    let mut first = Restore::of(&archive, &new, RestoreMode::IntoEmpty).await;
    let _ = first.done().await;
    let _ = first.roll_back(false).await.unwrap();
    let mut restore = Restore::of(&archive, &new, RestoreMode::IntoEmpty).await;
    let _ = restore.stage().await.unwrap();
    let (database, key_change) = (
        Arc::clone(&new.database),
        "BEGIN; SELECT 1 FROM audit_head FOR UPDATE; SELECT pg_sleep(2);
         UPDATE key_ring SET revision = revision WHERE id = 1; COMMIT",
    );
    let changing = tokio::task::spawn_blocking(move || database.is_accepted(key_change));
    tokio::time::sleep(Duration::from_secs(1)).await;
    let _ = restore.commit().await.unwrap();
    assert!(changing.await.unwrap(), "the server has ended one of the two");
    assert_eq!(restore.admin.reveal(&id).await.unwrap(), secret_of("One"));
}
