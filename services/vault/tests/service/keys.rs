//! Keys: their life, who may end it, and the calls that go on meanwhile.

mod approvals;
mod bad_input;
mod census;
mod exports;
mod lifecycle;
mod pins;
mod processes;
mod reencryption;
mod rings;
mod root_key;
mod rotation_under_load;

use std::collections::HashMap;
use std::time::Duration;

use strongroom_api::vault::v1::{
    CreateCredentialRequest, CreateKeyRequest, DestroyKeyVersionRequest, DisableKeyVersionRequest,
    GetKeyCensusRequest, IssueTokenRequest, KeyVersion, ListKeyVersionsRequest, ReencryptRequest,
    ReencryptResponse, ReportKeyCensusRequest, RotateKeyRequest,
};
use strongroom_testkit::requests::{CredentialBuilder as _, credential, token};
use tonic::Status;

use crate::support::Clients;

/// Time after a rotation in which another process may still seal with the old version.
const FOLLOWED: Duration = Duration::from_secs(5);
const SECRET: &str = "sk-a-secret";

fn with_secret(name: &str) -> CreateCredentialRequest {
    credential(name).secret(SECRET)
}

async fn versions(clients: &mut Clients, key_id: &str) -> Vec<KeyVersion> {
    let listed = clients.keys.list_key_versions(ListKeyVersionsRequest {}).await.unwrap().into_inner();
    listed.versions.into_iter().filter(|version| version.key_id == key_id).collect()
}

async fn create_key(clients: &mut Clients, key_id: &str) -> String {
    let request = CreateKeyRequest { key_id: key_id.into() };
    clients.keys.create_key(request).await.unwrap().into_inner().version.unwrap().kid
}

pub(crate) async fn rotate(clients: &mut Clients, key_id: &str) -> String {
    let request = RotateKeyRequest { key_id: key_id.into() };
    clients.keys.rotate_key(request).await.unwrap().into_inner().version.unwrap().kid
}

async fn disable(clients: &mut Clients, kid: &str) -> Result<String, Status> {
    let request = DisableKeyVersionRequest { kid: kid.into() };
    Ok(clients.keys.disable_key_version(request).await?.into_inner().version.unwrap().state)
}

async fn destroy(clients: &mut Clients, kid: &str) -> Result<KeyVersion, Status> {
    let request = DestroyKeyVersionRequest { kid: kid.into(), after: None };
    Ok(clients.keys.destroy_key_version(request).await?.into_inner().version.unwrap())
}

async fn report(clients: &mut Clients, key_id: &str, values: &[(&str, i64)]) {
    let request = ReportKeyCensusRequest {
        key_id: key_id.into(),
        column: "mcp_servers.bearer".into(),
        source: "gateway".into(),
        values: values.iter().map(|(kid, count)| ((*kid).to_owned(), *count)).collect(),
        count_time: None,
    };
    clients.keys.report_key_census(request).await.unwrap();
}

/// Values of the vault's own tables by kid.
async fn census(clients: &mut Clients, key_id: &str) -> HashMap<String, i64> {
    let request = GetKeyCensusRequest { key_id: key_id.into() };
    let census = clients.keys.get_key_census(request).await.unwrap().into_inner();
    census
        .counts
        .into_iter()
        .filter(|count| count.source.is_empty())
        .map(|count| (count.kid, count.values))
        .collect()
}

/// Re-encrypts to the end and returns the last message.
pub(crate) async fn reencrypt(clients: &mut Clients, rows_per_second: i32) -> ReencryptResponse {
    let request = ReencryptRequest { rows_per_second };
    let mut stream = clients.keys.reencrypt(request).await.unwrap().into_inner();
    let mut last = ReencryptResponse::default();
    while let Some(progress) = stream.message().await.unwrap() {
        assert!(!last.done, "done is in the last message only");
        assert!(progress.rows_done >= last.rows_done, "{progress:?} after {last:?}");
        last = progress;
    }
    assert!(last.done, "a whole stream says so");
    last
}

async fn admin_token(admin: &mut Clients, name: &str) -> String {
    let request = IssueTokenRequest { name: name.into(), ..token("admin") };
    admin.issue(request).await.unwrap().secret
}

async fn states(clients: &mut Clients, key_id: &str) -> Vec<String> {
    versions(clients, key_id).await.into_iter().map(|version| version.state).collect()
}
