//! `CryptoService` from outside, on both databases.
#![expect(clippy::unwrap_used, reason = "tests")]

mod fixture;

use sha2::{Digest as _, Sha256};
use strongroom_api::vault::v1::check_decryptable_request::Item;
use strongroom_api::vault::v1::{
    BatchDecryptRequest, BatchEncryptRequest, BatchGenerateDataKeyRequest, BatchRewrapRequest,
    CheckDecryptableRequest, CreateCredentialRequest, DecryptRequest, EncryptRequest,
    ExportSigningKeyRequest, GenerateDataKeyRequest, RewrapRequest, RotateCredentialRequest,
    SignManifestRequest,
};
use strongroom_crypto::{SignatureDomain, State, verify};
use strongroom_runtime::status::reason_of;
use tonic::{Code, Status};

use fixture::{Clients, Fixture};

fn encrypt(key_id: &str, plaintext: &[u8], aad: &[u8]) -> EncryptRequest {
    EncryptRequest { key_id: key_id.into(), plaintext: plaintext.to_vec().into(), aad: aad.to_vec().into() }
}

fn decrypt(key_id: &str, ciphertext: &str, aad: &[u8]) -> DecryptRequest {
    DecryptRequest { key_id: key_id.into(), ciphertext: ciphertext.into(), aad: aad.to_vec().into() }
}

fn rewrap(key_id: &str, ciphertext: &str, aad: &[u8]) -> RewrapRequest {
    RewrapRequest { key_id: key_id.into(), ciphertext: ciphertext.into(), aad: aad.to_vec().into() }
}

fn item(key_id: &str, ciphertext: &str, aad: &[u8]) -> Item {
    let aad = aad.to_vec().into();
    Item { key_id: key_id.into(), ciphertext: ciphertext.into(), aad, column: String::new() }
}

async fn sealed(clients: &mut Clients, plaintext: &[u8], aad: &[u8]) -> String {
    let request = encrypt("gateway", plaintext, aad);
    clients.crypto.encrypt(request).await.unwrap().into_inner().ciphertext
}

/// Code and reason of a refusal.
fn refusal(status: &Status) -> (Code, String) {
    (status.code(), reason_of(status))
}

fn invalid() -> (Code, String) {
    (Code::InvalidArgument, "CIPHERTEXT_INVALID".into())
}

#[tokio::test]
async fn values_come_back_and_what_opens_is_in_the_log() {
    for vault in Fixture::each().await {
        let mut clients = vault.admin();
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
        let events = clients.events().await;
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
        let mut clients = vault.admin();
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
        let events = clients.events().await;
        assert_eq!(events.len(), 13, "a guess is told too");
        assert!(events.iter().all(|event| event.metadata["failures"] == "1"));
    }
}

#[tokio::test]
async fn only_caller_keys_are_reached() {
    for vault in Fixture::each().await {
        let mut clients = vault.admin();
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
        let events = clients.events().await;
        let denied =
            events.iter().filter(|event| event.outcome() == strongroom_api::vault::v1::AuditOutcome::Denied);
        assert_eq!(denied.count(), 16, "encrypting too, once it is refused for want of a right");
    }
}

#[tokio::test]
async fn a_stored_credential_does_not_open_around_its_reveal() {
    for vault in Fixture::each().await {
        let mut clients = vault.admin();
        let request = CreateCredentialRequest {
            display_name: "One".into(),
            provider: "openai".into(),
            secret: "sk-hidden".into(),
            ..Default::default()
        };
        let created = clients.credentials.create_credential(request).await.unwrap().into_inner();
        let id = created.credential.unwrap().id;
        let stored = stored_secret(&vault).await;
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
        let stream = tokio_stream::iter([CheckDecryptableRequest { items }]);
        let mut answers = clients.crypto.check_decryptable(stream).await.unwrap().into_inner();
        let verdicts = answers.message().await.unwrap().unwrap().verdicts;
        let told: Vec<_> =
            verdicts.iter().map(|verdict| (verdict.decryptable, verdict.reason.as_str())).collect();
        assert_eq!(told, [(true, ""), (false, "CIPHERTEXT_INVALID")]);
    }
}

