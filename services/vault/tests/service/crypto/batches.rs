//! Batches: the order is kept, and each item fails alone.

use strongroom_api::vault::v1::{BatchDecryptRequest, BatchEncryptRequest};
use tonic::Code;

use super::fixture::Fixture;
use super::{decrypt, encrypt, sealed};

#[tokio::test]
async fn every_flipped_bit_is_refused() {
    let vault = Fixture::sqlite().await;
    let mut clients = vault.admin().await;
    let value = sealed(&mut clients, b"secret", b"aad").await;
    let mut items = Vec::new();
    // Not the highest bit: the result would not be UTF-8, which a proto string must be.
    for (at, bit) in (0..value.len()).flat_map(|at| (0..7).map(move |bit| (at, bit))) {
        let mut changed = value.clone().into_bytes();
        changed[at] ^= 1 << bit;
        items.push(decrypt("gateway", &String::from_utf8(changed).unwrap(), b"aad"));
    }
    items.push(decrypt("gateway", &value, b"aad"));
    let mut opened = 0;
    for items in items.chunks(1000) {
        let request = BatchDecryptRequest { items: items.to_vec() };
        for result in clients.crypto.batch_decrypt(request).await.unwrap().into_inner().results {
            let status = result.status.unwrap();
            opened += usize::from(status.code == 0);
            assert!(status.code == 0 || status.reason == "CIPHERTEXT_INVALID", "{}", status.reason);
            assert_eq!(status.code == 0, result.plaintext == "secret");
        }
    }
    assert_eq!(opened, 1, "the unchanged one");
}

#[tokio::test]
async fn a_bad_item_fails_alone_and_the_order_is_kept() {
    for vault in Fixture::each().await {
        let mut clients = vault.admin().await;
        let mut items: Vec<_> = (0..200).map(|n: u32| encrypt("gateway", &n.to_be_bytes(), b"a")).collect();
        items[7].key_id = "nobody".into();
        items[8].plaintext = Default::default();
        items[9].plaintext = vec![0; 65_537].into();
        items[10].key_id = "billing".into();
        let request = BatchEncryptRequest { items: items.clone() };
        let encrypted = clients.crypto.batch_encrypt(request).await.unwrap().into_inner().results;
        assert_eq!(encrypted.len(), 200);
        let reason = |at: usize| encrypted[at].status.as_ref().unwrap().reason.as_str();
        assert_eq!((reason(6), reason(7), reason(8), reason(9)), ("", "KEY_NOT_FOUND", "", "INVALID_FIELD"));
        let status = encrypted[9].status.as_ref().unwrap();
        assert_eq!(status.code, i32::from(Code::InvalidArgument));
        assert!(status.message.starts_with("plaintext: "), "{}", status.message);

        let back = items
            .iter()
            .zip(&encrypted)
            .map(|(item, sealed)| decrypt(&item.key_id, &sealed.ciphertext, b"a"));
        let request = BatchDecryptRequest { items: back.collect() };
        let decrypted = clients.crypto.batch_decrypt(request).await.unwrap().into_inner().results;
        for (at, (item, result)) in items.iter().zip(&decrypted).enumerate() {
            let ok = result.status.as_ref().unwrap().code == 0;
            assert_eq!(ok, !matches!(at, 7 | 9), "{at}");
            assert!(!ok || result.plaintext == item.plaintext, "{at}");
        }
        let events = clients.events_in_order("crypto.*").await;
        let [event] = events.as_slice() else { panic!("one event per batch: {events:?}") };
        assert_eq!((event.metadata["count"].as_str(), event.metadata["failures"].as_str()), ("200", "2"));
        assert_eq!(event.metadata["keys"], r#"{"billing":1,"gateway":198}"#);
    }
}
