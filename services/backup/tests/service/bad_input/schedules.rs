//! Bad input of the schedule methods.

use strongroom_api::backup::v1 as proto;
use strongroom_api::backup::v1::schedule_service_client::ScheduleServiceClient;
use strongroom_crypto::Token;
use strongroom_runtime::client::AuthorizedChannel;
use strongroom_runtime::status::reason_of;
use tempfile::TempDir;
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use crate::support::{FakeVault, LOGS, Service, database};

const PERMISSIONS: &[&str] = &[
    "schedule.create",
    "schedule.delete",
    "schedule.list",
    "schedule.pause",
    "schedule.run",
    "backup.create",
];

type Client = ScheduleServiceClient<AuthorizedChannel>;

async fn service() -> (Service, TempDir) {
    let (folder, disk) = (database::folder().await, tempfile::tempdir().unwrap());
    let url = disk.path().display();
    let source = format!("{LOGS}\n[[destinations]]\nname = 'disk'\nurl = 'file://{url}'\n");
    (Service::start(folder, FakeVault::start().await, "", &source).await, disk)
}

fn usual() -> proto::CreateScheduleRequest {
    proto::CreateScheduleRequest { name: "nightly".into(), cron: "0 3 * * *".into(), ..Default::default() }
}

fn assert_field(status: &Status, field: &str) {
    assert_eq!(status.code(), Code::InvalidArgument, "{field}: {}", status.message());
    let violations = status.get_details_bad_request().unwrap().field_violations;
    let named: Vec<_> = violations.iter().map(|violation| violation.field.as_str()).collect();
    assert_eq!(named, [field], "{}", status.message());
    assert!(status.message().len() < 1100 && !status.message().contains('\0'), "{}", status.message());
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_input_of_a_new_schedule_is_refused_with_its_field_named() {
    let (service, _disk) = service().await;
    let mut client: Client = ScheduleServiceClient::new(service.channel(&Token::generate(), PERMISSIONS));
    let long = "x".repeat(100_000);
    let length = |seconds, nanos| Some(prost_types::Duration { seconds, nanos });
    let mut cases = Vec::new();
    for name in ["", " ", "N", "1a", "-a", "a b", "a\0", "ä", "../a", &"a".repeat(64), &long] {
        cases.push(("name", proto::CreateScheduleRequest { name: name.into(), ..usual() }));
    }
    for cron in ["", " ", "* * * *", "0 0 3 * * *", "60 * * * *", "0 0 30 2 *", "@never", "\0", &long] {
        cases.push(("cron", proto::CreateScheduleRequest { cron: cron.into(), ..usual() }));
    }
    for zone in [" ", "Europe", "Europe/Nowhere", "/etc/passwd", "..", "a\0", &long] {
        cases.push(("time_zone", proto::CreateScheduleRequest { time_zone: zone.into(), ..usual() }));
    }
    for (seconds, nanos) in
        [(-1, 0), (86_401, 0), (86_400, 1), (0, -1), (i64::MAX, 0), (i64::MIN, 0), (86_400, 0)]
    {
        cases.push(("jitter", proto::CreateScheduleRequest { jitter: length(seconds, nanos), ..usual() }));
    }
    for (seconds, nanos) in [(0, 0), (59, 999_999_999), (-60, 0), (i64::MAX, 0), (2_592_001, 0)] {
        cases.push(("timeout", proto::CreateScheduleRequest { timeout: length(seconds, nanos), ..usual() }));
    }
    for (seconds, nanos) in [(0, 0), (3599, 0), (-1, 0), (i64::MAX, 0), (34_560_001, 0)] {
        let verify_every = length(seconds, nanos);
        cases.push(("verify_every", proto::CreateScheduleRequest { verify_every, ..usual() }));
        let drill_every = length(seconds, nanos);
        cases.push(("drill_every", proto::CreateScheduleRequest { drill_every, ..usual() }));
    }
    for (field, list) in [("include", 0), ("tables", 1), ("destinations", 2)] {
        let many = vec!["logs".to_owned(); 10_001];
        let mut request = usual();
        *[&mut request.include, &mut request.tables, &mut request.destinations][list] = many;
        cases.push((field, request));
    }
    for field in ["daily", "weekly", "monthly", "min"] {
        for count in [-1, 10_001, i32::MIN, i32::MAX] {
            let mut policy = proto::RetentionPolicy::default();
            let place = match field {
                "daily" => &mut policy.daily,
                "weekly" => &mut policy.weekly,
                "monthly" => &mut policy.monthly,
                _ => &mut policy.min,
            };
            *place = count;
            let named = ["retention.daily", "retention.weekly", "retention.monthly", "retention.min"];
            let at = ["daily", "weekly", "monthly", "min"].iter().position(|other| *other == field).unwrap();
            cases.push((named[at], proto::CreateScheduleRequest { retention: Some(policy), ..usual() }));
        }
    }
    for (field, request) in cases {
        assert_field(&client.create_schedule(request).await.unwrap_err(), field);
    }
    let retention = Some(proto::RetentionPolicy { daily: 1, ..Default::default() });
    let denied =
        client.create_schedule(proto::CreateScheduleRequest { retention, ..usual() }).await.unwrap_err();
    assert_eq!(denied.code(), Code::PermissionDenied, "{}", denied.message());
    assert!(denied.message().contains("backup.delete"), "{}", denied.message());
    let none = client.list_schedules(proto::ListSchedulesRequest {}).await.unwrap().into_inner().schedules;
    assert!(none.is_empty() && service.vault.events().is_empty(), "nothing was made");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_name_or_no_schedule_is_refused_by_each_method() {
    let (service, _disk) = service().await;
    let mut client: Client = ScheduleServiceClient::new(service.channel(&Token::generate(), PERMISSIONS));
    for name in ["", "A", "a\0", "../a", "nightly"] {
        let name = name.to_owned();
        let (etag, retention) = (String::new(), None);
        let answers = [
            client.get_schedule(proto::GetScheduleRequest { name: name.clone() }).await.map(drop),
            client.run_schedule(proto::RunScheduleRequest { name: name.clone() }).await.map(drop),
            client.pause_schedule(proto::PauseScheduleRequest { name: name.clone() }).await.map(drop),
            client.resume_schedule(proto::ResumeScheduleRequest { name: name.clone() }).await.map(drop),
            client.delete_schedule(proto::DeleteScheduleRequest { name: name.clone(), etag }).await.map(drop),
            client
                .preview_retention(proto::PreviewRetentionRequest { name: name.clone(), retention })
                .await
                .map(drop),
        ];
        for answer in answers {
            let status = answer.unwrap_err();
            if name == "nightly" {
                assert_eq!((status.code(), &*reason_of(&status)), (Code::NotFound, "SCHEDULE_NOT_FOUND"));
            } else {
                assert_field(&status, "name");
            }
        }
    }
}
