//! Callers' reports about the values that their keys sealed.

use std::collections::HashMap;
use std::time::Duration;

use strongroom_api::vault::v1::{GetKeyCensusRequest, ReportKeyCensusRequest};
use strongroom_runtime::status::reason_of;
use strongroom_testkit::ManualClock;

use super::{FOLLOWED, create_key, disable, report, rotate};
use crate::support::{TestVault, metadata_of};

fn now_seconds(clock: &ManualClock) -> i64 {
    strongroom_runtime::Clock::now_micros(clock) / 1_000_000
}

#[tokio::test]
async fn a_callers_key_needs_a_fresh_census() {
    for vault in TestVault::each_standing().await {
        let mut admin = vault.admin().await;
        let first = create_key(&mut admin, "gateway").await;
        report(&mut admin, "gateway", &[(&first, 0)]).await;
        vault.clock.advance(Duration::from_secs(1));
        let second = rotate(&mut admin, "gateway").await;
        let refused = disable(&mut admin, &first).await.unwrap_err();
        assert_eq!(reason_of(&refused), "KEY_CENSUS_STALE", "that report is older than the rotation");
        vault.clock.advance(FOLLOWED - Duration::from_micros(1));
        report(&mut admin, "gateway", &[(&second, 5)]).await;
        let refused = disable(&mut admin, &first).await.unwrap_err();
        assert_eq!(reason_of(&refused), "KEY_CENSUS_STALE", "another process may still seal with it");

        vault.clock.advance(Duration::from_micros(1));
        report(&mut admin, "gateway", &[(&first, 12), (&second, 5)]).await;
        let refused = disable(&mut admin, &first).await.unwrap_err();
        assert_eq!(reason_of(&refused), "KEY_VERSION_IN_USE");
        assert_eq!(metadata_of(&refused)["columns"], "1");
        let request = GetKeyCensusRequest { key_id: "gateway".into() };
        let census = admin.keys.get_key_census(request).await.unwrap().into_inner();
        let mut counts: Vec<_> = census.counts.iter().map(|count| count.values).collect();
        counts.sort_unstable();
        assert_eq!(counts, [5, 12]);
        assert!(census.counts.iter().all(|count| count.source == "gateway"));

        report(&mut admin, "gateway", &[(&second, 17)]).await;
        vault.clock.advance(Duration::from_secs(86_401));
        assert_eq!(reason_of(&disable(&mut admin, &first).await.unwrap_err()), "KEY_CENSUS_STALE");
        report(&mut admin, "gateway", &[(&second, 17)]).await;
        let other = |seconds| ReportKeyCensusRequest {
            key_id: "gateway".into(),
            column: "webhooks.secret".into(),
            source: "gateway".into(),
            values: HashMap::new(),
            count_time: Some(prost_types::Timestamp {
                seconds: now_seconds(&vault.clock) + seconds,
                nanos: 0,
            }),
        };
        admin.keys.report_key_census(other(-86_402)).await.unwrap();
        let refused = disable(&mut admin, &first).await.unwrap_err();
        assert_eq!(reason_of(&refused), "KEY_CENSUS_STALE", "one column of two was counted too long ago");
        let future = admin.keys.report_key_census(other(2)).await.unwrap_err();
        assert!(future.message().starts_with("count_time:"), "{}", future.message());
        admin.keys.report_key_census(other(0)).await.unwrap();
        assert_eq!(disable(&mut admin, &first).await.unwrap(), "disabled");
    }
}
