//! Requests to re-encrypt a source.

use strongroom_api::backup::v1::ReencryptSourceRequest;
use strongroom_runtime::status::reason_of;
use tonic::Code;
use tonic_types::StatusExt as _;

use crate::support::Service;

#[tokio::test(flavor = "multi_thread")]
async fn a_source_that_is_not_there_and_a_rate_that_is_none_are_refused() {
    let service = Service::usual("").await;
    let mut client = service.client_with(&["source.reencrypt"]);
    let request =
        |source: &str, rows_per_second| ReencryptSourceRequest { source: source.into(), rows_per_second };
    for (field, request) in [
        ("source", request("", 0)),
        ("rows_per_second", request("gateway", -1)),
        ("rows_per_second", request("nothing", i32::MIN)),
    ] {
        let status = client.reencrypt_source(request).await.unwrap_err();
        assert_eq!(status.code(), Code::InvalidArgument, "{field}: {}", status.message());
        let violations = status.get_details_bad_request().unwrap().field_violations;
        assert_eq!(violations[0].field, field, "{}", status.message());
    }
    for source in ["x", "gateway\0", "Gateway", &"x".repeat(100_000)] {
        let status = client.reencrypt_source(request(source, 0)).await.unwrap_err();
        assert_eq!((status.code(), &*reason_of(&status)), (Code::NotFound, "SOURCE_NOT_FOUND"));
        assert!(status.message().len() < 500, "{}", status.message());
    }
    let denied = service.client_with(&["source.list"]).reencrypt_source(request("gateway", 0)).await;
    assert_eq!(denied.unwrap_err().code(), Code::PermissionDenied);
    assert!(service.vault.events().iter().all(|event| event.event == "access.denied"), "nothing was begun");
}
