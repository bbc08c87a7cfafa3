//! A thief has the backup service's token: the audit events that it can cause, and the rights of the service's role.

use std::collections::BTreeSet;
use std::path::Path;

use e2e::{Deployment, Operator, repository};
use strongroom_api::PERMISSIONS;
use strongroom_api::vault::v1::audit_service_client::AuditServiceClient;
use strongroom_api::vault::v1::crypto_service_client::CryptoServiceClient;
use strongroom_api::vault::v1::token_service_client::TokenServiceClient;
use strongroom_api::vault::v1::{
    BatchDecryptRequest, BatchRewrapRequest, CheckDelegationRequest, DecryptRequest, EncryptRequest,
    GenerateDataKeyRequest, RewrapRequest,
};
use strongroom_runtime::client::{AuthorizedChannel, Bearer, Target};
use strongroom_runtime::status::reason_of;
use strongroom_testkit::TestDb;
use strongroom_testkit::requests::{introspect, record};
use tonic::{Code, Status};

/// A thief who calls the vault directly with a service's token.
struct Thief {
    tokens: TokenServiceClient<AuthorizedChannel>,
    audit: AuditServiceClient<AuthorizedChannel>,
}

impl Thief {
    fn new(vault_url: &str, token: &str) -> Self {
        let target = Target { url: vault_url.to_owned(), ..Target::default() };
        let channel = target.authorized(Bearer::new(token).unwrap()).unwrap();
        let tokens = TokenServiceClient::new(channel.clone());
        Self { tokens, audit: AuditServiceClient::new(channel) }
    }

    /// The vault's delegation for a caller's token: a thief with this token has broken into the service, not only read
    /// its file.
    async fn delegation_of(&mut self, caller: &Operator) -> Vec<u8> {
        let known = self.tokens.introspect_token(introspect(&caller.token)).await.unwrap();
        known.into_inner().delegation.to_vec()
    }

    async fn still_may(&mut self, delegation: &[u8], permission: &str) -> bool {
        let (delegation, permission) = (delegation.to_vec().into(), permission.to_owned());
        let request = CheckDelegationRequest { delegation, permission };
        self.tokens.check_delegation(request).await.unwrap().into_inner().permitted
    }

    async fn record(&mut self, event: &str, delegation: &[u8]) -> Result<(), Status> {
        self.audit.record_audit_event(record(event, delegation)).await.map(|_| ())
    }
}

fn assert_refused(answer: Result<(), Status>, code: Code, reason: &str) {
    let status = answer.expect_err(reason);
    assert_eq!((status.code(), &*reason_of(&status)), (code, reason), "{}", status.message());
}

#[tokio::test]
async fn a_stolen_service_token_makes_events_in_nobodys_name() {
    let vault = TestDb::sqlite();
    let platform = Deployment::start(vault.url_text(), "");
    let admin = &platform.admin;
    let out = platform.path("a.zip");
    let _ = admin.json(&["backup", "export", "--plain", "--out", out.to_str().unwrap()]);
    let real = admin.events("backup.*");
    let [auditor, operator] = ["auditor", "operator"].map(|role| admin.issue(role));
    let stolen = std::fs::read_to_string(platform.path("backup.token")).unwrap();
    let mut thief = Thief::new(&admin.vault_url, stolen.trim());

    for event in ["credential.deleted", "token.issued", "audit.pruned", "backup.made_up", "backup.exported"] {
        assert_refused(thief.record(event, &[]).await, Code::InvalidArgument, "INVALID_FIELD");
    }
    let auditors = thief.delegation_of(&auditor).await;
    let beyond = thief.record("backup.exported", &auditors).await;
    assert_refused(beyond, Code::PermissionDenied, "DELEGATION_EVENT");
    let other = admin.issue("backup-service");
    let others = Thief::new(&admin.vault_url, &other.token).delegation_of(&operator).await;
    let foreign = thief.record("backup.exported", &others).await;
    assert_refused(foreign, Code::PermissionDenied, "DELEGATION_FOREIGN");
    let operators = thief.delegation_of(&operator).await;
    for bit in 0..operators.len() * 8 {
        let mut flipped = operators.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        let changed = thief.record("backup.exported", &flipped).await;
        assert_refused(changed, Code::InvalidArgument, "DELEGATION_INVALID");
    }

    assert_eq!(admin.events("backup.*"), real, "the log says what was done, and nothing else");
    let id = |token: &str| format!("token:{}", &token[4..16]);
    assert!(real.iter().all(|event| event["actor"] == *id(&admin.token)), "{real:?}");
    let refusals = admin.events("access.denied");
    assert_eq!(refusals.len(), 2, "{refusals:?}");
    assert!(refusals.iter().all(|event| event["actor"] == *id(&stolen)), "{refusals:?}");
    assert!(thief.still_may(&auditors, "backup.verify").await);
    let _ = admin.json(&["token", "revoke", "--yes", &auditor.token[4..16]]);
    assert!(!thief.still_may(&auditors, "backup.verify").await);
    let verified = admin.json(&["audit", "verify"]);
    assert_eq!(verified["ok"], true, "{verified}");
}

