//! Every method that a narrowed token can call, with the objects that it shows. An object outside the selection must
//! look like one that does not exist. A new method fails here until it is decided what it shows.

use std::fmt::Debug;

use strongroom_api::vault::v1 as proto;
use strongroom_testkit::requests::{TokenBuilder as _, binding, credential, reveal, token};
use tonic::{Response, Status};

use super::model::Selection;
use crate::methods;
use crate::support::{Clients, TestVault};
use Sees::{Credentials, Keys, Nothing, Own, References};

/// The objects that a method shows to a narrowed token.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Sees {
    /// Credentials of its selection.
    Credentials,
    /// References of its selection; their credentials are inside it too.
    References,
    /// Caller keys of its selection.
    Keys,
    /// Its own selection.
    Own,
    /// Nothing that a selector could select.
    Nothing,
}

#[rustfmt::skip]
const SEES: &[(&str, Sees)] = &[
    ("vault.v1.CredentialService/ActivateCredential", Credentials),
    ("vault.v1.CredentialService/CreateCredential", Own),
    ("vault.v1.CredentialService/DeactivateCredential", Credentials),
    ("vault.v1.CredentialService/DeleteCredential", Credentials),
    ("vault.v1.CredentialService/GetCredential", Credentials),
    ("vault.v1.CredentialService/GetCredentialStats", Credentials),
    ("vault.v1.CredentialService/ListCredentials", Credentials),
    ("vault.v1.CredentialService/RevealCredential", Credentials),
    ("vault.v1.CredentialService/RollbackCredential", Credentials),
    ("vault.v1.CredentialService/RotateCredential", Credentials),
    ("vault.v1.CredentialService/UpdateCredential", Credentials),
    ("vault.v1.CryptoService/BatchDecrypt", Keys),
    ("vault.v1.CryptoService/BatchEncrypt", Keys),
    ("vault.v1.CryptoService/BatchGenerateDataKey", Keys),
    ("vault.v1.CryptoService/BatchRewrap", Keys),
    ("vault.v1.CryptoService/Decrypt", Keys),
    ("vault.v1.CryptoService/Encrypt", Keys),
    ("vault.v1.CryptoService/ExportSigningKey", Nothing),
    ("vault.v1.CryptoService/GenerateDataKey", Keys),
    ("vault.v1.CryptoService/Rewrap", Keys),
    ("vault.v1.ReferenceService/BindReference", References),
    ("vault.v1.ReferenceService/ListReferences", References),
    ("vault.v1.ReferenceService/ReassignReferences", References),
    ("vault.v1.ReferenceService/ReleaseReference", References),
    ("vault.v1.ReferenceService/ResolveReference", References),
    ("vault.v1.TokenService/IssueToken", Own),
    ("vault.v1.TokenService/RenewToken", Own),
    ("status.v1.StatusService/GetStatus", Nothing),
];

#[test]
fn every_method_that_a_narrowed_token_may_call_is_here() {
    let here: Vec<_> = SEES.iter().map(|(method, _)| *method).collect();
    assert_eq!(here, methods::bound().collect::<Vec<_>>());
}

/// The names in a request: either all are outside the selection, or none of them exists.
#[derive(Clone)]
struct Named {
    credential: String,
    consumer: String,
    key: &'static str,
    ciphertext: String,
}

impl Named {
    /// Replaces the names, so that a text about objects outside the selection equals the text about objects that do not
    /// exist.
    fn hidden(&self, said: &str) -> String {
        let said = said.replace(&self.credential, "ID").replace(&self.consumer, "CONSUMER");
        said.replace(&format!("\"{}\"", self.key), "\"KEY\"").replace(&format!(" {};", self.key), " KEY;")
    }
}

