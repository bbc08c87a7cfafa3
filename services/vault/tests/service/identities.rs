//! Client certificates: rights of the holders of configured names, in the vault and in services that ask it.

use strongroom_api::vault::v1::{
    CheckDelegationRequest, IntrospectIdentityRequest, ListCredentialsRequest, ListTokensRequest,
};
use strongroom_runtime::server::{ClientCerts, TlsConfig};
use strongroom_runtime::status::reason_of;
use strongroom_testkit::requests::{
    CredentialBuilder as _, credential, introspect, record, secret_of, token,
};
use strongroom_testkit::{Authority, Mounted, TestDb};
use strongroom_vault::{IdentityConfig, VaultConfig};
use tonic::Code;

use crate::support::{Clients, TestVault};

const GATEWAY: &str = "spiffe://cluster.local/gateway";
const ADMIN: &str = "spiffe://cluster.local/admin";
const BACKUP: &str = "backup.internal";

/// A vault with three identities: a gateway for credentials labelled `env=prod`, an admin, and a backup service.
struct Certified {
    vault: TestVault,
    authority: Authority,
    folder: tempfile::TempDir,
}

impl Certified {
    async fn start() -> Self {
        let (folder, authority) = (tempfile::tempdir().unwrap(), Authority::new("ours"));
        let own = Mounted::create(folder.path().join("vault"));
        own.put_certificate(&authority.issue(&["localhost"]));
        own.put_authorities(&[&authority]);
        let tls = TlsConfig {
            client_ca_file: Some(own.path("ca.crt")),
            client_certs: Some(ClientCerts::Optional),
            ..TlsConfig::new(own.path("tls.crt"), own.path("tls.key"))
        };
        let identity = |san: &str, role: &str, select: &[&str]| IdentityConfig {
            san: san.to_owned(),
            role: role.to_owned(),
            select: select.iter().map(|one| (*one).to_owned()).collect(),
        };
        let identities = vec![
            identity(GATEWAY, "gateway", &["label.env=prod", "kind=endpoint*"]),
            identity(ADMIN, "admin", &[]),
            identity(&format!("dns:{BACKUP}"), "backup-service", &[]),
        ];
        let vault = TestVault::encrypted(TestDb::sqlite(), |config| VaultConfig {
            tls: Some(tls),
            identities,
            ..config
        });
        Self { vault: vault.await, authority, folder }
    }

    /// Clients with a certificate of these names, but without a token.
    fn with_names(&self, names: &[&str]) -> Clients {
        let files = Mounted::create(tempfile::tempdir_in(self.folder.path()).unwrap().keep());
        files.put_certificate(&self.authority.issue(names));
        files.put_authorities(&[&self.authority]);
        self.vault.certified_clients(&files)
    }
}

#[tokio::test]
async fn an_identity_has_its_role_and_its_selection() {
    let vault = Certified::start().await;
    let mut admin = vault.with_names(&[ADMIN, "other.internal"]);
    let inside = admin.create(credential("Inside").labels(&[("env", "prod")])).await.id;
    let outside = admin.create(credential("Outside").labels(&[("env", "dev")])).await.id;
    let mut gateway = vault.with_names(&[GATEWAY]);
    assert_eq!(gateway.reveal(&inside).await.unwrap(), secret_of("Inside"));
    assert_eq!(gateway.reveal(&outside).await.unwrap_err().code(), Code::NotFound);
    let refused = gateway.tokens.list_tokens(ListTokensRequest::default()).await.unwrap_err();
    assert_eq!((refused.code(), &*reason_of(&refused)), (Code::PermissionDenied, "PERMISSION_MISSING"));
    assert!(refused.message().contains("this identity"), "{}", refused.message());
    let actors = admin.actors("credential.revealed").await;
    assert_eq!(actors, [format!("identity:{GATEWAY}")]);
    assert_eq!(admin.actors("access.denied").await, [format!("identity:{GATEWAY}")]);
}

