//! Bad input of the drill methods.

use strongroom_api::backup::v1 as proto;
use strongroom_api::backup::v1::drill_service_client::DrillServiceClient;
use strongroom_crypto::Token;
use strongroom_runtime::client::AuthorizedChannel;
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use crate::support::{FakeVault, LOGS, Service, database};

fn assert_field<T: std::fmt::Debug>(answer: Result<T, Status>, field: &str) {
    let status = answer.unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument, "{field}: {}", status.message());
    let violations = status.get_details_bad_request().unwrap().field_violations;
    assert_eq!(violations[0].field, field, "{}", status.message());
    assert!(status.message().len() < 1100 && !status.message().contains('\0'), "{}", status.message());
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_input_is_refused_with_its_field_named() {
    let folder = database::folder().await;
    let scratch = format!("{LOGS}\n[drill]\nscratch_dir = '{}'\n", folder.path().display());
    let service = Service::start(folder, FakeVault::start().await, "", &scratch).await;
    let channel = service.channel(&Token::generate(), &["backup.verify", "backup.list"]);
    let mut client: DrillServiceClient<AuthorizedChannel> = DrillServiceClient::new(channel);
    let long = "x".repeat(100_000);
    for id in [" ", "a b", "a\0", "ä", "../a", &"a".repeat(65), &long] {
        let request = proto::RunDrillRequest { backup_id: id.into() };
        assert_field(client.run_drill(request).await, "backup_id");
        assert_field(client.get_drill(proto::GetDrillRequest { id: id.into() }).await, "id");
        let request = proto::ListDrillsRequest { page_size: 0, page_token: id.into() };
        assert_field(client.list_drills(request).await, "page_token");
    }
    assert_field(client.get_drill(proto::GetDrillRequest::default()).await, "id");
    for page_size in [-1, i32::MIN] {
        let request = proto::ListDrillsRequest { page_size, page_token: String::new() };
        assert_field(client.list_drills(request).await, "page_size");
    }
    let request = proto::ListDrillsRequest { page_size: i32::MAX, page_token: String::new() };
    assert!(client.list_drills(request).await.unwrap().into_inner().drills.is_empty());
    let other = service.channel(&Token::generate(), &["backup.get"]);
    let mut other: DrillServiceClient<AuthorizedChannel> = DrillServiceClient::new(other);
    let denied = other.run_drill(proto::RunDrillRequest::default()).await.unwrap_err();
    assert_eq!(denied.code(), Code::PermissionDenied, "{}", denied.message());
}