async fn stored_secret(vault: &Fixture) -> String {
    let sql = "SELECT secret FROM credentials";
    match vault.database.url().engine() {
        strongroom_store::Engine::Sqlite(path) => {
            let pools = strongroom_store::open_sqlite(path).await.unwrap();
            sqlx::query_scalar(sql).fetch_one(&pools.readers).await.unwrap()
        }
        strongroom_store::Engine::Postgres(options) => {
            let pool = strongroom_store::open_postgres(options).await.unwrap();
            sqlx::query_scalar(sql).fetch_one(&pool).await.unwrap()
        }
    }
}

#[tokio::test]
async fn every_flipped_bit_is_refused() {
    let vault = Fixture::sqlite().await;
    let mut clients = vault.admin();
    let value = sealed(&mut clients, b"secret", b"aad").await;
    let mut items = Vec::new();
    // The highest bit would leave UTF-8, which no proto string does.
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
        let mut clients = vault.admin();
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
        let events = clients.events().await;
        let [event] = events.as_slice() else { panic!("one event a batch: {events:?}") };
        assert_eq!((event.metadata["count"].as_str(), event.metadata["failures"].as_str()), ("200", "2"));
        assert_eq!(event.metadata["keys"], r#"{"billing":1,"gateway":198}"#);
    }
}

#[tokio::test]
async fn versions_out_of_use_stay_closed() {
    for vault in Fixture::each().await {
        let mut clients = vault.admin();
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
        let mut clients = vault.admin();
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
        let names: Vec<_> = clients.events().await.into_iter().map(|event| event.event).collect();
        assert_eq!(names, ["crypto.rewrapped", "crypto.decrypted", "crypto.rewrapped"]);
    }
}

