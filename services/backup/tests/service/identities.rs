//! Callers with a certificate and no token: the vault decides their permissions.

use strongroom_api::backup::v1::ListSourcesRequest;
use strongroom_runtime::status::reason_of;
use strongroom_testkit::{Authority, Mounted};
use tonic::Code;

use crate::support::{Client, FakeVault, LOGS, Service, database};

const OPERATOR: &str = "spiffe://cluster.local/operator";
const CREATOR: &str = "spiffe://cluster.local/creator";

struct Certified {
    service: Service,
    authority: Authority,
    folder: tempfile::TempDir,
}

impl Certified {
    async fn start() -> Self {
        strongroom_runtime::process::install_tls_provider();
        let (folder, authority) = (tempfile::tempdir().unwrap(), Authority::new("ours"));
        let own = Mounted::create(folder.path().join("backup"));
        own.put_certificate(&authority.issue(&["localhost"]));
        own.put_authorities(&[&authority]);
        let [cert, key, ca] =
            ["tls.crt", "tls.key", "ca.crt"].map(|name| own.path(name).display().to_string());
        let tls = format!("tls = {{ cert_file = '{cert}', key_file = '{key}', client_ca_file = '{ca}' }}");
        let vault = FakeVault::start().await;
        vault.admit_name(OPERATOR, &["source.list"]);
        vault.admit_name(CREATOR, &["backup.export"]);
        let service = Service::start(database::folder().await, vault, &tls, LOGS).await;
        Self { service, authority, folder }
    }

    fn with_names(&self, names: &[&str]) -> Client {
        let files = Mounted::create(tempfile::tempdir_in(self.folder.path()).unwrap().keep());
        files.put_certificate(&self.authority.issue(names));
        files.put_authorities(&[&self.authority]);
        self.service.certified_client(&files)
    }
}

#[tokio::test]
async fn an_identity_may_do_what_the_vault_says() {
    let certified = Certified::start().await;
    let mut operator = certified.with_names(&[OPERATOR, "operator.internal"]);
    for _ in 0..3 {
        operator.list_sources(ListSourcesRequest {}).await.unwrap();
    }
    assert_eq!(certified.service.vault.introspections(), 1, "the answer is kept for seconds");
    let mut creator = certified.with_names(&[CREATOR]);
    let refused = creator.list_sources(ListSourcesRequest {}).await.unwrap_err();
    assert_eq!(refused.code(), Code::PermissionDenied);
    assert!(refused.message().contains("this identity"), "{}", refused.message());
    let event = certified.service.vault.wait_for("access.denied").await;
    assert_eq!(event.actor, format!("identity:{CREATOR}"));
}

#[tokio::test]
async fn who_has_no_identity_or_two_is_nobody() {
    let certified = Certified::start().await;
    let mut stranger = certified.with_names(&["spiffe://cluster.local/stranger"]);
    let refused = stranger.list_sources(ListSourcesRequest {}).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unauthenticated);
    assert!(refused.message().contains("cluster.local/stranger"), "{}", refused.message());
    let mut two = certified.with_names(&[OPERATOR, CREATOR]);
    let refused = two.list_sources(ListSourcesRequest {}).await.unwrap_err();
    assert_eq!((refused.code(), &*reason_of(&refused)), (Code::Unauthenticated, "IDENTITY_AMBIGUOUS"));
}
