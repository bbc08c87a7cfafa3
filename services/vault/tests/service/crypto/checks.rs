//! Whether values would open.

use strongroom_api::vault::v1::check_decryptable_request::Item;
use strongroom_api::vault::v1::{CheckDecryptableRequest, RotateCredentialRequest};
use strongroom_crypto::State;
use strongroom_testkit::requests::credential;
use tonic::Code;

use super::fixture::Fixture;
use super::{item, own_value, sealed};

#[tokio::test]
async fn checks_answer_in_order_and_show_nothing() {
    for vault in Fixture::each().await {
        let mut admin = vault.admin().await;
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
        let stream = tokio_stream::iter(
            [one, two].map(|items| CheckDecryptableRequest { items, ..Default::default() }),
        );
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
        let events = admin.events_in_order("crypto.*").await;
        let [event] = events.as_slice() else { panic!("one event per stream: {events:?}") };
        assert_eq!(event.event, "crypto.checked");
        assert_eq!((event.metadata["count"].as_str(), event.metadata["failures"].as_str()), ("7", "6"));

        let mut gateway = vault.with_role("gateway").await;
        let refused = gateway.crypto.check_decryptable(tokio_stream::iter([])).await.unwrap_err();
        assert_eq!(refused.code(), Code::PermissionDenied);
    }
}

#[tokio::test]
async fn the_vaults_own_values_are_checked_in_their_column_and_row() {
    for vault in Fixture::each().await {
        let mut admin = vault.admin().await;
        let id = admin.create(credential("One")).await.id;
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
        let stream = tokio_stream::iter([CheckDecryptableRequest { items, ..Default::default() }]);
        let mut service = vault.with_role("backup-service").await;
        let mut answers = service.crypto.check_decryptable(stream).await.unwrap().into_inner();
        let verdicts = answers.message().await.unwrap().unwrap().verdicts;
        let reasons: Vec<_> = verdicts.iter().map(|verdict| verdict.reason.as_str()).collect();
        assert_eq!(reasons, ["", "", "", "CIPHERTEXT_INVALID", "CIPHERTEXT_INVALID", "INVALID_FIELD"]);
    }
}