/// Selections with one, two or three sorts of selectors. No selection includes credentials labelled `env=production`.
fn selections() -> Vec<Selection> {
    let staging = Selection { envs: vec!["staging"], ..Selection::default() };
    let every = Selection { kinds: vec!["*"], ..Selection::default() };
    let key = Selection { keys: vec!["ours"], ..Selection::default() };
    let pair = Selection { kinds: vec!["*"], ..staging.clone() };
    let all = Selection { keys: vec!["ours"], ..pair.clone() };
    vec![staging, every, key, pair, all]
}

#[tokio::test]
async fn what_is_outside_cannot_be_told_from_what_does_not_exist() {
    for vault in TestVault::each_standing().await {
        let mut admin = vault.admin().await;
        for key in ["ours", "theirs"] {
            admin.keys.create_key(proto::CreateKeyRequest { key_id: key.into() }).await.unwrap();
        }
        let labels = [("env".to_owned(), "production".to_owned())].into();
        let outside =
            admin.create(proto::CreateCredentialRequest { labels, ..credential("outside") }).await.id;
        admin.bind(binding("endpoint", "their-consumer", &outside)).await.unwrap();
        let seal = proto::EncryptRequest { key_id: "theirs".into(), ..Default::default() };
        let ciphertext = admin.crypto.encrypt(seal).await.unwrap().into_inner().ciphertext;
        let named =
            Named { credential: outside, consumer: "their-consumer".into(), key: "theirs", ciphertext };
        let absent = Named {
            credential: "0190a1b2-0000-7000-8000-000000000000".into(),
            consumer: "no-consumer".into(),
            key: "nobodys",
            ciphertext: named.ciphertext.clone(),
        };
        for selection in selections() {
            let issued = admin.issue(token("admin").selectors(selection.selectors())).await.unwrap();
            let mut narrow = vault.clients(&issued.secret);
            for (method, sees) in SEES {
                let there = ask(method, &mut narrow, &named).await;
                let nowhere = ask(method, &mut narrow, &absent).await;
                if *sees == Nothing {
                    continue;
                }
                let (there, nowhere) = (named.hidden(&there), absent.hidden(&nowhere));
                assert_eq!(there, nowhere, "{method} for {selection:?}");
                assert!(!there.contains("production"), "{method}: {there}");
            }
        }
        let theirs = admin.reveal(&named.credential).await.unwrap();
        assert_eq!(
            (theirs.as_str(), admin.resolve("their-consumer").await.unwrap().0),
            ("sk-the-secret-of-outside", theirs.clone())
        );
    }
}

/// The answer of `method` to a request that names `named`, as text.
async fn ask(method: &str, clients: &mut Clients, named: &Named) -> String {
    let (service, name) = method.rsplit_once('/').unwrap();
    match service {
        "vault.v1.CredentialService" => of_credentials(name, clients, named).await,
        "vault.v1.ReferenceService" => of_references(name, clients, named).await,
        "vault.v1.CryptoService" => of_keys(name, clients, named).await,
        "vault.v1.TokenService" => said(clients.issue(token("gateway")).await.map(Response::new)),
        _ => String::new(),
    }
}

fn said<T: Debug>(answer: Result<Response<T>, Status>) -> String {
    match answer {
        Ok(answer) => format!("{:?}", answer.into_inner()),
        Err(status) => format!(
            "{:?} {} {:?}",
            status.code(),
            status.message(),
            super::outcome::<()>(Err(status.clone()))
        ),
    }
}

