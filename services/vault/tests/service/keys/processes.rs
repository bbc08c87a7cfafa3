//! Several processes on one database follow each other.

use std::sync::Arc;

use strongroom_api::vault::v1::{
    DecryptRequest, EncryptRequest, ListCredentialsRequest, RotateCredentialRequest,
};
use strongroom_runtime::SystemClock;
use strongroom_testkit::TestDb;
use strongroom_testkit::requests::binding;

use super::{FOLLOWED, SECRET, census, create_key, reencrypt, rotate, with_secret};
use crate::support::{TestVault, eventually, within};

/// Two processes on one PostgreSQL database; both serve.
async fn pair() -> Option<[TestVault; 2]> {
    let one = TestVault::with_clock(TestDb::postgres()?, Arc::new(SystemClock)).await;
    one.admin_token().await;
    let two = one.beside().await;
    let mut second = two.admin().await;
    eventually(async || second.credentials.list_credentials(ListCredentialsRequest::default()).await.ok())
        .await;
    Some([one, two])
}

/// Each kind of call follows a rotation of its own, because the version is known after the first reload of the ring.
#[tokio::test]
async fn what_another_process_has_just_sealed_opens_on_every_way_out() {
    let Some([one, two]) = pair().await else { return };
    let (mut first, mut second) = (one.admin().await, two.admin().await);

    rotate(&mut first, "credential").await;
    let created = first.create(with_secret("One")).await;
    first.bind(binding("endpoint", "chat", &created.id)).await.unwrap();
    assert_eq!(second.resolve("chat").await.unwrap().0, SECRET);

    rotate(&mut first, "credential").await;
    let created = first.create(with_secret("Two")).await;
    let secret = b"sk-another-secret".to_vec().into();
    let replace = RotateCredentialRequest { id: created.id.clone(), secret, ..Default::default() };
    second.credentials.rotate_credential(replace).await.unwrap();

    create_key(&mut first, "gateway").await;
    let plain = EncryptRequest {
        key_id: "gateway".into(),
        plaintext: b"a value".to_vec().into(),
        ..Default::default()
    };
    let sealed = first.crypto.encrypt(plain).await.unwrap().into_inner().ciphertext;
    let sealed = DecryptRequest { key_id: "gateway".into(), ciphertext: sealed, ..Default::default() };
    let opened = second.crypto.decrypt(sealed).await.unwrap().into_inner();
    assert_eq!(opened.plaintext, b"a value".as_slice());
}

#[tokio::test]
async fn two_vaults_on_one_database_follow_each_other() {
    let Some([one, two]) = pair().await else { return };
    let (mut first, mut second) = (one.admin().await, two.admin().await);

    let new = rotate(&mut first, "credential").await;
    let created = first.create(with_secret("Sealed by the new version")).await;
    // Works at once: an unknown version is looked up.
    assert_eq!(second.reveal(&created.id).await.unwrap(), SECRET);
    let newer = rotate(&mut first, "credential").await;
    within(FOLLOWED, async || {
        second.create(with_secret("Sealed by the other")).await;
        census(&mut second, "credential").await.contains_key(&newer).then_some(())
    })
    .await;
    assert!(census(&mut second, "credential").await.contains_key(&new));

    let (joined, other) = tokio::join!(reencrypt(&mut first, 0), reencrypt(&mut second, 0));
    assert_eq!((joined.rows_left, other.rows_left), (0, 0));
    assert_eq!(census(&mut first, "credential").await.len(), 1);
}