#[tokio::test]
async fn who_has_no_identity_or_two_is_nobody() {
    let vault = Certified::start().await;
    let list = || ListCredentialsRequest::default();
    let mut stranger = vault.with_names(&["spiffe://cluster.local/stranger"]);
    let refused = stranger.credentials.list_credentials(list()).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unauthenticated);
    assert!(refused.message().contains("cluster.local/stranger"), "{}", refused.message());
    let mut two = vault.with_names(&[GATEWAY, ADMIN]);
    let refused = two.credentials.list_credentials(list()).await.unwrap_err();
    assert_eq!((refused.code(), &*reason_of(&refused)), (Code::Unauthenticated, "IDENTITY_AMBIGUOUS"));
    assert!(
        refused.message().contains(GATEWAY) && refused.message().contains(ADMIN),
        "{}",
        refused.message()
    );
}

#[tokio::test]
async fn a_service_may_ask_about_the_certificates_of_its_callers() {
    let vault = Certified::start().await;
    let mut backup = vault.with_names(&[BACKUP]);
    let mut ask = async |names: &[&str]| {
        let names = names.iter().map(|name| (*name).to_owned()).collect();
        backup.tokens.introspect_identity(IntrospectIdentityRequest { names }).await
    };
    let known = ask(&["dns:x", GATEWAY]).await.unwrap().into_inner();
    assert!(known.active && known.permissions.contains(&"credential.reveal".to_owned()));
    assert_eq!((known.principal, known.name), (format!("identity:{GATEWAY}"), GATEWAY.to_owned()));
    assert_eq!(known.selectors.len(), 2);
    assert!(!ask(&["dns:x"]).await.unwrap().into_inner().active);
    let refused = ask(&[GATEWAY, ADMIN]).await.unwrap_err();
    assert_eq!((refused.code(), &*reason_of(&refused)), (Code::FailedPrecondition, "IDENTITY_AMBIGUOUS"));
    for wrong in [vec![], vec![""], vec!["x"; 101]] {
        assert_eq!(ask(&wrong).await.unwrap_err().code(), Code::InvalidArgument);
    }
    let mut gateway = vault.with_names(&[GATEWAY]);
    let request = IntrospectIdentityRequest { names: vec!["dns:x".to_owned()] };
    let refused = gateway.tokens.introspect_identity(request).await.unwrap_err();
    assert_eq!(refused.code(), Code::PermissionDenied);
}

#[tokio::test]
async fn a_token_that_an_identity_issues_names_it() {
    let vault = Certified::start().await;
    let mut admin = vault.with_names(&[ADMIN]);
    let issued = admin.issue(token("auditor")).await.unwrap();
    assert_eq!(issued.token.unwrap().issuer, format!("identity:{ADMIN}"));
    let known = introspect(&issued.secret);
    assert!(admin.tokens.introspect_token(known).await.unwrap().into_inner().active);
}

#[tokio::test]
async fn an_identity_delegates_as_a_token_does() {
    let vault = Certified::start().await;
    let (mut admin, mut backup) = (vault.with_names(&[ADMIN]), vault.with_names(&[BACKUP]));
    let names = vec![ADMIN.to_owned()];
    let known = backup.tokens.introspect_identity(IntrospectIdentityRequest { names }).await.unwrap();
    let delegation = known.into_inner().delegation;
    backup.audit.record_audit_event(record("backup.exported", &delegation)).await.unwrap();
    let event = admin.events("backup.exported").await.remove(0);
    assert_eq!(event.actor, format!("identity:{ADMIN}"));
    assert_eq!(event.via, format!("identity:dns:{BACKUP}"));
    let mut permitted = async |permission: &str| {
        let (delegation, permission) = (delegation.clone(), permission.to_owned());
        let answer = backup.tokens.check_delegation(CheckDelegationRequest { delegation, permission }).await;
        answer.unwrap().into_inner().permitted
    };
    assert!(permitted("backup.verify").await);
    assert!(!permitted("credential.reveal").await, "it was not delegated");
}
