//! Bad input names its field.

use std::collections::HashMap;

use strongroom_api::vault::v1::{
    ApproveKeyRequestRequest, CreateKeyRequest, DestroyKeyVersionRequest, EnableKeyVersionRequest,
    NarrowKeyPinsRequest, PinKeyVersionsRequest, ReencryptRequest, ReportKeyCensusRequest, RotateKeyRequest,
    UndoDestroyKeyVersionRequest,
};
use strongroom_runtime::status::reason_of;
use tonic::{Code, Status};

use super::{create_key, destroy, disable};
use crate::support::TestVault;

#[tokio::test]
async fn bad_input_names_its_field() {
    let vault = TestVault::sqlite().await;
    let mut admin = vault.admin().await;
    create_key(&mut admin, "gateway").await;
    let long = "x".repeat(64);
    for key_id in ["", "Gateway", "-a", "a-", "1a", "a b", long.as_str()] {
        let request = CreateKeyRequest { key_id: key_id.into() };
        refused("key_id", &admin.keys.create_key(request).await.unwrap_err());
        let request = RotateKeyRequest { key_id: key_id.into() };
        refused("key_id", &admin.keys.rotate_key(request).await.unwrap_err());
    }
    let unknown = admin.keys.rotate_key(RotateKeyRequest { key_id: "unknown".into() }).await.unwrap_err();
    assert_eq!(reason_of(&unknown), "KEY_NOT_FOUND");
    for kid in ["", "xyz", "00000000000000FF", "00000000000000000"] {
        refused("kid", &disable(&mut admin, kid).await.unwrap_err());
        refused("kid", &destroy(&mut admin, kid).await.unwrap_err());
        let request = EnableKeyVersionRequest { kid: kid.into() };
        refused("kid", &admin.keys.enable_key_version(request).await.unwrap_err());
        let request = UndoDestroyKeyVersionRequest { kid: kid.into() };
        refused("kid", &admin.keys.undo_destroy_key_version(request).await.unwrap_err());
    }
    for seconds in [-1, 0, 3599, i64::MAX] {
        let after = Some(prost_types::Duration { seconds, nanos: 0 });
        let request = DestroyKeyVersionRequest { kid: "00000000000000ff".into(), after };
        refused("after", &admin.keys.destroy_key_version(request).await.unwrap_err());
    }
    let good = || ReportKeyCensusRequest {
        key_id: "gateway".into(),
        column: "t.c".into(),
        source: "gateway".into(),
        values: HashMap::new(),
        count_time: None,
    };
    let values = |kid: &str, count| HashMap::from([(kid.to_owned(), count)]);
    for (field, request) in [
        ("key_id", ReportKeyCensusRequest { key_id: "credential".into(), ..good() }),
        ("column", ReportKeyCensusRequest { column: "c".into(), ..good() }),
        ("source", ReportKeyCensusRequest { source: String::new(), ..good() }),
        ("values", ReportKeyCensusRequest { values: values("x", 1), ..good() }),
        ("values", ReportKeyCensusRequest { values: values("00000000000000ff", 1), ..good() }),
        ("values", ReportKeyCensusRequest { values: values("00000000000000ff", -1), ..good() }),
    ] {
        refused(field, &admin.keys.report_key_census(request).await.unwrap_err());
    }
    let request = ReencryptRequest { rows_per_second: -1 };
    refused("rows_per_second", &admin.keys.reencrypt(request).await.unwrap_err());
    let request = PinKeyVersionsRequest { archive_id: "a/b".into(), expire_time: None };
    refused("archive_id", &admin.keys.pin_key_versions(request).await.unwrap_err());
    let past = Some(prost_types::Timestamp::default());
    let request = PinKeyVersionsRequest { archive_id: "a".into(), expire_time: past };
    refused("expire_time", &admin.keys.pin_key_versions(request).await.unwrap_err());
    let request = NarrowKeyPinsRequest { archive_id: "a".into(), kids: vec!["x".into()], expire_time: None };
    refused("kids[0]", &admin.keys.narrow_key_pins(request).await.unwrap_err());
    let request = ApproveKeyRequestRequest { id: String::new() };
    refused("id", &admin.keys.approve_key_request(request).await.unwrap_err());
    let request = ApproveKeyRequestRequest { id: "nobodys".into() };
    let unknown = admin.keys.approve_key_request(request).await.unwrap_err();
    assert_eq!(reason_of(&unknown), "KEY_REQUEST_NOT_FOUND");
}

fn refused(field: &str, status: &Status) {
    assert_eq!(status.code(), Code::InvalidArgument, "{field}: {status}");
    assert!(status.message().starts_with(field), "{field}: {}", status.message());
}
