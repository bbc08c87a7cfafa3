//! Callers' tokens go no further than this service: nothing that it sends to the vault contains one.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use sha2::{Digest as _, Sha256};
use strongroom_api::backup::v1::verify_backup_request::{Chunk, End, Header, Message};
use strongroom_api::backup::v1::{ExportBackupRequest, ListSourcesRequest, VerifyBackupRequest};
use strongroom_crypto::Token;
use tonic::Code;

use crate::support::{Client, FakeVault, Service, plain, receive};

#[tokio::test]
async fn no_callers_token_leaves_the_service_in_any_form() {
    let service = Service::usual("").await;
    let (caller, refused) = (Token::generate(), Token::generate());
    let permissions = ["backup.export", "backup.export_plain", "backup.verify", "source.list"];
    let mut client = service.client_of(&caller, &permissions);
    let archive = export(&mut client, plain()).await;
    export(&mut client, ExportBackupRequest::default()).await;
    verify(&mut client, &archive).await;
    client.list_sources(ListSourcesRequest {}).await.unwrap();
    let denied = service.client_of(&refused, &[]).list_sources(ListSourcesRequest {}).await;
    assert_eq!(denied.unwrap_err().code(), Code::PermissionDenied);

    let vault = &service.vault;
    for event in ["backup.exported", "backup.verified"] {
        assert_eq!(vault.wait_for(event).await.actor, format!("token:{}", caller.id()));
    }
    assert_eq!(vault.wait_for("access.denied").await.actor, format!("token:{}", refused.id()));
    assert_eq!(found(vault, &service.own_token()), ["text"], "what is sent is found");
    for token in [caller, refused] {
        assert_eq!(found(vault, &token), [""; 0]);
        assert!(vault.was_sent(&token.introspect_hash()), "it was asked about");
        assert!(!vault.was_sent(&token.hash()), "nor does its stored hash leave");
    }
}

async fn export(client: &mut Client, request: ExportBackupRequest) -> Vec<u8> {
    receive(client.export_backup(request).await.unwrap().into_inner()).await.unwrap().file
}

async fn verify(client: &mut Client, file: &[u8]) {
    let size = file.len() as i64;
    let header = Message::Header(Header { file_name: "a.zip".into(), size_bytes: size });
    let chunk = Message::Chunk(Chunk { number: 0, offset: 0, data: file.to_vec().into() });
    let end = Message::End(End { sha256: hex::encode(Sha256::digest(file)) });
    let messages = [header, chunk, end].map(|message| VerifyBackupRequest { message: Some(message) });
    let mut answers = client.verify_backup(tokio_stream::iter(messages)).await.unwrap().into_inner();
    while answers.message().await.unwrap().is_some() {}
}

/// The forms in which `vault` received the token's secret half.
fn found(vault: &FakeVault, token: &Token) -> Vec<&'static str> {
    let text = token.expose().as_bytes();
    // The prefix and the public id may leave the service.
    let secret = &text[16..44];
    let mut forms = vec![
        ("text", secret.to_vec()),
        ("reversed", secret.iter().rev().copied().collect()),
        ("hex", hex::encode(secret).into_bytes()),
        ("upper-case hex", hex::encode_upper(secret).into_bytes()),
    ];
    for before in 0..3 {
        for form in
            [STANDARD_NO_PAD.encode(shifted(secret, before)), URL_SAFE_NO_PAD.encode(shifted(secret, before))]
        {
            // The first and the last characters also encode bits of the neighbouring bytes.
            forms.push(("base64", form.as_bytes()[4..form.len() - 4].to_vec()));
        }
    }
    forms.retain(|(_, bytes)| vault.was_sent(bytes));
    forms.into_iter().map(|(form, _)| form).collect()
}

/// `bytes` after `before` other bytes, as inside a longer text.
fn shifted(bytes: &[u8], before: usize) -> Vec<u8> {
    [&vec![0; before][..], bytes].concat()
}
