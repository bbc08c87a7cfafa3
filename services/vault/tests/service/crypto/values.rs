//! One value at a time.

use strongroom_api::vault::v1::{
    AuditOutcome, BatchGenerateDataKeyRequest, BatchRewrapRequest, CheckDecryptableRequest,
    GenerateDataKeyRequest,
};
use strongroom_crypto::State;
use strongroom_runtime::status::reason_of;
use strongroom_testkit::requests::credential;
use tonic::Code;

use super::fixture::Fixture;
use super::{decrypt, encrypt, invalid, item, own_value, refusal, rewrap, sealed};

#[tokio::test]
async fn values_come_back_and_what_opens_is_in_the_log() {
    for vault in Fixture::each().await {
        let mut clients = vault.admin().await;
        let primary = vault.versions.iter().find(|version| version.state == State::Primary).unwrap();
        let longest = vec![7; 65_536];
        for (plaintext, aad) in
            [(&b"secret"[..], &b"mcp_servers/bearer/1"[..]), (b"", b""), (&longest, &[255; 1024])]
        {
            let answer =
                clients.crypto.encrypt(encrypt("gateway", plaintext, aad)).await.unwrap().into_inner();
            assert_eq!(answer.kid, primary.kid.to_string());
            let request = decrypt("gateway", &answer.ciphertext, aad);
            let opened = clients.crypto.decrypt(request).await.unwrap().into_inner();
            assert_eq!((opened.plaintext.as_ref(), opened.kid), (plaintext, answer.kid));
        }
        let events = clients.events_in_order("crypto.*").await;
        let told: Vec<_> = events.iter().map(|event| (event.event.as_str(), event.target.as_str())).collect();
        assert_eq!(told, [("crypto.decrypted", "gateway"); 3], "encrypting tells nothing");
        assert_eq!(
            (events[0].metadata["count"].as_str(), events[0].metadata["failures"].as_str()),
            ("1", "0")
        );
        assert!(!format!("{events:?}").contains("secret"));
    }
}

#[tokio::test]
async fn a_value_opens_with_its_key_and_its_additional_data_only() {
    for vault in Fixture::each().await {
        let mut clients = vault.admin().await;
        let value = sealed(&mut clients, b"secret", b"row-1").await;
        for (key_id, aad) in
            [("gateway", &b"row-2"[..]), ("gateway", b""), ("gateway", b"726f772d31"), ("billing", b"row-1")]
        {
            let refused = clients.crypto.decrypt(decrypt(key_id, &value, aad)).await.unwrap_err();
            assert_eq!(refusal(&refused), invalid(), "{key_id} {aad:?}");
            let refused = clients.crypto.rewrap(rewrap(key_id, &value, aad)).await.unwrap_err();
            assert_eq!(refusal(&refused), invalid(), "{key_id} {aad:?}");
        }
        for text in
            ["srv1", "srv1.0000000000000000.AAAA", "hello", &value[..value.len() - 1], &format!("{value}=")]
        {
            let refused = clients.crypto.decrypt(decrypt("gateway", text, b"row-1")).await.unwrap_err();
            assert_eq!(refusal(&refused), invalid(), "{text}");
        }
        let events = clients.events_in_order("crypto.*").await;
        assert_eq!(events.len(), 13, "a guess is told too");
        assert!(events.iter().all(|event| event.metadata["failures"] == "1"));
    }
}

#[tokio::test]
async fn only_caller_keys_are_reached() {
    for vault in Fixture::each().await {
        let mut clients = vault.admin().await;
        let value = sealed(&mut clients, b"secret", b"").await;
        for (key_id, expected) in [
            ("credential", (Code::FailedPrecondition, "KEY_PURPOSE")),
            ("audit", (Code::FailedPrecondition, "KEY_PURPOSE")),
            ("page", (Code::FailedPrecondition, "KEY_PURPOSE")),
            ("signing", (Code::FailedPrecondition, "KEY_PURPOSE")),
            ("nobody", (Code::NotFound, "KEY_NOT_FOUND")),
        ] {
            let order = GenerateDataKeyRequest { key_id: key_id.into(), ..Default::default() };
            let refused = [
                clients.crypto.encrypt(encrypt(key_id, b"x", b"")).await.unwrap_err(),
                clients.crypto.decrypt(decrypt(key_id, &value, b"")).await.unwrap_err(),
                clients.crypto.rewrap(rewrap(key_id, &value, b"")).await.unwrap_err(),
                clients.crypto.generate_data_key(order).await.unwrap_err(),
            ];
            for refused in refused {
                assert_eq!(refusal(&refused), (expected.0, expected.1.to_owned()), "{key_id}");
            }
        }
        let events = clients.events_in_order("crypto.*").await;
        let denied = events.iter().filter(|event| event.outcome() == AuditOutcome::Denied);
        assert_eq!(denied.count(), 16, "encrypting too, once it is refused for want of a right");
    }
}