async fn of_credentials(name: &str, clients: &mut Clients, named: &Named) -> String {
    let (id, etag) = (named.credential.clone(), String::new());
    let credentials = &mut clients.credentials;
    match name {
        "ActivateCredential" => {
            said(credentials.activate_credential(proto::ActivateCredentialRequest { id, etag }).await)
        }
        "CreateCredential" => said(credentials.create_credential(credential("new")).await),
        "DeactivateCredential" => {
            said(credentials.deactivate_credential(proto::DeactivateCredentialRequest { id, etag }).await)
        }
        "DeleteCredential" => {
            let request = proto::DeleteCredentialRequest { id, etag, block_if_referenced: true };
            said(credentials.delete_credential(request).await)
        }
        "GetCredential" => said(credentials.get_credential(proto::GetCredentialRequest { id }).await),
        "GetCredentialStats" => {
            said(credentials.get_credential_stats(proto::GetCredentialStatsRequest {}).await)
        }
        "ListCredentials" => {
            let request = proto::ListCredentialsRequest { name_prefix: "out".into(), ..Default::default() };
            said(credentials.list_credentials(request).await)
        }
        "RevealCredential" => said(credentials.reveal_credential(reveal(&id)).await),
        "RollbackCredential" => {
            said(credentials.rollback_credential(proto::RollbackCredentialRequest { id, etag }).await)
        }
        "RotateCredential" => {
            let request = proto::RotateCredentialRequest { id, secret: "new".into(), ..Default::default() };
            said(credentials.rotate_credential(request).await)
        }
        "UpdateCredential" => {
            let changed = proto::Credential { id, display_name: "new".into(), ..Default::default() };
            let request = proto::UpdateCredentialRequest { credential: Some(changed), update_mask: None };
            said(credentials.update_credential(request).await)
        }
        other => panic!("{other}: ask it for what is outside"),
    }
}

async fn of_references(name: &str, clients: &mut Clients, named: &Named) -> String {
    let (id, kind, consumer) = (named.credential.clone(), "endpoint".to_owned(), named.consumer.clone());
    let references = &mut clients.references;
    match name {
        "BindReference" => said(references.bind_reference(binding("endpoint", "new", &id)).await),
        "ListReferences" => {
            let request = proto::ListReferencesRequest { credential_id: id, ..Default::default() };
            said(references.list_references(request).await)
        }
        "ReassignReferences" => {
            let to = "0190a1b2-0000-7000-8000-000000000001".to_owned();
            let request = proto::ReassignReferencesRequest { from_credential_id: id, to_credential_id: to };
            said(references.reassign_references(request).await)
        }
        "ReleaseReference" => {
            said(references.release_reference(proto::ReleaseReferenceRequest { kind, consumer }).await)
        }
        "ResolveReference" => {
            said(references.resolve_reference(proto::ResolveReferenceRequest { kind, consumer }).await)
        }
        other => panic!("{other}: ask it for what is outside"),
    }
}

async fn of_keys(name: &str, clients: &mut Clients, named: &Named) -> String {
    let (key_id, ciphertext) = (named.key.to_owned(), named.ciphertext.clone());
    let seal = proto::EncryptRequest { key_id: key_id.clone(), ..Default::default() };
    let open = proto::DecryptRequest {
        key_id: key_id.clone(),
        ciphertext: ciphertext.clone(),
        ..Default::default()
    };
    let again = proto::RewrapRequest { key_id: key_id.clone(), ciphertext, ..Default::default() };
    let order = proto::GenerateDataKeyRequest { key_id, ..Default::default() };
    let crypto = &mut clients.crypto;
    match name {
        "BatchDecrypt" => said(crypto.batch_decrypt(proto::BatchDecryptRequest { items: vec![open] }).await),
        "BatchEncrypt" => said(crypto.batch_encrypt(proto::BatchEncryptRequest { items: vec![seal] }).await),
        "BatchGenerateDataKey" => {
            let request = proto::BatchGenerateDataKeyRequest { items: vec![order] };
            said(crypto.batch_generate_data_key(request).await)
        }
        "BatchRewrap" => said(crypto.batch_rewrap(proto::BatchRewrapRequest { items: vec![again] }).await),
        "Decrypt" => said(crypto.decrypt(open).await),
        "Encrypt" => said(crypto.encrypt(seal).await),
        "ExportSigningKey" => said(crypto.export_signing_key(proto::ExportSigningKeyRequest {}).await),
        "GenerateDataKey" => said(crypto.generate_data_key(order).await),
        "Rewrap" => said(crypto.rewrap(again).await),
        other => panic!("{other}: ask it for what is outside"),
    }
}