#[tokio::test]
async fn data_keys_open_again() {
    for vault in Fixture::each().await {
        let mut clients = vault.admin();
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

#[tokio::test]
async fn checks_answer_in_order_and_show_nothing() {
    for vault in Fixture::each().await {
        let mut admin = vault.admin();
        let good = sealed(&mut admin, b"secret", b"a").await;
        let disabled = vault.seal(State::Disabled, b"a", b"secret");
        let one = vec![
            item("gateway", &good, b"a"),
            item("gateway", &good, b"b"),
            item("gateway", &disabled, b"a"),
        ];
        let unknown = good.replacen(&good[5..21], "00000000000000aa", 1);
        let two = vec![
            item("nobody", &good, b"a"),
            item("audit", &good, b"a"),
            item("gateway", "x", b"a"),
            item("gateway", &unknown, b"a"),
        ];
        let stream = tokio_stream::iter([one, two].map(|items| CheckDecryptableRequest { items }));
        let mut service = vault.with_role("backup-service").await;
        let mut answers = service.crypto.check_decryptable(stream).await.unwrap().into_inner();
        let mut verdicts = Vec::new();
        while let Some(answer) = answers.message().await.unwrap() {
            verdicts.extend(answer.verdicts);
        }
        let reasons: Vec<_> = verdicts.iter().map(|verdict| verdict.reason.as_str()).collect();
        let expected = [
            "",
            "CIPHERTEXT_INVALID",
            "KEY_VERSION_UNUSABLE",
            "KEY_NOT_FOUND",
            "KEY_PURPOSE",
            "CIPHERTEXT_INVALID",
            "KEY_VERSION_NOT_FOUND",
        ];
        assert_eq!(reasons, expected);
        assert!(verdicts[0].decryptable && !verdicts[1].decryptable);
        assert!(good.contains(&verdicts[0].kid) && verdicts[5].kid.is_empty());
        let events = admin.events().await;
        let [event] = events.as_slice() else { panic!("one event a stream: {events:?}") };
        assert_eq!(event.event, "crypto.checked");
        assert_eq!((event.metadata["count"].as_str(), event.metadata["failures"].as_str()), ("7", "6"));

        let mut gateway = vault.with_role("gateway").await;
        let refused = gateway.crypto.check_decryptable(tokio_stream::iter([])).await.unwrap_err();
        assert_eq!(refused.code(), Code::PermissionDenied);
    }
}

/// `secret` of the only row of a table of the vault, with its id.
fn own_value(vault: &Fixture, table: &str) -> (String, String) {
    let text = |column: &str| vault.database.text(&format!("SELECT {column} FROM {table}"));
    (text("id"), text("secret"))
}

#[tokio::test]
async fn the_vaults_own_values_are_checked_in_their_column_and_row() {
    for vault in Fixture::each().await {
        let mut admin = vault.admin();
        let new = CreateCredentialRequest {
            display_name: "One".into(),
            provider: "openai".into(),
            secret: "first".into(),
            ..Default::default()
        };
        let id = admin.credentials.create_credential(new).await.unwrap().into_inner().credential.unwrap().id;
        let rotation = RotateCredentialRequest { id, secret: "second".into(), ..Default::default() };
        admin.credentials.rotate_credential(rotation).await.unwrap();
        let (id, current) = own_value(&vault, "credentials");
        let (version, previous) = own_value(&vault, "credential_versions");
        let own = |column: &str, ciphertext: &str, row: &str| Item {
            column: column.into(),
            ..item("credential", ciphertext, row.as_bytes())
        };
        let items = vec![
            own("", &current, &id),
            own("credentials.secret", &current, &id),
            own("credential_versions.secret", &previous, &version),
            own("credential_versions.secret", &current, &id),
            own("credentials.secret", &previous, &id),
            own("api_tokens.hash", &current, &id),
        ];
        let stream = tokio_stream::iter([CheckDecryptableRequest { items }]);
        let mut service = vault.with_role("backup-service").await;
        let mut answers = service.crypto.check_decryptable(stream).await.unwrap().into_inner();
        let verdicts = answers.message().await.unwrap().unwrap().verdicts;
        let reasons: Vec<_> = verdicts.iter().map(|verdict| verdict.reason.as_str()).collect();
        assert_eq!(reasons, ["", "", "", "CIPHERTEXT_INVALID", "CIPHERTEXT_INVALID", "INVALID_FIELD"]);
    }
}

#[tokio::test]
async fn a_manifest_is_signed_and_verified_without_the_vault() {
    for vault in Fixture::each().await {
        let mut service = vault.with_role("backup-service").await;
        let request = SignManifestRequest { manifest: "{}".into(), ..SignManifestRequest::default() };
        let signed = service.crypto.sign_manifest(request.clone()).await.unwrap().into_inner();
        let keys =
            service.crypto.export_signing_key(ExportSigningKeyRequest {}).await.unwrap().into_inner().keys;
        let [key] = keys.as_slice() else { panic!("one key: {keys:?}") };
        assert!(key.primary && key.kid == signed.kid);
        let public = hex::decode(&key.public_key).unwrap().try_into().unwrap();
        let signature = signed.signature.as_ref().try_into().unwrap();
        verify(&public, SignatureDomain::ArchiveManifest, b"{}", &signature).unwrap();
        assert!(verify(&public, SignatureDomain::ArchiveManifest, b"{ }", &signature).is_err());
        assert_eq!(vault.admin().events().await[0].event, "crypto.manifest_signed");

        // One that is too long to be sent: the signature is about its digest anyway.
        let sha256 = Sha256::digest(b"{}").to_vec().into();
        let digest = SignManifestRequest { sha256, ..SignManifestRequest::default() };
        let by_digest = service.crypto.sign_manifest(digest.clone()).await.unwrap().into_inner();
        assert_eq!(by_digest, signed);
        for event in &vault.admin().events().await[..2] {
            assert_eq!(event.metadata["sha256"], format!("{:?}", hex::encode(&digest.sha256)));
        }
        let both = SignManifestRequest { manifest: "{}".into(), ..digest };
        let refused = service.crypto.sign_manifest(both).await.unwrap_err();
        assert_eq!(refused.message(), "sha256: must not be given beside manifest");

        let mut creator = vault.with_role("backup-creator").await;
        assert_eq!(creator.crypto.sign_manifest(request).await.unwrap_err().code(), Code::PermissionDenied);
    }
}

#[tokio::test]
async fn bad_input_names_its_field() {
    let vault = Fixture::sqlite().await;
    let mut clients = vault.admin();
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
    assert!(clients.events().await.is_empty(), "nothing was tried");
}