#[tokio::test]
async fn a_stored_credential_does_not_open_around_its_reveal() {
    for vault in Fixture::each().await {
        let mut clients = vault.admin().await;
        clients.create(credential("One")).await;
        let (id, stored) = own_value(&vault, "credentials");
        let place = format!("credentials/secret/{id}");
        for aad in ["", &id, &place, &hex::encode(&id)] {
            let refused =
                clients.crypto.decrypt(decrypt("gateway", &stored, aad.as_bytes())).await.unwrap_err();
            assert_eq!(refusal(&refused), invalid());
            let refused =
                clients.crypto.decrypt(decrypt("credential", &stored, aad.as_bytes())).await.unwrap_err();
            assert_eq!(reason_of(&refused), "KEY_PURPOSE");
        }
        let items = vec![item("credential", &stored, id.as_bytes()), item("credential", &stored, b"another")];
        let stream = tokio_stream::iter([CheckDecryptableRequest { items, ..Default::default() }]);
        let mut answers = clients.crypto.check_decryptable(stream).await.unwrap().into_inner();
        let verdicts = answers.message().await.unwrap().unwrap().verdicts;
        let told: Vec<_> =
            verdicts.iter().map(|verdict| (verdict.decryptable, verdict.reason.as_str())).collect();
        assert_eq!(told, [(true, ""), (false, "CIPHERTEXT_INVALID")]);
    }
}

#[tokio::test]
async fn versions_out_of_use_stay_closed() {
    for vault in Fixture::each().await {
        let mut clients = vault.admin().await;
        for state in [State::Disabled, State::Scheduled, State::Destroyed] {
            let value = vault.seal(state, b"aad", b"secret");
            let expected = (Code::FailedPrecondition, "KEY_VERSION_UNUSABLE".to_owned());
            let refused = clients.crypto.decrypt(decrypt("gateway", &value, b"aad")).await.unwrap_err();
            assert_eq!(refusal(&refused), expected, "{state}");
            let refused = clients.crypto.rewrap(rewrap("gateway", &value, b"aad")).await.unwrap_err();
            assert_eq!(refusal(&refused), expected, "{state}");
        }
    }
}

#[tokio::test]
async fn rewrap_carries_value_and_additional_data_to_the_primary_version() {
    for vault in Fixture::each().await {
        let mut clients = vault.admin().await;
        let old = vault.seal(State::DecryptOnly, b"aad", b"secret");
        let moved = clients.crypto.rewrap(rewrap("gateway", &old, b"aad")).await.unwrap().into_inner();
        assert!(moved.ciphertext.contains(&moved.kid) && !old.contains(&moved.kid));
        let request = decrypt("gateway", &moved.ciphertext, b"aad");
        assert_eq!(clients.crypto.decrypt(request).await.unwrap().into_inner().plaintext, "secret");

        let items = vec![rewrap("gateway", &moved.ciphertext, b"aad"), rewrap("gateway", &old, b"other")];
        let results =
            clients.crypto.batch_rewrap(BatchRewrapRequest { items }).await.unwrap().into_inner().results;
        assert_eq!(results[0].ciphertext, moved.ciphertext, "already there");
        assert_eq!(results[1].status.as_ref().unwrap().reason, "CIPHERTEXT_INVALID");
        let names: Vec<_> =
            clients.events_in_order("crypto.*").await.into_iter().map(|event| event.event).collect();
        assert_eq!(names, ["crypto.rewrapped", "crypto.decrypted", "crypto.rewrapped"]);
    }
}

#[tokio::test]
async fn data_keys_open_again() {
    for vault in Fixture::each().await {
        let mut clients = vault.admin().await;
        let order = GenerateDataKeyRequest { key_id: "gateway".into(), aad: "a".into(), sealed_only: false };
        let key = clients.crypto.generate_data_key(order.clone()).await.unwrap().into_inner();
        assert_eq!(key.plaintext.len(), 32);
        let request = decrypt("gateway", &key.ciphertext, b"a");
        assert_eq!(clients.crypto.decrypt(request).await.unwrap().into_inner().plaintext, key.plaintext);
        let sealed_only = GenerateDataKeyRequest { sealed_only: true, ..order.clone() };
        let request = BatchGenerateDataKeyRequest { items: vec![sealed_only, order] };
        let keys = clients.crypto.batch_generate_data_key(request).await.unwrap().into_inner().results;
        assert!(keys[0].plaintext.is_empty() && keys[1].plaintext.len() == 32);
        assert_ne!(keys[1].plaintext, key.plaintext);
        let request = decrypt("gateway", &keys[0].ciphertext, b"a");
        assert_eq!(clients.crypto.decrypt(request).await.unwrap().into_inner().plaintext.len(), 32);
    }
}
