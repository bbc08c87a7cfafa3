//! Bad input names its field.

use strongroom_api::vault::v1::{BatchEncryptRequest, SignManifestRequest};
use tonic::Code;

use super::fixture::Fixture;
use super::{decrypt, encrypt, refusal};

#[tokio::test]
async fn bad_input_names_its_field() {
    let vault = Fixture::sqlite().await;
    let mut clients = vault.admin().await;
    let long_key = "k".repeat(64);
    let long_text = "x".repeat(90_113);
    let refused = [
        ("key_id", clients.crypto.encrypt(encrypt("", b"", b"")).await.unwrap_err()),
        ("key_id", clients.crypto.encrypt(encrypt(&long_key, b"", b"")).await.unwrap_err()),
        ("plaintext", clients.crypto.encrypt(encrypt("gateway", &[0; 65_537], b"")).await.unwrap_err()),
        ("aad", clients.crypto.encrypt(encrypt("gateway", b"", &[0; 1025])).await.unwrap_err()),
        ("ciphertext", clients.crypto.decrypt(decrypt("gateway", "", b"")).await.unwrap_err()),
        ("ciphertext", clients.crypto.decrypt(decrypt("gateway", &long_text, b"")).await.unwrap_err()),
        ("aad", clients.crypto.decrypt(decrypt("gateway", "x", &[0; 1025])).await.unwrap_err()),
        ("items", clients.crypto.batch_encrypt(BatchEncryptRequest::default()).await.unwrap_err()),
        ("manifest", clients.crypto.sign_manifest(SignManifestRequest::default()).await.unwrap_err()),
    ];
    for (field, status) in refused {
        assert_eq!(refusal(&status), (Code::InvalidArgument, "INVALID_FIELD".into()), "{field}");
        assert!(status.message().starts_with(field), "{field}: {}", status.message());
    }
    let too_many = vec![encrypt("gateway", b"", b""); 1001];
    let too_long = vec![encrypt("gateway", &[0; 65_536], b"a"); 64];
    for items in [too_many, too_long] {
        let refused = clients.crypto.batch_encrypt(BatchEncryptRequest { items }).await.unwrap_err();
        assert!(refused.message().starts_with("items: has "), "{}", refused.message());
    }
    assert!(clients.events_in_order("crypto.*").await.is_empty(), "nothing was tried");
}