/// The service re-encrypts values for operators: it gets back only sealed values, and every other way to a plaintext is
/// closed.
#[tokio::test]
async fn a_stolen_service_token_gets_ciphertexts_alone() {
    let vault = TestDb::sqlite();
    let platform = Deployment::start(vault.url_text(), "");
    let admin = &platform.admin;
    let _ = admin.json(&["key", "create", "gateway"]);
    let (key_id, aad, plaintext) = ("gateway".to_owned(), b"row".to_vec(), b"a secret of a gateway".to_vec());
    let encrypt = EncryptRequest {
        key_id: key_id.clone(),
        aad: aad.clone().into(),
        plaintext: plaintext.clone().into(),
    };
    let sealed = crypto(admin, &admin.token).encrypt(encrypt.clone()).await.unwrap().into_inner().ciphertext;
    let _ = admin.json(&["key", "rotate", "gateway"]);
    let stolen = std::fs::read_to_string(platform.path("backup.token")).unwrap();
    let mut thief = crypto(admin, stolen.trim());
    let rewrap =
        RewrapRequest { key_id: key_id.clone(), ciphertext: sealed.clone(), aad: aad.clone().into() };
    let answer = thief.batch_rewrap(BatchRewrapRequest { items: vec![rewrap] }).await.unwrap().into_inner();
    let anew = &answer.results[0];
    assert!(anew.ciphertext.starts_with(&format!("srv1.{}.", anew.kid)) && anew.ciphertext != sealed);
    assert!(!format!("{answer:?}").contains("a secret"));
    let decrypt =
        DecryptRequest { key_id: key_id.clone(), ciphertext: anew.ciphertext.clone(), aad: aad.into() };
    let refused = [
        thief.decrypt(decrypt.clone()).await.map(drop),
        thief.batch_decrypt(BatchDecryptRequest { items: vec![decrypt] }).await.map(drop),
        thief.encrypt(encrypt).await.map(drop),
        thief.generate_data_key(GenerateDataKeyRequest { key_id, ..Default::default() }).await.map(drop),
    ];
    for refused in refused {
        assert_refused(refused, Code::PermissionDenied, "PERMISSION_MISSING");
    }
    let event = admin.events("crypto.rewrapped").remove(0);
    assert_eq!(
        (&event["metadata"]["count"], &event["metadata"]["failures"]),
        (&"1".into(), &"0".into()),
        "{event}"
    );
}

fn crypto(admin: &Operator, token: &str) -> CryptoServiceClient<AuthorizedChannel> {
    let target = Target { url: admin.vault_url.clone(), ..Target::default() };
    CryptoServiceClient::new(target.authorized(Bearer::new(token).unwrap()).unwrap())
}

/// A permission that the service's code does not need would only help a thief of its token.
#[tokio::test]
async fn the_services_role_holds_what_its_code_calls_and_no_more() {
    let vault = TestDb::sqlite();
    let platform = Deployment::start(vault.url_text(), "");
    let own = std::fs::read_to_string(platform.path("backup.token")).unwrap();
    let mut service = Thief::new(&platform.admin.vault_url, own.trim());
    let held = service.tokens.introspect_token(introspect(own.trim())).await.unwrap().into_inner();
    let code = sources(&repository().join("services/backup/src"));
    let called = |method: &str| code.contains(&format!(".{}(", snake_case(method)));
    let used: BTreeSet<String> = PERMISSIONS
        .iter()
        .filter(|(path, _)| !path.starts_with("/strongroom.backup."))
        .filter(|(path, _)| called(path.rsplit('/').next().unwrap()))
        .map(|(_, permission)| (*permission).to_owned())
        .collect();
    assert_eq!(held.permissions.into_iter().collect::<BTreeSet<_>>(), used);
}

/// All Rust source below `folder` that uses the protos, as one text. Other libraries have methods of the same names.
fn sources(folder: &Path) -> String {
    let mut text = String::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let found = if path.is_dir() { sources(&path) } else { std::fs::read_to_string(&path).unwrap() };
        if found.contains("strongroom_api::") {
            text += &found;
        }
    }
    text
}

fn snake_case(method: &str) -> String {
    let lower = |letter: char| {
        let before = if letter.is_ascii_uppercase() { "_" } else { "" };
        format!("{before}{}", letter.to_ascii_lowercase())
    };
    method.chars().map(lower).collect::<String>().trim_start_matches('_').to_owned()
}
